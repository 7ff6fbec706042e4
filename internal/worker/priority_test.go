//go:build linux

package worker_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"convoke"
	"convoke/internal/worker"
)

// TestComputingGoesBehind: an account that computes without end runs behind its
// neighbour (policy 5, SCHED_IDLE), in every thread and in an instance started
// later, and comes back when it stops, where the server may do that.
func TestComputingGoesBehind(t *testing.T) { // not in parallel: it takes all processors
	b := setup(t)
	of := func(account string) func(*worker.Program) {
		return func(p *worker.Program) { p.AccountID = account }
	}
	const code = `async function lambda(input) {
		const until = Date.now() + input.payload;
		await null;
		while (Date.now() < until);
		return require('node:fs').readFileSync('/proc/self/stat', 'utf8').split(') ')[1].split(' ')[38] }`
	calm := b.start(t, code, of("calm"))
	if got, err := invoke(calm, "0"); got != `"0"` || err != nil {
		t.Fatalf("policy at the beginning: %s, %v", got, err)
	}
	var loops []*worker.Worker
	for range 2 {
		w := b.start(t, `async function lambda() { const { Worker } = require('node:worker_threads'); for (let i = 0; i < 2; i++) new Worker('while (true);', { eval: true }); return process.pid }`, of("loops"))
		if _, err := invoke(w, "1"); err != nil {
			t.Fatal(err)
		}
		loops = append(loops, w)
	}
	deadline := time.Now().Add(40 * time.Second)
	for late := ""; late != `"5"`; {
		if time.Now().After(deadline) {
			t.Fatalf("an instance of the account that computes has policy %s", late)
		}
		w := b.start(t, code, of("loops"))
		var err error
		if late, err = invoke(w, "0"); err != nil {
			t.Fatal(err)
		}
		w.Kill()
		<-w.Done()
	}
	if got, err := invoke(calm, "0"); got != `"0"` || err != nil {
		t.Errorf("policy of the neighbour: %s, %v", got, err)
	}
	// On a busy machine one that is behind gets little enough to come back now
	// and then; it must not stay.
	all := func(want int, w *worker.Worker) bool {
		return !slices.ContainsFunc(threads(t, w), func(policy int) bool { return policy != want })
	}
	for !all(5, loops[0]) {
		if time.Now().After(deadline) {
			t.Fatalf("the threads of the account that computes have policy %d", threads(t, loops[0]))
		}
	}

	for _, w := range loops {
		w.Kill()
		<-w.Done()
	}
	if os.Getuid() != 0 {
		t.Skip("NOT TESTED: the way back, which needs the right to raise a priority")
	}
	w := b.start(t, code, of("loops"))
	for !all(0, w) {
		if time.Now().After(deadline) {
			t.Fatalf("calm again, its threads have policy %d", threads(t, w))
		}
	}
}

// threads is the policy of each thread of the process that a worker is.
func threads(t *testing.T, w *worker.Worker) []int {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/task", w.PID())
	tasks, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []int
	for _, task := range tasks {
		stat, err := os.ReadFile(dir + "/" + task.Name() + "/stat")
		if err != nil {
			continue // ended meanwhile
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		policy, err := strconv.Atoi(strings.Fields(rest)[38])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, policy)
	}
	return out
}

// TestShortLivesCount: processes that live for a moment put their account
// behind like one that computes for long, and their bad ends keep it there for
// as long as it has neighbours. Those started for it then start there, on
// processors that the server leaves to them.
func TestShortLivesCount(t *testing.T) { // not in parallel: it takes all processors
	b := setup(t)
	of := func(account string) func(*worker.Program) {
		return func(p *worker.Program) { p.AccountID = account }
	}
	calm := b.start(t, `async function lambda() { return 1 }`, of("calm"))
	const moment = `async function lambda() { const until = Date.now() + 40; while (Date.now() < until); process.exit(1) }`
	var isBehind atomic.Bool
	var bombs sync.WaitGroup
	for range 2 * runtime.NumCPU() {
		bombs.Go(func() {
			for !isBehind.Load() && !t.Failed() {
				w, err := b.fleet.Start(t.Context(), convoke.DefaultRuntime, 64, "bombs")
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := w.Load(t.Context(), program(moment, of("bombs"))); err != nil {
					t.Error(err)
				}
				_, _ = invoke(w, "0")
				w.Kill()
				<-w.Done()
			}
		})
	}
	deadline := time.Now().Add(40 * time.Second)
	for b.fleet.Faults("bombs") < 2 { // it takes 4 s then to come back
		if time.Now().After(deadline) {
			t.Errorf("an account whose processes live for a moment: behind %v, %d faults", b.fleet.Behind("bombs"), b.fleet.Faults("bombs"))
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	isBehind.Store(true)
	bombs.Wait()
	if t.Failed() {
		return
	}
	w, err := b.fleet.Start(t.Context(), convoke.DefaultRuntime, 64, "bombs")
	if err != nil {
		t.Fatal(err)
	}
	if nice := niceness(t, w.PID()); nice != 19 && b.fleet.Behind("bombs") {
		t.Errorf("a process started for who is behind has niceness %d, want 19", nice)
	}
	if n := runtime.NumCPU(); n > 1 && b.fleet.Behind("bombs") {
		if behind := affinity(t, w.PID()); behind == n {
			t.Errorf("who is behind may run on all %d processors", n)
		}
	}
	if b.fleet.Behind("calm") {
		t.Error("the neighbour is behind too")
	}
	if got, err := invoke(calm, "0"); got != "1" || err != nil {
		t.Errorf("the neighbour answers %s, %v", got, err)
	}
	// Nobody is behind for ever, those without neighbours come back at once,
	// and then all have all processors again.
	calm.Kill()
	for b.fleet.Behind("bombs") || affinity(t, os.Getpid()) != runtime.NumCPU() || os.Getuid() == 0 && affinity(t, w.PID()) != runtime.NumCPU() {
		if time.Now().After(deadline) {
			t.Fatalf("calm again: behind %v, the server on %d processors, the worker on %d", b.fleet.Behind("bombs"), affinity(t, os.Getpid()), affinity(t, w.PID()))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func niceness(t *testing.T, pid int) int {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	nice, err := strconv.Atoi(strings.Fields(rest)[16])
	if err != nil {
		t.Fatal(err)
	}
	return nice
}

// affinity is on how many processors a process may run.
func affinity(t *testing.T, pid int) int {
	t.Helper()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(pid, &set); err != nil {
		t.Fatal(err)
	}
	return set.Count()
}
