package httpapi

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"convoke"
	"convoke/api"
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
		want := map[string]convoke.Code{"": convoke.CodeUnauthorized, "wrong": convoke.CodeUnauthorized, "other": convoke.CodeForbidden,
			"other session": convoke.CodeForbidden, "ended session": convoke.CodeUnauthorized}
		for _, role := range convoke.Roles {
			code := convoke.CodeForbidden
			if rt.Rule.member || convoke.May([]convoke.Role{role}, rt.Rule.perm) {
				code = ""
			}
			want[string(role)], want[string(role)+" session"] = code, code
		}
		if rt.Rule.wrongIsForbidden {
			want["wrong"], want["ended session"] = convoke.CodeForbidden, convoke.CodeForbidden
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
		for as, want := range map[string]int{"": 401, "wrong": 401, "other": 403} {
			if status, _, body := w.do(t, as, "GET", path, "", nil); status != want {
				t.Errorf("GET %s as %q: %d %s, want %d", path, as, status, body, want)
			}
		}
	}
}

// example fills the wildcards of a path.
func example(path string) string {
	return strings.NewReplacer("{$}", "", "{account}", home, "{uuid}", "f1", "{version}", "1", "{event}", "conversational_command", "{token}", "t1", "{domain}", "d1", "{service}", "faasGW",
		"{user}", "u1", "{client}", "c1", "{consent}", "g1", "{id}", "30000003").Replace(path)
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
