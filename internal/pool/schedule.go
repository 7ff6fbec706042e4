package pool

import (
	"time"

	"convoke"
)

// A place is the right to have one process on the node. An instance holds one
// from its launch until its process is gone, or until another instance takes
// the place over and waits for that end instead; so the processes never
// exceed the bounds, not even for a moment.
//
// Groups that need a start wait for a place in line, also when one is free:
// there is only one way to a place. It goes to the account that holds the
// fewest, and among equals to the one that has not been given one for the
// longest time; within the account first to a function that has no instance
// at all. If no place is free, the least recently used idle instance makes
// room, but for those that accounts with no more than their share have used a
// moment ago: who has its own share leaves them theirs. If none is idle, busy
// instances may have to: slots are handed on within a function, so under steady
// load an instance would never be idle and who has none would wait for ever. Therefore an instance is drained when a
// lease comes back and
//
//   - its account holds at least two places more than the account first in
//     line (the difference shrinks with each such step, so it comes to rest),
//   - or the first in line holds none at all, and the instance has served
//     for timeSlice (so each step buys a slice of service for one start).
//
// The same holds between the functions of one account. So nobody in line
// waits for longer than those before it need to end one lease each.
const timeSlice = 250 * time.Millisecond

// account is the share of one tenant. Guarded by the pool's lock.
type account[W Worker] struct {
	id       string
	groups   int
	places   int
	starting int                // instances
	lines    [2]list[*group[W]] // who waits for a place: without any instance, with some
	turn     elem[*account[W]]  // in pool.starved while any of its groups waits
}

func (p *Pool[W]) account(id string) *account[W] {
	a := p.accounts[id]
	if a == nil {
		a = &account[W]{id: id}
		a.turn.v = a
		p.accounts[id] = a
	}
	return a
}

// release drops an account with its last group.
func (p *Pool[W]) release(a *account[W]) {
	if a.groups--; a.groups == 0 {
		delete(p.accounts, a.id)
	}
}

// first is the group of a that gets its next place, or nil.
func (a *account[W]) first() *group[W] {
	for n := range a.lines {
		if e := a.lines[n].head; e != nil {
			return e.v
		}
	}
	return nil
}

// queue puts g in the line where it belongs now, or takes it out.
func (p *Pool[W]) queue(g *group[W]) {
	if !p.needsStart(g) {
		p.unqueue(g)
		return
	}
	a := g.account
	line := &a.lines[0]
	if g.live() > 0 {
		line = &a.lines[1]
	}
	if g.line.in == line {
		return
	}
	if !g.isStarved() {
		p.starving++
	}
	line.pushBack(&g.line)
	if a.turn.in == nil {
		p.starved.pushBack(&a.turn)
	}
}

func (p *Pool[W]) unqueue(g *group[W]) {
	if !g.isStarved() {
		return
	}
	g.line.remove()
	p.starving--
	if g.account.first() == nil {
		g.account.turn.remove()
	}
}

// schedule gives places to those in line for as long as there are any.
func (p *Pool[W]) schedule() {
	for p.starving > 0 {
		g := p.next()
		if g == nil {
			return
		}
		victims, ok := p.reserve(g)
		if !ok {
			return // nobody may overtake the first in line
		}
		p.launch(g, victims)
		p.unqueue(g)
		if a := g.account; a.turn.in != nil {
			p.starved.pushBack(&a.turn)
		}
		p.queue(g)
	}
}

// next is the group that gets the next place. Accounts at their own bound do
// not count, unless an instance of theirs can make room, nor those that must
// not start one now.
func (p *Pool[W]) next() *group[W] {
	var best *account[W]
	now := time.Now()
	for a := range p.starved.all() {
		if best != nil && a.places >= best.places {
			continue
		}
		if !p.mayStart(a, a.lines[0].n > 0, now) || a.places >= p.most(a) && p.spare(a, true, now) == nil {
			continue
		}
		best = a
	}
	if best == nil {
		return nil
	}
	return best.first()
}

// reserve makes room for one instance of g. The victims have passed their
// places on. If there is not enough room, what could be evicted is, and its
// places will be free for g once the processes are gone.
func (p *Pool[W]) reserve(g *group[W]) (victims []*instance[W], ok bool) {
	for {
		own := true
		if g.account.places < p.most(g.account) {
			if !p.nodeFull() {
				break
			}
			own = false
		}
		v := p.spare(g.account, own, time.Now())
		if v == nil {
			for _, v := range victims {
				p.hold(v)
			}
			return nil, false
		}
		if v.state == ready {
			p.close(v, ReasonEvicted)
		}
		p.vacate(v)
		victims = append(victims, v)
	}
	for _, v := range victims {
		p.settle(v.group) // it is below its bound now, or gone
	}
	return victims, true
}

// most is how many instances an account may have.
func (p *Pool[W]) most(a *account[W]) int {
	return convoke.Tighter(p.cfg.InstancesOf(a.id), p.cfg.MaxInstancesPerAccount)
}

// full reports whether an instance of g would need somebody to make room.
func (p *Pool[W]) full(g *group[W]) bool {
	return g.account.places >= p.most(g.account) || p.nodeFull()
}

func (p *Pool[W]) nodeFull() bool {
	if p.places >= p.cfg.MaxInstances {
		return true
	}
	// One instance is always possible, whatever the budget: better slow than dead.
	need := int64(p.cfg.InstanceMiB) << 20
	return p.cfg.MemoryMiB > 0 && p.places > 0 && p.memory+need > p.budget()
}

func (p *Pool[W]) budget() int64 { return int64(p.cfg.MemoryMiB) << 20 }

// hold gives i a place, vacate takes it.
func (p *Pool[W]) hold(i *instance[W]) {
	i.placed = true
	p.places++
	p.memory += i.memory
	i.group.places++
	i.group.account.places++
}

func (p *Pool[W]) vacate(i *instance[W]) {
	if !i.placed {
		return
	}
	i.placed = false
	p.places--
	p.memory -= i.memory
	i.group.places--
	i.group.account.places--
}

// yields reports whether i, which just got a lease back, must make room.
func (p *Pool[W]) yields(i *instance[W]) bool {
	if p.yielding >= p.starving {
		return false // enough are on their way
	}
	return p.owes(i, p.next()) || p.owes(i, i.group.account.first())
}

// owes reports whether g, which waits for a place, has a claim to that of i.
func (p *Pool[W]) owes(i *instance[W], g *group[W]) bool {
	if g == nil || g == i.group {
		return false
	}
	have, has := i.group.account.places, g.account.places
	if i.group.account == g.account {
		have, has = i.group.live(), g.live()
	}
	return have > has+1 || has == 0 && time.Since(i.readyAt) >= timeSlice
}
