//go:build linux

package worker_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"convoke"
	"convoke/internal/sandbox"
	"convoke/internal/worker"
)

// groups makes control groups in a folder of their own and returns both. It
// takes a hierarchy whose root already hands the controllers on: the host's
// arrangement is not a test's to change.
func groups(t *testing.T) (*sandbox.Groups, string) {
	t.Helper()
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		passed, err := os.ReadFile(filepath.Join(root, "cgroup.subtree_control"))
		if err != nil || !slices.Contains(strings.Fields(string(passed)), "memory") {
			continue
		}
		dir := filepath.Join(root, fmt.Sprintf("convoke-test-%d", os.Getpid()))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			continue
		}
		t.Cleanup(func() {
			for _, d := range []string{"workers", "server", ""} {
				if err := os.Remove(filepath.Join(dir, d)); err != nil && !os.IsNotExist(err) {
					t.Errorf("a control group is left: %v", err)
				}
			}
		})
		g, err := sandbox.OpenGroups(dir)
		if err != nil {
			t.Fatal(err)
		}
		return g, filepath.Join(dir, "workers")
	}
	t.Skip("NOT TESTED: this host has no cgroup v2 hierarchy with a memory controller that may be written to")
	return nil, ""
}

// TestGroups runs at every level, one after the other in one group.
func TestGroups(t *testing.T) {
	g, dir := groups(t)
	for _, level := range []sandbox.Level{sandbox.None, sandbox.Namespaces, sandbox.Landlock} {
		t.Run(string(level), func(t *testing.T) {
			// The kernel alone ends a worker that its group has no room for,
			// unless it finds pages of Node's own code to take away and read
			// again, over and over. Then the watchdog ends it: nothing grows
			// meanwhile.
			watched := level != sandbox.None
			b := grouped(t, level, g, watched)

			file := func(name string) string {
				found, _ := filepath.Glob(filepath.Join(dir, "*", name))
				if len(found) != 1 {
					t.Fatalf("groups: %q, want one", found)
				}
				text, err := os.ReadFile(found[0])
				if err != nil {
					t.Fatal(err)
				}
				return strings.TrimSpace(string(text))
			}
			w := b.start(t, `async function lambda() { const all = []; for (;;) all.push(Buffer.alloc(1 << 20, 1)) }`, memory(64))
			if got, want := file("memory.max"), fmt.Sprint((64+48+32)<<20); got != want {
				t.Errorf("memory.max is %s, want %s", got, want)
			}
			if got := file("memory.oom.group"); got != "1" {
				t.Errorf("memory.oom.group is %s", got)
			}
			if got := len(strings.Fields(file("cgroup.procs"))); got != 1 {
				t.Errorf("%d processes in the group, want 1", got)
			}
			if _, err := invokeWithin(w, "1", time.Minute); convoke.ErrorCode(err) != convoke.CodeLimitReached || !watched && !strings.Contains(err.Error(), "at its limit") {
				t.Errorf("a memory bomb: %v", err)
			}
			if e := w.Exit(); e.Reason != worker.ReasonMemory {
				t.Errorf("it ended with %+v", e)
			}

			w = b.start(t, `async function lambda() {
				const { Worker } = require('node:worker_threads');
				let running = 0;
				await Promise.all(Array.from({ length: 120 }, () => new Promise((next) => {
					try { new Worker('setInterval(() => {}, 1000)', { eval: true, resourceLimits: { maxOldGenerationSizeMb: 4 } }).on('online', () => { running++; next() }).on('error', next) } catch { next() }
				})));
				return running }`, memory(1024))
			if got, err := invokeWithin(w, "1", time.Minute); err != nil || got == "120" {
				t.Errorf("%s of 120 threads run, %v", got, err)
			}
			w.Kill()
			<-w.Done()
			if left, _ := filepath.Glob(filepath.Join(dir, "*", "cgroup.procs")); len(left) > 0 {
				t.Errorf("groups are left: %q", left)
			}
		})
	}
}

func memory(miB int) func(*worker.Program) {
	return func(p *worker.Program) { p.MemoryMiB = miB }
}

// grouped is a fleet with control groups, with or without its watchdog.
func grouped(t *testing.T, level sandbox.Level, g *sandbox.Groups, watched bool) *bench {
	t.Helper()
	runtimes, err := worker.FindRuntimes(t.Context(), filepath.Join("..", "..", "runtime", "node"))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	box, err := sandbox.New(level, sandbox.Config{Folder: folder})
	if err != nil {
		t.Skipf("NOT TESTED: this host does not have the level %s: %v", level, err)
	}
	s := &sink{changed: make(chan struct{})}
	f, err := worker.NewFleet(worker.Config{Runtimes: runtimes, Dir: folder, Sandbox: box, Groups: g, Sink: s})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	run := func() { _ = f.Run(ctx); close(done) }
	if watched {
		go run()
	}
	t.Cleanup(func() {
		cancel()
		if !watched {
			run() // ends what is left
		}
		<-done
	})
	return &bench{f, s}
}
