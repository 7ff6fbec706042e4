package worker

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestPace: a flood of one account among several takes as long as its rate
// says, and holds nobody else back.
func TestPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var p pace
		log := func(account string, n int) time.Duration {
			start := time.Now()
			for range n {
				p.wait(account)
			}
			return time.Since(start).Round(10 * time.Millisecond)
		}
		two := map[string]time.Duration{"a": 0, "b": 0}
		if d := log("a", 10*logBurst*logRate); d != 0 {
			t.Errorf("before anything was counted it took %s", d)
		}
		p.share(map[string]time.Duration{"a": 0}, nil)
		if d := log("a", 10*logBurst*logRate); d != 0 {
			t.Errorf("alone on the machine it took %s", d)
		}
		p.share(two, nil)
		if d := log("a", (logBurst+3)*logRate); d != 3*time.Second {
			t.Errorf("a flood took %s, want 3s", d)
		}
		p.share(two, nil) // the next count forgets nothing
		if d := log("a", logRate); d != time.Second {
			t.Errorf("the flood went on in %s, want 1s", d)
		}
		if d := log("b", logBurst*logRate); d != 0 {
			t.Errorf("the neighbour waited %s", d)
		}
		if held := p.collect(); !held["a"] || held["b"] {
			t.Errorf("held back: %v, want a alone", held)
		}
		p.share(two, map[string]standing{"a": {}})
		if d := log("a", 3*behindRate); d < 2900*time.Millisecond || d > 3100*time.Millisecond {
			t.Errorf("behind it took %s, want 3s", d)
		}
		p.share(map[string]time.Duration{"a": 0}, nil)
		if d := log("a", 10*logBurst*logRate); d != 0 {
			t.Errorf("alone again it took %s", d)
		}
	})
}
