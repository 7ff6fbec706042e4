package storetest

import (
	"fmt"
	"testing"

	"convoke"
)

func testBundles(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	addAccount(t, s, other)
	b := &convoke.Bundle{ID: "b1", AccountID: acct, Format: "cjs", Contract: convoke.ContractV1,
		Code: []byte("code\x00\xff"), SourceMap: []byte("{}"), CreatedAt: at(1)}
	must(t, s.PutBundle(ctx, b))
	same(t, "bundle", get(s.FindBundle(ctx, acct, "b1"))(t), b)
	_, err := s.FindBundle(ctx, acct, "b2")
	wantCode(t, err, convoke.CodeNotFound)
	_, err = s.FindBundle(ctx, other, "b1")
	wantCode(t, err, convoke.CodeNotFound)

	again := *b
	again.Code, again.CreatedAt = []byte("other code"), at(2)
	must(t, s.PutBundle(ctx, &again))
	same(t, "bundle put twice", get(s.FindBundle(ctx, acct, "b1"))(t), b)

	again.CodeCache, again.CacheRuntime = []byte("cache"), "26.1.0"
	must(t, s.PutBundle(ctx, &again))
	b.CodeCache, b.CacheRuntime = again.CodeCache, again.CacheRuntime
	same(t, "bundle with a cache", get(s.FindBundle(ctx, acct, "b1"))(t), b)

	again.CodeCache, again.CacheRuntime = nil, ""
	must(t, s.PutBundle(ctx, &again))
	same(t, "no cache takes none away", get(s.FindBundle(ctx, acct, "b1"))(t), b)

	again.CodeCache, again.CacheRuntime = []byte("newer"), "26.2.0"
	must(t, s.PutBundle(ctx, &again))
	b.CodeCache, b.CacheRuntime = again.CodeCache, again.CacheRuntime
	same(t, "bundle with a newer cache", get(s.FindBundle(ctx, acct, "b1"))(t), b)

	wantCode(t, s.PutBundle(ctx, &convoke.Bundle{ID: "b1", AccountID: "999"}), convoke.CodeNotFound)
}

func testFindLive(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	addAccount(t, s, other)
	f := addFunction(t, s, 1, func(f *convoke.Function, v *convoke.Version) { f.Skills, v.Contract = []string{"1"}, "" })
	_, err := s.FindLive(ctx, acct, f.ID)
	wantCode(t, err, convoke.CodeFunctionNotFound)
	_, err = s.FindLive(ctx, acct, "fn-none")
	wantCode(t, err, convoke.CodeFunctionNotFound)

	d := deploy(t, s, f, 1, 1)
	get(s.SaveVersion(ctx, newVersion(f, 2), 10, agree))(t)
	v := newVersion(f, 1)
	v.Contract, v.Code, v.Files = "", "", nil
	want := &convoke.Live{Function: get(s.FindFunction(ctx, acct, f.ID))(t), Version: v, Deployment: d, Contract: convoke.ContractV1}
	same(t, "live", get(s.FindLive(ctx, acct, f.ID))(t), want)
	_, err = s.FindLive(ctx, other, f.ID)
	wantCode(t, err, convoke.CodeFunctionNotFound)

	setState := func(state convoke.State) {
		t.Helper()
		get(s.UpdateFunction(ctx, acct, f.ID, func(f *convoke.Function) error { f.State = state; return nil }))(t)
	}
	for _, state := range convoke.States {
		setState(state)
		_, err = s.FindLive(ctx, acct, f.ID)
		if state == convoke.StateMarkedUndeployed {
			wantCode(t, err, convoke.CodeFunctionNotFound)
		} else {
			must(t, err)
		}
	}
}

func testListLiveByEvent(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	for n := 6; n > 0; n-- {
		f := addFunction(t, s, n, func(f *convoke.Function, _ *convoke.Version) { f.EventID = fmt.Sprintf("event%d", n%2) })
		if n > 2 {
			deploy(t, s, f, 1, 1)
		}
	}
	names := func(lives []*convoke.Live) []string {
		got := []string{}
		for _, l := range lives {
			same(t, "parts of "+l.Function.ID, []string{l.Version.FunctionID, l.Deployment.FunctionID}, []string{l.Function.ID, l.Function.ID})
			got = append(got, l.Function.Name)
		}
		return got
	}
	same(t, "live of event0", names(get(s.ListLiveByEvent(ctx, acct, "event0"))(t)), []string{id("name", 4), id("name", 6)})
	same(t, "live of event1", names(get(s.ListLiveByEvent(ctx, acct, "event1"))(t)), []string{id("name", 3), id("name", 5)})
	same(t, "live of no event", names(get(s.ListLiveByEvent(ctx, acct, "event2"))(t)), []string{})
	same(t, "live of another account", names(get(s.ListLiveByEvent(ctx, other, "event0"))(t)), []string{})
}

func testListLiveWithMinInstances(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	addAccount(t, s, other)
	warm := func(n, min int, account string) *convoke.Function {
		return addFunction(t, s, n, func(f *convoke.Function, v *convoke.Version) {
			f.AccountID, v.AccountID, v.Settings.MinInstances = account, account, min
		})
	}
	deploy(t, s, warm(1, 0, acct), 1, 1)
	deploy(t, s, warm(2, 1, other), 1, 1)
	deploy(t, s, warm(3, 2, acct), 1, 1)
	warm(4, 3, acct)

	var got []string
	for _, l := range get(s.ListLiveWithMinInstances(ctx))(t) {
		got = append(got, fmt.Sprint(l.Function.ID, " ", l.Version.Settings.MinInstances))
	}
	same(t, "kept warm", got, []string{id("fn", 3) + " 2", id("fn", 2) + " 1"})
}
