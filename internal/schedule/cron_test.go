package schedule

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"convoke"
)

// TestNext is golden: what an expression means must not change with a library.
func TestNext(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		expr, after string
		want        []string
	}{
		{"* * * * *", "2026-01-15 10:30:00", []string{"2026-01-15 10:31", "2026-01-15 10:32"}},
		{"* * * * *", "2026-12-31 23:59:59", []string{"2027-01-01 00:00", "2027-01-01 00:01"}},
		{"*/5 * * * *", "2026-01-15 10:30:00", []string{"2026-01-15 10:35", "2026-01-15 10:40"}},
		{"*/25 * * * *", "2026-01-15 10:30:00", []string{"2026-01-15 10:50", "2026-01-15 11:00"}}, // not every 25 minutes
		{"7-59/20 * * * *", "2026-01-15 10:30:00", []string{"2026-01-15 10:47", "2026-01-15 11:07"}},
		{"10-20/5 3 * * *", "2026-01-15 10:30:00", []string{"2026-01-16 03:10", "2026-01-16 03:15", "2026-01-16 03:20", "2026-01-17 03:10"}},
		{"0,30 9-10 * * *", "2026-01-15 09:00:00", []string{"2026-01-15 09:30", "2026-01-15 10:00", "2026-01-15 10:30", "2026-01-16 09:00"}},
		{"0 0 1 1 *", "2026-01-01 00:00:00", []string{"2027-01-01 00:00"}},
		{"0 0 1 12 *", "2026-01-15 10:30:00", []string{"2026-12-01 00:00"}}, // months count from 1
		{"0 0 31 * *", "2026-01-31 00:00:00", []string{"2026-03-31 00:00", "2026-05-31 00:00"}},
		{"0 0 29 2 *", "2026-01-15 10:30:00", []string{"2028-02-29 00:00", "2032-02-29 00:00"}},
		{"0 0 29 2 *", "2096-03-01 00:00:00", []string{"2104-02-29 00:00"}}, // 2100 is no leap year
		{"0 0 * * 0", "2026-01-15 10:30:00", []string{"2026-01-18 00:00", "2026-01-25 00:00"}},
		{"0 0 * * 7", "2026-01-15 10:30:00", []string{"2026-01-18 00:00", "2026-01-25 00:00"}},
		{"0 0 * * 5-7", "2026-01-15 10:30:00", []string{"2026-01-16 00:00", "2026-01-17 00:00", "2026-01-18 00:00", "2026-01-23 00:00"}},
		{"0 9 * * 1-5", "2026-01-16 09:00:00", []string{"2026-01-19 09:00"}},
		{"0 9 * * MON-fri", "2026-01-16 09:00:00", []string{"2026-01-19 09:00"}},
		{"0 0 1 jan,JUL *", "2026-01-15 10:30:00", []string{"2026-07-01 00:00", "2027-01-01 00:00"}},
		{"0 0 13 * 5", "2026-01-15 10:30:00", []string{"2026-01-16 00:00", "2026-01-23 00:00", "2026-01-30 00:00", "2026-02-06 00:00", "2026-02-13 00:00"}}, // either day
		{"0 0 10 2 3", "2026-01-15 10:30:00", []string{"2026-02-04 00:00", "2026-02-10 00:00", "2026-02-11 00:00"}},
		{"0 2 * * *", "2026-03-29 00:00:00", []string{"2026-03-29 02:00", "2026-03-30 02:00"}}, // UTC has no summer time
		{" 0\t0  * * * ", "2026-01-15 10:30:00", []string{"2026-01-16 00:00"}},
	} {
		const layout = "2006-01-02 15:04:05"
		after, err := time.Parse(layout, c.after)
		if err != nil {
			t.Fatal(err)
		}
		// A caller in another time zone asks for the same.
		for _, from := range []time.Time{after, after.In(time.FixedZone("", 5400)), after.Add(700 * time.Millisecond)} {
			times, err := Preview(c.expr, from, len(c.want))
			if err != nil {
				t.Errorf("%s: %v", c.expr, err)
				continue
			}
			var got []string
			for _, at := range times {
				if at.Location() != time.UTC || at.Nanosecond() != 0 || at.Second() != 0 {
					t.Errorf("%s: %s is no full minute in UTC", c.expr, at)
				}
				got = append(got, at.Format("2006-01-02 15:04"))
			}
			if diff := gocmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s after %s (-want +got):\n%s", c.expr, from, diff)
			}
		}
	}
}

