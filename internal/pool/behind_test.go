package pool

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"convoke"
)

// TestBehindTakesNothing: an account beyond its share starts its own
// processes, one at a time, and leaves blank workers and turns to others.
func TestBehindTakesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var behind atomic.Bool
		b := setup(t, Config[*fake]{Blanks: 2, StartParallel: 2, Behind: func(account string) bool { return account == "hog" && behind.Load() }})
		if l := b.acquire(b.target("hog", "before")); l.ColdStart != 3*time.Millisecond {
			t.Errorf("not yet behind it started in %v, want 3ms from a blank", l.ColdStart)
		}
		time.Sleep(time.Second) // the shelf is full again
		behind.Store(true)
		started := b.host.get(&b.host.n)
		var hog []*request
		for _, key := range []string{"a", "b", "c"} {
			hog = append(hog, b.request(t.Context(), b.target("hog", key)))
		}
		if l := b.acquire(b.target("calm", "f")); l.ColdStart != 3*time.Millisecond {
			t.Errorf("the neighbour started in %v, want 3ms from a blank", l.ColdStart)
		}
		took := []time.Duration{33 * time.Millisecond, 63 * time.Millisecond, 93 * time.Millisecond}
		for i, r := range hog {
			<-r.done
			if r.err != nil || r.took < took[i] {
				t.Errorf("start %d of who is behind took %v, %v; want %v, one after the other", i, r.took, r.err, took[i])
			}
		}
		time.Sleep(time.Second)
		if n := b.host.get(&b.host.n) - started; n != 4 {
			t.Errorf("%d processes were started, want 3 for who is behind and the refill", n)
		}
		b.host.mu.Lock()
		defer b.host.mu.Unlock()
		if b.host.payers["hog"] != 4 || b.host.payers["calm"] != 1 {
			t.Errorf("processes were started on behalf of %v, want hog 4, calm 1", b.host.payers)
		}
	})
}

// TestShelter: an account that takes every place it can get leaves those to
// its neighbour that this one uses now and then, but not those it has left.
func TestShelter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{MaxInstances: 4})
		calm := b.target("calm", "f")
		b.acquire(calm).Release(time.Millisecond, 0)
		hog := b.target("hog", "g", func(s *convoke.Settings) { s.MaxInstances = 4 })
		var held []*Lease[*fake]
		for range 3 {
			held = append(held, b.acquire(hog))
		}
		more := b.request(t.Context(), hog)
		for range 2 {
			time.Sleep(5 * time.Second)
			if more.isDone() {
				t.Fatal("the neighbour's instance, used a moment ago, was taken away")
			}
			if l := b.acquire(calm); l.Cold {
				t.Fatal("the neighbour had to start again")
			} else {
				l.Release(time.Millisecond, 0)
			}
		}
		time.Sleep(shelterFor + sweepEvery)
		synctest.Wait()
		if !more.isDone() || more.err != nil {
			t.Fatalf("the neighbour has left its instance, and still it is not to be had: %v", more.err)
		}
		if l := b.request(t.Context(), calm); l.isDone() {
			t.Error("there was no place, and yet one was found")
		} else {
			held[0].Release(time.Millisecond, 0) // who has none comes before who has three
			<-l.done
			if l.err != nil {
				t.Error(l.err)
			}
		}
	})
}
