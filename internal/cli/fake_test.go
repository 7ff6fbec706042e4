package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"convoke"
	"convoke/api"
)

// fake is a server of one account that keeps functions in memory and builds
// nothing: code that contains "BROKEN" does not build, and "CLASHES" may not be live. The end-to-end scripts
// drive the real one.
type fake struct {
	mu          sync.Mutex
	functions   []*api.Function
	deployments map[string][]api.Deployment
	logs        []api.LogEntry
	invocations []api.Invocation
	tokens      []api.Token
	domains     []api.Domain
	things      fakeThings
	calls       []api.Call
	requests    []string          // method and path below the account
	bodies      map[string]string // last body by method and path without ids
	answer      func(w http.ResponseWriter, body []byte)
	streams     int    // of logs, so far
	again       func() // called when a stream is asked for after the first one
	url         string
	meddle      func(*api.Function) // somebody else, after a function was read
}

func etagOf(fn *api.Function) string { return strconv.Quote(fn.Description + "." + fn.State) }

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{deployments: map[string][]api.Deployment{}, bodies: map[string]string{}}
	mux := http.NewServeMux()
	handle := func(pattern string, h func(w http.ResponseWriter, r *http.Request, body []byte)) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" /api/account/10000001"+path, func(w http.ResponseWriter, r *http.Request) {
			f.mu.Lock()
			defer f.mu.Unlock()
			body, _ := io.ReadAll(r.Body)
			f.requests = append(f.requests, method+" "+strings.TrimPrefix(r.URL.RequestURI(), "/api/account/10000001"))
			f.bodies[pattern] = string(body)
			if r.Header.Get("Authorization") != "Bearer good" {
				refuse(w, convoke.Errorf(convoke.CodeUnauthorized, "the token is wrong"))
				return
			}
			h(w, r, body)
		})
	}
	handle("GET /functions", func(w http.ResponseWriter, r *http.Request, _ []byte) {
		list := []*api.Function{}
		for _, fn := range f.functions {
			if n := r.URL.Query().Get("functionName"); n == "" || n == fn.Name {
				list = append(list, fn)
			}
		}
		reply(w, list)
	})
	handle("POST /functions", func(w http.ResponseWriter, r *http.Request, body []byte) {
		var in api.CreateFunctionRequest
		json.Unmarshal(body, &in)
		fn := &api.Function{UUID: uuid.NewString(), Name: in.Name, Description: in.Description, EventID: in.EventID, Skills: in.Skills,
			State: "Draft", LatestVersion: 1, Versions: []api.Manifest{{Version: 1}}}
		f.functions = append(f.functions, fn)
		reply(w, fn)
	})
	handle("GET /functions/{id}", f.with(func(w http.ResponseWriter, fn *api.Function, _ []byte) {
		w.Header().Set("ETag", etagOf(fn))
		reply(w, fn)
		if f.meddle != nil {
			f.meddle(fn)
		}
	}))
	handle("PUT /functions/{id}", func(w http.ResponseWriter, r *http.Request, body []byte) {
		f.with(func(w http.ResponseWriter, fn *api.Function, body []byte) {
			if tag := r.Header.Get("If-Match"); tag != "" && tag != etagOf(fn) {
				refuse(w, convoke.Errorf(convoke.CodeConditionFailed, "it was changed"))
				return
			}
			json.Unmarshal(body, fn)
			reply(w, fn)
		})(w, r, body)
	})
	handle("DELETE /functions/{id}", f.with(func(w http.ResponseWriter, fn *api.Function, _ []byte) {
		f.functions = slices.DeleteFunc(f.functions, func(x *api.Function) bool { return x == fn })
		w.WriteHeader(http.StatusNoContent)
	}))
	handle("PUT /functions/{id}/manifest", f.with(f.save))
	handle("GET /functions/{id}/deployments", f.with(func(w http.ResponseWriter, fn *api.Function, _ []byte) {
		reply(w, f.deployments[fn.UUID])
	}))
	handle("POST /deployments/{id}", f.with(f.deploy))
	handle("DELETE /deployments/{id}", f.with(func(w http.ResponseWriter, fn *api.Function, _ []byte) {
		fn.DeployedVersion, fn.State = nil, "Draft"
		reply(w, api.DeployResponse{State: "Draft"})
	}))
	invoke := func(w http.ResponseWriter, r *http.Request, body []byte) {
		w.Header().Set("X-Request-ID", "req-1")
		f.answer(w, body)
	}
	handle("POST /lambdas/{id}/invoke", invoke)
	handle("POST /events/{id}/invoke", invoke)
	queryLogs := func(w http.ResponseWriter, r *http.Request, _ []byte) {
		newest := slices.Clone(f.logs)
		slices.Reverse(newest)
		reply(w, newest)
	}
	handle("GET /logs", queryLogs)
	handle("GET /functions/{id}/logs", queryLogs)
	handle("GET /functions/{id}/logs/stream", func(w http.ResponseWriter, r *http.Request, _ []byte) {
		if f.streams++; f.streams > 1 && f.again != nil {
			f.again()
		}
		for _, e := range f.logs {
			b, _ := json.Marshal(e)
			io.WriteString(w, "id: "+strconv.FormatInt(e.ID, 10)+"\ndata: "+string(b)+"\n\n")
		}
	})
	handle("GET /functions/{id}/invocations", f.with(func(w http.ResponseWriter, fn *api.Function, _ []byte) { reply(w, f.invocations) }))
	handle("GET /functions/{id}/calls", f.with(func(w http.ResponseWriter, fn *api.Function, _ []byte) { reply(w, f.calls) }))
	f.handleDomains(handle)
	f.things.handle(handle)
	handle("GET /tokens", func(w http.ResponseWriter, r *http.Request, _ []byte) { reply(w, f.tokens) })
	handle("DELETE /tokens/{id}", func(w http.ResponseWriter, r *http.Request, _ []byte) {
		i := slices.IndexFunc(f.tokens, func(t api.Token) bool { return t.ID == r.PathValue("id") })
		if i < 0 {
			refuse(w, convoke.Errorf(convoke.CodeNotFound, "there is no such token"))
			return
		}
		f.tokens[i].RevokedAt = api.Time{Time: time.Now()}
		w.WriteHeader(http.StatusNoContent)
	})
	handle("GET /runtimes", func(w http.ResponseWriter, r *http.Request, _ []byte) {
		reply(w, []api.Runtime{{Name: "Node.js 26", BaseImageName: "node26", Version: "26.2.0", Default: true}})
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	f.url = srv.URL
	return f
}

// with finds the function of the path.
func (f *fake) with(h func(http.ResponseWriter, *api.Function, []byte)) func(http.ResponseWriter, *http.Request, []byte) {
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		i := slices.IndexFunc(f.functions, func(fn *api.Function) bool { return fn.UUID == r.PathValue("id") })
		if i < 0 {
			refuse(w, convoke.Errorf(convoke.CodeFunctionNotFound, "there is no function %s", r.PathValue("id")))
			return
		}
		h(w, f.functions[i], body)
	}
}

