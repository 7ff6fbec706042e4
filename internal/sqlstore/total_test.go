package sqlstore

import (
	"database/sql"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pressly/goose/v3"
	"pgregory.net/rapid"

	"convoke"
)

var totalsBegin = time.Date(2026, 11, 5, 0, 0, 0, 0, time.UTC) // a Thursday

func drawCounter(t *rapid.T) convoke.Counter {
	return convoke.Counter{
		AccountID: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "account"), FunctionID: rapid.SampledFrom([]string{"f", "g"}).Draw(t, "function"),
		Minute: totalsBegin.Add(time.Duration(rapid.IntRange(0, 40*1440).Draw(t, "minute")) * time.Minute),
		// Such that no two of them could be taken for each other.
		Succeeded: rapid.Int64Range(0, 9).Draw(t, "n"), Coding: 10, Platform: 200, Timeout: 3000, Unknown: 40_000, Cold: 1, Run: 7, CPU: 8,
	}
}

func add(to *convoke.Counter, c convoke.Counter) {
	to.Succeeded += c.Succeeded
	to.Coding += c.Coding
	to.Platform += c.Platform
	to.Timeout += c.Timeout
	to.Unknown += c.Unknown
	to.Cold += c.Cold
	to.Run += c.Run
	to.CPU += c.CPU
}

// summed adds up counters, by what group makes of them; false leaves one out.
func summed(all []convoke.Counter, group func(convoke.Counter) (convoke.Counter, bool)) (out []convoke.Counter) {
	for _, c := range all {
		g, ok := group(c)
		if !ok {
			continue
		}
		i := slices.IndexFunc(out, func(o convoke.Counter) bool { return o.FunctionID == g.FunctionID && o.Minute.Equal(g.Minute) })
		if i < 0 {
			i = len(out)
			out = append(out, g)
		}
		add(&out[i], c)
	}
	slices.SortFunc(out, func(a, b convoke.Counter) int {
		if n := a.Minute.Compare(b.Minute); n != 0 {
			return n
		}
		return strings.Compare(a.FunctionID, b.FunctionID)
	})
	return out
}

// TestTotalsAreTheSumOfMinutes compares reports of any range, width, time zone
// and order of arrival with the minutes added up one by one.
func TestTotalsAreTheSumOfMinutes(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	var all []convoke.Counter
	rapid.Check(t, func(t *rapid.T) {
		ctx := t.Context()
		fresh := rapid.SliceOfN(rapid.Custom(drawCounter), 0, 40).Draw(t, "counters")
		if err := s.AppendInvocations(ctx, nil, fresh); err != nil {
			t.Fatal(err)
		}
		all = append(all, fresh...)

		unit := rapid.SampledFrom([]time.Duration{time.Second, time.Minute, 30 * time.Minute, time.Hour, 24 * time.Hour}).Draw(t, "unit")
		from := totalsBegin.Add(-24 * time.Hour).Add(time.Duration(rapid.Int64Range(0, int64(42*24*time.Hour/unit)).Draw(t, "from")) * unit)
		to := from.Add(time.Duration(rapid.Int64Range(1, int64(42*24*time.Hour/unit)).Draw(t, "length")) * unit)
		width := rapid.OneOf(rapid.SampledFrom([]time.Duration{300 * time.Second, time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}),
			rapid.Custom(func(t *rapid.T) time.Duration {
				return time.Duration(rapid.Int64Range(int64(time.Minute), int64(50*time.Hour)).Draw(t, "nanoseconds"))
			})).Draw(t, "width")
		function := rapid.SampledFrom([]string{"f", ""}).Draw(t, "function asked for")
		within := func(c convoke.Counter) bool {
			return c.AccountID == "1" && !c.Minute.Before(from.Truncate(time.Minute)) && c.Minute.Before(to)
		}

		got, err := s.SumCountersByTime(ctx, "1", function, from, to, width)
		if err != nil {
			t.Fatal(err)
		}
		want := summed(all, func(c convoke.Counter) (convoke.Counter, bool) {
			at := from.Add(max(0, c.Minute.Sub(from)/width) * width)
			return convoke.Counter{AccountID: "1", FunctionID: function, Minute: at}, within(c) && (function == "" || c.FunctionID == function)
		})
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("by time (-want +got):\n%s", diff)
		}

		got, err = s.SumCountersByFunction(ctx, "1", from, to)
		if err != nil {
			t.Fatal(err)
		}
		want = summed(all, func(c convoke.Counter) (convoke.Counter, bool) {
			return convoke.Counter{AccountID: "1", FunctionID: c.FunctionID, Minute: from}, within(c)
		})
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("by function (-want +got):\n%s", diff)
		}
	})
}

