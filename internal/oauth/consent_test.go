package oauth

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"convoke"
)

// commandLine asks as convoke login does.
func commandLine(pairs ...string) url.Values {
	return ask(convoke.CommandLineID, append([]string{"redirect_uri", "http://127.0.0.1:51004/callback", "nonce", ""}, pairs...)...)
}

func (w *world) terminal() *browser {
	b := w.browser()
	b.path = "/sentinel/api/account/" + home + "/authorize"
	return b
}

func (w *world) redeemed(t testing.TB, code string, pairs ...string) reply {
	t.Helper()
	return w.exchange(t, convoke.CommandLineID, "", code, append([]string{"client_secret", "", "redirect_uri", "http://127.0.0.1:51004/callback"}, pairs...)...)
}

// TestCommandLine signs the command line in: the token is the user himself, as
// far as he may at the time, and ends with the sign-in.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	w := setup(t)
	b := w.terminal()
	login := b.get(t, commandLine())
	b.submit(t, commandLine(), login, "action", "login", "user", "ann", "password", "right")
	page := b.get(t, commandLine())
	if !strings.Contains(page.body, "Convoke command line") || !strings.Contains(page.body, "all that you may") || !strings.Contains(page.body, "just run <code>convoke login</code>") {
		t.Errorf("the page does not say what is at stake: %s", page.body)
	}
	back, _ := url.Parse(b.submit(t, commandLine(), page, "action", "allow").header.Get("Location"))
	if !strings.HasPrefix(back.String(), "http://127.0.0.1:51004/callback?") {
		t.Fatalf("sent to %s", back)
	}
	code := back.Query().Get("code")
	for name, pairs := range map[string][]string{
		"no verifier": {"code_verifier", ""}, "wrong verifier": {"code_verifier", strings.Repeat("a", 43)},
		"another port": {"redirect_uri", "http://127.0.0.1:51005/callback"}, "no redirect": {"redirect_uri", ""},
	} {
		if status, problem := w.redeemed(t, code, pairs...).problem(t); status != 400 || problem != "invalid_grant" {
			t.Errorf("%s: %d %s", name, status, problem)
		}
	}
	foreign := w.form(t, "/sentinel/api/account/"+other+"/token", "grant_type", "authorization_code", "code", code, "redirect_uri", "http://127.0.0.1:51004/callback", "code_verifier", verifier, "client_id", convoke.CommandLineID)
	if foreign.status != 400 {
		t.Errorf("at another account: %d %s", foreign.status, foreign.body)
	}
	res := w.redeemed(t, code)
	if res.status != 200 {
		t.Fatalf("%d %s", res.status, res.body)
	}
	access := res.member(t, "access_token")
	var p convoke.Principal
	if err := json.Unmarshal([]byte(w.me(t, "Bearer "+access).body), &p); err != nil {
		t.Fatal(err)
	}
	if p.UserID != "ann" || p.ClientID != "" || p.SessionID != claimOf(t, access, "grant") || p.AccountID != home || !p.May(convoke.PermFunctionWrite) || p.May(convoke.PermUserWrite) {
		t.Errorf("it acts as %+v", p)
	}
	w.people.mu.Lock()
	w.people.roles["ann"] = []convoke.Role{convoke.RoleViewer}
	w.people.mu.Unlock()
	w.server.ForgetUser(home, "ann")
	if got := w.me(t, "Bearer "+access); got.status != 403 { // a viewer invokes nothing
		t.Errorf("with a role less: %d %s", got.status, got.body)
	}
	w.people.mu.Lock()
	w.people.roles["ann"] = []convoke.Role{convoke.RoleDeveloper}
	w.people.mu.Unlock()
	w.server.ForgetUser(home, "ann")

	// Sessions end: this one is kept, then it is not.
	second := w.redeemed(t, w.terminal().code(t, commandLine())).member(t, "access_token")
	if err := w.server.EndSessions(t.Context(), home, "ann", p.SessionID); err != nil {
		t.Fatal(err)
	}
	w.wantMe(t, access, 200)
	w.wantMe(t, second, 401)
	if err := w.server.EndSession(t.Context(), other, p.SessionID); err != nil {
		t.Fatal(err)
	}
	w.wantMe(t, access, 200)
	if err := w.server.EndSession(t.Context(), home, p.SessionID); err != nil {
		t.Fatal(err)
	}
	w.wantMe(t, access, 401)
	if res := w.form(t, "/oauth2/token", "grant_type", "refresh_token", "refresh_token", res.member(t, "refresh_token"), "client_id", convoke.CommandLineID); res.status != 400 {
		t.Errorf("renewed after its end: %d %s", res.status, res.body)
	}
	// Ending sessions leaves what other programs were allowed.
	id, secret := w.client(t, nil)
	app := w.exchange(t, id, secret, w.browser().code(t, ask(id))).member(t, "access_token")
	if err := w.server.EndSessions(t.Context(), home, "ann", ""); err != nil {
		t.Fatal(err)
	}
	if err := w.server.EndSession(t.Context(), home, claimOf(t, app, "grant")); err != nil {
		t.Fatal(err)
	}
	w.wantMe(t, app, 200)
}