func (f *fake) save(w http.ResponseWriter, fn *api.Function, body []byte) {
	var in api.ManifestRequest
	json.Unmarshal(body, &in)
	newest := fn.Versions[0]
	v := api.Manifest{Version: newest.Version, Code: *in.Code, Files: in.Files, Language: *in.Language, Environment: newest.Environment, Settings: newest.Settings, AllowedDomains: newest.AllowedDomains}
	if in.AllowedDomains != nil {
		v.AllowedDomains = in.AllowedDomains
	}
	if in.Environment != nil {
		v.Environment = in.Environment
	}
	if in.Settings != nil {
		v.Settings = *in.Settings
	}
	was, _ := json.Marshal(newest)
	is, _ := json.Marshal(v)
	switch {
	case *in.Version != newest.Version:
		refuse(w, convoke.Errorf(convoke.CodeRevision, "stale"))
		return
	case bytes.Equal(was, is):
		refuse(w, convoke.Errorf(convoke.CodeUnchanged, "unchanged"))
		return
	case newest.Code == "":
		fn.Versions[0] = v
	default:
		v.Version++
		fn.Versions = append([]api.Manifest{v}, fn.Versions...)
	}
	fn.LatestVersion = v.Version
	if fn.DeployedVersion != nil {
		fn.State = "Modified"
	}
	reply(w, fn)
}