// TestAMonthIsFewRows holds a report to the widest totals that fit.
func TestAMonthIsFewRows(t *testing.T) {
	t.Parallel()
	at := func(month, day, hour, minute, second int) time.Time {
		return time.Date(2026, time.Month(month), day, hour, minute, second, 0, time.UTC)
	}
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		from, to time.Time
		width    time.Duration
		want     map[int64]int64 // stretches by width; for minutes, how many
		spans    int
	}{
		"a calendar month":          {at(10, 1, 0, 0, 0), at(11, 1, 0, 0, 0), 31 * day, map[int64]int64{dayWidth: 10, weekWidth: 3}, 3},
		"any 30 days":               {at(10, 3, 7, 21, 9), at(11, 2, 7, 21, 9), 30 * day, map[int64]int64{weekWidth: 4, dayWidth: 1, hourWidth: 23, minuteWidth: 39 + 22}, 6},
		"30 days by hour":           {at(10, 3, 7, 0, 0), at(11, 2, 7, 0, 0), time.Hour, map[int64]int64{hourWidth: 720}, 1},
		"30 days by day":            {at(10, 3, 0, 0, 0), at(11, 2, 0, 0, 0), day, map[int64]int64{dayWidth: 30}, 1},
		"by day, in New York":       {at(10, 3, 5, 0, 0), at(10, 5, 5, 0, 0), day, map[int64]int64{hourWidth: 48}, 1},
		"by day, in India":          {at(10, 3, 18, 30, 0), at(10, 5, 18, 30, 0), day, map[int64]int64{hourWidth: 46, minuteWidth: 120}, 5},
		"an hour by five minutes":   {at(10, 3, 7, 0, 0), at(10, 3, 8, 0, 0), 5 * time.Minute, map[int64]int64{minuteWidth: 60}, 1},
		"nothing but a cut minute":  {at(10, 3, 7, 0, 20), at(10, 3, 7, 0, 40), time.Minute, map[int64]int64{minuteWidth: 1}, 1},
		"too many pieces: minutes":  {at(1, 1, 0, 30, 0), at(12, 1, 0, 30, 0), 2 * time.Hour, map[int64]int64{minuteWidth: 334 * 1440}, 1},
		"half of it days only":      {at(8, 30, 12, 0, 0), at(9, 2, 12, 0, 0), 31 * day, map[int64]int64{dayWidth: 2 + 0, hourWidth: 12, minuteWidth: 0}, 3},
		"this month until now":      {at(10, 1, 0, 0, 0), at(10, 28, 9, 14, 33), 31 * day, map[int64]int64{dayWidth: 4, weekWidth: 4}, 2},
		"by day until now":          {at(10, 26, 0, 0, 0), at(10, 28, 9, 14, 33), day, map[int64]int64{dayWidth: 3}, 1},
		"by hour until now":         {at(10, 28, 8, 30, 0), at(10, 28, 9, 14, 33), time.Hour, map[int64]int64{minuteWidth: 30, hourWidth: 1}, 2},
		"not added up yet":          {at(10, 3, 0, 0, 0), at(11, 2, 0, 0, 0), 31 * day, map[int64]int64{minuteWidth: 5*1440 + 7*60, hourWidth: 17, dayWidth: 3, weekWidth: 3}, 4},
		"before anything was kept":  {at(1, 30, 12, 0, 0), at(2, 2, 12, 0, 0), day, nil, 0},
		"all of it days only, wide": {at(3, 2, 0, 0, 0), at(3, 17, 5, 0, 0), 365 * day, map[int64]int64{weekWidth: 2, dayWidth: 2}, 2},
	} {
		k := kept{finely: nanos(at(9, 1, 0, 0, 0)), atAll: nanos(at(3, 2, 0, 0, 0)), whole: firstMonday, latest: math.MaxInt64}
		if name == "too many pieces: minutes" {
			k = kept{firstMonday, firstMonday, firstMonday, math.MaxInt64}
		}
		if name == "not added up yet" {
			k.whole = nanos(at(10, 8, 7, 0, 0))
		}
		if strings.HasSuffix(name, "until now") {
			k.latest = nanos(at(10, 28, 9, 14, 0))
		}
		spans := k.spans(c.from, c.to, c.width)
		got := map[int64]int64{}
		for _, s := range spans {
			got[s.width] += (s.until - s.start) / s.width
		}
		for w, n := range c.want {
			if n == 0 {
				delete(c.want, w)
			}
		}
		if !cmp.Equal(c.want, got, cmpopts.EquateEmpty()) || len(spans) != c.spans {
			t.Errorf("%s: %v in %d spans, want %v in %d", name, got, len(spans), c.want, c.spans)
		}
	}
}

