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
	double := func(c convoke.Counter) convoke.Counter {
		return convoke.Counter{AccountID: c.AccountID, FunctionID: c.FunctionID, Minute: c.Minute,
			Succeeded: 2, Coding: 4, Platform: 6, Timeout: 8, Unknown: 10, Cold: 12, Run: 14, CPU: 16}
	}
	a0, a1, b0 := count("a", 0), count("a", time.Minute), count("b", 0)
	must(t, s.AppendInvocations(ctx, nil, []convoke.Counter{a1, a0, b0}))
	must(t, s.AppendInvocations(ctx, []convoke.Invocation{newInvocation(1)}, []convoke.Counter{a0}))
	same(t, "added", get(s.QueryCounters(ctx, acct, "a", minute, minute.Add(time.Hour)))(t), []convoke.Counter{double(a0), a1})
	must(t, s.AppendInvocations(ctx, nil, []convoke.Counter{count("c", 0), count("c", 0)}))
	same(t, "twice in one call", get(s.QueryCounters(ctx, acct, "c", minute, minute.Add(time.Hour)))(t), []convoke.Counter{double(count("c", 0))})

	same(t, "all functions", get(s.QueryCounters(ctx, acct, "", minute, minute.Add(time.Hour)))(t),
		[]convoke.Counter{double(a0), b0, double(count("c", 0)), a1})
	same(t, "to is exclusive", get(s.QueryCounters(ctx, acct, "a", minute, minute.Add(time.Minute)))(t), []convoke.Counter{double(a0)})
	same(t, "from is inclusive", get(s.QueryCounters(ctx, acct, "a", minute.Add(time.Minute), minute.Add(time.Hour)))(t), []convoke.Counter{a1})
}
