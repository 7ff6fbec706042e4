package oidc

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"convoke"
)

// TestFlightCookie holds that over HTTPS the cookie is one that no other host
// and nobody without TLS can plant, and that it has room for the longest way
// back.
func TestFlightCookie(t *testing.T) {
	t.Parallel()
	next := "/" + strings.Repeat("&", maxNext-1)
	for _, secure := range []bool{true, false} {
		w := httptest.NewRecorder()
		p := New(Config{Issuer: "http://127.0.0.1:1", ClientID: "x", URL: "http://localhost"})
		if err := p.depart(w, flight{State: random(), Nonce: random(), Verifier: random(), Next: next}, secure); err != nil {
			t.Fatal(err)
		}
		c := w.Result().Cookies()[0]
		if strings.HasPrefix(c.Name, "__Host-") != secure || c.Secure != secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode || len(c.Value) > flightBytes {
			t.Errorf("secure %v: %+v, %d bytes", secure, c, len(c.Value))
		}
		r := httptest.NewRequest("GET", CallbackPath, nil)
		r.AddCookie(c)
		if f, err := readFlight(r, secure); err != nil || f.Next != next {
			t.Errorf("secure %v: read %+v, %v", secure, f, err)
		}
		if _, err := readFlight(r, !secure); convoke.ErrorCode(err) != convoke.CodeUnauthorized {
			t.Errorf("secure %v: taken for one of the other kind: %v", secure, err)
		}
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
		if _, err := readFlight(r, secure); convoke.ErrorCode(err) != convoke.CodeUnauthorized {
			t.Errorf("secure %v: two of the name: %v", secure, err)
		}
	}
}

func TestLoginPath(t *testing.T) {
	t.Parallel()
	if path, ok := LoginPath("/oauth2/authorize?a=b&c"); !ok || path != "/auth/oidc/login?next=%2Foauth2%2Fauthorize%3Fa%3Db%26c" {
		t.Errorf("%s %v", path, ok)
	}
	for _, next := range []string{"https://evil.example/", "//evil.example", "/" + strings.Repeat("x", maxNext)} {
		if path, ok := LoginPath(next); ok {
			t.Errorf("%.50s leads by %s", next, path)
		}
	}
}

// FuzzFlight reads what a browser may send as the cookie.
func FuzzFlight(f *testing.F) {
	for _, text := range []string{"", "e30", "eyJzIjoiYSIsIm4iOiJiIiwidiI6ImMiLCJ4IjoiLyJ9", "!!", strings.Repeat("A", flightBytes+1)} {
		f.Add(text, true)
	}
	f.Fuzz(func(t *testing.T, text string, secure bool) {
		r := httptest.NewRequest("GET", CallbackPath, nil)
		r.Header.Set("Cookie", flightName(secure)+"="+text)
		got, err := readFlight(r, secure)
		if err == nil && (got.State == "" || got.Nonce == "" || got.Verifier == "") {
			t.Errorf("%q was taken as %+v", text, got)
		}
		if next := localPath(got.Next); !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") {
			t.Errorf("%q leads to %q", text, next)
		}
	})
}
