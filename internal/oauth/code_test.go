package oauth

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"convoke"
)

// exchange redeems a code on the standard path.
func (w *world) exchange(t testing.TB, id, secret, code string, pairs ...string) reply {
	t.Helper()
	v := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {appURL}, "code_verifier": {verifier}, "client_id": {id}}
	if secret != "" {
		v.Set("client_secret", secret)
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			v.Del(pairs[i])
		} else {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	r := formRequest("/oauth2/token")
	return w.do(t, withBody(r, v.Encode()))
}

func withBody(r *http.Request, body string) *http.Request {
	n := httptest.NewRequest(r.Method, r.URL.String(), strings.NewReader(body))
	n.Header = r.Header
	return n
}

func (w *world) refreshed(t testing.TB, id, secret, token string, pairs ...string) reply {
	t.Helper()
	return w.form(t, "/oauth2/token", append([]string{"grant_type", "refresh_token", "refresh_token", token, "client_id", id, "client_secret", secret}, pairs...)...)
}

// TestCodeFlow goes the whole way as a browser and a program would.
func TestCodeFlow(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id, secret := w.client(t, func(c *convoke.Client) { c.Name = "<Shop & Co>" })
	b := w.browser()
	q := ask(id)

	page := b.get(t, q)
	for _, want := range []string{"&lt;Shop &amp; Co&gt;", `autocomplete="current-password"`, `lang="en"`, `<label for="user">`} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the sign-in page lacks %s:\n%s", want, page.body)
		}
	}
	if page = b.submit(t, q, page, "action", "login", "user", "ann", "password", "wrong"); !strings.Contains(page.body, `role="alert">User or password is wrong.`) {
		t.Errorf("wrong password: %d %s", page.status, page.body)
	}
	if len(w.people.sessions) != 0 {
		t.Error("a wrong password made a session")
	}
	res := b.submit(t, q, page, "action", "login", "user", "ann", "password", "right")
	if to := res.header.Get("Location"); res.status != http.StatusSeeOther || to != b.target(q) {
		t.Fatalf("sign-in: %d to %s", res.status, to)
	}
	page = b.get(t, q)
	for _, want := range []string{"<strong>ann</strong>", "<li>invoke functions</li>", "<li>read what functions log</li>", `value="allow"`, `value="deny"`} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the consent page lacks %s:\n%s", want, page.body)
		}
	}
	res = b.submit(t, q, page, "action", "allow")
	back, _ := url.Parse(res.header.Get("Location"))
	code := back.Query().Get("code")
	want := url.Values{"code": {code}, "state": {"st"}, "iss": {issuer}}
	if diff := cmp.Diff(want, back.Query()); diff != "" || !strings.HasPrefix(back.String(), appURL+"?") || code == "" || res.status != http.StatusSeeOther {
		t.Fatalf("%d to %s (-want +got):\n%s", res.status, back, diff)
	}

	res = w.exchange(t, id, secret, code)
	got := res.members(t)
	access, refresh := res.member(t, "access_token"), res.member(t, "refresh_token")
	_, claims := claimsOf(t, res.member(t, "id_token"))
	for name, want := range map[string]any{"iss": issuer, "sub": "ann", "aud": id, "nonce": "n-1"} {
		if claims[name] != want {
			t.Errorf("id token: %s is %v, want %v", name, claims[name], want)
		}
	}
	for _, name := range []string{"access_token", "refresh_token", "id_token"} {
		delete(got, name)
	}
	if diff := cmp.Diff(map[string]any{"token_type": "Bearer", "expires_in": 3600.0, "scope": "faas.lambda.invoke faas.log.read openid"}, got); diff != "" || refresh == "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	me := w.me(t, "Bearer "+access)
	if m := me.members(t); m["ID"] != "ann" || m["ClientID"] != id || me.status != 200 {
		t.Errorf("the token stands for %s", me.body)
	}
	for _, secret := range []string{code, refresh} {
		if g, err := w.store.FindGrant(t.Context(), claimOf(t, access, "grant")); err != nil || strings.Contains(string(g.CodeHash)+string(g.RefreshHash), secret) {
			t.Errorf("the grant holds a text itself: %+v, %v", g, err)
		}
	}

	// Refresh: narrower, then all again with the next token.
	res = w.refreshed(t, id, secret, refresh, "scope", "faas.log.read")
	if res.member(t, "scope") != "faas.log.read" || res.members(t)["id_token"] != nil {
		t.Errorf("narrower: %s", res.body)
	}
	w.wantMe(t, res.member(t, "access_token"), 403)
	res = w.refreshed(t, id, secret, res.member(t, "refresh_token"))
	if res.member(t, "scope") != "faas.lambda.invoke faas.log.read openid" {
		t.Errorf("all again: %s", res.body)
	}
	w.wantMe(t, res.member(t, "access_token"), 200)

	// A user's role and the scopes both have to allow it.
	w.people.mu.Lock()
	w.people.roles["ann"] = []convoke.Role{convoke.RoleViewer}
	w.people.mu.Unlock()
	w.server.ForgetUser(home, "ann")
	w.wantMe(t, access, 403)
	w.people.mu.Lock()
	delete(w.people.roles, "ann")
	w.people.mu.Unlock()
	w.server.ForgetUser(home, "ann")
	w.wantMe(t, access, 401)
	if status, code := w.refreshed(t, id, secret, res.member(t, "refresh_token")).problem(t); status != 400 || code != "invalid_grant" {
		t.Errorf("refresh for a user who is gone: %d %s", status, code)
	}
}

