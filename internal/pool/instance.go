package pool

import (
	"context"
	"errors"
	"time"

	"convoke"
)

// state is where an instance is in its life.
//
//	 launch                loaded           leased / returned
//	────────► starting ──────────────► ready ◄──────────────► ready
//	             │                    (idle)                  (busy)
//	             │ start or             │ idle too long,        │ retired, discarded,
//	             │ load failed          │ evicted, retired,     │ yielded, shutdown
//	             │                      │ discarded             ▼
//	             │                      │                    draining
//	             │                      ▼                       │
//	             ├─────────────────► closing ◄──────────────────┘
//	             │                      │        last lease returned
//	             ▼                      ▼
//	            gone ◄────────────────────── its process ended, in any state
//
// Idle and busy are one state: what tells them apart is the number of leases.
type state int

const (
	starting state = iota
	ready
	draining // busy, takes no new lease
	closing  // without leases, its process was told to end
	gone
)

// instance is a worker that has loaded, or is about to load, one target.
// Everything but the identity of group is guarded by the pool's lock.
type instance[W Worker] struct {
	group     *group[W]
	worker    W // set once state has left starting, unless starting failed
	state     state
	leases    int
	slot      elem[*instance[W]] // in its group's levels while it has a free slot
	index     int                // in pool.instances
	placed    bool               // it holds a place of the node
	fresh     bool               // just started, and serving those who waited for it
	yielding  bool               // counted in pool.yielding
	alone     bool               // launched as the only one of an account that was behind
	why       Reason             // it was asked to go; "" when it was not
	memory    int64              // bytes
	launched  time.Time
	startTook time.Duration
	readyAt   time.Time
	idleSince time.Time
	cancel    context.CancelFunc // of its start
}

var (
	errUnwanted = errors.New("pool: nobody waits for the instance any more")
	errDied     = errors.New("pool: the process ended")
)

// launch gives g a new instance, which holds a place from now on. victims are
// instances whose place it takes over: their processes must be gone first.
func (p *Pool[W]) launch(g *group[W], victims []*instance[W]) {
	i := p.add(g)
	i.launched, i.alone = time.Now(), p.cfg.Behind(g.account.id)
	g.starting++
	g.account.starting++
	p.cold++
	ctx, cancel := context.WithTimeout(p.ctx, p.cfg.StartTimeout)
	i.cancel = cancel
	p.wg.Go(func() { p.live(ctx, i, victims) })
}

func (p *Pool[W]) add(g *group[W]) *instance[W] {
	i := &instance[W]{group: g, index: len(p.instances), memory: int64(p.cfg.InstanceMiB) << 20}
	i.slot.v = i
	p.instances = append(p.instances, i)
	p.hold(i)
	return i
}

// live is the whole life of an instance; every instance has one goroutine.
func (p *Pool[W]) live(ctx context.Context, i *instance[W], victims []*instance[W]) {
	b := p.raise(ctx, i, victims)
	i.cancel()
	p.mu.Lock()
	p.raised(i, b)
	p.mu.Unlock()
	if b.alive {
		p.watch(i)
	}
}

// birth is what became of a start.
type birth[W Worker] struct {
	worker      W
	alive       bool // there is a process, loaded or not
	blank       bool
	spawn, load time.Duration
	err         error
}

// raise starts and loads a worker for i, without the lock.
func (p *Pool[W]) raise(ctx context.Context, i *instance[W], victims []*instance[W]) (b birth[W]) {
	for _, v := range victims {
		// Also when ctx ends: the place is not free before they are gone.
		select {
		case <-v.worker.Done():
		case <-p.abandoned:
			return birth[W]{err: errClosed}
		}
	}
	t := i.group.target
	for range 2 {
		begin := time.Now()
		b.worker, b.blank, b.err = p.obtain(ctx, p.classOf(t.Runtime, t.Settings.MemoryMiB), t.AccountID, func() bool { return p.wanted(i) })
		if b.err != nil {
			b.err = startError(ctx, b.err)
			return b
		}
		b.alive = true
		if !b.blank {
			b.spawn = time.Since(begin)
		}
		begin = time.Now()
		err := t.Load(ctx, b.worker)
		b.load = time.Since(begin)
		if b.err = startError(ctx, err); b.err == nil || !b.blank || !isGone(b.worker) || convoke.ErrorCode(b.err) != convoke.CodeInternal {
			return b
		}
		// The blank worker died on the shelf a moment ago: that is no fault of
		// the function, whose own failures have a code. Once more with another.
		b.alive = false
	}
	return b
}

func startError(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && convoke.ErrorCode(err) == convoke.CodeInternal {
		return &convoke.Error{
			Code: convoke.CodeTimeout, Cause: err,
			Message: "the function did not start in time; move slow work from the top level of its module into lambda",
		}
	}
	return err
}

