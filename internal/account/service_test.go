package account_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"convoke"
	"convoke/api"
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
	if _, _, err := s.Update(t.Context(), "42", account.Change{Limits: map[string]int{"payloadBytes": 0}}); err != nil {
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

// TestRates: an account, its clients and its month are each held to their own
// limit, and a refusal by one uses nothing up of the others.
func TestRates(t *testing.T) {
	t.Parallel()
	var refused []account.Refusal
	s := service(t, open(t, t.TempDir()), func(c *account.Config) {
		c.Refused = func(r account.Refusal) { refused = append(refused, r) }
	})
	for id, limits := range map[string]convoke.AccountLimits{
		"1": {}, "2": {InvocationsPerSecond: 5}, "3": {InvocationsPerSecond: 7, InvocationsPerSecondPerClient: 3},
	} {
		if _, _, err := s.Create(t.Context(), account.CreateInput{ID: id, Limits: limits}); err != nil {
			t.Fatal(err)
		}
	}
	token := func(account, id string) *convoke.Principal {
		return &convoke.Principal{AccountID: account, ID: id, Name: "the token " + id}
	}
	shop := &convoke.Principal{AccountID: "3", ID: "ann", Name: "ann", ClientID: "shop", InvocationsPerSecond: 2}
	slow := &convoke.Principal{AccountID: "1", ID: "slow", Name: "slow", ClientID: "slow", InvocationsPerSecond: 4}
	synctest.Test(t, func(t *testing.T) {
		admitted := func(p *convoke.Principal) int {
			n := 0
			for range 100 {
				if s.Admit(p) == nil {
					n++
				}
			}
			return n
		}
		check := func(p *convoke.Principal, want int, why account.Refusal, say string) {
			t.Helper()
			refused = nil
			if got := admitted(p); got != want {
				t.Errorf("%s of account %s: %d invocations at once, want %d", p, p.AccountID, got, want)
			}
			if len(refused) != 100-want {
				t.Errorf("%s of account %s: the metrics heard of %d refusals, want %d", p, p.AccountID, len(refused), 100-want)
			}
			if why == "" {
				return
			}
			if refused[0] != why {
				t.Errorf("%s of account %s was refused for %s, want %s", p, p.AccountID, refused[0], why)
			}
			e, ok := errors.AsType[*convoke.Error](s.Admit(p))
			if !ok || e.Code != convoke.CodeThrottled || e.RetryAfter != time.Second || !strings.Contains(e.Message, say) {
				t.Errorf("%s of account %s: got %+v, want CodeThrottled after a second that says %q", p, p.AccountID, e, say)
			}
		}
		check(token("1", "a"), 100, "", "")
		check(token("unknown", "a"), 100, "", "")
		check(token("2", "a"), 5, account.RefusalAccount, "as it may, 5 a second; try again in a moment, or ask the operator to raise invocationsPerSecond")
		check(token("2", "b"), 0, account.RefusalAccount, "the operator")
		check(slow, 4, account.RefusalClient, "an administrator to raise the client's invocationsPerSecond")
		check(token("3", "a"), 3, account.RefusalClient, "one client or token may, 3 a second")
		// The client's own limit is within that of all, whoever it acts for.
		check(shop, 2, account.RefusalClient, "as it may, 2 a second")
		other := *shop
		other.ID = "bob"
		check(&other, 0, account.RefusalClient, "")
		// Of the account's 7 are 5 used: what the clients' limits refused did not count.
		check(token("3", "b"), 2, account.RefusalAccount, "raise invocationsPerSecond")
		// And what the account's refused did not count for the client.
		s.Back(token("3", "b"))
		check(token("3", "b"), 1, account.RefusalAccount, "")

		time.Sleep(time.Second)
		name := "renamed" // a change of something else gives no second helping
		check(token("2", "a"), 5, account.RefusalAccount, "")
		if _, _, err := s.Update(t.Context(), "2", account.Change{Name: &name}); err != nil {
			t.Fatal(err)
		}
		check(token("2", "a"), 0, account.RefusalAccount, "")
	})
}

// TestMonth: what an account used of its month is there after the end of the
// process, and the month ends.
func TestMonth(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		store := open(t, dir)
		// 31 January 2000, 23:59:00.
		time.Sleep(time.Until(time.Date(2000, 1, 31, 23, 59, 0, 0, time.UTC)))
		p := &convoke.Principal{AccountID: "4", ID: "a"}
		s := service(t, store)
		if _, _, err := s.Create(t.Context(), account.CreateInput{ID: "4", Limits: convoke.AccountLimits{InvocationsPerMonth: 3}}); err != nil {
			t.Fatal(err)
		}
		used := func() int {
			list, err := s.Report(t.Context(), "4")
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range list {
				if l.Name == "invocationsPerMonth" {
					return *l.Used
				}
			}
			t.Fatal("the report has no invocationsPerMonth")
			return 0
		}
		run := func(s *account.Service) (stop func()) {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- s.Run(ctx) }()
			return func() {
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}
		}
		stop := run(s)
		for i := range 3 {
			if err := s.Admit(p); err != nil || used() != i {
				t.Fatalf("after %d: %v, %d are used", i, err, used())
			}
			s.Count("4")
		}
		stop()

		s = service(t, store)
		stop = run(s)
		defer func() { stop() }()
		if used() != 3 {
			t.Fatalf("%d are used after a restart, want 3", used())
		}
		e, ok := errors.AsType[*convoke.Error](s.Admit(p))
		if !ok || e.Code != convoke.CodeThrottled || e.RetryAfter != time.Minute || !strings.Contains(e.Message, "3 a month") {
			t.Fatalf("got %+v, want CodeThrottled until the end of the month", e)
		}
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		if err := s.Admit(p); err != nil || used() != 0 {
			t.Errorf("in the next month: %v, %d are used", err, used())
		}
		s.Count("4")
		time.Sleep(time.Minute)
		synctest.Wait()
		for month, want := range map[time.Month]int64{1: 3, 2: 1} {
			list, err := store.ListUsage(t.Context(), time.Date(2000, month, 5, 0, 0, 0, 0, time.UTC))
			if err != nil || len(list) != 1 || list[0].Invocations != want {
				t.Errorf("month %d: stored are %v, %v; want %d", month, list, err, want)
			}
		}
	})
}