func claimOf(t testing.TB, token, name string) string {
	t.Helper()
	_, claims := claimsOf(t, token)
	s, _ := claims[name].(string)
	return s
}

// TestReferenceCodeFlow uses the reference's paths and its answer form.
func TestReferenceCodeFlow(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id, secret := w.client(t, nil)
	b := w.browser()
	b.path = "/sentinel/api/account/" + home + "/authorize"
	q := url.Values{"v": {"1.0"}, "response_type": {"code"}, "client_id": {id}} // no redirect URI, no PKCE
	code := b.code(t, q)
	res := w.form(t, "/sentinel/api/account/"+home+"/token?v=2.0", "grant_type", "authorization_code", "code", code, "client_id", id, "client_secret", secret)
	var names []string
	for name := range res.members(t) {
		names = append(names, name)
	}
	if len(names) != 5 || res.status != 200 || res.member(t, "id_token") == "" || res.member(t, "refresh_token") == "" {
		t.Errorf("%d with members %v", res.status, names)
	}
	w.wantMe(t, res.member(t, "access_token"), 200)
	res = w.form(t, "/sentinel/api/account/"+home+"/token?v=1.0", "grant_type", "refresh_token", "refresh_token", res.member(t, "refresh_token"), "client_id", id, "client_secret", secret)
	if res.status != 200 {
		t.Errorf("refresh: %d %s", res.status, res.body)
	}
	// The client is not known in another account.
	b.path = "/sentinel/api/account/" + other + "/authorize"
	if res := b.get(t, q); res.status != 400 || res.header.Get("Location") != "" {
		t.Errorf("another account: %d %s", res.status, res.body)
	}
}

// TestCodeIsUsedOnce holds that the second use of a code ends all of its tokens.
func TestCodeIsUsedOnce(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id, secret := w.client(t, nil)
	code := w.browser().code(t, ask(id))
	res := w.exchange(t, id, secret, code)
	access, refresh := res.member(t, "access_token"), res.member(t, "refresh_token")
	w.wantMe(t, access, 200)
	if status, code := w.exchange(t, id, secret, code).problem(t); status != 400 || code != "invalid_grant" {
		t.Errorf("second use: %d %s", status, code)
	}
	w.wantMe(t, access, 401)
	if status, code := w.refreshed(t, id, secret, refresh).problem(t); status != 400 || code != "invalid_grant" {
		t.Errorf("refresh after it: %d %s", status, code)
	}
}

// TestRefreshTokenIsUsedOnce holds that the second use of a refresh token ends
// the whole family.
func TestRefreshTokenIsUsedOnce(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id, secret := w.client(t, nil)
	thief, thiefSecret := w.client(t, nil)
	first := w.exchange(t, id, secret, w.browser().code(t, ask(id))).member(t, "refresh_token")
	if status, code := w.refreshed(t, thief, thiefSecret, first).problem(t); status != 400 || code != "invalid_grant" {
		t.Errorf("by another client: %d %s", status, code)
	}
	if status, code := w.refreshed(t, id, secret, first, "scope", "faas.function.write").problem(t); status != 400 || code != "invalid_scope" {
		t.Errorf("for too much: %d %s", status, code)
	}
	res := w.refreshed(t, id, secret, first) // neither has used it up
	second, access := res.member(t, "refresh_token"), res.member(t, "access_token")
	if second == "" || second == first {
		t.Fatalf("refresh: %d %s", res.status, res.body)
	}
	w.wantMe(t, access, 200)
	if status, code := w.refreshed(t, id, secret, first).problem(t); status != 400 || code != "invalid_grant" {
		t.Errorf("second use: %d %s", status, code)
	}
	w.wantMe(t, access, 401)
	if status, code := w.refreshed(t, id, secret, second).problem(t); status != 400 || code != "invalid_grant" {
		t.Errorf("the newer one: %d %s", status, code)
	}
}

func TestCodeExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		id, secret := w.client(t, nil)
		for wait, want := range map[time.Duration]int{codeLifetime - time.Second: 200, codeLifetime: 400} {
			code := w.browser().code(t, ask(id))
			time.Sleep(wait)
			if res := w.exchange(t, id, secret, code); res.status != want {
				t.Errorf("after %s: %d %s, want %d", wait, res.status, res.body, want)
			}
		}
		refresh := w.exchange(t, id, secret, w.browser().code(t, ask(id))).member(t, "refresh_token")
		time.Sleep(grantLifetime - time.Second)
		res := w.refreshed(t, id, secret, refresh)
		if res.status != 200 {
			t.Fatalf("just before the grant's end: %d %s", res.status, res.body)
		}
		w.wantMe(t, res.member(t, "access_token"), 200)
		time.Sleep(time.Second)
		w.wantMe(t, res.member(t, "access_token"), 200) // looked at a second ago
		if res := w.refreshed(t, id, secret, res.member(t, "refresh_token")); res.status != 400 {
			t.Errorf("after the grant's end: %d %s", res.status, res.body)
		}
		time.Sleep(30 * time.Second)
		w.wantMe(t, res.member(t, "access_token"), 401)
		if err := w.server.sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := w.store.FindGrant(t.Context(), claimOf(t, res.member(t, "access_token"), "grant")); convoke.ErrorCode(err) != convoke.CodeNotFound {
			t.Errorf("an old grant is kept: %v", err)
		}
	})
}

