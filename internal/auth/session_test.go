package auth_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"convoke"
	"convoke/internal/auth"
	"convoke/internal/sqlstore"
)

// people opens a real store with one account and one user, and an Auth on it.
// Inside a bubble it must be called there.
func people(t testing.TB, dir string) (*auth.Auth, *sqlstore.Store, *convoke.User) {
	t.Helper()
	store, err := sqlstore.Open(context.Background(), sqlstore.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	u := &convoke.User{ID: "u1", AccountID: "1", LoginName: "ann", Roles: []convoke.Role{convoke.RoleDeveloper}}
	if err := store.CreateAccount(t.Context(), &convoke.Account{ID: "1", Name: "one"}); err != nil {
		t.Fatal(err)
	}
	if err := store.CreateUser(t.Context(), u, 0); err != nil {
		t.Fatal(err)
	}
	a, err := auth.New(auth.Config{Tokens: store, People: store, Logger: slog.New(slog.DiscardHandler), SessionIdle: time.Hour, SessionLifetime: 5 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return a, store, u
}

// TestSessionEnds at its absolute time, and before it when it is idle; uses
// that come once in a while keep it, also over a restart of the server.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a, store, u := people(t, dir)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		start := func() *http.Request {
			s, err := a.StartSession(t.Context(), u, "192.0.2.1", "test")
			if err != nil {
				t.Fatal(err)
			}
			return request("Bearer " + s.Bearer.Reveal())
		}
		good := func(r *http.Request) bool {
			t.Helper()
			_, err := a.Authenticate(r)
			if code := convoke.ErrorCode(err); code != "" && code != convoke.CodeUnauthorized {
				t.Fatal(err)
			}
			return err == nil
		}
		used, idle := start(), start()
		if !good(idle) {
			t.Error("a new session is refused")
		}
		for hour := 0; hour < 5; hour++ {
			for range 2 {
				if !good(used) {
					t.Fatalf("a session that is used was over in hour %d", hour)
				}
				time.Sleep(30 * time.Minute)
				synctest.Wait() // the use is written
			}
			if hour == 2 {
				again, err := auth.New(auth.Config{Tokens: store, People: store, Logger: slog.New(slog.DiscardHandler), SessionIdle: time.Hour, SessionLifetime: 5 * time.Hour})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := again.Authenticate(used); err != nil {
					t.Errorf("another server does not know the session: %v", err)
				}
			}
			if hour == 1 && good(idle) {
				t.Error("an idle session lasts")
			}
		}
		if good(used) {
			t.Error("a session lasts for ever")
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestSessionIsJudgedAgain after its user changed, in this process at once and
// elsewhere within the time an answer is believed.
func TestSessionIsJudgedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a, store, u := people(t, dir)
		s, err := a.StartSession(t.Context(), u, "", "")
		if err != nil {
			t.Fatal(err)
		}
		r := request("Bearer " + s.Bearer.Reveal())
		roles := func() []convoke.Role {
			t.Helper()
			p, err := a.Authenticate(r)
			if err != nil {
				t.Fatal(err)
			}
			return p.Roles
		}
		set := func(role convoke.Role) {
			t.Helper()
			if _, err := store.UpdateUser(t.Context(), "1", "u1", func(u *convoke.User, _ int) error { u.Roles = []convoke.Role{role}; return nil }); err != nil {
				t.Fatal(err)
			}
		}
		roles()
		set(convoke.RoleViewer)
		a.ForgetUser("1", "u1")
		if got := roles(); got[0] != convoke.RoleViewer {
			t.Errorf("roles %v, want the new one at once", got)
		}
		set(convoke.RoleAdmin)
		time.Sleep(31 * time.Second)
		if got := roles(); got[0] != convoke.RoleAdmin {
			t.Errorf("roles %v, want the new one after 31 s", got)
		}
		if err := a.EndSessions(t.Context(), "1", "u1", s.Session.ID); err != nil {
			t.Fatal(err)
		}
		roles() // the one to keep
		if err := a.EndSessions(t.Context(), "1", "u1", ""); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Authenticate(r); convoke.ErrorCode(err) != convoke.CodeUnauthorized {
			t.Errorf("after the end: %v", err)
		}
	})
}
