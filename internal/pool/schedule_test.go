package pool

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"convoke"
)

func TestEvictsLeastRecentlyUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 1, MaxInstances: 3})
		b.host.set(func() { b.host.closeTime = 20 * time.Millisecond })
		workers := map[string]*fake{}
		for _, key := range []string{"a", "b", "c", "a"} {
			time.Sleep(time.Second)
			l := b.acquire(b.target("1", key))
			workers[key] = l.Worker
			l.Release(1, 0)
		}
		time.Sleep(time.Second)
		l := b.acquire(b.target("1", "d"))
		if !isGone(workers["b"]) || isGone(workers["a"]) || isGone(workers["c"]) {
			t.Errorf("gone: a %v, b %v, c %v; want b only", isGone(workers["a"]), isGone(workers["b"]), isGone(workers["c"]))
		}
		if l.ColdStart != 23*time.Millisecond {
			t.Errorf("cold start took %v, want 20ms for b to go and 3ms to load", l.ColdStart)
		}
		if b.host.get(&b.host.mostAlive) > 3 {
			t.Errorf("%d instances at the same time, want 3 at most", b.host.get(&b.host.mostAlive))
		}
		l.Release(1, 0)
	})
}

func TestEvictsMinInstancesLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 1, MaxInstances: 2})
		kept := b.target("1", "kept", minInstances(1))
		b.Keep(kept)
		time.Sleep(time.Second)
		b.acquire(b.target("1", "f")).Release(1, 0)
		g := b.acquire(b.target("1", "g"))
		if s := b.Stats(); len(s.Targets) != 2 || s.Targets[1].Key != "kept" || s.Targets[1].Idle != 1 {
			t.Fatalf("got %+v, want the kept instance spared", s.Targets)
		}
		h := b.acquire(b.target("1", "h")) // nothing else is idle
		time.Sleep(10 * time.Second)
		if s := b.Stats(); s.Busy != 2 {
			t.Errorf("%d busy instances, want 2", s.Busy)
		}
		g.Release(1, 0)
		time.Sleep(2 * time.Second)
		if s := b.Stats(); s.Targets[len(s.Targets)-1].Idle != 0 {
			t.Error("a kept instance evicted another to come back")
		}
		b.Retire("g")
		time.Sleep(2 * time.Second)
		if l := b.acquire(kept); l.Cold {
			t.Error("the kept instance did not come back when there was room")
		} else {
			l.Release(1, 0)
		}
		h.Release(1, 0)
	})
}

func TestWaitsWhenNothingIsIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 1, MaxInstances: 1})
		l := b.acquire(b.target("1", "f"))
		r := b.request(t.Context(), b.target("1", "g"))
		time.Sleep(time.Second)
		if s := b.Stats(); r.isDone() || s.Starved != 1 {
			t.Fatalf("done %v, %d starved; want one that waits", r.isDone(), s.Starved)
		}
		l.Release(1, 0)
		<-r.done
		if r.err != nil || r.lease.Wait != time.Second || r.lease.ColdStart != 5*time.Millisecond {
			t.Fatalf("waited %v, cold start %v, error %v; want 1s and 5ms", r.lease.Wait, r.lease.ColdStart, r.err)
		}
		r.lease.Release(1, 0)
	})
}

func TestAccountBound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 1, MaxInstances: 4, MaxInstancesPerAccount: 2})
		other := b.acquire(b.target("2", "x"))
		other.Release(1, 0)
		time.Sleep(time.Second)
		one, two := b.acquire(b.target("1", "f")), b.acquire(b.target("1", "g"))
		r := b.request(t.Context(), b.target("1", "h"))
		time.Sleep(time.Second)
		if r.isDone() || isGone(other.Worker) {
			t.Fatalf("done %v; evicted another account's: %v", r.isDone(), isGone(other.Worker))
		}
		// It must not stand in the way of others.
		if l := b.acquire(b.target("2", "y")); l.Wait != 0 {
			t.Errorf("another account waited %v behind one at its bound", l.Wait)
		} else {
			l.Release(1, 0)
		}
		two.Release(1, 0)
		<-r.done
		if r.err != nil {
			t.Fatal(r.err)
		}
		one.Release(1, 0)
		r.lease.Release(1, 0)
	})
}

