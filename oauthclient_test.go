package convoke_test

import (
	"os"
	"strings"
	"testing"

	"convoke"
)

func TestRedirectURIsAreValidated(t *testing.T) {
	t.Parallel()
	for uri, good := range map[string]bool{
		"https://app.example.com/cb":            true,
		"https://app.example.com:8443/cb?a=b":   true,
		"http://127.0.0.1/cb":                   true,
		"http://127.0.0.1:7000/cb":              true,
		"http://[::1]:1/":                       true,
		"http://localhost:3000/cb":              true,
		"com.example.app:/callback":             true,
		"http://app.example.com/cb":             false,
		"http://127.0.0.1.example.com/cb":       false,
		"http://127.0.0.2/cb":                   false,
		"http://0.0.0.0/cb":                     false,
		"https://*.example.com/cb":              false,
		"https://app.example.com/cb#x":          false,
		"https://app.example.com/cb#":           false,
		"https://user@app.example.com/cb":       false,
		"https://user:pass@app.example.com/cb":  false,
		"https:///cb":                           false,
		"https:app.example.com":                 false,
		"//app.example.com/cb":                  false,
		"/cb":                                   false,
		"":                                      false,
		"javascript:alert(1)":                   false,
		"data:text/html,x":                      false,
		"app:/cb":                               false,
		"com.example.app://host/cb":             false,
		"https://app.example.com/c b":           false,
		"https://app.example.com\\@evil.com":    false,
		"https://app.example.com/\r\nX: y":      false,
		"https://bücher.example/cb":             false,
		"https://a.example/" + long:             false,
		"https://app.example.com/cb\"onclick=x": false,
	} {
		c := client(uri)
		if err := c.Validate(); (err == nil) != good {
			t.Errorf("%q: got %v, want it accepted: %v", uri, err, good)
		} else if !good && convoke.ErrorCode(err) != convoke.CodeValidation {
			t.Errorf("%q: got %v, want CodeValidation", uri, err)
		}
	}
}

var long = strings.Repeat("a", 500)

func client(uris ...string) *convoke.Client {
	return &convoke.Client{AccountID: "1", Name: "app", GrantTypes: []convoke.GrantType{convoke.GrantAuthorizationCode},
		Scopes: []convoke.Scope{convoke.ScopeInvoke}, RedirectURIs: uris}
}

func TestRedirectURIIsMatched(t *testing.T) {
	t.Parallel()
	registered := []string{"https://app.example.com/cb", "http://127.0.0.1/cb", "http://[::1]:9/cb?x=1", "http://localhost:3000/cb", "com.example.app:/cb"}
	c := client(registered...)
	for asked, good := range map[string]bool{
		"https://app.example.com/cb":          true,
		"https://app.example.com/cb/":         false,
		"https://app.example.com/cb?x":        false,
		"https://app.example.com/CB":          false,
		"https://APP.example.com/cb":          false,
		"https://app.example.com:443/cb":      false,
		"https://app.example.com/a/../cb":     false,
		"https://app.example.com/%63b":        false,
		"https://app.example.com.evil.org/cb": false,
		"https://app.example.com@evil.org/cb": false,
		"http://app.example.com/cb":           false,
		"http://127.0.0.1:51004/cb":           true,
		"http://127.0.0.1/cb":                 true,
		"http://127.0.0.1:51004/other":        false,
		"http://127.0.0.1:51004@evil.org/cb":  false,
		"http://127.0.0.1:x/cb":               false,
		"http://127.0.0.2:1/cb":               false,
		"https://127.0.0.1:1/cb":              false,
		"http://[::1]:77/cb?x=1":              true,
		"http://[::1]:77/cb":                  false,
		"http://localhost:3000/cb":            true,
		"http://localhost:3001/cb":            false,
		"com.example.app:/cb":                 true,
		"":                                    false, // there are several
	} {
		got, ok := c.RedirectURI(asked)
		if ok != good || ok && got != asked {
			t.Errorf("%q: got %q, %v, want %v", asked, got, ok, good)
		}
	}
	if got, ok := client("https://one.example/cb").RedirectURI(""); !ok || got != "https://one.example/cb" {
		t.Errorf("the only registered URI: got %q, %v", got, ok)
	}
}

