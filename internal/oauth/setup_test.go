package oauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"convoke"
	"convoke/internal/auth"
	"convoke/internal/httpx"
	"convoke/internal/sqlstore"
)

const (
	home   = "10000001"
	other  = "20000002"
	issuer = "https://sentinel.example.com"
	appURL = "https://app.example.com/cb"
)

// world is a server on a real store, with the real judge of tokens in front of
// one protected path. Only the people are made up: they have no passwords of
// their own here.
type world struct {
	server  *Server
	store   *sqlstore.Store
	people  *people
	handler http.Handler
}

func setup(t testing.TB) *world {
	t.Helper()
	dir := t.TempDir()
	store, err := sqlstore.Open(t.Context(), sqlstore.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, id := range []string{home, other} {
		if err := store.CreateAccount(t.Context(), &convoke.Account{ID: id, Name: id, CreatedAt: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := OpenKeys(KeysConfig{Dir: filepath.Join(dir, "keys")})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{store: store, people: &people{roles: map[string][]convoke.Role{"ann": {convoke.RoleDeveloper}}, sessions: map[string]string{}, made: map[string]bool{}}}
	silent := slog.New(slog.DiscardHandler)
	if w.server, err = New(Config{Store: store, Keys: keys, People: w.people, Issuer: issuer, Logger: silent}); err != nil {
		t.Fatal(err)
	}
	judge, err := auth.New(auth.Config{Tokens: store, JWT: w.server, Logger: silent})
	if err != nil {
		t.Fatal(err)
	}
	edge := httpx.New(httpx.Config{Logger: silent})
	mux := http.NewServeMux()
	for pattern, h := range map[string]httpx.Handler{
		"POST /sentinel/api/account/{account}/app/token":    w.server.AppToken,
		"POST /sentinel/api/v2/account/{account}/app/token": w.server.AppTokenV2,
		"POST /sentinel/api/account/{account}/token":        w.server.UserToken,
		"GET /sentinel/api/account/{account}/authorize":     w.server.Authorize,
		"POST /sentinel/api/account/{account}/authorize":    w.server.Decide,
		"GET /oauth2/authorize":                             w.server.Authorize,
		"POST /oauth2/authorize":                            w.server.Decide,
		"POST /oauth2/token":                                w.server.Token,
		"POST /oauth2/revoke":                               w.server.Revoke,
		"GET /.well-known/openid-configuration":             w.server.Metadata,
		"GET /.well-known/jwks.json":                        w.server.KeySet,
		"/api/account/{account}/me": func(rw http.ResponseWriter, r *http.Request) error {
			p, err := judge.Authenticate(r)
			if err == nil {
				err = auth.Check(p, r.PathValue("account"), convoke.PermFunctionInvoke)
			}
			if err != nil {
				return err
			}
			return httpx.WriteJSON(rw, http.StatusOK, p)
		},
	} {
		mux.Handle(pattern, edge.Handle(h, false))
	}
	w.handler = edge.Wrap(mux)
	return w
}

// people are users without passwords: everybody's is "right". That of a user
// in made was made up by somebody else.
type people struct {
	mu       sync.Mutex
	roles    map[string][]convoke.Role
	sessions map[string]string // cookie to user
	made     map[string]bool
	provider string // where else they sign in, before the path to go on to
}

func (p *people) ProviderPath(accountID, next string) string {
	if p.provider == "" || accountID != home {
		return ""
	}
	return p.provider + url.QueryEscape(next)
}

func (p *people) SetPassword(_ context.Context, _ *http.Request, by *convoke.Principal, old, password convoke.Secret) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case old.Reveal() == "often":
		return &convoke.Error{Code: convoke.CodeLocked, Message: "too many attempts", RetryAfter: 90 * time.Second}
	case old.Reveal() != "right":
		return convoke.Errorf(convoke.CodeValidation, "the old password is wrong")
	}
	delete(p.made, by.ID)
	return nil
}

const sessionCookie = "session_id"

func (p *people) Session(r *http.Request) (*convoke.Principal, error) {
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil, convoke.Errorf(convoke.CodeUnauthorized, "nobody is signed in")
	}
	p.mu.Lock()
	user, ok := p.sessions[c.Value]
	p.mu.Unlock()
	if !ok {
		return nil, convoke.Errorf(convoke.CodeUnauthorized, "nobody is signed in")
	}
	account := home
	if user == "otto" {
		account = other
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return &convoke.Principal{AccountID: account, ID: user, Name: user, Roles: p.roles[user], MustChangePassword: p.made[user]}, nil
}

func (p *people) Login(_ context.Context, _ *http.Request, accountID, user string, password convoke.Secret) ([]*http.Cookie, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if user == "locked" {
		return nil, &convoke.Error{Code: convoke.CodeThrottled, Message: "Too many attempts.", RetryAfter: 90 * time.Second}
	}
	if _, ok := p.roles[user]; !ok || accountID != home || password.Reveal() != "right" {
		return nil, convoke.Errorf(convoke.CodeUnauthorized, "User or password is wrong.")
	}
	p.sessions["s-"+user] = user
	return []*http.Cookie{{Name: sessionCookie, Value: "s-" + user, Path: "/", HttpOnly: true}}, nil
}

func (p *people) Find(_ context.Context, accountID, userID string) (*convoke.Principal, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	roles, ok := p.roles[userID]
	if !ok || accountID != home || p.made[userID] {
		return nil, convoke.Errorf(convoke.CodeNotFound, "the user does not exist")
	}
	return &convoke.Principal{AccountID: accountID, ID: userID, Name: userID, Roles: roles}, nil
}

// client registers a client; change may be nil.
func (w *world) client(t testing.TB, change func(*convoke.Client)) (id, secret string) {
	t.Helper()
	c := &convoke.Client{
		AccountID: home, Name: uuid.NewString(), GrantTypes: convoke.GrantTypes,
		Scopes: []convoke.Scope{convoke.ScopeInvoke, convoke.ScopeLogRead, convoke.ScopeOpenID}, RedirectURIs: []string{appURL},
	}
	if change != nil {
		change(c)
	}
	s, err := w.server.CreateClient(t.Context(), c, "ann")
	if err != nil {
		t.Fatal(err)
	}
	return c.ID, s.Reveal()
}

func public(c *convoke.Client) { c.Public, c.GrantTypes = true, convoke.GrantTypes[1:] }

// reply is an answer.
type reply struct {
	status int
	header http.Header
	body   string
}

func (w *world) do(t testing.TB, r *http.Request) reply {
	t.Helper()
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	res := rec.Result()
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, string(b)}
}

// form posts name and value pairs.
func (w *world) form(t testing.TB, path string, pairs ...string) reply {
	t.Helper()
	return w.do(t, formRequest(path, pairs...))
}

func formRequest(path string, pairs ...string) *http.Request {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequest("POST", path, strings.NewReader(v.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// members are those of a JSON object.
func (r reply) members(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(r.body), &m); err != nil {
		t.Fatalf("%d %s: %v", r.status, r.body, err)
	}
	return m
}

func (r reply) member(t testing.TB, name string) string {
	t.Helper()
	s, _ := r.members(t)[name].(string)
	return s
}

// problem is the error of a refused request and its status.
func (r reply) problem(t testing.TB) (int, string) {
	t.Helper()
	return r.status, r.member(t, "error")
}

// token gets an access token by client credentials.
func (w *world) token(t testing.TB, id, secret string, header ...string) string {
	t.Helper()
	r := formRequest("/oauth2/token", "grant_type", "client_credentials", "client_id", id, "client_secret", secret)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res := w.do(t, r)
	if res.status != http.StatusOK {
		t.Fatalf("no token: %d %s", res.status, res.body)
	}
	return res.member(t, "access_token")
}

// me asks the protected path.
func (w *world) me(t testing.TB, authorization string) reply {
	t.Helper()
	r := httptest.NewRequest("GET", "/api/account/"+home+"/me", nil)
	r.Header.Set("Authorization", authorization)
	return w.do(t, r)
}

func (w *world) wantMe(t testing.TB, token string, status int) {
	t.Helper()
	if got := w.me(t, "Bearer "+token); got.status != status {
		t.Errorf("%d %s, want %d", got.status, got.body, status)
	}
}

// claimsOf decodes a JWT without checking it.
func claimsOf(t testing.TB, token string) (head, body map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWT", token)
	}
	for i, to := range []*map[string]any{&head, &body} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, to); err != nil {
			t.Fatal(err)
		}
	}
	return head, body
}

