package storetest

import (
	"bytes"
	"context"
	"testing"
	"time"

	"convoke"
)

func newSession(id, user string, n int) *convoke.Session {
	return &convoke.Session{ID: id, AccountID: acct, UserID: user, From: "192.0.2.1", Agent: "test",
		BearerHash: bytes.Repeat([]byte{byte(n), 1}, 16), CookieHash: bytes.Repeat([]byte{byte(n), 2}, 16),
		CreatedAt: at(n), LastUsedAt: at(n), ExpiresAt: at(n + 1000)}
}

func testSessions(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	addAccount(t, s, other)
	must(t, s.CreateUser(ctx, newUser("u1", "ann"), 0))
	must(t, s.CreateUser(ctx, newUser("u2", "bob"), 0))
	there := func(n int) bool {
		t.Helper()
		_, err := s.FindSessionByHash(ctx, newSession("", "", n).CookieHash)
		if code := convoke.ErrorCode(err); code != "" && code != convoke.CodeNotFound {
			t.Fatal(err)
		}
		return err == nil
	}

	first := newSession("s1", "u1", 1)
	must(t, s.CreateSession(ctx, first, 3))
	same(t, "by bearer", get(s.FindSessionByHash(ctx, first.BearerHash))(t), first)
	same(t, "by cookie", get(s.FindSessionByHash(ctx, first.CookieHash))(t), first)
	wantCode(t, s.CreateSession(ctx, newSession("s9", "u9", 9), 3), convoke.CodeNotFound)
	wantCode(t, s.CreateSession(ctx, newSession("s8", "u1", 1), 3), convoke.CodeConflict)

	// The oldest go beyond three; those of others stay.
	must(t, s.CreateSession(ctx, newSession("b1", "u2", 50), 3))
	for n := 2; n <= 4; n++ {
		must(t, s.CreateSession(ctx, newSession(id("s", n), "u1", n), 3))
	}
	for n, want := range map[int]bool{1: false, 2: true, 3: true, 4: true, 50: true} {
		if got := there(n); got != want {
			t.Errorf("session %d there: %v, want %v", n, got, want)
		}
	}

	minute := at(4).Truncate(time.Minute).Add(time.Minute)
	must(t, s.TouchSession(ctx, id("s", 4), minute.Add(7*time.Second)))
	must(t, s.TouchSession(ctx, id("s", 4), minute.Add(-time.Hour))) // late
	must(t, s.TouchSession(ctx, "gone", minute))
	if got := get(s.FindSessionByHash(ctx, newSession("", "", 4).BearerHash))(t).LastUsedAt; !got.Equal(minute) {
		t.Errorf("last used at %v, want %v", got, minute)
	}

	must(t, s.DeleteSession(ctx, other, id("s", 4)))
	if !there(4) {
		t.Error("another account ended the session")
	}
	must(t, s.DeleteSession(ctx, acct, id("s", 4)))
	must(t, s.DeleteSession(ctx, acct, id("s", 4)))
	if there(4) {
		t.Error("the session is still there")
	}
	must(t, s.DeleteUserSessions(ctx, acct, "u1", id("s", 2)))
	if !there(2) || there(3) || !there(50) {
		t.Error("all sessions of one user but one should have ended")
	}

	// Session 2 expires at 1002, session 50 at 1050; both were last used when they began.
	if n := get(s.DeleteSessionsBefore(ctx, at(1010), at(0), 10))(t); n != 1 || there(2) {
		t.Errorf("%d expired sessions removed, want 1", n)
	}
	if n := get(s.DeleteSessionsBefore(ctx, at(1010), at(51), 10))(t); n != 1 || there(50) {
		t.Errorf("%d idle sessions removed, want 1", n)
	}
}

// endSession ends a session of either sort.
func endSession(ctx context.Context, s Store, account, id string) error {
	if _, err := s.FindGrant(ctx, id); err == nil {
		return revokeGrant(ctx, s, id)
	}
	return s.DeleteSession(ctx, account, id)
}

