package storetest

import (
	"fmt"
	"strings"
	"testing"

	"convoke"
)

func testCreateFunction(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	addAccount(t, s, other)
	f := newFunction(1)
	f.EventID, f.Skills = "surveybot_messaging_survey_ended", []string{"12", "34"}
	f.Description = "ümlaut, \x00 and \xff, 日本"
	v := newVersion(f, 1)
	v.Code = strings.Repeat("// ünïcode 日本\n", 9000)
	must(t, s.CreateFunction(ctx, f, v, 2))
	same(t, "function", get(s.FindFunction(ctx, acct, f.ID))(t), f)
	same(t, "function by name", get(s.FindFunctionByName(ctx, acct, f.Name))(t), f)
	same(t, "version", get(s.FindVersion(ctx, acct, f.ID, 1))(t), v)

	_, err := s.FindFunction(ctx, acct, "fn-none")
	wantCode(t, err, convoke.CodeFunctionNotFound)
	_, err = s.FindFunctionByName(ctx, acct, "none")
	wantCode(t, err, convoke.CodeFunctionNotFound)

	twin := newFunction(2)
	twin.Name = f.Name
	wantCode(t, s.CreateFunction(ctx, twin, newVersion(twin, 1), 0), convoke.CodeConflict)
	_, err = s.FindVersion(ctx, acct, twin.ID, 1)
	wantCode(t, err, convoke.CodeNotFound)
	twin.AccountID = other
	must(t, s.CreateFunction(ctx, twin, newVersion(twin, 1), 0))

	broken := newFunction(3)
	v = newVersion(broken, 1)
	v.FunctionID = "fn-none"
	if err := s.CreateFunction(ctx, broken, v, 0); err == nil {
		t.Error("a version of no function was stored")
	}
	_, err = s.FindFunction(ctx, acct, broken.ID)
	wantCode(t, err, convoke.CodeFunctionNotFound)

	addFunction(t, s, 4)
	fifth := newFunction(5)
	wantCode(t, s.CreateFunction(ctx, fifth, newVersion(fifth, 1), 2), convoke.CodeLimitExceeded)
	fifth.AccountID = "999"
	wantCode(t, s.CreateFunction(ctx, fifth, newVersion(fifth, 1), 0), convoke.CodeNotFound)
}

func testListFunctions(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	var names []string
	for n := 9; n > 0; n-- {
		addFunction(t, s, n, func(f *convoke.Function, _ *convoke.Version) {
			f.EventID = fmt.Sprintf("event%d", n%2)
			f.State = convoke.States[n%3]
		})
		names = append(names, id("name", 10-n))
	}
	listed := func(filter convoke.FunctionFilter) []string {
		t.Helper()
		var got []string
		for _, f := range get(s.ListFunctions(ctx, acct, filter))(t) {
			got = append(got, f.Name)
		}
		return got
	}
	for _, test := range []struct {
		name   string
		filter convoke.FunctionFilter
		want   []string
	}{
		{"all", convoke.FunctionFilter{}, names},
		{"event", convoke.FunctionFilter{EventID: "event0"}, []string{names[1], names[3], names[5], names[7]}},
		{"state", convoke.FunctionFilter{States: []convoke.State{convoke.StateDraft}}, []string{names[2], names[5], names[8]}},
		{"states", convoke.FunctionFilter{States: convoke.States[:2]}, []string{names[0], names[2], names[3], names[5], names[6], names[8]}},
		{"name", convoke.FunctionFilter{Name: names[4]}, names[4:5]},
		{"state and event", convoke.FunctionFilter{EventID: "event0", States: []convoke.State{convoke.StateDraft}}, names[5:6]},
		{"none", convoke.FunctionFilter{EventID: "event0", Name: names[0]}, nil},
		{"no pattern", convoke.FunctionFilter{Name: "name%"}, nil},
	} {
		same(t, test.name, listed(test.filter), test.want)
	}
}

