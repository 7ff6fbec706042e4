package egress

import (
	"bytes"
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"convoke"
)

// FuzzReachable compares with what netip itself says of an address: nothing
// that is not of the public internet is ever dialled, however it is written.
func FuzzReachable(f *testing.F) {
	for _, text := range []string{
		"8.8.8.8", "2606:4700::1111", "127.0.0.1", "10.0.0.1", "169.254.169.254", "168.63.129.16", "::1", "::ffff:10.0.0.1", "::10.0.0.1", "::ffff:0:10.0.0.1",
		"64:ff9b::10.0.0.1", "64:ff9b:1::a00:1", "2002:a00:1::", "2001::f5ff:fffe", "fe80::1", "fec0::1", "fd00:ec2::254", "ff02::1", "3fff::1", "2000::", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	} {
		f.Add(netip.MustParseAddr(text).AsSlice(), "")
	}
	f.Add(netip.MustParseAddr("2606:4700::1").AsSlice(), "eth0")
	none, err := parseInternal(nil)
	if err != nil {
		f.Fatal(err)
	}
	some, err := parseInternal([]string{"*.corp.example", "10.1.0.0/16", "fd00::/8", "169.254.0.0/16"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte, zone string) {
		written, ok := netip.AddrFromSlice(raw)
		if !ok {
			return
		}
		if written.Is6() {
			written = written.WithZone(zone)
		}
		got := none.reachable("api.example.com", []netip.Addr{written})
		for _, a := range got {
			if a != written.Unmap() {
				t.Errorf("%s is dialled as %s", written, a)
			}
			if why := special(a); why != "" {
				t.Errorf("%s is dialled although it is %s", written, why)
			}
		}
		// What one reader sees inside an address is refused with it.
		if inner, ok := embedded(written); ok && len(got) > 0 {
			t.Errorf("%s is dialled, which carries %s", written, inner)
		}
		for _, a := range some.reachable("db.corp.example", []netip.Addr{written}) {
			if a == netip.MustParseAddr("169.254.169.254") || a == netip.MustParseAddr("fd00:ec2::254") || a == netip.MustParseAddr("168.63.129.16") || a.Zone() != "" {
				t.Errorf("an internal name reaches %s", a)
			}
		}
		for _, a := range some.reachable("api.example.com", []netip.Addr{written}) {
			inside := netip.MustParsePrefix("10.1.0.0/16").Contains(a) || netip.MustParsePrefix("fd00::/8").Contains(a) || netip.MustParsePrefix("169.254.0.0/16").Contains(a)
			if why := special(a); why != "" && !inside {
				t.Errorf("%s is dialled although it is %s and of no network that was named", a, why)
			}
		}
	})
}

// special says by netip's own predicates, and for what it has none for by the
// first bits, why an address is not of the public internet.
func special(a netip.Addr) string {
	b := a.As16()
	switch {
	case a.Zone() != "":
		return "of one link"
	case a.Is4In6():
		return "IPv4 in IPv6"
	case a.IsUnspecified(), a.IsLoopback(), a.IsPrivate(), a.IsLinkLocalUnicast():
		return "of this host, network or link"
	case a.IsMulticast(), !a.IsGlobalUnicast():
		return "no single host"
	case a.Is4() && (a.As4()[0] == 0 || a.As4()[0] >= 224 || a.As4()[0] == 100 && a.As4()[1]&0xc0 == 64):
		return "of this network, reserved or behind a carrier's NAT"
	case a.Is6() && b[0]>>5 != 1:
		return "of no part of IPv6 that was handed out"
	case a == netip.MustParseAddr("168.63.129.16"):
		return "a cloud's"
	}
	return ""
}

