package oidc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"

	"convoke"
)

const (
	fuzzIssuer = "https://idp.example"
	fuzzClient = "convoke-fuzz"
)

// answers is a provider that says what the test wants, without a network.
type answers map[string]string // by path

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	body, ok := a[r.URL.Path]
	status := http.StatusOK
	if !ok {
		status = http.StatusNotFound
	}
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}, nil
}

const goodDiscovery = `{"issuer":"` + fuzzIssuer + `","authorization_endpoint":"` + fuzzIssuer + `/authorize","token_endpoint":"` + fuzzIssuer + `/token","jwks_uri":"` + fuzzIssuer + `/keys","userinfo_endpoint":"` + fuzzIssuer + `/userinfo","id_token_signing_alg_values_supported":["ES256"]}`

// signIn begins a sign-in at a provider that says that, and ends it as the
// browser does that comes back.
func signIn(said answers, f flight) (*Person, error) {
	p := New(Config{Issuer: fuzzIssuer, ClientID: fuzzClient, URL: "https://convoke.example", HTTP: &http.Client{Transport: said},
		RoleClaim: "groups", Roles: map[string]convoke.Role{"staff": convoke.RoleDeveloper}})
	begun := httptest.NewRecorder()
	if err := p.Begin(begun, httptest.NewRequest("GET", "/auth/oidc/login", nil), f.Next, true); err != nil {
		return nil, err
	}
	away := httptest.NewRecorder()
	if err := p.depart(away, f, true); err != nil {
		return nil, err
	}
	r := httptest.NewRequest("GET", CallbackPath+"?"+url.Values{"state": {f.State}, "code": {"c"}}.Encode(), nil)
	r.AddCookie(away.Result().Cookies()[0])
	return p.Finish(httptest.NewRecorder(), r, true)
}

// judged fails the test unless err is one that the person can be told.
func judged(t *testing.T, err error) {
	t.Helper()
	e, ok := errors.AsType[*convoke.Error](err)
	if !ok || e.Code != convoke.CodeUnauthorized && e.Code != convoke.CodeUnavailable || e.Message == "" || len(e.Message) > 400 || !utf8.ValidString(e.Message) {
		t.Errorf("refused with %v", err)
	}
}

