package httpapi

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"

	"convoke"
	"convoke/api"
	"convoke/internal/auth"
	"convoke/internal/oidc"
)

const (
	clientID     = "convoke-test"
	clientSecret = "convoke-test-secret"
)

// provider runs a real OpenID Connect provider with the users ann and bob, who
// have the password "secret", and makes it the world's. A browser finds the
// world's server at the address that it has.
func (w *world) provider(t *testing.T, change ...func(*oidc.Config, *Identity)) string {
	t.Helper()
	users := filepath.Join(t.TempDir(), "users.json")
	err := os.WriteFile(users, []byte(`{
		"1": {"ID":"1","Username":"ann","Password":"secret","Email":"ann@example.com","EmailVerified":true,"PreferredLanguage":"en"},
		"2": {"ID":"2","Username":"bob","Password":"secret","Email":"admin@example.com","EmailVerified":false,"PreferredLanguage":"en"}}`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	people, err := storage.StoreFromFile(users)
	if err != nil {
		t.Fatal(err)
	}
	var handler http.Handler
	op := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(op.Close)
	storage.RegisterClients(storage.WebClient(clientID, clientSecret, w.url+oidc.CallbackPath))
	handler = exampleop.SetupServer(op.URL, storage.NewStorage(people), slog.New(slog.DiscardHandler), false)

	c := oidc.Config{Issuer: op.URL, ClientID: clientID, ClientSecret: convoke.NewSecret(clientSecret), URL: w.url}
	id := Identity{AccountID: home, Create: true}
	for _, f := range change {
		f(&c, &id)
	}
	id.Provider = oidc.New(c)
	w.config.Identity = id
	w.remake(t)
	return op.URL
}

// browser follows redirects and keeps cookies, and stops at the page that it
// was sent to in the end.
type browser struct {
	*http.Client
	t *testing.T
}

func newBrowser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{&http.Client{Jar: jar}, t}
}

func (b *browser) get(url string) (*http.Response, string) {
	b.t.Helper()
	res, err := b.Get(url)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.read(res)
}

func (b *browser) read(res *http.Response) (*http.Response, string) {
	b.t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return res, string(body)
}

var hiddenID = regexp.MustCompile(`name="id" value="([^"]+)"`)

// signIn goes to the provider and signs in there; the answer is that of the
// page of ours that the browser ends on.
func (b *browser) signIn(server, provider, user, next string) (*http.Response, string) {
	b.t.Helper()
	res, body := b.get(server + "/auth/oidc/login?next=" + url.QueryEscape(next))
	id := hiddenID.FindStringSubmatch(body)
	if id == nil {
		b.t.Fatalf("no page to sign in on: %d %s", res.StatusCode, body)
	}
	res, err := b.PostForm(provider+"/login/username", url.Values{"username": {user}, "password": {"secret"}, "id": {id[1]}})
	if err != nil {
		b.t.Fatal(err)
	}
	return b.read(res)
}

// TestSignInThroughProvider drives a whole sign-in between a browser, this
// server and a real provider. It is not parallel to others of its kind: the
// provider keeps its clients in a variable of the package.
func TestSignInThroughProvider(t *testing.T) {
	w := setup(t)
	op := w.provider(t)
	ann := newBrowser(t)
	me := "/api/account/" + home + "/me"
	res, body := ann.signIn(w.url, op, "ann", me)
	if res.StatusCode != http.StatusOK || res.Request.URL.Path != me {
		t.Fatalf("ended on %s: %d %s", res.Request.URL, res.StatusCode, body)
	}
	var who api.Me
	if err := json.Unmarshal([]byte(body), &who); err != nil {
		t.Fatal(err)
	}
	if who.Name != "ann" || who.Kind != "session" || len(who.Roles) != 1 || who.Roles[0] != "viewer" || who.CSRF == "" {
		t.Errorf("signed in as %+v, want the new viewer ann", who)
	}
	w.want(t, "admin", "GET /activities?actor="+who.UserID, "", 200, `"action":"session.create"`, `"action":"user.create"`, "identity provider")
	w.want(t, "", "POST /login", `{"username":"ann","password":"secret"}`, 401) // there is no password here

	// The second time it is the same user, with the roles that an admin gave.
	w.want(t, "admin", "PATCH /users/"+who.UserID, `{"roles":["developer"]}`, 200)
	_, body = newBrowser(t).signIn(w.url, op, "ann", me)
	if !strings.Contains(body, who.UserID) || !strings.Contains(body, `"roles":["developer"]`) {
		t.Errorf("the second sign-in: %s", body)
	}
	w.want(t, "admin", "PATCH /users/"+who.UserID, `{"disabled":true}`, 200)
	if res, body := newBrowser(t).signIn(w.url, op, "ann", me); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a disabled user: %d %s", res.StatusCode, body)
	}

	// Somebody of that name with a password is somebody else.
	w.person(t, "bob", convoke.RoleAdmin)
	if res, body := newBrowser(t).signIn(w.url, op, "bob", me); res.StatusCode != http.StatusConflict {
		t.Errorf("a name that is taken: %d %s", res.StatusCode, body)
	}
	// And people are sent on to pages of this server only.
	for _, next := range []string{"https://evil.example/", "//evil.example/", `/\evil.example/`, "evil"} {
		b := newBrowser(t)
		w.want(t, "admin", "PATCH /users/"+who.UserID, `{"disabled":false}`, 200)
		if res, _ := b.signIn(w.url, op, "ann", next); res.Request.URL.String() != w.url+"/" {
			t.Errorf("next=%s leads to %s", next, res.Request.URL)
		}
	}
}

