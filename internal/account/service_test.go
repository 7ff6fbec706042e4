package account_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"convoke"
	"convoke/internal/account"
	"convoke/internal/auth"
	"convoke/internal/sqlstore"
)

const home = convoke.DefaultAccountID

func open(t *testing.T, dir string) *sqlstore.Store {
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
	return store
}

func service(t *testing.T, store *sqlstore.Store, change ...func(*account.Config)) *account.Service {
	t.Helper()
	silent := slog.New(slog.DiscardHandler)
	a, err := auth.New(auth.Config{Tokens: store, People: store, Logger: silent})
	if err != nil {
		t.Fatal(err)
	}
	c := account.Config{Store: store, Auth: a, Limits: convoke.DefaultLimits(), Logger: silent}
	for _, f := range change {
		f(&c)
	}
	s, err := account.New(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestLimitsFollow sees changes at once where they are made, and those of
// another process within the time that Run reloads in.
func TestLimitsFollow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := open(t, dir)
	s := service(t, store)
	if _, _, err := s.Create(t.Context(), account.CreateInput{ID: "42", Limits: convoke.AccountLimits{PayloadBytes: 7}}); err != nil {
		t.Fatal(err)
	}
	if got := s.LimitsOf("42"); got.PayloadBytes != 7 || got.FunctionsPerAccount != convoke.DefaultLimits().FunctionsPerAccount {
		t.Errorf("limits %+v", got)
	}
	if got := s.LimitsOf("43"); got != convoke.DefaultLimits() {
		t.Errorf("limits of an account that is not there: %+v", got)
	}
	if _, _, err := s.Update(t.Context(), "42", account.Change{Limits: &convoke.AccountLimits{}}); err != nil {
		t.Fatal(err)
	}
	if got := s.LimitsOf("42"); got != convoke.DefaultLimits() {
		t.Errorf("limits after they were taken back: %+v", got)
	}

	synctest.Test(t, func(t *testing.T) {
		store := open(t, filepath.Join(dir, "bubble"))
		s := service(t, store)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		if err := store.CreateAccount(t.Context(), &convoke.Account{ID: "42", Generation: convoke.GenerationV1, Limits: convoke.AccountLimits{PayloadBytes: 7}}); err != nil {
			t.Fatal(err)
		}
		if v1, err := s.Generation(t.Context(), "42"); err != nil || !v1 {
			t.Errorf("generation of an account that another process made: V1 %v, %v", v1, err)
		}
		if _, err := s.Generation(t.Context(), "43"); convoke.ErrorCode(err) != convoke.CodeNotFound {
			t.Errorf("generation of no account: %v", err)
		}
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if got := s.LimitsOf("42").PayloadBytes; got != 7 {
			t.Errorf("payload of an account that another process made: %d, want 7 after 31 s", got)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestRate(t *testing.T) {
	t.Parallel()
	s := service(t, open(t, t.TempDir()))
	for id, rate := range map[string]int{"1": 0, "2": 5} {
		if _, _, err := s.Create(t.Context(), account.CreateInput{ID: id, Limits: convoke.AccountLimits{InvocationsPerSecond: rate}}); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		admitted := func(id string) int {
			n := 0
			for range 100 {
				if s.Admit(id) == nil {
					n++
				}
			}
			return n
		}
		for _, c := range []struct {
			id   string
			want int
		}{{"1", 100}, {"2", 5}, {"unknown", 100}} {
			if got := admitted(c.id); got != c.want {
				t.Errorf("account %s: %d invocations at once, want %d", c.id, got, c.want)
			}
		}
		err := s.Admit("2")
		if e, ok := errors.AsType[*convoke.Error](err); !ok || e.Code != convoke.CodeThrottled || e.RetryAfter == 0 {
			t.Errorf("got %v, want CodeThrottled with RetryAfter", err)
		}
		time.Sleep(time.Second)
		if got := admitted("2"); got != 5 {
			t.Errorf("%d a second later, want 5", got)
		}
		name := "renamed" // a change of something else gives no second helping
		if _, _, err := s.Update(t.Context(), "2", account.Change{Name: &name}); err != nil {
			t.Fatal(err)
		}
		if got := admitted("2"); got != 0 {
			t.Errorf("%d after the account was renamed, want none", got)
		}
	})
}

func TestReport(t *testing.T) {
	t.Parallel()
	s := service(t, open(t, t.TempDir()), func(c *account.Config) {
		c.Used = map[string]account.Used{"functionsPerAccount": func(context.Context, string) (int, error) { return 3, nil }}
	})
	if _, _, err := s.Create(t.Context(), account.CreateInput{ID: "1", Admin: "ann", Limits: convoke.AccountLimits{FunctionsPerAccount: 9, InvocationsPerSecond: 5}}); err != nil {
		t.Fatal(err)
	}
	limits, err := s.Report(t.Context(), "1")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, l := range limits {
		used := "-"
		if l.Used != nil {
			used = fmt.Sprint(*l.Used)
		}
		got[l.Name] = fmt.Sprint(l.Limit, l.Unit, " ", used)
	}
	for name, want := range map[string]string{
		"functionsPerAccount": "9 3", "usersPerAccount": "1000 1", "invocationsPerSecond": "5 -", "maxTimeout": "300000ms -", "payloadBytes": "1048576 -",
	} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
	if got[""] != "" {
		t.Error("a limit has no name")
	}
}

// TestExpiry removes old activities and sessions that are over, hour by hour.
func TestExpiry(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		store := open(t, dir)
		s := service(t, store, func(c *account.Config) { c.ActivityRetention = 24 * time.Hour })
		if _, _, err := s.Create(t.Context(), account.CreateInput{ID: home, Admin: "ann"}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		for range 1200 { // more than one step
			if err := store.AppendActivity(t.Context(), &convoke.Activity{AccountID: home, At: time.Now(), Action: "a.b"}); err != nil {
				t.Fatal(err)
			}
		}
		u, err := store.FindUserByLogin(t.Context(), home, "ann")
		if err != nil {
			t.Fatal(err)
		}
		session := &convoke.Session{ID: "s", AccountID: home, UserID: u.ID, BearerHash: []byte("b"), CookieHash: []byte("c"), LastUsedAt: time.Now(), ExpiresAt: time.Now().Add(24 * time.Hour)}
		if err := store.CreateSession(t.Context(), session, 9); err != nil {
			t.Fatal(err)
		}
		left := func() (activities int, there bool) {
			synctest.Wait()
			list, err := store.ListActivities(t.Context(), home, convoke.ActivityFilter{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = store.FindSessionByHash(t.Context(), []byte("b"))
			return len(list), err == nil
		}
		time.Sleep(7 * time.Hour)
		if n, there := left(); n != 1000 || !there { // a list shows no more than 1,000
			t.Errorf("after 7 h: %d activities, session there %v", n, there)
		}
		time.Sleep(3 * time.Hour)
		if n, there := left(); n != 1000 || there {
			t.Errorf("after 10 h: %d activities, session there %v; it was idle for longer than 8 h", n, there)
		}
		time.Sleep(16 * time.Hour)
		if n, _ := left(); n != 0 {
			t.Errorf("after 26 h: %d activities", n)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