// atSchema makes a data directory whose log of runs has an earlier schema.
func atSchema(t testing.TB, version int64) (dir string, db *sql.DB) {
	t.Helper()
	dir = t.TempDir()
	db = sql.OpenDB(newConnector(dsn(filepath.Join(dir, "runlog.db"), nil)))
	files, err := fs.Sub(migrations, "migrations/runlog")
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	return dir, db
}

// TestUpgradeCountsWhatWas: the minutes of an earlier schema are added up step
// by step, and reports are right at each.
func TestUpgradeCountsWhatWas(t *testing.T) {
	t.Parallel()
	dir, db := atSchema(t, 2)
	all := rapid.SliceOfN(rapid.Custom(drawCounter), 300, 300).Example(1)
	for _, c := range all {
		_, err := db.Exec(insertCounters+` VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) `+addToCounters,
			c.AccountID, c.FunctionID, nanos(c.Minute), c.Succeeded, c.Coding, c.Platform, c.Timeout, c.Unknown, c.Cold, int64(c.Run), int64(c.CPU))
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	ctx := t.Context()
	count := func() int {
		n, err := find(ctx, s.runlog.search, scanCount, never, `SELECT COUNT(*) FROM totals`)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	compare := func(when string) {
		t.Helper()
		compareTotals(t, s, all, when)
	}
	compare("before the first step")
	if n := count(); n != 0 {
		t.Errorf("the start added %d totals", n)
	}
	for step := 0; ; step++ {
		// A late one before, at and after what was filled, and one of a new hour.
		for _, i := range []int{step % len(all), 0} {
			late := all[i]
			if step == 5 {
				late.Minute = totalsBegin.Add(50 * 24 * time.Hour)
			}
			if err := s.AppendInvocations(ctx, nil, []convoke.Counter{late}); err != nil {
				t.Fatal(err)
			}
			all = append(all, late)
		}
		// Nothing is removed before all of it is in the totals.
		if _, err := s.DeleteLogsBefore(ctx, totalsBegin.Add(20*24*time.Hour), 1000); err != nil {
			t.Fatal(err)
		}
		more, err := s.FillTotals(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if step%50 == 0 || !more {
			compare(fmt.Sprintf("after step %d", step))
		}
		if !more {
			break
		}
	}
	if more, err := s.FillTotals(ctx); more || err != nil {
		t.Errorf("filled again: %v, %v", more, err)
	}
	compare("at the end")
	type total struct {
		account, function string
		width, start      int64
	}
	want := map[total]bool{}
	for _, c := range all {
		for _, w := range stretches {
			want[total{c.AccountID, c.FunctionID, w.width, w.before(nanos(c.Minute))}] = true
		}
	}
	if n := count(); n != len(want) {
		t.Errorf("%d totals in the end, want %d", n, len(want))
	}
}

// compareTotals compares reports of one function with the sums of all.
func compareTotals(t *testing.T, s *Store, all []convoke.Counter, when string) {
	t.Helper()
	ctx := t.Context()
	for _, width := range []time.Duration{time.Minute, time.Hour, 24 * time.Hour, 7 * 24 * time.Hour} {
		from := totalsBegin.Add(-3 * 24 * time.Hour) // a Monday
		got, err := s.SumCountersByTime(ctx, "1", "f", from, from.Add(100*24*time.Hour), width)
		if err != nil {
			t.Fatal(err)
		}
		want := summed(all, func(c convoke.Counter) (convoke.Counter, bool) {
			return convoke.Counter{AccountID: "1", FunctionID: "f", Minute: from.Add(c.Minute.Sub(from) / width * width)}, c.AccountID == "1" && c.FunctionID == "f"
		})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s, %s (-want +got):\n%s", when, width, diff)
		}
	}
}

// TestWidthsAreThoseOfTheSchema: what the triggers keep is what reports ask for.
func TestWidthsAreThoseOfTheSchema(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	scan := func(r row) (stretch, error) {
		var w stretch
		return w, r.Scan(&w.width, &w.shift)
	}
	got, err := list(t.Context(), s.runlog.search, scan, `SELECT width, shift FROM total_widths ORDER BY width DESC`)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, stretches) {
		t.Errorf("the schema has %v, the code %v", got, stretches)
	}
}
