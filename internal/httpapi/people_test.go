package httpapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"convoke"
	"convoke/api"
	"convoke/internal/auth"
)

// session signs somebody in and keeps the bearer as that one's token: "admin
// session" is an admin of the account at home, "other session" one of the
// other account, and "ended session" one whose session is over.
func (w *world) session(t *testing.T, as string) *auth.SignedIn {
	t.Helper()
	name, _, _ := strings.Cut(as, " ")
	account, role := home, convoke.Role(name)
	switch name {
	case "other":
		account, role = other, convoke.RoleAdmin
	case "ended":
		role = convoke.RoleAdmin
	}
	u := &convoke.User{ID: uuid.NewString(), AccountID: account, LoginName: name + uuid.NewString()[:8], Roles: []convoke.Role{role}, CreatedAt: time.Now(), UpdatedAt: time.Now()}
	if err := w.store.CreateUser(t.Context(), u, 0); err != nil {
		t.Fatal(err)
	}
	signed, err := w.config.Auth.StartSession(t.Context(), u, "192.0.2.1", "test")
	if err != nil {
		t.Fatal(err)
	}
	if name == "ended" {
		if err := w.config.Auth.EndSessions(t.Context(), account, u.ID, ""); err != nil {
			t.Fatal(err)
		}
	}
	w.tokens[as] = signed.Bearer.Reveal()
	return signed
}

// TestCookiesAreGuarded walks the table with session cookies: those of another
// account get nowhere, and at home a browser that another site steers, or that
// does not know the csrf, changes nothing.
func TestCookiesAreGuarded(t *testing.T) {
	t.Parallel()
	w := setup(t)
	mine, foreign := w.session(t, "admin session"), w.session(t, "other session")
	ask := func(rt Route, s *auth.SignedIn, header map[string]string) (int, convoke.Code) {
		h := http.Header{"Cookie": {auth.SessionCookie + "=" + s.Cookie.Reveal()}}
		for k, v := range header {
			h.Set(k, v)
		}
		status, _, body := w.do(t, "", rt.Method, example(rt.Path), "", h)
		var e api.Error
		_ = json.Unmarshal([]byte(body), &e) // a success is no error body
		return status, e.Code
	}
	for _, rt := range (&server{Config: w.config}).routes() {
		if rt.Rule.public {
			continue
		}
		name := rt.Method + " " + rt.Path
		if status, code := ask(rt, foreign, map[string]string{auth.CSRFHeader: foreign.CSRF}); code != convoke.CodeForbidden {
			t.Errorf("%s with another account's cookie: %d %s", name, status, code)
		}
		if rt.Method == http.MethodGet {
			continue
		}
		for what, header := range map[string]map[string]string{
			"without csrf":         {},
			"with another's csrf":  {auth.CSRFHeader: foreign.CSRF},
			"from another site":    {auth.CSRFHeader: mine.CSRF, "Sec-Fetch-Site": "cross-site"},
			"from another origin":  {auth.CSRFHeader: mine.CSRF, "Origin": "https://evil.example"},
			"from a sister domain": {auth.CSRFHeader: mine.CSRF, "Sec-Fetch-Site": "same-site"},
		} {
			if status, code := ask(rt, mine, header); code != convoke.CodeForbidden {
				t.Errorf("%s %s: %d %s, want it refused", name, what, status, code)
			}
		}
	}
	// What is refused above is let in with the csrf from the same origin.
	create := func() (int, string) {
		status, _, body := w.do(t, "", "POST", "/functions", `{"name":"f`+uuid.NewString()[:8]+`"}`, http.Header{
			"Cookie": {auth.SessionCookie + "=" + mine.Cookie.Reveal()}, http.CanonicalHeaderKey(auth.CSRFHeader): {mine.CSRF}, "Sec-Fetch-Site": {"same-origin"}})
		return status, body
	}
	if status, body := create(); status != http.StatusCreated {
		t.Errorf("a page of ours: %d %s", status, body)
	}
	// A cookie is no bearer and a bearer no cookie.
	w.tokens["swapped"] = mine.Cookie.Reveal()
	if status, _, _ := w.do(t, "swapped", "GET", "/me", "", nil); status != http.StatusUnauthorized {
		t.Errorf("the cookie as a bearer: %d", status)
	}
	if status, _, _ := w.do(t, "", "GET", "/me", "", http.Header{"Cookie": {auth.SessionCookie + "=" + mine.Bearer.Reveal()}}); status != http.StatusUnauthorized {
		t.Errorf("the bearer as a cookie: %d", status)
	}
	if status, _, _ := w.do(t, "", "GET", "/me", "", http.Header{"Cookie": {auth.SessionCookie + "=" + mine.Cookie.Reveal() + "; " + auth.SessionCookie + "=x"}}); status != http.StatusUnauthorized {
		t.Errorf("two cookies of the name: %d", status)
	}
}

