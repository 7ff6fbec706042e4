package pool

import (
	"fmt"
	"time"

	"convoke"
)

// Starting a process and seeing one end disturb everybody on the machine more
// than anything that a function does in between. So an account that computes
// beyond its share starts one instance at a time, and pauses in between.
//
// Of functions that have an instance, starts take up a hundredth of the time at
// most: more instances hardly do more with what is left over of the
// processors. The first instance of a function comes sooner. But a function
// whose instances end badly, because they had to be stopped or died, waits for
// its next one, the longer the more of them did, and each such function makes
// its account's other first instances later. Who stays within its share, or
// has no neighbour, never pauses.
const (
	firstPause    = 9  // times what the start took
	morePause     = 99 // likewise
	maxFirstPause = 5 * time.Second
	maxPause      = time.Minute
)

// pause is until when an account that is behind starts nothing.
type pause struct {
	first time.Time // for a function without any instance
	more  time.Time // for others; not before first
}

// mayStart reports whether an account may start an instance now: the first of
// a function, or one more.
func (p *Pool[W]) mayStart(a *account[W], first bool, now time.Time) bool {
	if !p.cfg.Behind(a.id) {
		return true
	}
	until := p.pauses[a.id].more
	if first {
		until = p.pauses[a.id].first
	}
	return a.starting == 0 && !now.Before(until)
}

// holds reports whether g gets no instance now for how those before ended.
func (p *Pool[W]) holds(g *group[W], now time.Time) bool {
	return now.Before(g.heldUntil) && p.cfg.Behind(g.account.id)
}

// pauseAfter lets the account of i, whose start is over, pause if it is behind.
func (p *Pool[W]) pauseAfter(i *instance[W]) {
	id := i.group.account.id
	if !p.cfg.Behind(id) {
		return
	}
	now := time.Now()
	bad := time.Duration(1)
	for _, g := range p.groups {
		if g.account == i.group.account && now.Before(g.heldUntil) {
			bad++
		}
	}
	first := min(bad*min(firstPause*i.startTook, maxFirstPause), maxPause)
	more := min(max(first, morePause*i.startTook), maxPause)
	p.pauses[id] = pause{now.Add(first), now.Add(more)}
	p.after(first, p.schedule)
	p.after(more, p.schedule)
}

// endedBadly holds the function of i for longer, if its account is behind.
func (p *Pool[W]) endedBadly(i *instance[W]) {
	g, now := i.group, time.Now()
	if p.closed || g.retired || !p.cfg.Behind(g.account.id) {
		return
	}
	took := i.startTook
	if took == 0 { // it was adopted
		took = p.spawnTime + p.loadTime
	}
	held := min(max(0, g.heldUntil.Sub(now))+morePause*took, maxPause)
	g.heldUntil = now.Add(held)
	p.after(held, func() { p.update(g) })
}

// after calls f under the lock.
func (p *Pool[W]) after(d time.Duration, f func()) {
	time.AfterFunc(d, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		f()
	})
}

// paused is what a request gets that waited for an instance for as long as
// anybody may, while its account pauses; nil when it does not.
func (p *Pool[W]) paused(g *group[W]) error {
	if !p.cfg.Behind(g.account.id) {
		return nil
	}
	until := p.pauses[g.account.id].more
	if g.live() == 0 {
		until = p.pauses[g.account.id].first
	}
	why := "its instances are started slowly"
	if g.heldUntil.After(until) {
		until, why = g.heldUntil, "instances of this function that had to be stopped are replaced slowly; its log says why they were"
	}
	left := time.Until(until)
	if left <= 0 {
		return nil
	}
	return &convoke.Error{
		Code: convoke.CodeThrottled, RetryAfter: max(time.Second, left.Round(time.Second)),
		Message: fmt.Sprintf("account %s computes more than its share of the server: %s", g.account.id, why),
	}
}

// forgetPauses drops those that are over.
func (p *Pool[W]) forgetPauses(now time.Time) {
	for id, u := range p.pauses {
		if !now.Before(u.more) {
			delete(p.pauses, id)
		}
	}
}