func TestReport(t *testing.T) {
	t.Parallel()
	s := service(t, open(t, t.TempDir()), func(c *account.Config) {
		c.Used = map[string]account.Used{"functionsPerAccount": func(context.Context, string) (int, error) { return 3, nil }}
		c.Bounds = []account.Bound{
			{Name: "usersPerRoom", About: "users of a room", Limit: 7, Used: func(context.Context, string) (int, error) { return 2, nil }},
			{Name: "maxInstancesPerAccount", About: "instances", Limit: 20},
			{Name: "notNow", About: "things that are not counted now", Limit: 9, Used: func(context.Context, string) (int, error) { return -1, nil }},
		}
	})
	if _, _, err := s.Create(t.Context(), account.CreateInput{ID: "1", Admin: "ann", Limits: convoke.AccountLimits{FunctionsPerAccount: 9, InvocationsPerSecond: 5, MaxInstancesPerAccount: 3}}); err != nil {
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
		"functionsPerAccount": "9 3", "usersPerAccount": "1000 1", "invocationsPerSecond": "5 0", "invocationsPerMonth": "0 0", "invocationsPerSecondPerFunction": "0 -", "maxTimeout": "300000ms -", "payloadBytes": "1048576bytes -",
		"usersPerRoom": "7 2", "maxInstancesPerAccount": "3 -", "notNow": "9 -",
	} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
	settable := 0
	for _, l := range limits {
		if l.Name == "" || l.Description == "" || l.Unit != "" && !slices.Contains(api.LimitUnits, l.Unit) {
			t.Errorf("the limit %+v needs a name, what it is, and one of the units", l)
		}
		if l.Settable {
			settable++
		}
	}
	if names := (convoke.AccountLimits{}).Names(); settable != len(names) {
		t.Errorf("%d limits can be set for an account; those are %q", settable, names)
	}
}