// embedded is the IPv4 address that a translator or a tunnel would take from
// one of IPv6.
func embedded(a netip.Addr) (netip.Addr, bool) {
	if !a.Is6() || a.Is4In6() {
		return netip.Addr{}, false
	}
	b := a.As16()
	four := func(at int) (netip.Addr, bool) { return netip.AddrFrom4([4]byte(b[at : at+4])), true }
	switch {
	case bytes.HasPrefix(b[:], []byte{0, 0x64, 0xff, 0x9b}): // NAT64
		return four(12)
	case bytes.Equal(b[:12], make([]byte, 12)): // IPv4-compatible
		return four(12)
	case bytes.Equal(b[:8], make([]byte, 8)) && b[8] == 0xff && b[9] == 0xff: // IPv4-translated
		return four(12)
	case b[0] == 0x20 && b[1] == 0x02: // 6to4
		return four(2)
	case bytes.HasPrefix(b[:], []byte{0x20, 0x01, 0, 0}): // Teredo
		return four(12)
	}
	return netip.Addr{}, false
}

// FuzzNoAddressIsAName compares hostname with readers of addresses that a
// resolver may be: what it takes for a name none of them takes for an address.
func FuzzNoAddressIsAName(f *testing.F) {
	for _, text := range []string{
		"127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "127.0.0.1.", "①②⑦.0.0.1", "１２７.１", "127。0。0。1", "[::1]", "::1", "::ffff:127.0.0.1", "fe80::1%eth0",
		"0x", "0x.0x", "1.2.3.08", "a.0x7f", "a.1", "example.com.0x0", "localhost", "LOCALHOST.", "api.example.com", "xn--127-0-0-1.example", "127.0.0.1.example.com", "\u00ad127.0.0.1", "127.0.0.1\u200b", "0x7f.0.0.１",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, written string) {
		host, err := hostname(written)
		if err != nil {
			return
		}
		for _, text := range []string{host, host + "."} {
			if a, err := netip.ParseAddr(strings.Trim(text, "[].")); err == nil {
				t.Errorf("hostname(%q) = %q, which netip reads as %s", written, host, a)
			}
			if a, ok := inetAton(strings.TrimSuffix(text, ".")); ok {
				t.Errorf("hostname(%q) = %q, which inet_aton reads as %s", written, host, a)
			}
		}
		// An allow-list takes it, and takes it for the same.
		name, port, err := convoke.ParseDomain(host)
		if err != nil || name != host || port != 0 {
			t.Errorf("hostname(%q) = %q, which as a domain is %q and %d, %v", written, host, name, port, err)
		}
	})
}

