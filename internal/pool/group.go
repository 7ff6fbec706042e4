package pool

import (
	"errors"
	"time"

	"convoke"
)

// group is all there is of one target: its instances, who waits for them and
// what was learned of them. It exists while it holds any of these. All of it
// is guarded by the pool's lock.
type group[W Worker] struct {
	target  *Target[W]
	account *account[W]
	// levels[n] are the ready instances with n leases, the last used first.
	// So the least busy one is found without a search, and equals are used
	// last in, first out: the surplus of a peak goes idle and ends.
	levels   []list[*instance[W]]
	places   int // instances that hold a place
	starting int
	ready    int
	waiters  list[*waiter[W]] // the oldest first
	eager    int              // waiters that should have an instance started

	runTime  time.Duration // moving average of an invocation; 0 is unknown
	waitTime time.Duration // moving average of the part of it that is no computing
	// aheadFrom is when leasing ahead may begin again after a recall.
	aheadFrom time.Time
	loadTime  time.Duration // moving average of loading; 0 is unknown

	keep    bool // MinInstances are kept warm
	retired bool

	failures int // starts that failed and processes that died, since the last success
	retryAt  time.Time
	cause    error // of the last failure
	// heldUntil is when the next start may be, after instances that ended
	// badly while the account was behind.
	heldUntil time.Time

	line elem[*group[W]] // in its account's lines while it waits for a place
}

// group returns t's group, a new one if there is none.
func (p *Pool[W]) group(t *Target[W]) *group[W] {
	if g := p.groups[t.Key]; g != nil {
		return g
	}
	g := &group[W]{target: t, account: p.account(t.AccountID), levels: make([]list[*instance[W]], t.most())}
	g.line.v = g
	g.account.groups++
	p.groups[t.Key] = g
	return g
}

// forget drops g when it holds nothing worth keeping.
func (p *Pool[W]) forget(g *group[W]) {
	if g.places > 0 || g.starting > 0 || g.waiters.n > 0 || g.keep || (g.failures > 0 || time.Now().Before(g.heldUntil)) && !g.retired && !p.closed || p.groups[g.target.Key] != g {
		return
	}
	delete(p.groups, g.target.Key)
	p.release(g.account)
}

// Leasing ahead saves the way to a worker and back, some 50 µs. That is worth
// it while what queues in a worker is done in no more than aheadTime.
const (
	aheadTime  = time.Millisecond
	aheadPause = time.Second
)

// open is how many leases an instance of g may hold now.
func (g *group[W]) open() int {
	n := g.target.concurrency()
	if g.runTime == 0 || g.runTime > aheadTime || n == len(g.levels) ||
		!g.aheadFrom.IsZero() && time.Now().Before(g.aheadFrom) {
		return n
	}
	return min(n+int(aheadTime/g.runTime), len(g.levels))
}

// pick leases a slot of the least busy instance, or returns nil.
func (g *group[W]) pick() *instance[W] {
	for n := range g.open() {
		for e := g.levels[n].head; e != nil; e = g.levels[n].head {
			i := e.v
			if isGone(i.worker) {
				// Its watcher will remove it in a moment; nobody must get it.
				i.slot.remove()
				continue
			}
			i.leases++
			g.place(i)
			return i
		}
	}
	return nil
}

// place files a ready instance under its number of leases.
func (g *group[W]) place(i *instance[W]) {
	if i.leases < len(g.levels) {
		g.levels[i.leases].pushFront(&i.slot)
	} else {
		i.slot.remove()
	}
}

// live is the number of instances that serve or will.
func (g *group[W]) live() int { return g.starting + g.ready }

func (g *group[W]) lacksInstances(live int) bool {
	return g.keep && live < g.target.Settings.MinInstances
}

func (g *group[W]) isStarved() bool { return g.line.in != nil }

// ran records a returned invocation.
func (g *group[W]) ran(i *instance[W], run, waited time.Duration) {
	if run > 0 {
		if g.runTime == 0 {
			g.waitTime = waited
		}
		g.runTime = average(g.runTime, run)
		g.waitTime += (min(waited, run) - g.waitTime) / 8
	}
	if g.failures > 0 && i.state == ready && !isGone(i.worker) {
		g.failures, g.cause, g.retryAt = 0, nil, time.Time{}
	}
}

// average moves an exponentially weighted average by a sample.
func average(old, sample time.Duration) time.Duration {
	if old == 0 {
		return sample
	}
	return old + (sample-old)/8
}

func (p *Pool[W]) learn(g *group[W], b birth[W]) {
	g.loadTime = average(g.loadTime, b.load)
	p.loadTime = average(p.loadTime, b.load)
	if !b.blank {
		p.spawnTime = average(p.spawnTime, b.spawn)
	}
}

// startCost is how long a new instance of g is expected to take.
func (p *Pool[W]) startCost(g *group[W]) time.Duration {
	cost := g.loadTime
	if cost == 0 {
		cost = p.loadTime
	}
	t := g.target
	if s := p.shelves[p.classOf(t.Runtime, t.Settings.MemoryMiB)]; s == nil || len(s.ready) == 0 {
		cost += p.spawnTime
	}
	return max(cost, time.Millisecond)
}

