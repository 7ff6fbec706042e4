// Package worker runs Node processes: it starts them, hands them a program,
// sends them invocations, listens to what they say, and explains their end.
// Which worker serves whom is not its business: that is package pool.
package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"convoke"
	"convoke/internal/sandbox"
	"convoke/runtime/node"
)

// Sink takes log entries. Append may block: that holds back the worker that
// wrote them, and no other.
type Sink interface {
	Append(entries ...convoke.LogEntry)
}

// Config of a Fleet. All members but Groups, Egress, OnExit and Logger are
// needed.
type Config struct {
	Runtimes map[string]Runtime
	// Dir is a folder of the server's own for the worker's JavaScript.
	Dir     string
	Sandbox sandbox.Sandbox
	Groups  *sandbox.Groups // may be nil: memory is then bounded by watching alone
	Sink    Sink
	// Egress is the functions' way out. Nil refuses every call.
	Egress Egress
	OnExit func(Exit) // called once per worker, must not block
	Logger *slog.Logger
}

const (
	startTimeout = 10 * time.Second
	// watchEvery is how often the memory of a busy worker is looked at.
	watchEvery = 50 * time.Millisecond
	// memorySlack is what a process needs beside the function's own memory.
	memorySlack = 48 << 20
	// groupSlack comes on top in a control group, which also counts the files
	// in /tmp and what the kernel keeps for the process.
	groupSlack = 32 << 20
)

// groupMemory is the bound of a worker's control group.
func groupMemory(memoryMiB int) int64 { return int64(memoryMiB)<<20 + memorySlack + groupSlack }

// Fleet starts workers and watches over the memory of all of them.
type Fleet struct {
	cfg   Config
	entry string
	// spawn runs functions on one thread that lives as long as the fleet:
	// the kernel kills a child when the thread that made it ends, and Go
	// ends threads as it likes.
	spawn chan func()

	shares  shares                 // of Run alone
	divider divider                // likewise
	ruling  atomic.Pointer[ruling] // of the last count
	bill    bill
	pace    pace

	mu      sync.Mutex
	workers map[*Worker]struct{}
	closed  bool
	gone    sync.WaitGroup
}

// NewFleet writes the worker's JavaScript to cfg.Dir and returns the fleet.
func NewFleet(cfg Config) (*Fleet, error) {
	if cfg.Sandbox == nil || cfg.Sink == nil || len(cfg.Runtimes) == 0 {
		return nil, errors.New("worker: Runtimes, Sandbox and Sink are needed")
	}
	if cfg.Egress == nil {
		cfg.Egress = noEgress{}
	}
	if cfg.OnExit == nil {
		cfg.OnExit = func(Exit) {}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, err
	}
	if err := writeFiles(dir); err != nil {
		return nil, fmt.Errorf("worker's JavaScript: %w", err)
	}
	f := &Fleet{cfg: cfg, entry: filepath.Join(dir, node.Entry), spawn: make(chan func()), workers: map[*Worker]struct{}{}}
	f.shares = shares{counted: time.Now(), idle: idleTime(), own: ownTime()}
	f.divider.all = processors()
	f.ruling.Store(&ruling{})
	go f.spawner()
	return f, nil
}

func writeFiles(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return fs.WalkDir(node.Files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := node.Files.ReadFile(path)
		if err != nil {
			return err
		}
		// By rename, so that a server starting on the same folder while
		// another runs never shows a half-written file to a starting worker.
		tmp := filepath.Join(dir, path+".new")
		if err := os.WriteFile(tmp, b, 0o644); err != nil {
			return err
		}
		return os.Rename(tmp, filepath.Join(dir, path))
	})
}

func (f *Fleet) spawner() {
	goruntime.LockOSThread()
	lowerPriority()
	for fn := range f.spawn {
		fn()
	}
}

// Confine gives workers that start from now on another sandbox, and reports
// whether it is of another level. Nothing may be starting.
func (f *Fleet) Confine(box sandbox.Sandbox) (changed bool) {
	changed = box.Level() != f.cfg.Sandbox.Level()
	f.cfg.Sandbox = box
	return changed
}

