package pool

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"convoke"
)

func TestBlanksAreRefilled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 3, StartParallel: 2})
		if s := b.Stats(); s.Blanks != 3 || b.host.get(&b.host.most) != 2 {
			t.Fatalf("%d blanks, %d started at a time; want 3, 2", s.Blanks, b.host.get(&b.host.most))
		}
		l := b.acquire(b.target("1", "f"))
		if s := b.Stats(); s.Blanks != 2 {
			t.Errorf("%d blanks after one was used, want 2", s.Blanks)
		}
		time.Sleep(refillPause + 30*time.Millisecond)
		synctest.Wait()
		if s := b.Stats(); s.Blanks != 3 {
			t.Errorf("%d blanks after a refill, want 3", s.Blanks)
		}
		l.Release(1, 0)
	})
}

func TestRefillMakesWayForColdStarts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 1})
		b.host.set(func() { b.host.loadTime = 20 * time.Millisecond; b.host.most = 0 })
		first := b.request(t.Context(), b.target("1", "f"))
		time.Sleep(19 * time.Millisecond)
		if b.host.get(&b.host.most) != 0 {
			t.Error("a refill competes with a load")
		}
		<-first.done
		time.Sleep(refillPause - time.Millisecond)
		if b.host.get(&b.host.most) != 0 {
			t.Error("a refill competes with the first answer")
		}
		time.Sleep(2 * time.Millisecond)
		if b.host.get(&b.host.starting) != 1 {
			t.Errorf("%d refills after the load, want 1", b.host.get(&b.host.starting))
		}
		// A function that loads for long must not stop the refill.
		time.Sleep(time.Second)
		b.host.set(func() { b.host.loadTime = 5 * time.Second })
		slow := b.request(t.Context(), b.target("1", "slow"))
		b.request(t.Context(), b.target("1", "slow too")) // ends the first wait of the refill
		time.Sleep(time.Second)
		if s := b.Stats(); s.Blanks != 1 {
			t.Errorf("%d blanks beside a slow load, want 1", s.Blanks)
		}
		<-slow.done
		first.lease.Release(1, 0)
		slow.lease.Release(1, 0)
	})
}

func TestBlankClasses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 2, DefaultRuntime: "node26", BlankMemoryMiB: 256})
		start := func(runtime string, memory int) *fake {
			t.Helper()
			w, err := b.StartBlank(t.Context(), runtime, memory, "a")
			if err != nil {
				t.Fatal(err)
			}
			w.die()
			time.Sleep(100 * time.Millisecond)
			return w
		}
		for _, tc := range []struct {
			runtime string
			memory  int
			want    class
		}{
			{"", 0, class{"node26", 256}},
			{"node26", 128, class{"node26", 256}},
			{"node24", 128, class{"node24", 256}},
			{"node26", 512, class{"node26", 512}},
		} {
			if got := start(tc.runtime, tc.memory).class; got != tc.want {
				t.Errorf("StartBlank(%q, %d) is of class %v, want %v", tc.runtime, tc.memory, got, tc.want)
			}
		}
		if s := b.Stats(); s.Blanks != 4 {
			t.Errorf("%d blanks, want 2 and 1 of each class that was asked for", s.Blanks)
		}
		for n := range 20 {
			start("node26", 1024+n)
		}
		if s := b.Stats(); s.Blanks != 2+maxShelves-1 {
			t.Errorf("%d blanks of many classes, want at most %d", s.Blanks, 2+maxShelves-1)
		}
		time.Sleep(shelfLife + 10*time.Second)
		if s := b.Stats(); s.Blanks != 2 || b.host.aliveWith("") != 2 {
			t.Errorf("%d blanks and %d processes after %v, want the default ones", s.Blanks, b.host.aliveWith(""), shelfLife)
		}
	})
}

func TestBlanksThatDoNotStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 1})
		b.host.set(func() { b.host.startErr = errors.New("no more processes") })
		w, err := b.StartBlank(t.Context(), "", 0, "a")
		if err != nil {
			t.Fatal(err)
		}
		w.die()
		time.Sleep(time.Minute)
		b.mu.Lock()
		f := b.shelves[b.classOf("", 0)].failures
		b.mu.Unlock()
		if f < 5 || f > 20 {
			t.Errorf("%d attempts in a minute, want a few", f)
		}
		b.host.set(func() { b.host.startErr = nil })
		time.Sleep(maxBackOff + sweepEvery)
		synctest.Wait()
		if s := b.Stats(); s.Blanks != 1 {
			t.Error("the shelf was not refilled after the trouble was over")
		}
	})
}

func TestDeadBlankIsReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 2})
		b.mu.Lock()
		b.shelves[b.classOf("", 0)].ready[0].worker.die()
		b.mu.Unlock()
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if s := b.Stats(); s.Blanks != 2 || b.host.living() != 2 {
			t.Errorf("%d blanks on the shelf, %d processes; want 2", s.Blanks, b.host.living())
		}
	})
}

func TestRuntimeOfTarget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 1})
		f := b.target("1", "f", func(s *convoke.Settings) { s.MemoryMiB = 512 })
		f.Runtime = "node24"
		l := b.acquire(f)
		if want := (class{"node24", 512}); l.Worker.class != want || l.ColdStart != 33*time.Millisecond {
			t.Errorf("got %v in %v, want %v started for it", l.Worker.class, l.ColdStart, want)
		}
		l.Release(1, 0)
	})
}

// TestPlacesAreKeptFree: a cold start on a node full of idle instances does
// not wait for the end of another's process.
func TestPlacesAreKeptFree(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 2, MaxInstances: 16})
		b.host.set(func() { b.host.closeTime = 200 * time.Millisecond })
		for n := range 40 {
			l := b.acquire(b.target("1", string(rune('A'+n))))
			if l.ColdStart > 10*time.Millisecond {
				t.Errorf("function %d started in %v: it waited for another to end", n, l.ColdStart)
			}
			l.Release(time.Millisecond, 0)
			time.Sleep(time.Second)
			b.check()
		}
		if s := b.Stats(); s.Places != 14 || s.Idle != 14 {
			t.Errorf("%d places taken, %d idle; want 14 of 16", s.Places, s.Idle)
		}
	})
}