// expectedWait is how long one more waiter would wait for a slot of the
// instances there are; ok is false when there is no telling.
func (g *group[W]) expectedWait() (d time.Duration, ok bool) {
	slots := time.Duration(g.ready * g.target.concurrency())
	if slots == 0 || g.runTime == 0 {
		return 0, false
	}
	// Instances under way serve some of those who wait.
	ahead := max(0, g.waiters.n-g.starting*g.target.concurrency())
	return time.Duration(ahead+1) * g.runTime / slots, true
}

// needsStart reports whether g's waiters justify one more instance.
//
// Waiting for a slot is cheaper for all than starting, as long as it does not
// take longer. So a waiter asks for a start at once only when it expects to
// wait longer than the start takes, or cannot tell, and otherwise once it
// has waited that long in vain: the estimate was wrong then. Starts under way
// count as answers to those who asked. When no instance is left to wait for,
// everyone asks.
func (p *Pool[W]) needsStart(g *group[W]) bool {
	asking := g.eager
	if g.ready == 0 {
		asking = g.waiters.n
	}
	if asking <= g.starting*g.target.concurrency() || g.places >= p.maxOf(g) || p.closed || g.retired {
		return false
	}
	now := time.Now()
	return !g.backsOff(now) && !p.holds(g, now)
}

// maxOf is how many instances g may have. Of a target that mostly computes,
// more than there are processors would only take turns: each request would
// take longer, and none would be done sooner.
func (p *Pool[W]) maxOf(g *group[W]) int {
	most := g.target.Settings.MaxInstances
	if most <= 0 {
		most = p.cfg.MaxInstances
	}
	if g.runTime > 0 && g.waitTime < g.runTime/2 {
		most = min(most, max(p.cfg.Processors, g.target.Settings.MinInstances))
	}
	return most
}

// surplus reports whether g has more instances than it has a use for, since
// it became known that it computes. The margin keeps a function that waits for
// about half of its time from ending and starting instances in turns.
func (p *Pool[W]) surplus(g *group[W]) bool {
	return g.ready > p.maxOf(g) && g.waitTime < g.runTime/4
}

// update follows any change to g: it brings g in order and gives out the
// places that the change may have freed.
func (p *Pool[W]) update(g *group[W]) {
	p.settle(g)
	p.schedule()
}

// settle brings g in order: free slots to waiters, errors to those without
// hope, a place in the line for those who need a start.
func (p *Pool[W]) settle(g *group[W]) {
	for g.waiters.n > 0 {
		i := g.pick()
		if i == nil {
			break
		}
		p.grant(g.waiters.head.v, i)
	}
	if g.waiters.n > 0 && g.live() == 0 && g.backsOff(time.Now()) {
		p.fail(g, g.failure())
	}
	p.queue(g)
	if now := time.Now(); !p.closed && !g.retired && !g.backsOff(now) && !p.holds(g, now) {
		for g.lacksInstances(g.live()) && g.places < p.maxOf(g) && p.starving == 0 && !p.full(g) && p.mayStart(g.account, g.live() == 0, now) {
			p.launch(g, nil)
		}
	}
	p.forget(g)
}

// dismiss ends all instances of g.
func (p *Pool[W]) dismiss(g *group[W], why Reason) {
	for _, i := range p.instances {
		switch {
		case i.group != g:
		case i.state == starting:
			i.cancel()
		case i.state == ready:
			p.drain(i, why)
		}
	}
}

const (
	firstBackOff = 100 * time.Millisecond
	maxBackOff   = 10 * time.Second
	// failureMemory is how long after its back-off a failure is remembered.
	failureMemory = time.Minute
)

// failed records a start that failed or a process that died. When there is
// nothing else to wait for, the waiters get a start's error: the same version
// would fail for the next in line too, and each attempt costs a process.
//
// The second failure in a row begins a back-off, during which nothing is
// started and who finds no instance gets the error at once, so a broken
// function cannot burn the processors by restarting.
func (p *Pool[W]) failed(g *group[W], err error) {
	g.failures++
	g.cause = err
	g.retryAt = time.Now().Add(backOff(g.failures))
	if !errors.Is(err, errDied) && g.live() == 0 {
		p.fail(g, err)
	}
}

// backOff is how long to wait after n failures in a row: not at all after the
// first, which may be anybody's bad luck.
func backOff(n int) time.Duration {
	if n < 2 {
		return 0
	}
	return min(firstBackOff<<min(n-2, 16), maxBackOff)
}

func (g *group[W]) backsOff(now time.Time) bool { return g.failures > 0 && now.Before(g.retryAt) }

// failure is what a request gets during a back-off.
func (g *group[W]) failure() error {
	if !errors.Is(g.cause, errDied) {
		return g.cause
	}
	return &convoke.Error{
		Code: convoke.CodeRuntimeError, RetryAfter: max(time.Second, time.Until(g.retryAt).Round(time.Second)),
		Message: "the function's process ended again and again; it is not started for a moment. Its log says why it ended",
	}
}
