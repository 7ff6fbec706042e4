package config

import (
	"net/netip"
	"strings"
	"time"

	"convoke"
)

// Egress is what functions may do beyond the server. 0 is no limit.
type Egress struct {
	Internal               string        `yaml:"internal" env:"INTERNAL" help:"host names, addresses and networks that functions may call although they are not of the public internet, such as crm.corp.example,10.1.0.0/16; the account's allowed domains hold as well"`
	CallsPerSecond         int           `yaml:"callsPerSecond" env:"CALLS_PER_SECOND" help:"outbound calls that one function may begin per second"`
	ConnectionsPerFunction int           `yaml:"connectionsPerFunction" env:"CONNECTIONS_PER_FUNCTION" help:"outbound connections that one function may have open"`
	ConnectionsPerAccount  int           `yaml:"connectionsPerAccount" env:"CONNECTIONS_PER_ACCOUNT" help:"outbound connections that all functions of an account may have open"`
	Connections            int           `yaml:"connections" env:"CONNECTIONS" help:"outbound connections that all functions may have open"`
	MiBPerConnection       int           `yaml:"mibPerConnection" env:"MIB_PER_CONNECTION" help:"MiB that may go over one outbound connection, both ways together"`
	ConnectTimeout         time.Duration `yaml:"connectTimeout" env:"CONNECT_TIMEOUT" help:"how long resolving a name and connecting may take"`
	IdleTimeout            time.Duration `yaml:"idleTimeout" env:"IDLE_TIMEOUT" help:"an outbound connection over which nothing goes ends after it"`
	Life                   time.Duration `yaml:"life" env:"LIFE" help:"an outbound connection ends after it, however busy"`
}

func defaultEgress() Egress {
	return Egress{
		CallsPerSecond:         20,
		ConnectionsPerFunction: 100,
		ConnectionsPerAccount:  500,
		Connections:            5000,
		MiBPerConnection:       1024,
		ConnectTimeout:         10 * time.Second,
		IdleTimeout:            5 * time.Minute,
		Life:                   time.Hour,
	}
}

// InternalHosts are the entries of Internal.
func (e *Egress) InternalHosts() []string {
	return strings.FieldsFunc(e.Internal, func(r rune) bool { return r == ',' || r == ' ' })
}

func (e *Egress) problems(say func(path, format string, args ...any)) {
	for path, n := range map[string]int64{
		"egress.callsPerSecond": int64(e.CallsPerSecond), "egress.connectionsPerFunction": int64(e.ConnectionsPerFunction),
		"egress.connectionsPerAccount": int64(e.ConnectionsPerAccount), "egress.connections": int64(e.Connections),
		"egress.mibPerConnection": int64(e.MiBPerConnection), "egress.connectTimeout": int64(e.ConnectTimeout),
		"egress.idleTimeout": int64(e.IdleTimeout), "egress.life": int64(e.Life),
	} {
		if n < 0 {
			say(path, "must not be less than zero, which is no limit")
		}
	}
	for _, text := range e.InternalHosts() {
		if !isInternal(text) {
			say("egress.internal", "%q is no internal host or network; give a name such as *.corp.example, an address or a network such as 10.1.0.0/16", text)
		}
	}
}

// isInternal reports whether package egress can read an entry of Internal. It
// is asked here so that a slip is found before the first start makes anything.
func isInternal(text string) bool {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		return true
	}
	if _, err := netip.ParsePrefix(text); err == nil {
		return true
	}
	_, port, err := convoke.ParseDomain(text)
	return err == nil && port == 0
}
