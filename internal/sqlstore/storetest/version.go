package storetest

import (
	"testing"

	"convoke"
)

func testSaveVersion(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	f := addFunction(t, s, 1)
	first := newVersion(f, 1)

	second := newVersion(f, 2)
	second.Contract, second.Language, second.Runtime = "", convoke.TypeScript, ""
	second.Files, second.Environment, second.Settings = nil, nil, convoke.Settings{}
	_, err := s.SaveVersion(ctx, second, 10, stop)
	wantStop(t, err)
	_, err = s.FindVersion(ctx, acct, f.ID, 2)
	wantCode(t, err, convoke.CodeNotFound)
	same(t, "function after a refusal", get(s.FindFunction(ctx, acct, f.ID))(t), f)

	got := get(s.SaveVersion(ctx, second, 10, func(f *convoke.Function) error {
		if f.LatestVersion != 2 {
			t.Errorf("change sees latest version %d, want 2", f.LatestVersion)
		}
		f.State = convoke.StateModified
		return nil
	}))(t)
	want := *f
	want.LatestVersion, want.State = 2, convoke.StateModified
	same(t, "function returned", got, &want)
	same(t, "function stored", get(s.FindFunction(ctx, acct, f.ID))(t), &want)
	same(t, "versions", get(s.ListVersions(ctx, acct, f.ID))(t), []*convoke.Version{second, first})

	for _, number := range []int{0, 1, 2, 4, -1} {
		v := newVersion(f, number)
		v.ID = "new"
		_, err := s.SaveVersion(ctx, v, 10, agree)
		wantCode(t, err, convoke.CodeRevision)
	}
	same(t, "versions after refusals", get(s.ListVersions(ctx, acct, f.ID))(t), []*convoke.Version{second, first})

	v := newVersion(&convoke.Function{ID: "fn-none", AccountID: acct}, 2)
	_, err = s.SaveVersion(ctx, v, 10, agree)
	wantCode(t, err, convoke.CodeFunctionNotFound)
	same(t, "versions of no function", get(s.ListVersions(ctx, acct, "fn-none"))(t), []*convoke.Version{})
}

func testFillVersion(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	f := addFunction(t, s, 1, func(_ *convoke.Function, v *convoke.Version) { v.Code = "" })
	empty := get(s.FindVersion(ctx, acct, f.ID, 1))(t)

	full := newVersion(f, 1)
	full.ID, full.CreatedBy = "filled", "bob"
	_, err := s.SaveVersion(ctx, full, 10, stop)
	wantStop(t, err)
	same(t, "empty version after a refusal", get(s.FindVersion(ctx, acct, f.ID, 1))(t), empty)

	got := get(s.SaveVersion(ctx, full, 10, agree))(t)
	same(t, "latest version", got.LatestVersion, 1)
	same(t, "versions", get(s.ListVersions(ctx, acct, f.ID))(t), []*convoke.Version{full})

	again := newVersion(f, 1)
	_, err = s.SaveVersion(ctx, again, 10, agree)
	wantCode(t, err, convoke.CodeRevision)
}

func testEvictVersions(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	f := addFunction(t, s, 1)
	save := func(f *convoke.Function, number, keep int) {
		t.Helper()
		get(s.SaveVersion(ctx, newVersion(f, number), keep, agree))(t)
	}
	numbers := func(f *convoke.Function) []int {
		t.Helper()
		var got []int
		for _, v := range get(s.ListVersions(ctx, acct, f.ID))(t) {
			got = append(got, v.Number)
		}
		return got
	}
	for n := 2; n <= 4; n++ {
		save(f, n, 3)
	}
	same(t, "oldest first", numbers(f), []int{4, 3, 2})
	deploy(t, s, f, 1, 2)
	save(f, 5, 3)
	same(t, "the live one stays", numbers(f), []int{5, 4, 2})
	get(s.BeginDeployment(ctx, newDeployment(f, 2, 4), 0, agree))(t)
	save(f, 6, 3)
	same(t, "the pending one stays", numbers(f), []int{6, 4, 2})
	save(f, 7, 3)
	same(t, "nothing else to evict", numbers(f), []int{7, 4, 2})
	save(f, 8, 1)
	same(t, "the newest stays", numbers(f), []int{8, 4, 2})
	save(f, 9, 0)
	same(t, "no limit", numbers(f), []int{9, 8, 4, 2})

	imported := addFunction(t, s, 2, func(f *convoke.Function, v *convoke.Version) {
		f.LatestVersion, v.Number, v.ID = 0, 0, "imported"
	})
	for n := 1; n <= 3; n++ {
		save(imported, n, 2)
	}
	same(t, "version 0 stays", numbers(imported), []int{3, 0})
}
