package egress

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"convoke"
)

const (
	sweepEvery = time.Second
	// enforceEvery is how often open connections are judged again, for changes
	// made by another process.
	enforceEvery = 10 * time.Second
)

// DomainLister reads an account's allowed domains; convoke.DomainStore does.
type DomainLister interface {
	ListDomains(ctx context.Context, accountID string) ([]*convoke.Domain, error)
}

// Config is what a Proxy needs.
type Config struct {
	Domains DomainLister
	// Record takes the records of calls. It must not block.
	Record func(convoke.Call)
	// Internal are the host names (with an optional leading wildcard),
	// addresses and networks that functions may reach although they are not of
	// the public internet. A name may resolve to any address but a metadata
	// service's, which is only reached if it is named itself.
	Internal []string
	Limits   Limits
	Resolver Resolver // nil is net.DefaultResolver
	Observer Observer
	Logger   *slog.Logger
}

// Proxy opens connections for functions. Make it with New and run it with Run.
type Proxy struct {
	cfg      Config
	internal *internal
	policy   *policy
	rates    *rates
	ledger   ledger

	ctx     context.Context // of everything that Run owns
	cancel  context.CancelFunc
	running sync.WaitGroup // calls of Open, and the connections

	mu        sync.Mutex
	closed    bool
	functions map[functionKey]int
	accounts  map[string]map[*conn]struct{}
	total     int
}

// New returns a proxy. It returns CodeValidation when an entry of
// cfg.Internal is neither a host nor a network.
func New(cfg Config) (*Proxy, error) {
	if cfg.Resolver == nil {
		cfg.Resolver = net.DefaultResolver
	}
	cfg.Logger = cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler))
	in, err := parseInternal(cfg.Internal)
	if err != nil {
		return nil, err
	}
	p := &Proxy{
		cfg: cfg, internal: in, policy: newPolicy(cfg.Domains), rates: newRates(cfg.Limits.Rate),
		ledger:    ledger{spots: map[spot]*visits{}},
		functions: map[functionKey]int{}, accounts: map[string]map[*conn]struct{}{},
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p, nil
}

// Open makes the connection that a function asks for, if the rules allow it,
// and returns the worker's end of it: a connected stream socket, closed on
// exec and not blocking. Closing every copy of it ends the connection; ctx
// ends only the attempt. Without a connection it returns why:
//
//   - CodeRefused when the host is no name, the account's allowed domains or
//     the function's own do not cover it, or it has no address that may be
//     reached;
//   - CodeLimited beyond a limit. Beyond the rate, a function that will not
//     speak TLS gets a socket all the same, on which its request is answered
//     with 429;
//   - CodeUnavailable when the rules cannot be read or the server stops;
//   - a code of the operating system, as Node has it, when resolving or
//     connecting fails.
func (p *Proxy) Open(ctx context.Context, r Request) (*os.File, *Refusal) {
	c := &conn{
		p: p, src: r.Source, requestID: r.RequestID, host: brief(r.Host), port: r.Port,
		at: time.Now(), back: make(chan struct{}),
	}
	c.exchange.init()
	ctx, c.cancel = context.WithCancel(ctx)
	defer context.AfterFunc(p.ctx, c.cancel)()
	defer c.cancel()
	file, refusal := p.open(ctx, c, r)
	if refusal != nil {
		c.mu.Lock()
		c.outcome, c.detail = refusal.Outcome, refusal.Message
		c.mu.Unlock()
		c.endedAt = time.Now()
		p.cfg.Record(c.record())
		p.observe(c)
	}
	return file, refusal
}

// open is Open without the record.
func (p *Proxy) open(ctx context.Context, c *conn, r Request) (*os.File, *Refusal) {
	host, err := hostname(r.Host)
	if err != nil {
		return nil, refused(err.Error())
	}
	if c.host = host; r.Port < 1 || r.Port > 65535 {
		return nil, refused(fmt.Sprintf("%d is no port; use one from 1 to 65535", r.Port))
	}
	// Registered before it is judged, so that Changed finds it or it finds the
	// change.
	if refusal := p.admit(c); refusal != nil {
		return nil, refusal
	}
	file, refusal := p.dial(ctx, c, r.TLS)
	if refusal != nil {
		c.mu.Lock()
		if c.closed { // which is why the attempt failed
			refusal = c.cutOff()
		}
		c.mu.Unlock()
		p.release(c)
	}
	return file, refusal
}

func (p *Proxy) dial(ctx context.Context, c *conn, tls bool) (*os.File, *Refusal) {
	if refusal := p.judge(ctx, c.src, c.host, c.port, c); refusal != nil {
		return nil, refusal
	}
	if !p.rates.take(c.src.key()) {
		refusal := p.rates.refusal(place(c.host, c.port))
		if tls {
			return nil, refusal
		}
		return c.turnAway(refusal)
	}
	remote, refusal := p.connect(ctx, c)
	if refusal != nil {
		return nil, refusal
	}
	p.cfg.Observer.connected(time.Since(c.at))
	return c.open(remote)
}