// TestCodeIsBound holds a code to client, redirect URI and verifier, and that
// a wrong try does not use it up.
func TestCodeIsBound(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id, secret := w.client(t, nil)
	thief, thiefSecret := w.client(t, nil)
	code := w.browser().code(t, ask(id))
	for name, pairs := range map[string][]string{
		"no verifier":         {"code_verifier", ""},
		"wrong verifier":      {"code_verifier", strings.Repeat("a", 43)},
		"short verifier":      {"code_verifier", "a"},
		"the challenge":       {"code_verifier", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"},
		"no redirect":         {"redirect_uri", ""},
		"other redirect":      {"redirect_uri", appURL + "/"},
		"redirect with query": {"redirect_uri", appURL + "?x"},
		"other client":        {"client_id", thief, "client_secret", thiefSecret},
		"cut code":            {"code", code[:len(code)-1]},
		"changed code":        {"code", code[:len(code)-2] + "AA"},
		"refresh token":       {"code", refreshPrefix + code[len(codePrefix):]},
		"garbage":             {"code", "x"},
	} {
		if status, code := w.exchange(t, id, secret, code, pairs...).problem(t); status != 400 || code != "invalid_grant" {
			t.Errorf("%s: %d %s, want invalid_grant", name, status, code)
		}
	}
	if status, got := w.exchange(t, id, secret, code, "code", "").problem(t); status != 400 || got != "invalid_request" {
		t.Errorf("no code: %d %s", status, got)
	}
	if res := w.exchange(t, id, secret, code); res.status != 200 {
		t.Errorf("the right way: %d %s", res.status, res.body)
	}
	// Without a challenge there must be no verifier: somebody took it away.
	bare := w.browser().code(t, ask(id, "code_challenge", "", "code_challenge_method", ""))
	if status, code := w.exchange(t, id, secret, bare).problem(t); status != 400 || code != "invalid_grant" {
		t.Errorf("PKCE downgrade: %d %s", status, code)
	}
	if res := w.exchange(t, id, secret, bare, "code_verifier", ""); res.status != 200 {
		t.Errorf("without PKCE: %d %s", res.status, res.body)
	}
}

// TestAuthorizeRefusals tells apart what the user sees and what the client hears.
func TestAuthorizeRefusals(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id, _ := w.client(t, nil)
	two, _ := w.client(t, func(c *convoke.Client) { c.RedirectURIs = append(c.RedirectURIs, "https://app.example.com/two?x=y") })
	app, _ := w.client(t, func(c *convoke.Client) { public(c); c.RedirectURIs = []string{"http://127.0.0.1/cb"} })
	machine, _ := w.client(t, func(c *convoke.Client) { c.GrantTypes, c.RedirectURIs = convoke.GrantTypes[:1], nil })
	off, _ := w.client(t, nil)
	if _, _, err := w.server.UpdateClient(t.Context(), home, off, func(c *convoke.Client) { c.Disabled = true }, "ann"); err != nil {
		t.Fatal(err)
	}
	for name, q := range map[string]url.Values{
		"no client": ask(""), "unknown client": ask("none"), "disabled client": ask(off), "machine": ask(machine),
		"no redirect of two": ask(two, "redirect_uri", ""), "other redirect": ask(id, "redirect_uri", "https://evil.com/"),
		"longer redirect": ask(id, "redirect_uri", appURL+"/../evil"), "open redirect": ask(id, "redirect_uri", "https://app.example.com@evil.com/cb"),
		"loopback of another": ask(id, "redirect_uri", "http://127.0.0.1:1/cb"), "loopback, other path": ask(app, "redirect_uri", "http://127.0.0.1:1/x"),
		"client twice": {"client_id": {id, app}, "response_type": {"code"}}, "redirect twice": {"client_id": {id}, "redirect_uri": {appURL, appURL}},
		"too long": ask(id, "state", strings.Repeat("s", maxQuery)),
	} {
		res := w.browser().get(t, q)
		if res.status != 400 || res.header.Get("Location") != "" || !strings.Contains(res.body, `role="alert"`) {
			t.Errorf("%s: %d to %q, want a page", name, res.status, res.header.Get("Location"))
		}
	}
	for name, tt := range map[string]struct {
		q    url.Values
		code string
	}{
		"token in the answer": {ask(id, "response_type", "token"), "unsupported_response_type"},
		"no type":             {ask(id, "response_type", ""), "unsupported_response_type"},
		"fragment":            {ask(id, "response_mode", "fragment"), "invalid_request"},
		"request object":      {ask(id, "request", "x"), "request_not_supported"},
		"request by URL":      {ask(id, "request_uri", "https://evil.com"), "request_uri_not_supported"},
		"plain":               {ask(id, "code_challenge_method", "plain"), "invalid_request"},
		"plain by default":    {ask(id, "code_challenge_method", ""), "invalid_request"},
		"method alone":        {ask(id, "code_challenge", ""), "invalid_request"},
		"short challenge":     {ask(id, "code_challenge", "abc"), "invalid_request"},
		"no challenge":        {ask(app, "redirect_uri", "http://127.0.0.1:5000/cb", "code_challenge", "", "code_challenge_method", ""), "invalid_request"},
		"scope beyond":        {ask(id, "scope", "faas.function.write"), "invalid_scope"},
		"long nonce":          {ask(id, "nonce", strings.Repeat("n", 501)), "invalid_request"},
		"prompt":              {ask(id, "prompt", "dance"), "invalid_request"},
		"silent, nobody":      {ask(id, "prompt", "none"), "login_required"},
	} {
		res := w.browser().get(t, tt.q)
		to, _ := url.Parse(res.header.Get("Location"))
		q := to.Query()
		if res.status != 303 || q.Get("error") != tt.code || q.Get("state") != "st" || q.Get("iss") != issuer || q.Has("code") {
			t.Errorf("%s: %d to %s, want %s", name, res.status, to, tt.code)
		}
	}
	b := w.browser()
	b.code(t, ask(id))
	res := b.get(t, ask(id, "prompt", "none"))
	if to, _ := url.Parse(res.header.Get("Location")); to.Query().Get("error") != "consent_required" {
		t.Errorf("silent, signed in: %d to %s", res.status, to)
	}
	res = b.submit(t, ask(id), b.get(t, ask(id)), "action", "deny")
	if to, _ := url.Parse(res.header.Get("Location")); to.Query().Get("error") != "access_denied" || to.Query().Has("code") {
		t.Errorf("denied: %d to %s", res.status, to)
	}
	// A redirect URI with a query keeps it.
	res = b.submit(t, ask(two, "redirect_uri", "https://app.example.com/two?x=y"), b.get(t, ask(two, "redirect_uri", "https://app.example.com/two?x=y")), "action", "allow")
	if to := res.header.Get("Location"); !strings.HasPrefix(to, "https://app.example.com/two?x=y&code=") {
		t.Errorf("redirect with a query: %s", to)
	}
}

// TestPublicClient uses a loopback port that was not registered, and binds its
// refresh tokens to a DPoP key.
func TestPublicClient(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id, secret := w.client(t, func(c *convoke.Client) { public(c); c.RedirectURIs = []string{"http://127.0.0.1/cb"} })
	if secret != "" {
		t.Error("a public client has a secret")
	}
	const port = "http://127.0.0.1:51004/cb"
	code := w.browser().code(t, ask(id, "redirect_uri", port))
	p, thief := newProver(t), newProver(t)
	with := func(by *prover, pairs ...string) reply {
		r := formRequest("/oauth2/token", append(pairs, "client_id", id)...)
		if by != nil {
			r.Header.Set("DPoP", by.proof(t, "POST", "/oauth2/token", ""))
		}
		return w.do(t, r)
	}
	if res := w.exchange(t, id, "", code); res.status != 400 { // another port than the code was sent to
		t.Errorf("other redirect: %d %s", res.status, res.body)
	}
	res := with(p, "grant_type", "authorization_code", "code", code, "redirect_uri", port, "code_verifier", verifier)
	if res.status != 200 || res.member(t, "token_type") != "DPoP" {
		t.Fatalf("%d %s", res.status, res.body)
	}
	refresh := res.member(t, "refresh_token")
	for name, by := range map[string]*prover{"no proof": nil, "another key": thief} {
		if status, code := with(by, "grant_type", "refresh_token", "refresh_token", refresh).problem(t); status != 400 || code != "invalid_grant" {
			t.Errorf("%s: %d %s", name, status, code)
		}
	}
	if res := with(p, "grant_type", "refresh_token", "refresh_token", refresh); res.status != 200 {
		t.Errorf("the same key: %d %s", res.status, res.body)
	}
}

// TestFormsAreOurs sends forms from elsewhere.
func TestFormsAreOurs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		id, _ := w.client(t, nil)
		b := w.browser()
		q := ask(id)
		login := b.get(t, q)
		if res := b.send(t, formRequest(b.target(q), "action", "login", "user", "ann", "password", "right")); res.status != 200 || len(w.people.sessions) != 0 {
			t.Errorf("sign-in without a token: %d", res.status)
		}
		elsewhere := w.browser()
		elsewhere.get(t, q)
		if res := elsewhere.submit(t, q, login, "action", "login", "user", "ann", "password", "right"); res.status != 200 || len(w.people.sessions) != 0 {
			t.Errorf("sign-in from another browser: %d", res.status)
		}
		b.submit(t, q, login, "action", "login", "user", "ann", "password", "right")
		consent := b.get(t, q)
		foreign := formRequest(b.target(q), "action", "allow", "csrf", csrfField.FindStringSubmatch(consent.body)[1])
		foreign.Header.Set("Sec-Fetch-Site", "cross-site")
		if res := b.send(t, foreign); res.status != 403 || res.header.Get("Location") != "" {
			t.Errorf("from another site: %d", res.status)
		}
		noCode := func(what string, res reply) {
			t.Helper()
			if res.status != 200 || !strings.Contains(res.body, `value="allow"`) {
				t.Errorf("%s: %d to %q, want to be asked again", what, res.status, res.header.Get("Location"))
			}
		}
		noCode("without a token", b.send(t, formRequest(b.target(q), "action", "allow")))
		noCode("with the token of the sign-in", b.submit(t, q, login, "action", "allow"))
		noCode("for another request", b.submit(t, ask(id, "scope", "faas.log.read"), consent, "action", "allow"))
		time.Sleep(formLifetime)
		noCode("after half an hour", b.submit(t, q, consent, "action", "allow"))
		if res := b.submit(t, q, b.get(t, q), "action", "allow"); res.status != 303 {
			t.Errorf("the right way: %d", res.status)
		}
		// Somebody of another account is nobody here.
		w.people.sessions["s-otto"] = "otto"
		b.cookies[sessionCookie].Value = "s-otto"
		if page := b.get(t, q); !strings.Contains(page.body, "Password") {
			t.Errorf("another account's user is asked: %s", page.body)
		}
		if res := b.submit(t, q, consent, "action", "allow"); res.header.Get("Location") != "" {
			t.Errorf("another account's user got a code")
		}
		delete(b.cookies, sessionCookie)
		if res := b.submit(t, q, consent, "action", "allow"); res.header.Get("Location") != "" || !strings.Contains(res.body, "Sign in again") {
			t.Errorf("nobody got a code: %s", res.body)
		}
		if res := b.submit(t, q, b.get(t, q), "action", "login", "user", "locked", "password", "x"); res.status != 429 || res.header.Get("Retry-After") != "90" {
			t.Errorf("locked out: %d %v", res.status, res.header)
		}
	})
}

