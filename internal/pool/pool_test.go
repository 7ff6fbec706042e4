package pool

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"convoke"
)

func TestColdThenWarm(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		blanks int
		cold   time.Duration
	}{
		"with a blank worker": {blanks: 1, cold: 3 * time.Millisecond},
		"without":             {blanks: 0, cold: 33 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, Config[*fake]{Blanks: tc.blanks})
				f := b.target("1", "f")
				l := b.acquire(f)
				if !l.Cold || l.ColdStart != tc.cold || l.Wait != 0 {
					t.Errorf("first lease: cold %v in %v after %v, want a cold start of %v", l.Cold, l.ColdStart, l.Wait, tc.cold)
				}
				first := l.Worker
				l.Release(time.Millisecond, 0)
				l = b.acquire(f)
				if l.Cold || l.Wait != 0 || l.Worker != first {
					t.Errorf("second lease: cold %v, wait %v, worker %d; want worker %d at once", l.Cold, l.Wait, l.Worker.id, first.id)
				}
				l.Release(time.Millisecond, 0)
			})
		})
	}
}

func TestLeastBusyThenLastUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 2})
		f := b.target("1", "f", concurrency(2))
		var leases []*Lease[*fake]
		for range 4 {
			leases = append(leases, b.acquire(f))
		}
		one, two := leases[0], leases[2]
		if leases[1].Worker != one.Worker || leases[3].Worker != two.Worker || one.Worker == two.Worker {
			t.Fatalf("two slots each of two workers, got %d %d %d %d", one.Worker.id, leases[1].Worker.id, two.Worker.id, leases[3].Worker.id)
		}
		// one: 0 leases, two: 1 lease.
		leases[0].Release(1, 0)
		leases[1].Release(1, 0)
		leases[2].Release(1, 0)
		l := b.acquire(f)
		if l.Worker != one.Worker {
			t.Errorf("got worker %d, want the least busy %d", l.Worker.id, one.Worker.id)
		}
		// Equally idle: the one used last.
		leases[3].Release(1, 0)
		l.Release(1, 0)
		if l = b.acquire(f); l.Worker != one.Worker {
			t.Errorf("got worker %d, want the last used %d", l.Worker.id, one.Worker.id)
		}
		l.Release(1, 0)
	})
}

func TestLeaseEndsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 1})
		f := b.target("1", "f", concurrency(2))
		one, two := b.acquire(f), b.acquire(f)
		one.Release(1, 0)
		one.Release(1, 0)
		one.Discard()
		b.check()
		if s := b.Stats(); s.Leases != 1 || s.Busy != 1 {
			t.Errorf("%d leases on %d busy instances, want 1 on 1", s.Leases, s.Busy)
		}
		one = b.acquire(f)
		one.Discard()
		one.Discard()
		b.check()
		if s := b.Stats(); s.Leases != 1 || isGone(two.Worker) {
			t.Errorf("%d leases, worker gone %v; want the other lease untouched", s.Leases, isGone(two.Worker))
		}
		two.Release(1, 0)
	})
}

func TestWaitOrStart(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		run    time.Duration // of past invocations; 0 is no past
		busy   time.Duration // of the one under way
		cold   bool
		waited time.Duration
	}{
		"no history: start":                         {run: 0, busy: time.Second, cold: true, waited: 33 * time.Millisecond},
		"short runs: wait":                          {run: 2 * time.Millisecond, busy: 2 * time.Millisecond, waited: 2 * time.Millisecond},
		"long runs: start":                          {run: time.Second, busy: time.Second, cold: true, waited: 33 * time.Millisecond},
		"short runs but this one: patience is 33ms": {run: 2 * time.Millisecond, busy: time.Second, cold: true, waited: 66 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, Config[*fake]{})
				// So that the start is expected to take what it takes.
				b.mu.Lock()
				b.spawnTime, b.loadTime = 30*time.Millisecond, 3*time.Millisecond
				b.mu.Unlock()
				f := b.target("1", "f")
				l := b.acquire(f)
				l.Release(tc.run, 0)
				l = b.acquire(f)
				r := b.request(t.Context(), f)
				time.Sleep(tc.busy)
				l.Release(tc.run, 0)
				<-r.done
				if r.err != nil || r.lease.Cold != tc.cold || r.took != tc.waited {
					t.Fatalf("cold %v after %v, error %v; want cold %v after %v", r.lease.Cold, r.took, r.err, tc.cold, tc.waited)
				}
				r.lease.Release(1, 0)
			})
		})
	}
}

func TestWaitersAreServedInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 1})
		f := b.target("1", "f", maxInstances(1))
		l := b.acquire(f)
		var waiting []*request
		for range 5 {
			waiting = append(waiting, b.request(t.Context(), f))
			time.Sleep(time.Millisecond)
		}
		for n, r := range waiting {
			l.Release(time.Millisecond, 0)
			synctest.Wait()
			b.check()
			for m, other := range waiting[n:] {
				if got := other.isDone(); got != (m == 0) {
					t.Fatalf("after release %d waiter %d is served: %v", n, n+m, got)
				}
			}
			l = r.lease
		}
		l.Release(time.Millisecond, 0)
	})
}

func TestStartedInstanceServesTheOldest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{})
		b.mu.Lock()
		b.spawnTime, b.loadTime = 30*time.Millisecond, 3*time.Millisecond
		b.mu.Unlock()
		f := b.target("1", "f")
		l := b.acquire(f)
		l.Release(10*time.Millisecond, 0)
		l = b.acquire(f)
		// The first three expect less than a start and wait; the fourth starts.
		patient := b.request(t.Context(), f)
		b.request(t.Context(), f)
		b.request(t.Context(), f)
		if s := b.Stats(); s.Starting != 0 {
			t.Fatalf("%d starts for those who wait, want 0", s.Starting)
		}
		starter := b.request(t.Context(), f)
		if s := b.Stats(); s.Starting != 1 {
			t.Fatalf("%d starts, want 1", s.Starting)
		}
		time.Sleep(33 * time.Millisecond)
		synctest.Wait()
		if !patient.isDone() || starter.isDone() {
			t.Errorf("the oldest is served: %v, the one who started: %v", patient.isDone(), starter.isDone())
		}
		l.Discard()
	})
}

func TestBurstStartsNoMoreThanIsWanted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{StartParallel: 2})
		f := b.target("1", "f")
		for range 10 {
			go func() {
				l, err := b.Acquire(t.Context(), f)
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(time.Millisecond)
				l.Release(time.Millisecond, 0)
			}()
		}
		time.Sleep(time.Second)
		if b.host.get(&b.host.most) > 2 || b.host.get(&b.host.n) > 4 {
			t.Errorf("%d processes, %d at the same time; want few, at most 2 at a time", b.host.get(&b.host.n), b.host.get(&b.host.most))
		}
		if s := b.Stats(); s.Starting != 0 || s.Waiters != 0 {
			t.Errorf("%d starting and %d waiting after the burst", s.Starting, s.Waiters)
		}
	})
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	throttledAfter := func(t *testing.T, err error, want time.Duration) {
		t.Helper()
		e, _ := errors.AsType[*convoke.Error](err)
		if e == nil || e.Code != convoke.CodeThrottled || e.RetryAfter != want {
			t.Errorf("got %v, want CodeThrottled with RetryAfter %v", err, want)
		}
	}
	t.Run("waiters of a target", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			b := setup(t, Config[*fake]{Blanks: 1, MaxWaiters: 2})
			f := b.target("1", "f", maxInstances(1))
			l := b.acquire(f)
			l.Release(4*time.Second, 0)
			l = b.acquire(f)
			b.request(t.Context(), f)
			b.request(t.Context(), f)
			begin := time.Now()
			_, err := b.Acquire(t.Context(), f)
			throttledAfter(t, err, 12*time.Second) // three turns of 4 s
			if time.Since(begin) != 0 {
				t.Errorf("refused after %v, want at once", time.Since(begin))
			}
			l.Discard()
		})
	})
	t.Run("waiters of the node", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			b := setup(t, Config[*fake]{Blanks: 1, MaxWaitersTotal: 1})
			l := b.acquire(b.target("1", "f", maxInstances(1)))
			b.request(t.Context(), b.target("1", "f", maxInstances(1)))
			_, err := b.Acquire(t.Context(), b.target("1", "g"))
			throttledAfter(t, err, time.Second)
			l.Discard()
		})
	})
	t.Run("a queue too long to be served in time", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			b := setup(t, Config[*fake]{Blanks: 1, MaxWait: 10 * time.Second})
			f := b.target("1", "f", maxInstances(1))
			l := b.acquire(f)
			l.Release(4*time.Second, 0)
			l = b.acquire(f)
			one, two := b.request(t.Context(), f), b.request(t.Context(), f)
			_, err := b.Acquire(t.Context(), f)
			throttledAfter(t, err, 12*time.Second)
			if one.isDone() || two.isDone() {
				t.Error("those who can be served in time were refused too")
			}
			l.Discard()
		})
	})
	t.Run("longest wait", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			b := setup(t, Config[*fake]{Blanks: 1, MaxWait: 10 * time.Second})
			f := b.target("1", "f", maxInstances(1))
			l := b.acquire(f)
			r := b.request(t.Context(), f)
			<-r.done
			throttledAfter(t, r.err, time.Second)
			if r.took != 10*time.Second {
				t.Errorf("waited %v, want 10s", r.took)
			}
			l.Release(1, 0)
			b.check()
		})
	})
	t.Run("context", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			b := setup(t, Config[*fake]{Blanks: 1})
			f := b.target("1", "f", maxInstances(1))
			l := b.acquire(f)
			gone := errors.New("caller is gone")
			ctx, cancel := context.WithCancelCause(t.Context())
			r := b.request(ctx, f)
			cancel(gone)
			<-r.done
			if !errors.Is(r.err, gone) {
				t.Errorf("got %v, want the cause of the context's end", r.err)
			}
			l.Release(1, 0)
			if s := b.Stats(); s.Waiters != 0 || s.Idle != 1 {
				t.Errorf("%d waiters, %d idle; want 0, 1", s.Waiters, s.Idle)
			}
		})
	})
}