// wanted reports whether a start that had to queue still serves a purpose:
// after a burst most of its waiters were served by slots that became free, and
// an account that went behind meanwhile must not start a burst any more.
func (p *Pool[W]) wanted(i *instance[W]) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := i.group
	if !i.alone && p.cfg.Behind(g.account.id) {
		return false
	}
	return g.waiters.n > 0 || g.lacksInstances(g.live()-1)
}

// raised makes i ready, or ends it.
func (p *Pool[W]) raised(i *instance[W], b birth[W]) {
	g := i.group
	g.starting--
	g.account.starting--
	p.coldDone()
	if b.alive {
		i.worker = b.worker
	}
	switch {
	case b.err == nil && p.closed:
		p.close(i, ReasonShutdown)
	case b.err == nil && g.retired:
		p.close(i, ReasonRetired)
	case b.err == nil:
		p.learn(g, b)
		p.cfg.Observer.started(b.blank, b.spawn, b.load)
		i.startTook, i.fresh = time.Since(i.launched), true
		p.pauseAfter(i)
		p.serve(i)
		i.fresh = false
		return
	case g.retired || p.closed || errors.Is(b.err, errUnwanted):
		p.abort(i, b, ReasonUnwanted)
	default:
		i.startTook = time.Since(i.launched)
		p.pauseAfter(i)
		p.abort(i, b, ReasonFailed)
		p.failed(g, b.err)
	}
	p.update(g)
}

// serve makes i ready and lets it serve who waits.
func (p *Pool[W]) serve(i *instance[W]) {
	now := time.Now()
	i.state, i.readyAt, i.idleSince = ready, now, now
	i.group.ready++
	i.group.place(i)
	p.update(i.group)
}

// abort ends an instance whose start failed. It keeps its place until its
// process, if there is one, is gone.
func (p *Pool[W]) abort(i *instance[W], b birth[W], why Reason) {
	i.why = why
	if !b.alive {
		p.remove(i)
		return
	}
	i.state = closing
	b.worker.Kill()
}

// watch waits for the end of i's process.
func (p *Pool[W]) watch(i *instance[W]) {
	select {
	case <-i.worker.Done():
	case <-p.abandoned:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	// A process that dies with a lease took its invocation along, and the next
	// one starts another. Only one that dies by itself is started again and
	// again without anybody asking.
	unexpected := i.why == "" && i.leases == 0
	p.leave(i)
	p.remove(i)
	if unexpected {
		p.failed(i.group, errDied)
	}
	p.update(i.group)
}

// remove forgets an instance that has no process any more.
func (p *Pool[W]) remove(i *instance[W]) {
	if i.why == "" {
		i.why = ReasonDied
	}
	if i.why == ReasonDied || i.why == ReasonDiscarded {
		p.endedBadly(i)
	}
	p.cfg.Observer.ended(i.why)
	i.state = gone
	p.vacate(i)
	if i.yielding {
		i.yielding = false
		p.yielding--
	}
	last := len(p.instances) - 1
	p.instances[i.index] = p.instances[last]
	p.instances[i.index].index = i.index
	p.instances[last] = nil
	p.instances = p.instances[:last]
}

// leave takes i out of the instances that can be leased.
func (p *Pool[W]) leave(i *instance[W]) {
	if i.state == ready {
		i.group.ready--
		i.slot.remove()
	}
}

// drain lets a ready instance take no new lease and closes it after its last.
func (p *Pool[W]) drain(i *instance[W], why Reason) {
	if i.leases == 0 {
		p.close(i, why)
		return
	}
	p.leave(i)
	i.state, i.why = draining, why
}

// close ends an instance without leases. One that was discarded is killed.
func (p *Pool[W]) close(i *instance[W], why Reason) {
	p.leave(i)
	i.state, i.why = closing, why
	if why == ReasonDiscarded {
		i.worker.Kill()
	} else {
		i.worker.Close(p.cfg.CloseGrace)
	}
}

// discard lets i take no new lease; giveBack closes it when the last is back.
func (p *Pool[W]) discard(i *instance[W]) {
	if i.state == ready || i.state == draining {
		p.leave(i)
		i.state, i.why = draining, ReasonDiscarded
	}
}

// giveBack returns one slot of i.
func (p *Pool[W]) giveBack(i *instance[W]) {
	g := i.group
	i.leases--
	switch {
	case i.state == ready && i.leases == 0 && p.surplus(g):
		p.drain(i, ReasonIdle)
	case i.state == ready && g.waiters.n == 0 && p.starving == 0:
		g.place(i)
		if i.leases == 0 {
			i.idleSince = time.Now()
		}
		return
	case i.state == ready:
		g.place(i)
		i.idleSince = time.Now()
		if p.yields(i) {
			i.yielding = true
			p.yielding++
			p.drain(i, ReasonYielded)
		}
	case i.state == draining && i.leases == 0:
		p.close(i, i.why)
	default:
		// Gone, or draining with other leases. A discarded instance left
		// the ready ones, though, and its waiters may need another.
	}
	p.update(g)
}

// isGone reports whether w's process has ended already.
func isGone[W Worker](w W) bool {
	select {
	case <-w.Done():
		return true
	default:
		return false
	}
}
