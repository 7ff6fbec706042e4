package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
)

// prover makes DPoP proofs.
type prover struct {
	alg jose.SignatureAlgorithm
	key crypto.Signer
}

func newProver(t testing.TB) *prover {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &prover{jose.ES256, key}
}

// proof is a good one; token is the access token, "" for none.
func (p *prover) proof(t testing.TB, method, path, token string) string {
	t.Helper()
	return p.sign(t, p.claims(method, path, token))
}

func (p *prover) claims(method, path, token string) map[string]any {
	c := map[string]any{"jti": uuid.NewString(), "htm": method, "htu": "https://example.com" + path, "iat": time.Now().Unix()}
	if token != "" {
		c["ath"] = base64.RawURLEncoding.EncodeToString(hashOf(token))
	}
	return c
}

func (p *prover) sign(t testing.TB, claims any) string {
	t.Helper()
	b, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return p.signBytes(t, b, "dpop+jwt")
}

func (p *prover) signBytes(t testing.TB, payload []byte, typ jose.ContentType) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: p.alg, Key: p.key}, (&jose.SignerOptions{EmbedJWK: true}).WithType(typ))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

const mePath = "/api/account/" + home + "/me"

// use presents a token with proofs.
func (w *world) use(t testing.TB, scheme, token string, proofs ...string) reply {
	t.Helper()
	r := httptest.NewRequest("GET", mePath+"?a=b", nil)
	r.Header.Set("Authorization", scheme+" "+token)
	r.Header["Dpop"] = proofs
	return w.do(t, r)
}

func TestDPoP(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id, secret := w.client(t, nil)
	p, thief := newProver(t), newProver(t)
	res := w.do(t, func() *http.Request {
		r := formRequest("/sentinel/api/account/"+home+"/app/token", "grant_type", "client_credentials", "client_id", id, "client_secret", secret)
		r.Header.Set("DPoP", p.proof(t, "POST", "/sentinel/api/account/"+home+"/app/token", ""))
		return r
	}())
	token := res.member(t, "access_token")
	if kind := res.member(t, "token_type"); kind != "DPoP" || res.status != 200 {
		t.Fatalf("%d %s", res.status, res.body)
	}
	unbound := w.token(t, id, secret)

	good := func() map[string]any { return p.claims("GET", mePath, token) }
	with := func(name string, value any) string {
		c := good()
		if value == nil {
			delete(c, name)
		} else {
			c[name] = value
		}
		return p.sign(t, c)
	}
	once := with("jti", "once")
	for _, tt := range []struct {
		name   string
		scheme string
		token  string
		proofs []string
		status int
		says   string
	}{
		{"good", "DPoP", token, []string{once}, 200, ""},
		{"replayed", "DPoP", token, []string{once}, 401, "used before"},
		{"lower case scheme", "dpop", token, []string{p.sign(t, good())}, 200, ""},
		{"full URL with query", "DPoP", token, []string{with("htu", "http://EXAMPLE.com:80"+mePath+"?a=b#c")}, 200, ""},
		{"the issuer's host", "DPoP", token, []string{with("htu", issuer+mePath)}, 200, ""},
		{"a little ahead", "DPoP", token, []string{with("iat", time.Now().Add(skew-5*time.Second).Unix())}, 200, ""},
		{"as bearer", "Bearer", token, []string{p.sign(t, good())}, 401, "bound to a DPoP key"},
		{"as bearer, no proof", "Bearer", token, nil, 401, "bound to a DPoP key"},
		{"no proof", "DPoP", token, nil, 401, "there is none"},
		{"two proofs", "DPoP", token, []string{p.sign(t, good()), p.sign(t, good())}, 401, "more than one"},
		{"empty proof", "DPoP", token, []string{""}, 401, "no JWT"},
		{"not bound", "DPoP", unbound, []string{p.proof(t, "GET", mePath, unbound)}, 401, "not bound"},
		{"stolen", "DPoP", token, []string{thief.proof(t, "GET", mePath, token)}, 401, "another key"},
		{"other method", "DPoP", token, []string{with("htm", "POST")}, 401, "another method"},
		{"method in lower case", "DPoP", token, []string{with("htm", "get")}, 401, "another method"},
		{"other path", "DPoP", token, []string{with("htu", "https://example.com/api/account/"+home)}, 401, "another URL"},
		{"other host", "DPoP", token, []string{with("htu", "https://evil.com"+mePath)}, 401, "another URL"},
		{"host as user", "DPoP", token, []string{with("htu", "https://example.com@evil.com"+mePath)}, 401, "another URL"},
		{"other port", "DPoP", token, []string{with("htu", "https://example.com:8443"+mePath)}, 401, "another URL"},
		{"path only", "DPoP", token, []string{with("htu", mePath)}, 401, "another URL"},
		{"old", "DPoP", token, []string{with("iat", time.Now().Add(-proofAge-2*time.Second).Unix())}, 401, "too old"},
		{"far ahead", "DPoP", token, []string{with("iat", time.Now().Add(skew+5*time.Second).Unix())}, 401, "too old"},
		{"absurd time", "DPoP", token, []string{with("iat", 1<<62)}, 401, "needs"},
		{"no iat", "DPoP", token, []string{with("iat", nil)}, 401, "needs"},
		{"no jti", "DPoP", token, []string{with("jti", nil)}, 401, "needs"},
		{"long jti", "DPoP", token, []string{with("jti", strings.Repeat("j", 201))}, 401, "needs"},
		{"no htm", "DPoP", token, []string{with("htm", nil)}, 401, "needs"},
		{"no htu", "DPoP", token, []string{with("htu", nil)}, 401, "needs"},
		{"no ath", "DPoP", token, []string{with("ath", nil)}, 401, "another access token"},
		{"other ath", "DPoP", token, []string{p.proof(t, "GET", mePath, unbound)}, 401, "another access token"},
		{"wrong type of iat", "DPoP", token, []string{with("iat", "now")}, 401, "cannot be read"},
		{"claims twice", "DPoP", token, []string{p.signBytes(t, []byte(`{"jti":"a","jti":"b","htm":"GET"}`), "dpop+jwt")}, 401, "cannot be read"},
		{"other type", "DPoP", token, []string{p.signBytes(t, []byte(`{}`), "JWT")}, 401, "type"},
		{"huge", "DPoP", token, []string{with("pad", strings.Repeat("x", maxProof))}, 401, "too large"},
		{"tampered", "DPoP", token, []string{tamper(t, p.sign(t, good()), 1, `"GET"`, `"PUT"`)}, 401, "signature"},
		{"none", "DPoP", token, []string{tamper(t, p.sign(t, good()), 0, `"ES256"`, `"none"`)}, 401, "no JWT"},
		{"HMAC", "DPoP", token, []string{tamper(t, p.sign(t, good()), 0, `"ES256"`, `"HS256"`)}, 401, "no JWT"},
		{"symmetric key", "DPoP", token, []string{withHeader(t, `{"alg":"ES256","typ":"dpop+jwt","jwk":{"kty":"oct","k":"AAAA"}}`, good())}, 401, "no JWT"},
		{"private key", "DPoP", token, []string{withPrivateKey(t, p, good())}, 401, "no JWT"},
		{"no key", "DPoP", token, []string{withHeader(t, `{"alg":"ES256","typ":"dpop+jwt","kid":"1"}`, good())}, 401, "no public"},
		{"critical header", "DPoP", token, []string{tamper(t, p.sign(t, good()), 0, `"typ"`, `"crit":["x"],"x":1,"typ"`)}, 401, ""},
	} {
		got := w.use(t, tt.scheme, tt.token, tt.proofs...)
		if got.status != tt.status || !strings.Contains(got.body, tt.says) {
			t.Errorf("%s: %d %s, want %d and %q", tt.name, got.status, got.body, tt.status, tt.says)
		}
		if got.status == 401 && !strings.Contains(strings.Join(got.header.Values("WWW-Authenticate"), ","), "DPoP ") {
			t.Errorf("%s: no challenge for DPoP: %v", tt.name, got.header)
		}
	}
	// At the token endpoint a bad proof gets no token.
	r := formRequest("/oauth2/token", "grant_type", "client_credentials", "client_id", id, "client_secret", secret)
	r.Header.Set("DPoP", p.proof(t, "POST", "/oauth2/revoke", ""))
	if status, code := w.do(t, r).problem(t); status != 400 || code != "invalid_dpop_proof" {
		t.Errorf("proof for another URL: %d %s", status, code)
	}
}

