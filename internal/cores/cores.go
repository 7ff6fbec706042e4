// Package cores decides on how many processors the server's own code runs, on
// machines that have two.
//
// A Go program on two processors wakes a second thread each time the first
// finds something to do, which looks for more and goes to sleep again. Where
// the other processor belongs to the functions and a request is answered in
// two such steps, that is a quarter of a request's time and a third of the
// server's processor time (docs/adr/0025-cores.md). So the server runs on one while it
// only passes invocations on, which it does in small steps, and on both during
// everything that would hold the one up: see Busy. With one processor there is
// nothing to decide, and with more than two nothing was measured: the runtime's
// own choice stays.
package cores

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// linger is how long both processors stay after the last work that needed
	// them: a change stops everything for some tens of microseconds.
	linger = 20 * time.Millisecond
	// lookEvery is how often it is looked whether something holds up the one
	// processor that nobody announced, late what small steps do not cause, and
	// holdAfter how long both processors stay when that happened.
	lookEvery = 50 * time.Millisecond
	late      = 5 * time.Millisecond
	holdAfter = 2 * time.Second
)

var (
	governed atomic.Bool

	mu      sync.Mutex // of what follows, and of changes of GOMAXPROCS
	both    bool
	busy    int       // works that need both processors
	until   time.Time // both stay at least until then
	settler *time.Timer
)

// Govern lets the process run on one of its two processors as described at the
// package, until ctx ends; elsewhere it returns at once. Others who set
// GOMAXPROCS, or a second Govern in the same process, would be in its way.
func Govern(ctx context.Context) {
	if runtime.GOMAXPROCS(0) != 2 {
		return
	}
	mu.Lock()
	settler = time.AfterFunc(time.Hour, settle)
	both = true
	governed.Store(true)
	apply()
	mu.Unlock()

	w := watch{last: time.Now()}
	timer := time.NewTimer(lookEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			mu.Lock()
			defer mu.Unlock()
			governed.Store(false)
			settler.Stop()
			set(true)
			busy, until = 0, time.Time{}
			return
		case <-timer.C:
			if w.heldUp(time.Now()) {
				hold(holdAfter)
			}
			timer.Reset(lookEvery)
		}
	}
}

// Busy says that something begins which would hold up a processor for longer
// than passing an invocation on: a system call that waits for a disk or makes
// a process, or milliseconds of computing. It has ended when the returned
// function is called, which must happen exactly once.
func Busy() (done func()) {
	if !governed.Load() {
		return nothing
	}
	mu.Lock()
	defer mu.Unlock()
	if !governed.Load() {
		return nothing
	}
	busy++
	apply()
	return rest
}

func nothing() {}

func rest() {
	mu.Lock()
	defer mu.Unlock()
	if busy > 0 { // else Govern ended meanwhile
		busy--
	}
	extend(linger)
}

func hold(d time.Duration) {
	mu.Lock()
	defer mu.Unlock()
	extend(d)
}

// extend keeps both processors for d more, and looks again then.
func extend(d time.Duration) {
	if !governed.Load() {
		return
	}
	if t := time.Now().Add(d); t.After(until) {
		until = t
	}
	apply()
	if busy == 0 {
		settler.Reset(time.Until(until))
	}
}

func settle() {
	mu.Lock()
	defer mu.Unlock()
	if governed.Load() {
		apply()
	}
}

func apply() { set(busy > 0 || time.Now().Before(until)) }

func set(want bool) {
	if want == both {
		return
	}
	both = want
	if both {
		runtime.GOMAXPROCS(2)
	} else {
		runtime.GOMAXPROCS(1)
	}
}

// watch sees from its own wakings whether something holds up the one processor:
// the runtime takes it from who computes after 10 ms only, and by then a timer
// of lookEvery is late.
type watch struct {
	last time.Time
	late int // wakings in a row
}

// heldUp reports whether this waking and the one before were late. One alone
// can be the machine's doing.
func (w *watch) heldUp(now time.Time) bool {
	over := now.Sub(w.last) - lookEvery
	w.last = now
	if over < late {
		w.late = 0
		return false
	}
	w.late++
	return w.late > 1
}
