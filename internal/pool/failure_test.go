package pool

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"convoke"
)

var errSyntax = convoke.Errorf(convoke.CodeRuntimeError, "unexpected token")

func TestLoadErrorGoesToWhoWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 1})
		b.host.set(func() { b.host.loadErr = errSyntax })
		f := b.target("1", "f", concurrency(2))
		one, two, three := b.request(t.Context(), f), b.request(t.Context(), f), b.request(t.Context(), f)
		for _, r := range []*request{one, two, three} {
			<-r.done
			if !errors.Is(r.err, errSyntax) {
				t.Errorf("got %v, want the load error", r.err)
			}
		}
		time.Sleep(time.Second)
		b.check()
		if s := b.Stats(); s.Places != 0 {
			t.Errorf("%d places are held by what failed to load", s.Places)
		}
		if n := b.host.aliveWith("f"); n != 0 {
			t.Errorf("%d processes that failed to load are alive", n)
		}
	})
}

func TestLoadErrorSparesWhoCanBeServed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 1})
		f := b.target("1", "f")
		l := b.acquire(f)
		b.host.set(func() { b.host.loadErr = errSyntax })
		r := b.request(t.Context(), f)
		time.Sleep(time.Second)
		if r.isDone() {
			t.Fatalf("answered %v though there is an instance", r.err)
		}
		l.Release(time.Second, 0)
		<-r.done
		if r.err != nil {
			t.Fatal(r.err)
		}
		r.lease.Release(1, 0)
	})
}

func TestStartErrorGoesToWhoWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{})
		fork := errors.New("no more processes")
		b.host.set(func() { b.host.startErr = fork })
		if _, err := b.Acquire(t.Context(), b.target("1", "f")); !errors.Is(err, fork) {
			t.Errorf("got %v, want the Starter's error", err)
		}
		b.check()
	})
}

func TestSlowLoadEndsWithStartTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{StartTimeout: time.Second})
		b.host.set(func() { b.host.loadTime = time.Hour })
		r := b.request(t.Context(), b.target("1", "f"))
		<-r.done
		if convoke.ErrorCode(r.err) != convoke.CodeTimeout || r.took != time.Second {
			t.Errorf("got %v after %v, want CodeTimeout after 1s", r.err, r.took)
		}
	})
}

func TestBackOffAfterFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 1})
		b.host.set(func() { b.host.loadErr = errSyntax })
		f := b.target("1", "f")
		// Somebody hammers a broken function for ten seconds.
		for range 10_000 {
			if _, err := b.Acquire(t.Context(), f); !errors.Is(err, errSyntax) {
				t.Fatalf("got %v, want the load error", err)
			}
			time.Sleep(time.Millisecond)
		}
		if b.host.get(&b.host.loads) > 10 {
			t.Errorf("%d loads in ten seconds, want a handful", b.host.get(&b.host.loads))
		}
		b.host.set(func() { b.host.loadErr = nil })
		time.Sleep(maxBackOff)
		b.acquire(f).Release(1, 0)
		if s := b.Stats(); s.Targets[0].Failures != 0 {
			t.Errorf("%d failures are remembered after a success", s.Targets[0].Failures)
		}
	})
}

func TestFailuresAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 1})
		b.host.set(func() { b.host.loadErr = errSyntax })
		if _, err := b.Acquire(t.Context(), b.target("1", "f")); err == nil {
			t.Fatal("loaded")
		}
		if s := b.Stats(); len(s.Targets) != 1 {
			t.Fatalf("%d targets are known, want 1 for its failure", len(s.Targets))
		}
		time.Sleep(2 * failureMemory)
		if s := b.Stats(); len(s.Targets) != 0 {
			t.Error("a failure is remembered for ever")
		}
	})
}

func TestCrashLoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 2})
		f := b.target("1", "f")
		for n := range 2 { // the first death may be bad luck: there is no back-off
			l := b.acquire(f)
			l.Worker.die()
			l.Release(time.Millisecond, 0)
			synctest.Wait()
			if got := b.Stats().Targets[0].Failures; got != n+1 {
				t.Fatalf("%d failures, want %d", got, n+1)
			}
		}
		_, err := b.Acquire(t.Context(), f)
		e, _ := errors.AsType[*convoke.Error](err)
		if e == nil || e.Code != convoke.CodeRuntimeError || e.RetryAfter < time.Second {
			t.Errorf("got %v, want CodeRuntimeError with RetryAfter", err)
		}
		time.Sleep(firstBackOff)
		b.acquire(f).Release(1, 0)
	})
}

func TestDeathOfTheOnlyInstanceStartsAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 2})
		f := b.target("1", "f", maxInstances(1))
		l := b.acquire(f)
		r := b.request(t.Context(), f)
		l.Worker.die()
		<-r.done
		if r.err != nil || !r.lease.Cold {
			t.Fatalf("waiter got %v, want a new instance", r.err)
		}
		l.Release(1, 0)
		r.lease.Release(1, 0)
	})
}

func TestDeadIdleInstanceIsNotLeased(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 2})
		f := b.target("1", "f")
		l := b.acquire(f)
		w := l.Worker
		l.Release(1, 0)
		w.die()
		// Its watcher had no turn yet.
		if l = b.acquire(f); l.Worker == w {
			t.Error("a dead worker was leased")
		}
		l.Release(1, 0)
	})
}

func TestDeadBlankIsNoFaultOfTheFunction(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 1})
		f := b.target("1", "f")
		died := false
		load := f.Load
		f.Load = func(ctx context.Context, w *fake) error {
			if !died {
				died = true
				w.die()
				return errors.New("broken pipe")
			}
			return load(ctx, w)
		}
		b.acquire(f).Release(1, 0)
	})
}

func TestShutdownWaitsForLeases(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 2, Grace: 10 * time.Second})
		f := b.target("1", "f", maxInstances(1))
		l := b.acquire(f)
		b.Keep(b.target("1", "kept", minInstances(1)))
		waiter := b.request(t.Context(), f)
		ended := make(chan error, 1)
		go func() { ended <- b.stop() }()
		synctest.Wait()
		<-waiter.done
		if convoke.ErrorCode(waiter.err) != convoke.CodeUnavailable {
			t.Errorf("waiter got %v, want CodeUnavailable", waiter.err)
		}
		if _, err := b.Acquire(t.Context(), f); convoke.ErrorCode(err) != convoke.CodeUnavailable {
			t.Errorf("Acquire: %v, want CodeUnavailable", err)
		}
		if _, err := b.StartBlank(t.Context(), "", 0, "a"); convoke.ErrorCode(err) != convoke.CodeUnavailable {
			t.Errorf("StartBlank: %v, want CodeUnavailable", err)
		}
		time.Sleep(5 * time.Second)
		if len(ended) != 0 || isGone(l.Worker) {
			t.Fatal("shutdown did not wait for the lease")
		}
		l.Release(1, 0)
		begin := time.Now()
		if err := <-ended; err != nil || time.Since(begin) > 10*time.Millisecond {
			t.Errorf("ended with %v after %v", err, time.Since(begin))
		}
		if b.host.living() != 0 || l.Worker.wasKilled() {
			t.Errorf("%d processes alive, killed %v", b.host.living(), l.Worker.wasKilled())
		}
	})
}

func TestShutdownKillsAfterGrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 1, Grace: 3 * time.Second})
		l := b.acquire(b.target("1", "f"))
		begin := time.Now()
		if err := b.stop(); err != nil || time.Since(begin) != 3*time.Second {
			t.Errorf("ended with %v after %v, want after 3s", err, time.Since(begin))
		}
		if !l.Worker.wasKilled() || b.host.living() != 0 {
			t.Errorf("killed %v, %d processes alive", l.Worker.wasKilled(), b.host.living())
		}
		l.Release(1, 0) // late, and harmless
	})
}

func TestShutdownCutsStartsShort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 1})
		b.host.set(func() { b.host.startTime, b.host.loadTime = time.Hour, time.Hour })
		r := b.request(t.Context(), b.target("1", "f"))
		begin := time.Now()
		if err := b.stop(); err != nil || time.Since(begin) > 10*time.Millisecond {
			t.Errorf("ended with %v after %v", err, time.Since(begin))
		}
		<-r.done
	})
}

func TestShutdownIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHost()
		h.immortal = true
		p := New(Config[*fake]{Starter: h, Grace: time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		b := &bench{Pool: p, t: t, host: h}
		b.acquire(b.target("1", "f"))
		begin := time.Now()
		cancel()
		if err := <-ended; err == nil || time.Since(begin) != time.Second+killWait {
			t.Errorf("ended with %v after %v, want an error after %v", err, time.Since(begin), time.Second+killWait)
		}
	})
}
