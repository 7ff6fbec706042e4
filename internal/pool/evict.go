package pool

import "time"

// shelterFor is how long an idle instance stays out of reach of accounts that
// have enough.
const shelterFor = 10 * time.Second

// evenShare is how many places each account has when all have as many.
func (p *Pool[W]) evenShare() int { return p.cfg.MaxInstances / max(1, len(p.accounts)) }

// isSheltered reports whether an idle instance is in use, though not at this
// moment, by an account that has no more than its share. An account that takes
// every place it can get, with instances that are never idle, would otherwise
// end those of all who call now and then.
func (p *Pool[W]) isSheltered(i *instance[W], now time.Time) bool {
	return now.Sub(i.idleSince) < shelterFor && i.group.account.places <= p.evenShare()
}

// spare is the instance whose place costs account a least to take: one whose
// process is ending anyway, else the least recently used idle one, and one
// that MinInstances asks for only if there is no other. What is sheltered is
// left to its account by those that have their share. It looks at instances of
// a alone if own is set, and returns nil when there is none to take.
func (p *Pool[W]) spare(a *account[W], own bool, now time.Time) *instance[W] {
	enough := a.places >= p.evenShare()
	var idle, kept *instance[W]
	for _, i := range p.instances {
		if !i.placed || own && i.group.account != a {
			continue
		}
		switch {
		case i.state == closing:
			return i
		case !i.isIdle():
		case enough && i.group.account != a && p.isSheltered(i, now):
		case i.isKept():
			kept = older(kept, i)
		default:
			idle = older(idle, i)
		}
	}
	if idle == nil {
		return kept
	}
	return idle
}

func (i *instance[W]) isIdle() bool { return i.state == ready && i.leases == 0 }

// isKept reports whether i is one of those that MinInstances asks for.
func (i *instance[W]) isKept() bool { return i.group.lacksInstances(i.group.live() - 1) }

func older[W Worker](a, b *instance[W]) *instance[W] {
	if a == nil || b.idleSince.Before(a.idleSince) {
		return b
	}
	return a
}

// clearance is how many places are kept free while there are idle instances
// to end: a cold start then need not wait for the end of another's process.
func (p *Pool[W]) clearance() int { return min(p.cfg.Blanks, p.cfg.MaxInstances/8) }

// makeRoom ends idle instances until the node and each account have that many
// places to spare.
func (p *Pool[W]) makeRoom() {
	if p.clearance() == 0 || p.starving > 0 {
		return
	}
	p.clearUp(nil, p.places-p.cfg.MaxInstances+p.clearance())
	for _, a := range p.accounts {
		// An account with few places needs them more than a quick start.
		most := p.most(a)
		p.clearUp(a, a.places-most+min(p.clearance(), most/8))
	}
}

// clearUp ends so many of one account, or of the node with nil, those that are
// ending counted. Those that MinInstances asks for stay.
func (p *Pool[W]) clearUp(a *account[W], excess int) {
	if excess <= 0 {
		return
	}
	for _, i := range p.instances {
		if i.state == closing && i.placed && (a == nil || i.group.account == a) {
			excess--
		}
	}
	for ; excess > 0; excess-- {
		v := p.oldestIdle(a, a == nil)
		if v == nil {
			return
		}
		p.close(v, ReasonEvicted)
	}
}

// oldestIdle is the least recently used idle instance of account a, or of all
// with nil, that MinInstances does not ask for and, with shelter, is not
// sheltered; nil when there is none.
func (p *Pool[W]) oldestIdle(a *account[W], shelter bool) (oldest *instance[W]) {
	now := time.Now()
	for _, i := range p.instances {
		if i.isIdle() && !i.isKept() && (a == nil || i.group.account == a) && !(shelter && p.isSheltered(i, now)) {
			oldest = older(oldest, i)
		}
	}
	return oldest
}

// sweep does what no event triggers: idle times, memory, back-offs that have
// passed, shelves nobody takes from.
func (p *Pool[W]) sweep() {
	pressed := p.cfg.Pressure()
	p.measure()
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.reap(now)
	p.relieve(pressed)
	for _, g := range p.groups {
		if g.failures > 0 && now.Sub(g.retryAt) > failureMemory {
			g.failures = 0
		}
		// Starts that a back-off or a full node held up are due again, and
		// a group that was kept for its failures may go.
		p.settle(g)
	}
	p.schedule()
	p.forgetPauses(now)
	p.ageShelves(now)
	signal(p.hungry)
}

// measure takes the memory of the instances whose workers can tell.
func (p *Pool[W]) measure() {
	type sample struct {
		i     *instance[W]
		bytes int64
	}
	var samples []sample
	p.mu.Lock()
	for _, i := range p.instances {
		if i.state == ready || i.state == draining {
			samples = append(samples, sample{i: i})
		}
	}
	p.mu.Unlock()
	for n := range samples {
		if r, ok := any(samples[n].i.worker).(Resident); ok {
			samples[n].bytes = r.Resident()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range samples {
		if s.bytes <= 0 {
			continue
		}
		if s.i.placed {
			p.memory += s.bytes - s.i.memory
		}
		s.i.memory = s.bytes
	}
}

// reap ends instances that were idle for too long.
func (p *Pool[W]) reap(now time.Time) {
	for _, i := range p.instances {
		if i.isIdle() && !i.isKept() && now.Sub(i.idleSince) >= i.group.target.Settings.IdleTimeout {
			p.close(i, ReasonIdle)
		}
	}
}

// relieve ends idle instances, the least recently used first, while they
// exceed the budget, and a quarter of them under pressure from outside.
// Those that MinInstances asks for stay: they would be started again.
func (p *Pool[W]) relieve(pressed bool) {
	excess, idle := int64(0), 0
	if p.cfg.MemoryMiB > 0 {
		excess = p.memory - p.budget()
	}
	for _, i := range p.instances {
		if i.state == closing && i.placed {
			excess -= i.memory
		}
		if i.isIdle() {
			idle++
		}
	}
	quota := 0
	if pressed {
		quota = idle/4 + 1
	}
	for ; excess > 0 || quota > 0; quota-- {
		victim := p.oldestIdle(nil, true)
		if victim == nil {
			victim = p.oldestIdle(nil, false) // memory that is missing asks nobody
		}
		if victim == nil {
			return
		}
		excess -= victim.memory
		p.close(victim, ReasonEvicted)
	}
}
