package worker

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// What an account may log in a second while it shares the machine. Storing an
// entry costs the server some 30 µs of a processor, in front of which the
// workers' priorities do not count; without a bound a flood of them would take
// a whole one from all neighbours. Whoever is held back at the first rate has
// had more than its share of the server, goes behind, and has the second.
const (
	logRate    = 5000
	behindRate = 500
	logBurst   = 2 // seconds of the rate
)

// pace holds back workers of accounts that log without measure: nothing is
// lost, who writes waits (docs/adr/0006). The zero value holds nobody back.
type pace struct {
	mu       sync.Mutex
	limiters map[string]*rate.Limiter // by account; nil while one has the machine to itself
	held     map[string]bool          // who had to wait since the last count
}

// share begins and ends the bound. It keeps the limiters of accounts that have
// workers; a new one begins with its burst.
func (p *pace) share(accounts map[string]time.Duration, behind map[string]standing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(accounts) < 2 {
		p.limiters = nil
		return
	}
	limiters := make(map[string]*rate.Limiter, len(accounts))
	for account := range accounts {
		most := rate.Limit(logRate)
		if _, is := behind[account]; is {
			most = behindRate
		}
		l := p.limiters[account]
		if l == nil {
			l = rate.NewLimiter(most, int(logBurst*most))
		} else if l.Limit() != most {
			l.SetLimit(most)
			l.SetBurst(int(logBurst * most))
		}
		limiters[account] = l
	}
	p.limiters = limiters
}

// wait returns when the account may log one more entry. That is soon: each
// worker asks for one at a time.
func (p *pace) wait(account string) {
	p.mu.Lock()
	var d time.Duration
	if l := p.limiters[account]; l != nil {
		if d = l.Reserve().Delay(); d > 0 {
			if p.held == nil {
				p.held = map[string]bool{}
			}
			p.held[account] = true
		}
	}
	p.mu.Unlock()
	if d > 0 {
		time.Sleep(d)
	}
}

// collect tells who had to wait since it last did.
func (p *pace) collect() map[string]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	held := p.held
	p.held = nil
	return held
}