// TestWithinTheServers: an account has no more than the server allows, however
// the two came to be.
func TestWithinTheServers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tight := func(c *account.Config) {
		c.Limits.UsersPerAccount, c.Limits.InvocationsPerMonth = 5, 100
		c.Bounds = []account.Bound{{Name: "maxInstancesPerAccount", About: "instances", Limit: 20}}
	}
	s := service(t, open(t, dir), tight)
	for _, beyond := range []convoke.AccountLimits{{UsersPerAccount: 6}, {InvocationsPerMonth: 101}, {MaxInstancesPerAccount: 21}, {UsersPerAccount: -1}} {
		if _, _, err := s.Create(t.Context(), account.CreateInput{ID: "1", Limits: beyond}); convoke.ErrorCode(err) != convoke.CodeValidation {
			t.Errorf("%+v: %v, want CodeValidation", beyond, err)
		}
	}
	if _, _, err := s.Create(t.Context(), account.CreateInput{ID: "1", Limits: convoke.AccountLimits{UsersPerAccount: 5, InvocationsPerSecond: 1 << 20, MaxInstancesPerAccount: 20}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Update(t.Context(), "1", account.Change{Limits: map[string]int{"usersPerAccount": 6}}); convoke.ErrorCode(err) != convoke.CodeValidation {
		t.Errorf("an update beyond it: %v, want CodeValidation", err)
	}
	if got := s.LimitsOf("1"); got.UsersPerAccount != 5 || got.InvocationsPerSecond != 1<<20 || got.InvocationsPerMonth != 100 || s.InstancesOf("1") != 20 {
		t.Errorf("limits %+v, %d instances", got, s.InstancesOf("1"))
	}
	// The server's were lowered since, or somebody without them set the account's.
	local := service(t, open(t, dir), tight, func(c *account.Config) { c.Foreign = true })
	if _, _, err := local.Update(t.Context(), "1", account.Change{Limits: map[string]int{"usersPerAccount": 50}}); err != nil {
		t.Error(err)
	}
	if got := local.LimitsOf("1").UsersPerAccount; got != 5 {
		t.Errorf("%d users, want the server's 5", got)
	}
}

// TestPace: without a rate it is counted what begins in a second, without a
// part of it on the way of an invocation.
func TestPace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := service(t, open(t, dir))
		if _, _, err := s.Create(t.Context(), account.CreateInput{ID: "1"}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		pace := func() int {
			t.Helper()
			limits, err := s.Report(t.Context(), "1")
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range limits {
				if l.Name == "invocationsPerSecond" && l.Used != nil {
					return *l.Used
				}
			}
			t.Fatal("the report does not say")
			return 0
		}
		if got := pace(); got != 0 {
			t.Errorf("%d a second before the first", got)
		}
		time.Sleep(time.Second / 2) // never at the moment of a look
		for range 75 {
			time.Sleep(time.Second)
			for range 7 {
				s.Count("1")
			}
		}
		synctest.Wait()
		if got := pace(); got != 7 && got != 8 {
			t.Errorf("%d a second, want 7", got)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := pace(); got != 0 {
			t.Errorf("%d a second two minutes after the last", got)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
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

// TestLockOutsAreRecorded: the trail says once that a user is locked out, and
// from where; again only after a success or peace. A name of nobody, an account
// of nobody and a wrong password without a lock-out leave nothing.
func TestLockOutsAreRecorded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		store := open(t, dir)
		if err := store.CreateAccount(t.Context(), &convoke.Account{ID: home, Name: "one"}); err != nil {
			t.Fatal(err)
		}
		s := service(t, store)
		by := &convoke.Principal{AccountID: home, Roles: convoke.Roles}
		password := convoke.NewSecret("correct horse battery")
		ids := map[string]string{}
		for _, name := range []string{"Ann", "bob", "eve"} {
			u, _, err := s.CreateUser(t.Context(), by, account.UserInput{LoginName: name, Roles: convoke.Roles[:1], Password: password})
			if err != nil {
				t.Fatal(err)
			}
			ids[name] = u.ID
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		attempt := func(accountID, name string, password convoke.Secret, want convoke.Code) {
			t.Helper()
			for {
				_, _, err := s.SignIn(t.Context(), account.Login{AccountID: accountID, LoginName: name, Password: password, From: "192.0.2.9", RequestID: "r-" + name})
				if e, ok := errors.AsType[*convoke.Error](err); ok && e.Code == convoke.CodeLocked {
					time.Sleep(e.RetryAfter) // the bubble's clock
					continue
				}
				if convoke.ErrorCode(err) != want {
					t.Fatalf("%s: %v, want %q", name, err, want)
				}
				return
			}
		}
		wrong := convoke.NewSecret("wrong horse battery")
		trail := func() []string {
			t.Helper()
			synctest.Wait()
			all, err := store.ListActivities(t.Context(), home, convoke.ActivityFilter{Actions: []string{"session.locked"}})
			if err != nil {
				t.Fatal(err)
			}
			out := []string{}
			for _, a := range all {
				out = append(out, a.Name)
				if a.Subject != ids[a.Name] || a.Actor != "unknown" || a.ActorID != "unknown" || a.From != "192.0.2.9" || !strings.EqualFold(a.RequestID, "r-"+a.Name) || a.At.IsZero() {
					t.Errorf("recorded %+v", a)
				}
			}
			return out
		}
		for range 4 {
			attempt(home, "ANN", wrong, convoke.CodeUnauthorized)
			attempt(home, "bob", wrong, convoke.CodeUnauthorized)
		}
		if got := trail(); len(got) != 0 {
			t.Errorf("before anybody is locked out: %v", got)
		}
		for range 6 {
			attempt(home, "ann", wrong, convoke.CodeUnauthorized)
			attempt(home, "nobody", wrong, convoke.CodeUnauthorized)
			attempt("999", "ann", wrong, convoke.CodeUnauthorized)
		}
		if got := fmt.Sprint(trail()); got != "[Ann]" {
			t.Errorf("after ten wrong passwords of Ann the trail has %s, want it once", got)
		}
		attempt(home, "ann", password, "")
		for range 5 {
			attempt(home, "ann", wrong, convoke.CodeUnauthorized)
		}
		if got := fmt.Sprint(trail()); got != "[Ann Ann]" {
			t.Errorf("locked out again after a success, the trail has %s", got)
		}
		// Who found an open session guesses the old password.
		signed, u, err := s.SignIn(t.Context(), account.Login{AccountID: home, LoginName: "eve", Password: password, From: "192.0.2.10"})
		if err != nil {
			t.Fatal(err)
		}
		eve := &convoke.Principal{AccountID: home, ID: u.ID, UserID: u.ID, SessionID: signed.Session.ID}
		for range 5 {
			_, err := s.ChangePassword(t.Context(), eve, account.PasswordChange{Old: wrong, New: convoke.NewSecret("another long password"), From: "192.0.2.9", RequestID: "r-eve"})
			if convoke.ErrorCode(err) != convoke.CodeValidation {
				t.Fatal(err)
			}
		}
		if got := fmt.Sprint(trail()); got != "[eve Ann Ann]" {
			t.Errorf("after five wrong old passwords the trail has %s", got)
		}
		// What began at the last moment is not lost.
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		attempt(home, "bob", wrong, convoke.CodeUnauthorized)
		ctx, cancel = context.WithCancel(t.Context())
		cancel()
		if err := s.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(trail()); got != "[bob eve Ann Ann]" {
			t.Errorf("after the end the trail has %s", got)
		}
	})
}