// Run watches memory and processor time until ctx ends, then kills what is left and returns when
// every process is gone.
func (f *Fleet) Run(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for round := 0; ; round++ {
		select {
		case <-ctx.Done():
			f.close()
			confine(os.Getpid(), f.divider.all) // who started it may go on
			return nil
		case <-tick.C:
			f.watch(round%20 == 0)
			if now := time.Now(); now.Sub(f.shares.counted) >= shareEvery {
				f.share(now)
			}
		}
	}
}

func (f *Fleet) close() {
	f.mu.Lock()
	f.closed = true
	left := make([]*Worker, 0, len(f.workers))
	for w := range f.workers {
		left = append(left, w)
	}
	f.mu.Unlock()
	for _, w := range left {
		w.Kill()
	}
	f.gone.Wait()
	close(f.spawn)
}

// watch kills workers over their memory limit: busy ones at every call, idle
// ones too when all is set.
func (f *Fleet) watch(all bool) {
	f.mu.Lock()
	look := make([]*Worker, 0, 16)
	for w := range f.workers {
		if all || w.busy() {
			look = append(look, w)
		}
	}
	f.mu.Unlock()
	for _, w := range look {
		limit := w.memoryLimit.Load()
		if used := w.Resident(); limit > 0 && used > limit+memorySlack {
			w.kill(ReasonMemory, fmt.Sprintf("%d MiB in use", used>>20))
		}
	}
}

// Start starts a blank worker on a runtime, with memoryMiB as the bound of
// its JavaScript heap, and returns once it is ready. What that takes of the
// processors counts as account's; "" is nobody's.
func (f *Fleet) Start(ctx context.Context, runtime string, memoryMiB int, account string) (*Worker, error) {
	rt, ok := f.cfg.Runtimes[runtime]
	if !ok {
		return nil, convoke.Errorf(convoke.CodeDeployFailed, "runtime %q is not installed on this server; `convoke runtimes` lists those that are", runtime)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()

	cmd := exec.Command(rt.Path,
		fmt.Sprintf("--max-old-space-size=%d", memoryMiB),
		"--experimental-vm-modules", "--disable-warning=ExperimentalWarning",
		"--v8-pool-size=1", // one helper thread: many processes share few cores
		f.entry)
	cmd.Env = []string{"TZ=UTC", "LANG=C.UTF-8", "HOME=/tmp", "TMPDIR=/tmp"}
	cmd.Dir = "/"
	cage, err := f.cfg.Sandbox.Wrap(cmd)
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	w := newWorker(f, rt.Name, account)
	if w.group, err = f.cfg.Groups.New(groupMemory(memoryMiB)); err != nil {
		cage.Release()
		return nil, err
	}
	w.group.Join(cmd)
	if err := f.begin(w, cmd, cage, memoryMiB); err != nil {
		return nil, fmt.Errorf("start worker: %w", err)
	}
	select {
	case <-w.ready:
		return w, nil
	case <-w.done:
		return nil, fmt.Errorf("%s ended before it was ready: %s", rt.Path, cmp.Or(strings.TrimSpace(w.output.tail()), w.exit.Detail))
	case <-ctx.Done():
		w.kill(ReasonStart, "not ready in time")
		return nil, fmt.Errorf("worker was not ready in time: %w", ctx.Err())
	}
}

// begin starts the process and its goroutines, unless the fleet is closing.
func (f *Fleet) begin(w *Worker, cmd *exec.Cmd, cage *sandbox.Cage, memoryMiB int) error {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		cage.Release()
		w.group.Remove()
		return convoke.Errorf(convoke.CodeUnavailable, "the server is shutting down")
	}
	f.gone.Add(1)
	f.mu.Unlock()

	w.memoryLimit.Store(int64(memoryMiB) << 20)
	started := make(chan error, 1)
	f.spawn <- func() { started <- w.start(cmd, cage) }
	if err := <-started; err != nil {
		w.group.Remove()
		f.gone.Done()
		return err
	}
	f.mu.Lock()
	f.workers[w] = struct{}{}
	closed := f.closed
	f.mu.Unlock()
	if closed {
		w.Kill()
	}
	select {
	case <-w.done: // it ended before it was listed
		f.unlist(w)
	default:
	}
	return nil
}

func (f *Fleet) forget(w *Worker) {
	f.unlist(w)
	f.gone.Done()
}

func (f *Fleet) unlist(w *Worker) {
	f.mu.Lock()
	delete(f.workers, w)
	f.mu.Unlock()
}
