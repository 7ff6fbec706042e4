package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"convoke"
)

// newCalls are calls in order of time.
func newCalls(count int) []convoke.Call {
	calls := make([]convoke.Call, count)
	for n := range calls {
		calls[n] = convoke.Call{
			AccountID: acct, FunctionID: "fn", Version: 3, RequestID: id("req", n), At: at(n), Host: "api.example.com", Port: 443,
			Method: "GET", Status: 200, Sent: 5 << 30, Received: 6, Took: 7 * time.Microsecond, Outcome: convoke.CallOK,
		}
	}
	return calls
}

func testCalls(t *testing.T, s Store) {
	ctx := t.Context()
	must(t, s.AppendCalls(ctx, nil))
	same(t, "no calls", get(s.ListCalls(ctx, acct, convoke.CallFilter{}))(t), []convoke.Call{})

	calls := newCalls(63) // more than a statement takes, and not a multiple
	calls[7].Outcome, calls[7].Method, calls[7].Status, calls[7].Detail = convoke.CallRefused, "", 0, "ünï \n 日本"
	must(t, s.AppendCalls(ctx, calls))
	for i := 1; i < len(calls); i++ {
		if calls[i].ID <= calls[i-1].ID || calls[0].ID <= 0 {
			t.Fatalf("call %d has id %d after %d", i, calls[i].ID, calls[i-1].ID)
		}
	}
	want := slices.Clone(calls)
	slices.Reverse(want)
	same(t, "newest first", get(s.ListCalls(ctx, acct, convoke.CallFilter{}))(t), want)
	same(t, "limited", get(s.ListCalls(ctx, acct, convoke.CallFilter{Limit: 5}))(t), want[:5])
	same(t, "next page", get(s.ListCalls(ctx, acct, convoke.CallFilter{Limit: 5, Before: want[4].ID}))(t), want[5:10])

	must(t, s.AppendCalls(ctx, newCalls(1000)))
	for _, limit := range []int{0, -1, 5000} {
		same(t, fmt.Sprintf("limit %d", limit), len(get(s.ListCalls(ctx, acct, convoke.CallFilter{Limit: limit}))(t)), 1000)
	}
}

func testCallFilters(t *testing.T, s Store) {
	ctx := t.Context()
	calls := newCalls(9)
	outcomes := []convoke.CallOutcome{convoke.CallOK, convoke.CallRefused, convoke.CallFailed}
	for i := range calls {
		calls[i].FunctionID, calls[i].RequestID, calls[i].Outcome = id("fn", i%2), id("req", i/3), outcomes[i%3]
	}
	calls[4].Host = "other.example.com"
	calls[8].RequestID = ""
	must(t, s.AppendCalls(ctx, calls))
	for name, test := range map[string]struct {
		filter convoke.CallFilter
		want   []int // newest first
	}{
		"function":              {convoke.CallFilter{FunctionID: id("fn", 1)}, []int{7, 5, 3, 1}},
		"request":               {convoke.CallFilter{RequestID: id("req", 2)}, []int{7, 6}},
		"request of a function": {convoke.CallFilter{RequestID: id("req", 1), FunctionID: id("fn", 1)}, []int{5, 3}},
		"host":                  {convoke.CallFilter{Host: "other.example.com"}, []int{4}},
		"outcome":               {convoke.CallFilter{Outcomes: outcomes[1:2]}, []int{7, 4, 1}},
		"outcomes":              {convoke.CallFilter{Outcomes: outcomes[1:]}, []int{8, 7, 5, 4, 2, 1}},
		"from":                  {convoke.CallFilter{From: at(7)}, []int{8, 7}},
		"to":                    {convoke.CallFilter{To: at(2)}, []int{1, 0}},
		"before":                {convoke.CallFilter{Before: calls[2].ID}, []int{1, 0}},
		"before, of a function": {convoke.CallFilter{Before: calls[5].ID, FunctionID: id("fn", 1)}, []int{3, 1}},
		"all at once": {convoke.CallFilter{FunctionID: id("fn", 0), RequestID: id("req", 1), Host: "other.example.com", Outcomes: outcomes[:2],
			From: at(4), To: at(5), Before: calls[5].ID, Limit: 1}, []int{4}},
		"none": {convoke.CallFilter{FunctionID: "fn-none"}, nil},
	} {
		want := []convoke.Call{}
		for _, i := range test.want {
			want = append(want, calls[i])
		}
		same(t, name, get(s.ListCalls(ctx, acct, test.filter))(t), want)
	}
}

func testDeleteCallsBefore(t *testing.T, s Store) {
	ctx := t.Context()
	// Newest first: neither the order of arrival nor that of ids helps.
	calls := newCalls(6)
	slices.Reverse(calls)
	must(t, s.AppendCalls(ctx, calls))
	for _, step := range []struct{ before, limit, removed, left int }{
		{0, 100, 0, 6},
		{4, -1, 0, 6},
		{4, 3, 3, 3},
		{4, 3, 1, 2},
		{4, 3, 0, 2},
	} {
		removed := get(s.DeleteLogsBefore(ctx, at(step.before), step.limit))(t)
		left := len(get(s.ListCalls(ctx, acct, convoke.CallFilter{}))(t))
		same(t, fmt.Sprintf("removed and left in %+v", step), []int{removed, left}, []int{step.removed, step.left})
	}
	same(t, "the newest", get(s.ListCalls(ctx, acct, convoke.CallFilter{Limit: 1, From: at(5)}))(t), calls[:1])
	get(s.DeleteLogsBefore(ctx, at(100), 100))(t)
	again := newCalls(1)
	must(t, s.AppendCalls(ctx, again))
	if again[0].ID <= calls[5].ID {
		t.Errorf("id %d was given after %d", again[0].ID, calls[5].ID)
	}
}
