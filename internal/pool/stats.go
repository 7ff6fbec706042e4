package pool

import (
	"cmp"
	"slices"
	"time"
)

// Stats is a picture of the pool at one moment.
type Stats struct {
	Starting, Idle, Busy, Draining, Closing int // instances by state
	Places                                  int // taken, of MaxInstances
	MemoryBytes                             int64
	Leases                                  int
	Waiters                                 int
	Starved                                 int // targets that wait for a place on the node
	Blanks                                  int // ready blank workers of all classes
	Targets                                 []TargetStats
}

// TargetStats is the part of one target.
type TargetStats struct {
	Key, AccountID, FunctionID    string
	Starting, Idle, Busy, Leaving int // instances by state; Leaving ones serve nothing new
	Leases, Waiters               int
	MemoryBytes                   int64
	RunTime, LoadTime             time.Duration // moving averages; 0 is unknown
	Failures                      int           // in a row
	RetryAt                       time.Time     // no start before, after failures
}

// Stats returns a picture of the pool; Targets are in order of key.
func (p *Pool[W]) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Stats{Places: p.places, MemoryBytes: p.memory, Waiters: p.waiters, Starved: p.starving}
	targets := make(map[*group[W]]*TargetStats, len(p.groups))
	for _, g := range p.groups {
		targets[g] = &TargetStats{
			Key: g.target.Key, AccountID: g.target.AccountID, FunctionID: g.target.FunctionID,
			Waiters: g.waiters.n, RunTime: g.runTime, LoadTime: g.loadTime, Failures: g.failures, RetryAt: g.retryAt,
		}
	}
	for _, i := range p.instances {
		t := targets[i.group]
		if t == nil {
			t = &TargetStats{} // evicted, and its target is forgotten already
		}
		switch {
		case i.state == starting:
			s.Starting++
			t.Starting++
		case i.isIdle():
			s.Idle++
			t.Idle++
		case i.state == ready:
			s.Busy++
			t.Busy++
		case i.state == draining:
			s.Draining++
			t.Leaving++
		default:
			s.Closing++
			t.Leaving++
		}
		s.Leases += i.leases
		t.Leases += i.leases
		t.MemoryBytes += i.memory
	}
	for _, shelf := range p.shelves {
		s.Blanks += len(shelf.ready)
	}
	for _, t := range targets {
		s.Targets = append(s.Targets, *t)
	}
	slices.SortFunc(s.Targets, func(a, b TargetStats) int { return cmp.Compare(a.Key, b.Key) })
	return s
}

// Account is the part of one account: the places that its instances take, and
// the most invocations that wait for one target of it.
func (p *Pool[W]) Account(id string) (places, waiters int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.accounts[id]; a != nil {
		places = a.places
	}
	for _, g := range p.groups {
		if g.target.AccountID == id {
			waiters = max(waiters, g.waiters.n)
		}
	}
	return places, waiters
}