func testUpdateFunction(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	f := addFunction(t, s, 1)
	addFunction(t, s, 2)

	_, err := s.UpdateFunction(ctx, acct, f.ID, func(f *convoke.Function) error {
		f.Description, f.State = "spoilt", convoke.StateModified
		return errStop
	})
	wantStop(t, err)
	same(t, "function after a refusal", get(s.FindFunction(ctx, acct, f.ID))(t), f)

	want := *f
	want.Description, want.Skills, want.State = "new", []string{"7"}, convoke.StateModified
	want.LatestVersion, want.LiveDeploymentID, want.LiveVersion, want.PendingDeploymentID = 3, "dl", 2, "dp"
	want.UpdatedAt, want.UpdatedBy = at(9), "eve"
	got := get(s.UpdateFunction(ctx, acct, f.ID, func(stored *convoke.Function) error {
		same(t, "function given to change", stored, f)
		*stored = want
		return nil
	}))(t)
	same(t, "function returned", got, &want)
	same(t, "function stored", get(s.FindFunction(ctx, acct, f.ID))(t), &want)

	_, err = s.UpdateFunction(ctx, acct, f.ID, func(f *convoke.Function) error { f.Name = id("name", 2); return nil })
	wantCode(t, err, convoke.CodeConflict)
	_, err = s.UpdateFunction(ctx, acct, "fn-none", agree)
	wantCode(t, err, convoke.CodeFunctionNotFound)

	live := addFunction(t, s, 3)
	d := deploy(t, s, live, 1, 1)
	get(s.UpdateFunction(ctx, acct, live.ID, func(f *convoke.Function) error { f.LiveDeploymentID = ""; return nil }))(t)
	if get(s.FindDeployment(ctx, acct, d.ID))(t).UndeployedAt.IsZero() {
		t.Error("an undeployed deployment has no UndeployedAt")
	}
}

func testDeleteFunction(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	f := addFunction(t, s, 1)
	d := deploy(t, s, f, 1, 1)
	kept := addFunction(t, s, 2)

	wantStop(t, s.DeleteFunction(ctx, acct, f.ID, func(f *convoke.Function) error {
		if f.LiveDeploymentID != d.ID {
			t.Errorf("check got live deployment %q, want %q", f.LiveDeploymentID, d.ID)
		}
		return errStop
	}))
	get(s.FindVersion(ctx, acct, f.ID, 1))(t)

	must(t, s.DeleteFunction(ctx, acct, f.ID, agree))
	_, err := s.FindFunction(ctx, acct, f.ID)
	wantCode(t, err, convoke.CodeFunctionNotFound)
	_, err = s.FindVersion(ctx, acct, f.ID, 1)
	wantCode(t, err, convoke.CodeNotFound)
	_, err = s.FindDeployment(ctx, acct, d.ID)
	wantCode(t, err, convoke.CodeNotFound)
	_, err = s.FindLive(ctx, acct, f.ID)
	wantCode(t, err, convoke.CodeFunctionNotFound)
	wantCode(t, s.DeleteFunction(ctx, acct, f.ID, agree), convoke.CodeFunctionNotFound)
	same(t, "the other function", get(s.FindFunction(ctx, acct, kept.ID))(t), kept)

	again := newFunction(3)
	again.Name = f.Name
	must(t, s.CreateFunction(ctx, again, newVersion(again, 1), 2))
}

func testBusyFunctions(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	addAccount(t, s, other)
	quiet := addFunction(t, s, 1)
	deploy(t, s, quiet, 1, 1)
	pending := addFunction(t, s, 2)
	get(s.BeginDeployment(ctx, newDeployment(pending, 1, 1), 0, agree))(t)
	marked := addFunction(t, s, 3, func(f *convoke.Function, v *convoke.Version) { f.AccountID, v.AccountID = other, other })
	deploy(t, s, marked, 1, 1)
	get(s.UpdateFunction(ctx, other, marked.ID, func(f *convoke.Function) error { f.State = convoke.StateMarkedUndeployed; return nil }))(t)

	var got []string
	for _, f := range get(s.ListBusyFunctions(ctx))(t) {
		got = append(got, f.ID)
	}
	same(t, "busy functions", got, []string{pending.ID, marked.ID})

	total, deployed, err := s.CountFunctions(ctx, acct)
	must(t, err)
	same(t, "counts", []int{total, deployed}, []int{2, 1})
	total, deployed, err = s.CountFunctions(ctx, other)
	must(t, err)
	same(t, "counts of a marked one", []int{total, deployed}, []int{1, 0})
}
