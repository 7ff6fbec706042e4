package pool

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"convoke"
)

// TestBehindTakesNothing: an account beyond its share starts its own
// processes, one at a time with pauses, and leaves blank workers and turns to
// others.
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
		for i, r := range hog {
			<-r.done
			want := fakeStart + time.Duration(i)*(1+firstPause)*fakeStart
			if r.err != nil || r.took != want {
				t.Errorf("start %d of who is behind took %v, %v; want %v, one after the other", i, r.took, r.err, want)
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

// fakeStart is what it takes to start and load a fake without a blank.
const fakeStart = 33 * time.Millisecond

// TestPauseForMore: an account that is behind gets a further instance of a
// function late, and the first of another sooner.
func TestPauseForMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Behind: func(account string) bool { return account == "hog" }})
		f := b.target("hog", "f")
		held := b.acquire(f)
		more := b.request(t.Context(), f)
		time.Sleep(time.Millisecond)
		other := b.request(t.Context(), b.target("hog", "g"))
		<-other.done
		if want := (1+firstPause)*fakeStart - time.Millisecond; other.err != nil || other.took != want {
			t.Errorf("the first instance of another function: %v, %v; want %v", other.took, other.err, want)
		}
		<-more.done
		// The pause for more began with the start that ended last.
		if want := (1+firstPause)*fakeStart + (morePause+1)*fakeStart; more.err != nil || more.took != want {
			t.Errorf("one more instance: %v, %v; want %v", more.took, more.err, want)
		}
		held.Release(time.Second, 0)
		began := b.host.get(&b.host.n)
		if calm := b.request(t.Context(), b.target("calm", "h")); calm.isDone() {
			t.Error("started in no time")
		} else if <-calm.done; calm.took != fakeStart || b.host.get(&b.host.n) != began+1 {
			t.Errorf("the neighbour's start took %v, want %v: it never pauses", calm.took, fakeStart)
		}
	})
}

// TestPauseAfterBadEnds: while an account is behind, each instance that had to
// be stopped holds its function for longer, and makes the account's other
// functions wait for a little longer; whoever waits in vain hears why.
func TestPauseAfterBadEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var behind atomic.Bool
		var refused []Refusal
		b := setup(t, Config[*fake]{
			Behind:   func(string) bool { return behind.Load() },
			Observer: Observer{Refused: func(why Refusal) { refused = append(refused, why) }},
		})
		f := b.target("hog", "f", maxInstances(30))
		var held []*Lease[*fake]
		for range 3 {
			held = append(held, b.acquire(f))
		}
		held[0].Discard()
		if r := b.request(t.Context(), f); r.isDone() {
			t.Fatal("there is no instance")
		} else if <-r.done; r.took != fakeStart {
			t.Errorf("within its share it started again after %v, want %v", r.took, fakeStart)
		} else {
			held[0] = r.lease
		}
		behind.Store(true)
		held[0].Discard()
		held[1].Worker.die()
		held[1].Release(0, 0)
		synctest.Wait()
		held[2].Release(time.Second, time.Second) // it waits, so it may have many
		if l := b.acquire(f); l.Cold {
			t.Error("what runs goes on")
		} else {
			l.Discard()
		}
		r := b.request(t.Context(), f)
		for i, want := range []time.Duration{fakeStart, 2*firstPause*fakeStart + fakeStart} {
			other := b.request(t.Context(), b.target("hog", fmt.Sprint("other", i)))
			if <-other.done; other.err != nil || other.took != want {
				t.Errorf("start %d of another function took %v, %v; want %v", i, other.took, other.err, want)
			}
		}
		<-r.done
		if want := 3*morePause*fakeStart + fakeStart; r.err != nil || r.took != want {
			t.Errorf("after three bad ends it started after %v, %v; want %v", r.took, r.err, want)
		}

		behind.Store(false)
		all := []*Lease[*fake]{r.lease}
		for len(all) < 30 {
			all = append(all, b.acquire(f))
		}
		behind.Store(true)
		for _, l := range all {
			l.Discard()
		}
		began := time.Now()
		r = b.request(t.Context(), f)
		<-r.done
		if e := new(convoke.Error); !errors.As(r.err, &e) || e.Code != convoke.CodeThrottled || e.RetryAfter != maxPause-r.took || !strings.Contains(e.Message, "more than its share") {
			t.Errorf("who waited in vain hears %v", r.err)
		}
		time.Sleep(time.Second)
		r = b.request(t.Context(), f)
		<-r.done
		if d := time.Since(began); r.err != nil || d != maxPause+fakeStart {
			t.Errorf("after thirty bad ends it started after %v, %v; want %v", d, r.err, maxPause+fakeStart)
		} else {
			r.lease.Discard()
		}
		if len(refused) != 1 || refused[0] != RefusalPause {
			t.Errorf("refusals %v, want one for the pause", refused)
		}
		behind.Store(false)
		b.acquire(f).Discard()
		synctest.Wait()
		time.Sleep(maxPause + sweepEvery)
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.pauses) > 0 || b.groups["f"] != nil {
			t.Errorf("pauses that are over are remembered: %v, %v", b.pauses, b.groups["f"])
		}
	})
}

// TestPauseAfterFailedStart: a start that fails is one.
func TestPauseAfterFailedStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config[*fake]{Behind: func(string) bool { return true }})
		b.host.set(func() { b.host.loadErr = errSyntax })
		for i, want := range []time.Duration{fakeStart, (1 + firstPause) * fakeStart} {
			r := b.request(t.Context(), b.target("hog", fmt.Sprint("f", i)))
			if <-r.done; !errors.Is(r.err, errSyntax) || r.took != want {
				t.Errorf("start %d: %v, %v; want the load error after %v", i, r.took, r.err, want)
			}
		}
	})
}

// TestBurstOfWhoGoesBehind: of many starts that queue when their account goes
// behind, only those under way go on.
func TestBurstOfWhoGoesBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var behind atomic.Bool
		b := setup(t, Config[*fake]{StartParallel: 2, Behind: func(string) bool { return behind.Load() }})
		f := b.target("hog", "f")
		var all []*request
		for range 8 {
			all = append(all, b.request(t.Context(), f))
		}
		behind.Store(true)
		time.Sleep(time.Second)
		if n := b.host.get(&b.host.n); n != 2 {
			t.Errorf("%d processes were started within a second, want the 2 that were under way", n)
		}
		if s := b.Stats(); s.Places != 2 {
			t.Errorf("%d places are taken, want 2", s.Places)
		}
		b.check()
		for _, r := range all {
			for !r.isDone() {
				time.Sleep(time.Millisecond)
			}
			if r.err != nil {
				t.Fatal(r.err)
			}
			r.lease.Release(time.Second, time.Second)
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