// browser keeps cookies and fills in the forms of pages.
type browser struct {
	w       *world
	path    string // "" is /oauth2/authorize
	cookies map[string]*http.Cookie
}

func (b *browser) send(t testing.TB, r *http.Request) reply {
	t.Helper()
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	res := b.w.do(t, r)
	for _, c := range (&http.Response{Header: res.header}).Cookies() {
		b.cookies[c.Name] = c
	}
	return res
}

func (w *world) browser() *browser { return &browser{w: w, cookies: map[string]*http.Cookie{}} }

func (b *browser) target(q url.Values) string {
	path := b.path
	if path == "" {
		path = "/oauth2/authorize"
	}
	return path + "?" + q.Encode()
}

func (b *browser) get(t testing.TB, q url.Values) reply {
	t.Helper()
	return b.send(t, httptest.NewRequest("GET", b.target(q), nil))
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// submit sends the form of a page back.
func (b *browser) submit(t testing.TB, q url.Values, page reply, pairs ...string) reply {
	t.Helper()
	m := csrfField.FindStringSubmatch(page.body)
	if m == nil {
		t.Fatalf("the page has no form: %d %s", page.status, page.body)
	}
	return b.send(t, formRequest(b.target(q), append(pairs, "csrf", html.UnescapeString(m[1]))...))
}

// code goes the whole way from the first page to a code.
func (b *browser) code(t testing.TB, q url.Values) string {
	t.Helper()
	login := b.get(t, q)
	if res := b.submit(t, q, login, "action", "login", "user", "ann", "password", "right"); res.status != http.StatusSeeOther {
		t.Fatalf("sign-in: %d %s", res.status, res.body)
	}
	res := b.submit(t, q, b.get(t, q), "action", "allow")
	back, err := url.Parse(res.header.Get("Location"))
	if err != nil || back.Query().Get("code") == "" {
		t.Fatalf("no code: %d %s %s", res.status, res.header.Get("Location"), res.body)
	}
	return back.Query().Get("code")
}

const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // of RFC 7636, appendix B

func ask(id string, pairs ...string) url.Values {
	q := url.Values{"response_type": {"code"}, "client_id": {id}, "redirect_uri": {appURL}, "state": {"st"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"}, "nonce": {"n-1"}}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			q.Del(pairs[i])
		} else {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}

// slowStore does something else between reading a client and returning it.
type slowStore struct {
	Store
	after func()
}

func (s *slowStore) FindClient(ctx context.Context, id string) (*convoke.Client, error) {
	c, err := s.Store.FindClient(ctx, id)
	if s.after != nil {
		s.after()
	}
	return c, err
}
