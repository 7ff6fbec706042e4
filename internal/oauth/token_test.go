package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"convoke"
)

// TestAnswerForms holds each path to the exact members that its clients can
// read (spec/api-surface.md 2.5).
func TestAnswerForms(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id, secret := w.client(t, nil)
	machine := []string{"grant_type", "client_credentials", "scope", "", "client_id", id, "client_secret", secret}
	query := url.Values{"v": {"2.0"}, "grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}}
	java := httptest.NewRequest("POST", "/sentinel/api/account/"+home+"/app/token?"+query.Encode(), nil)
	java.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	basic := formRequest("/oauth2/token", "grant_type", "client_credentials", "scope", "faas.lambda.invoke")
	basic.SetBasicAuth(id, secret)

	for name, tt := range map[string]struct {
		request *http.Request
		scope   string
		want    map[string]any // but for the token
	}{
		"form": {formRequest("/sentinel/api/account/"+home+"/app/token?v=2.0", machine...), "faas.lambda.invoke faas.log.read",
			map[string]any{"token_type": "Bearer"}},
		"query": {java, "faas.lambda.invoke faas.log.read", map[string]any{"token_type": "Bearer"}},
		"v2": {formRequest("/sentinel/api/v2/account/"+home+"/app/token?v=2.0", machine...), "faas.lambda.invoke faas.log.read",
			map[string]any{"token_type": "Bearer", "expires_in": "3600"}},
		"standard": {formRequest("/oauth2/token", machine...), "faas.lambda.invoke faas.log.read",
			map[string]any{"token_type": "Bearer", "expires_in": 3600.0, "scope": "faas.lambda.invoke faas.log.read"}},
		"basic": {basic, "faas.lambda.invoke", map[string]any{"token_type": "Bearer", "expires_in": 3600.0, "scope": "faas.lambda.invoke"}},
	} {
		res := w.do(t, tt.request)
		got := res.members(t)
		token, _ := got["access_token"].(string)
		delete(got, "access_token")
		if diff := cmp.Diff(tt.want, got); diff != "" || res.status != http.StatusOK {
			t.Errorf("%s: %d, members differ (-want +got):\n%s", name, res.status, diff)
			continue
		}
		if ct, cc := res.header.Get("Content-Type"), res.header.Get("Cache-Control"); !strings.HasPrefix(ct, "application/json") || cc != "no-store" {
			t.Errorf("%s: Content-Type %q, Cache-Control %q", name, ct, cc)
		}
		head, body := claimsOf(t, token)
		if head["alg"] != "ES256" || head["typ"] != "at+jwt" || head["kid"] == "" {
			t.Errorf("%s: header %v", name, head)
		}
		exp, _ := body["exp"].(float64)
		if left := time.Until(time.Unix(int64(exp), 0)); left < 59*time.Minute {
			t.Errorf("%s: the token is good for %s, want an hour", name, left)
		}
		for claim, want := range map[string]any{"iss": issuer, "aud": issuer, "sub": id, "client_id": id, "account": home, "scope": tt.scope} {
			if body[claim] != want {
				t.Errorf("%s: claim %s is %v, want %v", name, claim, body[claim], want)
			}
		}
		if len(token) > maxToken {
			t.Errorf("%s: the token has %d bytes, more than we accept", name, len(token))
		}
		w.wantMe(t, token, http.StatusOK)
	}
	if c, err := w.store.FindClient(t.Context(), id); err != nil || c.LastUsedAt.IsZero() {
		t.Errorf("last use: %v, %v", c, err)
	}
}

// TestLargestToken holds that a token with everything in it is accepted.
func TestLargestToken(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id, secret := w.client(t, func(c *convoke.Client) {
		c.Scopes = nil
		for _, s := range convoke.Scopes {
			c.Scopes = append(c.Scopes, s.Scope)
		}
	})
	token := w.token(t, id, secret, "DPoP", newProver(t).proof(t, "POST", "/oauth2/token", ""))
	if len(token) > maxToken*3/4 {
		t.Errorf("a token with everything has %d bytes of %d", len(token), maxToken)
	}
}

func TestTokenRefusals(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id, secret := w.client(t, nil)
	app, _ := w.client(t, public)
	coder, coderSecret := w.client(t, func(c *convoke.Client) { c.GrantTypes = convoke.GrantTypes[1:] })
	onlyOpenID, openSecret := w.client(t, func(c *convoke.Client) { c.Scopes = []convoke.Scope{convoke.ScopeOpenID} })
	off, offSecret := w.client(t, nil)
	if _, _, err := w.server.UpdateClient(t.Context(), home, off, func(c *convoke.Client) { c.Disabled = true }, "ann"); err != nil {
		t.Fatal(err)
	}
	const cc = "client_credentials"
	path := "/sentinel/api/account/" + home + "/app/token"
	withBasic := func(user, password string, pairs ...string) *http.Request {
		r := formRequest("/oauth2/token", append([]string{"grant_type", cc}, pairs...)...)
		r.SetBasicAuth(user, password)
		return r
	}
	typed := func(contentType, body string) *http.Request {
		r := httptest.NewRequest("POST", "/oauth2/token", strings.NewReader(body))
		if contentType != "" {
			r.Header.Set("Content-Type", contentType)
		}
		return r
	}
	body := url.Values{"grant_type": {cc}, "client_id": {id}, "client_secret": {secret}}.Encode()
	for name, tt := range map[string]struct {
		r      *http.Request
		status int
		code   string
	}{
		"wrong secret":        {formRequest(path, "grant_type", cc, "client_id", id, "client_secret", secret+"x"), 401, "invalid_client"},
		"no secret":           {formRequest(path, "grant_type", cc, "client_id", id), 401, "invalid_client"},
		"unknown client":      {formRequest(path, "grant_type", cc, "client_id", "none", "client_secret", secret), 401, "invalid_client"},
		"nobody's secret":     {formRequest(path, "grant_type", cc, "client_id", "none", "client_secret", ""), 401, "invalid_client"},
		"no client":           {formRequest(path, "grant_type", cc), 401, "invalid_client"},
		"other's account":     {formRequest("/sentinel/api/account/"+other+"/app/token", "grant_type", cc, "client_id", id, "client_secret", secret), 401, "invalid_client"},
		"no such account":     {formRequest("/sentinel/api/account/9/app/token", "grant_type", cc, "client_id", id, "client_secret", secret), 401, "invalid_client"},
		"disabled":            {formRequest(path, "grant_type", cc, "client_id", off, "client_secret", offSecret), 401, "invalid_client"},
		"basic, wrong":        {withBasic(id, "x"), 401, "invalid_client"},
		"basic, not encoded":  {withBasic(id, "%zz"), 401, "invalid_client"},
		"basic and form":      {withBasic(id, secret, "client_secret", secret), 400, "invalid_request"},
		"basic, other id":     {withBasic(id, secret, "client_id", app), 400, "invalid_request"},
		"assertion":           {formRequest(path, "grant_type", cc, "client_id", id, "client_assertion", "x"), 400, "invalid_request"},
		"no grant":            {formRequest(path, "client_id", id, "client_secret", secret), 400, "invalid_request"},
		"password grant":      {formRequest("/oauth2/token", "grant_type", "password", "client_id", id, "client_secret", secret), 400, "unsupported_grant_type"},
		"code at app":         {formRequest(path, "grant_type", "authorization_code", "client_id", id, "client_secret", secret), 400, "unsupported_grant_type"},
		"app at user":         {formRequest("/sentinel/api/account/"+home+"/token", "grant_type", cc, "client_id", id, "client_secret", secret), 400, "unsupported_grant_type"},
		"public":              {formRequest(path, "grant_type", cc, "client_id", app), 400, "unauthorized_client"},
		"public with secret":  {formRequest(path, "grant_type", cc, "client_id", app, "client_secret", "x"), 401, "invalid_client"},
		"not allowed":         {formRequest(path, "grant_type", cc, "client_id", coder, "client_secret", coderSecret), 400, "unauthorized_client"},
		"scope beyond":        {formRequest(path, "grant_type", cc, "client_id", id, "client_secret", secret, "scope", "faas.lambda.invoke faas.function.write"), 400, "invalid_scope"},
		"openid for machines": {formRequest(path, "grant_type", cc, "client_id", id, "client_secret", secret, "scope", "openid"), 400, "invalid_scope"},
		"only openid":         {formRequest(path, "grant_type", cc, "client_id", onlyOpenID, "client_secret", openSecret), 400, "invalid_scope"},
		"twice":               {formRequest(path, "grant_type", cc, "client_id", id, "client_id", app, "client_secret", secret), 400, "invalid_request"},
		"twice the same":      {formRequest(path, "grant_type", cc, "grant_type", cc, "client_id", id, "client_secret", secret), 400, "invalid_request"},
		"query here":          {httptest.NewRequest("POST", "/oauth2/token?"+body, nil), 400, "invalid_request"},
		"query beside body":   {formRequest(path+"?client_secret="+secret, "grant_type", cc, "client_id", id), 401, "invalid_client"},
		"query twice":         {httptest.NewRequest("POST", path+"?"+body+"&grant_type="+cc, nil), 400, "invalid_request"},
		"query too long":      {httptest.NewRequest("POST", path+"?"+body+"&x="+strings.Repeat("x", maxForm), nil), 400, "invalid_request"},
		"JSON":                {typed("application/json", `{"grant_type":"client_credentials"}`), 400, "invalid_request"},
		"no type":             {typed("", body), 400, "invalid_request"},
		"multipart":           {typed("multipart/form-data; boundary=x", "--x--"), 400, "invalid_request"},
		"bad escape":          {typed("application/x-www-form-urlencoded", body+"&x=%zz"), 400, "invalid_request"},
		"semicolon":           {typed("application/x-www-form-urlencoded", body+";scope=x"), 400, "invalid_request"},
		"no text":             {typed("application/x-www-form-urlencoded", body+"&scope=%ff"), 400, "invalid_request"},
		"too large":           {typed("application/x-www-form-urlencoded", body+"&x="+strings.Repeat("x", maxForm)), 413, "invalid_request"},
	} {
		tt.r.RemoteAddr = netOf(name) // each from its own address: no rate is at play
		res := w.do(t, tt.r)
		if status, code := res.problem(t); status != tt.status || code != tt.code {
			t.Errorf("%s: %d %s, want %d %s", name, status, res.body, tt.status, tt.code)
		}
		if text := res.member(t, "error_description"); text == "" || strings.Contains(res.body, secret) {
			t.Errorf("%s: description %q", name, text)
		}
		if challenge := res.header.Get("WWW-Authenticate"); (res.status == 401) != strings.HasPrefix(challenge, "Basic ") {
			t.Errorf("%s: %d with challenge %q", name, res.status, challenge)
		}
	}
	// With a charset it is fine.
	if res := w.do(t, typed("Application/X-WWW-Form-URLencoded; charset=UTF-8", body)); res.status != http.StatusOK {
		t.Errorf("content type with charset: %d %s", res.status, res.body)
	}
}

// netOf is an address for a name.
func netOf(name string) string {
	sum := hashOf(name)
	return "[2001:db8:" + base64ToHex(sum[:4]) + "::1]:1"
}

func base64ToHex(b []byte) string {
	const digits = "0123456789abcdef"
	var out strings.Builder
	for i, c := range b {
		if i == 2 {
			out.WriteByte(':')
		}
		out.WriteByte(digits[c>>4])
		out.WriteByte(digits[c&15])
	}
	return out.String()
}

// TestRefusalsTellNothing holds the answers for wrong halves alike.
func TestRefusalsTellNothing(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id, secret := w.client(t, nil)
	path := "/sentinel/api/account/" + home + "/app/token"
	try := func(path, id, secret string) string {
		return w.form(t, path, "grant_type", "client_credentials", "client_id", id, "client_secret", secret).body
	}
	want := try(path, id, "wrong")
	for name, got := range map[string]string{
		"unknown": try(path, "none", secret), "other account": try("/sentinel/api/account/"+other+"/app/token", id, secret),
		"long": try(path, strings.Repeat("i", 8000), "x"),
	} {
		if got != want {
			t.Errorf("%s: %s, a wrong secret: %s", name, got, want)
		}
	}
}

// countedStore counts what it is asked.
type countedStore struct {
	Store
	asked []string
}

func (s *countedStore) FindClient(ctx context.Context, id string) (*convoke.Client, error) {
	s.asked = append(s.asked, "client")
	return s.Store.FindClient(ctx, id)
}

func (s *countedStore) FindAccount(ctx context.Context, id string) (*convoke.Account, error) {
	s.asked = append(s.asked, "account")
	return s.Store.FindAccount(ctx, id)
}

func (s *countedStore) FindGrant(ctx context.Context, id string) (*convoke.Grant, error) {
	s.asked = append(s.asked, "grant")
	return s.Store.FindGrant(ctx, id)
}

// TestRefusalsCostAlike: a client that does not exist costs what one with a
// wrong secret does, in lookups and in comparisons, so that the time does not
// tell them apart.
func TestRefusalsCostAlike(t *testing.T) {
	t.Parallel()
	w := setup(t)
	counted := &countedStore{Store: w.store}
	w.server.store = counted
	id, secret := w.client(t, nil)
	off, offSecret := w.client(t, func(c *convoke.Client) { c.Name = "off" })
	if _, _, err := w.server.UpdateClient(t.Context(), home, off, func(c *convoke.Client) { c.Disabled = true }, "ann"); err != nil {
		t.Fatal(err)
	}
	cost := func(account, id, secret string) []string {
		counted.asked = nil
		for _, path := range []string{"/sentinel/api/account/" + account + "/app/token", "/oauth2/token"} {
			w.form(t, path, "grant_type", "client_credentials", "client_id", id, "client_secret", secret)
		}
		w.form(t, "/oauth2/token", "grant_type", "refresh_token", "refresh_token", "x", "client_id", id, "client_secret", secret)
		w.form(t, "/oauth2/revoke", "token", "x", "client_id", id, "client_secret", secret)
		return counted.asked
	}
	want := cost(home, id, "wrong")
	if len(want) != 4 {
		t.Fatalf("a wrong secret asks for %q", want)
	}
	for name, got := range map[string][]string{
		"unknown": cost(home, "none", secret), "disabled": cost(home, off, offSecret), "no id": cost(home, "", secret), "long": cost(home, strings.Repeat("i", 8000), "x"),
	} {
		if !slices.Equal(got, want) {
			t.Errorf("%s asks for %q, a wrong secret for %q", name, got, want)
		}
	}
	if len(nobody.Secrets) != 1 || len(nobody.Secrets[0].Hash) != sha256.Size || !nobody.Secrets[0].Live(time.Now()) || nobody.Public {
		t.Errorf("nobody is not compared as a client is: %+v", nobody)
	}
}

func TestSecretsInGrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		id, first := w.client(t, nil)
		works := func(secret string) bool {
			r := formRequest("/oauth2/token", "grant_type", "client_credentials", "client_id", id, "client_secret", secret)
			r.RemoteAddr = netOf(secret)
			return w.do(t, r).status == http.StatusOK
		}
		rotate := func(grace time.Duration) string {
			t.Helper()
			secret, c, err := w.server.RotateSecret(t.Context(), home, id, grace, "ann")
			if err != nil || len(c.Secrets) > 2 {
				t.Fatal(c, err)
			}
			return secret.Reveal()
		}
		second := rotate(time.Hour)
		if got := []bool{works(first), works(second)}; !slices.Equal(got, []bool{true, true}) {
			t.Errorf("in grace: %v", got)
		}
		third := rotate(time.Hour)
		if got := []bool{works(first), works(second), works(third)}; !slices.Equal(got, []bool{false, true, true}) {
			t.Errorf("rotated twice: %v", got)
		}
		fourth := rotate(0)
		if got := []bool{works(second), works(third), works(fourth)}; !slices.Equal(got, []bool{false, false, true}) {
			t.Errorf("without grace: %v", got)
		}
		fifth := rotate(time.Hour)
		time.Sleep(time.Hour)
		if got := []bool{works(fourth), works(fifth)}; !slices.Equal(got, []bool{false, true}) {
			t.Errorf("after the grace: %v", got)
		}
		if !strings.HasPrefix(fifth, secretPrefix) || len(fifth) != len(secretPrefix)+base64.RawURLEncoding.EncodedLen(32) {
			t.Errorf("secret %q", fifth)
		}
	})
}