func revokeGrant(ctx context.Context, s Store, id string) error {
	_, err := s.UpdateGrant(ctx, id, func(g *convoke.Grant) error { g.RevokedAt = at(2); return nil })
	return err
}

// testUserSessions: what a user is signed in with is his sessions and his
// sign-ins of the command line, as far as they last.
func testUserSessions(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	addAccount(t, s, other)
	must(t, s.CreateUser(ctx, newUser("u1", "ann"), 0))
	must(t, s.CreateUser(ctx, newUser("u2", "bob"), 0))
	crm := newClient(1)
	must(t, s.CreateClient(ctx, crm))

	for n := 1; n <= 4; n++ { // 1 is idle, 4 is bob's
		e := newSession(id("s", n), "u1", n)
		if n == 4 {
			e.UserID = "u2"
		}
		must(t, s.CreateSession(ctx, e, 9))
	}
	expired := newSession("expired", "u1", 5)
	expired.ExpiresAt = at(20)
	must(t, s.CreateSession(ctx, expired, 9))
	grant := func(name, account, user string, c *convoke.Client, change func(*convoke.Grant)) *convoke.Grant {
		g := newGrant(c, 6)
		g.ID, g.AccountID, g.UserID, g.CodeUsedAt = name, account, user, at(7)
		if change != nil {
			change(g)
		}
		must(t, s.CreateGrant(ctx, g))
		return g
	}
	cli := convoke.CommandLine
	mine := grant("mine", acct, "u1", cli(acct), nil)
	agreed := grant("agreed", acct, "u1", cli(acct), func(g *convoke.Grant) { g.CodeUsedAt = time.Time{} }) // its code is good until 66
	grant("missed", acct, "u1", cli(acct), func(g *convoke.Grant) { g.CodeUsedAt, g.CodeExpiresAt = time.Time{}, at(20) })
	grant("over", acct, "u1", cli(acct), func(g *convoke.Grant) { g.ExpiresAt = at(20) })
	grant("revoked", acct, "u1", cli(acct), func(g *convoke.Grant) { g.RevokedAt = at(8) })
	grant("bobs", acct, "u2", cli(acct), nil)
	grant("elsewhere", other, "u1", cli(other), nil)
	program := grant("program", acct, "u1", crm, nil)

	last := convoke.SessionsAt{At: at(21), Idle: at(1)}
	plain := func(n int) *convoke.Session {
		e := newSession(id("s", n), "u1", n)
		e.BearerHash, e.CookieHash = nil, nil
		return e
	}
	signIn := func(g *convoke.Grant) *convoke.Session {
		return &convoke.Session{ID: g.ID, AccountID: acct, UserID: "u1", From: g.From, CreatedAt: g.CreatedAt, LastUsedAt: g.LastUsedAt, ExpiresAt: g.ExpiresAt, CommandLine: true}
	}
	want := []*convoke.Session{signIn(mine), signIn(agreed), plain(3), plain(2)}
	all, next, err := s.PageSessions(ctx, acct, "u1", last, convoke.Page{})
	must(t, err)
	same(t, "sessions that last", all, want)
	if next != nil {
		t.Errorf("the whole list has the next mark %v", next)
	}
	for _, e := range want {
		same(t, "session "+e.ID, get(s.FindUserSession(ctx, acct, "u1", e.ID, last))(t), e)
		_, err := s.FindUserSession(ctx, acct, "u2", e.ID, last)
		wantCode(t, err, convoke.CodeNotFound)
		_, err = s.FindUserSession(ctx, other, "u1", e.ID, last)
		wantCode(t, err, convoke.CodeNotFound)
	}
	for _, name := range []string{id("s", 1), id("s", 4), "expired", "missed", "over", "revoked", "bobs", "elsewhere", "program", ""} {
		_, err := s.FindUserSession(ctx, acct, "u1", name, last)
		wantCode(t, err, convoke.CodeNotFound)
	}

	given, _, err := s.PageGrants(ctx, acct, "u1", at(21), convoke.Page{Sort: "createdAt"})
	must(t, err)
	same(t, "consents that hold", given, []*convoke.Grant{agreed, mine, program})
}