func TestPromptLogin(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id, _ := w.client(t, nil)
	b := w.browser()
	b.code(t, ask(id))
	q := ask(id, "prompt", "login")
	page := b.get(t, q)
	if !strings.Contains(page.body, "Password") {
		t.Fatalf("not asked for the password: %s", page.body)
	}
	res := b.submit(t, q, page, "action", "login", "user", "ann", "password", "right")
	if page = b.send(t, httptest.NewRequest("GET", res.header.Get("Location"), nil)); !strings.Contains(page.body, `value="allow"`) {
		t.Errorf("asked for the password again: %s", page.body)
	}
}

// TestPagesAreGuarded holds the headers that keep a page from being framed or
// scripted, and that its style is the one the policy allows.
func TestPagesAreGuarded(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id, _ := w.client(t, func(c *convoke.Client) {
		c.RedirectURIs = []string{appURL, "http://127.0.0.1/cb", "http://[::1]/cb", "com.example.app:/cb"}
	})
	for redirect, target := range map[string]string{
		appURL: "https://app.example.com", "http://127.0.0.1:7/cb": "http://127.0.0.1:7", "http://[::1]:7/cb": "http:", "com.example.app:/cb": "com.example.app:",
	} {
		res := w.browser().get(t, ask(id, "redirect_uri", redirect))
		want := "default-src 'none'; style-src " + styleHash + "; form-action 'self' " + target + "; frame-ancestors 'none'; base-uri 'none'"
		if got := res.header.Get("Content-Security-Policy"); got != want {
			t.Errorf("%s: policy %s, want %s", redirect, got, want)
		}
		for name, want := range map[string]string{"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
			if got := res.header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if !strings.Contains(res.body, "<style>"+pageStyle+"</style>") || strings.Contains(res.body, "<script") || strings.Contains(res.body, " style=") {
			t.Errorf("the page's style is not the one that the policy allows:\n%s", res.body)
		}
	}
	cookie := w.browser().get(t, ask(id, "redirect_uri", appURL)).header.Get("Set-Cookie")
	for _, want := range []string{"HttpOnly", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("cookie %s lacks %s", cookie, want)
		}
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id, secret := w.client(t, nil)
	thief, thiefSecret := w.client(t, nil)
	revoke := func(id, secret, token string) reply {
		return w.form(t, "/oauth2/revoke", "token", token, "token_type_hint", "refresh_token", "client_id", id, "client_secret", secret)
	}
	for _, which := range []string{"refresh_token", "access_token"} {
		res := w.exchange(t, id, secret, w.browser().code(t, ask(id)))
		token, access, refresh := res.member(t, which), res.member(t, "access_token"), res.member(t, "refresh_token")
		if res := revoke(thief, thiefSecret, token); res.status != 200 { // RFC 7009: as if there were none
			t.Errorf("%s by another client: %d %s", which, res.status, res.body)
		}
		w.wantMe(t, access, 200)
		if res := revoke(id, "wrong", token); res.status != 401 {
			t.Errorf("%s with a wrong secret: %d", which, res.status)
		}
		for range 2 { // the second time there is nothing left to do
			if res := revoke(id, secret, token); res.status != 200 || res.body != "" {
				t.Errorf("%s: %d %s", which, res.status, res.body)
			}
		}
		w.wantMe(t, access, 401)
		if res := w.refreshed(t, id, secret, refresh); res.status != 400 {
			t.Errorf("%s: refresh after it: %d", which, res.status)
		}
	}
	for name, tt := range map[string]struct {
		token  string
		status int
		code   string
	}{
		"none": {"", 400, "invalid_request"}, "of a machine": {w.token(t, id, secret), 400, "unsupported_token_type"},
	} {
		if status, code := revoke(id, secret, tt.token).problem(t); status != tt.status || code != tt.code {
			t.Errorf("%s: %d %s", name, status, code)
		}
	}
	for _, token := range []string{"x", "cvr_x", strings.Repeat("x", 9000), "a.b.c"} {
		if res := revoke(id, secret, token); res.status != 200 {
			t.Errorf("%.20s: %d %s, want 200 for what is no token", token, res.status, res.body)
		}
	}
}