func TestThrottleIsInWholeSeconds(t *testing.T) {
	t.Parallel()
	for after, want := range map[time.Duration]time.Duration{
		0: time.Second, time.Millisecond: time.Second, 1001 * time.Millisecond: 2 * time.Second, time.Hour: time.Minute,
	} {
		if e, _ := errors.AsType[*convoke.Error](throttle(after)); e == nil || e.RetryAfter != want {
			t.Errorf("throttle(%v) = %v, want RetryAfter %v", after, e, want)
		}
	}
}

func TestIdleInstancesGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 2})
		f := b.target("1", "f")
		one, two := b.acquire(f), b.acquire(f)
		one.Release(1, 0)
		two.Release(1, 0)
		for range 50 { // one request at a time keeps one instance alive
			time.Sleep(2 * time.Second)
			b.acquire(f).Release(1, 0)
		}
		if s := b.Stats(); s.Idle != 1 {
			t.Errorf("%d idle instances under light use, want 1", s.Idle)
		}
		time.Sleep(65 * time.Second)
		if s := b.Stats(); s.Places != 0 || len(s.Targets) != 0 {
			t.Errorf("%d places and %d targets after the idle time, want none", s.Places, len(s.Targets))
		}
		if n := b.host.aliveWith("f"); n != 0 {
			t.Errorf("%d processes left", n)
		}
	})
}

func TestKeepHoldsMinInstances(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 1})
		f := b.target("1", "f", minInstances(2))
		b.Keep(f)
		time.Sleep(10 * time.Minute)
		if s := b.Stats(); s.Idle != 2 {
			t.Fatalf("%d idle instances, want 2 beyond the idle time", s.Idle)
		}
		if b.host.get(&b.host.loads) != 2 {
			t.Fatalf("%d loads for 2 instances: they were ended and started again", b.host.get(&b.host.loads))
		}
		l := b.acquire(f)
		if l.Cold {
			t.Error("a kept instance was started for the request")
		}
		l.Worker.die()
		l.Release(1, 0)
		time.Sleep(time.Second)
		if s := b.Stats(); s.Idle != 2 {
			t.Errorf("%d idle instances after one died, want 2", s.Idle)
		}
		b.check()
		b.Retire("f")
		time.Sleep(time.Second)
		if s := b.Stats(); s.Places != 0 {
			t.Errorf("%d places after Retire, want 0", s.Places)
		}
	})
}

func TestRetire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 2})
		f := b.target("1", "f", maxInstances(2))
		busy, idle := b.acquire(f), b.acquire(f)
		idle.Release(1, 0)
		b.Retire("f")
		time.Sleep(time.Second)
		if isGone(busy.Worker) || !isGone(idle.Worker) {
			t.Fatalf("gone: busy %v, idle %v; want the idle one only", isGone(busy.Worker), isGone(idle.Worker))
		}
		if _, err := b.Acquire(t.Context(), f); !errors.Is(err, ErrRetired) {
			t.Errorf("Acquire: %v, want ErrRetired", err)
		}
		busy.Release(1, 0)
		b.check()
		time.Sleep(time.Second)
		if !isGone(busy.Worker) {
			t.Error("the busy instance is still there after its last lease")
		}
		if _, err := b.Acquire(t.Context(), f); !errors.Is(err, ErrRetired) {
			t.Errorf("Acquire after all instances are gone: %v, want ErrRetired", err)
		}
	})
}

