package egress

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"convoke"
)

// maxHost is the longest name that is looked at; a name has 253 characters.
const maxHost = 255

// hostname brings a name as a function wrote it into the one form that is
// compared, looked up and recorded: ASCII, lower case, no dot at the end. An
// address in any spelling is an error, and so is what convoke.ParseDomain
// takes for no name: neither can stand in an allow-list. The error is a
// sentence for the developer.
func hostname(written string) (string, error) {
	host := written
	if len(host) > maxHost {
		return "", fmt.Errorf("%s is no host name: it is too long", brief(written))
	}
	if !isASCII(host) {
		// IDNA2008 with the mapping of UTS 46 also turns full-width digits and
		// ideographic dots into plain ones, so the address check comes after it.
		ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(host, "."))
		if err != nil {
			return "", fmt.Errorf("%s is no host name", brief(written))
		}
		host = ascii
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if isAddress(host) {
		return "", fmt.Errorf("%s is an address; functions call host names, and an address cannot be allowed", brief(written))
	}
	if strings.ContainsAny(host, "*:") {
		return "", fmt.Errorf("%s is no host name", brief(written))
	}
	if _, _, err := convoke.ParseDomain(host); err != nil {
		return "", fmt.Errorf("%s cannot be called: only full domain names, such as api.example.com, can be allowed", brief(written))
	}
	return host, nil
}

// isAddress reports whether a client or a resolver may take host for an
// address: IPv6 with or without brackets and zone, and every form of IPv4
// that ends in a number (decimal, octal, hexadecimal, with parts left out; the
// rule of the WHATWG URL standard, section 3.5).
func isAddress(host string) bool {
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	return last != "" && last[0] >= '0' && last[0] <= '9'
}

func isASCII(s string) bool {
	for _, c := range []byte(s) {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// brief is what a function wrote, fit for a message or a record.
func brief(written string) string {
	if len(written) > maxHost {
		written = written[:maxHost] + "..."
	}
	for _, c := range []byte(written) {
		if c <= ' ' || c == '"' || c >= 0x7f {
			return fmt.Sprintf("%+q", written)
		}
	}
	if written == "" {
		return `""`
	}
	return written
}
