package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"convoke"
)

func TestCredentialsAreChecked(t *testing.T) {
	t.Parallel()
	secret := convoke.NewSecret("s")
	for _, bad := range []Config{
		{Credentials: ClientCredentials{ID: "i"}},
		{Credentials: ClientCredentials{Secret: secret}},
		{Credentials: Password{LoginName: "ann"}},
		{Credentials: Password{Password: secret}},
		{Credentials: Password{LoginName: "ann", Password: secret}, Token: secret},
		{Credentials: Password{LoginName: "ann", Password: secret}, Tokens: func(context.Context, convoke.Secret) (convoke.Secret, error) { return secret, nil }},
	} {
		bad.URL = "http://host"
		if _, err := New(bad); convoke.ErrorCode(err) != convoke.CodeValidation {
			t.Errorf("New(%+v): got %v, want CodeValidation", bad, err)
		}
	}
}

// keeping runs f in a bubble whose clock moves only when all wait, with a keeper
// of tokens t1, t2, …, each good for an hour, that take a second to get.
func keeping(t *testing.T, f func(t *testing.T, k *keeper, asked *int, fail *error)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		asked, fail := 0, error(nil)
		k := &keeper{turn: make(chan struct{}, 1)}
		k.ask = func(ctx context.Context) (convoke.Secret, time.Time, error) {
			asked++
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return convoke.Secret{}, time.Time{}, ctx.Err()
			}
			if fail != nil {
				return convoke.Secret{}, time.Time{}, fail
			}
			return convoke.NewSecret(fmt.Sprintf("t%d", asked)), time.Now().Add(time.Hour), nil
		}
		f(t, k, &asked, &fail)
	})
}

// holds fails unless the keeper gives the token.
func (k *keeper) holds(t *testing.T, rejected, want string) {
	t.Helper()
	got, err := k.token(t.Context(), convoke.NewSecret(rejected))
	if err != nil || got.Reveal() != want {
		t.Errorf("got %s, error %v, want %s", got.Reveal(), err, want)
	}
}

// TestTokenLife: a token is kept, replaced before its end, and replaced once
// when the server refuses it.
func TestTokenLife(t *testing.T) {
	t.Parallel()
	keeping(t, func(t *testing.T, k *keeper, asked *int, _ *error) {
		k.holds(t, "", "t1")
		time.Sleep(time.Hour - renewBefore - time.Second)
		k.holds(t, "", "t1")
		time.Sleep(2 * time.Second) // its end comes near
		k.holds(t, "", "t2")
		k.holds(t, "t1", "t2") // somebody else was refused with the old one
		k.holds(t, "t2", "t3")
		if *asked != 3 {
			t.Errorf("asked %d times", *asked)
		}
	})
}

// TestShortTokens: of a life shorter than the margin most is used.
func TestShortTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		k := &keeper{turn: make(chan struct{}, 1), ask: func(context.Context) (convoke.Secret, time.Time, error) {
			asked++
			return convoke.NewSecret(fmt.Sprintf("t%d", asked)), time.Now().Add(20 * time.Second), nil
		}}
		k.holds(t, "", "t1")
		time.Sleep(14 * time.Second)
		k.holds(t, "", "t1")
		time.Sleep(2 * time.Second)
		k.holds(t, "", "t2")
	})
}

// TestOneAsks: of many calls at a time one asks for the token, and all share
// what becomes of it.
func TestOneAsks(t *testing.T) {
	t.Parallel()
	keeping(t, func(t *testing.T, k *keeper, asked *int, fail *error) {
		all := func(rejected string) (tokens []string, failed int) {
			var wg sync.WaitGroup
			var mu sync.Mutex
			for range 50 {
				wg.Go(func() {
					got, err := k.token(t.Context(), convoke.NewSecret(rejected))
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						failed++
						return
					}
					tokens = append(tokens, got.Reveal())
				})
			}
			wg.Wait()
			slices.Sort(tokens)
			return slices.Compact(tokens), failed
		}
		*fail = convoke.Errorf(convoke.CodeUnavailable, "away")
		if tokens, failed := all(""); failed != 50 || *asked != 1 {
			t.Errorf("away: %v and %d failures, asked %d times", tokens, failed, *asked)
		}
		*fail = nil
		if tokens, failed := all(""); failed != 0 || *asked != 2 || !slices.Equal(tokens, []string{"t2"}) {
			t.Errorf("back: %v and %d failures, asked %d times", tokens, failed, *asked)
		}
		if tokens, failed := all("t2"); failed != 0 || *asked != 3 || !slices.Equal(tokens, []string{"t3"}) {
			t.Errorf("refused: %v and %d failures, asked %d times", tokens, failed, *asked)
		}
	})
}