// TestAccountsOwnBound: an account can have a bound of its own within that of
// all, others keep theirs, and with a bound that small an idle instance is not
// ended to keep a place free.
func TestAccountsOwnBound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var own atomic.Int64
		own.Store(1)
		b := setup(t, Config[*fake]{Blanks: 2, MaxInstances: 32, MaxInstancesPerAccount: 2, InstancesOf: func(account string) int {
			if account == "1" {
				return int(own.Load())
			}
			return 0
		}})
		one := b.acquire(b.target("1", "f"))
		if places, waiters := b.Account("1"); places != 1 || waiters != 0 {
			t.Errorf("account 1 has %d places and %d waiters", places, waiters)
		}
		r := b.request(t.Context(), b.target("1", "g"))
		x, y := b.acquire(b.target("2", "x")), b.acquire(b.target("2", "y"))
		time.Sleep(time.Second)
		if r.isDone() {
			t.Fatal("a second instance was started beyond the bound")
		}
		if _, waiters := b.Account("1"); waiters != 1 {
			t.Errorf("%d waiters, want 1", waiters)
		}
		one.Release(1, 0)
		<-r.done
		if r.err != nil || !isGone(one.Worker) {
			t.Fatalf("error %v; the first is gone: %v", r.err, isGone(one.Worker))
		}
		kept := r.lease.Worker
		r.lease.Release(1, 0)
		time.Sleep(10 * time.Second)
		if isGone(kept) {
			t.Error("the account's one instance was ended although nobody needs its place")
		}
		own.Store(9) // beyond that of all
		a, c := b.acquire(b.target("1", "g")), b.acquire(b.target("1", "h"))
		r = b.request(t.Context(), b.target("1", "i"))
		time.Sleep(time.Second)
		if r.isDone() {
			t.Error("a third instance was started beyond the bound of all")
		}
		for _, l := range []*Lease[*fake]{x, y, a, c} {
			l.Release(1, 0)
		}
		<-r.done
		r.lease.Release(1, 0)
	})
}

// load keeps n requests of t under way, each for run, and counts those served.
func (b *bench) load(ctx context.Context, t *Target[*fake], n int, run time.Duration) *atomic.Int64 {
	served := new(atomic.Int64)
	for range n {
		go func() {
			for ctx.Err() == nil {
				l, err := b.Acquire(ctx, t)
				if err != nil {
					continue
				}
				time.Sleep(run)
				l.Release(run, 0)
				served.Add(1)
			}
		}()
	}
	return served
}

func TestFairShares(t *testing.T) {
	t.Parallel()
	concurrent := func(s *convoke.Settings) { s.Concurrency = 4 }
	for name, tc := range map[string]struct {
		places  int
		targets []func(b *bench) *Target[*fake] // the first is there before the others
		seconds time.Duration
		atLeast int64 // what each of the others must get done
	}{
		"a late account gets half the node": {
			places: 4, seconds: 20, atLeast: 380,
			targets: []func(b *bench) *Target[*fake]{
				func(b *bench) *Target[*fake] { return b.target("1", "f") },
				func(b *bench) *Target[*fake] { return b.target("2", "g") },
			},
		},
		"slots that overlap all the time": {
			places: 4, seconds: 20, atLeast: 600,
			targets: []func(b *bench) *Target[*fake]{
				func(b *bench) *Target[*fake] { return b.target("1", "f", concurrent) },
				func(b *bench) *Target[*fake] { return b.target("2", "g", concurrent) },
			},
		},
		"more accounts than places": {
			places: 1, seconds: 30, atLeast: 70,
			targets: []func(b *bench) *Target[*fake]{
				func(b *bench) *Target[*fake] { return b.target("1", "f") },
				func(b *bench) *Target[*fake] { return b.target("2", "g") },
				func(b *bench) *Target[*fake] { return b.target("3", "h") },
			},
		},
		"accounts with several functions": {
			places: 1, seconds: 30, atLeast: 30,
			targets: []func(b *bench) *Target[*fake]{
				func(b *bench) *Target[*fake] { return b.target("1", "f") },
				func(b *bench) *Target[*fake] { return b.target("1", "ff") },
				func(b *bench) *Target[*fake] { return b.target("2", "g") },
				func(b *bench) *Target[*fake] { return b.target("2", "gg") },
				func(b *bench) *Target[*fake] { return b.target("3", "h") },
			},
		},
		"functions of one account": {
			places: 2, seconds: 30, atLeast: 100,
			targets: []func(b *bench) *Target[*fake]{
				func(b *bench) *Target[*fake] { return b.target("1", "f") },
				func(b *bench) *Target[*fake] { return b.target("1", "g") },
				func(b *bench) *Target[*fake] { return b.target("1", "h") },
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, Config[*fake]{Blanks: 1, MaxInstances: tc.places})
				ctx, cancel := context.WithCancel(t.Context())
				var served []*atomic.Int64
				for _, target := range tc.targets {
					served = append(served, b.load(ctx, target(b), 40, 100*time.Millisecond))
					time.Sleep(time.Second)
				}
				time.Sleep(tc.seconds * time.Second)
				synctest.Wait()
				b.check()
				cancel()
				time.Sleep(time.Second)
				for n, got := range served {
					if got.Load() < tc.atLeast {
						t.Errorf("target %d got %d requests done, want at least %d", n, got.Load(), tc.atLeast)
					}
				}
				if b.host.get(&b.host.loads) > int(tc.seconds)*10 {
					t.Errorf("%d instances were started to share: thrashing", b.host.get(&b.host.loads))
				}
			})
		})
	}
}

func TestMemoryBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 1, MemoryMiB: 100, InstanceMiB: 30})
		one := b.acquire(b.target("1", "f"))
		two := b.acquire(b.target("1", "g"))
		three := b.acquire(b.target("1", "h"))
		r := b.request(t.Context(), b.target("1", "i"))
		if r.isDone() {
			t.Fatal("a fourth instance exceeds the budget")
		}
		one.Worker.setResident(10 << 20) // measured, it fits
		<-r.done
		if r.took > sweepEvery {
			t.Errorf("took %v, want it with the next measuring", r.took)
		}
		if s := b.Stats(); s.MemoryBytes != 100<<20 {
			t.Errorf("%d MiB in use, want 100", s.MemoryBytes>>20)
		}
		// Growth beyond the budget costs the idle ones, oldest first.
		r.lease.Release(1, 0)
		time.Sleep(time.Second)
		three.Release(1, 0)
		b.host.set(func() { b.host.closeTime = 10 * time.Second })
		two.Worker.setResident(40 << 20)
		time.Sleep(3 * sweepEvery) // the oldest is still on its way out
		if !r.lease.Worker.wasClosed() || three.Worker.wasClosed() {
			t.Errorf("closed: oldest %v, newest %v; want the oldest only", r.lease.Worker.wasClosed(), three.Worker.wasClosed())
		}
		one.Release(1, 0)
		two.Release(1, 0)
	})
}

func TestMemoryOfSeveralMakesRoomForOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 1, MemoryMiB: 100, InstanceMiB: 60})
		b.host.set(func() { b.host.closeTime = 5 * time.Second })
		small, big := b.target("1", "small"), b.target("1", "big")
		one := b.acquire(small)
		one.Worker.setResident(20 << 20)
		time.Sleep(sweepEvery)
		two := b.acquire(big)
		two.Worker.setResident(70 << 20)
		time.Sleep(sweepEvery)
		one.Release(1, 0)
		r := b.request(t.Context(), b.target("1", "f"))
		// The small one goes, which is not enough; it holds its memory until it is gone.
		if s := b.Stats(); !one.Worker.wasClosed() || s.Places != 2 || s.MemoryBytes != 90<<20 {
			t.Errorf("closed %v, %d places, %d MiB", one.Worker.wasClosed(), s.Places, s.MemoryBytes>>20)
		}
		time.Sleep(10 * time.Second)
		if s := b.Stats(); r.isDone() || s.Places != 1 {
			t.Fatalf("done %v, %d places; want it to wait for the big one", r.isDone(), s.Places)
		}
		two.Release(1, 0)
		<-r.done
		if r.err != nil {
			t.Fatal(r.err)
		}
		r.lease.Release(1, 0)
	})
}

func TestPressureEvictsIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var pressed atomic.Bool
		b := setup(t, Config[*fake]{Blanks: 1, Pressure: pressed.Load})
		b.Keep(b.target("1", "kept", minInstances(1)))
		busy := b.acquire(b.target("1", "busy"))
		var leases []*Lease[*fake]
		for range 6 {
			leases = append(leases, b.acquire(b.target("1", "f")))
		}
		for _, l := range leases {
			l.Release(1, 0)
		}
		pressed.Store(true)
		time.Sleep(sweepEvery)
		if s := b.Stats(); s.Idle != 5 {
			t.Errorf("%d idle after one second of pressure, want 5 of 7", s.Idle)
		}
		time.Sleep(10 * sweepEvery)
		if s := b.Stats(); s.Idle != 1 || s.Busy != 1 {
			t.Errorf("%d idle, %d busy; want the kept and the busy one", s.Idle, s.Busy)
		}
		busy.Release(1, 0)
	})
}
