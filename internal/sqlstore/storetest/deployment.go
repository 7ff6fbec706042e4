package storetest

import (
	"testing"

	"convoke"
)

func testBeginDeployment(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	f, g, h := addFunction(t, s, 1), addFunction(t, s, 2), addFunction(t, s, 3)
	d := newDeployment(f, 1, 1)

	_, err := s.BeginDeployment(ctx, d, 2, stop)
	wantStop(t, err)
	_, err = s.FindDeployment(ctx, acct, d.ID)
	wantCode(t, err, convoke.CodeNotFound)
	same(t, "function after a refusal", get(s.FindFunction(ctx, acct, f.ID))(t), f)

	got := get(s.BeginDeployment(ctx, d, 2, agree))(t)
	want := *f
	want.PendingDeploymentID = d.ID
	same(t, "function returned", got, &want)
	same(t, "function stored", get(s.FindFunction(ctx, acct, f.ID))(t), &want)
	same(t, "deployment", get(s.FindDeployment(ctx, acct, d.ID))(t), d)

	_, err = s.BeginDeployment(ctx, d, 2, agree)
	wantCode(t, err, convoke.CodeConflict)
	get(s.BeginDeployment(ctx, newDeployment(g, 1, 1), 2, agree))(t)
	third := newDeployment(h, 1, 1)
	_, err = s.BeginDeployment(ctx, third, 2, agree)
	wantCode(t, err, convoke.CodeLimitExceeded)
	_, err = s.FindDeployment(ctx, acct, third.ID)
	wantCode(t, err, convoke.CodeNotFound)

	d.State = convoke.DeploymentFailed
	get(s.FinishDeployment(ctx, d, 10, agree))(t)
	get(s.BeginDeployment(ctx, third, 2, agree))(t)

	_, err = s.BeginDeployment(ctx, newDeployment(&convoke.Function{ID: "fn-none", AccountID: acct}, 1, 1), 0, agree)
	wantCode(t, err, convoke.CodeFunctionNotFound)
}

func testFinishDeployment(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	f := addFunction(t, s, 1)
	first := deploy(t, s, f, 1, 1)
	same(t, "live deployment", get(s.FindDeployment(ctx, acct, first.ID))(t), first)

	second := newDeployment(f, 2, 1)
	second.State = convoke.Redeploying
	get(s.BeginDeployment(ctx, second, 0, agree))(t)
	begun := *second
	second.State, second.BundleID, second.UpdatedAt, second.DeployedAt = convoke.DeploymentSuccessful, "b", at(300), at(300)
	_, err := s.FinishDeployment(ctx, second, 10, stop)
	wantStop(t, err)
	same(t, "deployment after a refusal", get(s.FindDeployment(ctx, acct, second.ID))(t), &begun)
	same(t, "live deployment after a refusal", get(s.FindDeployment(ctx, acct, first.ID))(t), first)

	got := get(s.FinishDeployment(ctx, second, 10, func(f *convoke.Function) error {
		if f.PendingDeploymentID != second.ID {
			t.Errorf("change sees pending deployment %q, want %q", f.PendingDeploymentID, second.ID)
		}
		return goLive(second)(f)
	}))(t)
	want := *f
	want.State, want.LiveDeploymentID, want.LiveVersion = convoke.StateProductive, second.ID, 1
	same(t, "function returned", got, &want)
	same(t, "function stored", get(s.FindFunction(ctx, acct, f.ID))(t), &want)
	same(t, "deployment", get(s.FindDeployment(ctx, acct, second.ID))(t), second)
	first.UndeployedAt = at(300)
	same(t, "deployment before", get(s.FindDeployment(ctx, acct, first.ID))(t), first)

	third := newDeployment(f, 3, 1)
	get(s.BeginDeployment(ctx, third, 0, agree))(t)
	third.State, third.ErrorCode, third.ErrorMessage = convoke.DeploymentFailed, convoke.CodeBuildFailed, "line 3 is wrong"
	third.Problems = []convoke.Problem{{File: "index.js", Line: 3, Column: 4, Text: "wrong", LineText: "x y"}}
	third.UpdatedAt = at(400)
	get(s.FinishDeployment(ctx, third, 10, func(f *convoke.Function) error { f.State = convoke.StateBuildError; return nil }))(t)
	same(t, "failed deployment", get(s.FindDeployment(ctx, acct, third.ID))(t), third)
	same(t, "the live one stays live", get(s.FindDeployment(ctx, acct, second.ID))(t), second)

	_, err = s.FinishDeployment(ctx, newDeployment(f, 9, 1), 10, agree)
	wantCode(t, err, convoke.CodeNotFound)
	_, err = s.FinishDeployment(ctx, newDeployment(&convoke.Function{ID: "fn-none", AccountID: acct}, 1, 1), 10, agree)
	wantCode(t, err, convoke.CodeFunctionNotFound)
}

func testEvictDeployments(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	f, g := addFunction(t, s, 1), addFunction(t, s, 2)
	untouched := deploy(t, s, g, 1, 1)
	live := deploy(t, s, f, 1, 1)
	fail := func(n, keep int) {
		t.Helper()
		d := newDeployment(f, n, 1)
		get(s.BeginDeployment(ctx, d, 0, agree))(t)
		d.State = convoke.DeploymentFailed
		get(s.FinishDeployment(ctx, d, keep, agree))(t)
	}
	ids := func() []string {
		t.Helper()
		var got []string
		for _, d := range get(s.ListDeployments(ctx, acct, f.ID))(t) {
			got = append(got, d.ID)
		}
		return got
	}
	for n := 2; n <= 5; n++ {
		fail(n, 3)
	}
	same(t, "deployments", ids(), []string{id("fn", 1) + "-d5", id("fn", 1) + "-d4", live.ID})
	fail(6, 1)
	same(t, "the live and the last stay", ids(), []string{id("fn", 1) + "-d6", live.ID})
	fail(7, 0)
	same(t, "no limit", ids(), []string{id("fn", 1) + "-d7", id("fn", 1) + "-d6", live.ID})
	same(t, "another function's", get(s.ListDeployments(ctx, acct, g.ID))(t), []*convoke.Deployment{untouched})
}

func testListDeployments(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	f, g := addFunction(t, s, 1), addFunction(t, s, 2)
	addFunction(t, s, 3)
	first, other := deploy(t, s, f, 1, 1), deploy(t, s, g, 2, 1)
	// The same time as the one before: the order of arrival decides.
	second := newDeployment(f, 3, 1)
	second.CreatedAt = first.CreatedAt
	get(s.BeginDeployment(ctx, second, 0, agree))(t)
	same(t, "deployments of a function", get(s.ListDeployments(ctx, acct, f.ID))(t), []*convoke.Deployment{second, first})
	same(t, "the newest of each", get(s.ListDeployments(ctx, acct, ""))(t), []*convoke.Deployment{other, second})
	same(t, "deployments of no function", get(s.ListDeployments(ctx, acct, "fn-none"))(t), []*convoke.Deployment{})
}
