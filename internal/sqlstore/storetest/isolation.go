package storetest

import (
	"testing"
	"time"

	"convoke"
)

// testIsolation asks every method that takes an account for another one's things.
func testIsolation(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	addAccount(t, s, other)
	f := addFunction(t, s, 1, func(f *convoke.Function, _ *convoke.Version) { f.EventID = "event" })
	d := deploy(t, s, f, 1, 1)
	must(t, s.AppendLogs(ctx, newLogs(3)))
	record := newInvocation(1)
	minute := at(0).Truncate(time.Minute)
	must(t, s.AppendInvocations(ctx, []convoke.Invocation{record}, []convoke.Counter{{AccountID: acct, FunctionID: "fn", Minute: minute, Succeeded: 1}}))
	domain := newDomain(1, "api.example.com", 0)
	must(t, s.CreateDomain(ctx, domain, 0))
	must(t, s.AppendCalls(ctx, newCalls(1)))
	before := get(s.FindFunction(ctx, acct, f.ID))(t)

	foreign := *f
	foreign.AccountID = other
	refuse := func(*convoke.Function) error {
		t.Error("a callback was given another account's function")
		return nil
	}
	for name, try := range map[string]func() error{
		"FindFunction":       func() error { _, err := s.FindFunction(ctx, other, f.ID); return err },
		"FindFunctionByName": func() error { _, err := s.FindFunctionByName(ctx, other, f.Name); return err },
		"UpdateFunction":     func() error { _, err := s.UpdateFunction(ctx, other, f.ID, refuse); return err },
		"DeleteFunction":     func() error { return s.DeleteFunction(ctx, other, f.ID, refuse) },
		"SaveVersion":        func() error { _, err := s.SaveVersion(ctx, newVersion(&foreign, 2), 1, refuse); return err },
		"FindVersion":        func() error { _, err := s.FindVersion(ctx, other, f.ID, 1); return err },
		"BeginDeployment":    func() error { _, err := s.BeginDeployment(ctx, newDeployment(&foreign, 2, 1), 0, refuse); return err },
		"FinishDeployment":   func() error { _, err := s.FinishDeployment(ctx, newDeployment(&foreign, 1, 1), 1, refuse); return err },
		"FindDeployment":     func() error { _, err := s.FindDeployment(ctx, other, d.ID); return err },
		"FindBundle":         func() error { _, err := s.FindBundle(ctx, other, d.BundleID); return err },
		"FindLive":           func() error { _, err := s.FindLive(ctx, other, f.ID); return err },
		"RemoveDomain":       func() error { _, err := s.RemoveDomain(ctx, other, domain.ID); return err },
	} {
		switch convoke.ErrorCode(try()) {
		case convoke.CodeNotFound, convoke.CodeFunctionNotFound:
		default:
			t.Errorf("%s finds another account's: %v", name, try())
		}
	}
	same(t, "ListFunctions", get(s.ListFunctions(ctx, other, convoke.FunctionFilter{}))(t), []*convoke.Function{})
	same(t, "ListVersions", get(s.ListVersions(ctx, other, f.ID))(t), []*convoke.Version{})
	same(t, "ListDeployments", get(s.ListDeployments(ctx, other, f.ID))(t), []*convoke.Deployment{})
	same(t, "ListDeployments of all", get(s.ListDeployments(ctx, other, ""))(t), []*convoke.Deployment{})
	same(t, "ListLiveByEvent", get(s.ListLiveByEvent(ctx, other, "event"))(t), []*convoke.Live{})
	same(t, "QueryLogs", get(s.QueryLogs(ctx, other, convoke.LogFilter{}))(t), []convoke.LogEntry{})
	same(t, "QueryLogs of a function", get(s.QueryLogs(ctx, other, convoke.LogFilter{FunctionID: "fn"}))(t), []convoke.LogEntry{})
	same(t, "QueryLogs of a request", get(s.QueryLogs(ctx, other, convoke.LogFilter{RequestID: id("req", 1)}))(t), []convoke.LogEntry{})
	same(t, "QueryInvocations", get(s.QueryInvocations(ctx, other, convoke.InvocationFilter{FunctionID: "fn"}))(t), []convoke.Invocation{})
	same(t, "QueryInvocations of a request", get(s.QueryInvocations(ctx, other, convoke.InvocationFilter{FunctionID: "fn", RequestID: record.RequestID}))(t), []convoke.Invocation{})
	same(t, "SumCountersByTime", get(s.SumCountersByTime(ctx, other, "fn", minute, at(100), time.Minute))(t), []convoke.Counter{})
	same(t, "SumCountersByTime of all", get(s.SumCountersByTime(ctx, other, "", minute, at(100), time.Minute))(t), []convoke.Counter{})
	same(t, "SumCountersByFunction", get(s.SumCountersByFunction(ctx, other, minute, at(100)))(t), []convoke.Counter{})
	same(t, "ListDomains", get(s.ListDomains(ctx, other))(t), []*convoke.Domain{})
	for name, f := range map[string]convoke.CallFilter{"all": {}, "a function": {FunctionID: "fn"}, "a request": {RequestID: id("req", 0)}} {
		same(t, "ListCalls of "+name, get(s.ListCalls(ctx, other, f))(t), []convoke.Call{})
	}
	total, deployed, err := s.CountFunctions(ctx, other)
	must(t, err)
	same(t, "CountFunctions", []int{total, deployed}, []int{0, 0})
	same(t, "the function", get(s.FindFunction(ctx, acct, f.ID))(t), before)

	// The same ids in both accounts are different things.
	must(t, s.CreateFunction(ctx, &foreign, newVersion(&foreign, 1), 0))
	deploy(t, s, &foreign, 1, 1)
	must(t, s.DeleteFunction(ctx, other, f.ID, agree))
	same(t, "the function after its twin went", get(s.FindFunction(ctx, acct, f.ID))(t), before)
	get(s.FindLive(ctx, acct, f.ID))(t)
}
