//go:build linux

package worker_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"convoke/internal/worker"
)

// TestComputingGoesBehind: an account that computes without end has a lower
// priority than its neighbour, in every thread and in an instance started
// later, and gets the old one back when it stops, where the server may do that.
func TestComputingGoesBehind(t *testing.T) { // not in parallel: it takes all processors
	b := setup(t)
	of := func(account string) func(*worker.Program) {
		return func(p *worker.Program) { p.AccountID = account }
	}
	const code = `async function lambda(input) {
		const until = Date.now() + input.payload;
		await null;
		while (Date.now() < until);
		return require('node:fs').readFileSync('/proc/self/stat', 'utf8').split(') ')[1].split(' ')[16] }`
	calm := b.start(t, code, of("calm"))
	if got, err := invoke(calm, "0"); got != `"5"` || err != nil {
		t.Fatalf("niceness at the beginning: %s, %v", got, err)
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
	for late := ""; late != `"19"`; {
		if time.Now().After(deadline) {
			t.Fatalf("an instance of the account that computes has niceness %s", late)
		}
		w := b.start(t, code, of("loops"))
		var err error
		if late, err = invoke(w, "0"); err != nil {
			t.Fatal(err)
		}
		w.Kill()
		<-w.Done()
	}
	if got, err := invoke(calm, "0"); got != `"5"` || err != nil {
		t.Errorf("niceness of the neighbour: %s, %v", got, err)
	}
	// On a busy machine one that is behind gets little enough to come back now
	// and then; it must not stay.
	all := func(want int, w *worker.Worker) bool {
		return !slices.ContainsFunc(threads(t, w), func(nice int) bool { return nice != want })
	}
	for !all(19, loops[0]) {
		if time.Now().After(deadline) {
			t.Fatalf("the threads of the account that computes have niceness %d", threads(t, loops[0]))
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
	for !all(5, w) {
		if time.Now().After(deadline) {
			t.Fatalf("calm again, its threads have niceness %d", threads(t, w))
		}
	}
}

// threads is the niceness of each thread of the process that a worker is.
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
		nice, err := strconv.Atoi(strings.Fields(rest)[16])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, nice)
	}
	return out
}
