package oauth

import (
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzProof holds that whatever is accepted as a proof is within bounds, by a
// real signature.
func FuzzProof(f *testing.F) {
	p := newProver(f)
	good := p.proof(f, "GET", "/x", "token")
	f.Add(good)
	f.Add(strings.Repeat(".", 3))
	f.Add(tamper(f, good, 0, `"ES256"`, `"none"`))
	f.Add(tamper(f, good, 0, `"EC"`, `"oct"`))
	f.Add(tamper(f, good, 1, `"GET"`, `"PUT"`))
	f.Add("eyJhbGciOiJSUzI1NiIsInR5cCI6ImRwb3Arand0IiwiandrIjp7Imt0eSI6IlJTQSIsIm4iOiJBUSIsImUiOiJBUSJ9fQ.e30.AA")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseProof(text)
		if err != nil {
			if _, ok := err.(*problem); !ok || got != nil {
				t.Errorf("got %v, %v", got, err)
			}
			return
		}
		if len(text) > maxProof || got.id == "" || len(got.id) > 200 || len(got.thumbprint) != 43 || got.method == "" || got.target == "" || got.at.Unix() <= 0 {
			t.Errorf("accepted %q as %+v", text, got)
		}
	})
}

// FuzzAccessToken holds that nothing but a token of ours is one.
func FuzzAccessToken(f *testing.F) {
	keys, err := OpenKeys(KeysConfig{Dir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	s := &Server{keys: keys, issuer: issuer, lifetime: time.Hour}
	now := time.Now()
	good, err := s.issue(now, claims{Subject: "c", ClientID: "c", Account: home}, nil, "")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good.access)
	f.Add(tamper(f, good.access, 0, "ES256", "none"))
	f.Add(tamper(f, good.access, 1, home, other))
	f.Add("eyJhbGciOiJFUzI1NiJ9.e30.")
	f.Fuzz(func(t *testing.T, token string) {
		// What is signed is ours; the signature's last bits are not part of it.
		c, err := s.parse(token, now)
		if (err == nil) != (c != nil) || c != nil && (c.Account != home || token[:strings.LastIndexByte(token, '.')] != good.access[:strings.LastIndexByte(good.access, '.')]) {
			t.Errorf("%q: got %+v, %v", token, c, err)
		}
	})
}

// FuzzForm holds that a form is read in one way only.
func FuzzForm(f *testing.F) {
	for _, text := range []string{"a=b&c=d", "a=b&a=c", "a=b&%61=c", "a;b", "=", "&&", "a=%ff", "a+b=c%20d", "%zz"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		form, err := parseForm(text)
		if err != nil {
			return
		}
		again, err := url.ParseQuery(form.Encode())
		if err != nil || len(again) != len(form) {
			t.Fatalf("%q: %v, %v", text, form, err)
		}
		for name, values := range form {
			if len(values) != 1 || !slices.Equal(again[name], values) {
				t.Errorf("%q: %q is %q", text, name, values)
			}
		}
	})
}

// FuzzGrantToken holds that every accepted code has one spelling.
func FuzzGrantToken(f *testing.F) {
	good, _ := newToken(codePrefix, [16]byte{1, 2, 3})
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(codePrefix)
	f.Add(codePrefix + strings.Repeat("\n", 64))
	f.Fuzz(func(t *testing.T, text string) {
		id, ok := grantOf(codePrefix, text)
		if ok && (len(text) != len(good) || !strings.HasPrefix(text, codePrefix) || strings.ContainsAny(text, "\r\n")) {
			t.Errorf("%q is taken for a code of %s", text, id)
		}
	})
}

// FuzzHeaders sends texts as Authorization and DPoP to a protected path: who
// comes in has a token of ours that is not bound, or one that is with a proof by
// its key, which is good once.
func FuzzHeaders(f *testing.F) {
	w := setup(f)
	id, secret := w.client(f, nil)
	p := newProver(f)
	r := formRequest("/oauth2/token", "grant_type", "client_credentials", "client_id", id, "client_secret", secret)
	r.Header.Set("DPoP", p.proof(f, "POST", "/oauth2/token", ""))
	bound, free := w.do(f, r).member(f, "access_token"), w.token(f, id, secret)
	proof := p.proof(f, "GET", mePath, bound)
	for _, token := range []string{bound, free} {
		for _, scheme := range []string{"Bearer ", "DPoP ", "bearer ", "dpop ", "Basic ", "", "Bearer  ", "Bearer\t"} {
			f.Add(scheme+token, "")
			f.Add(scheme+token, proof)
			f.Add(scheme+token+"=", proof+".")
			f.Add(scheme+tamper(f, token, 0, "ES256", "none"), tamper(f, proof, 1, "GET", "get"))
			f.Add(scheme+token, tamper(f, proof, 1, home, other))
		}
	}
	// The signature's last bits are not part of it.
	same := func(a, b string) bool {
		return len(a) == len(b) && a[:strings.LastIndexByte(b, '.')] == b[:strings.LastIndexByte(b, '.')]
	}
	f.Fuzz(func(t *testing.T, authorization, dpop string) {
		r := httptest.NewRequest("GET", mePath, nil)
		r.Header["Authorization"] = []string{authorization}
		if dpop != "" {
			r.Header["Dpop"] = []string{dpop}
		}
		got := w.do(t, r)
		scheme, token, _ := strings.Cut(authorization, " ")
		switch {
		case got.status == 200 && strings.EqualFold(scheme, "Bearer") && same(token, free):
		case got.status == 200 && strings.EqualFold(scheme, "DPoP") && same(token, bound) && same(dpop, proof):
		case got.status == 429, got.status == 401 && got.header.Get("WWW-Authenticate") != "":
		default:
			t.Errorf("%q with the proof %q: %d %s", authorization, dpop, got.status, got.body)
		}
		if got.status == 200 && strings.EqualFold(scheme, "DPoP") {
			if again := w.do(t, r.Clone(t.Context())); again.status == 200 {
				t.Errorf("the proof %q is good twice", dpop)
			}
		}
	})
}
