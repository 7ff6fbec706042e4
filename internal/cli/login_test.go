package cli

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"convoke"
	"convoke/api"
	"convoke/internal/config"
)

// signIn is a server that knows ann with the password "good password" and
// whoever has the bearer.
func signIn(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/account/{account}/login", func(w http.ResponseWriter, r *http.Request) {
		var in api.LoginRequest
		json.NewDecoder(r.Body).Decode(&in)
		if in.Username != "ann" || in.Password != "good password" {
			refuse(w, convoke.Errorf(convoke.CodeUnauthorized, "login name or password is wrong"))
			return
		}
		reply(w, api.LoginResponse{Bearer: "bearer-" + r.PathValue("account"), Config: api.LoginConfig{LoginName: "ann"}})
	})
	mux.HandleFunc("GET /api/account/{account}/me", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer bearer-"+r.PathValue("account") {
			refuse(w, convoke.Errorf(convoke.CodeUnauthorized, "the token is wrong"))
			return
		}
		reply(w, api.Me{AccountID: r.PathValue("account"), Name: "ann", Kind: "session", Roles: []string{"viewer"}, Permissions: []string{"function:read"}})
	})
	mux.HandleFunc("POST /api/account/{account}/logout", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("account") == "7" {
			refuse(w, convoke.Errorf(convoke.CodeActionNotAllowed, "the request was made with a token"))
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /api/account/{account}/users/me/password", func(w http.ResponseWriter, r *http.Request) {
		var in api.ChangePasswordRequest
		json.NewDecoder(r.Body).Decode(&in)
		if in != (api.ChangePasswordRequest{OldPassword: "old", NewPassword: "new"}) {
			refuse(w, convoke.Errorf(convoke.CodeValidation, "the old password is wrong"))
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL
}

// typing answers questions for passwords, one after the other.
func typing(passwords ...string) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) {
		if len(passwords) == 0 {
			return nil, errors.New("nobody types")
		}
		next := passwords[0]
		passwords = passwords[1:]
		return []byte(next), nil
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	url := signIn(t)
	s.env = map[string]string{"XDG_CONFIG_HOME": t.TempDir()}
	profile := func(name string) config.Profile {
		t.Helper()
		path, err := config.FindProfile(name, s.env)
		if err != nil {
			t.Fatal(err)
		}
		p, err := config.LoadProfile(path)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}

	// From a script.
	s.stdin = "good password\n"
	s.want(ExitUsage, nil, []string{"--user is missing"}, "login", "--url", url, "--password-stdin")
	s.want(ExitUsage, nil, []string{"no terminal to ask for the password on"}, "login", "--url", url, "--user", "ann")
	s.want(ExitOK, nil, []string{"signed in to account 10000001 of " + url + " as ann (viewer)"}, "login", "--url", url, "--user", "ann", "--password-stdin")
	if p := profile(""); p.URL != url || p.Account != convoke.DefaultAccountID || p.Token.Reveal() != "bearer-10000001" {
		t.Errorf("profile %+v", p)
	}
	s.want(ExitOK, []string{"SERVER", url, "ann", "viewer", "function:read"}, nil, "whoami")
	s.want(ExitOK, []string{`"kind": "session"`}, nil, "whoami", "--json")
	s.stdin = ""
	s.want(ExitUsage, nil, []string{"there is no password on standard input"}, "login", "--user", "ann", "--password-stdin")
	s.stdin = "bad\n"
	s.want(ExitAuth, nil, []string{"login name or password is wrong", "hint: an administrator can reset"}, "login", "--user", "ann", "--password-stdin")
	if got := profile("").Token.Reveal(); got != "bearer-10000001" {
		t.Errorf("a failed sign-in left the token %q", got)
	}

	// On a terminal, into a profile of its own; the server is remembered.
	s.tty, s.stdin, s.typed = true, "ann\n", typing("good password")
	s.env["CONVOKE_PASSWORD"] = "good password"
	s.want(ExitOK, []string{"!good password"}, []string{"Login name for account 7 of " + url, "!Password: ", "!good password"}, "login", "--profile", "seven", "--url", url, "--account", "7")
	delete(s.env, "CONVOKE_PASSWORD")
	s.want(ExitOK, []string{"!good password"}, []string{"Password: ", "!good password"}, "login", "--profile", "seven", "--url", url, "--account", "7", "--user", "ann")
	if p := profile("seven"); p.Account != "7" || p.Token.Reveal() != "bearer-7" {
		t.Errorf("profile %+v", p)
	}
	s.typed = typing("good password")
	s.want(ExitOK, nil, []string{"account 7 of " + url}, "login", "--profile", "seven", "--user", "ann")
	s.want(ExitOK, []string{"7"}, nil, "whoami", "--profile", "seven")
	s.env["CONVOKE_TOKEN"] = "other"
	s.typed = typing("good password")
	s.want(ExitOK, nil, []string{"CONVOKE_TOKEN is set and goes before the profile"}, "login", "--user", "ann")
	delete(s.env, "CONVOKE_TOKEN")

	// Passwords.
	s.typed = typing("old", "new", "new")
	s.want(ExitOK, nil, []string{"the password is changed"}, "user", "password")
	s.typed = typing("old", "new", "nwe")
	s.want(ExitUsage, nil, []string{"the two new passwords differ"}, "user", "password")
	s.stdin = "old\nnew\n"
	s.want(ExitOK, nil, nil, "user", "password", "--password-stdin")

	// Out again.
	s.want(ExitConflict, nil, []string{"hint: the profile holds a token"}, "logout", "--profile", "seven")
	s.want(ExitOK, nil, []string{"signed out of account 10000001"}, "logout")
	if p := profile(""); p.URL != url || !p.Token.IsZero() {
		t.Errorf("profile after signing out: %+v", p)
	}
	s.want(ExitNotFound, nil, []string{"nobody is signed in"}, "logout")
	s.want(ExitAuth, nil, []string{"hint: convoke login signs in"}, "whoami")
}

func TestProfiles(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	delete(s.env, "CONVOKE_URL")
	delete(s.env, "CONVOKE_TOKEN")
	s.want(ExitOK, nil, []string{"there are no profiles yet"}, "profile", "list")
	save := func(name, token string) string {
		t.Helper()
		path, err := config.FindProfile(name, s.env)
		if err != nil {
			t.Fatal(err)
		}
		if err := config.SaveProfile(path, config.Profile{URL: s.fake.url, Account: "10000001", Token: convoke.NewSecret(token)}); err != nil {
			t.Fatal(err)
		}
		return path
	}
	save("", "bad")
	good := save("good", "good")
	s.want(ExitAuth, nil, nil, "list")
	s.want(ExitOK, nil, nil, "list", "--profile", "good")
	s.want(ExitOK, nil, nil, "list", "--profile", good)
	s.want(ExitNotFound, nil, []string{`there is no profile "goof"`}, "list", "--profile", "goof")
	s.want(ExitUsage, nil, []string{"is no name for a profile"}, "list", "--profile", "no name")

	s.want(ExitOK, nil, []string{"commands use the profile good"}, "profile", "use", "good")
	s.want(ExitOK, nil, nil, "list")
	s.want(ExitAuth, nil, nil, "list", "--profile", "default")
	got := s.want(ExitOK, nil, nil, "profile", "list")
	if words := strings.Join(strings.Fields(got.stdout), " "); !strings.Contains(words, "default "+s.fake.url+" 10000001 yes * good "+s.fake.url) {
		t.Errorf("list: %s", got.stdout)
	}
	s.want(ExitOK, []string{`"name": "good"`, `"current": true`, "!token"}, nil, "profile", "list", "--json")
	s.want(ExitOK, []string{"good", "default"}, nil, "__complete", "profile", "use", "")
	s.env["CONVOKE_PROFILE"] = "default"
	s.want(ExitAuth, nil, nil, "list")
	delete(s.env, "CONVOKE_PROFILE")

	if err := os.Chmod(good, 0o644); err != nil {
		t.Fatal(err)
	}
	s.want(ExitOK, []string{"chmod 600 " + good}, nil, "profile", "list")
	s.tty, s.stdin = true, "n\n"
	s.want(ExitFailure, nil, []string{"Delete the profile good? [y/N]", "not done"}, "profile", "remove", "good")
	s.want(ExitOK, nil, []string{"profile good is removed"}, "profile", "remove", "good", "--yes")
	s.want(ExitAuth, nil, nil, "list") // the default one again
	s.want(ExitNotFound, nil, nil, "profile", "use", "good")
	if _, err := os.Stat(filepath.Join(filepath.Dir(filepath.Dir(good)), "current")); err == nil {
		t.Error("a profile that is gone is still the chosen one")
	}
}
