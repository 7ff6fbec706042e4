package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"convoke"
)

func newLog(n int) convoke.LogEntry {
	return convoke.LogEntry{
		AccountID: acct, FunctionID: "fn", Version: 3, RequestID: id("req", n), Time: at(n),
		Level: convoke.LevelInfo, Source: convoke.SourceConsole, Message: fmt.Sprintf("message %d", n), Extras: []byte(`[1,{"a":"b"}]`),
	}
}

func newLogs(count int) []convoke.LogEntry {
	entries := make([]convoke.LogEntry, count)
	for i := range entries {
		entries[i] = newLog(i)
	}
	return entries
}

func testLogs(t *testing.T, s Store) {
	ctx := t.Context()
	must(t, s.AppendLogs(ctx, nil))
	same(t, "no logs", get(s.QueryLogs(ctx, acct, convoke.LogFilter{}))(t), []convoke.LogEntry{})

	entries := newLogs(123) // more than a statement takes, and not a multiple
	entries[7].Message = "ünï\x00\xff \n 日本"
	entries[8].Extras = nil
	must(t, s.AppendLogs(ctx, entries))
	for i := 1; i < len(entries); i++ {
		if entries[i].Seq <= entries[i-1].Seq || entries[0].Seq <= 0 {
			t.Fatalf("entry %d has number %d after %d", i, entries[i].Seq, entries[i-1].Seq)
		}
	}
	want := slices.Clone(entries)
	want[8].Extras = []byte("[]")
	same(t, "oldest first", get(s.QueryLogs(ctx, acct, convoke.LogFilter{Ascending: true}))(t), want)
	slices.Reverse(want)
	same(t, "newest first", get(s.QueryLogs(ctx, acct, convoke.LogFilter{}))(t), want)
	same(t, "limited", get(s.QueryLogs(ctx, acct, convoke.LogFilter{Limit: 5}))(t), want[:5])

	must(t, s.AppendLogs(ctx, newLogs(600)))
	same(t, "default limit", len(get(s.QueryLogs(ctx, acct, convoke.LogFilter{}))(t)), 500)
	same(t, "a higher limit", len(get(s.QueryLogs(ctx, acct, convoke.LogFilter{Limit: 700}))(t)), 700)
}

func testLogFilters(t *testing.T, s Store) {
	ctx := t.Context()
	entries := newLogs(12)
	for i := range entries {
		entries[i].FunctionID = id("fn", i%2)
		entries[i].Level = convoke.LogLevels[i%4]
		entries[i].RequestID = id("req", i/3)
	}
	entries[11].RequestID = ""
	must(t, s.AppendLogs(ctx, entries))
	for _, test := range []struct {
		name   string
		filter convoke.LogFilter
		want   []int
	}{
		{"function", convoke.LogFilter{FunctionID: id("fn", 1)}, []int{1, 3, 5, 7, 9, 11}},
		{"level", convoke.LogFilter{Levels: []convoke.LogLevel{convoke.LevelError}}, []int{3, 7, 11}},
		{"levels", convoke.LogFilter{Levels: convoke.LogLevels[2:]}, []int{2, 3, 6, 7, 10, 11}},
		{"request", convoke.LogFilter{RequestID: id("req", 2)}, []int{6, 7, 8}},
		{"request of a function", convoke.LogFilter{RequestID: id("req", 2), FunctionID: id("fn", 1)}, []int{7}},
		{"from", convoke.LogFilter{From: at(9)}, []int{9, 10, 11}},
		{"to", convoke.LogFilter{To: at(2)}, []int{0, 1}},
		{"time of a function", convoke.LogFilter{From: at(3), To: at(8), FunctionID: id("fn", 0)}, []int{4, 6}},
		{"after", convoke.LogFilter{AfterSeq: entries[9].Seq}, []int{10, 11}},
		{"after, of a function", convoke.LogFilter{AfterSeq: entries[8].Seq, FunctionID: id("fn", 0)}, []int{10}},
		{"after and limit", convoke.LogFilter{AfterSeq: entries[3].Seq, Limit: 2}, []int{4, 5}},
		{"all at once", convoke.LogFilter{AfterSeq: entries[0].Seq, FunctionID: id("fn", 1), RequestID: id("req", 1), From: at(1), To: at(9),
			Levels: convoke.LogLevels[:2], Text: "MESSAGE 5"}, []int{5}},
		{"none", convoke.LogFilter{FunctionID: "fn-none"}, nil},
	} {
		want := []convoke.LogEntry{}
		for _, i := range test.want {
			want = append(want, entries[i])
		}
		test.filter.Ascending = true
		same(t, test.name, get(s.QueryLogs(ctx, acct, test.filter))(t), want)
	}
}

