package httpapi

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"convoke"
	"convoke/api"
	"convoke/internal/httpx"
)

// TestEveryRouteIsGuarded walks the table: nobody gets in without a token of
// the account whose role allows it, and everybody with one does.
func TestEveryRouteIsGuarded(t *testing.T) {
	t.Parallel()
	w := setup(t)
	s := &server{Config: w.config}
	routes := append(s.routes(), s.v1Routes()...)
	if len(routes) < 35 {
		t.Fatalf("the table has %d routes", len(routes))
	}
	// What a public route answers to nobody who sends nothing, unless 200.
	public := map[string]int{"POST /api/account/{account}/login": 400, "POST /api/account/{account}/refresh": 401,
		"GET /auth/oidc/login": 404, "GET /auth/oidc/callback": 404, // no provider
		"POST /sentinel/api/account/{account}/app/token": 400, "POST /sentinel/api/v2/account/{account}/app/token": 400,
		"POST /sentinel/api/account/{account}/token": 400, "POST /oauth2/token": 400, "POST /oauth2/revoke": 401,
		"GET /sentinel/api/account/{account}/authorize": 400, "POST /sentinel/api/account/{account}/authorize": 400,
		"GET /oauth2/authorize": 400, "POST /oauth2/authorize": 400,
	}
	w.endedTokens(t)
	w.clientToken(t)
	for _, rt := range routes {
		name := rt.Method + " " + rt.Path
		if !rt.Rule.valid() {
			t.Errorf("%s has no rule", name)
			continue
		}
		if strings.HasSuffix(rt.Path, "/stream") {
			continue // below: a stream that lets one in does not end
		}
		path := example(rt.Path)
		if rt.Rule.public {
			if status, _, body := w.do(t, "", rt.Method, path, "", nil); status != cmp.Or(public[name], http.StatusOK) {
				t.Errorf("%s is public, but answered %d %s", name, status, body)
			}
			continue
		}
		want := map[string]convoke.Code{"": convoke.CodeUnauthorized, "wrong": convoke.CodeUnauthorized, "expired": convoke.CodeUnauthorized, "revoked": convoke.CodeUnauthorized,
			"ended client": convoke.CodeUnauthorized, "expired client": convoke.CodeUnauthorized, "client": convoke.CodeForbidden, "other client": convoke.CodeForbidden, "other": convoke.CodeForbidden,
			"other session": convoke.CodeForbidden, "ended session": convoke.CodeUnauthorized}
		for _, role := range convoke.Roles {
			code := convoke.CodeForbidden
			if rt.Rule.member || convoke.May([]convoke.Role{role}, rt.Rule.perm) {
				code = ""
			}
			want[string(role)], want[string(role)+" session"] = code, code
		}
		if rt.Rule.perm == convoke.PermFunctionInvoke { // the only scope that it has
			want["client"] = ""
		}
		if rt.Rule.wrongIsForbidden {
			for _, as := range []string{"wrong", "expired", "revoked", "ended session", "ended client", "expired client"} {
				want[as] = convoke.CodeForbidden
			}
		}
		for as, code := range want {
			if strings.HasSuffix(as, "session") {
				w.session(t, as) // a new one: some routes end it
			}
			status, header, body := w.do(t, as, rt.Method, path, "", nil)
			var got api.Error
			_ = json.Unmarshal([]byte(body), &got) // a success is no error body
			refused := got.Code == convoke.CodeUnauthorized || got.Code == convoke.CodeForbidden
			switch {
			case code == "" && (refused || status >= 500 && status != 901):
				t.Errorf("%s as %s: %d %s, want to be let in", name, as, status, body)
			case code != "" && (got.Code != code || status != api.Status(code)):
				t.Errorf("%s as %q: %d %s, want %s", name, as, status, body, code)
			case code == convoke.CodeUnauthorized && header.Get("WWW-Authenticate") == "":
				t.Errorf("%s as %q: no WWW-Authenticate", name, as)
			}
		}
	}
	for _, path := range []string{"/logs/stream", "/functions/f1/logs/stream"} {
		for as, want := range map[string]int{"": 401, "wrong": 401, "expired": 401, "revoked": 401, "ended client": 401, "expired client": 401, "other": 403, "other client": 403, "client": 403} {
			if status, _, body := w.do(t, as, "GET", path, "", nil); status != want {
				t.Errorf("GET %s as %q: %d %s, want %d", path, as, status, body, want)
			}
		}
	}
}

// endedTokens makes an admin's token that has expired and one that was revoked.
func (w *world) endedTokens(t *testing.T) {
	t.Helper()
	for _, name := range []string{"expired", "revoked"} {
		text := "cvk_" + strings.Repeat(name[:1], 43)
		sum := sha256.Sum256([]byte(text))
		tok := &convoke.Token{ID: name, AccountID: home, Name: name, Hash: sum[:], Roles: []convoke.Role{convoke.RoleAdmin}, CreatedAt: time.Now().Add(-time.Hour)}
		if name == "expired" {
			tok.ExpiresAt = time.Now().Add(-time.Second)
		}
		if err := w.store.CreateToken(t.Context(), tok); err != nil {
			t.Fatal(err)
		}
		w.tokens[name] = text
	}
	if err := w.config.Auth.Revoke(t.Context(), home, "revoked"); err != nil {
		t.Fatal(err)
	}
}

