package egress

import (
	"strings"
	"testing"
)

func TestHostname(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		"api.example.com":       "api.example.com",
		"API.Example.COM":       "api.example.com",
		"api.example.com.":      "api.example.com",
		"s_3.example.co1":       "s_3.example.co1",
		"bücher.example":        "xn--bcher-kva.example",
		"BÜCHER.example.":       "xn--bcher-kva.example",
		"xn--bcher-kva.example": "xn--bcher-kva.example",
		"faß.example":           "xn--fa-hia.example",
		"api。example。com":       "api.example.com",
		"printer.local":         "printer.local",
		"a.localhost":           "a.localhost",
	} {
		if got, err := hostname(written); err != nil || got != want {
			t.Errorf("hostname(%q) = %q, %v; want %q", written, got, err, want)
		}
	}
	for written, why := range map[string]string{
		"":                         "full domain names",
		".":                        "full domain names",
		"localhost":                "full domain names",
		"api..example.com":         "full domain names",
		"api.example.com..":        "full domain names",
		".example.com":             "full domain names",
		"-a.example":               "full domain names",
		"a b.example":              "full domain names",
		"a.example\x00.test":       "full domain names",
		"a.example/x":              "full domain names",
		"u@a.example":              "full domain names",
		"%61.example":              "full domain names",
		"*.example.com":            "no host name",
		"a.example:443":            "no host name",
		"a\u200b.b\u0000c.example": "no host name",
		strings.Repeat("a.", 128):  "too long",
		"127.0.0.1":                "address",
		"127.0.0.1.":               "address",
		"127.1":                    "address",
		"2130706433":               "address",
		"0x7f000001":               "address",
		"0x7f.0.0.1":               "address",
		"0177.0.0.1":               "address",
		"017700000001":             "address",
		"1.2.3.4.5":                "address",
		"256.256.256.256":          "address",
		"127.0.0.0x1":              "address",
		"::1":                      "address",
		"[::1]":                    "address",
		"::ffff:127.0.0.1":         "address",
		"::ffff:7f00:1":            "address",
		"fe80::1%eth0":             "address",
		"[fe80::1%25eth0]":         "address",
		"64:ff9b::7f00:1":          "address",
		"１２７.０.０.１":                "address",
		"127。0。0。1":                "address",
		"①②⑦.0.0.1":                "address",
	} {
		if got, err := hostname(written); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("hostname(%q) = %q, %v; want an error with %q", written, got, err, why)
		}
	}
}

// FuzzHostname holds that a name is in its final form at once, is printable
// and cannot be taken for an address.
func FuzzHostname(f *testing.F) {
	for _, s := range []string{"api.example.com", "bücher.example.", "127.1", "[::1]", "a.0x7f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, written string) {
		host, err := hostname(written)
		if err != nil {
			if len(err.Error()) > 6*maxHost {
				t.Errorf("the message has %d bytes", len(err.Error()))
			}
			return
		}
		if again, err := hostname(host); err != nil || again != host {
			t.Errorf("hostname(%q) = %q, which becomes %q, %v", written, host, again, err)
		}
		if isAddress(host) || strings.ContainsAny(host, "*:/@ \t\r\n\x00") || host != strings.ToLower(host) || !isASCII(host) {
			t.Errorf("hostname(%q) = %q", written, host)
		}
	})
}
