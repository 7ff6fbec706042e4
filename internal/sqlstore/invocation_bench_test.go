package sqlstore

import (
	"testing"
	"time"

	"convoke"
)

// BenchmarkMonth measures the reports of a month in which 10,000 functions ran
// in 60 minutes each, and one in every minute.
func BenchmarkMonth(b *testing.B) {
	const (
		halfDays = 62
		busy     = "busy"
	)
	s := open(b, b.TempDir())
	ctx := b.Context()
	start := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	end := start.Add(halfDays * 12 * time.Hour)
	count := func(function string, at time.Time) convoke.Counter {
		return convoke.Counter{AccountID: "1", FunctionID: function, Minute: at, Succeeded: 1}
	}
	for half := range halfDays { // in order of time, as they are written
		at := start.Add(time.Duration(half) * 12 * time.Hour)
		var counters []convoke.Counter
		for fn := range benchFunctions {
			if fn%31 != half%31 { // each rests twice
				counters = append(counters, count(benchID(fn), at.Add(time.Duration(fn%720)*time.Minute)))
			}
		}
		for minute := range 720 {
			counters = append(counters, count(busy, at.Add(time.Duration(minute)*time.Minute)))
		}
		if err := s.AppendInvocations(ctx, nil, counters); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("ByFunction", func(b *testing.B) {
		for b.Loop() {
			got, err := s.SumCountersByFunction(ctx, "1", start, end)
			if err != nil || len(got) != benchFunctions+1 {
				b.Fatalf("%d functions, error %v", len(got), err)
			}
		}
	})
	b.Run("ByHour", func(b *testing.B) {
		for b.Loop() {
			got, err := s.SumCountersByTime(ctx, "1", busy, start, end, time.Hour)
			if err != nil || len(got) != halfDays*12 {
				b.Fatalf("%d hours, error %v", len(got), err)
			}
		}
	})
}