// clientToken gets access tokens of three OAuth clients that may invoke: of the
// account at home, of it and disabled then, and of the other account; and of
// the first one that has expired.
func (w *world) clientToken(t *testing.T) {
	t.Helper()
	for name, account := range map[string]string{"client": home, "ended client": home, "other client": other} {
		c := &convoke.Client{AccountID: account, Name: name, GrantTypes: convoke.GrantTypes[:1], Scopes: []convoke.Scope{convoke.ScopeInvoke}}
		secret, err := w.config.OAuth.CreateClient(t.Context(), c, "setup")
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.PostForm(w.url+"/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ID}, "client_secret": {secret.Reveal()}})
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var out api.OAuthToken
		if err := json.NewDecoder(res.Body).Decode(&out); err != nil || out.AccessToken == "" {
			t.Fatalf("no token: %d %v", res.StatusCode, err)
		}
		w.tokens[name] = out.AccessToken
		if name == "client" {
			w.expiredClient(t, c.ID, secret)
		}
		if name != "ended client" {
			continue
		}
		if _, _, err := w.config.OAuth.UpdateClient(t.Context(), home, c.ID, func(c *convoke.Client) { c.Disabled = true }, "setup"); err != nil {
			t.Fatal(err)
		}
	}
}

// expiredClient gets the token of a client that has expired meanwhile.
func (w *world) expiredClient(t *testing.T, id string, secret convoke.Secret) {
	t.Helper()
	r := httptest.NewRequest("POST", "/oauth2/token", strings.NewReader(url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret.Reveal()}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var out api.OAuthToken
	answer := httptest.NewRecorder()
	edge := httpx.New(httpx.Config{Logger: w.config.Logger})
	edge.Wrap(edge.Handle(w.past.Token, true)).ServeHTTP(answer, r)
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil || out.AccessToken == "" {
		t.Fatalf("no expired token: %v", err)
	}
	w.tokens["expired client"] = out.AccessToken
}

// example fills the wildcards of a path.
func example(path string) string {
	return strings.NewReplacer("{$}", "", "{account}", home, "{uuid}", "f1", "{version}", "1", "{event}", "conversational_command", "{token}", "t1", "{domain}", "d1", "{service}", "faasGW",
		"{user}", "u1", "{client}", "c1", "{consent}", "g1", "{session}", "s1", "{id}", "30000003").Replace(path)
}

// TestOtherAccountsDoNotShow compares the refusals for an account that exists
// and for one that does not.
func TestOtherAccountsDoNotShow(t *testing.T) {
	t.Parallel()
	w := setup(t)
	_, _, exists := w.do(t, "admin", "GET", "/api/account/"+other+"/functions", "", nil)
	status, _, not := w.do(t, "admin", "GET", "/api/account/30000003/functions", "", nil)
	if status != http.StatusForbidden || exists != not {
		t.Errorf("an account that exists answers %s, one that does not %d %s", exists, status, not)
	}
}

func TestNewRefusesWiringMistakes(t *testing.T) {
	t.Parallel()
	w := setup(t)
	handle := func(http.ResponseWriter, *http.Request, *convoke.Principal) error { return nil }
	for name, change := range map[string]func(*Config){
		"no service":       func(c *Config) { c.Functions = nil },
		"no gateway":       func(c *Config) { c.Gateway.Event = nil },
		"no probe":         func(c *Config) { c.Probes.Ready = nil },
		"route, no rule":   func(c *Config) { c.Extra = []Route{{Method: "GET", Path: "/x", Handle: handle}} },
		"route, no handle": func(c *Config) { c.Extra = []Route{{Method: "GET", Path: "/x", Rule: Public}} },
	} {
		c := w.config
		change(&c)
		if _, err := New(c); convoke.ErrorCode(err) != convoke.CodeInternal {
			t.Errorf("%s: New returned %v, want CodeInternal", name, err)
		}
	}
	c := w.config
	c.Extra = []Route{{Method: "GET", Path: "/x", Rule: Public, Handle: handle, Doc: Doc{Hidden: true}}}
	if _, err := New(c); err != nil {
		t.Errorf("an extra route: %v", err)
	}
}

func TestMetricsCanBePublic(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.config.Probes.MetricsPublic = true
	for _, rt := range (&server{Config: w.config}).routes() {
		if rt.Path == "/metrics" && rt.Rule != Public {
			t.Errorf("the rule of /metrics is %+v, want Public", rt.Rule)
		}
	}
}
