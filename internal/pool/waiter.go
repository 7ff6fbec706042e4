package pool

import (
	"context"
	"time"
)

// waiter is one Acquire that found no free slot. The pool answers it by
// setting lease or err and closing done.
type waiter[W Worker] struct {
	group *group[W]
	since time.Time
	turn  elem[*waiter[W]] // in its group's waiters until it is answered
	eager bool             // it wants an instance started
	first time.Duration    // how long until it loses patience, or MaxWait

	done  chan struct{}
	lease *Lease[W]
	err   error
}

// enqueue admits a request to the waiters of t, or refuses it at once.
func (p *Pool[W]) enqueue(ctx context.Context, t *Target[W]) (*waiter[W], error) {
	switch {
	case p.closed:
		return nil, errClosed
	case p.isRetired(t.Key):
		return nil, ErrRetired
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case p.waiters >= p.cfg.MaxWaitersTotal:
		p.cfg.Observer.refused(RefusalNode)
		return nil, throttle(0)
	}
	if g := p.groups[t.Key]; g != nil {
		if err := p.admit(g); err != nil {
			return nil, err
		}
	}

	g := p.group(t)
	w := &waiter[W]{group: g, since: time.Now(), done: make(chan struct{})}
	w.turn.v = w
	cost := p.startCost(g)
	wait, known := g.expectedWait()
	w.eager = !known || wait > cost
	w.first = p.cfg.MaxWait
	if w.eager {
		g.eager++
	} else {
		w.first = min(cost, p.cfg.MaxWait)
	}
	g.waiters.pushBack(&w.turn)
	p.waiters++
	p.update(g)
	return w, nil
}

// admit refuses what has no prospect. It looks at counters only.
func (p *Pool[W]) admit(g *group[W]) error {
	if g.live() == 0 && g.backsOff(time.Now()) {
		return g.failure()
	}
	wait, known := g.expectedWait()
	if g.waiters.n >= p.cfg.MaxWaiters {
		p.cfg.Observer.refused(RefusalQueue)
		return throttle(wait)
	}
	if known && wait > p.cfg.MaxWait && g.starting == 0 && g.places >= p.maxOf(g) {
		p.cfg.Observer.refused(RefusalHopeless)
		return throttle(wait)
	}
	return nil
}

// await waits for the answer. One timer serves both patience and MaxWait.
func (p *Pool[W]) await(ctx context.Context, w *waiter[W]) (*Lease[W], error) {
	timer := time.NewTimer(w.first)
	defer timer.Stop()
	for {
		select {
		case <-w.done:
			return w.lease, w.err
		case <-ctx.Done():
			return p.giveUp(w, context.Cause(ctx))
		case <-timer.C:
			left := p.cfg.MaxWait - time.Since(w.since)
			if left <= 0 {
				return p.giveUp(w, nil)
			}
			p.losePatience(w)
			timer.Reset(left)
		}
	}
}

// losePatience lets a waiter that was not served in the time a start takes
// ask for a start.
func (p *Pool[W]) losePatience(w *waiter[W]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.turn.in == nil || w.eager {
		return
	}
	w.eager = true
	w.group.eager++
	p.update(w.group)
}

// giveUp ends the wait with err, or with CodeThrottled when that is nil. An
// answer that came just before wins: its slot must not be lost.
func (p *Pool[W]) giveUp(w *waiter[W], err error) (*Lease[W], error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.turn.in == nil {
		return w.lease, w.err
	}
	if err == nil {
		why := RefusalPause
		if err = p.paused(w.group); err == nil {
			wait, _ := w.group.expectedWait()
			why, err = RefusalWait, throttle(wait)
		}
		p.cfg.Observer.refused(why)
	}
	p.answer(w, nil, err)
	p.update(w.group)
	return nil, err
}

// grant answers w with a slot of i, which pick has leased.
func (p *Pool[W]) grant(w *waiter[W], i *instance[W]) {
	l := &Lease[W]{Worker: i.worker, pool: p, instance: i, Wait: time.Since(w.since)}
	if i.fresh {
		l.Cold = true
		l.ColdStart = min(l.Wait, i.startTook)
		l.Wait -= l.ColdStart
	}
	p.answer(w, l, nil)
}

// fail answers all waiters of g with err.
func (p *Pool[W]) fail(g *group[W], err error) {
	for w := range g.waiters.all() {
		p.answer(w, nil, err)
	}
}

func (p *Pool[W]) answer(w *waiter[W], l *Lease[W], err error) {
	w.turn.remove()
	p.waiters--
	if w.eager {
		w.group.eager--
	}
	w.lease, w.err = l, err
	close(w.done)
}

func (p *Pool[W]) isRetired(key string) bool {
	g := p.groups[key]
	return p.retired.has(key) || g != nil && g.retired
}
