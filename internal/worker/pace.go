package worker

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// What an account may log in a second while it shares the machine. Storing an
// entry costs the server some 30 µs of a processor, in front of which the
// workers' priorities do not count; without a bound a flood of them would take
// a whole one from all neighbours.
const (
	logRate  = 5000
	logBurst = 2 * logRate
)

// pace holds back workers of accounts that log without measure: nothing is
// lost, who writes waits (docs/adr/0006). The zero value holds nobody back.
type pace struct {
	mu       sync.Mutex
	limiters map[string]*rate.Limiter // by account; nil while one has the machine to itself
}

// share begins and ends the bound. It keeps the limiters of accounts that have
// workers; a new one begins with its burst.
func (p *pace) share(accounts map[string]time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(accounts) < 2 {
		p.limiters = nil
		return
	}
	limiters := make(map[string]*rate.Limiter, len(accounts))
	for account := range accounts {
		if limiters[account] = p.limiters[account]; limiters[account] == nil {
			limiters[account] = rate.NewLimiter(logRate, logBurst)
		}
	}
	p.limiters = limiters
}

// wait returns when the account may log one more entry. That is soon: each
// worker asks for one at a time.
func (p *pace) wait(account string) {
	p.mu.Lock()
	l := p.limiters[account]
	p.mu.Unlock()
	if l == nil {
		return
	}
	if d := l.Reserve().Delay(); d > 0 {
		time.Sleep(d)
	}
}
