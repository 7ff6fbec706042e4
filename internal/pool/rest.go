package pool

// Rest ends the instances of an account, idle ones at once and busy ones after
// their last lease, and keeps none warm any more: an idle process may still
// compute, and call out, by a timer of its own. Nothing is retired, so later
// calls of Acquire and Keep start instances anew.
func (p *Pool[W]) Rest(accountID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, g := range p.groups {
		if g.target.AccountID != accountID {
			continue
		}
		g.keep = false
		p.dismiss(g, ReasonIdle)
		p.settle(g)
	}
	p.schedule()
}
