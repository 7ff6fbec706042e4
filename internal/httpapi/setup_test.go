package httpapi

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"convoke"
	tenants "convoke/internal/account"
	"convoke/internal/auth"
	"convoke/internal/build"
	"convoke/internal/domain"
	"convoke/internal/function"
	"convoke/internal/gateway"
	"convoke/internal/httpx"
	"convoke/internal/invoke"
	"convoke/internal/metric"
	"convoke/internal/oauth"
	"convoke/internal/runlog"
	"convoke/internal/schedule"
	"convoke/internal/secret"
	"convoke/internal/sqlstore"
)

const (
	home  = "10000001" // the account that tests work in
	other = "20000002"
)

// world is a server on a real store. Only what would start a worker is
// replaced: the compiler and the runtime.
type world struct {
	config Config
	store  *sqlstore.Store
	log    *runlog.Log
	meter  *metric.Recorder
	url    string
	// handler is what answers at url; remake makes it anew of config.
	handler atomic.Pointer[http.Handler]
	// clock is what attempts to sign in are counted by; nil: time goes on.
	clock  atomic.Pointer[time.Time]
	tokens map[string]string // by role, and "other" of the other account
	// past is the authorization server as it was two hours ago: what it issues
	// has expired.
	past *oauth.Server
}

func setup(t *testing.T) *world {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	store, err := sqlstore.Open(ctx, sqlstore.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		store: store, tokens: map[string]string{},
		log:   runlog.New(runlog.Config{Store: store, BatchDelay: time.Millisecond}),
		meter: metric.New(metric.Config{Store: store}),
	}
	silent := slog.New(slog.DiscardHandler)
	keys, err := oauth.OpenKeys(oauth.KeysConfig{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	server, err := oauth.New(oauth.Config{Store: store, Keys: keys, Issuer: "https://sentinel.example.com", Logger: silent})
	if err != nil {
		t.Fatal(err)
	}
	if w.past, err = oauth.New(oauth.Config{Store: store, Keys: keys, Issuer: "https://sentinel.example.com", Logger: silent, TokenLifetime: -time.Hour}); err != nil {
		t.Fatal(err)
	}
	people, err := auth.New(auth.Config{Tokens: store, People: store, JWT: server, Logger: silent})
	if err != nil {
		t.Fatal(err)
	}
	accounts, err := tenants.New(ctx, tenants.Config{Store: store, Auth: people, Limits: convoke.DefaultLimits(), Logger: silent, Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	functions := function.New(function.Config{
		Store: store, Compile: compile, Runner: runner{}, Limits: convoke.DefaultLimits(), LimitsOf: accounts.LimitsOf, Logger: silent,
	})
	secrets, err := secret.New(ctx, secret.Config{Store: store, Dir: t.TempDir(), Limits: convoke.DefaultLimits(), Logger: silent})
	if err != nil {
		t.Fatal(err)
	}
	// Nothing runs what is due: what the API says of it is the same.
	schedules := schedule.New(schedule.Config{Store: store, Invoker: idle{}, Limits: convoke.DefaultLimits(), Logger: silent})
	drain := make(chan struct{})
	w.config = Config{
		Functions: functions, Tester: tester{functions}, Log: w.log, Logs: store, Metrics: w.meter, Activities: store, Pages: store, Auth: people, Accounts: accounts, OAuth: server,
		Domains: domain.New(domain.Config{Store: store, Limits: convoke.DefaultLimits()}), Secrets: secrets, Schedules: schedules,
		Gateway:       Gateway{Invoke: plainFor(answer(`"invoked"`)), Event: plainFor(answer(`[]`)), Implemented: answer(`{"implemented":false}`)},
		Probes:        Probes{Live: http.HandlerFunc(alive), Ready: http.HandlerFunc(alive), Metrics: http.HandlerFunc(alive)},
		RuntimeBuilds: map[string]string{"node26": "26.2.0"},
		Limits:        convoke.DefaultLimits(), Logger: silent, Drain: drain,
		Discovery: Discovery{V1: map[string]string{"faasGW": "gw.example.com"}, V2: map[string]string{"faasUI": "functions.example.com", "faasGW": "fninvocations.example.com"}, Generations: generations{}},
		V1:        gateway.V1,
	}
	h, err := New(w.config)
	if err != nil {
		t.Fatal(err)
	}
	w.handler.Store(&h)
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { (*w.handler.Load()).ServeHTTP(rw, r) }))
	w.url = srv.URL

	var ended []chan error
	for _, run := range []func(context.Context) error{functions.Run, w.log.Run, w.meter.Run, people.Run, accounts.Run} {
		c := make(chan error, 1)
		ended = append(ended, c)
		go func() { c <- run(ctx) }()
	}
	t.Cleanup(func() {
		close(drain)
		srv.Close()
		cancel()
		for _, c := range ended {
			if err := <-c; err != nil {
				t.Error(err)
			}
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, id := range []string{home, other} {
		if err := store.CreateAccount(ctx, &convoke.Account{ID: id, Name: id, CreatedAt: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	issue := func(name, account string, role convoke.Role) {
		text, _, err := people.Issue(ctx, account, name, []convoke.Role{role}, 0, "setup")
		if err != nil {
			t.Fatal(err)
		}
		w.tokens[name] = text.Reveal()
	}
	issue("admin", home, convoke.RoleAdmin)
	issue("operator", home, convoke.RoleOperator)
	issue("viewer", home, convoke.RoleViewer)
	issue("developer", home, convoke.RoleDeveloper)
	issue("invoker", home, convoke.RoleInvoker)
	issue("other", other, convoke.RoleAdmin)
	return w
}

func (w *world) now() time.Time {
	if at := w.clock.Load(); at != nil {
		return *at
	}
	return time.Now()
}

// remake makes the server follow config.
func (w *world) remake(t *testing.T) {
	t.Helper()
	h, err := New(w.config)
	if err != nil {
		t.Fatal(err)
	}
	w.handler.Store(&h)
}

// compile takes any code but one that says it is broken or nameless.
func compile(_ context.Context, s build.Source) (*build.Output, error) {
	if strings.Contains(s.Code, "BROKEN") {
		return nil, &convoke.Error{Code: convoke.CodeBuildFailed, Message: "the code has 1 problem",
			Problems: []convoke.Problem{{File: "index.js", Line: 3, Column: 7, Text: "unexpected }"}}}
	}
	return &build.Output{ID: s.Code, Nameless: strings.Contains(s.Code, "NAMELESS"), Format: "esm", Contract: convoke.ContractV2, Code: []byte(s.Code),
		Warnings: []convoke.Problem{{File: "index.js", Line: 1, Column: 1, Text: "dubious"}}}, nil
}

// generations: the other account is of the first one, and there are no more.
type generations struct{}

func (generations) Generation(_ context.Context, accountID string) (bool, error) {
	if accountID != home && accountID != other {
		return false, convoke.Errorf(convoke.CodeNotFound, "there is no account %s", accountID)
	}
	return accountID == other, nil
}

type idle struct{}

func (idle) Invoke(context.Context, invoke.Request) (invoke.Response, error) {
	return invoke.Response{}, nil
}

type runner struct{}

func (runner) Probe(context.Context, *convoke.Function, *convoke.Version, *convoke.Bundle) (function.Probed, error) {
	return function.Probed{CodeCache: []byte("x"), Runtime: "node26"}, nil
}

func (runner) Switch(context.Context, string, string) error { return nil }

// tester answers with the payload, or fails when the code says so.
type tester struct{ functions *function.Service }

func (x tester) Test(ctx context.Context, by *convoke.Principal, accountID, functionID string, body []byte, requestID string) (json.RawMessage, []convoke.LogEntry, error) {
	_, v, err := x.functions.Version(ctx, accountID, functionID, function.Latest)
	if err != nil {
		return nil, nil, err
	}
	logs := []convoke.LogEntry{{Level: convoke.LevelDebug, Message: "by " + by.String() + " as " + requestID, Time: time.UnixMilli(1700000000123)}}
	if strings.Contains(v.Code, "throw") {
		return nil, logs, &convoke.Error{Code: convoke.CodeThrew, Message: "it threw"}
	}
	return body, logs, nil
}

func answer(body string) httpx.Handler {
	return func(w http.ResponseWriter, _ *http.Request) error {
		return httpx.WriteJSON(w, http.StatusOK, json.RawMessage(body))
	}
}

func alive(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") }

// do makes a request as the named one; "" is nobody and "wrong" has a token
// that does not exist.
func (w *world) do(t *testing.T, as, method, path, body string, header http.Header) (int, http.Header, string) {
	t.Helper()
	if !strings.HasPrefix(path, "/api/") && !strings.HasPrefix(path, "/auth/") && !strings.HasPrefix(path, "/sentinel/") && !strings.HasPrefix(path, "/oauth2/") && !strings.HasPrefix(path, "/.well-known/") && !slices.Contains([]string{"/livez", "/readyz", "/metrics", documentPath, documentPathV1}, path) {
		path = "/api/account/" + home + path
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // a stream that should have refused does not end
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, w.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("Content-Type", "application/json")
	switch as {
	case "":
	case "wrong":
		r.Header.Set("Authorization", "Bearer cvk_"+strings.Repeat("w", 43))
	default:
		r.Header.Set("Authorization", "Bearer "+w.tokens[as])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(b)
}
