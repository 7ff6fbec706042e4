package httpapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"convoke"
	"convoke/api"
)

// TestSessionsOfAUser lists and ends what users are signed in with: one's own,
// those of others as an admin, and never those of another user or account by
// their id. No answer holds what anybody could come in by.
func TestSessionsOfAUser(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ann, bob := w.person(t, "ann", convoke.RoleViewer).ID, w.person(t, "bob", convoke.RoleViewer).ID
	here, _ := w.login(t, "ann", password)
	w.login(t, "bob", password)
	browser := w.signIn(t, ann, "Mozilla/5.0 (X11; Linux x86_64)")
	typed := w.signIn(t, ann, convoke.CommandLineAgent+"1.2.3")
	cli := w.consent(t, home, ann, convoke.CommandLineID)
	elsewhere := w.consent(t, other, ann, convoke.CommandLineID) // the same user id in another account
	bobs := w.signIn(t, bob, "test").Session.ID

	list := func(as, path string) map[string]api.Session {
		t.Helper()
		body := w.want(t, as, "GET "+path, "", 200, "!cvs_", "!cvi_", "!ash", "!"+bobs, "!"+elsewhere)
		var all []api.Session
		if err := json.Unmarshal([]byte(body), &all); err != nil {
			t.Fatal(err)
		}
		byID := map[string]api.Session{}
		for _, s := range all {
			byID[s.ID] = s
			if s.CreatedAt.IsZero() || s.ExpiresAt.IsZero() || s.From == "" {
				t.Errorf("%s says %+v", path, s)
			}
		}
		return byID
	}
	own := list("ann", "/users/me/sessions")
	if len(own) != 4 {
		t.Fatalf("%d sessions, want 4: %+v", len(own), own)
	}
	current := ""
	for id, s := range own {
		if s.Current {
			if current != "" {
				t.Error("two sessions are the current one")
			}
			current = id
		}
	}
	for id, kind := range map[string]string{current: "program", browser.Session.ID: "browser", typed.Session.ID: "commandLine", cli: "commandLine"} {
		s := own[id]
		if s.Kind != kind || s.UnusedUntil.IsZero() != (id == cli) || s.UnusedUntil.After(s.ExpiresAt.Time) || (s.Agent == "") != (id == cli) {
			t.Errorf("session %s is %+v, want a %s", id, s, kind)
		}
	}
	if s := own[browser.Session.ID]; s.From != "192.0.2.7" || s.LastUsedAt.IsZero() || !s.ExpiresAt.Equal(browser.Session.ExpiresAt) {
		t.Errorf("the browser's session is %+v", s)
	}
	seen := list("admin", "/users/"+ann+"/sessions")
	if len(seen) != 4 || seen[current].Current {
		t.Errorf("an admin sees %+v", seen)
	}

	// What is not one's own cannot be seen or ended.
	w.want(t, "ann", "GET /users/"+bob+"/sessions", "", 403)
	w.want(t, "ann", "DELETE /users/"+bob+"/sessions/"+bobs, "", 403)
	w.want(t, "ann", "DELETE /users/"+bob+"/sessions", "", 403)
	for _, id := range []string{bobs, elsewhere, "none", browser.Session.ID[1:]} {
		w.want(t, "ann", "DELETE /users/me/sessions/"+id, "", 404, "may have ended already")
		w.want(t, "admin", "DELETE /users/"+ann+"/sessions/"+id, "", 404)
	}
	w.want(t, "other", "GET /api/account/"+other+"/users/"+ann+"/sessions", "", 404)
	w.want(t, "admin", "GET /users/none/sessions", "", 404)
	w.want(t, "admin", "DELETE /users/none/sessions", "", 404)
	w.want(t, "admin", "GET /users/me/sessions", "", 409, "no user", "never signed in")
	w.want(t, "admin", "DELETE /users/me/sessions", "", 409)
	w.want(t, "admin", "DELETE /users/me/sessions/"+current, "", 409)
	if len(list("ann", "/users/me/sessions")) != 4 {
		t.Error("a refused request ended a session")
	}

	// By bearer and by cookie, an ended one is refused from then on.
	cookie := http.Header{"Cookie": {"session_id=" + browser.Cookie.Reveal()}}
	if status, _, _ := w.do(t, "", "GET", "/me", "", cookie); status != http.StatusOK {
		t.Fatalf("the browser before: %d", status)
	}
	w.want(t, "ann", "DELETE /users/me/sessions/"+browser.Session.ID, "", 204)
	if status, _, _ := w.do(t, "", "GET", "/me", "", cookie); status != http.StatusUnauthorized {
		t.Errorf("the browser after: %d", status)
	}
	w.want(t, "ann", "DELETE /users/me/sessions/"+browser.Session.ID, "", 404)
	w.want(t, "admin", "DELETE /users/"+ann+"/sessions/"+cli, "", 204)
	if g, err := w.store.FindGrant(t.Context(), cli); err != nil || g.RevokedAt.IsZero() {
		t.Errorf("the sign-in of the command line is %+v, %v", g, err)
	}

	// All others: the one that asks goes on.
	w.signIn(t, ann, "test")
	w.consent(t, home, ann, convoke.CommandLineID)
	w.want(t, "ann", "DELETE /users/me/sessions", "", 200, `{"ended":3}`)
	w.want(t, "ann", "DELETE /users/me/sessions", "", 200, `{"ended":0}`)
	if left := list("ann", "/users/me/sessions"); len(left) != 1 || !left[current].Current {
		t.Errorf("left are %+v", left)
	}
	w.want(t, "bob", "GET /me", "", 200)

	// A token of one's own is no session, and ends them all.
	made := w.want(t, "ann", "POST /users/me/tokens", `{"name":"laptop","roles":["viewer"]}`, 201)
	w.tokens["laptop"] = pick(t, made, "token")
	if all := list("laptop", "/users/me/sessions"); len(all) != 1 || all[current].Current {
		t.Errorf("by a token: %+v", all)
	}
	w.want(t, "laptop", "DELETE /users/me/sessions", "", 200, `{"ended":1}`)
	w.want(t, "ann", "GET /me", "", 401)
	w.want(t, "laptop", "GET /me", "", 200)

	trail := w.want(t, "admin", "GET /activities?action=session.remove", "", 200, current, cli, browser.Session.ID, `"actor":"ann"`, `"name":"ann"`, `"kind":"browser"`, "!cvs_", "!cvi_", "!"+here.CSRF)
	if n := strings.Count(trail, `"action":"session.remove"`); n != 6 {
		t.Errorf("%d ends are on record, want 6: %s", n, trail)
	}
}

// TestAdminKeepsItsOwnSession: who ends all sessions of himself by his id stays
// signed in, as by "me".
func TestAdminKeepsItsOwnSession(t *testing.T) {
	t.Parallel()
	w := setup(t)
	u := w.person(t, "ann", convoke.RoleAdmin)
	w.login(t, "ann", password)
	w.signIn(t, u.ID, "test")
	w.want(t, "ann", "DELETE /users/"+u.ID+"/sessions", "", 200, `{"ended":1}`)
	w.want(t, "ann", "GET /users", "", 200)
}
