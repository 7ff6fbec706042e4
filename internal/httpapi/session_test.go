package httpapi

import (
	"encoding/json"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"convoke"
	"convoke/api"
	tenants "convoke/internal/account"
	"convoke/internal/auth"
)

const password = "correct horse battery"

// person adds a user with the password to the account at home.
func (w *world) person(t *testing.T, login string, roles ...convoke.Role) *convoke.User {
	t.Helper()
	by := &convoke.Principal{AccountID: home, Name: "setup", Roles: convoke.Roles}
	u, _, err := w.config.Accounts.CreateUser(t.Context(), by, tenants.UserInput{LoginName: login, Roles: roles, Password: convoke.NewSecret(password)})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// login signs in and keeps the bearer as the login name's token.
func (w *world) login(t *testing.T, login, password string) (api.LoginResponse, http.Header) {
	t.Helper()
	status, header, body := w.do(t, "", "POST", "/login?v=1.3", `{"username":`+strconv.Quote(login)+`,"password":`+strconv.Quote(password)+`}`, nil)
	if status != http.StatusOK {
		t.Fatalf("sign-in of %s: %d %s", login, status, body)
	}
	var out api.LoginResponse
	if err := json.Unmarshal([]byte(body), &out); err != nil {
		t.Fatal(err)
	}
	w.tokens[login] = out.Bearer
	return out, header
}

// want makes a request and checks the status and what the answer holds; words
// that begin with ! must not be there.
func (w *world) want(t *testing.T, as, do, body string, status int, words ...string) string {
	t.Helper()
	method, path, _ := strings.Cut(do, " ")
	got, _, answer := w.do(t, as, method, path, body, nil)
	if got != status {
		t.Errorf("%s as %s: %d %s, want %d", do, as, got, answer, status)
	}
	for _, word := range words {
		word, not := strings.CutPrefix(word, "!")
		if strings.Contains(answer, word) == not {
			t.Errorf("%s as %s: %s; want %q in it: %v", do, as, answer, word, !not)
		}
	}
	return answer
}

// TestLoginIsTheReferences holds the answer to exactly the members that tools
// of the reference store (spec/api-surface.md 2.1).
func TestLoginIsTheReferences(t *testing.T) {
	t.Parallel()
	w := setup(t)
	u := w.person(t, "Ann@example.com", convoke.RoleDeveloper)
	status, header, body := w.do(t, "", "POST", "/login?v=1.3", `{"username":"ann@EXAMPLE.com","password":"`+password+`"}`, nil)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, name := range []string{"bearer", "csrf", "sessionId"} {
		texts[name], _ = got[name].(string)
		delete(got, name)
	}
	if diff := cmp.Diff(map[string]any{"config": map[string]any{"userId": u.ID, "loginName": "Ann@example.com"}}, got); diff != "" {
		t.Errorf("members beside bearer, csrf and sessionId (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(texts["bearer"], "cvs_") || texts["csrf"] == "" || texts["sessionId"] == "" {
		t.Errorf("texts %v", texts)
	}
	cookie := header.Get("Set-Cookie")
	for _, part := range []string{"session_id=" + texts["sessionId"] + ";", "HttpOnly", "SameSite=Lax", "Path=/", "Expires="} {
		if !strings.Contains(cookie, part) {
			t.Errorf("cookie %q, want %q in it", cookie, part)
		}
	}
	if strings.Contains(cookie, "Secure") {
		t.Errorf("cookie %q: a browser keeps no Secure cookie of a server without TLS", cookie)
	}
	// A second sign-in leaves the first one alone.
	w.tokens["first"] = texts["bearer"]
	second, _ := w.login(t, "ann@example.com", password)
	if second.Bearer == texts["bearer"] || second.SessionID == texts["sessionId"] || second.CSRF == texts["csrf"] {
		t.Error("two sign-ins share a text")
	}
	w.want(t, "first", "GET /me", "", 200, `"kind":"session"`, `"name":"Ann@example.com"`, `"userId":"`+u.ID+`"`, `"roles":["developer"]`, `"function:deploy"`, "!token:write", "!csrf")
	w.want(t, "ann@example.com", "GET /functions", "", 200)
	w.want(t, "ann@example.com", "GET /users", "", 403)
	// What the store has of it is hashes.
	for _, s := range []string{second.Bearer, second.SessionID} {
		if _, err := w.store.FindSessionByHash(t.Context(), []byte(s)); convoke.ErrorCode(err) != convoke.CodeNotFound {
			t.Errorf("the text of a session is stored: %v", err)
		}
	}
}

func TestLoginRefused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.person(t, "ann", convoke.RoleDeveloper)
	gone := w.person(t, "gone", convoke.RoleDeveloper)
	off := true
	if _, _, err := w.config.Accounts.UpdateUser(t.Context(), &convoke.Principal{AccountID: home, Roles: convoke.Roles}, gone.ID, tenants.UserChange{Disabled: &off}); err != nil {
		t.Fatal(err)
	}
	answers := map[string]bool{}
	for name, body := range map[string]string{
		"wrong password": `{"username":"ann","password":"wrong horse battery"}`,
		"no such user":   `{"username":"nobody","password":"` + password + `"}`,
		"disabled user":  `{"username":"gone","password":"` + password + `"}`,
	} {
		status, _, answer := w.do(t, "", "POST", "/login", body, nil)
		if status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, status, answer)
		}
		answers[answer] = true
	}
	status, _, answer := w.do(t, "", "POST", "/api/account/30000003/login", `{"username":"ann","password":"`+password+`"}`, nil)
	answers[answer] = true
	if status != http.StatusUnauthorized || len(answers) != 1 {
		t.Errorf("the answers tell what was wrong: %d, %v", status, answers)
	}
	w.want(t, "", "POST /login", `{"username":"ann"}`, 400)
	w.want(t, "", "POST /login", `{"username":"bot","appKey":"k","secret":"s","accessToken":"t","accessTokenSecret":"u"}`, 400, "sends a token as its bearer")
	w.want(t, "", "POST /login", strings.Repeat(" ", 9<<10), 413)
	if status, _, body := w.do(t, "", "POST", "/login", `{"username":"ann","password":"`+password+`"}`, http.Header{"Sec-Fetch-Site": {"cross-site"}}); status != http.StatusForbidden {
		t.Errorf("a sign-in by another site's page: %d %s", status, body)
	}
}

