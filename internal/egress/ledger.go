package egress

import (
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"convoke"
)

const (
	// reportDelay is how long a connection's record waits for the worker's
	// report of what went over it, which may be under way when it ends.
	reportDelay = 2 * time.Second
	// maxUnsettled bounds the connections that wait so; beyond it the oldest
	// are recorded at once.
	maxUnsettled = 8192
	maxDetail    = 300
)

// ledger sees to it that what happened is recorded once: by the requests that
// the worker reports, or else by the connection. The two are matched by
// instance, host and port, not one by one: an instance that reports its
// requests to a place reports all of them.
type ledger struct {
	mu    sync.Mutex
	spots map[spot]*visits
	ended []*conn // in the order of their end
}

type spot struct {
	src  *Source
	host string
	port int
}

// visits are the connections of an instance to a place: those that are open,
// and those whose record waits.
type visits struct {
	conns map[*conn]struct{}
	// paid is for how many calls a token of the rate was taken and no report
	// has come.
	paid int
}

func (c *conn) spot() spot { return spot{c.src, c.host, c.port} }

// opened enters a connection, for which a token was taken.
func (l *ledger) opened(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.spots[c.spot()]
	if v == nil {
		v = &visits{conns: map[*conn]struct{}{}}
		l.spots[c.spot()] = v
	}
	v.conns[c] = struct{}{}
	v.paid++
}

// tookToken is told of a token for a further request on c.
func (l *ledger) tookToken(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spots[c.spot()].paid++
}

// report marks the connections to the call's place as reported and completes
// the call with what the proxy itself answered there. It reports whether no
// token was taken for it.
func (l *ledger) report(src *Source, call *convoke.Call) (unpaid bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.spots[spot{src, call.Host, call.Port}]
	if v == nil {
		return true
	}
	for c := range v.conns {
		c.reported = true
		if outcome, detail, status := c.how(); status != 0 && status == call.Status && !c.credited && call.Outcome == convoke.CallOK {
			call.Outcome, call.Detail = outcome, detail
			c.credited = true
		}
	}
	if v.paid == 0 {
		return true
	}
	v.paid--
	return false
}

// closed enters the end of a connection and returns the records that can wait
// no longer.
func (l *ledger) closed(c *conn) []convoke.Call {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.endedAt = time.Now()
	l.ended = append(l.ended, c)
	return l.settle(len(l.ended) - maxUnsettled)
}

// due returns the records of connections that ended until then.
func (l *ledger) due(until time.Time) []convoke.Call {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for n < len(l.ended) && !l.ended[n].endedAt.After(until) {
		n++
	}
	return l.settle(n)
}

// settle forgets the n connections that ended first. One is recorded if its
// requests were not reported, if it came to an end that they do not show, or if
// it came to another protocol, which workers do not report.
func (l *ledger) settle(n int) []convoke.Call {
	var calls []convoke.Call
	for n > 0 {
		c := l.ended[0]
		l.ended[0] = nil
		l.ended = l.ended[1:]
		n--
		v := l.spots[c.spot()]
		if delete(v.conns, c); len(v.conns) == 0 {
			delete(l.spots, c.spot())
		}
		outcome, _, _ := c.how()
		if _, switched := c.switched(); switched || !c.reported || outcome != convoke.CallOK && !c.credited {
			calls = append(calls, c.record())
		}
	}
	if len(l.ended) == 0 {
		l.ended = nil
	}
	return calls
}

// Report records a request that a worker made visible, on a connection that it
// was handed. src is that of the connection's Open. Of c, which comes from
// the worker, only what is plausible is kept; one without a valid host and
// port is dropped. A request on a connection that stays open takes a token of
// the function's rate like a new connection.
func (p *Proxy) Report(src *Source, c convoke.Call) {
	host, err := hostname(c.Host)
	if err != nil || c.Port < 1 || c.Port > 65535 {
		return
	}
	c.ID, c.Host = 0, host
	c.AccountID, c.FunctionID, c.Version = src.AccountID, src.FunctionID, src.Version
	if len(c.Method) > 16 || !isToken([]byte(c.Method)) {
		c.Method = ""
	}
	if c.Status < 0 || c.Status > 999 {
		c.Status = 0
	}
	now := time.Now()
	c.Sent, c.Received = max(0, c.Sent), max(0, c.Received)
	c.Took = min(max(0, c.Took), 24*time.Hour)
	if c.At.IsZero() || c.At.After(now) {
		c.At = now.Add(-c.Took)
	}
	if c.Outcome != convoke.CallFailed {
		c.Outcome, c.Detail = convoke.CallOK, ""
	}
	c.Detail = clip(c.Detail)
	if unpaid := p.ledger.report(src, &c); unpaid {
		p.rates.take(src.key())
	}
	p.cfg.Record(c)
}

func clip(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= maxDetail {
		return s
	}
	n := maxDetail
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
