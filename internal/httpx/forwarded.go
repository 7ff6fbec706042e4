package httpx

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
)

// origin is where a request came from, as a trusted proxy tells it.
type origin struct {
	ip           netip.Addr
	scheme, host string // "" when the proxy does not tell
}

type originKey struct{}

// TrustProxies makes ClientIP, Scheme and Host tell what a reverse proxy in
// one of the networks says of a request: in Forwarded (RFC 7239) or in the
// X-Forwarded headers. From anybody else these headers mean nothing. It goes
// around everything that asks; without networks it is next itself.
//
// The client is the last hop that is not a trusted proxy: what stands before
// it the client could have written itself. When both kinds of header are there
// and name different clients, one of them came from outside through a proxy
// that knows the other kind only, and neither is believed.
func TrustProxies(networks []netip.Prefix, next http.Handler) http.Handler {
	if len(networks) == 0 {
		return next
	}
	p := proxies(networks)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if peer := peerIP(r); p.trust(peer) {
			r = r.WithContext(context.WithValue(r.Context(), originKey{}, p.origin(peer, r.Header)))
		}
		next.ServeHTTP(w, r)
	})
}

// ClientIP is the address that made the request, for records and rate limits:
// of the client, where a trusted proxy tells it, or of the other end of the
// connection. It is the zero Addr when that has none.
func ClientIP(r *http.Request) netip.Addr {
	if o, ok := r.Context().Value(originKey{}).(origin); ok {
		return o.ip
	}
	return peerIP(r)
}

// Scheme is "https" or "http", as the client used it.
func Scheme(r *http.Request) string {
	if o, ok := r.Context().Value(originKey{}).(origin); ok && o.scheme != "" {
		return o.scheme
	}
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// Host is the host, with the port if there is one, that the client asked.
func Host(r *http.Request) string {
	if o, ok := r.Context().Value(originKey{}).(origin); ok && o.host != "" {
		return o.host
	}
	return r.Host
}

// remote is the client for the log line: with its port where we see it.
func remote(r *http.Request) string {
	if o, ok := r.Context().Value(originKey{}).(origin); ok {
		return o.ip.String()
	}
	return r.RemoteAddr
}

func peerIP(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return plainIP(peer.Addr())
}

// plainIP makes one address of the ways in which it can be written.
func plainIP(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

type proxies []netip.Prefix

func (p proxies) trust(a netip.Addr) bool {
	for _, n := range p {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// origin reads the headers of a request that peer, a trusted proxy, passed on.
func (p proxies) origin(peer netip.Addr, h http.Header) origin {
	xFor, xProto, xHost := h["X-Forwarded-For"], h["X-Forwarded-Proto"], h["X-Forwarded-Host"]
	standard := h["Forwarded"]
	x := origin{ip: p.client(peer, xForHops(xFor)), scheme: validScheme(last(xProto)), host: validHost(last(xHost))}
	if len(standard) == 0 {
		return x
	}
	hops := forwardedHops(standard)
	f := origin{ip: p.client(peer, hops)}
	if len(hops) > 0 { // the nearest proxy's own words
		f.scheme, f.host = validScheme(hops[len(hops)-1].proto), validHost(hops[len(hops)-1].host)
	}
	switch {
	case len(xFor) == 0 && len(xProto) == 0 && len(xHost) == 0:
		return f
	case f.ip == x.ip:
		return x
	default:
		return origin{ip: peer}
	}
}

// hop is one element of a list of forwarding proxies. addr is not valid when
// the proxy hides it or nobody can read it.
type hop struct {
	addr        netip.Addr
	proto, host string
}

// client walks from peer towards the client as long as it can believe who
// tells it the next hop.
func (p proxies) client(peer netip.Addr, hops []hop) netip.Addr {
	at := peer
	for i := len(hops) - 1; i >= 0 && p.trust(at) && hops[i].addr.IsValid(); i-- {
		at = hops[i].addr
	}
	return at
}

func xForHops(lines []string) []hop {
	var hops []hop
	for _, line := range lines {
		for entry := range strings.SplitSeq(line, ",") {
			hops = append(hops, hop{addr: nodeIP(strings.TrimSpace(entry))})
		}
	}
	return hops
}

// nodeIP reads an address with or without a port, the zero Addr when it is none.
func nodeIP(s string) netip.Addr {
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return plainIP(a)
	}
	if a, err := netip.ParseAddrPort(s); err == nil {
		return plainIP(a.Addr())
	}
	return netip.Addr{}
}

// forwardedHops reads RFC 7239. An element that breaks its grammar has no
// address, which ends the walk of client there.
func forwardedHops(lines []string) []hop {
	var hops []hop
	for _, line := range lines {
		for element := range splitQuoted(line, ',') {
			var h hop
			for pair := range splitQuoted(element, ';') {
				name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
				value = unquote(value)
				switch strings.ToLower(name) {
				case "for":
					h.addr = nodeIP(value)
				case "proto":
					h.proto = value
				case "host":
					h.host = value
				}
			}
			hops = append(hops, h)
		}
	}
	return hops
}

// splitQuoted yields the parts of s between separators that stand outside of
// quoted strings.
func splitQuoted(s string, separator byte) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		start, quoted := 0, false
		for i := 0; i < len(s); i++ {
			switch {
			case quoted && s[i] == '\\':
				i++ // what is escaped ends nothing
			case s[i] == '"':
				quoted = !quoted
			case s[i] == separator && !quoted:
				if !yield(s[start:i]) {
					return
				}
				start = i + 1
			}
		}
		yield(s[start:])
	}
}

// unquote takes the quotes of a value off. Addresses, schemes and hosts need
// no escapes, so one that has some is not any of these and stays unreadable.
func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// last is the last element of a header, which the nearest proxy wrote.
func last(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	line := lines[len(lines)-1]
	return strings.TrimSpace(line[strings.LastIndexByte(line, ',')+1:])
}

func validScheme(s string) string {
	if s = strings.ToLower(s); s == "http" || s == "https" {
		return s
	}
	return ""
}

// validHost keeps what could not stand in a URL out of those that are built
// with it.
func validHost(s string) string {
	if len(s) > 260 {
		return ""
	}
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._:[]", c) >= 0) {
			return ""
		}
	}
	return s
}