// inetAton reads as the C library does: one to four parts, decimal, octal or
// hexadecimal, the last of which fills what is left.
func inetAton(text string) (netip.Addr, bool) {
	parts := strings.Split(text, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var value uint64
	for i, part := range parts {
		base := 10
		switch lower := strings.ToLower(part); {
		case strings.HasPrefix(lower, "0x"):
			base, part = 16, lower[2:]
			if part == "" {
				part = "0" // as browsers read it
			}
		case len(part) > 1 && part[0] == '0':
			base = 8
		}
		n, err := strconv.ParseUint(part, base, 33)
		left := uint(8 * (4 - i))
		if i < len(parts)-1 {
			left = 8
		}
		if err != nil || n >= 1<<left {
			return netip.Addr{}, false
		}
		if i == len(parts)-1 {
			value |= n
		} else {
			value |= n << (8 * (3 - i))
		}
	}
	return netip.AddrFrom4([4]byte{byte(value >> 24), byte(value >> 16), byte(value >> 8), byte(value)}), true
}

// FuzzNamed holds that whatever a request names, in its target, by CONNECT or in
// its Host field, either is judged as one name and port, or the request is
// refused: on a connection to one allowed host it reaches no other.
func FuzzNamed(f *testing.F) {
	for _, c := range [][3]string{
		{"GET", "/", "ok.in.test"}, {"GET", "/", "ok.in.test:80"}, {"GET", "http://evil.example/", "ok.in.test"}, {"CONNECT", "evil.example:443", "ok.in.test"}, {"CONNECT", "ok.in.test:22", "ok.in.test"},
		{"GET", "http://ok.in.test@evil.example/", "ok.in.test"}, {"GET", "http://ok.in.test\\@evil.example", "ok.in.test"}, {"GET", "/", "127.0.0.1"}, {"GET", "/", "[::1]:80"}, {"GET", "/", "OK.in.test."},
		{"GET", "http://127.1:80/", "ok.in.test"}, {"GET", "https://0x7f000001", "ok.in.test"}, {"OPTIONS", "*", "ok.in.test"}, {"CONNECT", "[::ffff:7f00:1]:80", "ok.in.test"}, {"CONNECT", "ok.in.test", "ok.in.test:080"}, {"CONNECT", ":22", "ok.in.test"},
	} {
		f.Add(c[0], c[1], c[2])
	}
	b := still(f, nil)
	b.domains.set("1", "ok.in.test", "*.wild.test")
	b.Changed("1")
	allowed := func(text string) bool {
		host := text
		if i := strings.LastIndexByte(text, ':'); i >= 0 && isDigits(text[i+1:]) {
			host = text[:i]
		}
		host = strings.ToLower(strings.TrimSuffix(host, "."))
		_, address := inetAton(host)
		return !address && (host == "ok.in.test" || strings.HasSuffix(host, ".wild.test"))
	}
	f.Fuzz(func(t *testing.T, method, target, host string) {
		head := method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n"
		l := &lookahead{r: strings.NewReader(head)}
		seen, err := readHead(l)
		if err != nil || len(seen) != len(head) {
			return
		}
		r, err := parseRequest(seen)
		if err != nil {
			return
		}
		c := &conn{p: b.Proxy, src: b.src, host: "ok.in.test", port: 443}
		if c.judge(r, true) != nil {
			return
		}
		for _, named := range []string{r.host, r.target} {
			if named != "" && isASCII(named) && !allowed(named) {
				t.Errorf("%q lets a request for %q through", head, named)
			}
		}
		if at := strings.LastIndexByte(r.target, ':'); r.method == "CONNECT" && at >= 0 && isDigits(r.target[at+1:]) {
			if port, err := strconv.Atoi(r.target[at+1:]); err != nil || port != 443 && port != 80 {
				t.Errorf("%q lets a tunnel to port %s through", head, r.target[at+1:])
			}
		}
	})
}

// FuzzAllowList compares the list that is asked with the rule that it stands
// for, on the names that hostname lets through.
func FuzzAllowList(f *testing.F) {
	f.Add("*.example.com", "api.example.com", 443)
	f.Add("example.com:8443", "example.com", 8443)
	f.Add("*.example.com", "example.com.evil.example", 80)
	f.Fuzz(func(t *testing.T, entry, written string, port int) {
		host, err := hostname(written)
		if err != nil || port < 1 || port > 65535 {
			return
		}
		name, at, err := convoke.ParseDomain(entry)
		if err != nil {
			if convoke.ErrorCode(err) != convoke.CodeInvalidDomain {
				t.Errorf("ParseDomain(%q): %v", entry, err)
			}
			return
		}
		domains := []*convoke.Domain{{Name: name, Port: at}}
		want := slices.ContainsFunc(domains, func(d *convoke.Domain) bool { return d.Allows(host, port) })
		if got := compile(domains).match(host, port) != ""; got != want {
			t.Errorf("%q covers %s:%d: %v, and by the rule %v", entry, host, port, got, want)
		}
		if want && !strings.HasSuffix(host, strings.TrimPrefix(name, "*")) {
			t.Errorf("%q covers %s", entry, host)
		}
		p := newPolicy(fixed(domains))
		v, err := p.judge(context.Background(), &Source{AccountID: "1", Only: []string{entry}}, host, port)
		if err != nil || (v.why == "") != want {
			t.Errorf("%q narrowed to itself covers %s:%d: %+v, %v", entry, host, port, v, err)
		}
	})
}

// fixed is a list of domains that is every account's.
type fixed []*convoke.Domain

func (l fixed) ListDomains(context.Context, string) ([]*convoke.Domain, error) { return l, nil }