func TestClientIsValidated(t *testing.T) {
	t.Parallel()
	machine := []convoke.GrantType{convoke.GrantClientCredentials}
	for name, change := range map[string]func(*convoke.Client){
		"account":             func(c *convoke.Client) { c.AccountID = "x" },
		"no name":             func(c *convoke.Client) { c.Name = "" },
		"long name":           func(c *convoke.Client) { c.Name = long },
		"outer space":         func(c *convoke.Client) { c.Name = "app " },
		"control character":   func(c *convoke.Client) { c.Name = "a\nb" },
		"no grant":            func(c *convoke.Client) { c.GrantTypes = nil },
		"unknown grant":       func(c *convoke.Client) { c.GrantTypes = []convoke.GrantType{"password"} },
		"grant twice":         func(c *convoke.Client) { c.GrantTypes = append(c.GrantTypes, c.GrantTypes...) },
		"no scope":            func(c *convoke.Client) { c.Scopes = nil },
		"unknown scope":       func(c *convoke.Client) { c.Scopes = []convoke.Scope{"admin"} },
		"scope twice":         func(c *convoke.Client) { c.Scopes = append(c.Scopes, c.Scopes...) },
		"public machine":      func(c *convoke.Client) { c.Public, c.GrantTypes, c.RedirectURIs = true, machine, nil },
		"code, no redirect":   func(c *convoke.Client) { c.RedirectURIs = nil },
		"redirect, no code":   func(c *convoke.Client) { c.GrantTypes = machine },
		"redirect twice":      func(c *convoke.Client) { c.RedirectURIs = append(c.RedirectURIs, c.RedirectURIs...) },
		"too many redirects":  func(c *convoke.Client) { c.RedirectURIs = make([]string, 21) },
		"redirect to nowhere": func(c *convoke.Client) { c.RedirectURIs = []string{"nowhere"} },
	} {
		c := client("https://app.example.com/cb")
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		change(c)
		if err := c.Validate(); convoke.ErrorCode(err) != convoke.CodeValidation {
			t.Errorf("%s: got %v, want CodeValidation", name, err)
		}
	}
}

// TestPrincipalThroughClient holds that a client never gets more than its
// scopes, nor a user through one more than both.
func TestPrincipalThroughClient(t *testing.T) {
	t.Parallel()
	invoke, write := convoke.PermFunctionInvoke, convoke.PermFunctionWrite
	admin, viewer := []convoke.Role{convoke.RoleAdmin}, []convoke.Role{convoke.RoleViewer}
	scopes := []convoke.Scope{convoke.ScopeInvoke, convoke.ScopeOpenID}
	for _, tt := range []struct {
		p    *convoke.Principal
		perm convoke.Permission
		want bool
	}{
		{nil, invoke, false},
		{&convoke.Principal{ID: "u", Roles: admin}, write, true},
		{&convoke.Principal{ID: "u", Scopes: scopes}, invoke, false}, // no client: scopes mean nothing
		{&convoke.Principal{ID: "c", ClientID: "c", Scopes: scopes}, invoke, true},
		{&convoke.Principal{ID: "c", ClientID: "c", Scopes: scopes}, write, false},
		{&convoke.Principal{ID: "c", ClientID: "c"}, invoke, false},
		{&convoke.Principal{ID: "u", ClientID: "c", Roles: admin, Scopes: scopes}, invoke, true},
		{&convoke.Principal{ID: "u", ClientID: "c", Roles: admin, Scopes: scopes}, write, false},
		{&convoke.Principal{ID: "u", ClientID: "c", Roles: viewer, Scopes: scopes}, invoke, false},
		{&convoke.Principal{ID: "u", ClientID: "c", Scopes: scopes}, invoke, false},
		{&convoke.Principal{ID: "u", ClientID: "c", Roles: admin}, invoke, false},
	} {
		if got := tt.p.May(tt.perm); got != tt.want {
			t.Errorf("%+v may %s: %v, want %v", tt.p, tt.perm, got, tt.want)
		}
	}
	for _, s := range convoke.Scopes {
		for _, forbidden := range []convoke.Permission{convoke.PermTokenWrite, convoke.PermUserWrite, convoke.PermClientWrite, convoke.PermAccountWrite} {
			if convoke.Granted([]convoke.Scope{s.Scope}, forbidden) {
				t.Errorf("scope %s grants %s: a client could give itself more", s.Scope, forbidden)
			}
		}
	}
}

// TestScopesDocumented holds docs/oauth.md to the table of scopes.
func TestScopesDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("docs/oauth.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range convoke.Scopes {
		if !strings.Contains(string(text), "`"+string(s.Scope)+"`") {
			t.Errorf("docs/oauth.md does not mention the scope %s", s.Scope)
		}
	}
}