// TestCommandLineIsNobodyElse tries to come by a token that is a user himself
// in other ways.
func TestCommandLineIsNobodyElse(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for name, q := range map[string]url.Values{
		"localhost":    commandLine("redirect_uri", "http://localhost:51004/callback"),
		"IPv6":         commandLine("redirect_uri", "http://[::1]:51004/callback"),
		"another path": commandLine("redirect_uri", "http://127.0.0.1:51004/other"),
		"another host": commandLine("redirect_uri", "http://127.0.0.2:51004/callback"),
		"user part":    commandLine("redirect_uri", "http://127.0.0.1:51004@evil.example/callback"),
		"port of text": commandLine("redirect_uri", "http://127.0.0.1:evil.example/callback"),
		"https":        commandLine("redirect_uri", "https://127.0.0.1:51004/callback"),
		"elsewhere":    commandLine("redirect_uri", "https://evil.example/callback"),
	} {
		if res := w.terminal().get(t, q); res.status != 400 || res.header.Get("Location") != "" {
			t.Errorf("%s: %d to %q", name, res.status, res.header.Get("Location"))
		}
	}
	if res := w.browser().get(t, commandLine()); res.status != 400 || !strings.Contains(res.body, "names no account") {
		t.Errorf("without an account: %d %s", res.status, res.body)
	}
	for name, q := range map[string]url.Values{
		"no PKCE": commandLine("code_challenge", "", "code_challenge_method", ""), "plain": commandLine("code_challenge_method", "plain"),
		"another scope": commandLine("scope", "faas.lambda.invoke"),
	} {
		to, _ := url.Parse(w.terminal().get(t, q).header.Get("Location"))
		if to.Query().Get("error") == "" || to.Query().Has("code") {
			t.Errorf("%s: %s", name, to)
		}
	}
	if status, problem := w.form(t, "/oauth2/token", "grant_type", "client_credentials", "client_id", convoke.CommandLineID).problem(t); status != 400 || problem != "unauthorized_client" {
		t.Errorf("for itself: %d %s", status, problem)
	}
	if res := w.form(t, "/oauth2/token", "grant_type", "client_credentials", "client_id", convoke.CommandLineID, "client_secret", "x"); res.status != 401 {
		t.Errorf("with a secret: %d", res.status)
	}
	// A client cannot be given the scope, and what it asks for it does not get.
	c := &convoke.Client{AccountID: home, Name: "thief", GrantTypes: convoke.GrantTypes, Scopes: []convoke.Scope{convoke.ScopeUser}, RedirectURIs: []string{appURL}}
	if _, err := w.server.CreateClient(t.Context(), c, "eve"); convoke.ErrorCode(err) != convoke.CodeValidation {
		t.Errorf("a client with all scopes: %v", err)
	}
	id, _ := w.client(t, nil)
	if to, _ := url.Parse(w.browser().get(t, ask(id, "scope", "user")).header.Get("Location")); to.Query().Get("error") != "invalid_scope" {
		t.Errorf("a client that asks for it: %s", to)
	}
	if _, _, err := w.server.UpdateClient(t.Context(), home, convoke.CommandLineID, func(*convoke.Client) {}, "eve"); convoke.ErrorCode(err) != convoke.CodeNotFound {
		t.Errorf("changed: %v", err)
	}
	if err := w.server.RemoveClient(t.Context(), home, convoke.CommandLineID); convoke.ErrorCode(err) != convoke.CodeNotFound {
		t.Errorf("removed: %v", err)
	}
}

