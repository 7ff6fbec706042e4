package cli

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"convoke"
	"convoke/api"
)

// answers makes the shell talk to a server that has these routes only, by
// method and path below the account, and collects the bodies that it gets.
func (s *shell) answers(routes map[string]func(w http.ResponseWriter, r *http.Request)) *[]string {
	var bodies []string
	mux := http.NewServeMux()
	for route, handle := range routes {
		method, path, _ := strings.Cut(route, " ")
		if !strings.HasPrefix(path, "/api/") {
			path = "/api/account/10000001" + path
		}
		mux.HandleFunc(method+" "+path, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				s.t.Error(err)
			}
			bodies = append(bodies, string(body))
			r.Body = io.NopCloser(strings.NewReader(string(body)))
			handle(w, r)
		})
	}
	srv := httptest.NewServer(mux)
	s.t.Cleanup(srv.Close)
	s.env["CONVOKE_URL"] = srv.URL
	return &bodies
}

func TestSecretSet(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	version := 0
	bodies := s.answers(map[string]func(http.ResponseWriter, *http.Request){
		"PUT /secrets/{name}": func(w http.ResponseWriter, r *http.Request) {
			version++
			reply(w, api.Secret{Name: r.PathValue("name"), Version: version})
		},
	})
	last := func(value, typ string) {
		t.Helper()
		var got api.SetSecretRequest
		if err := json.Unmarshal([]byte((*bodies)[len(*bodies)-1]), &got); err != nil || got.Value != value || got.Type != typ {
			t.Errorf("sent %+v, error %v; want %q of type %q", got, err, value, typ)
		}
	}
	s.stdin = "line 1\nline 2\r\n"
	s.want(ExitOK, nil, []string{"secret key is created", "!line"}, "secret", "set", "key", "--from-stdin")
	last("line 1\nline 2", "")
	s.file("app.json", "{\"a\":1}\n\n")
	s.want(ExitOK, nil, []string{"secret key is changed", "!{"}, "secret", "set", "key", "--from-file", "app.json", "--type", "JSON")
	last("{\"a\":1}\n", "JSON")
	s.want(ExitOK, []string{`"name": "key"`, `"version": 3`}, nil, "secret", "set", "key", "--value", "plain", "--type", "string", "--json")
	last("plain", "String")

	sent := len(*bodies)
	for _, c := range []struct {
		args  []string
		stdin string
		want  string
	}{
		{[]string{"key"}, "", "--from-stdin or --from-file"},
		{[]string{}, "", "NAME is missing"},
		{[]string{"key", "value"}, "", `"value" is too much`},
		{[]string{"key", "--from-stdin"}, "", "the value is empty"},
		{[]string{"key", "--from-stdin"}, "\n", "the value is empty"},
		{[]string{"key", "--from-stdin"}, "a\xffb", "not UTF-8"},
		{[]string{"key", "--from-stdin"}, strings.Repeat("x", maxSecret+1), "too large; a secret has at most 16384 characters"},
		{[]string{"key", "--from-file", "none"}, "", "there is no file none"},
		{[]string{"key", "--value", "x", "--from-stdin"}, "", "by one of --from-file, --from-stdin and --value"},
		{[]string{"key", "--value", "x", "--type", "text"}, "", "--type is string, number or json"},
	} {
		s.stdin = c.stdin
		s.want(ExitUsage, nil, []string{c.want}, append([]string{"secret", "set"}, c.args...)...)
	}
	if len(*bodies) != sent {
		t.Errorf("sent %q", (*bodies)[sent:])
	}
	s.want(ExitUsage, nil, []string{`there is no command "sett"; did you mean set?`}, "secret", "sett")
	s.want(ExitOK, []string{"rotate-key", "Set, list and remove secrets"}, nil, "secret")
}

// TestSecretPrompt asks on the terminal, where nothing of the value shows.
func TestSecretPrompt(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	bodies := s.answers(map[string]func(http.ResponseWriter, *http.Request){
		"PUT /secrets/{name}": func(w http.ResponseWriter, r *http.Request) { reply(w, api.Secret{Name: "key", Version: 1}) },
	})
	var out, stderr strings.Builder
	code := Run(t.Context(), State{
		Args: []string{"secret", "set", "key"}, Env: s.env, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &stderr, StdinTTY: true, StderrTTY: true,
		ReadPassword: func(context.Context) ([]byte, error) { return []byte(" typed "), nil },
	})
	if want := "Value of key (it is not shown): \nsecret key is created\n"; code != ExitOK || out.String() != "" || stderr.String() != want {
		t.Errorf("exit code %d, stdout %q, stderr %q; want %q", code, out.String(), stderr.String(), want)
	}
	if want := []string{`{"value":" typed "}`}; !slices.Equal(*bodies, want) {
		t.Errorf("sent %q, want %q", *bodies, want)
	}
}

func TestSecretListAndRemove(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.answers(map[string]func(http.ResponseWriter, *http.Request){
		"GET /secrets": func(w http.ResponseWriter, r *http.Request) {
			list := []api.Secret{{Name: "key", Type: "JSON", CreatedBy: "ann"}}
			if r.URL.Query().Get("system") == "true" {
				list = append(list, api.Secret{Name: "LIVEPERSON_DEFAULT_APP_KEY"})
			}
			reply(w, list)
		},
		"DELETE /secrets/{name}": func(w http.ResponseWriter, r *http.Request) {
			if r.PathValue("name") != "key" {
				refuse(w, convoke.Errorf(convoke.CodeNotFound, "there is no secret %s", r.PathValue("name")))
			}
		},
		"POST /api/master-key/rotate": func(w http.ResponseWriter, r *http.Request) {
			reply(w, api.KeyRotation{KeyID: 7, Resealed: 3, Unreadable: []api.SecretRef{{Account: "20", Name: "old"}}})
		},
	})
	s.want(ExitOK, []string{"key   JSON  -        ann", "!LIVEPERSON"}, nil, "secret", "list")
	s.want(ExitOK, []string{`"LIVEPERSON_DEFAULT_APP_KEY"`}, nil, "secret", "list", "--system", "--json")
	s.want(ExitOK, nil, []string{"secret key is removed"}, "secret", "remove", "key", "--yes")
	s.want(ExitOK, []string{`"state": "removed"`}, nil, "secret", "remove", "key", "--json", "--yes")
	s.want(ExitNotFound, nil, []string{"there is no secret none", "hint: convoke secret list"}, "secret", "remove", "none", "--yes")
	s.want(ExitOK, nil, []string{"3 secrets are sealed with it", "secret old of account 20 could not be read"}, "secret", "rotate-key")
	s.want(ExitOK, []string{`"keyId": 7`}, nil, "secret", "rotate-key", "--json")
	s.tty, s.stdin = true, "n\n"
	s.want(ExitFailure, nil, []string{"Delete the secret key? [y/N]", "not done"}, "secret", "remove", "key")
	s.want(ExitOK, nil, []string{"!?"}, "secret", "remove", "key", "--yes")
}