// TestSlipsAreNamed: on a path of ours a member that does not exist is refused
// by its name and changes nothing; tools of the reference send such on theirs.
func TestSlipsAreNamed(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ann := w.person(t, "ann", convoke.RoleViewer)
	for _, tt := range []struct{ as, do, body, slip string }{
		{"admin", "POST /tokens", `{"name":"typo","roles":["invoker"],"ttl":86400}`, "ttl"},
		{"admin", "POST /tokens", `{"name":"typo","roles":["invoker"],"ttlSeconds":99999999999999}`, "ttlSeconds is"},
		{"operator", "POST /api/accounts", `{"id":"30000003","disable":true}`, "disable"},
		{"operator", "PATCH /api/accounts/" + other, `{"disable":true}`, "disable"},
		{"operator", "PATCH /api/accounts/" + other, `{"limits":{"bogus":5}}`, "bogus"},
		{"admin", "PATCH /settings", `{"named":"x"}`, "named"},
		{"admin", "POST /users", `{"loginName":"bob","role":["viewer"]}`, "role"},
		{"admin", "PATCH /users/" + ann.ID, `{"role":["invoker"]}`, "role"},
		{"admin", "POST /clients", `{"name":"c","grants":[]}`, "grants"},
		{"admin", "POST /domains", `{"name":"api.example.com"}`, "name"},
	} {
		w.want(t, tt.as, tt.do, tt.body, 400, tt.slip)
	}
	w.want(t, "admin", "GET /activities", "", 200, "[]")
	w.want(t, "operator", "GET /api/accounts/"+other, "", 200, `"disabled":false`, `"limits":{}`)
	w.want(t, "admin", "POST /functions", `{"timestamp":0,"name":"of_a_tool"}`, 201)
	w.want(t, "admin", "POST /tokens", `{"name":"x","roles":["invoker"],"ttl":1}`, 400, `there is no member \"ttl\"; the body takes name, roles, ttlSeconds`)
}

// TestChangesOfNothing leave no trace: no entry in the trail, no new time.
func TestChangesOfNothing(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ann := w.person(t, "ann", convoke.RoleViewer)
	for _, tt := range [][3]string{
		{"admin", "PATCH /users/" + ann.ID, `{"roles":["viewer"],"disabled":false}`},
		{"operator", "PATCH /api/accounts/" + other, `{"name":"` + other + `","limits":{"payloadBytes":0}}`},
		{"admin", "PATCH /settings", `{"generation":"V2"}`},
	} {
		w.want(t, tt[0], tt[1], tt[2], 200)
	}
	w.want(t, "admin", "GET /activities", "", 200, "!user.update", "!account.update")
	now, err := w.config.Accounts.User(t.Context(), home, ann.ID)
	if err != nil || !now.UpdatedAt.Equal(ann.UpdatedAt) {
		t.Errorf("the user is %+v, %v; was %+v", now, err, ann)
	}
}

// TestLimitsAreMerged: what is not said of an account's limits stays.
func TestLimitsAreMerged(t *testing.T) {
	t.Parallel()
	w := setup(t)
	one := "PATCH /api/accounts/" + other
	w.want(t, "operator", one, `{"limits":{"functionsPerAccount":5}}`, 200, `"limits":{"functionsPerAccount":5}`)
	w.want(t, "operator", one, `{"limits":{"payloadBytes":7}}`, 200, `"functionsPerAccount":5`, `"payloadBytes":7`)
	w.want(t, "operator", one, `{"limits":{"functionsPerAccount":0}}`, 200, `"limits":{"payloadBytes":7}`)
	w.want(t, "operator", one, `{"limits":{"payloadBytes":-1}}`, 400, "payloadBytes is -1")
	w.want(t, "operator", one, `{"limits":{}}`, 200, `"limits":{"payloadBytes":7}`)
}