func TestSignInOfWhoIsAwaited(t *testing.T) {
	w := setup(t)
	op := w.provider(t, func(_ *oidc.Config, id *Identity) { id.Create = false })
	me := "/api/account/" + home + "/me"
	if res, body := newBrowser(t).signIn(w.url, op, "ann", me); res.StatusCode != http.StatusForbidden || !strings.Contains(body, "ask an administrator") {
		t.Errorf("somebody who is not awaited: %d %s", res.StatusCode, body)
	}
	// Ann is known by her address, which the provider has verified; bob's is not.
	made := w.want(t, "admin", "POST /users", `{"loginName":"ann@example.com","roles":["developer"],"external":true}`, 201, `"external":true`, "!password\"")
	w.want(t, "admin", "POST /users", `{"loginName":"admin@example.com","roles":["admin"],"external":true}`, 201)
	w.want(t, "admin", "POST /users", `{"loginName":"x","roles":["admin"],"external":true,"password":"`+password+`"}`, 400)
	if _, body := newBrowser(t).signIn(w.url, op, "ann", me); !strings.Contains(body, pick(t, made, "id")) || !strings.Contains(body, `"roles":["developer"]`) {
		t.Errorf("who is awaited: %s", body)
	}
	if res, body := newBrowser(t).signIn(w.url, op, "bob", me); res.StatusCode != http.StatusForbidden {
		t.Errorf("an address that is not verified: %d %s", res.StatusCode, body)
	}
}

func TestProviderGivesRoles(t *testing.T) {
	w := setup(t)
	op := w.provider(t, func(c *oidc.Config, _ *Identity) {
		// The provider has no groups: the name serves as one.
		c.RoleClaim, c.Roles = "preferred_username", map[string]convoke.Role{"ann": convoke.RoleInvoker}
	})
	me := "/api/account/" + home + "/me"
	_, body := newBrowser(t).signIn(w.url, op, "ann", me)
	if !strings.Contains(body, `"roles":["invoker"]`) {
		t.Fatalf("signed in as %s", body)
	}
	w.want(t, "admin", "PATCH /users/"+pick(t, body, "userId"), `{"roles":["admin"]}`, 200)
	w.person(t, "other-admin", convoke.RoleAdmin)
	if _, body := newBrowser(t).signIn(w.url, op, "ann", me); !strings.Contains(body, `"roles":["invoker"]`) {
		t.Errorf("the provider's roles do not hold: %s", body)
	}
	if res, body := newBrowser(t).signIn(w.url, op, "bob", me); res.StatusCode != http.StatusForbidden || !strings.Contains(body, "none of your groups") {
		t.Errorf("somebody without a group of ours: %d %s", res.StatusCode, body)
	}
}

// TestForeignCallbacks tries ways to end a sign-in that this browser did not
// begin, or that went wrong.
func TestForeignCallbacks(t *testing.T) {
	w := setup(t)
	op := w.provider(t)
	begun := func() (*browser, url.Values) { // on its way: the cookie is set, the provider asked
		b := newBrowser(t)
		b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		res, body := b.get(w.url + "/auth/oidc/login")
		to, err := url.Parse(res.Header.Get("Location"))
		if res.StatusCode != http.StatusFound || err != nil || !strings.HasPrefix(to.String(), op) {
			t.Fatalf("%d to %v, %s", res.StatusCode, to, body)
		}
		q := to.Query()
		if q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" || q.Get("nonce") == "" || q.Get("state") == "" || q.Get("response_type") != "code" {
			t.Errorf("asked the provider with %v", q)
		}
		return b, q
	}
	callback := w.url + oidc.CallbackPath
	refused := func(what string, b *browser, query url.Values, why string) {
		t.Helper()
		res, body := b.get(callback + "?" + query.Encode())
		if res.StatusCode != http.StatusUnauthorized || !strings.Contains(body, why) || strings.Contains(strings.Join(res.Header["Set-Cookie"], " "), auth.SessionCookie) {
			t.Errorf("%s: %d %s", what, res.StatusCode, body)
		}
	}
	refused("nobody began", newBrowser(t), url.Values{"code": {"x"}, "state": {"y"}}, "took too long")
	b, _ := begun()
	_, another := begun()
	refused("another browser's state", b, url.Values{"code": {"x"}, "state": {another.Get("state")}}, "not the sign-in that the browser began")
	b, _ = begun()
	refused("no state", b, url.Values{"code": {"x"}}, "not the sign-in that the browser began")
	b, q := begun()
	refused("the person said no", b, url.Values{"error": {"access_denied"}, "state": {q.Get("state")}}, "access_denied")
	b, q = begun()
	refused("a code that the provider never gave", b, url.Values{"code": {"x"}, "state": {q.Get("state")}}, "did not accept")
	refused("the same again", b, url.Values{"code": {"x"}, "state": {q.Get("state")}}, "took too long")

	// A provider that is away is told as such.
	w.config.Identity.Provider = oidc.New(oidc.Config{Issuer: "http://127.0.0.1:1", ClientID: "x", URL: w.url})
	w.remake(t)
	if res, body := newBrowser(t).get(w.url + "/auth/oidc/login"); res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("no provider: %d %s", res.StatusCode, body)
	}
}
