package egress

import (
	"fmt"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// maxFunctions is how many functions' rates are remembered. One that falls out
// has a full burst again.
const maxFunctions = 16384

// Limits bound what functions do through the proxy. A member that is 0 is no
// limit. Connections count from the moment they are asked for.
type Limits struct {
	// Rate is how many calls a function may begin per second, as many at once
	// (spec/platform.md 3). A call is a connection, and each further request on
	// one where requests are visible: in plain HTTP, or because the worker
	// reports them. Those inside TLS are counted but cannot be answered.
	Rate                   int
	ConnectionsPerFunction int
	ConnectionsPerAccount  int
	Connections            int // of all accounts
	// BytesPerConnection counts both directions.
	BytesPerConnection int64
	ConnectTimeout     time.Duration // to resolve and to connect
	// IdleTimeout ends a connection over which nothing goes.
	IdleTimeout time.Duration
	// Life ends a connection however busy it is.
	Life time.Duration
}

type functionKey struct{ account, function string }

func (s *Source) key() functionKey { return functionKey{s.AccountID, s.FunctionID} }

// rates hold a token bucket per function.
type rates struct {
	perSecond int

	mu       sync.Mutex
	limiters *lru.Cache[functionKey, *rate.Limiter]
}

func newRates(perSecond int) *rates {
	limiters, _ := lru.New[functionKey, *rate.Limiter](maxFunctions) // fails for a size below 1 only
	return &rates{perSecond: perSecond, limiters: limiters}
}

// take reports whether the function may begin another call now.
func (r *rates) take(k functionKey) bool {
	if r.perSecond <= 0 {
		return true
	}
	r.mu.Lock()
	l, ok := r.limiters.Get(k)
	if !ok {
		l = rate.NewLimiter(rate.Limit(r.perSecond), r.perSecond)
		r.limiters.Add(k, l)
	}
	r.mu.Unlock()
	return l.Allow()
}

// refusal begins as the reference's proxy does, for functions that look for it.
func (r *rates) refusal(host string) *Refusal {
	return limited(fmt.Sprintf("429 Too Many Requests: this function may make %d calls per second, and the one to %s is beyond that; try again in a second", r.perSecond, host))
}

// admit takes places for a connection among those of its function, its account
// and all, and registers it so that a change of the rules finds it. release
// gives them back.
func (p *Proxy) admit(c *conn) *Refusal {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, key := &p.cfg.Limits, c.src.key()
	full := func(have, limit int) bool { return limit > 0 && have >= limit }
	switch {
	case p.closed:
		return unavailable("the server is stopping")
	case full(p.functions[key], l.ConnectionsPerFunction):
		return limited(fmt.Sprintf("this function has %d connections open, and no more may be; close what is not needed, or keep connections for the next call", l.ConnectionsPerFunction))
	case full(len(p.accounts[c.src.AccountID]), l.ConnectionsPerAccount):
		return limited(fmt.Sprintf("the functions of account %s have %d connections open, and no more may be; try again later", c.src.AccountID, l.ConnectionsPerAccount))
	case full(p.total, l.Connections):
		return limited(fmt.Sprintf("the server has %d connections open, and no more may be; try again later", l.Connections))
	}
	p.functions[key]++
	if p.accounts[c.src.AccountID] == nil {
		p.accounts[c.src.AccountID] = map[*conn]struct{}{}
	}
	p.accounts[c.src.AccountID][c] = struct{}{}
	p.total++
	p.running.Add(1)
	return nil
}

func (p *Proxy) release(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := c.src.key()
	if p.functions[key]--; p.functions[key] == 0 {
		delete(p.functions, key)
	}
	delete(p.accounts[c.src.AccountID], c)
	if len(p.accounts[c.src.AccountID]) == 0 {
		delete(p.accounts, c.src.AccountID)
	}
	p.total--
	p.running.Done()
}

// Use is what an account uses at one moment of what is limited: of what holds
// for each function, the busiest one's.
type Use struct {
	Calls                  int // of Limits.Rate; -1 without one
	ConnectionsPerFunction int
	Connections            int
}

// Use returns what the account uses.
func (p *Proxy) Use(accountID string) (u Use) {
	u.Calls = p.rates.busiest(accountID)
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, n := range p.functions {
		if key.account == accountID {
			u.ConnectionsPerFunction = max(u.ConnectionsPerFunction, n)
		}
	}
	u.Connections = len(p.accounts[accountID])
	return u
}

// busiest is how many calls of its second the busiest function of the account
// has begun.
func (r *rates) busiest(accountID string) (used int) {
	if r.perSecond <= 0 {
		return -1
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.limiters.Keys() {
		if l, ok := r.limiters.Peek(k); ok && k.account == accountID {
			used = max(used, r.perSecond-int(l.Tokens()))
		}
	}
	return used
}