// TestRefusedCredentials are not tried with every call: each attempt may bring
// a user closer to being locked out.
func TestRefusedCredentials(t *testing.T) {
	t.Parallel()
	keeping(t, func(t *testing.T, k *keeper, asked *int, fail *error) {
		fails := func(want convoke.Code, times int) {
			t.Helper()
			if _, err := k.token(t.Context(), convoke.Secret{}); convoke.ErrorCode(err) != want || *asked != times {
				t.Errorf("got %v after asking %d times, want %s after %d", err, *asked, want, times)
			}
		}
		*fail = convoke.Errorf(convoke.CodeUnauthorized, "wrong")
		fails(convoke.CodeUnauthorized, 1)
		fails(convoke.CodeUnauthorized, 1)
		time.Sleep(refusedFor)
		*fail = &convoke.Error{Code: convoke.CodeLocked, Message: "locked", RetryAfter: 5 * time.Minute}
		fails(convoke.CodeLocked, 2)
		time.Sleep(4 * time.Minute)
		fails(convoke.CodeLocked, 2)
		time.Sleep(time.Minute)
		*fail = convoke.Errorf(convoke.CodeUnavailable, "away")
		fails(convoke.CodeUnavailable, 3)
		fails(convoke.CodeUnavailable, 4) // this may have passed
		*fail = nil
		k.holds(t, "", "t5")
	})
}

// TestRenewalFails: while a token is good a renewal that fails is no failure of
// the call, and is not tried with each.
func TestRenewalFails(t *testing.T) {
	t.Parallel()
	keeping(t, func(t *testing.T, k *keeper, asked *int, fail *error) {
		k.holds(t, "", "t1")
		*fail = convoke.Errorf(convoke.CodeUnavailable, "away")
		time.Sleep(time.Hour - renewBefore)
		k.holds(t, "", "t1")
		k.holds(t, "", "t1")
		if *asked != 2 {
			t.Errorf("asked %d times", *asked)
		}
		time.Sleep(retryAfter)
		k.holds(t, "", "t1")
		if *asked != 3 {
			t.Errorf("asked %d times", *asked)
		}
		time.Sleep(renewBefore) // now it has ended
		if _, err := k.token(t.Context(), convoke.Secret{}); convoke.ErrorCode(err) != convoke.CodeUnavailable {
			t.Errorf("got %v", err)
		}
	})
}

// TestCallersCancellation is nobody else's failure.
func TestCallersCancellation(t *testing.T) {
	t.Parallel()
	keeping(t, func(t *testing.T, k *keeper, asked *int, _ *error) {
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 2)
		for range 2 { // one asks, one waits for it
			go func() { _, err := k.token(ctx, convoke.Secret{}); failed <- err }()
		}
		synctest.Wait()
		waits := make(chan string, 1)
		go func() { got, _ := k.token(t.Context(), convoke.Secret{}); waits <- got.Reveal() }()
		synctest.Wait()
		cancel()
		for range 2 {
			if err := <-failed; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		}
		if got := <-waits; got != "t2" || *asked != 2 {
			t.Errorf("got %q after asking %d times", got, *asked)
		}
	})
}

// TestPasswordKnowsTheEnd: a session is renewed before its end, which the
// cookie of the sign-in says.
func TestPasswordKnowsTheEnd(t *testing.T) {
	t.Parallel()
	var signedIn atomic.Int32
	life := 20 * time.Second // renewed when a quarter is left
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/account/42/login" {
			if r.Header.Get("Authorization") != "" {
				t.Error("the sign-in was sent with a token")
			}
			http.SetCookie(w, &http.Cookie{Name: "other", Value: "x", Expires: time.Now().Add(time.Hour)})
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "sid", Expires: time.Now().Add(life)})
			fmt.Fprintf(w, `{"bearer":"b%d","csrf":"c","sessionId":"sid","config":{}}`, signedIn.Add(1))
			return
		}
		if want := fmt.Sprintf("Bearer b%d", signedIn.Load()); r.Header.Get("Authorization") != want {
			t.Errorf("got %s, want %s", r.Header.Get("Authorization"), want)
		}
		fmt.Fprint(w, `{"id":"u"}`)
	})
	c, err := New(Config{URL: c.root, AccountID: "42", Credentials: Password{"ann", convoke.NewSecret("pw")}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int32{1, 1} {
		if _, err := c.Me(t.Context()); err != nil || signedIn.Load() != want {
			t.Errorf("call %d: signed in %d times, error %v", i, signedIn.Load(), err)
		}
	}
	life = -time.Hour // as of one whose end has come
	c, err = New(Config{URL: c.root, AccountID: "42", Credentials: Password{"ann", convoke.NewSecret("pw")}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int32{2, 3} {
		if _, err := c.Me(t.Context()); err != nil || signedIn.Load() != want {
			t.Errorf("call %d after its end: signed in %d times, error %v", i, signedIn.Load(), err)
		}
	}
}