// judge asks the rules whether src may call a host that the function named,
// and notes in c, if there is one, what covers it.
func (p *Proxy) judge(ctx context.Context, src *Source, named string, port int, c *conn) *Refusal {
	host, err := hostname(named)
	if err != nil {
		return refused(err.Error())
	}
	v, err := p.policy.judge(ctx, src, host, port)
	switch {
	case err != nil && ctx.Err() != nil:
		return failed("ECANCELED", "the connection to "+place(host, port)+" was given up")
	case err != nil:
		p.cfg.Logger.Error("the allowed domains cannot be read", "account", src.AccountID, "err", err)
		return unavailable("the allowed domains cannot be read just now; try again")
	case v.why != "":
		return refused(v.why)
	}
	if c != nil {
		c.mu.Lock()
		c.entry = v.entry
		c.mu.Unlock()
	}
	return nil
}

// finish is the end of a connection that was open.
func (p *Proxy) finish(c *conn) {
	p.observe(c)
	p.record(p.ledger.closed(c))
	p.release(c)
}

func (p *Proxy) observe(c *conn) {
	outcome, _, _ := c.how()
	c.mu.Lock()
	entry := c.entry
	c.mu.Unlock()
	p.cfg.Observer.ended(End{Outcome: outcome, Entry: entry, Sent: c.sent.Load(), Received: c.received.Load()})
}

func (p *Proxy) record(calls []convoke.Call) {
	for _, c := range calls {
		p.cfg.Record(c)
	}
}

// Changed makes a change of an account's allowed domains count: for every call
// that begins once it returns, and for the connections that are open, of
// which it closes those no longer allowed. If the domains cannot be read it
// closes them all.
func (p *Proxy) Changed(accountID string) {
	p.policy.changed(accountID)
	if err := p.enforce(accountID); err != nil {
		p.cfg.Logger.Error("connections are closed because the allowed domains cannot be read", "account", accountID, "err", err)
		for _, c := range p.conns(accountID) {
			c.end(convoke.CallRefused, "closed: the allowed domains changed and cannot be read")
		}
	}
}

// enforce ends the connections of an account that the rules do not allow, or
// returns the error of the store.
func (p *Proxy) enforce(accountID string) error {
	for _, c := range p.conns(accountID) {
		for _, name := range c.names() {
			host, err := hostname(name)
			if err != nil {
				continue // a server name that is being refused
			}
			v, err := p.policy.judge(p.ctx, c.src, host, c.port)
			if err != nil {
				return err
			}
			if v.why != "" {
				c.end(convoke.CallRefused, "closed: "+v.why)
			}
		}
	}
	return nil
}

func (p *Proxy) conns(accountID string) []*conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	conns := make([]*conn, 0, len(p.accounts[accountID]))
	for c := range p.accounts[accountID] {
		conns = append(conns, c)
	}
	return conns
}

// Run watches over the connections until ctx ends and then closes them all.
// When it returns, nothing of the proxy runs and every record was handed over.
func (p *Proxy) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	enforced := time.Now()
	for {
		select {
		case <-ctx.Done():
			p.close()
			return nil
		case now := <-tick.C:
			p.sweep(now)
			if now.Sub(enforced) >= enforceEvery {
				enforced = now
				p.enforceAll()
			}
		}
	}
}

// sweep ends connections whose worker is gone, that are idle or that are too
// old, and records those that ended. One look per second at every connection
// is cheaper than a timer per packet.
func (p *Proxy) sweep(now time.Time) {
	l := &p.cfg.Limits
	for _, accountID := range p.accountIDs() {
		for _, c := range p.conns(accountID) {
			c.mu.Lock()
			worker := c.worker
			c.mu.Unlock()
			if worker == nil {
				continue // being dialled, which has a limit of its own
			}
			if n := c.bytes(); c.seenAt.IsZero() || n != c.seenBytes {
				c.seenBytes, c.seenAt = n, now
			}
			switch {
			case gone(worker):
				c.end(convoke.CallOK, "")
			case l.IdleTimeout > 0 && now.Sub(c.seenAt) >= l.IdleTimeout:
				c.end(convoke.CallOK, "")
			case l.Life > 0 && now.Sub(c.at) >= l.Life:
				c.end(convoke.CallLimited, fmt.Sprintf("closed: a connection may be open for %s", l.Life))
			}
		}
	}
	p.record(p.ledger.due(now.Add(-reportDelay)))
}

func (p *Proxy) accountIDs() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids := make([]string, 0, len(p.accounts))
	for id := range p.accounts {
		ids = append(ids, id)
	}
	return ids
}

func (p *Proxy) enforceAll() {
	for _, id := range p.accountIDs() {
		if err := p.enforce(id); err != nil {
			// Nothing is known to have changed, so what is open stays.
			p.cfg.Logger.Warn("open connections were not compared with the allowed domains", "account", id, "err", err)
		}
	}
}

func (p *Proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cancel()
	for _, id := range p.accountIDs() {
		for _, c := range p.conns(id) {
			c.end(convoke.CallOK, "")
		}
	}
	p.running.Wait()
	p.record(p.ledger.due(time.Now()))
}