func TestRetireAnswersWaitersAndStopsStarts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{})
		f := b.target("1", "f")
		r := b.request(t.Context(), f)
		b.Retire("f")
		<-r.done
		if !errors.Is(r.err, ErrRetired) || r.took != 0 {
			t.Errorf("got %v after %v, want ErrRetired at once", r.err, r.took)
		}
		synctest.Wait()
		if s := b.Stats(); s.Places != 0 || len(s.Targets) != 0 {
			t.Errorf("%d places and %d targets are left of a start nobody needs", s.Places, len(s.Targets))
		}
	})
}

func TestRetiredKeysAreBounded(t *testing.T) {
	t.Parallel()
	var k keys
	name := func(n int) string { return string(rune('a'+n%26)) + time.Duration(n).String() }
	for n := range 3 * maxRetiredKeys {
		k.add(name(n))
		k.add(name(n))
	}
	if len(k.set) != maxRetiredKeys || len(k.ring) != maxRetiredKeys {
		t.Errorf("%d keys in a ring of %d, want %d", len(k.set), len(k.ring), maxRetiredKeys)
	}
	if k.has(name(2*maxRetiredKeys-1)) || !k.has(name(2*maxRetiredKeys)) {
		t.Error("not the newest keys are remembered")
	}
}

func TestDiscard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 1})
		f := b.target("1", "f", concurrency(2))
		one, two := b.acquire(f), b.acquire(f)
		one.Discard()
		b.check()
		if isGone(two.Worker) {
			t.Fatal("the worker was ended under another's lease")
		}
		three := b.acquire(f)
		if three.Worker == two.Worker {
			t.Error("a discarded instance was leased")
		}
		two.Release(1, 0)
		if !isGone(two.Worker) || !two.Worker.wasKilled() {
			t.Error("the discarded worker was not killed after its last lease")
		}
		three.Release(1, 0)
	})
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 1, MaxInstances: 2})
		f := b.target("1", "f")
		probe := func() *fake {
			w, err := b.StartBlank(t.Context(), "", 0, "a")
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Load(t.Context(), w); err != nil {
				t.Fatal(err)
			}
			return w
		}
		w := probe()
		b.Adopt(f, w)
		l := b.acquire(f)
		if l.Worker != w || l.Cold {
			t.Errorf("got worker %d, cold %v; want the adopted %d", l.Worker.id, l.Cold, w.id)
		}
		other := b.acquire(b.target("1", "g"))
		full := probe()
		b.Adopt(f, full)
		b.check()
		if !full.wasClosed() {
			t.Error("a worker was adopted beyond the bound")
		}
		l.Release(1, 0)
		other.Release(1, 0)
		b.Retire("f")
		late := probe()
		b.Adopt(f, late)
		if !late.wasClosed() {
			t.Error("a worker of a retired target was adopted")
		}
		time.Sleep(time.Second)
	})
}

func TestStats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 3})
		f, g := b.target("1", "f", concurrency(2), maxInstances(1)), b.target("2", "g")
		one, two := b.acquire(f), b.acquire(f)
		r := b.request(t.Context(), f)
		b.acquire(g).Release(5*time.Millisecond, 0)
		s := b.Stats()
		if s.Busy != 1 || s.Idle != 1 || s.Places != 2 || s.Leases != 2 || s.Waiters != 1 || s.Blanks < 1 || s.MemoryBytes != 64<<20 || len(s.Targets) != 2 {
			t.Fatalf("got %+v", s)
		}
		if f := s.Targets[0]; f.Key != "f" || f.AccountID != "1" || f.Busy != 1 || f.Leases != 2 || f.Waiters != 1 || f.LoadTime != 3*time.Millisecond {
			t.Errorf("got %+v", f)
		}
		if g := s.Targets[1]; g.Key != "g" || g.Idle != 1 || g.RunTime != 5*time.Millisecond {
			t.Errorf("got %+v", g)
		}
		one.Release(1, 0)
		two.Release(1, 0)
		<-r.done
		r.lease.Release(1, 0)
	})
}