func testLogText(t *testing.T, s Store) {
	ctx := t.Context()
	texts := []string{"100% done", "100 done", "snake_case", "snakeXcase", "GRÜSSE", `back\slash`}
	entries := newLogs(len(texts) + 1)
	for i, text := range texts {
		entries[i].Message, entries[i].Extras = text, nil
	}
	entries[len(texts)].Extras = []byte(`["Needle"]`)
	must(t, s.AppendLogs(ctx, entries))
	for _, test := range []struct {
		text string
		want []int
	}{
		{"DONE", []int{0, 1}},
		{"100%", []int{0}},
		{"%", []int{0}},
		{"e_c", []int{2}},
		{"_", []int{2}},
		{"snake", []int{2, 3}},
		{"grüsse", []int{4}},
		{`\`, []int{5}},
		{"needle", []int{6}},
		{"'", nil},
		{"absent", nil},
	} {
		var got []int
		for _, e := range get(s.QueryLogs(ctx, acct, convoke.LogFilter{Text: test.text, Ascending: true}))(t) {
			got = append(got, slices.IndexFunc(entries, func(want convoke.LogEntry) bool { return want.Seq == e.Seq }))
		}
		same(t, "entries with "+test.text, got, test.want)
	}
}

func testLogSequence(t *testing.T, s Store) {
	ctx := t.Context()
	first, second := newLogs(3), newLogs(3)
	must(t, s.AppendLogs(ctx, first))
	get(s.DeleteLogsBefore(ctx, at(1000), 100))(t)
	must(t, s.AppendLogs(ctx, second))
	if second[0].Seq <= first[2].Seq {
		t.Errorf("number %d was given after %d", second[0].Seq, first[2].Seq)
	}
	// A late entry is the newest all the same: a reader who goes on after the
	// last number that it saw must not miss one.
	late := newLogs(1)
	late[0].Time = at(-100)
	must(t, s.AppendLogs(ctx, late))
	same(t, "newest entry", get(s.QueryLogs(ctx, acct, convoke.LogFilter{Limit: 1}))(t), late)
}

func testDeleteLogsBefore(t *testing.T, s Store) {
	ctx := t.Context()
	// Newest first: neither the order of arrival nor that of numbers helps.
	entries := newLogs(6)
	slices.Reverse(entries)
	must(t, s.AppendLogs(ctx, entries))
	var records []convoke.Invocation
	for n := range 6 {
		records = append(records, newInvocation(n))
	}
	must(t, s.AppendInvocations(ctx, records, nil))
	left := func() []int {
		t.Helper()
		return []int{
			len(get(s.QueryLogs(ctx, acct, convoke.LogFilter{}))(t)),
			len(get(s.QueryInvocations(ctx, acct, convoke.InvocationFilter{FunctionID: "fn"}))(t)),
		}
	}
	for _, step := range []struct {
		before, limit, removed int
		left                   []int
	}{
		{-500, 100, 0, []int{6, 6}},
		{100, 0, 0, []int{6, 6}},
		{100, -1, 0, []int{6, 6}},
		{4, 3, 6, []int{3, 3}},
		{4, 3, 2, []int{2, 2}},
		{4, 3, 0, []int{2, 2}},
	} {
		removed := get(s.DeleteLogsBefore(ctx, at(step.before), step.limit))(t)
		same(t, fmt.Sprintf("removed in %+v", step), removed, step.removed)
		same(t, fmt.Sprintf("left after %+v", step), left(), step.left)
	}
	if got := get(s.QueryLogs(ctx, acct, convoke.LogFilter{Ascending: true}))(t); got[0].Time != at(5) || got[1].Time != at(4) {
		t.Errorf("wrong entries are left: %v", got)
	}
}

// testOldCounters: of days whose minutes went, reports know the whole; of weeks
// that went, nothing.
func testOldCounters(t *testing.T, s Store) {
	ctx := t.Context()
	monday := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	const hour, day = time.Hour, 24 * time.Hour
	var counters []convoke.Counter
	for n := range 28 { // twice a day
		counters = append(counters, convoke.Counter{AccountID: acct, FunctionID: "fn", Minute: monday.Add(time.Duration(n)*12*hour + 30*time.Minute), Succeeded: 1})
	}
	must(t, s.AppendInvocations(ctx, nil, counters))
	count := func(name string, from, to time.Duration, want int64) {
		t.Helper()
		got := get(s.SumCountersByFunction(ctx, acct, monday.Add(from), monday.Add(to)))(t)
		if want == 0 && len(got) == 0 {
			return
		}
		if len(got) != 1 || got[0].Succeeded != want {
			t.Errorf("%s: %+v, want %d", name, got, want)
		}
	}
	remove := func(name string, by func(context.Context, time.Time, int) (int, error), before time.Duration, limit, want int) {
		t.Helper()
		same(t, name, get(by(ctx, monday.Add(before), limit))(t), want)
	}
	byHour := func(from, to time.Duration) (at []time.Duration) {
		for _, c := range get(s.SumCountersByTime(ctx, acct, "fn", monday.Add(from), monday.Add(to), hour))(t) {
			at = append(at, c.Minute.Sub(monday))
		}
		return at
	}
	count("all", 0, 14*day, 28)
	count("from noon", 12*hour, 14*day, 27)
	remove("without a limit", s.DeleteLogsBefore, 9*day, 0, 0)
	count("still from noon", 12*hour, 14*day, 27)

	// In part: what is left of those days is not read any more.
	remove("some minutes and hours", s.DeleteLogsBefore, 8*day+13*hour, 5, 10)
	count("all, in part removed", 0, 14*day, 28)
	count("a day counts where it begins", 12*hour, 14*day, 26)
	count("and is not cut", 0, day+hour, 4)
	same(t, "hours of an old and a new day", byHour(7*day, 9*day), []time.Duration{7 * day, 8 * day, 8*day + 12*hour})
	remove("the rest", s.DeleteLogsBefore, 8*day+13*hour, 100, 22)
	remove("nothing more", s.DeleteLogsBefore, 8*day+13*hour, 100, 0)
	remove("nothing for a longer retention", s.DeleteLogsBefore, 2*day, 100, 0)
	count("all, removed", 0, 14*day, 28)
	count("a whole day", 8*day, 9*day, 2)
	count("minutes of a day that has them", 8*day+hour, 9*day, 1)

	must(t, s.AppendInvocations(ctx, nil, []convoke.Counter{counters[1]}))
	count("a late one counts with its day", 0, day, 3)

	remove("the first week, not yet", s.DeleteTotalsBefore, 7*day-1, 100, 0)
	remove("no limit", s.DeleteTotalsBefore, 8*day, 0, 0)
	count("not yet", 0, 14*day, 29)
	remove("the first week, in part", s.DeleteTotalsBefore, 8*day, 3, 5) // with the late hour
	count("a week less", 0, 14*day, 14)
	remove("the first week", s.DeleteTotalsBefore, 8*day, 100, 4)
	remove("again", s.DeleteTotalsBefore, 8*day, 100, 0)
	count("a week less, removed", 0, 14*day, 14)
	must(t, s.AppendInvocations(ctx, nil, []convoke.Counter{counters[1]}))
	count("too late", 0, 14*day, 14)
}
