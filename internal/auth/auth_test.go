package auth_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"convoke"
	"convoke/internal/auth"
)

// memory is a TokenStore that counts.
type memory struct {
	finds    atomic.Int64
	onFind   func() // runs after the token was read and before it is returned
	fail     error
	mu       sync.Mutex
	byHash   map[string]*convoke.Token
	touchedN int
	lastHash []byte // that was looked for
	touched  map[string]time.Time
}

func (m *memory) CreateToken(_ context.Context, t *convoke.Token) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := *t
	m.byHash[string(t.Hash)] = &c
	return nil
}

func (m *memory) FindTokenByHash(_ context.Context, hash []byte) (*convoke.Token, error) {
	m.finds.Add(1)
	m.mu.Lock()
	m.lastHash = bytes.Clone(hash)
	t, ok := m.byHash[string(hash)]
	var c convoke.Token
	if ok {
		c = *t
	}
	m.mu.Unlock()
	if m.onFind != nil {
		m.onFind()
	}
	if m.fail != nil {
		return nil, m.fail
	}
	if !ok {
		return nil, convoke.Errorf(convoke.CodeNotFound, "no such token")
	}
	return &c, nil
}

func (m *memory) ListTokens(_ context.Context, accountID string) ([]*convoke.Token, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*convoke.Token
	for _, t := range m.byHash {
		if t.AccountID == accountID {
			c := *t
			out = append(out, &c)
		}
	}
	return out, nil
}

func (m *memory) RevokeToken(_ context.Context, accountID, id string, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.byHash {
		if t.ID == id && t.AccountID == accountID {
			t.RevokedAt = at
			return nil
		}
	}
	return convoke.Errorf(convoke.CodeNotFound, "no such token")
}

func (m *memory) TouchToken(_ context.Context, id string, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.touchedN++
	m.touched[id] = at
	for _, t := range m.byHash {
		if t.ID == id {
			t.LastUsedAt = at
		}
	}
	return nil
}

