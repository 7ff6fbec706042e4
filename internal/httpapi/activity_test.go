package httpapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"convoke"
	"convoke/api"
	"convoke/internal/auth"
)

// silent are the routes that change something and leave no activity, with the
// reason.
var silent = map[string]string{
	"POST /api/account/{account}/functions/{uuid}/test":     "runs a function; nothing is changed",
	"POST /api/account/{account}/lambdas/{uuid}/invoke":     "invocations have records of their own",
	"POST /api/account/{account}/events/{event}/invoke":     "invocations have records of their own",
	"POST /api/account/{account}/refresh":                   "asks whether a session lasts",
	"PATCH /api/account/{account}/deployments/{uuid}":       "the same handler as POST",
	"POST /sentinel/api/account/{account}/app/token":        "issues a token that ends by itself",
	"POST /sentinel/api/v2/account/{account}/app/token":     "issues a token that ends by itself",
	"POST /sentinel/api/account/{account}/token":            "issues tokens of a grant",
	"POST /oauth2/token":                                    "issues tokens",
	"POST /oauth2/revoke":                                   "package oauth records the consent that ends, and tests it",
	"POST /sentinel/api/account/{account}/authorize":        "packages app and oauth record the sign-in and the consent, and oauth tests it",
	"POST /oauth2/authorize":                                "the same handler as that of an account",
	"DELETE /api/account/{account}/users/me/tokens/{token}": "the same handler as that of all tokens, after a check",
}

// uses is one successful use of every other route that changes something, in
// order. In path and body "{name}" stands for what an earlier use saved.
var uses = []struct {
	as, route, body string
	action          string
	prepare         func(t *testing.T, w *world, saved map[string]string)
	save            map[string]string // name to the member of the answer to keep
}{
	{as: "developer", route: "POST /api/account/{account}/functions", body: `{"name":"f"}`, action: "function.create", save: map[string]string{"uuid": "uuid"}},
	{as: "developer", route: "PUT /api/account/{account}/functions/{uuid}", body: `{"description":"new"}`, action: "function.update"},
	{as: "developer", route: "PUT /api/account/{account}/functions/{uuid}/manifest", body: `{"code":"SECRETCODE"}`, action: "function.save"},
	{as: "developer", route: "PUT /api/account/{account}/functions/{uuid}/manifest", body: `{"code":"SECRETCODE2"}`, action: "function.save"},
	{as: "developer", route: "POST /api/account/{account}/functions/{uuid}/versions/{version}/restore", action: "function.restore"},
	{as: "developer", route: "POST /api/account/{account}/deployments/{uuid}", action: "function.deploy"},
	{as: "developer", route: "DELETE /api/account/{account}/deployments/{uuid}", action: "function.undeploy"},
	{as: "developer", route: "DELETE /api/account/{account}/functions/{uuid}", action: "function.remove"},
	{as: "developer", route: "POST /api/account/{account}/lambdas", body: `{"name":"g","implementation":{"code":"SECRETCODE"}}`, action: "function.create", save: map[string]string{"uuid": "uuid"}},
	{as: "developer", route: "PUT /api/account/{account}/lambdas/{uuid}", body: `{"implementation":{"code":"SECRETCODE2"}}`, action: "function.save"},
	{as: "developer", route: "PUT /api/account/{account}/lambdas/{uuid}", body: `{"description":"new"}`, action: "function.update"},
	{as: "developer", route: "POST /api/account/{account}/deployments/{uuid}", action: "function.deploy"},
	{as: "developer", route: "POST /api/account/{account}/schedules", body: `{"functionUuid":"{uuid}","cronExpression":"0 0 1 1 *"}`, action: "schedule.create", save: map[string]string{"schedule": "id"}},
	{as: "developer", route: "PUT /api/account/{account}/schedules/{schedule}", body: `{"isActive":false}`, action: "schedule.update"},
	{as: "developer", route: "DELETE /api/account/{account}/schedules/{schedule}", action: "schedule.remove"},
	{as: "admin", route: "POST /api/account/{account}/secrets", body: `{"name":"key","value":"SECRETCODE"}`, action: "secret.create"},
	{as: "admin", route: "PUT /api/account/{account}/secrets/{secret}", body: `{"value":"SECRETCODE2"}`, action: "secret.update"},
	{as: "operator", route: "POST /api/master-key/rotate", action: "secret.rotateKey"},
	{as: "admin", route: "DELETE /api/account/{account}/secrets/{secret}", action: "secret.remove"},
	{as: "admin", route: "POST /api/account/{account}/clients", body: `{"name":"crm","grantTypes":["client_credentials"],"scopes":["faas.lambda.invoke"]}`, action: "client.create", save: map[string]string{"client": "id"}},
	{as: "admin", route: "PATCH /api/account/{account}/clients/{client}", body: `{"name":"CRM"}`, action: "client.update"},
	{as: "admin", route: "POST /api/account/{account}/clients/{client}/secret", action: "client.rotateSecret"},
	{as: "admin", route: "DELETE /api/account/{account}/clients/{client}", action: "client.remove"},
	{as: "admin", route: "POST /api/account/{account}/domains", body: `{"domain":"example.com"}`, action: "domain.add", save: map[string]string{"domain": "id"}},
	{as: "admin", route: "DELETE /api/account/{account}/domains/{domain}", action: "domain.remove"},
	{as: "admin", route: "POST /api/account/{account}/proxy-settings", body: `{"domain":"example.com"}`, action: "domain.add"},
	{as: "admin", route: "POST /api/account/{account}/tokens", body: `{"name":"t","roles":["viewer"]}`, action: "token.create", save: map[string]string{"token": "id", "text": "token"}},
	{as: "admin", route: "DELETE /api/account/{account}/tokens/{token}", action: "token.revoke"},
	{as: "operator", route: "POST /api/accounts", body: `{"id":"40000004","admin":"ann"}`, action: "account.create", save: map[string]string{"id": "id", "made": "password"}},
	{as: "operator", route: "PATCH /api/accounts/{id}", body: `{"name":"n"}`, action: "account.update"},
	{as: "admin", route: "PATCH /api/account/{account}/settings", body: `{"name":"n"}`, action: "account.update"},
	{as: "admin", route: "POST /api/account/{account}/users", body: `{"loginName":"bob","roles":["developer"]}`, action: "user.create", save: map[string]string{"user": "id"}},
	{as: "admin", route: "POST /api/account/{account}/users/{user}/resetPassword", action: "user.resetPassword", save: map[string]string{"reset": "password"}},
	{as: "", route: "POST /api/account/{account}/login", body: `{"username":"bob","password":"{reset}"}`, action: "session.create", save: map[string]string{"bob": "bearer"}},
	{as: "{bob}", route: "POST /api/account/{account}/users/me/password", body: `{"oldPassword":"{reset}","newPassword":"` + password + `"}`, action: "user.changePassword"},
	{as: "{bob}", route: "POST /api/account/{account}/users/me/tokens", body: `{"name":"mine","roles":["viewer"]}`, action: "token.create"},
	{as: "admin", route: "DELETE /api/account/{account}/users/{user}/consents/{consent}", action: "consent.revoke", prepare: agree("user")},
	{as: "{bob}", route: "DELETE /api/account/{account}/users/me/consents/{consent}", action: "consent.revoke", prepare: agree("user")},
	{as: "admin", route: "DELETE /api/account/{account}/users/{user}/sessions/{session}", action: "session.remove", prepare: signedIn("user")},
	{as: "{bob}", route: "DELETE /api/account/{account}/users/me/sessions/{session}", action: "session.remove", prepare: signedIn("user")},
	{as: "{bob}", route: "DELETE /api/account/{account}/users/me/sessions", action: "session.remove", prepare: signedIn("user")},
	{as: "{bob}", route: "POST /api/account/{account}/logout", action: "session.remove"},
	{as: "admin", route: "DELETE /api/account/{account}/users/{user}/sessions", action: "session.remove", prepare: signedIn("user")},
	{as: "admin", route: "PATCH /api/account/{account}/users/{user}", body: `{"roles":["viewer"]}`, action: "user.update"},
	{as: "admin", route: "DELETE /api/account/{account}/users/{user}", action: "user.remove"},
}

