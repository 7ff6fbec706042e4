package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

const (
	// maxAttempts bounds how many of a host's addresses are tried.
	maxAttempts = 8
	// stagger is the time an address has until the next is tried beside it
	// (RFC 8305, section 5).
	stagger = 250 * time.Millisecond
)

// Resolver looks names up; *net.Resolver is one. The name it is given ends in
// a dot, so that the host's search domains do not apply.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// connect resolves c's host once and connects to an address that was judged,
// and to no other: a name that resolves differently next time has nothing to
// gain (DNS rebinding).
func (p *Proxy) connect(ctx context.Context, c *conn) (*net.TCPConn, *Refusal) {
	if p.cfg.Limits.ConnectTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.cfg.Limits.ConnectTimeout)
		defer cancel()
	}
	resolved, err := p.cfg.Resolver.LookupNetIP(ctx, "ip", c.host+".")
	if err != nil {
		return nil, lookupFailure(c.host, err)
	}
	addrs := p.internal.reachable(c.host, resolved)
	if len(addrs) == 0 {
		return nil, refused(addressRefusal(c.host))
	}
	remote, err := connectAny(ctx, alternate(addrs), uint16(c.port))
	if err != nil {
		return nil, connectFailure(place(c.host, c.port), err)
	}
	return remote, nil
}

// alternate orders addresses so that a broken IPv6 or IPv4 costs one stagger
// (RFC 8305, section 4), beginning with the family of the first.
func alternate(addrs []netip.Addr) []netip.Addr {
	var same, other []netip.Addr
	for _, a := range addrs {
		if a.Is4() == addrs[0].Is4() {
			same = append(same, a)
		} else {
			other = append(other, a)
		}
	}
	out := make([]netip.Addr, 0, len(addrs))
	for len(same)+len(other) > 0 {
		if len(same) > 0 {
			out, same = append(out, same[0]), same[1:]
		}
		if len(other) > 0 {
			out, other = append(out, other[0]), other[1:]
		}
	}
	return out[:min(len(out), maxAttempts)]
}

// connectAny tries one address after the other, the next when one failed or is
// slow, and returns the first connection. No attempt outlives it.
func connectAny(ctx context.Context, addrs []netip.Addr, port uint16) (*net.TCPConn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	attempt := func(a netip.Addr) (*net.TCPConn, error) {
		return new(net.Dialer).DialTCP(ctx, "tcp", netip.AddrPort{}, netip.AddrPortFrom(a, port))
	}
	if len(addrs) == 1 {
		return attempt(addrs[0])
	}
	type result struct {
		conn *net.TCPConn
		err  error
	}
	results := make(chan result)
	pending := 0
	begin := func() {
		a := addrs[0]
		addrs = addrs[1:]
		pending++
		go func() {
			conn, err := attempt(a)
			results <- result{conn, err}
		}()
	}
	begin()
	next := time.NewTimer(stagger)
	defer next.Stop()
	var first error
	for pending > 0 {
		select {
		case r := <-results:
			pending--
			if r.err == nil {
				cancel()
				for ; pending > 0; pending-- {
					if late := <-results; late.err == nil {
						late.conn.Close()
					}
				}
				return r.conn, nil
			}
			if first == nil {
				first = r.err
			}
		case <-next.C:
		}
		if len(addrs) > 0 && ctx.Err() == nil {
			begin()
			next.Reset(stagger)
		}
	}
	return nil, first
}

// lookupFailure has the codes of Node's dns.lookup.
func lookupFailure(host string, err error) *Refusal {
	dns, ok := errors.AsType[*net.DNSError](err)
	switch {
	case errors.Is(err, context.Canceled):
		return failed("ECANCELED", "the lookup of "+host+" was given up")
	case ok && dns.IsNotFound:
		return failed("ENOTFOUND", "getaddrinfo ENOTFOUND "+host)
	}
	return failed("EAI_AGAIN", "getaddrinfo EAI_AGAIN "+host)
}

// connectFailure has the codes of Node's net.connect, without the address: it
// may be of the operator's own network.
func connectFailure(to string, err error) *Refusal {
	code := "ECONNREFUSED"
	switch {
	case errors.Is(err, context.Canceled):
		return failed("ECANCELED", "the connection to "+to+" was given up")
	case errors.Is(err, syscall.ECONNREFUSED):
	case errors.Is(err, syscall.ECONNRESET):
		code = "ECONNRESET"
	case errors.Is(err, syscall.EHOSTUNREACH):
		code = "EHOSTUNREACH"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL):
		code = "ENETUNREACH"
	default:
		code = "ETIMEDOUT"
	}
	return failed(code, fmt.Sprintf("connect %s %s", code, to))
}
