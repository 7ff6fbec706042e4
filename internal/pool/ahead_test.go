package pool

import (
	"testing"
	"testing/synctest"
	"time"
)

func ahead(n int) func(*Target[*fake]) { return func(t *Target[*fake]) { t.Ahead = n } }

// TestLeasesAheadOfShortInvocations: a worker queues what it will be done
// with in no time; before anything is known, and when invocations take
// longer, it does not.
func TestLeasesAheadOfShortInvocations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Blanks: 1})
		f := b.target("1", "f", maxInstances(1))
		ahead(2)(f)
		first := b.acquire(f)
		if r := b.request(t.Context(), f); r.isDone() {
			t.Error("leased ahead before a run time was known")
		} else {
			first.Release(50*time.Microsecond, 0)
			<-r.done
			r.lease.Release(50*time.Microsecond, 0)
		}

		// Short: one runs, two queue in the worker, the fourth waits here.
		leases := []*Lease[*fake]{b.acquire(f), b.acquire(f), b.acquire(f)}
		fourth := b.request(t.Context(), f)
		if fourth.isDone() {
			t.Error("more was leased ahead than the target allows")
		}
		leases[0].Release(50*time.Microsecond, 0)
		synctest.Wait()
		if !fourth.isDone() {
			t.Error("a freed place ahead was not handed on")
		}
		fourth.lease.Release(50*time.Microsecond, 0)

		// One was handed back: nothing is leased ahead for a while.
		leases[1].Recall()
		r := b.request(t.Context(), f)
		if r.isDone() {
			t.Error("leased ahead right after a recall")
		}
		leases[2].Release(50*time.Microsecond, 0)
		<-r.done
		time.Sleep(aheadPause)
		again := b.acquire(f)
		r.lease.Release(time.Second, 0) // the average is now long
		again.Release(time.Second, 0)
		one := b.acquire(f)
		if r := b.request(t.Context(), f); r.isDone() {
			t.Error("leased ahead of long invocations")
		} else {
			one.Release(1, 0)
			<-r.done
			r.lease.Release(1, 0)
		}
	})
}

// TestWhatComputesGetsNoMoreThanTheProcessors: more instances would only take
// turns. What waits for others may have as many as it is allowed.
func TestWhatComputesGetsNoMoreThanTheProcessors(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		waited time.Duration
		want   int
	}{
		"computes": {waited: time.Millisecond, want: 2},
		"waits":    {waited: time.Second, want: 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, Config[*fake]{Processors: 2, MaxInstances: 10})
				f := b.target("1", "f", maxInstances(5))
				b.acquire(f).Release(time.Second, tc.waited)
				var all []*request
				for range 8 {
					all = append(all, b.request(t.Context(), f))
				}
				time.Sleep(time.Second)
				if n := b.Stats().Places; n != tc.want {
					t.Errorf("%d instances, want %d", n, tc.want)
				}
				for _, r := range all {
					<-r.done
					r.lease.Release(time.Second, tc.waited)
				}
			})
		})
	}
}

// TestSurplusOfWhatComputesGoes: instances that were started before it was
// known what the target does end when they are idle.
func TestSurplusOfWhatComputesGoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Processors: 2, MaxInstances: 10})
		f := b.target("1", "f", maxInstances(5))
		var leases []*Lease[*fake]
		for range 5 {
			leases = append(leases, b.acquire(f))
		}
		for _, l := range leases {
			l.Release(time.Millisecond, 0)
		}
		time.Sleep(time.Second) // their processes end
		b.check()
		if n := b.Stats().Places; n != 2 {
			t.Errorf("%d instances are left, want 2", n)
		}
	})
}