// TestRefresh is spec/api-surface.md 2.2: any status but 401 makes the tools
// of the reference give up.
func TestRefresh(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.person(t, "ann", convoke.RoleDeveloper)
	in, _ := w.login(t, "ann", password)
	another, _ := w.login(t, "ann", password)
	refresh := func(account, cookie, body string) int {
		t.Helper()
		h := http.Header{}
		if cookie != "" {
			h.Set("Cookie", "session_id="+cookie)
		}
		status, _, answer := w.do(t, "", "POST", "/api/account/"+account+"/refresh", body, h)
		if status == http.StatusOK && !strings.Contains(answer, `"loginName":"ann"`) {
			t.Errorf("answer %s", answer)
		}
		return status
	}
	csrf := func(s string) string { return `{"csrf":"` + s + `"}` }
	for name, c := range map[string]struct {
		account, cookie, body string
		want                  int
	}{
		"valid":            {home, in.SessionID, csrf(in.CSRF), 200},
		"other account":    {other, in.SessionID, csrf(in.CSRF), 401},
		"unknown to tool":  {home, "undefined", `{}`, 401},
		"no cookie":        {home, "", csrf(in.CSRF), 401},
		"no csrf":          {home, in.SessionID, `{}`, 401},
		"null csrf":        {home, in.SessionID, `{"csrf":null}`, 401},
		"number":           {home, in.SessionID, `{"csrf":7}`, 401},
		"another's csrf":   {home, in.SessionID, csrf(another.CSRF), 401},
		"another's cookie": {home, another.SessionID, csrf(in.CSRF), 401},
		"bearer as cookie": {home, in.Bearer, csrf(in.CSRF), 401},
		"no body":          {home, in.SessionID, "", 401},
		"no JSON":          {home, in.SessionID, "csrf", 401},
		"huge":             {home, in.SessionID, strings.Repeat(" ", 9<<10), 401},
	} {
		if got := refresh(c.account, c.cookie, c.body); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	w.want(t, "ann", "POST /logout", "", 204) // the second one
	if got := refresh(home, another.SessionID, csrf(another.CSRF)); got != 401 {
		t.Errorf("after signing out: %d", got)
	}
	w.want(t, "ann", "GET /me", "", 401)
	if got := refresh(home, in.SessionID, csrf(in.CSRF)); got != 200 {
		t.Errorf("the other session: %d", got)
	}
	w.want(t, "admin", "POST /logout", "", 409, "a token is revoked")
}

// TestBrowser signs in, reloads the page, changes something and signs out.
func TestBrowser(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.person(t, "ann", convoke.RoleDeveloper)
	in, _ := w.login(t, "ann", password)
	cookie := http.Header{"Cookie": {"session_id=" + in.SessionID}}
	_, _, body := w.do(t, "", "GET", "/me", "", cookie)
	var me api.Me
	if err := json.Unmarshal([]byte(body), &me); err != nil || me.CSRF != in.CSRF {
		t.Fatalf("/me answers %s (%v), want the csrf %s", body, err, in.CSRF)
	}
	cookie.Set(auth.CSRFHeader, me.CSRF)
	if status, _, body := w.do(t, "", "POST", "/functions", `{"name":"mine"}`, cookie); status != http.StatusCreated || !strings.Contains(body, `"createdBy":"ann"`) {
		t.Errorf("create: %d %s", status, body)
	}
	status, header, _ := w.do(t, "", "POST", "/logout", "", cookie)
	if status != http.StatusNoContent || !strings.Contains(header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("logout: %d, cookie %q", status, header.Get("Set-Cookie"))
	}
	if status, _, _ := w.do(t, "", "GET", "/me", "", cookie); status != http.StatusUnauthorized {
		t.Errorf("after signing out: %d", status)
	}
}

// TestLockedOut stops the clock: on a busy machine the sixth attempt could come
// after the second that it has to wait.
func TestLockedOut(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.person(t, "ann", convoke.RoleDeveloper)
	w.person(t, "bob", convoke.RoleDeveloper)
	at := time.Now()
	w.clock.Store(&at)
	for _, name := range []string{"ann", "nobody"} { // who does not exist is locked out alike
		for range 5 {
			w.want(t, "", "POST /login", `{"username":"`+name+`","password":"wrong horse battery"}`, 401)
		}
		status, header, body := w.do(t, "", "POST", "/login", `{"username":"`+strings.ToUpper(name)+`","password":"`+password+`"}`, nil)
		if status != http.StatusTooManyRequests || header.Get("Retry-After") == "" || !strings.Contains(body, "convoke.auth.locked") {
			t.Errorf("the sixth attempt as %s: %d, Retry-After %q, %s", name, status, header.Get("Retry-After"), body)
		}
	}
	w.login(t, "bob", password) // others are not
	later := at.Add(time.Second)
	w.clock.Store(&later)
	w.login(t, "ann", password)
}

func TestUsers(t *testing.T) {
	t.Parallel()
	w := setup(t)
	made := w.want(t, "admin", "POST /users", `{"loginName":"ann","roles":["developer"]}`, 201, `"mustChangePassword":true`, `"password":"`, `"roles":["developer"]`)
	ann, first := pick(t, made, "id"), pick(t, made, "password")
	w.want(t, "admin", "POST /users", `{"loginName":"ANN","roles":["developer"]}`, 409, "taken")
	w.want(t, "admin", "POST /users", `{"loginName":"two words","roles":["developer"]}`, 400)
	w.want(t, "admin", "POST /users", `{"loginName":"bob","roles":["king"]}`, 400, "king")
	w.want(t, "admin", "POST /users", `{"loginName":"bob","roles":[]}`, 400)
	w.want(t, "admin", "POST /users", `{"loginName":"bob","roles":["viewer"],"password":"too short"}`, 400, "12 to 256")
	w.want(t, "admin", "POST /users", `{"loginName":"bob","roles":["viewer"],"password":"`+strings.Repeat("x", 257)+`"}`, 400, "12 to 256")
	w.want(t, "admin", "POST /users", `{"loginName":"bob","roles":["viewer"],"password":"`+password+`"}`, 201, "!"+password, `"mustChangePassword":false`)
	w.want(t, "admin", "GET /users", "", 200, `"loginName":"ann"`, `"loginName":"bob"`, "!"+first, "!argon2")
	w.want(t, "admin", "GET /users/"+ann, "", 200, `"loginName":"ann"`)
	w.want(t, "admin", "GET /users/none", "", 404)
	w.want(t, "other", "GET /api/account/"+other+"/users/"+ann, "", 404)

	// The made-up password opens nothing but the door to a new one.
	w.login(t, "ann", first)
	w.want(t, "ann", "GET /functions", "", 403, "set a new one first")
	w.want(t, "ann", "POST /users/me/tokens", `{"name":"x","roles":["developer"]}`, 409)
	w.want(t, "ann", "GET /me", "", 200, `"mustChangePassword":true`)
	w.want(t, "ann", "POST /users/me/password", `{"oldPassword":"`+first+`","newPassword":"`+first+`"}`, 400)
	w.want(t, "ann", "POST /users/me/password", `{"oldPassword":"wrong horse battery","newPassword":"`+password+`"}`, 400, "old password is wrong")
	w.want(t, "ann", "POST /users/me/password", `{"oldPassword":"`+first+`","newPassword":"short"}`, 400)
	w.want(t, "ann", "POST /users/me/password", `{"oldPassword":"`+first+`","newPassword":"`+password+`"}`, 204)
	w.want(t, "ann", "GET /functions", "", 200)

	// A new password ends the other sessions, and only those.
	w.tokens["stays"] = w.tokens["ann"]
	w.login(t, "ann", password)
	w.want(t, "stays", "POST /users/me/password", `{"oldPassword":"`+password+`","newPassword":"another long password"}`, 204)
	w.want(t, "stays", "GET /functions", "", 200)
	w.want(t, "ann", "GET /events", "", 401)
	w.want(t, "admin", "POST /users/me/password", `{"oldPassword":"x","newPassword":"`+password+`"}`, 409, "made with a token")

	// Roles hold from the next request on.
	w.want(t, "admin", "PATCH /users/"+ann, `{"roles":["viewer"]}`, 200, `"roles":["viewer"]`)
	w.want(t, "stays", "POST /functions", `{"name":"f"}`, 403)
	w.want(t, "stays", "GET /functions", "", 200)
	w.want(t, "admin", "PATCH /users/"+ann, `{"disabled":true}`, 200, `"disabled":true`)
	w.want(t, "stays", "GET /events", "", 401)
	w.want(t, "admin", "PATCH /users/"+ann, `{"disabled":false}`, 200, `"disabled":false`)
	w.want(t, "stays", "GET /events", "", 401) // it ended for good

	reset := w.want(t, "admin", "POST /users/"+ann+"/resetPassword", "", 200, `"mustChangePassword":true`)
	w.want(t, "", "POST /login", `{"username":"ann","password":"another long password"}`, 401)
	w.login(t, "ann", pick(t, reset, "password"))
	w.want(t, "admin", "DELETE /users/"+ann, "", 204)
	w.want(t, "ann", "GET /me", "", 401)
	w.want(t, "admin", "GET /users/"+ann, "", 404)
}

func TestLastAdminStays(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ann, bob := w.person(t, "ann", convoke.RoleAdmin), w.person(t, "bob", convoke.RoleAdmin)
	w.want(t, "admin", "PATCH /users/"+bob.ID, `{"disabled":true}`, 200)
	for do, body := range map[string]string{
		"PATCH /users/" + ann.ID:       `{"disabled":true}`,
		"PATCH /users/" + ann.ID + "?": `{"roles":["developer"]}`,
		"DELETE /users/" + ann.ID:      "",
	} {
		w.want(t, "admin", do, body, 409, "last admin")
	}
	w.want(t, "admin", "DELETE /users/"+bob.ID, "", 204)
	w.want(t, "admin", "PATCH /users/"+ann.ID, `{"roles":["admin","viewer"]}`, 200)
}

// TestNobodyGrantsMoreThanHeHas: an admin of the operator's account must not
// become operator, by himself or through another.
func TestNobodyGrantsMoreThanHeHas(t *testing.T) {
	t.Parallel()
	w := setup(t)
	op := w.person(t, "op", convoke.RoleOperator, convoke.RoleAdmin)
	w.person(t, "ann", convoke.RoleAdmin)
	w.person(t, "dev", convoke.RoleDeveloper)
	w.login(t, "ann", password)
	w.login(t, "op", password)
	w.login(t, "dev", password)
	for do, body := range map[string]string{
		"POST /users":                             `{"loginName":"eve","roles":["operator"]}`,
		"POST /tokens":                            `{"name":"eve","roles":["operator"]}`,
		"POST /users/me/tokens":                   `{"name":"eve","roles":["operator"]}`,
		"PATCH /users/" + op.ID:                   `{"roles":["viewer"]}`,
		"PATCH /users/" + op.ID + "?":             `{"disabled":true}`,
		"POST /users/" + op.ID + "/resetPassword": "",
		"DELETE /users/" + op.ID:                  "",
	} {
		w.want(t, "ann", do, body, 403)
	}
	w.want(t, "dev", "POST /users/me/tokens", `{"name":"x","roles":["admin"]}`, 403)
	w.want(t, "dev", "POST /users/me/tokens", `{"name":"x","roles":["king"]}`, 400)
	w.want(t, "op", "POST /tokens", `{"name":"x","roles":["operator"]}`, 201)
	w.want(t, "op", "POST /users", `{"loginName":"second","roles":["operator"]}`, 201)
	w.want(t, "other", "POST /api/account/"+other+"/users", `{"loginName":"x","roles":["operator"]}`, 400, "account "+convoke.DefaultAccountID+" only")
}

func TestOwnTokens(t *testing.T) {
	t.Parallel()
	w := setup(t)
	dev := w.person(t, "dev", convoke.RoleDeveloper)
	w.person(t, "eve", convoke.RoleDeveloper)
	w.login(t, "dev", password)
	w.login(t, "eve", password)
	made := w.want(t, "dev", "POST /users/me/tokens", `{"name":"laptop","roles":["developer","viewer"],"ttlSeconds":3600}`, 201, `"userId":"`+dev.ID+`"`, `"createdBy":"dev"`)
	id := pick(t, made, "id")
	w.tokens["laptop"] = pick(t, made, "token")
	w.want(t, "laptop", "POST /functions", `{"name":"f"}`, 201, `"createdBy":"laptop"`)
	w.want(t, "laptop", "POST /users/me/tokens", `{"name":"x","roles":["developer"]}`, 409, "a token cannot make others")
	w.want(t, "dev", "GET /users/me/tokens", "", 200, id)
	w.want(t, "eve", "GET /users/me/tokens", "", 200, "!"+id)
	w.want(t, "eve", "DELETE /users/me/tokens/"+id, "", 404)

	// The token follows its user.
	w.want(t, "admin", "PATCH /users/"+dev.ID, `{"roles":["viewer"]}`, 200)
	w.want(t, "laptop", "POST /functions", `{"name":"g"}`, 403)
	w.want(t, "laptop", "GET /functions", "", 200)
	w.want(t, "admin", "PATCH /users/"+dev.ID, `{"disabled":true}`, 200)
	w.want(t, "laptop", "GET /events", "", 401)
	w.want(t, "admin", "PATCH /users/"+dev.ID, `{"disabled":false,"roles":["developer"]}`, 200)
	w.want(t, "laptop", "POST /functions", `{"name":"g"}`, 201)
	w.login(t, "dev", password)
	w.want(t, "dev", "DELETE /users/me/tokens/"+id, "", 204)
	w.want(t, "laptop", "GET /events", "", 401)
	w.want(t, "admin", "GET /users/me/tokens", "", 409)

	for i := range 50 {
		w.want(t, "dev", "POST /users/me/tokens", `{"name":"n`+strconv.Itoa(i)+`","roles":["viewer"]}`, 201)
	}
	w.want(t, "dev", "POST /users/me/tokens", `{"name":"more","roles":["viewer"]}`, 409, "convoke.limit.exceeded")
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	w := setup(t)
	made := w.want(t, "operator", "POST /api/accounts", `{"id":"40000004","name":"Fourth","generation":"V1","limits":{"functionsPerAccount":1},"admin":"dora"}`, 201,
		`"generation":"V1"`, `"disabled":false`, `"functionsPerAccount":1`, `"admin":"dora"`)
	w.want(t, "operator", "POST /api/accounts", `{"id":"40000004"}`, 409)
	w.want(t, "operator", "POST /api/accounts", `{"id":"le1"}`, 400)
	w.want(t, "operator", "POST /api/accounts", `{"id":"5","generation":"V3"}`, 400)
	w.want(t, "operator", "POST /api/accounts", `{"id":"5","admin":"two words"}`, 400)
	w.want(t, "operator", "GET /api/accounts/5", "", 404) // nothing of it was made
	w.want(t, "operator", "POST /api/accounts", `{"id":"5","limits":{"payloadBytes":-1}}`, 400)
	w.want(t, "operator", "GET /api/accounts", "", 200, home, other, "40000004")
	w.want(t, "other", "GET /api/accounts", "", 403)
	w.want(t, "operator", "GET /functions", "", 403) // the operator is not everybody's admin

	// The first user sets a password of his own and works.
	const fourth = "/api/account/40000004"
	status, _, body := w.do(t, "", "POST", fourth+"/login", `{"username":"dora","password":"`+pick(t, made, "password")+`"}`, nil)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	w.tokens["dora"] = pick(t, body, "bearer")
	w.want(t, "dora", "POST "+fourth+"/users/me/password", `{"oldPassword":"`+pick(t, made, "password")+`","newPassword":"`+password+`"}`, 204)
	w.want(t, "dora", "GET "+fourth+"/settings", "", 200, `{"name":"Fourth","generation":"V1","limits":{"functionsPerAccount":1}}`)
	w.want(t, "dora", "PATCH "+fourth+"/settings", `{"generation":"V2","name":"Renamed"}`, 200, `"generation":"V2"`)
	w.want(t, "dora", "PATCH "+fourth+"/settings", `{"limits":{"functionsPerAccount":9}}`, 400, "set by the operator")
	w.want(t, "dora", "POST "+fourth+"/functions", `{"name":"a"}`, 201)
	w.want(t, "dora", "POST "+fourth+"/functions", `{"name":"b"}`, 409, "convoke.limit.exceeded")
	w.want(t, "dora", "GET "+fourth+"/limits", "", 200, `{"name":"functionsPerAccount","description":"functions of the account","limit":1,"settable":true}`, `"limit":30000,"unit":"ms"}`, `{"name":"usersPerAccount","description":"users of the account","limit":1000,"used":1,"settable":true}`)
	w.want(t, "operator", "PATCH /api/accounts/40000004", `{"limits":{"functionsPerAccount":2}}`, 200)
	w.want(t, "dora", "POST "+fourth+"/functions", `{"name":"b"}`, 201)
	if v1, err := w.config.Accounts.Generation(t.Context(), "40000004"); v1 || err != nil {
		t.Errorf("generation V1: %v, %v", v1, err)
	}

	// Disabling shuts everybody out at once, and enabling lets them in again.
	w.want(t, "operator", "PATCH /api/accounts/40000004", `{"disabled":true}`, 200)
	w.want(t, "dora", "GET "+fourth+"/events", "", 401)
	if status, _, body := w.do(t, "", "POST", fourth+"/login", `{"username":"dora","password":"`+password+`"}`, nil); status != http.StatusUnauthorized {
		t.Errorf("sign-in to a disabled account: %d %s", status, body)
	}
	w.want(t, "operator", "PATCH /api/accounts/40000004", `{"disabled":false}`, 200)
	w.want(t, "dora", "GET "+fourth+"/functions", "", 200)
	w.want(t, "operator", "PATCH /api/accounts/"+home, `{"disabled":true}`, 409)

	// What the operator did stands in both trails.
	w.want(t, "dora", "GET "+fourth+"/activities?noun=account", "", 200, `"action":"account.create"`, `"disabled":true`, `"actor":"operator"`, "!"+pick(t, made, "password"))
	w.want(t, "admin", "GET /activities?subject=40000004", "", 200, `"action":"account.create"`, `"disabled":true`)
}

// TestSessionsAreNotFixed plants cookies in a browser before somebody signs in
// with it, by password or through a provider: what was planted is never the
// session of who signs in, and every way in gives a new one.
func TestSessionsAreNotFixed(t *testing.T) {
	w := setup(t)
	op := w.provider(t)
	w.person(t, "ann", convoke.RoleDeveloper)
	w.person(t, "eve", convoke.RoleViewer)
	eve, _ := w.login(t, "eve", password)
	seen := map[string]bool{eve.SessionID: true}
	me := func(cookie string) (int, string) {
		status, _, body := w.do(t, "", "GET", "/me", "", http.Header{"Cookie": {auth.SessionCookie + "=" + cookie}})
		return status, body
	}
	for name, planted := range map[string]string{
		"unknown": "cvi_" + strings.Repeat("p", 43), "of who planted it": eve.SessionID, "a bearer": eve.Bearer, "no session's": "planted", "empty": "",
	} {
		before, _ := me(planted)
		ways := map[string]func() string{
			"password": func() string {
				status, header, body := w.do(t, "", "POST", "/login", `{"username":"ann","password":"`+password+`"}`, http.Header{"Cookie": {auth.SessionCookie + "=" + planted}})
				if status != http.StatusOK {
					t.Fatalf("%s: %d %s", name, status, body)
				}
				c, err := http.ParseSetCookie(header.Get("Set-Cookie"))
				if err != nil || c.Name != auth.SessionCookie || c.Value != pick(t, body, "sessionId") {
					t.Errorf("%s: the answer sets %q (%v)", name, header.Get("Set-Cookie"), err)
				}
				return c.Value
			},
			"provider": func() string {
				b := newBrowser(t)
				at, err := url.Parse(w.url)
				if err != nil {
					t.Fatal(err)
				}
				b.Jar.SetCookies(at, []*http.Cookie{{Name: auth.SessionCookie, Value: planted, Path: "/"}})
				if res, body := b.signIn(w.url, op, "bob", "/api/account/"+home+"/me"); res.StatusCode != http.StatusOK || !strings.Contains(body, `"name":"bob"`) {
					t.Errorf("%s: ended on %s: %d %s", name, res.Request.URL, res.StatusCode, body)
				}
				for _, c := range b.Jar.Cookies(at) {
					if c.Name == auth.SessionCookie {
						return c.Value
					}
				}
				return ""
			},
		}
		for way, signIn := range ways {
			got := signIn()
			if got == "" || seen[got] || got == planted {
				t.Errorf("%s, by %s: the session is %q, which is not new", name, way, got)
			}
			seen[got] = true
			if after, body := me(planted); after != before || strings.Contains(body, `"name":"ann"`) || strings.Contains(body, `"name":"bob"`) {
				t.Errorf("%s, by %s: what was planted answered %d and now %d %s", name, way, before, after, body)
			}
		}
	}
	// More rights, or another password, reach no session that somebody else
	// may hold: the password ends all but the one that it is changed in.
	held, _ := w.login(t, "ann", password)
	w.login(t, "ann", password)
	w.want(t, "ann", "POST /users/me/password", `{"oldPassword":"`+password+`","newPassword":"another long password"}`, 204)
	for cookie := range seen {
		if status, body := me(cookie); cookie != eve.SessionID && strings.Contains(body, `"name":"ann"`) {
			t.Errorf("a session from before the new password: %d %s", status, body)
		}
	}
	if status, body := me(held.SessionID); status != http.StatusUnauthorized {
		t.Errorf("a session from before the new password: %d %s", status, body)
	}
}

// TestRefusedSignInsAreAlike counts the work of sign-ins that are refused, by
// the memory that argon2id takes for each password that it hashes, so that
// neither the time nor the answer tells which of them was near. It is not
// parallel: others would hash meanwhile.
func TestRefusedSignInsAreAlike(t *testing.T) {
	w := setup(t)
	at := time.Now()
	w.person(t, "ann", convoke.RoleDeveloper)
	off := w.person(t, "off", convoke.RoleDeveloper)
	w.want(t, "admin", "PATCH /users/"+off.ID, `{"disabled":true}`, 200)
	w.want(t, "admin", "POST /users", `{"loginName":"external","roles":["viewer"],"external":true}`, 201)
	w.want(t, "operator", "POST /api/accounts", `{"id":"40000004"}`, 201)
	w.want(t, "operator", "PATCH /api/accounts/40000004", `{"disabled":true}`, 200)
	const perHash = 19 << 20
	type answer struct {
		status, hashes int
		body           string
	}
	try := func(account, name, password string) answer {
		at = at.Add(time.Hour) // nobody is locked out
		w.clock.Store(&at)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		status, _, body := w.do(t, "", "POST", "/api/account/"+account+"/login", `{"username":"`+name+`","password":"`+password+`"}`, nil)
		runtime.ReadMemStats(&after)
		return answer{status, int((after.TotalAlloc - before.TotalAlloc + perHash/2) / perHash), body}
	}
	want := try(home, "ann", "wrong horse battery")
	if want.status != http.StatusUnauthorized || want.hashes != 1 {
		t.Fatalf("a wrong password: %+v", want)
	}
	for name, got := range map[string]answer{
		"unknown name":              try(home, "nobody", password),
		"disabled, right":           try(home, "off", password),
		"disabled, wrong":           try(home, "off", "wrong horse battery"),
		"signs in elsewhere":        try(home, "external", password),
		"unknown account":           try("30000003", "ann", password),
		"disabled account":          try("40000004", "ann", password),
		"account that is no number": try("le1", "ann", password),
		"another account":           try(other, "ann", password),
		"impossible name":           try(home, strings.Repeat("n", 2000), password),
	} {
		if got != want {
			t.Errorf("%s: %+v, a wrong password: %+v", name, got, want)
		}
	}
	long := strings.Repeat("x", 2000)
	if a, b := try(home, "ann", long), try(home, "nobody", long); a != b {
		t.Errorf("a password that nobody can have: %+v for somebody, %+v for nobody", a, b)
	}
	if right := try(home, "ann", password); right.status != http.StatusOK || right.hashes != 1 {
		t.Errorf("the right password: %d after %d hashes", right.status, right.hashes)
	}
}
