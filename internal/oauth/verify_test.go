package oauth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"convoke"
)

// tamper changes a part of a JWT and keeps its signature.
func tamper(t testing.TB, token string, part int, old, new string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(parts[part])
	if err != nil || !strings.Contains(string(raw), old) {
		t.Fatalf("%s has no %s (%v)", raw, old, err)
	}
	parts[part] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(raw), old, new, 1)))
	return strings.Join(parts, ".")
}

// withHeader is a JWT with a header as given and a signature of nothing.
func withHeader(t testing.TB, header string, claims map[string]any) string {
	t.Helper()
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	return b64([]byte(header)) + "." + b64(body) + "." + b64(make([]byte, 64))
}

// withPrivateKey is a proof whose header holds the private key.
func withPrivateKey(t testing.TB, p *prover, claims map[string]any) string {
	t.Helper()
	jwk, err := json.Marshal(jose.JSONWebKey{Key: p.key})
	if err != nil {
		t.Fatal(err)
	}
	return withHeader(t, `{"alg":"ES256","typ":"dpop+jwt","jwk":`+string(jwk)+`}`, claims)
}

// signed is a JWT by any key with any header.
func signed(t testing.TB, alg jose.SignatureAlgorithm, key any, header map[string]any, payload []byte) string {
	t.Helper()
	opts := &jose.SignerOptions{}
	for k, v := range header {
		opts.WithHeader(jose.HeaderKey(k), v)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, opts)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := out.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestForgedTokens tries what tokens of others, and bent ones of ours, could get.
func TestForgedTokens(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id, secret := w.client(t, nil)
	foreign, foreignSecret := w.client(t, func(c *convoke.Client) { c.AccountID = other })
	good := w.token(t, id, secret)
	w.wantMe(t, good, 200)
	_, claims := claimsOf(t, good)
	ours := w.server.keys.current(time.Now())
	theirs, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	theirRSA, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	head := map[string]any{"typ": "at+jwt", "kid": ours.id}
	// bent is one of ours, signed rightly, with a claim changed.
	bent := func(name string, value any) string {
		c := maps.Clone(claims)
		c[name] = value
		if value == nil {
			delete(c, name)
		}
		body, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return signed(t, jose.ES256, ours.private, head, body)
	}
	body, _ := json.Marshal(claims)
	w.wantMe(t, signed(t, jose.ES256, ours.private, head, body), 200) // the helper itself makes good ones
	twice := []byte(strings.Replace(string(body), "{", `{"account":"20000002",`, 1))

	publicDER, err := x509.MarshalPKIXPublicKey(&ours.private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	confused := func(key []byte) string {
		b64 := base64.RawURLEncoding.EncodeToString
		input := b64([]byte(`{"alg":"HS256","typ":"at+jwt","kid":"`+ours.id+`"}`)) + "." + b64(body)
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(input))
		return input + "." + b64(mac.Sum(nil))
	}
	withKid := func(kid any) string {
		return signed(t, jose.ES256, theirs, map[string]any{"typ": "at+jwt", "kid": kid}, body)
	}
	idToken := w.idToken(t)
	now := time.Now()
	for name, token := range map[string]string{
		"none":                  strings.TrimSuffix(tamper(t, good, 0, "ES256", "none"), strings.Split(good, ".")[2]),
		"none with signature":   tamper(t, good, 0, "ES256", "none"),
		"HMAC by the public":    confused(publicDER),
		"HMAC by the x":         confused(ours.private.X.Bytes()),
		"HMAC by the key set":   confused(w.server.keys.set.Load().published),
		"RSA":                   signed(t, jose.RS256, theirRSA, head, body),
		"another key":           signed(t, jose.ES256, theirs, head, body),
		"embedded key":          embedded(t, theirs, ours.id, body),
		"key by URL":            signed(t, jose.ES256, theirs, map[string]any{"typ": "at+jwt", "kid": ours.id, "jku": "https://evil.com/jwks"}, body),
		"unknown kid":           withKid("other"),
		"empty kid":             withKid(""),
		"kid of a file":         withKid("../../../../dev/null"),
		"kid of SQL":            withKid("' UNION SELECT 'x"),
		"no kid":                signed(t, jose.ES256, ours.private, map[string]any{"typ": "at+jwt"}, body),
		"type JWT":              signed(t, jose.ES256, ours.private, map[string]any{"typ": "JWT", "kid": ours.id}, body),
		"no type":               signed(t, jose.ES256, ours.private, map[string]any{"kid": ours.id}, body),
		"id token":              idToken,
		"other issuer":          bent("iss", "https://evil.com"),
		"no issuer":             bent("iss", nil),
		"other audience":        bent("aud", "https://evil.com"),
		"audiences":             bent("aud", []string{issuer, "https://evil.com"}),
		"no audience":           bent("aud", nil),
		"expired":               bent("exp", now.Unix()),
		"no expiry":             bent("exp", nil),
		"expiry of nonsense":    bent("exp", 1e300),
		"expiry as text":        bent("exp", "9999999999"),
		"not yet valid":         bent("nbf", now.Add(time.Minute).Unix()),
		"issued in the future":  bent("iat", now.Add(time.Minute).Unix()),
		"no client":             bent("client_id", nil),
		"unknown client":        bent("client_id", "none"),
		"no account":            bent("account", nil),
		"client of another":     bent("client_id", foreign),
		"account of another":    bent("account", other),
		"another subject":       bent("sub", "ann"),
		"a grant of nobody":     bent("grant", "00000000-0000-0000-0000-000000000000"),
		"bound to nothing":      bent("cnf", map[string]any{}),
		"claim twice":           signed(t, jose.ES256, ours.private, head, twice),
		"no object":             signed(t, jose.ES256, ours.private, head, []byte(`[]`)),
		"tampered account":      tamper(t, good, 1, home, other),
		"tampered scope":        tamper(t, good, 1, "faas.log.read", "faas.log.reax"),
		"cut":                   good[:len(good)-8],
		"two signatures":        good + "." + strings.Split(good, ".")[2],
		"padding":               good + "==",
		"critical":              signed(t, jose.ES256, ours.private, map[string]any{"typ": "at+jwt", "kid": ours.id, "crit": []string{"x"}, "x": 1}, body),
		"huge":                  good + strings.Repeat("A", 1<<16),
		"huge header":           strings.Repeat("A", 1<<16) + ".e30.AA",
		"dots":                  "..",
		"encrypted":             "a.b.c.d.e",
		"spaces":                " " + good,
		"other's account token": w.token(t, foreign, foreignSecret),
	} {
		want := 401
		if name == "other's account token" {
			want = 403
		}
		if got := w.me(t, "Bearer "+token); got.status != want {
			t.Errorf("%s: %d %s, want %d", name, got.status, got.body, want)
		}
	}
	w.wantMe(t, good, 200)
	// Scopes only ever shrink: one that the client does not have is worth nothing.
	if got := w.me(t, "Bearer "+bent("scope", "faas.function.write")); got.status != 403 {
		t.Errorf("a scope beyond the client: %d %s", got.status, got.body)
	}
}

// embedded is a token that brings its key along.
func embedded(t testing.TB, key *ecdsa.PrivateKey, kid string, body []byte) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, (&jose.SignerOptions{EmbedJWK: true}).WithType(typeAccess))
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Sign(body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := out.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// idToken is one of ours.
func (w *world) idToken(t testing.TB) string {
	t.Helper()
	id, secret := w.client(t, nil)
	res := w.form(t, "/sentinel/api/account/"+home+"/token", "grant_type", "authorization_code", "code", w.browser().code(t, ask(id)),
		"redirect_uri", appURL, "code_verifier", verifier, "client_id", id, "client_secret", secret)
	return res.member(t, "id_token")
}

// TestTokenEndsWithItsClient holds that a token dies with what stands behind it.
func TestTokenEndsWithItsClient(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id, secret := w.client(t, nil)
	token := w.token(t, id, secret)
	w.wantMe(t, token, 200)
	set := func(change func(*convoke.Client)) {
		t.Helper()
		if _, _, err := w.server.UpdateClient(t.Context(), home, id, change, "ann"); err != nil {
			t.Fatal(err)
		}
	}
	set(func(c *convoke.Client) { c.Disabled = true })
	w.wantMe(t, token, 401)
	set(func(c *convoke.Client) { c.Disabled = false })
	w.wantMe(t, token, 200)
	set(func(c *convoke.Client) { c.Scopes = []convoke.Scope{convoke.ScopeLogRead} })
	w.wantMe(t, token, 403)
	set(func(c *convoke.Client) { c.Scopes = []convoke.Scope{convoke.ScopeInvoke} })
	w.wantMe(t, token, 200)
	set(func(c *convoke.Client) { c.GrantTypes = convoke.GrantTypes[1:] })
	w.wantMe(t, token, 401)
	set(func(c *convoke.Client) { c.GrantTypes = convoke.GrantTypes })
	w.wantMe(t, token, 200)
	if _, _, err := w.server.RotateSecret(t.Context(), home, id, 0, "ann"); err != nil {
		t.Fatal(err)
	}
	w.wantMe(t, token, 200)
	if err := w.server.RemoveClient(t.Context(), home, id); err != nil {
		t.Fatal(err)
	}
	w.wantMe(t, token, 401)
}

// TestVerifiedTokensAreLookedAtAgain changes a client behind the server's
// back, as another process would.
func TestVerifiedTokensAreLookedAtAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		id, secret := w.client(t, nil)
		token := w.token(t, id, secret)
		w.wantMe(t, token, 200)
		_, err := w.store.UpdateClient(t.Context(), home, id, func(c *convoke.Client) error { c.Disabled = true; return nil })
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(29 * time.Second)
		w.wantMe(t, token, 200)
		time.Sleep(time.Second)
		w.wantMe(t, token, 401)
		_, err = w.store.UpdateClient(t.Context(), home, id, func(c *convoke.Client) error { c.Disabled = false; return nil })
		if err != nil {
			t.Fatal(err)
		}
		w.wantMe(t, token, 200)
		time.Sleep(time.Hour - 30*time.Second)
		w.wantMe(t, token, 401)
	})
}

// TestEndDuringLookup ends a client between the store's answer and its use: the
// stale answer must not be remembered.
func TestEndDuringLookup(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id, secret := w.client(t, nil)
	token := w.token(t, id, secret)
	slow := &slowStore{Store: w.store}
	w.server.store = slow
	slow.after = func() {
		slow.after = nil
		if _, _, err := w.server.UpdateClient(t.Context(), home, id, func(c *convoke.Client) { c.Disabled = true }, "ann"); err != nil {
			t.Error(err)
		}
	}
	w.me(t, "Bearer "+token) // began before: may pass
	w.wantMe(t, token, 401)
}