// agree has the user of that name in saved allow the command line to act.
func agree(user string) func(t *testing.T, w *world, saved map[string]string) {
	return func(t *testing.T, w *world, saved map[string]string) {
		t.Helper()
		saved["consent"] = w.consent(t, home, saved[user], convoke.CommandLineID)
	}
}

// signedIn signs the user of that name in saved in once more.
func signedIn(user string) func(t *testing.T, w *world, saved map[string]string) {
	return func(t *testing.T, w *world, saved map[string]string) {
		t.Helper()
		saved["session"] = w.signIn(t, saved[user], "Mozilla/5.0").Session.ID
	}
}

// signIn starts a session of a user at home.
func (w *world) signIn(t *testing.T, user, agent string) *auth.SignedIn {
	t.Helper()
	signed, err := w.config.Auth.StartSession(t.Context(), &convoke.User{ID: user, AccountID: home}, "192.0.2.7", agent)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// consent is one that a user gave to a client a moment ago.
func (w *world) consent(t *testing.T, account, user, client string) string {
	t.Helper()
	now := time.Now().UTC()
	g := &convoke.Grant{ID: uuid.NewString(), AccountID: account, ClientID: client, UserID: user, Scopes: []convoke.Scope{convoke.ScopeInvoke},
		CodeExpiresAt: now, CodeUsedAt: now, From: "192.0.2.7", CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	if err := w.store.CreateGrant(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	return g.ID
}

// TestEveryChangeLeavesAnActivity walks the table: whoever adds a route that
// changes something shows here that it is recorded, or says why not.
func TestEveryChangeLeavesAnActivity(t *testing.T) {
	t.Parallel()
	w := setup(t)
	shown := map[string]bool{}
	saved := map[string]string{"account": home, "version": "1", "secret": "key"}
	fill := func(s string) string {
		for name, value := range saved {
			s = strings.ReplaceAll(s, "{"+name+"}", value)
		}
		return s
	}
	newest := func() *convoke.Activity {
		t.Helper()
		list, err := w.store.ListActivities(t.Context(), home, convoke.ActivityFilter{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			return &convoke.Activity{}
		}
		return list[0]
	}
	for _, use := range uses {
		if use.prepare != nil {
			use.prepare(t, w, saved)
		}
		before := newest().ID
		as := fill(use.as)
		if as != use.as {
			w.tokens[as] = as
		}
		method, path, _ := strings.Cut(fill(use.route), " ")
		if strings.HasSuffix(path, "/deployments/"+saved["uuid"]) {
			path += "?wait=true"
		}
		status, _, body := w.do(t, as, method, path, fill(use.body), http.Header{"X-Request-Id": {"req-" + use.action}})
		if status > 299 {
			t.Fatalf("%s: %d %s", use.route, status, body)
		}
		for name, member := range use.save {
			saved[name] = pick(t, body, member)
		}
		a := newest()
		if a.ID == before || a.Action != use.action || a.Actor == "" || a.ActorID == "" || a.From != "127.0.0.1" || a.RequestID != "req-"+use.action ||
			a.Subject == "" || a.Name == "" || time.Since(a.At) > time.Minute {
			t.Errorf("%s left %+v, want a new %s with actor, address, request, subject and name", use.route, a, use.action)
		}
		shown[use.route] = true
	}
	srv := &server{Config: w.config}
	for _, rt := range append(srv.routes(), srv.v1Routes()...) {
		name := rt.Method + " " + rt.Path
		if rt.Method == http.MethodGet || shown[name] || silent[name] != "" {
			continue
		}
		t.Errorf("%s changes something, and no test shows that it leaves an activity: add a use, or a reason why it leaves none", name)
	}

	// No secret and no code is in any of them.
	all, err := w.store.ListActivities(t.Context(), home, convoke.ActivityFilter{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"SECRETCODE", saved["text"], saved["made"], saved["reset"], saved["bob"], password, "argon2", "cvk_", "cvs_", "cvi_"} {
		if strings.Contains(string(b), secret) {
			t.Errorf("the trail holds %q", secret)
		}
	}
}

func TestBeforeAndAfter(t *testing.T) {
	t.Parallel()
	w := setup(t)
	fn := w.function(t, "greet")
	w.want(t, "developer", "PUT /functions/"+fn, `{"description":"new"}`, 200)
	w.want(t, "developer", "PUT /functions/"+fn+"/manifest", `{"code":"one"}`, 200)
	w.want(t, "developer", "PUT /functions/"+fn+"/manifest", `{"code":"two"}`, 200)
	w.want(t, "developer", "POST /deployments/"+fn+"?wait=true", `{"version":1}`, 200)
	w.want(t, "developer", "POST /deployments/"+fn+"?wait=true", "", 200)
	w.want(t, "developer", "DELETE /deployments/"+fn, "", 200)
	w.want(t, "developer", "DELETE /functions/"+fn, "", 204)

	var list []api.Activity
	if err := json.Unmarshal([]byte(w.want(t, "viewer", "GET /activities?subject="+fn, "", 200)), &list); err != nil {
		t.Fatal(err)
	}
	type change struct{ Action, Before, After string }
	var got []change
	member := func(raw json.RawMessage) string { // what matters of a body
		var m map[string]any
		_ = json.Unmarshal(raw, &m)
		for _, name := range []string{"version", "description"} {
			if v, ok := m[name]; ok {
				b, _ := json.Marshal(v)
				return string(b)
			}
		}
		return ""
	}
	for _, a := range list {
		got = append(got, change{a.Action, member(a.Before), member(a.After)})
	}
	want := []change{ // newest first
		{"function.remove", `"new"`, ""},
		{"function.undeploy", "2", ""},
		{"function.deploy", "1", "2"},
		{"function.deploy", "", "1"},
		{"function.save", "1", "2"},
		{"function.save", "", "1"},
		{"function.update", `""`, `"new"`},
		{"function.create", "", `""`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.want(t, "viewer", "GET /activities?noun=function&limit=1", "", 200, "function.remove", "!function.undeploy")
	w.want(t, "viewer", "GET /activities?action=function.save&action=function.update", "", 200, "function.save", "!function.create")
	w.want(t, "viewer", "GET /activities?actor=nobody", "", 200, "!function")
	w.want(t, "viewer", "GET /activities?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z", "", 200, "!function")
	w.want(t, "viewer", "GET /activities?limit=0", "", 400)
	w.want(t, "invoker", "GET /activities", "", 403)
}
