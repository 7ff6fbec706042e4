package storetest

import (
	"slices"
	"testing"
	"time"

	"convoke"
)

func newInvocation(n int) convoke.Invocation {
	return convoke.Invocation{
		RequestID: id("req", n), AccountID: acct, FunctionID: "fn", Version: 2, EventID: "event", Caller: "caller",
		StartedAt: at(n), Wait: time.Millisecond, Cold: n%2 == 0, ColdStart: 2 * time.Millisecond, Run: 3 * time.Millisecond,
		CPU: 4 * time.Microsecond, PeakMemory: 5 << 30, PayloadBytes: 6, ResultBytes: 7, Outcome: convoke.OutcomeSucceeded,
	}
}

func testInvocations(t *testing.T, s Store) {
	ctx := t.Context()
	must(t, s.AppendInvocations(ctx, nil, nil))
	var records []convoke.Invocation
	for n := range 130 {
		r := newInvocation(n)
		if n%10 == 3 {
			r.Outcome, r.Code = convoke.OutcomeTimeout, convoke.CodeTimeout
		}
		if n%10 == 4 {
			r.FunctionID = "fn2"
		}
		records = append(records, r)
	}
	must(t, s.AppendInvocations(ctx, records, nil))
	// One request may run several functions, and one function again.
	again := newInvocation(129)
	again.StartedAt = at(130)
	must(t, s.AppendInvocations(ctx, []convoke.Invocation{again}, nil))
	records = append(records, again)
	slices.Reverse(records)
	matching := func(match func(convoke.Invocation) bool) []convoke.Invocation {
		var out []convoke.Invocation
		for _, r := range records {
			if match(r) {
				out = append(out, r)
			}
		}
		return out
	}
	isFn := func(r convoke.Invocation) bool { return r.FunctionID == "fn" }
	for _, test := range []struct {
		name   string
		filter convoke.InvocationFilter
		want   []convoke.Invocation
	}{
		{"default limit", convoke.InvocationFilter{FunctionID: "fn"}, matching(isFn)[:100]},
		{"limit", convoke.InvocationFilter{FunctionID: "fn", Limit: 3}, matching(isFn)[:3]},
		{"high limit", convoke.InvocationFilter{FunctionID: "fn", Limit: 300}, matching(isFn)},
		{"another function", convoke.InvocationFilter{FunctionID: "fn2"},
			matching(func(r convoke.Invocation) bool { return r.FunctionID == "fn2" })},
		{"outcome", convoke.InvocationFilter{FunctionID: "fn", Outcomes: []convoke.Outcome{convoke.OutcomeTimeout, convoke.OutcomeUnknown}},
			matching(func(r convoke.Invocation) bool { return r.Outcome == convoke.OutcomeTimeout })},
		{"request", convoke.InvocationFilter{FunctionID: "fn", RequestID: id("req", 129)}, records[:2]},
		{"request of another function", convoke.InvocationFilter{FunctionID: "fn2", RequestID: id("req", 129)}, nil},
		{"time", convoke.InvocationFilter{FunctionID: "fn", From: at(10), To: at(13)},
			matching(func(r convoke.Invocation) bool { return !r.StartedAt.Before(at(10)) && r.StartedAt.Before(at(13)) })},
	} {
		same(t, test.name, get(s.QueryInvocations(ctx, acct, test.filter))(t), test.want)
	}
}

func testCounters(t *testing.T, s Store) {
	ctx := t.Context()
	minute := at(0).Truncate(time.Minute)
	count := func(function string, after time.Duration) convoke.Counter {
		return convoke.Counter{AccountID: acct, FunctionID: function, Minute: minute.Add(after),
			Succeeded: 1, Coding: 2, Platform: 3, Timeout: 4, Unknown: 5, Cold: 6, Run: 7, CPU: 8}
	}
	times := func(n int64, function string, at time.Time) convoke.Counter {
		return convoke.Counter{AccountID: acct, FunctionID: function, Minute: at,
			Succeeded: n, Coding: 2 * n, Platform: 3 * n, Timeout: 4 * n, Unknown: 5 * n, Cold: 6 * n, Run: time.Duration(7 * n), CPU: time.Duration(8 * n)}
	}
	after := func(d time.Duration) time.Time { return minute.Add(d) }
	must(t, s.AppendInvocations(ctx, nil, []convoke.Counter{count("a", time.Minute), count("a", 0), count("b", 0)}))
	must(t, s.AppendInvocations(ctx, []convoke.Invocation{newInvocation(1)}, []convoke.Counter{count("a", 0)}))
	must(t, s.AppendInvocations(ctx, nil, []convoke.Counter{count("c", 0), count("c", 0), count("a", 10*time.Minute)}))

	const month = 31 * 24 * time.Hour
	for _, test := range []struct {
		name     string
		function string
		from, to time.Duration
		width    time.Duration
		want     []convoke.Counter
	}{
		{"by minute", "a", 0, time.Hour, time.Minute, []convoke.Counter{times(2, "a", after(0)), times(1, "a", after(time.Minute)), times(1, "a", after(10*time.Minute))}},
		{"twice in one call", "c", 0, time.Hour, time.Minute, []convoke.Counter{times(2, "c", after(0))}},
		{"by five minutes", "a", 0, time.Hour, 5 * time.Minute, []convoke.Counter{times(3, "a", after(0)), times(1, "a", after(10*time.Minute))}},
		{"all functions", "", 0, time.Hour, time.Hour, []convoke.Counter{times(7, "", after(0))}},
		{"all functions, a month", "", 0, month, 5 * time.Minute, []convoke.Counter{times(6, "", after(0)), times(1, "", after(10*time.Minute))}},
		{"to is exclusive", "a", 0, time.Minute, time.Minute, []convoke.Counter{times(2, "a", after(0))}},
		{"from is inclusive", "a", time.Minute, 2 * time.Minute, time.Minute, []convoke.Counter{times(1, "a", after(time.Minute))}},
		{"from cuts a minute", "a", 30 * time.Second, 2 * time.Minute, 10 * time.Second, []convoke.Counter{times(2, "a", after(30*time.Second)), times(1, "a", after(time.Minute))}},
		{"another function", "d", 0, time.Hour, time.Minute, nil},
	} {
		same(t, test.name, get(s.SumCountersByTime(ctx, acct, test.function, after(test.from), after(test.to), test.width))(t), test.want)
	}
	for name, test := range map[string]struct {
		from, to time.Duration
		want     []convoke.Counter
	}{
		"hour":              {0, time.Hour, []convoke.Counter{times(4, "a", after(0)), times(1, "b", after(0)), times(2, "c", after(0))}},
		"month":             {0, month, []convoke.Counter{times(4, "a", after(0)), times(1, "b", after(0)), times(2, "c", after(0))}},
		"to is exclusive":   {0, 10 * time.Minute, []convoke.Counter{times(3, "a", after(0)), times(1, "b", after(0)), times(2, "c", after(0))}},
		"from is inclusive": {time.Minute, time.Hour, []convoke.Counter{times(2, "a", after(time.Minute))}},
		"from cuts":         {90 * time.Second, month, []convoke.Counter{times(2, "a", after(90*time.Second))}},
		"nothing":           {time.Hour, 2 * time.Hour, nil},
	} {
		same(t, "by function, "+name, get(s.SumCountersByFunction(ctx, acct, after(test.from), after(test.to)))(t), test.want)
	}
}
