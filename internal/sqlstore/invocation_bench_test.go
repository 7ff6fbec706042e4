package sqlstore

import (
	"testing"
	"time"

	"convoke"
)

const (
	benchHalfDays = 62
	benchBusy     = "busy"
)

var benchStart = time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)

// fillMonth hands over the counters of a month in which 10,000 functions ran in
// 60 minutes each, and one in every minute, in order of time.
func fillMonth(b *testing.B, store func([]convoke.Counter) error) {
	b.Helper()
	count := func(function string, at time.Time) convoke.Counter {
		return convoke.Counter{AccountID: "1", FunctionID: function, Minute: at, Succeeded: 1}
	}
	for half := range benchHalfDays {
		at := benchStart.Add(time.Duration(half) * 12 * time.Hour)
		var counters []convoke.Counter
		for fn := range benchFunctions {
			if fn%31 != half%31 { // each rests twice
				counters = append(counters, count(benchID(fn), at.Add(time.Duration(fn%720)*time.Minute)))
			}
		}
		for minute := range 720 {
			counters = append(counters, count(benchBusy, at.Add(time.Duration(minute)*time.Minute)))
		}
		if err := store(counters); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMonth measures the reports of such a month.
func BenchmarkMonth(b *testing.B) {
	s := open(b, b.TempDir())
	ctx := b.Context()
	fillMonth(b, func(counters []convoke.Counter) error { return s.AppendInvocations(ctx, nil, counters) })
	end := benchStart.Add(benchHalfDays * 12 * time.Hour)
	for _, c := range []struct {
		name  string
		start time.Time
	}{{"ByFunction", benchStart}, {"ByFunctionAnyRange", benchStart.Add(29*time.Hour + 21*time.Minute)}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				got, err := s.SumCountersByFunction(ctx, "1", c.start, end)
				if err != nil || len(got) != benchFunctions+1 {
					b.Fatalf("%d functions, error %v", len(got), err)
				}
			}
		})
	}
	for _, c := range []struct {
		name  string
		width time.Duration
		want  int
	}{{"ByFiveMinutes", 5 * time.Minute, benchHalfDays * 144}, {"ByHour", time.Hour, benchHalfDays * 12}, {"ByDay", 24 * time.Hour, benchHalfDays / 2}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				got, err := s.SumCountersByTime(ctx, "1", benchBusy, benchStart, end, c.width)
				if err != nil || len(got) != c.want {
					b.Fatalf("%d stretches, error %v", len(got), err)
				}
			}
		})
	}
}

// BenchmarkAppendCounters measures a flush of 1,000 functions that have run
// before in this minute.
func BenchmarkAppendCounters(b *testing.B) {
	s := open(b, b.TempDir())
	counters := make([]convoke.Counter, 1000)
	for i := range counters {
		counters[i] = convoke.Counter{AccountID: "1", FunctionID: benchID(i), Minute: benchStart, Succeeded: 1}
	}
	for b.Loop() {
		if err := s.AppendInvocations(b.Context(), nil, counters); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(counters)), "ns/counter")
}

// BenchmarkUpgrade measures the first start on such a month that an earlier
// schema has, and how long it then takes, in steps, to add that up.
func BenchmarkUpgrade(b *testing.B) {
	var filling, longest time.Duration
	for b.Loop() {
		b.StopTimer()
		dir, db := atSchema(b, 3)
		fillMonth(b, func(counters []convoke.Counter) error {
			begun, err := db.Begin()
			if err != nil {
				return err
			}
			for _, c := range counters {
				if _, err := begun.Exec(insertCounters+` VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
					c.AccountID, c.FunctionID, nanos(c.Minute), c.Succeeded, 0, 0, 0, 0, 0, 0, 0); err != nil {
					return err
				}
			}
			return begun.Commit()
		})
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		s, err := Open(b.Context(), Config{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		for more := true; more; {
			began := time.Now()
			if more, err = s.FillTotals(b.Context()); err != nil {
				b.Fatal(err)
			}
			step := time.Since(began)
			filling += step
			longest = max(longest, step)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(filling.Milliseconds())/float64(b.N), "fill-ms/op")
	b.ReportMetric(float64(longest.Milliseconds()), "longest-step-ms")
}