func (f *fake) deploy(w http.ResponseWriter, fn *api.Function, body []byte) {
	in := api.DeployRequest{}
	json.Unmarshal(body, &in)
	number := fn.LatestVersion
	if in.Version != nil {
		number = *in.Version
	}
	i := slices.IndexFunc(fn.Versions, func(v api.Manifest) bool { return v.Version == number })
	if i < 0 {
		refuse(w, convoke.Errorf(convoke.CodeNotFound, "there is no version %d", number))
		return
	}
	if strings.Contains(fn.Versions[i].Code, "BROKEN") {
		refuse(w, &convoke.Error{Code: convoke.CodeBuildFailed, Message: `the code does not compile: index.js:2:3: Unexpected "}"`,
			Problems: []convoke.Problem{{File: "index.js", Line: 2, Column: 3, Text: `Unexpected "}"`}}})
		return
	}
	if strings.Contains(fn.Versions[i].Code, "CLASHES") {
		refuse(w, convoke.Errorf(convoke.CodeActionNotAllowed, "%s would take conversations that other takes already", fn.Name))
		return
	}
	f.deployments[fn.UUID] = append([]api.Deployment{{
		UUID: uuid.NewString(), ManifestVersion: number, DeploymentState: "successful", DeployedAt: api.Time{Time: time.Now()},
	}}, f.deployments[fn.UUID]...)
	fn.DeployedVersion, fn.State = &number, "Productive"
	if number != fn.LatestVersion {
		fn.State = "Modified"
	}
	reply(w, api.DeployResponse{Message: "ok", Version: number, State: fn.State})
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, err *convoke.Error) {
	w.WriteHeader(api.Status(err.Code))
	json.NewEncoder(w).Encode(api.NewError(err, ""))
}

// shell runs commands against a fake, in a folder of their own.
type shell struct {
	t     *testing.T
	fake  *fake
	dir   string
	env   map[string]string
	stdin string
	tty   bool
	aside bool                                  // the terminal, but standard error goes to a file
	typed func(context.Context) ([]byte, error) // passwords on the terminal
	serve ServerCommands

	colour bool // stdout is a terminal
	start  func(name string, args ...string) error
}

func newShell(t *testing.T) *shell {
	f := newFake(t)
	return &shell{t: t, fake: f, dir: t.TempDir(), env: map[string]string{
		"CONVOKE_URL": f.url, "CONVOKE_TOKEN": "good", "XDG_CONFIG_HOME": t.TempDir(),
	}}
}

// file writes a file of the shell's folder.
func (s *shell) file(name, text string) {
	s.t.Helper()
	path := s.dir + "/" + name
	if err := os.MkdirAll(path[:strings.LastIndexByte(path, '/')], 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

type outcome struct {
	code           int
	stdout, stderr string
}

func (s *shell) run(args ...string) outcome {
	s.t.Helper()
	return s.runContext(s.t.Context(), args...)
}

func (s *shell) runContext(ctx context.Context, args ...string) outcome {
	var out, err strings.Builder
	code := Run(ctx, State{
		Args: args, Env: s.env, Version: "1.2.3", StdoutTTY: s.colour, OpenRoot: func(dir string) (*os.Root, error) { return os.OpenRoot(s.abs(dir)) },
		Stdin: strings.NewReader(s.stdin), Stdout: &out, Stderr: &err,
		StdinTTY: s.tty, StderrTTY: s.tty && !s.aside, ReadPassword: s.typed, Start: s.start,
		OpenDir: func(dir string) fs.FS { return os.DirFS(s.abs(dir)) },
		Server:  s.serve,
	})
	return outcome{code, out.String(), err.String()}
}

// abs makes paths relative to the shell's folder, as the process would.
func (s *shell) abs(dir string) string {
	if strings.HasPrefix(dir, "/") {
		return dir
	}
	return s.dir + "/" + dir
}

// want runs a command and checks exit code and what the streams contain;
// words that begin with ! must not be there.
func (s *shell) want(code int, stdout, stderr []string, args ...string) outcome {
	s.t.Helper()
	got := s.run(args...)
	if got.code != code {
		s.t.Errorf("convoke %s: exit code %d, want %d\nstdout: %s\nstderr: %s", strings.Join(args, " "), got.code, code, got.stdout, got.stderr)
	}
	check := func(stream, text string, words []string) {
		s.t.Helper()
		for _, w := range words {
			w, not := strings.CutPrefix(w, "!")
			if strings.Contains(text, w) == not {
				s.t.Errorf("convoke %s: %s is\n%s\nwant %q in it: %v", strings.Join(args, " "), stream, text, w, !not)
			}
		}
	}
	check("stdout", got.stdout, stdout)
	check("stderr", got.stderr, stderr)
	return got
}
