package storetest

import (
	"bytes"
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
