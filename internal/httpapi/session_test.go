package httpapi

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

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

func TestLockedOut(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.person(t, "ann", convoke.RoleDeveloper)
	w.person(t, "bob", convoke.RoleDeveloper)
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
	w.want(t, "dora", "GET "+fourth+"/limits", "", 200, `{"name":"functionsPerAccount","limit":1`, `{"name":"defaultTimeout","limit":30000,"unit":"ms"}`, `{"name":"usersPerAccount","limit":1000,"used":1}`)
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
