package config

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"convoke"
)

// TLS is where the certificate for HTTPS comes from.
type TLS string

const (
	TLSOff  TLS = "off"
	TLSDev  TLS = "dev"  // an authority of this server's own
	TLSFile TLS = "file" // tlsCert and tlsKey
	TLSACME TLS = "acme" // a public authority, by RFC 8555
)

// httpOff as the value of httpListen means no such listener: an empty value
// in the file or the environment is an absent one.
const httpOff = "off"

// PlainListen is the address of the listener beside HTTPS that speaks plain
// HTTP, or "" for none.
func (c *Config) PlainListen() string {
	if c.TLS == TLSOff || c.HTTPListen == httpOff {
		return ""
	}
	return c.HTTPListen
}

// Hosts are the host names that discovery gives, by service, for accounts of
// each generation: those below the domain, and over them what the settings say.
func (c *Config) Hosts() (v1, v2 map[string]string) {
	return c.hosts("gw.", "ui.", c.HostsV1), c.hosts("fninvocations.", "functions.", c.HostsV2)
}

func (c *Config) hosts(gateway, management, own string) map[string]string {
	hosts := map[string]string{
		"faasGW": gateway + c.Domain, "faasUI": management + c.Domain,
		"sentinel": "sentinel." + c.Domain, "agentVep": "login." + c.Domain,
	}
	over, _ := parseHosts(own) // Load has refused what cannot be read
	maps.Copy(hosts, over)
	return hosts
}

// OwnHosts are the names among Hosts that lead to this server, in order: of
// the services it answers for, and all below its domain. Other services may be
// somebody else's.
func (c *Config) OwnHosts() []string {
	own := map[string]bool{}
	v1, v2 := c.Hosts()
	for _, hosts := range []map[string]string{v1, v2} {
		for service, host := range hosts {
			if slices.Contains(ownServices, service) || strings.HasSuffix(host, "."+c.Domain) {
				own[host] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(own))
}

// ownServices are those that this server answers for (spec/api-surface.md 10).
var ownServices = []string{"agentVep", "faasGW", "faasUI", "sentinel"}

// Proxies are the networks of trusted reverse proxies.
func (c *Config) Proxies() []netip.Prefix {
	networks, _ := parseNetworks(c.TrustedProxies) // Load has refused what cannot be read
	return networks
}

// edgeProblems says what is wrong with the settings of listeners, names and
// certificates.
func (c *Config) edgeProblems(say func(path, format string, args ...any)) {
	switch c.TLS {
	case TLSOff, TLSDev, TLSFile, TLSACME:
	default:
		say("tls", "must be off, dev, file or acme, not %q", c.TLS)
	}
	if !isAddress(c.HTTPSListen) {
		say("httpsListen", "must be an address such as 0.0.0.0:443, not %q", c.HTTPSListen)
	}
	if c.HTTPListen != httpOff && !isAddress(c.HTTPListen) {
		say("httpListen", "must be an address such as 0.0.0.0:80 or off, not %q", c.HTTPListen)
	}
	if c.TLS == TLSFile && (c.TLSCert == "" || c.TLSKey == "") {
		say("tls", "is file, so tlsCert and tlsKey must name the files")
	}
	if c.TLS == TLSACME && !strings.Contains(c.Domain, ".") {
		say("tls", "is acme, so domain must be one that the authority can reach, not %q", c.Domain)
	}
	if u, err := url.Parse(c.ACMEDirectory); c.ACMEDirectory != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		say("acmeDirectory", "must be an https URL, not %q", c.ACMEDirectory)
	}
	if _, err := parseNetworks(c.TrustedProxies); err != nil {
		say("trustedProxies", "%v", err)
	}
	c.hostProblems(say)
}

// hostProblems checks the names: clients of the reference choose the
// generation by a word in them (spec/api-surface.md 0).
func (c *Config) hostProblems(say func(path, format string, args ...any)) {
	if !isHostName(c.Domain) {
		say("domain", "must be a domain such as example.com, not %q", c.Domain)
		return
	}
	_, err1 := parseHosts(c.HostsV1)
	_, err2 := parseHosts(c.HostsV2)
	if err1 != nil {
		say("hostsV1", "%v", err1)
	}
	if err2 != nil {
		say("hostsV2", "%v", err2)
	}
	if err1 != nil || err2 != nil {
		return
	}
	v1, v2 := c.Hosts()
	for _, service := range []string{"faasGW", "faasUI"} {
		if host := v1[service]; strings.Contains(host, "fninvocations") || strings.Contains(host, "functions") {
			say("hostsV1", "gives %s for %s: clients take a name with fninvocations or functions in it for V2; name another host, as in hostsV1: %s=gw.example.com", host, service, service)
		}
	}
	if host := v2["faasGW"]; !strings.Contains(host, "fninvocations") {
		say("hostsV2", "gives %s for faasGW: clients take a name without fninvocations in it for V1", host)
	}
	if host := v2["faasUI"]; !strings.Contains(host, "fninvocations") && !strings.Contains(host, "functions") {
		say("hostsV2", "gives %s for faasUI: clients take a name without functions in it for V1", host)
	}
}

// parseHosts reads "service=host,service=host". A host is a bare name: clients
// of the reference cannot use one with a scheme or port.
func parseHosts(text string) (map[string]string, error) {
	hosts := map[string]string{}
	for entry := range strings.SplitSeq(text, ",") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		service, host, ok := strings.Cut(entry, "=")
		if !ok || !isServiceName(service) {
			return nil, fmt.Errorf("must be a list such as faasGW=fninvocations.example.com,sentinel=login.example.com, not %q", entry)
		}
		if hosts[service] != "" {
			return nil, fmt.Errorf("names %s twice", service)
		}
		if host = strings.ToLower(host); !isHostName(host) {
			return nil, fmt.Errorf("must give %s a bare host name, without scheme, port or path, not %q", service, host)
		}
		hosts[service] = host
	}
	return hosts, nil
}

func isServiceName(s string) bool {
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9') {
			return false
		}
	}
	return s != "" && len(s) <= 60
}

// isHostName reports whether s is a name by the rules of domains, except that
// one label is enough.
func isHostName(s string) bool {
	name, port, err := convoke.ParseDomain("x." + s)
	return err == nil && port == 0 && name == "x."+s
}

// parseNetworks reads addresses and networks separated by commas.
func parseNetworks(text string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for entry := range strings.SplitSeq(text, ",") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		network, err := netip.ParsePrefix(entry)
		if addr, aerr := netip.ParseAddr(entry); aerr == nil {
			network, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil || network.Addr().Is4In6() {
			return nil, fmt.Errorf("must be addresses or networks such as 10.0.0.0/8, not %q", entry)
		}
		networks = append(networks, network.Masked())
	}
	return networks, nil
}
