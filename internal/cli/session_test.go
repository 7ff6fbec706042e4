package cli

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"convoke"
	"convoke/api"
)

func TestUserSessions(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	at := api.Time{Time: time.Date(2026, 11, 27, 9, 30, 0, 0, time.UTC)}
	list := []api.Session{
		{ID: "s-cli", Kind: "commandLine", Current: true, From: "192.0.2.7", CreatedAt: at, ExpiresAt: at},
		{ID: "s-web", Kind: "browser", Agent: "Mozilla/5.0\tX11", CreatedAt: at, LastUsedAt: at, ExpiresAt: at, UnusedUntil: at},
	}
	ann := api.User{ID: "5b1e6f0a-8f5c-4a52-9d1c-0d3a4f3f6a11", LoginName: "Ann"}
	var asked []string
	all := 2
	note := func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.RequestURI()[len("/api/account/10000001"):])
	}
	sessions := func(w http.ResponseWriter, r *http.Request) { note(w, r); reply(w, list) }
	end := func(w http.ResponseWriter, r *http.Request) {
		note(w, r)
		if r.PathValue("id") == "none" {
			refuse(w, convoke.Errorf(convoke.CodeNotFound, "there is no such session; it may have ended already"))
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
	others := func(w http.ResponseWriter, r *http.Request) {
		note(w, r)
		reply(w, api.EndedSessions{Ended: all})
		all--
	}
	s.answers(map[string]func(http.ResponseWriter, *http.Request){
		"GET /users":                         func(w http.ResponseWriter, r *http.Request) { reply(w, []api.User{ann}) },
		"GET /users/{user}/sessions":         sessions,
		"DELETE /users/{user}/sessions":      others,
		"DELETE /users/{user}/sessions/{id}": end,
	})
	s.want(ExitOK, []string{"s-cli  yes   command line  2026-11-27 09:30:00  192.0.2.7  -", "s-web  -     browser ", "Mozilla/5.0 X11"}, nil, "user", "sessions", "--sort", "lastUsedAt", "--limit", "5")
	got := s.want(ExitOK, nil, nil, "user", "sessions", "--user", "ann", "--json")
	var read []api.Session
	if err := json.Unmarshal([]byte(got.stdout), &read); err != nil || !slices.Equal(read, list) {
		t.Errorf("as JSON: %s (%v)", got.stdout, err)
	}
	s.want(ExitUsage, nil, []string{"--sort takes one of createdAt, lastUsedAt, expiresAt"}, "user", "sessions", "--sort", "kind")
	s.want(ExitUsage, nil, []string{`"x" is too much`}, "user", "sessions", "x")

	s.want(ExitUsage, nil, []string{"nobody to ask", "hint: --yes"}, "user", "sessions", "end", "s-web")
	s.want(ExitUsage, nil, []string{"nobody to ask"}, "user", "sessions", "end", "--others")
	s.want(ExitUsage, nil, []string{"ID is missing; give the id of a session, or --others"}, "user", "sessions", "end", "--yes")
	s.want(ExitUsage, nil, []string{"give the id of one session, or --others"}, "user", "sessions", "end", "s-web", "--others", "--yes")
	s.want(ExitUsage, nil, []string{`"b" is too much`}, "user", "sessions", "end", "a", "b", "--yes")
	s.want(ExitNotFound, nil, []string{"no such session", "hint: convoke user sessions shows the ids"}, "user", "sessions", "end", "none", "--yes")
	s.want(ExitNotFound, nil, []string{"hint: convoke user sessions --user ann shows the ids"}, "user", "sessions", "end", "none", "--user", "ann", "--yes")
	s.want(ExitOK, []string{"!s-web"}, []string{"session s-web is ended"}, "user", "sessions", "end", "s-web", "--yes")
	s.want(ExitOK, []string{`"state": "ended"`}, nil, "user", "sessions", "end", "s-web", "-u", "ann", "--yes", "--json")
	s.tty, s.stdin = true, "n\n"
	s.want(ExitFailure, nil, []string{"End all sessions of ann? [y/N]", "not done"}, "user", "sessions", "end", "--others", "--user", "ann")
	s.stdin = "y\n"
	s.want(ExitOK, nil, []string{"End all your sessions but this one? [y/N]", "2 sessions are ended"}, "user", "sessions", "end", "--others")
	s.want(ExitOK, nil, []string{"1 session is ended"}, "user", "sessions", "end", "--others", "--user", "ann")
	s.want(ExitOK, []string{`"ended": 0`}, nil, "user", "sessions", "end", "--others", "--json")
	all = 0
	s.want(ExitOK, nil, []string{"there was no other session"}, "user", "sessions", "end", "--others", "--yes")

	me, hers := "/users/me/sessions", "/users/"+ann.ID+"/sessions"
	want := []string{
		"GET " + me + "?limit=5&sort=lastUsedAt", "GET " + hers,
		"DELETE " + me + "/none", "DELETE " + hers + "/none", "DELETE " + me + "/s-web", "DELETE " + hers + "/s-web",
		"DELETE " + me, "DELETE " + hers, "DELETE " + me, "DELETE " + me,
	}
	if !slices.Equal(asked, want) {
		t.Errorf("asked for\n%q, want\n%q", asked, want)
	}
	list = nil
	s.want(ExitOK, []string{"!ID"}, []string{"nobody is signed in"}, "user", "sessions")
	s.want(ExitOK, []string{"[]"}, nil, "user", "sessions", "--json")
}

func TestConsentListInPages(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.answers(map[string]func(http.ResponseWriter, *http.Request){
		"GET /users/me/consents": func(w http.ResponseWriter, r *http.Request) {
			one := api.Consent{ID: "first", ClientName: "crm"}
			if r.URL.Query().Get("cursor") != "" {
				one.ID = "second"
			} else {
				w.Header().Set("Link", `</api/account/10000001/users/me/consents?cursor=x>; rel="next"`)
			}
			reply(w, []api.Consent{one})
		},
	})
	s.want(ExitOK, []string{"first", "second"}, nil, "consent", "list")
	s.want(ExitOK, []string{"first", "!second"}, nil, "consent", "list", "--limit", "1")
	s.want(ExitUsage, nil, []string{"--sort takes one of"}, "consent", "list", "--sort", "name")
}