// TestDisabledAccount: neither its clients nor its people get tokens, and what
// was refused is not used up, so all goes on when the account is enabled again.
func TestDisabledAccount(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id, secret := w.client(t, nil)
	signedIn := w.exchange(t, id, secret, w.browser().code(t, ask(id)))
	refresh, code := signedIn.member(t, "refresh_token"), w.browser().code(t, ask(id))
	set := func(disabled bool) {
		t.Helper()
		_, err := w.store.UpdateAccount(t.Context(), home, func(a *convoke.Account) error { a.Disabled = disabled; return nil })
		if err != nil {
			t.Fatal(err)
		}
		w.server.ForgetAccount(home)
	}
	set(true)
	forClient := func() reply {
		return w.form(t, "/oauth2/token", "grant_type", "client_credentials", "client_id", id, "client_secret", secret)
	}
	if status, code := forClient().problem(t); status != 401 || code != "invalid_client" {
		t.Errorf("client credentials: %d %s, want 401 invalid_client", status, code)
	}
	for name, res := range map[string]reply{"code": w.exchange(t, id, secret, code), "refresh token": w.refreshed(t, id, secret, refresh)} {
		if status, code := res.problem(t); status != 400 || code != "invalid_grant" {
			t.Errorf("%s: %d %s, want 400 invalid_grant", name, status, code)
		}
	}
	if res := w.browser().get(t, ask(id)); res.status != 400 {
		t.Errorf("the page to agree on: %d %s", res.status, res.body)
	}
	set(false)
	for name, res := range map[string]reply{"client credentials": forClient(), "code": w.exchange(t, id, secret, code), "refresh token": w.refreshed(t, id, secret, refresh)} {
		if res.status != 200 {
			t.Errorf("%s when the account is enabled again: %d %s", name, res.status, res.body)
		}
	}
}
