package egress

import (
	"fmt"
	"net/netip"
	"slices"

	"convoke"
)

// notPublic are the IPv4 networks that are not of the public internet, by the
// IANA special-purpose registry (RFC 6890 and its successors).
var notPublic = prefixes(
	"0.0.0.0/8",       // this network
	"10.0.0.0/8",      // private, RFC 1918
	"100.64.0.0/10",   // behind a carrier's NAT, RFC 6598
	"127.0.0.0/8",     // loopback
	"169.254.0.0/16",  // link-local, with most metadata services
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // protocol assignments
	"192.0.2.0/24",    // documentation
	"192.88.99.0/24",  // 6to4 relays, RFC 7526
	"192.168.0.0/16",  // private
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"224.0.0.0/4",     // multicast
	"240.0.0.0/4",     // reserved, and broadcast
)

// global is what IANA has handed out of IPv6. Everything else is not public:
// loopback, unique local, link-local, site-local, multicast, IPv4-compatible,
// NAT64 (64:ff9b::/96, 64:ff9b:1::/48), discard only.
var global = netip.MustParsePrefix("2000::/3")

// notGlobal are the parts of it that are not public after all. Tunnels carry
// an IPv4 address that the tunnel's end would have to judge, so they are out
// as a whole.
var notGlobal = prefixes(
	"2001::/23",     // protocol assignments: Teredo, ORCHID, benchmarks
	"2001:db8::/32", // documentation
	"2002::/16",     // 6to4
	"3fff::/20",     // documentation, RFC 9637
)

// metadata are the addresses at which clouds hand credentials to whoever asks.
// Naming a network around one, or a host, does not open it.
var metadata = addresses(
	"169.254.169.254", "fd00:ec2::254", // most clouds; Amazon's for IPv6
	"169.254.170.2", "169.254.170.23", "fd00:ec2::23", // Amazon's, for containers
	"fd20:ce::254",                 // Google's for IPv6
	"100.100.100.200",              // Alibaba's
	"192.0.0.192",                  // Oracle's
	"168.63.129.16",                // Azure's wire server, which looks public
	"169.254.42.42", "fd00:42::42", // Scaleway's
)

// internal is what the operator lets functions reach besides the public
// internet. An account's allowed domains must name it all the same.
type internal struct {
	names    allowList
	networks []netip.Prefix
}

// parseInternal reads host names with an optional leading wildcard, addresses
// and networks, and returns CodeValidation for anything else.
func parseInternal(entries []string) (*internal, error) {
	in := &internal{}
	var domains []*convoke.Domain
	for _, text := range entries {
		if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
			addr = addr.Unmap()
			in.networks = append(in.networks, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		if network, err := netip.ParsePrefix(text); err == nil {
			in.networks = append(in.networks, network.Masked())
			continue
		}
		name, port, err := convoke.ParseDomain(text)
		if err != nil || port != 0 {
			return nil, convoke.Errorf(convoke.CodeValidation, "%q is no internal host or network; give a name such as *.corp.example, an address or a network such as 10.1.0.0/16", text)
		}
		domains = append(domains, &convoke.Domain{Name: name})
	}
	in.names = compile(domains)
	return in, nil
}

// reachable returns those of a host's addresses that may be dialled, in their
// plain form. A mixture of public and other addresses is cut down, not
// refused: split-horizon names have it, and only what was judged is dialled.
func (in *internal) reachable(host string, resolved []netip.Addr) []netip.Addr {
	named := in.names.match(host, 443) != ""
	var out []netip.Addr
	for _, a := range resolved {
		a = a.Unmap()
		if in.allows(a, named) && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

func (in *internal) allows(a netip.Addr, hostIsNamed bool) bool {
	inside := func(p netip.Prefix) bool { return p.Contains(a) }
	switch {
	case a.Zone() != "":
		return false
	case slices.Contains(metadata, a):
		return slices.ContainsFunc(in.networks, func(p netip.Prefix) bool { return p.IsSingleIP() && inside(p) })
	case hostIsNamed || slices.ContainsFunc(in.networks, inside):
		return true
	case a.Is4():
		return !slices.ContainsFunc(notPublic, inside)
	}
	return global.Contains(a) && !slices.ContainsFunc(notGlobal, inside)
}

func prefixes(text ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(text))
	for i, t := range text {
		out[i] = netip.MustParsePrefix(t)
	}
	return out
}

func addresses(text ...string) []netip.Addr {
	out := make([]netip.Addr, len(text))
	for i, t := range text {
		out[i] = netip.MustParseAddr(t)
	}
	return out
}

// place writes a host and port as convoke.Domain does: the port only where an
// entry needs it.
func place(host string, port int) string {
	d := convoke.Domain{Name: host, Port: port}
	if port == 80 || port == 443 {
		d.Port = 0
	}
	return d.String()
}

// addressRefusal explains that a name is fine but where it points is not.
func addressRefusal(host string) string {
	return fmt.Sprintf("%s has no public address; functions reach an internal one only if the operator names the host or its network in the server's settings", host)
}