func setup(t testing.TB) (*auth.Auth, *memory) {
	t.Helper()
	m := &memory{byHash: map[string]*convoke.Token{}, touched: map[string]time.Time{}}
	a, err := auth.New(auth.Config{Tokens: m, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return a, m
}

func issue(t testing.TB, a *auth.Auth, ttl time.Duration) (string, *convoke.Token) {
	t.Helper()
	text, token, err := a.Issue(t.Context(), "1001", "ci", []convoke.Role{convoke.RoleDeveloper}, ttl, "root")
	if err != nil {
		t.Fatal(err)
	}
	return text.Reveal(), token
}

func request(authorization ...string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header["Authorization"] = authorization
	return r
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	a, m := setup(t)
	text, token := issue(t, a, 0)
	if !strings.HasPrefix(text, "cvk_") || len(text) != 47 {
		t.Errorf("token %q, want cvk_ and 43 characters", text)
	}
	if bytes.Contains(token.Hash, []byte(text)) || len(token.Hash) != 32 {
		t.Errorf("stored hash %x", token.Hash)
	}
	want := &convoke.Principal{AccountID: "1001", ID: token.ID, Name: "ci", Roles: []convoke.Role{convoke.RoleDeveloper}}
	for range 3 {
		got, err := a.Authenticate(request("bearer " + text))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("principal (-want +got):\n%s", diff)
		}
	}
	if n := m.finds.Load(); n != 1 {
		t.Errorf("the store was asked %d times for 3 requests, want 1", n)
	}

	other := text[:46] + "A" // another last character
	if other == text {
		other = text[:46] + "B"
	}
	for name, header := range map[string][]string{
		"none": nil, "empty": {""}, "two": {"Bearer " + text, "Bearer " + text}, "scheme only": {"Bearer "},
		"basic": {"Basic " + text}, "bare": {text}, "no such": {"Bearer " + other}, "cut": {"Bearer " + text[:46]},
		"longer": {"Bearer " + text + "x"}, "other prefix": {"Bearer xyz_" + text[4:]}, "huge": {"Bearer " + strings.Repeat("x", 1<<16)},
	} {
		if p, err := a.Authenticate(request(header...)); convoke.ErrorCode(err) != convoke.CodeUnauthorized || p != nil {
			t.Errorf("%s: got %v, %v, want CodeUnauthorized", name, p, err)
		}
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, _ := setup(t)
		text, _ := issue(t, a, 10*time.Second)
		if _, err := a.Authenticate(request("Bearer " + text)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second) // the bubble's clock; the cache still holds the token
		if _, err := a.Authenticate(request("Bearer " + text)); convoke.ErrorCode(err) != convoke.CodeUnauthorized {
			t.Errorf("expired token: got %v, want CodeUnauthorized", err)
		}
	})
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, m := setup(t)
		text, token := issue(t, a, 0)
		other, _ := issue(t, a, 0)
		for _, s := range []string{text, other} {
			if _, err := a.Authenticate(request("Bearer " + s)); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Revoke(t.Context(), "2002", token.ID); convoke.ErrorCode(err) != convoke.CodeNotFound {
			t.Errorf("revoking another account's token: got %v, want CodeNotFound", err)
		}
		if err := a.Revoke(t.Context(), "1001", token.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Authenticate(request("Bearer " + text)); convoke.ErrorCode(err) != convoke.CodeUnauthorized {
			t.Errorf("revoked token: got %v, want CodeUnauthorized at once", err)
		}
		if _, err := a.Authenticate(request("Bearer " + other)); err != nil {
			t.Errorf("the other token: %v", err)
		}
		// A revocation by another process holds after the time to live.
		all, _ := m.ListTokens(t.Context(), "1001")
		for _, tok := range all {
			if err := m.RevokeToken(t.Context(), "1001", tok.ID, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(30 * time.Second)
		if _, err := a.Authenticate(request("Bearer " + other)); convoke.ErrorCode(err) != convoke.CodeUnauthorized {
			t.Errorf("revoked elsewhere: got %v, want CodeUnauthorized after 30 s", err)
		}
	})
}

// TestRevokeDuringLookup revokes between the store's answer and its use: the
// stale answer must not be remembered.
func TestRevokeDuringLookup(t *testing.T) {
	t.Parallel()
	a, m := setup(t)
	text, token := issue(t, a, 0)
	m.onFind = func() {
		m.onFind = nil
		if err := a.Revoke(t.Context(), "1001", token.ID); err != nil {
			t.Error(err)
		}
	}
	_, _ = a.Authenticate(request("Bearer " + text)) // began before the revocation: may pass
	if _, err := a.Authenticate(request("Bearer " + text)); convoke.ErrorCode(err) != convoke.CodeUnauthorized {
		t.Errorf("after the revocation: got %v, want CodeUnauthorized", err)
	}
}

func TestWrongTokensDoNotReachTheStoreAgain(t *testing.T) {
	t.Parallel()
	a, m := setup(t)
	wrong := "Bearer cvk_" + strings.Repeat("w", 43)
	for range 5 {
		if _, err := a.Authenticate(request(wrong)); convoke.ErrorCode(err) != convoke.CodeUnauthorized {
			t.Fatalf("got %v", err)
		}
	}
	if n := m.finds.Load(); n != 1 {
		t.Errorf("the store was asked %d times, want 1", n)
	}
	good, _ := issue(t, a, 0)
	if _, err := a.Authenticate(request("Bearer " + good)); err != nil {
		t.Fatal(err)
	}
	for i := range 5000 { // a flood must not push good tokens out
		_, _ = a.Authenticate(request(fmt.Sprintf("Bearer cvk_%043d", i)))
	}
	before := m.finds.Load()
	if _, err := a.Authenticate(request("Bearer " + good)); err != nil || m.finds.Load() != before {
		t.Errorf("after a flood of wrong tokens a good one asks the store again (%v)", err)
	}
}

// TestRefusedTokensAreAlike: whatever is wrong with a token, it costs one look
// into the store, by its hash, and the answer is the same.
func TestRefusedTokensAreAlike(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, m := setup(t)
		expired, _ := issue(t, a, 10*time.Second)
		revoked, token := issue(t, a, 0)
		if err := a.Revoke(t.Context(), "1001", token.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // the bubble's clock
		answers := map[string]bool{}
		for name, text := range map[string]string{"unknown": "cvk_" + strings.Repeat("u", 43), "expired": expired, "revoked": revoked, "almost": revoked[:len(revoked)-1] + "_"} {
			before := m.finds.Load()
			_, err := a.Authenticate(request("Bearer " + text))
			if convoke.ErrorCode(err) != convoke.CodeUnauthorized || m.finds.Load() != before+1 {
				t.Errorf("%s: %v after %d looks into the store", name, err, m.finds.Load()-before)
			}
			answers[fmt.Sprint(err)] = true
			if got, want := m.lastHash, sha256.Sum256([]byte(text)); !bytes.Equal(got, want[:]) {
				t.Errorf("%s: the store was asked for %x", name, got)
			}
		}
		if len(answers) != 1 {
			t.Errorf("the answers differ: %v", answers)
		}
	})
}

func TestStoreFailure(t *testing.T) {
	t.Parallel()
	a, m := setup(t)
	text, _ := issue(t, a, 0)
	m.fail = convoke.Errorf(convoke.CodeUnavailable, "the store is gone")
	if _, err := a.Authenticate(request("Bearer " + text)); convoke.ErrorCode(err) != convoke.CodeUnavailable {
		t.Errorf("got %v, want the store's error: a failing store must not look like a wrong token", err)
	}
	m.fail = nil
	if _, err := a.Authenticate(request("Bearer " + text)); err != nil {
		t.Errorf("after the store is back: %v", err)
	}
}

func TestLastUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, m := setup(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		text, token := issue(t, a, 0)
		start := time.Now()
		for range 13 { // 0 s to 120 s
			if _, err := a.Authenticate(request("Bearer " + text)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
		}
		synctest.Wait()
		if m.touchedN != 3 || !m.touched[token.ID].Equal(start.Add(2*time.Minute)) {
			t.Errorf("%d uses recorded, the last %v after the first; want 3, 2m0s", m.touchedN, m.touched[token.ID].Sub(start))
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestIssueValidates(t *testing.T) {
	t.Parallel()
	a, _ := setup(t)
	admin := []convoke.Role{convoke.RoleAdmin}
	for name, issue := range map[string]func() error{
		"no name": func() error { _, _, err := a.Issue(t.Context(), "1", "", admin, 0, ""); return err },
		"long name": func() error {
			_, _, err := a.Issue(t.Context(), "1", strings.Repeat("n", 101), admin, 0, "")
			return err
		},
		"no role":      func() error { _, _, err := a.Issue(t.Context(), "1", "n", nil, 0, ""); return err },
		"unknown role": func() error { _, _, err := a.Issue(t.Context(), "1", "n", []convoke.Role{"king"}, 0, ""); return err },
		"role twice":   func() error { _, _, err := a.Issue(t.Context(), "1", "n", append(admin, admin...), 0, ""); return err },
		"past":         func() error { _, _, err := a.Issue(t.Context(), "1", "n", admin, -1, ""); return err },
		"account":      func() error { _, _, err := a.Issue(t.Context(), "le1", "n", admin, 0, ""); return err },
	} {
		if err := issue(); convoke.ErrorCode(err) != convoke.CodeValidation {
			t.Errorf("%s: got %v, want CodeValidation", name, err)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	p := &convoke.Principal{AccountID: "1001", Roles: []convoke.Role{convoke.RoleInvoker}}
	for _, tt := range []struct {
		p       *convoke.Principal
		account string
		perm    convoke.Permission
		want    convoke.Code
	}{
		{p, "1001", convoke.PermFunctionInvoke, ""},
		{p, "1001", convoke.PermFunctionWrite, convoke.CodeForbidden},
		{p, "2002", convoke.PermFunctionInvoke, convoke.CodeForbidden},
		{p, "", convoke.PermFunctionInvoke, convoke.CodeForbidden},
		{nil, "1001", convoke.PermFunctionInvoke, convoke.CodeForbidden},
	} {
		if got := convoke.ErrorCode(auth.Check(tt.p, tt.account, tt.perm)); got != tt.want {
			t.Errorf("Check(%v, %s, %s) = %q, want %q", tt.p, tt.account, tt.perm, got, tt.want)
		}
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	a, m := setup(b)
	text, _ := issue(b, a, 0)
	r := request("Bearer " + text)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Authenticate(r); err != nil {
			b.Fatal(err)
		}
	}
	if n := m.finds.Load(); n > 2 {
		b.Errorf("the store was asked %d times", n)
	}
}