// TestConsentsEnd ends a consent by the user, with its code, refresh token and
// access token, and nobody else's.
func TestConsentsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		id, secret := w.client(t, nil)
		res := w.exchange(t, id, secret, w.browser().code(t, ask(id)))
		access, refresh := res.member(t, "access_token"), res.member(t, "refresh_token")
		time.Sleep(time.Second)
		code := w.browser().code(t, ask(id)) // agreed, not fetched yet
		list, _, err := w.server.Consents(t.Context(), home, "ann", convoke.Page{})
		if err != nil || len(list) != 2 || list[1].ID != claimOf(t, access, "grant") || list[0].ClientID != id || list[0].From != "192.0.2.1" || list[1].LastUsedAt.IsZero() || !list[0].LastUsedAt.IsZero() {
			t.Fatalf("consents %+v, %v", list, err)
		}
		for name, who := range map[string][2]string{"another account": {other, "ann"}, "another user": {home, "bob"}} {
			if _, err := w.server.RevokeConsent(t.Context(), who[0], who[1], list[0].ID); convoke.ErrorCode(err) != convoke.CodeNotFound {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, one := range list {
			if _, err := w.server.RevokeConsent(t.Context(), home, "ann", one.ID); err != nil {
				t.Fatal(err)
			}
			if _, err := w.server.RevokeConsent(t.Context(), home, "ann", one.ID); convoke.ErrorCode(err) != convoke.CodeNotFound {
				t.Errorf("twice: %v", err)
			}
		}
		if res := w.exchange(t, id, secret, code); res.status != 400 {
			t.Errorf("the code: %d %s", res.status, res.body)
		}
		if res := w.refreshed(t, id, secret, refresh); res.status != 400 {
			t.Errorf("the refresh token: %d %s", res.status, res.body)
		}
		w.wantMe(t, access, 401)

		// One whose code nobody fetched is none.
		w.browser().code(t, ask(id))
		time.Sleep(codeLifetime)
		if list, _, err := w.server.Consents(t.Context(), home, "ann", convoke.Page{}); err != nil || len(list) != 0 {
			t.Errorf("consents %+v, %v", list, err)
		}
	})
}

