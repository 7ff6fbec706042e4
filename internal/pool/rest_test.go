package pool

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestRest ends what an account has, lets what runs come to its end, leaves
// others alone, and is no end: what is asked for later starts again.
func TestRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 1, MaxInstances: 9})
		kept := b.target("1", "kept", minInstances(2))
		b.Keep(kept)
		idle, busy, other := b.acquire(b.target("1", "idle")), b.acquire(b.target("1", "busy")), b.acquire(b.target("2", "other"))
		idle.Release(1, 0)
		other.Release(1, 0)
		time.Sleep(time.Second)
		b.Rest("1")
		time.Sleep(time.Second)
		if s := b.Stats(); len(s.Targets) != 2 || s.Busy+s.Draining != 1 {
			t.Errorf("targets %+v, want the busy one and the other account's", s.Targets)
		}
		if !isGone(idle.Worker) || isGone(busy.Worker) || isGone(other.Worker) {
			t.Errorf("gone: idle %v, busy %v, other's %v; want the idle one only", isGone(idle.Worker), isGone(busy.Worker), isGone(other.Worker))
		}
		busy.Release(1, 0)
		time.Sleep(time.Minute)
		if !isGone(busy.Worker) {
			t.Error("the busy instance outlived its lease")
		}
		b.Keep(kept)
		time.Sleep(time.Second)
		if l := b.acquire(kept); l.Cold {
			t.Error("nothing is kept warm after Rest and Keep")
		} else {
			l.Release(1, 0)
		}
	})
}
