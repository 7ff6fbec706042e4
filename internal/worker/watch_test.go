//go:build linux

package worker_test

import (
	"fmt"
	"strconv"
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

// TestOutputIsHeldBack: who writes more to standard output than anybody will
// see waits, with and without line ends, and is still ended and explained.
func TestOutputIsHeldBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, text := range map[string]string{"lines": `'flood\n'.repeat(10000)`, "no lines": `'flood '.repeat(10000)`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := b.start(t, `async function lambda() { const text = `+text+`, until = Date.now() + 1500; let n = 0; while (Date.now() < until) { try { n += require('node:fs').writeSync(1, text) } catch (e) { if (e.code !== 'EAGAIN') throw e } } return n }`)
			got, err := invoke(w, "1")
			n, _ := strconv.Atoi(got)
			if most := 3 * (5 << 20); err != nil || n == 0 || n > most {
				t.Errorf("%s bytes in 1.5 s, %v; want at most %d", got, err, most)
			}
			bomb := b.start(t, `async function lambda() { for (let i = 0; i < 100; i++) require('node:fs').writeSync(2, `+text+`); process.abort() }`)
			if _, err := invoke(bomb, "1"); err == nil {
				t.Error("it went on for ever")
			}
			if e := bomb.Exit(); e.Reason != worker.ReasonCrash {
				t.Errorf("it ended with %+v", e)
			}
		})
	}
}