// fuzzKey signs for the provider; keys is what it publishes.
func fuzzKey(f *testing.F) (sign func(payload string) string, keys string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
	if err != nil {
		f.Fatal(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		f.Fatal(err)
	}
	return func(payload string) string {
		signed, err := signer.Sign([]byte(payload))
		if err != nil {
			f.Fatal(err)
		}
		text, err := signed.CompactSerialize()
		if err != nil {
			f.Fatal(err)
		}
		return text
	}, string(set)
}

// FuzzClaims has the provider sign whatever there is, beside an answer of its
// user info: who comes in is whom a token for us, of now and of this sign-in
// names, and nobody else.
func FuzzClaims(f *testing.F) {
	sign, keys := fuzzKey(f)
	good := `{"iss":"` + fuzzIssuer + `","aud":"` + fuzzClient + `","sub":"s1","exp":4102444800,"iat":1700000000,"nonce":"n","preferred_username":"ann","groups":["staff"]}`
	info := `{"sub":"s1","email":"ann@example.com","email_verified":true,"groups":["admins"]}`
	f.Add(good, info)
	for _, change := range [][2]string{
		{`"nonce":"n"`, `"nonce":"m"`}, {`"nonce":"n",`, ``}, {fuzzClient, "another"}, {`"` + fuzzClient + `"`, `["a","` + fuzzClient + `"]`}, {fuzzIssuer, "https://evil.example"}, {`4102444800`, `1`}, {`4102444800`, `1e300`}, {`4102444800`, `"x"`},
		{`"s1"`, `""`}, {`"s1"`, `7`}, {`"ann"`, `["ann"]`}, {`["staff"]`, `"staff admins"`}, {`["staff"]`, `{"staff":{}}`}, {`["staff"]`, `null`}, {`"nonce":"n"`, `"nonce":"m","nonce":"n"`}, {`"sub"`, `"Sub":"s2","sub"`}, {`"iat":1700000000`, `"nbf":4000000000`},
	} {
		f.Add(strings.Replace(good, change[0], change[1], 1), info)
		f.Add(good, strings.Replace(info, change[0], change[1], 1))
	}
	for _, subject := range []string{`""`, `"` + strings.Repeat("s", 300) + `"`, `"a|b"`, `" "`} {
		f.Add(strings.Replace(good, `"s1"`, subject, 1), strings.Replace(info, `"s1"`, subject, 1))
	}
	for _, text := range []string{"", "null", "[]", "{}", `"x"`, "{", strings.Repeat(`{"a":`, 5000)} {
		f.Add(text, info)
		f.Add(good, text)
	}
	f.Fuzz(func(t *testing.T, claims, info string) {
		token, _ := json.Marshal(map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": sign(claims)}) // texts
		person, err := signIn(answers{"/.well-known/openid-configuration": goodDiscovery, "/token": string(token), "/keys": keys, "/userinfo": info},
			flight{State: "s", Nonce: "n", Verifier: "v", Next: "/"})
		if err != nil {
			if person != nil {
				t.Errorf("%+v and %v", person, err)
			}
			judged(t, err)
			return
		}
		var c struct {
			Issuer  string          `json:"iss"`
			Subject string          `json:"sub"`
			Nonce   string          `json:"nonce"`
			Expiry  float64         `json:"exp"`
			To      json.RawMessage `json:"aud"`
		}
		if err := json.Unmarshal([]byte(claims), &c); err != nil {
			t.Fatalf("%q was taken: %v", claims, err)
		}
		if c.Issuer != fuzzIssuer || c.Nonce != "n" || c.Expiry < float64(time.Now().Unix()) || !strings.Contains(string(c.To), fuzzClient) {
			t.Errorf("%q was taken", claims)
		}
		if c.Subject == "" || person.ID != fuzzIssuer+"|"+c.Subject {
			t.Errorf("%q is %q", claims, person.ID)
		}
		if len(c.Subject) > 255 {
			t.Errorf("somebody with a subject of %d bytes came in", len(c.Subject))
		}
		for _, name := range person.Names {
			if convoke.ValidateLoginName(name) != nil {
				t.Errorf("%q, %q is called %q", claims, info, name)
			}
		}
		if len(person.Names) > 2 || len(person.Roles) > 1 || person.Next != "/" {
			t.Errorf("%q, %q is %+v", claims, info, person)
		}
	})
}

// FuzzProvider reads what a provider may answer where it does not even hold to
// the protocol: its description, its keys and the answer to a code. Without a
// signature by the keys nobody comes in.
func FuzzProvider(f *testing.F) {
	sign, keys := fuzzKey(f)
	token := `{"access_token":"a","token_type":"Bearer","id_token":"e30.e30.c2ln"}`
	for _, text := range []string{"", "null", "[]", "{}", "<html>", `{"error":"invalid_grant"}`, strings.Repeat("[", 20_000), "\xff"} {
		f.Add(text, token, keys, "x")
		f.Add(goodDiscovery, text, keys, "x")
		f.Add(goodDiscovery, token, text, "x")
	}
	for _, change := range [][2]string{{fuzzIssuer + `"`, `https://evil.example"`}, {`/token"`, `\u0000"`}, {fuzzIssuer + "/keys", "file:///etc/passwd"}, {`["ES256"]`, `["none","HS256"]`}, {`["ES256"]`, `[]`}, {fuzzIssuer + "/authorize", "javascript:alert(1)"}} {
		f.Add(strings.Replace(goodDiscovery, change[0], change[1], 1), token, keys, "x")
	}
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"`+fuzzIssuer+`","aud":"`+fuzzClient+`","sub":"s","exp":4102444800,"nonce":"n"}`)) + "."
	f.Add(goodDiscovery, `{"access_token":"a","token_type":"Bearer","id_token":"`+unsigned+`"}`, keys, "x")
	f.Add(goodDiscovery, `{"access_token":"a","token_type":"Bearer","id_token":"`+sign(`{}`)+`"}`, keys, "error")
	f.Fuzz(func(t *testing.T, discovery, token, keys, said string) {
		person, err := signIn(answers{"/.well-known/openid-configuration": discovery, "/token": token, "/keys": keys, "/userinfo": "{}"},
			flight{State: "s", Nonce: "n", Verifier: "v", Next: "/" + said})
		if err == nil {
			t.Fatalf("%q and %q with the keys %q let %+v in", discovery, token, keys, person)
		}
		judged(t, err)
		// What the provider gives as the reason is told, in print.
		r := httptest.NewRequest("GET", CallbackPath+"?"+url.Values{"state": {"s"}, "error": {"access_denied"}, "error_description": {said}}.Encode(), nil)
		away := httptest.NewRecorder()
		p := New(Config{Issuer: fuzzIssuer, ClientID: fuzzClient, URL: "https://convoke.example", HTTP: &http.Client{Transport: answers{}}})
		if err := p.depart(away, flight{State: "s", Nonce: "n", Verifier: "v"}, true); err != nil {
			t.Fatal(err)
		}
		r.AddCookie(away.Result().Cookies()[0])
		_, err = p.Finish(httptest.NewRecorder(), r, true)
		judged(t, err)
		if err != nil && strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("told with control characters: %q", err)
		}
	})
}