func TestParseCronRefuses(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]string{
		"":                                     "has 0 fields",
		"* * * *":                              "has 4 fields",
		"0 * * * * *":                          "has 6 fields", // seconds
		"0 0 1 1 * 2027":                       "has 6 fields", // years
		"@daily":                               "has 1 fields",
		"@every 5m":                            "has 2 fields",
		"60 * * * *":                           `"60" cannot be the minute`,
		"* 24 * * *":                           "the hour",
		"* * 0 * *":                            "the day of the month",
		"* * 32 * *":                           "the day of the month",
		"* * * 0 *":                            "the month", // the first generation's oldest text has 0 to 11
		"* * * 13 *":                           "the month",
		"* * * * 8":                            "the day of the week",
		"* * * MON *":                          "the month",
		"* * * * ANJ":                          "the day of the week",
		"* * * * UNM":                          "the day of the week", // letters of two names
		"1,,2 * * * *":                         "the minute",
		"1,99 * * * *":                         "the minute",
		"*,99 * * * *":                         "the minute",
		"5-1 * * * *":                          "the minute",
		"* * * * 6-2":                          "the day of the week",
		"1- * * * *":                           "the minute",
		"-1 * * * *":                           "the minute",
		"+1 * * * *":                           "the minute",
		"*/0 * * * *":                          "the minute",
		"*/ * * * *":                           "the minute",
		"*/5/5 * * * *":                        "the minute",
		"*5 * * * *":                           "the minute",
		"0 0 L * *":                            "the day of the month",
		"0 0 15W * *":                          "the day of the month",
		"0 0 ? * *":                            "the day of the month",
		"0 0 * * 1#2":                          "the day of the week",
		"0 0 * * 5L":                           "the day of the week",
		"0 0 30 2 *":                           "never comes true",
		"0 0 31 4,6,9,11 *":                    "never comes true",
		"0 0 31 2 */1":                         "never comes true",
		strings.Repeat("1", 121):               "has 121 characters",
		"* * * * *" + strings.Repeat(" ", 112): "has 121 characters",
	} {
		_, err := ParseCron(expr)
		if convoke.ErrorCode(err) != convoke.CodeValidation || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: got error %v, want %q in it", expr, err, want)
		}
	}
}

func TestParseCronTidies(t *testing.T) {
	t.Parallel()
	got, err := ParseCron(" */5\t*  * *   mon ")
	if err != nil || got != "*/5 * * * mon" {
		t.Errorf("got %q, error %v", got, err)
	}
}

// TestNextAgainstEveryMinute compares with asking every minute whether it is one.
func TestNextAgainstEveryMinute(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var fields []string
		for _, f := range cronFields {
			var items []string
			for range rapid.IntRange(0, 2).Draw(t, "items") {
				low := rapid.IntRange(f.low, f.high).Draw(t, "low")
				high := rapid.IntRange(low, f.high).Draw(t, "high")
				step := rapid.IntRange(1, f.high).Draw(t, "step")
				items = append(items, rapid.SampledFrom([]string{
					fmt.Sprint(low), fmt.Sprintf("%d-%d", low, high), fmt.Sprintf("%d-%d/%d", low, high, step),
				}).Draw(t, "item"))
			}
			star := rapid.SampledFrom([]string{"*", "*", "*/2", "*/7"}).Draw(t, "star")
			fields = append(fields, cmp.Or(strings.Join(items, ","), star))
		}
		expr := strings.Join(fields, " ")
		after := time.Unix(60*rapid.Int64Range(29_000_000, 31_000_000).Draw(t, "after"), 0).UTC() // 2025 to 2028
		var want time.Time
		matches := definition(fields)
		for at, end := after.Add(time.Minute), after.AddDate(0, 0, 8); at.Before(end) && want.IsZero(); at = at.Add(time.Minute) {
			if matches(at) {
				want = at
			}
		}
		got, err := Next(expr, after)
		switch {
		case want.IsZero() && err == nil && got.Before(after.AddDate(0, 0, 8)), !want.IsZero() && (err != nil || !got.Equal(want)):
			t.Fatalf("%s after %s: got %s, error %v; want %s", expr, after, got, err, want)
		}
	})
}

// definition says of any minute whether it is one, as crontab(5) has it.
func definition(fields []string) func(at time.Time) bool {
	var in [5][60]bool
	for i, f := range cronFields {
		for item := range strings.SplitSeq(fields[i], ",") {
			span, step, _ := strings.Cut(item, "/")
			low, high := f.low, f.high
			if from, to, isRange := strings.Cut(span, "-"); span != "*" {
				low, _ = strconv.Atoi(from)
				high = low
				if isRange {
					high, _ = strconv.Atoi(to)
				}
			}
			every, _ := strconv.Atoi(cmp.Or(step, "1"))
			for v := low; v <= high; v += every {
				in[i][v] = true
			}
		}
	}
	in[4][0] = in[4][0] || in[4][7]
	both := strings.HasPrefix(fields[2], "*") || strings.HasPrefix(fields[4], "*")
	return func(at time.Time) bool {
		date, weekday := in[2][at.Day()], in[4][at.Weekday()]
		return in[0][at.Minute()] && in[1][at.Hour()] && in[3][at.Month()] && (date && weekday || !both && (date || weekday))
	}
}

// FuzzParseCron: what is taken has a next time, and computing it ends.
func FuzzParseCron(f *testing.F) {
	for _, expr := range []string{"* * * * *", "0 0 29 2 *", "59 23 31 12 7", "*/7 1-5/2 1,15 JAN-MAR SUN", "0 0 30 2 1"} {
		f.Add(expr, int64(1_800_000_000))
	}
	f.Fuzz(func(t *testing.T, expr string, unix int64) {
		after := time.Unix(unix&(1<<32-1), 0)
		times, err := Preview(expr, after, 3)
		if err != nil {
			if convoke.ErrorCode(err) != convoke.CodeValidation {
				t.Errorf("%q: %v", expr, err)
			}
			return
		}
		for _, at := range times {
			if !at.After(after) {
				t.Errorf("%q after %s: %s", expr, after, at)
			}
			after = at
		}
	})
}
