package pool

import "time"

// spare is the instance whose place costs least to take: one whose process is
// ending anyway, else the least recently used idle one, and one that
// MinInstances asks for only if there is no other. It looks at those of
// account a, or of all with nil, and returns nil when all are busy.
func (p *Pool[W]) spare(a *account[W]) *instance[W] {
	var idle, kept *instance[W]
	for _, i := range p.instances {
		if !i.placed || a != nil && i.group.account != a {
			continue
		}
		switch {
		case i.state == closing:
			return i
		case !i.isIdle():
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
	p.clearUp(nil, p.places, p.cfg.MaxInstances)
	for _, a := range p.accounts {
		p.clearUp(a, a.places, p.cfg.MaxInstancesPerAccount)
	}
}

// clearUp does so for one account, or for the node with nil. Those that
// MinInstances asks for stay.
func (p *Pool[W]) clearUp(a *account[W], taken, most int) {
	excess := taken + p.clearance() - most
	if excess <= 0 {
		return
	}
	for _, i := range p.instances {
		if i.state == closing && i.placed && (a == nil || i.group.account == a) {
			excess--
		}
	}
	for ; excess > 0; excess-- {
		v := p.oldestIdle(a)
		if v == nil {
			return
		}
		p.close(v, ReasonEvicted)
	}
}

// oldestIdle is the least recently used idle instance of account a, or of all
// with nil, that MinInstances does not ask for; nil when there is none.
func (p *Pool[W]) oldestIdle(a *account[W]) (oldest *instance[W]) {
	for _, i := range p.instances {
		if i.isIdle() && !i.isKept() && (a == nil || i.group.account == a) {
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
		victim := p.oldestIdle(nil)
		if victim == nil {
			return
		}
		excess -= victim.memory
		p.close(victim, ReasonEvicted)
	}
}
