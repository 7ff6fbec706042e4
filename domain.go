package convoke

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Domain is an entry of an account's allow-list: a place that its functions
// may call (spec/platform.md 6).
type Domain struct {
	ID        string // UUID
	AccountID string
	// Name is a host name in lower case, "api.example.com", or all names below
	// one, "*.example.com". A name covers nothing but itself.
	Name string
	// Port is the one that may be called; 0 stands for 80 and 443.
	Port      int
	CreatedAt time.Time
	CreatedBy string
}

// ParseDomain reads "name" or "name:port". It returns CodeInvalidDomain for
// what is no domain name (RFC 1035), has more than one wildcard or one that
// does not lead, or is an address.
func ParseDomain(text string) (name string, port int, err error) {
	if strings.ContainsAny(text, "/@?#") {
		return "", 0, Errorf(CodeInvalidDomain, "%.100q is not a domain; give the host name alone, without scheme or path", text)
	}
	if isAddress(text) {
		return "", 0, Errorf(CodeInvalidDomain, "%.100q is an address; give a host name", text)
	}
	name, digits, hasPort := strings.Cut(strings.ToLower(text), ":")
	if hasPort {
		if port, err = strconv.Atoi(digits); err != nil || port < 1 || port > 65535 {
			return "", 0, Errorf(CodeInvalidDomain, "%.100q is no port; use a number from 1 to 65535, or none for 80 and 443", digits)
		}
	}
	host := strings.TrimPrefix(name, "*.")
	if strings.Contains(host, "*") {
		return "", 0, Errorf(CodeInvalidDomain, "%.100q has a wildcard that is not allowed; one may stand at the beginning, as in *.example.com", text)
	}
	if strings.HasSuffix(host, ".") {
		return "", 0, Errorf(CodeInvalidDomain, "%.100q ends with a dot; leave the dot out", text)
	}
	if strings.ContainsFunc(host, func(r rune) bool { return r > unicode.MaxASCII }) {
		return "", 0, Errorf(CodeInvalidDomain, "%.100q has letters beyond a to z; give the form in which the name is looked up, where such parts begin with xn--", text)
	}
	if !validHost(host) {
		return "", 0, Errorf(CodeInvalidDomain, "%.100q is not a valid domain; use a name such as api.example.com or *.example.com", text)
	}
	return name, port, nil
}

// isAddress reports whether text is an IP address, with or without a port.
func isAddress(text string) bool {
	_, err := netip.ParseAddr(strings.Trim(text, "[]"))
	_, portErr := netip.ParseAddrPort(text)
	return err == nil || portErr == nil
}

// validHost reports whether host, in lower case, is a name of at least two
// labels that cannot be taken for an address. The underscore is not RFC 1035,
// but names in use have it.
func validHost(host string) bool {
	if len(host) > 253 || !strings.Contains(host, ".") {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
	}
	top := host[strings.LastIndexByte(host, '.')+1:]
	return top[0] < '0' || top[0] > '9' // 10.0.0.1, 0x7f.1
}

// Allows reports whether the entry covers a host name, in lower case and
// without a trailing dot, and a port.
func (d *Domain) Allows(host string, port int) bool {
	if d.Port != port && (d.Port != 0 || port != 80 && port != 443) {
		return false
	}
	if below, ok := strings.CutPrefix(d.Name, "*"); ok {
		return len(host) > len(below) && strings.HasSuffix(host, below)
	}
	return host == d.Name
}

// String is the entry as ParseDomain reads it.
func (d *Domain) String() string {
	if d.Port == 0 {
		return d.Name
	}
	return d.Name + ":" + strconv.Itoa(d.Port)
}

// DomainStore keeps the allow-lists.
type DomainStore interface {
	// CreateDomain adds d; CodeConflict when the account has one of that name
	// and port, CodeLimitExceeded when it has limit entries (0: no limit).
	CreateDomain(ctx context.Context, d *Domain, limit int) error
	// ListDomains returns an account's entries in order of name and port.
	ListDomains(ctx context.Context, accountID string) ([]*Domain, error)
	// RemoveDomain removes an entry and returns it; CodeNotFound when there is none.
	RemoveDomain(ctx context.Context, accountID, id string) (*Domain, error)
}
