package worker_test

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"convoke"
	"convoke/internal/sandbox"
	"convoke/internal/worker"
)

// sink keeps log entries and lets a test wait for one.
type sink struct {
	mu      sync.Mutex
	entries []convoke.LogEntry
	changed chan struct{}
}

func (s *sink) Append(e ...convoke.LogEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = append(s.entries, e...)
	close(s.changed)
	s.changed = make(chan struct{})
}

// wait returns the first entry that contains text.
func (s *sink) wait(t *testing.T, text string) convoke.LogEntry {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		s.mu.Lock()
		for _, e := range s.entries {
			if strings.Contains(e.Message+string(e.Extras), text) {
				s.mu.Unlock()
				return e
			}
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("no log entry with %q; there are %+v", text, s.all())
		}
	}
}

func (s *sink) all() []convoke.LogEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]convoke.LogEntry(nil), s.entries...)
}

type bench struct {
	fleet *worker.Fleet
	sink  *sink
}

func setup(t testing.TB) *bench {
	t.Helper()
	return setupWith(t, nil)
}

func setupWith(t testing.TB, way worker.Egress) *bench {
	t.Helper()
	runtimes, err := worker.FindRuntimes(t.Context(), filepath.Join("..", "..", "runtime", "node"))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	// CONVOKE_TEST_SANDBOX runs these tests at another level.
	box, err := sandbox.New(sandbox.Level(cmp.Or(os.Getenv("CONVOKE_TEST_SANDBOX"), string(sandbox.None))), sandbox.Config{Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{changed: make(chan struct{})}
	f, err := worker.NewFleet(worker.Config{Runtimes: runtimes, Dir: folder, Sandbox: box, Sink: s, Egress: way})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { _ = f.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return &bench{f, s}
}

// start loads code that hands over its lambda as internal/build arranges it.
func (b *bench) start(t testing.TB, code string, change ...func(*worker.Program)) *worker.Worker {
	t.Helper()
	w, _, err := b.tryStart(t, code, change...)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (b *bench) tryStart(t testing.TB, code string, change ...func(*worker.Program)) (*worker.Worker, worker.Loaded, error) {
	t.Helper()
	p := program(code, change...)
	w, err := b.fleet.Start(t.Context(), convoke.DefaultRuntime, p.MemoryMiB, "")
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := w.Load(t.Context(), p)
	return w, loaded, err
}

func program(code string, change ...func(*worker.Program)) *worker.Program {
	p := &worker.Program{
		AccountID: "1", FunctionID: "fn", Version: 1, Contract: convoke.ContractV2, Format: "cjs",
		Code:      []byte(code + "\n;__convoke_lambda(typeof lambda === 'undefined' ? undefined : lambda)"),
		MemoryMiB: 128, ResultBytes: 1 << 20, LogEntries: 20, LogCharacters: 10_000,
		Environment: map[string]string{"COLOUR": "blue"},
	}
	for _, c := range change {
		c(p)
	}
	return p
}

func v1(p *worker.Program)  { p.Contract = convoke.ContractV1 }
func esm(p *worker.Program) { p.Format = "esm" }

func invoke(w *worker.Worker, payload string) (string, error) {
	return invokeWithin(w, payload, 20*time.Second)
}

func invokeWithin(w *worker.Worker, payload string, timeout time.Duration) (string, error) {
	r, err := w.Invoke(worker.Call{RequestID: "req-1", Input: []byte(`{"headers":[],"payload":` + payload + `}`), Timeout: timeout})
	return string(r.JSON), err
}