// TestConsentsAreRecorded reads the trail: given, given up, and lost by using
// a refresh token twice, each once.
func TestConsentsAreRecorded(t *testing.T) {
	t.Parallel()
	w := setup(t)
	trail := func() []*convoke.Activity {
		t.Helper()
		list, err := w.store.ListActivities(t.Context(), home, convoke.ActivityFilter{Noun: "consent", Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	want := func(what string, n int, action, actor, text string) {
		t.Helper()
		list := trail()
		if len(list) != n || list[0].Action != action || list[0].Actor != actor || list[0].From != "192.0.2.1" || !strings.Contains(string(list[0].Before)+string(list[0].After), text) {
			t.Errorf("%s left %d activities, the newest %+v", what, len(list), list[0])
		}
	}
	id, secret := w.client(t, func(c *convoke.Client) { c.Name = "crm" })
	res := w.exchange(t, id, secret, w.browser().code(t, ask(id)))
	want("agreeing", 1, "consent.give", "ann", `"clientName":"crm"`)
	for range 2 { // the second time nothing ends
		w.form(t, "/oauth2/revoke", "token", res.member(t, "refresh_token"), "client_id", id, "client_secret", secret)
		want("giving up", 2, "consent.revoke", "crm", "the program gave it up")
	}
	res = w.redeemed(t, w.terminal().code(t, commandLine()))
	want("signing in", 3, "consent.give", "ann", `"scopes":["user"]`)
	old := res.member(t, "refresh_token")
	for range 3 {
		w.form(t, "/oauth2/token", "grant_type", "refresh_token", "refresh_token", old, "client_id", convoke.CommandLineID)
	}
	want("using a token twice", 4, "consent.revoke", "ann", "may have been stolen")
	deny := w.browser()
	deny.submit(t, ask(id), deny.get(t, ask(id)), "action", "login", "user", "ann", "password", "right")
	deny.submit(t, ask(id), deny.get(t, ask(id)), "action", "deny")
	if len(trail()) != 4 {
		t.Error("saying no left an activity")
	}
	for _, a := range trail() {
		for _, text := range []string{codePrefix, refreshPrefix, "hash"} {
			if strings.Contains(string(a.Before)+string(a.After), text) {
				t.Errorf("the trail holds %s: %s %s", text, a.Before, a.After)
			}
		}
	}
}

// TestNewPassword holds that who has a password of somebody else's making gets
// no code before there is another.
func TestNewPassword(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.people.made["ann"] = true
	b := w.terminal()
	q := commandLine()
	b.submit(t, q, b.get(t, q), "action", "login", "user", "ann", "password", "right")
	page := b.get(t, q)
	if !strings.Contains(page.body, `value="password"`) || strings.Contains(page.body, `value="allow"`) {
		t.Fatalf("not asked for a new password: %s", page.body)
	}
	if res := b.submit(t, q, page, "action", "allow"); res.header.Get("Location") != "" || !strings.Contains(res.body, `value="password"`) {
		t.Errorf("a code before a new password: %d to %q", res.status, res.header.Get("Location"))
	}
	if to, _ := url.Parse(b.get(t, commandLine("prompt", "none")).header.Get("Location")); to.Query().Get("error") != "login_required" {
		t.Errorf("silent: %s", to)
	}
	for name, tt := range map[string]struct {
		old, again, want string
		status           int
	}{
		"differ": {"right", "other", "The two new passwords differ.", 200}, "wrong": {"wrong", "new", "The old password is wrong.", 200}, "often": {"often", "new", "Too many attempts.", 429},
	} {
		res := b.submit(t, q, page, "action", "password", "old", tt.old, "new", "new", "again", tt.again)
		if res.status != tt.status || !strings.Contains(res.body, tt.want) || strings.Contains(res.body, `value="wrong"`) {
			t.Errorf("%s: %d %s", name, res.status, res.body)
		}
	}
	forged := formRequest(b.target(q), "action", "password", "old", "right", "new", "new", "again", "new")
	if res := b.send(t, forged); res.status != 200 || !w.people.made["ann"] {
		t.Errorf("without the form's token: %d", res.status)
	}
	if res := b.submit(t, q, page, "action", "password", "old", "right", "new", "new", "again", "new"); res.status != http.StatusSeeOther {
		t.Errorf("the right way: %d %s", res.status, res.body)
	}
	if page := b.get(t, q); !strings.Contains(page.body, `value="allow"`) {
		t.Errorf("afterwards: %s", page.body)
	}
}

// TestCancelAndProvider leaves the sign-in, or goes through a provider.
func TestCancelAndProvider(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id, _ := w.client(t, nil)
	b := w.browser()
	if page := b.get(t, ask(id)); strings.Contains(page.body, "your organisation") {
		t.Errorf("a provider that is not there: %s", page.body)
	}
	res := b.submit(t, ask(id), b.get(t, ask(id)), "action", "cancel")
	if to, _ := url.Parse(res.header.Get("Location")); to.Query().Get("error") != "access_denied" || to.Query().Get("state") != "st" {
		t.Errorf("cancelled: %d to %s", res.status, to)
	}
	if res := b.send(t, formRequest(b.target(ask(id)), "action", "cancel")); res.header.Get("Location") != "" {
		t.Errorf("cancelled by another page: %s", res.header.Get("Location"))
	}
	w.people.provider = "/auth/oidc/login?next="
	page := b.get(t, ask(id, "prompt", "login"))
	to := strings.ReplaceAll(url.QueryEscape(b.target(ask(id, "prompt", "login"))+"&signed_in=1"), "&", "&amp;")
	if !strings.Contains(page.body, `href="/auth/oidc/login?next=`+to+`"`) {
		t.Errorf("no way to the provider and back to %s: %s", to, page.body)
	}
}

// TestShowError shows pages to browsers and leaves programs their errors.
func TestShowError(t *testing.T) {
	t.Parallel()
	for accept, shown := range map[string]bool{"": false, "application/json": false, "text/html,application/xhtml+xml": true} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept", accept)
		rec := httptest.NewRecorder()
		err := ShowError(rec, r, convoke.Errorf(convoke.CodeForbidden, "there is no user <for> you"))
		if shown != (err == nil) || shown && (rec.Code != 403 || !strings.Contains(rec.Body.String(), "There is no user &lt;for&gt; you.")) {
			t.Errorf("%q: %v, %d %s", accept, err, rec.Code, rec.Body)
		}
	}
	if err := ShowError(httptest.NewRecorder(), &http.Request{Header: http.Header{"Accept": {"text/html"}}}, http.ErrBodyNotAllowed); err == nil {
		t.Error("an internal error was shown")
	}
}
