package function_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"convoke"
	"convoke/internal/function"
	"convoke/internal/sqlstore"
)

const account = convoke.DefaultAccountID

var dev = &convoke.Principal{AccountID: account, ID: "u1", Name: "dev@example.com"}

// Code of functions. What the fake runtime does with it stands in a comment.
const (
	good      = "async function lambda(input) { return 'good' }"
	better    = "async function lambda(input) { return 'better' }"
	noSyntax  = "async function lambda(input) { return "
	loadFails = "async function lambda(input) { return 'load fails' }"
	loadWaits = "async function lambda(input) { return 'load waits' }"
)

// runtime is a Runner that does what the code of the version says.
type runtime struct {
	mu       sync.Mutex
	store    function.Store
	gate     chan struct{} // code that waits while loading waits for it
	probes   []string      // "name version"
	switches []string      // "name", with the number that the store says is live
	failures int           // how many switches fail first
	hang     func(ctx context.Context) error
}

func (r *runtime) Probe(ctx context.Context, f *convoke.Function, v *convoke.Version, b *convoke.Bundle) (function.Probed, error) {
	r.mu.Lock()
	r.probes = append(r.probes, fmt.Sprint(f.Name, " ", v.Number))
	r.mu.Unlock()
	switch {
	case strings.Contains(v.Code, "load fails"):
		return function.Probed{}, &convoke.Error{Code: convoke.CodeDeployFailed, Message: "boom while loading",
			Logs: []convoke.LogEntry{{Message: "about to fail"}}}
	case strings.Contains(v.Code, "load waits"):
		select {
		case <-r.gate:
		case <-ctx.Done():
			return function.Probed{}, ctx.Err()
		}
	case !strings.Contains(string(b.Code), "lambda"):
		return function.Probed{}, errors.New("bundle without lambda")
	}
	return function.Probed{CodeCache: []byte("cache"), Runtime: "node-test"}, nil
}

func (r *runtime) Switch(ctx context.Context, accountID, functionID string) error {
	f, err := r.store.FindFunction(ctx, accountID, functionID)
	if err != nil {
		return err
	}
	r.mu.Lock()
	hang := r.hang
	fail := r.failures > 0
	if fail {
		r.failures--
	}
	r.mu.Unlock()
	if hang != nil {
		return hang(ctx)
	}
	if fail {
		return errors.New("runtime is not reachable")
	}
	live := "nothing"
	if f.Deployed() {
		live = fmt.Sprint(f.LiveVersion)
	}
	r.mu.Lock()
	r.switches = append(r.switches, f.Name+" "+live)
	r.mu.Unlock()
	return nil
}

func (r *runtime) hangSwitches(hang func(context.Context) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hang = hang
}

// seen returns what was probed and switched since it was last asked.
func (r *runtime) seen() (probes, switches []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	probes, switches = r.probes, r.switches
	r.probes, r.switches = nil, nil
	return probes, switches
}

// bench is a running Service on a store of its own.
type bench struct {
	*testing.T
	*function.Service
	store   function.Store
	runtime *runtime
	config  function.Config
	stop    func() // ends Run and waits for it
}

// setup opens a store and starts a Service on it; change may alter its Config.
func setup(t *testing.T, change func(*function.Config)) *bench {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), sqlstore.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	addAccount(t, db, account)
	return start(t, db, change)
}

func addAccount(t *testing.T, db convoke.AccountStore, id string) {
	t.Helper()
	err := db.CreateAccount(t.Context(), &convoke.Account{ID: id, Name: "test", CreatedAt: time.Now()})
	if err != nil && convoke.ErrorCode(err) != convoke.CodeConflict {
		t.Fatal(err)
	}
}

// start starts a Service on a store that exists, as after a restart.
func start(t *testing.T, store function.Store, change func(*function.Config)) *bench {
	t.Helper()
	r := &runtime{store: store, gate: make(chan struct{})}
	c := function.Config{Store: store, Runner: r, Limits: convoke.DefaultLimits(), Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if change != nil {
		change(&c)
	}
	s := function.New(c)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return &bench{T: t, Service: s, store: store, runtime: r, config: c, stop: stop}
}

// create makes a function; code may be "".
func (b *bench) create(name, code string) *convoke.Function {
	b.Helper()
	in := function.CreateInput{Name: name}
	if code != "" {
		in.Content.Code = &code
	}
	return b.createFrom(in)
}

func (b *bench) createFrom(in function.CreateInput) *convoke.Function {
	b.Helper()
	f, _, err := b.Create(b.Context(), dev, account, in)
	if err != nil {
		b.Fatalf("create %s: %v", in.Name, err)
	}
	return f
}

func (b *bench) save(f *convoke.Function, code string) {
	b.Helper()
	if _, _, err := b.Save(b.Context(), dev, account, f.ID, saveCode(code)); err != nil {
		b.Fatalf("save %s: %v", f.Name, err)
	}
}

func saveCode(code string) function.SaveInput {
	return function.SaveInput{Content: function.Content{Code: &code}}
}

// deploy deploys and waits for the outcome.
func (b *bench) deploy(f *convoke.Function, version int) (*convoke.Deployment, error) {
	b.Helper()
	p, err := b.Deploy(b.Context(), dev, account, f.ID, function.DeployInput{Version: version})
	if err != nil {
		return nil, err
	}
	return p.Wait(b.Context())
}

func (b *bench) mustDeploy(f *convoke.Function, version int) *convoke.Deployment {
	b.Helper()
	d, err := b.deploy(f, version)
	if err != nil {
		b.Fatalf("deploy %s: %v", f.Name, err)
	}
	return d
}

// current reads the function from the store.
func (b *bench) current(f *convoke.Function) *convoke.Function {
	b.Helper()
	got, err := b.Get(b.Context(), account, f.ID)
	if err != nil {
		b.Fatal(err)
	}
	return got
}

func (b *bench) wantCode(what string, err error, want convoke.Code, texts ...string) {
	b.Helper()
	if got := convoke.ErrorCode(err); got != want {
		b.Errorf("%s: got code %q (%v), want %q", what, got, err, want)
		return
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			b.Errorf("%s: message %q does not say %q", what, err, text)
		}
	}
}