// TestProofKeys holds which keys may sign proofs.
func TestProofKeys(t *testing.T) {
	t.Parallel()
	rsaKey := func(bits int) crypto.Signer {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	ec := func(c elliptic.Curve) crypto.Signer {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	for _, tt := range []struct {
		name string
		p    *prover
		good bool
	}{
		{"P-256", &prover{jose.ES256, ec(elliptic.P256())}, true},
		{"P-384", &prover{jose.ES384, ec(elliptic.P384())}, true},
		{"P-521", &prover{jose.ES512, ec(elliptic.P521())}, false},
		{"RS256", &prover{jose.RS256, rsaKey(2048)}, true},
		{"PS256", &prover{jose.PS256, rsaKey(2048)}, true},
		{"short RSA", &prover{jose.RS256, rsaKey(1024)}, false},
		{"RS512", &prover{jose.RS512, rsaKey(2048)}, false},
	} {
		got, err := parseProof(tt.p.proof(t, "GET", "/", ""))
		if (err == nil) != tt.good || tt.good && len(got.thumbprint) != 43 {
			t.Errorf("%s: %+v, %v, want good: %v", tt.name, got, err, tt.good)
		}
	}
}

func TestProofIsRememberedLongEnough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &replays{}
		for step := range 20 {
			p := &proof{id: string(rune('a' + step))}
			if got := l.add(p, time.Now()); got != fresh {
				t.Fatalf("step %d: %v, want fresh", step, got)
			}
			for range 5 { // as long as it could be presented
				time.Sleep((proofAge + skew) / 5)
				if got := l.add(p, time.Now()); got != replayed {
					t.Fatalf("step %d: %v, want replayed", step, got)
				}
				l.add(&proof{id: time.Now().String()}, time.Now()) // others turn the halves over
			}
		}
		l.young = make(map[[16]byte]struct{}, maxReplays)
		for i := range maxReplays {
			l.young[[16]byte{byte(i), byte(i >> 8), byte(i >> 16)}] = struct{}{}
		}
		l.since = time.Now()
		if got := l.add(&proof{id: "one more"}, time.Now()); got != full {
			t.Errorf("beyond the bound: %v, want full", got)
		}
	})
}
