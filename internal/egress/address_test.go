package egress

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"convoke"
)

func TestReachable(t *testing.T) {
	t.Parallel()
	none, err := parseInternal(nil)
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]bool{
		"8.8.8.8":                           true,
		"1.1.1.1":                           true,
		"172.15.255.255":                    true,
		"172.32.0.0":                        true,
		"100.63.255.255":                    true,
		"100.128.0.0":                       true,
		"198.17.255.255":                    true,
		"223.255.255.255":                   true,
		"::ffff:8.8.8.8":                    true,
		"2001:4860:4860::8888":              true,
		"2606:4700::1111":                   true,
		"2a00:1450:4001::1":                 true,
		"0.0.0.0":                           false,
		"0.1.2.3":                           false,
		"10.0.0.1":                          false,
		"100.64.0.1":                        false,
		"127.0.0.1":                         false,
		"127.255.255.254":                   false,
		"169.254.1.1":                       false,
		"169.254.169.254":                   false,
		"172.16.0.1":                        false,
		"172.31.255.255":                    false,
		"192.0.0.8":                         false,
		"192.0.2.1":                         false,
		"192.88.99.1":                       false,
		"192.168.1.1":                       false,
		"198.18.0.1":                        false,
		"198.19.255.255":                    false,
		"198.51.100.1":                      false,
		"203.0.113.1":                       false,
		"224.0.0.1":                         false,
		"239.255.255.255":                   false,
		"240.0.0.1":                         false,
		"255.255.255.255":                   false,
		"100.100.100.200":                   false,
		"168.63.129.16":                     false,
		"::":                                false,
		"::1":                               false,
		"::ffff:127.0.0.1":                  false,
		"::ffff:10.0.0.1":                   false,
		"::ffff:169.254.169.254":            false,
		"::127.0.0.1":                       false, // IPv4-compatible
		"::8.8.8.8":                         false,
		"64:ff9b::7f00:1":                   false, // NAT64 of 127.0.0.1
		"64:ff9b::808:808":                  false,
		"64:ff9b:1::a00:1":                  false,
		"100::1":                            false,
		"2001::1":                           false, // Teredo
		"2001:0:7f00:1:8000:6330:80ff:fffe": false,
		"2001:2::1":                         false,
		"2001:10::1":                        false,
		"2001:db8::1":                       false,
		"2002:7f00:1::":                     false, // 6to4 of 127.0.0.1
		"2002:808:808::1":                   false,
		"3fff::1":                           false,
		"5f00::1":                           false,
		"fc00::1":                           false,
		"fd00:ec2::254":                     false,
		"fd12:3456::1":                      false,
		"fe80::1":                           false,
		"fe80::1%eth0":                      false,
		"2606:4700::1111%eth0":              false,
		"fec0::1":                           false,
		"ff02::1":                           false,
		"ff0e::1":                           false,
	} {
		got := len(none.reachable("api.example.com", []netip.Addr{netip.MustParseAddr(addr)})) == 1
		if got != want {
			t.Errorf("%s reachable: %t, want %t", addr, got, want)
		}
	}
}

func TestReachableInternal(t *testing.T) {
	t.Parallel()
	in, err := parseInternal([]string{"db.corp.example", "*.apps.example", "10.1.0.0/16", "fd00::/8", "169.254.0.0/16", "100.64.0.0/10", "192.168.7.7"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		host, addr string
		want       bool
	}{
		{"db.corp.example", "127.0.0.1", true},
		{"db.corp.example", "::1", true},
		{"db.corp.example", "192.168.1.1", true},
		{"x.apps.example", "10.9.9.9", true},
		{"apps.example", "10.9.9.9", false},
		{"api.example.com", "127.0.0.1", false},
		{"api.example.com", "10.1.2.3", true},
		{"api.example.com", "::ffff:10.1.2.3", true},
		{"api.example.com", "10.2.0.1", false},
		{"api.example.com", "192.168.7.7", true},
		{"api.example.com", "192.168.7.8", false},
		{"api.example.com", "169.254.1.1", true},
		{"api.example.com", "fd12::1", true},
		// Metadata services, whose network or host is allowed.
		{"api.example.com", "169.254.169.254", false},
		{"db.corp.example", "169.254.169.254", false},
		{"db.corp.example", "::ffff:169.254.169.254", false},
		{"api.example.com", "fd00:ec2::254", false},
		{"api.example.com", "100.100.100.200", false},
	} {
		got := len(in.reachable(c.host, []netip.Addr{netip.MustParseAddr(c.addr)})) == 1
		if got != c.want {
			t.Errorf("%s at %s reachable: %t, want %t", c.host, c.addr, got, c.want)
		}
	}
	named, err := parseInternal([]string{"169.254.169.254", "fd00:ec2::254/128"})
	if err != nil {
		t.Fatal(err)
	}
	mixed := addresses("127.0.0.1", "169.254.169.254", "8.8.8.8", "::ffff:8.8.8.8", "10.0.0.1", "fd00:ec2::254")
	want := addresses("169.254.169.254", "8.8.8.8", "fd00:ec2::254")
	if diff := cmp.Diff(want, named.reachable("api.example.com", mixed), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("of a mixture (-want +got):\n%s", diff)
	}
	for _, entry := range []string{"", "corp", "10.0.0.0/33", "fe80::1%eth0", "db.corp.example:5432", "http://db.corp.example", "*.*.example"} {
		if _, err := New(Config{Internal: []string{entry}}); convoke.ErrorCode(err) != convoke.CodeValidation {
			t.Errorf("internal %q: %v, want %s", entry, err, convoke.CodeValidation)
		}
	}
}
