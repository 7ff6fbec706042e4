package storetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"convoke"
)

func newClient(n int) *convoke.Client {
	return &convoke.Client{
		ID: id("client", n), AccountID: acct, Name: id("app", n),
		Secrets: []convoke.ClientSecret{
			{Hash: []byte{1, 2, 3}, CreatedAt: at(n)},
			{Hash: []byte{4}, CreatedAt: at(n - 1), ExpiresAt: at(n + 9)},
		},
		GrantTypes: convoke.GrantTypes, Scopes: []convoke.Scope{convoke.ScopeInvoke, convoke.ScopeOpenID},
		RedirectURIs: []string{"https://app.example.com/cb"}, InvocationsPerSecond: n, CreatedAt: at(n), CreatedBy: "ann", UpdatedAt: at(n + 1), UpdatedBy: "bob",
	}
}

func testClients(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	addAccount(t, s, other)
	second, first := newClient(2), newClient(1)
	must(t, s.CreateClient(ctx, second))
	must(t, s.CreateClient(ctx, first))
	bare := &convoke.Client{ID: "bare", AccountID: other, Name: first.Name, Public: true, Disabled: true} // the same name elsewhere
	must(t, s.CreateClient(ctx, bare))

	same(t, "client", get(s.FindClient(ctx, first.ID))(t), first)
	same(t, "a client without anything", get(s.FindClient(ctx, "bare"))(t), bare)
	same(t, "clients", get(s.ListClients(ctx, acct))(t), []*convoke.Client{first, second})
	same(t, "clients of another account", get(s.ListClients(ctx, other))(t), []*convoke.Client{bare})

	_, err := s.FindClient(ctx, "none")
	wantCode(t, err, convoke.CodeNotFound)
	taken := newClient(3)
	taken.Name = first.Name
	wantCode(t, s.CreateClient(ctx, taken), convoke.CodeConflict)
	taken.Name, taken.ID = "free", first.ID
	wantCode(t, s.CreateClient(ctx, taken), convoke.CodeConflict)
	taken.ID, taken.AccountID = "lost", "999"
	wantCode(t, s.CreateClient(ctx, taken), convoke.CodeNotFound)

	change := func(c *convoke.Client) error {
		c.Name, c.Disabled, c.Secrets = "renamed", true, c.Secrets[:1]
		c.GrantTypes, c.Scopes, c.RedirectURIs, c.InvocationsPerSecond = convoke.GrantTypes[:1], c.Scopes[:1], nil, 70
		c.UpdatedAt, c.UpdatedBy = at(7), "cid"
		c.ID, c.AccountID = "another", other // not for change to decide
		return nil
	}
	want := newClient(1)
	must(t, change(want))
	want.ID, want.AccountID = first.ID, acct
	same(t, "changed client", get(s.UpdateClient(ctx, acct, first.ID, change))(t), want)
	same(t, "changed client as stored", get(s.FindClient(ctx, first.ID))(t), want)
	_, err = s.UpdateClient(ctx, acct, first.ID, func(c *convoke.Client) error { c.Name = "lost"; return errStop })
	wantStop(t, err)
	_, err = s.UpdateClient(ctx, acct, first.ID, func(c *convoke.Client) error { c.Name = second.Name; return nil })
	wantCode(t, err, convoke.CodeConflict)
	_, err = s.UpdateClient(ctx, other, first.ID, func(*convoke.Client) error { t.Error("another account's client"); return nil })
	wantCode(t, err, convoke.CodeNotFound)
	same(t, "client after refused changes", get(s.FindClient(ctx, first.ID))(t), want)

	minute := at(0).Truncate(time.Minute)
	must(t, s.TouchClient(ctx, "none", minute))
	for _, touch := range []struct{ at, want time.Time }{
		{minute.Add(59 * time.Second), minute}, {minute.Add(61 * time.Second), minute.Add(time.Minute)}, {minute, minute.Add(time.Minute)},
	} {
		must(t, s.TouchClient(ctx, first.ID, touch.at))
		want.LastUsedAt = touch.want
		same(t, "touched client", get(s.FindClient(ctx, first.ID))(t), want)
	}

	must(t, s.CreateGrant(ctx, newGrant(first, 1)))
	wantCode(t, s.RemoveClient(ctx, other, first.ID), convoke.CodeNotFound)
	must(t, s.RemoveClient(ctx, acct, first.ID))
	wantCode(t, s.RemoveClient(ctx, acct, first.ID), convoke.CodeNotFound)
	_, err = s.FindGrant(ctx, id("grant", 1))
	wantCode(t, err, convoke.CodeNotFound)
	same(t, "the other client", get(s.FindClient(ctx, second.ID))(t), second)
}

