//go:build linux

package worker_test

import (
	"fmt"
	"testing"
	"time"

	"convoke/internal/worker"
)

// TestWatchdogIsQuick: a function that grows by no more than 1 MiB in a
// millisecond is ended before it is 100 ms' worth beyond its bound. That it
// is slower on a busy machine does not matter: it is paced by its own clock,
// and it is bytes that count.
func TestWatchdogIsQuick(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := b.start(t, `async function lambda() {
		const all = [];
		for (let from = performance.now(); ;) {
			all.push(Buffer.alloc(1 << 20, 1));
			while (performance.now() < from + 1); // never more at a time to catch up
			from = performance.now();
		}
	}`, memory(64))
	if _, err := invoke(w, "1"); err == nil {
		t.Fatal("it went on for ever")
	}
	e := w.Exit()
	var used int
	if _, err := fmt.Sscanf(e.Detail, "%d MiB in use", &used); e.Reason != worker.ReasonMemory || err != nil {
		t.Fatalf("it ended with %+v", e)
	}
	const bound = 64 + 48 // with what a process needs beside the function
	if used > bound+100 {
		t.Errorf("ended with %d MiB in use, %d beyond the bound", used, used-bound)
	}
	t.Logf("ended %d MiB beyond the bound, after %s", used-bound, e.Lived.Round(time.Millisecond))
}
