package oidc

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"convoke"
)

func TestPerson(t *testing.T) {
	t.Parallel()
	roles := map[string]convoke.Role{"admins": convoke.RoleAdmin, "staff": convoke.RoleDeveloper}
	base := func(more map[string]any) map[string]any {
		claims := map[string]any{"iss": "https://id.example.com", "sub": "7"}
		for k, v := range more {
			claims[k] = v
		}
		return claims
	}
	for name, c := range map[string]struct {
		claims map[string]any
		path   string
		want   Person
	}{
		"names":                 {base(map[string]any{"preferred_username": "ann", "email": "ann@example.com", "email_verified": true}), "roles", Person{Names: []string{"ann", "ann@example.com"}}},
		"unverified address":    {base(map[string]any{"email": "ann@example.com", "email_verified": false}), "roles", Person{}},
		"address as name":       {base(map[string]any{"preferred_username": "a@b.c", "email": "a@b.c", "email_verified": true}), "roles", Person{Names: []string{"a@b.c"}}},
		"a name that is none":   {base(map[string]any{"preferred_username": "two words"}), "roles", Person{}},
		"list":                  {base(map[string]any{"roles": []any{"staff", "others", "staff", 7}}), "roles", Person{Roles: []convoke.Role{convoke.RoleDeveloper}}},
		"text":                  {base(map[string]any{"roles": "staff admins"}), "roles", Person{Roles: []convoke.Role{convoke.RoleDeveloper, convoke.RoleAdmin}}},
		"path":                  {base(map[string]any{"realm": map[string]any{"roles": []any{"admins"}}}), "realm.roles", Person{Roles: []convoke.Role{convoke.RoleAdmin}}},
		"name with dots":        {base(map[string]any{"https://x.y/roles": []any{"admins"}}), "https://x.y/roles", Person{Roles: []convoke.Role{convoke.RoleAdmin}}},
		"object":                {base(map[string]any{"roles": map[string]any{"staff": map[string]any{}, "admins": 1}}), "roles", Person{Roles: []convoke.Role{convoke.RoleAdmin, convoke.RoleDeveloper}}},
		"nothing at the path":   {base(nil), "realm.roles", Person{}},
		"something else there":  {base(map[string]any{"realm": "x"}), "realm.roles", Person{}},
		"a number is no groups": {base(map[string]any{"roles": 7}), "roles", Person{}},
	} {
		c.want.ID, c.want.RolesAreGiven = "https://id.example.com|7", true
		got := New(Config{RoleClaim: c.path, Roles: roles}).person(c.claims)
		if diff := cmp.Diff(&c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestLocalPath(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{
		"/": "/", "/functions?x=1#y": "/functions?x=1#y", "": "/", "x": "/", "//evil.example": "/", `/\evil.example`: "/", "https://evil.example": "/",
		"/\t/evil.example": "/", "/\r\nSet-Cookie: x": "/", "/" + strings.Repeat("x", maxNext): "/",
	} {
		if got := localPath(next); got != want {
			t.Errorf("localPath(%q) = %q, want %q", next, got, want)
		}
	}
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	if got := printable(strings.Repeat("x", 199) + "ü"); got != strings.Repeat("x", 199) {
		t.Errorf("printable cuts through a character: %q", got)
	}
	if got := printable("a\x1b[31mb\n" + strings.Repeat("x", 300)); strings.ContainsAny(got, "\x1b\n") || len(got) != 200 {
		t.Errorf("printable: %q", got)
	}
}

// TestAnswersAreBounded: of a provider whose answer does not end no more is
// read than anybody needs.
func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	endless := &endless{}
	p := New(Config{Issuer: "https://idp.example", ClientID: "x", URL: "http://localhost", HTTP: &http.Client{Transport: endless}})
	err := p.Begin(httptest.NewRecorder(), httptest.NewRequest("GET", "/auth/oidc/login", nil), "/", false)
	if convoke.ErrorCode(err) != convoke.CodeUnavailable {
		t.Errorf("got %v, want CodeUnavailable", err)
	}
	if n := endless.read.Load(); n > 2*maxAnswer {
		t.Errorf("%d bytes were read", n)
	}
}

// endless answers everything with spaces that never end.
type endless struct{ read atomic.Int64 }

func (e *endless) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(e), ContentLength: -1, Request: r}, nil
}

func (e *endless) Read(p []byte) (int, error) {
	if e.read.Add(int64(len(p))) > 64<<20 {
		return 0, io.ErrUnexpectedEOF // without a bound the test ends all the same
	}
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// TestProviderIsAway: a provider that does not answer is asked once in a
// while, however many people try to sign in.
func TestProviderIsAway(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer down.Close()
	p := New(Config{Issuer: down.URL, ClientID: "x", URL: "http://localhost"})
	for range 20 {
		err := p.Begin(httptest.NewRecorder(), httptest.NewRequest("GET", "/auth/oidc/login", nil), "/", false)
		if convoke.ErrorCode(err) != convoke.CodeUnavailable {
			t.Errorf("got %v, want CodeUnavailable", err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the provider was asked %d times, want once", n)
	}
}