func newGrant(c *convoke.Client, n int) *convoke.Grant {
	return &convoke.Grant{
		ID: id("grant", n), AccountID: c.AccountID, ClientID: c.ID, UserID: "ann", Scopes: c.Scopes,
		CodeHash: []byte{1}, CodeExpiresAt: at(n + 60), RedirectURI: "https://app.example.com/cb", RedirectGiven: true,
		Challenge: "challenge", Nonce: "nonce", From: "192.0.2.7", CreatedAt: at(n), ExpiresAt: at(n + 100),
	}
}

func testGrants(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	c := newClient(1)
	must(t, s.CreateClient(ctx, c))
	g := newGrant(c, 1)
	must(t, s.CreateGrant(ctx, g))
	same(t, "grant", get(s.FindGrant(ctx, g.ID))(t), g)

	wantCode(t, s.CreateGrant(ctx, g), convoke.CodeConflict)
	orphan := newGrant(c, 2)
	orphan.ClientID = "none"
	wantCode(t, s.CreateGrant(ctx, orphan), convoke.CodeNotFound)

	change := func(g *convoke.Grant) error {
		g.CodeUsedAt, g.RefreshHash, g.KeyThumbprint, g.LastUsedAt, g.RevokedAt = at(5), []byte{7, 8}, "key", at(5), at(6)
		return nil
	}
	changed := get(s.UpdateGrant(ctx, g.ID, change))(t)
	must(t, change(g))
	same(t, "changed grant", changed, g)
	same(t, "changed grant as stored", get(s.FindGrant(ctx, g.ID))(t), g)
	_, err := s.UpdateGrant(ctx, g.ID, func(g *convoke.Grant) error { g.RefreshHash = nil; return errStop })
	wantStop(t, err)
	_, err = s.UpdateGrant(ctx, "none", change)
	wantCode(t, err, convoke.CodeNotFound)
	same(t, "grant after refused changes", get(s.FindGrant(ctx, g.ID))(t), g)

	for n := 2; n <= 5; n++ {
		must(t, s.CreateGrant(ctx, newGrant(c, n)))
	}
	bobs := newGrant(c, 6)
	bobs.UserID = "bob"
	must(t, s.CreateGrant(ctx, bobs))
	same(t, "bob's grants", get(s.ListGrants(ctx, acct, "bob"))(t), []*convoke.Grant{bobs})
	same(t, "grants of another account", get(s.ListGrants(ctx, other, "bob"))(t), []*convoke.Grant{})
	same(t, "ann's grants", get(s.ListGrants(ctx, acct, "ann"))(t), []*convoke.Grant{newGrant(c, 5), newGrant(c, 4), newGrant(c, 3), newGrant(c, 2), g})
	for _, want := range []int{2, 1, 0} { // 1, 2 and 3 have expired
		if n := get(s.DeleteGrantsBefore(ctx, at(104), 2))(t); n != want {
			t.Errorf("deleted %d grants, want %d", n, want)
		}
	}
	_, err = s.FindGrant(ctx, id("grant", 3))
	wantCode(t, err, convoke.CodeNotFound)
	get(s.FindGrant(ctx, id("grant", 4)))(t)
}

// testCommandLine holds that grants for the command line need no client, and
// that what they hang on is none.
func testCommandLine(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	addAccount(t, s, other)
	var grants []*convoke.Grant
	for n, account := range []string{acct, other, other} {
		g := newGrant(convoke.CommandLine(account), n)
		must(t, s.CreateGrant(ctx, g))
		grants = append(grants, g)
	}
	same(t, "grants for the command line", get(s.ListGrants(ctx, other, "ann"))(t), []*convoke.Grant{grants[2], grants[1]})
	lost := newGrant(convoke.CommandLine("999"), 9)
	wantCode(t, s.CreateGrant(ctx, lost), convoke.CodeNotFound)
	for _, account := range []string{acct, other} {
		same(t, "clients of "+account, get(s.ListClients(ctx, account))(t), []*convoke.Client{})
		_, err := s.UpdateClient(ctx, account, convoke.CommandLineID, func(*convoke.Client) error { t.Error("it is no client"); return nil })
		wantCode(t, err, convoke.CodeNotFound)
		wantCode(t, s.RemoveClient(ctx, account, convoke.CommandLineID), convoke.CodeNotFound)
	}
	_, err := s.FindClient(ctx, convoke.CommandLineID)
	wantCode(t, err, convoke.CodeNotFound)
	must(t, s.TouchClient(ctx, convoke.CommandLineID, at(1)))
	get(s.FindGrant(ctx, grants[0].ID))(t)
}

// testConcurrentGrants redeems one code many times at once: one wins.
func testConcurrentGrants(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	c := newClient(1)
	must(t, s.CreateClient(ctx, c))
	g := newGrant(c, 1)
	must(t, s.CreateGrant(ctx, g))
	used := errors.New("used")
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, err := s.UpdateGrant(ctx, g.ID, func(g *convoke.Grant) error {
				if !g.CodeUsedAt.IsZero() {
					return used
				}
				g.CodeUsedAt = at(9)
				return nil
			})
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, used):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("a code was redeemed %d times", won.Load())
	}
}
