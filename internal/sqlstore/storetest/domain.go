package storetest

import (
	"fmt"
	"sync"
	"testing"

	"convoke"
)

func newDomain(n int, name string, port int) *convoke.Domain {
	return &convoke.Domain{ID: id("domain", n), AccountID: acct, Name: name, Port: port, CreatedAt: at(n), CreatedBy: "ann"}
}

func testDomains(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	addAccount(t, s, other)
	same(t, "no domains", get(s.ListDomains(ctx, acct))(t), []*convoke.Domain{})

	wild := newDomain(1, "*.example.com", 0)
	plain := newDomain(2, "api.example.com", 0)
	high := newDomain(3, "api.example.com", 8443)
	for _, d := range []*convoke.Domain{high, plain, wild} {
		must(t, s.CreateDomain(ctx, d, 0))
	}
	same(t, "in order of name and port", get(s.ListDomains(ctx, acct))(t), []*convoke.Domain{wild, plain, high})

	for what, d := range map[string]*convoke.Domain{
		"name and port": newDomain(9, "api.example.com", 8443),
		"id":            newDomain(1, "www.example.com", 0),
	} {
		err := s.CreateDomain(ctx, d, 0)
		if got := convoke.ErrorCode(err); got != convoke.CodeConflict {
			t.Errorf("the same %s again: got error %v", what, err)
		}
	}
	theirs := newDomain(1, "api.example.com", 0)
	theirs.AccountID = other
	must(t, s.CreateDomain(ctx, theirs, 0))
	nowhere := newDomain(9, "a.example.com", 0)
	nowhere.AccountID = "999"
	wantCode(t, s.CreateDomain(ctx, nowhere, 0), convoke.CodeNotFound)

	same(t, "what was removed", get(s.RemoveDomain(ctx, acct, plain.ID))(t), plain)
	_, err := s.RemoveDomain(ctx, acct, plain.ID)
	wantCode(t, err, convoke.CodeNotFound)
	same(t, "what is left", get(s.ListDomains(ctx, acct))(t), []*convoke.Domain{wild, high})
	same(t, "of the other account", get(s.ListDomains(ctx, other))(t), []*convoke.Domain{theirs})
	must(t, s.CreateDomain(ctx, plain, 0))
}

func testDomainLimit(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	const limit, tries = 3, 8
	var wg sync.WaitGroup
	errs := make([]error, tries)
	for n := range tries {
		wg.Go(func() { errs[n] = s.CreateDomain(ctx, newDomain(n, fmt.Sprintf("d%d.example.com", n), 0), limit) })
	}
	wg.Wait()
	stored := get(s.ListDomains(ctx, acct))(t)
	refused := 0
	for _, err := range errs {
		if err != nil {
			wantCode(t, err, convoke.CodeLimitExceeded)
			refused++
		}
	}
	same(t, "stored and refused", []int{len(stored), refused}, []int{limit, tries - limit})

	// That it is there is worth more than that there is no room.
	wantCode(t, s.CreateDomain(ctx, newDomain(99, stored[0].Name, 0), limit), convoke.CodeConflict)
	get(s.RemoveDomain(ctx, acct, stored[0].ID))(t)
	must(t, s.CreateDomain(ctx, newDomain(99, "new.example.com", 0), limit))
}

// testVersionDomains tells apart a version that does not narrow and one that
// may call nothing.
func testVersionDomains(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	for n, want := range [][]string{nil, {}, {"api.example.com", "*.example.com:8443"}} {
		f := addFunction(t, s, n, func(_ *convoke.Function, v *convoke.Version) { v.Domains = want })
		deploy(t, s, f, 1, 1)
		for what, v := range map[string]*convoke.Version{
			"FindVersion":  get(s.FindVersion(ctx, acct, f.ID, 1))(t),
			"ListVersions": get(s.ListVersions(ctx, acct, f.ID))(t)[0],
			"FindLive":     get(s.FindLive(ctx, acct, f.ID))(t).Version,
		} {
			same(t, what, v.Domains, want)
			if (v.Domains == nil) != (want == nil) {
				t.Errorf("%s has domains %#v, want %#v", what, v.Domains, want)
			}
		}
	}
}
