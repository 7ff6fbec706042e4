package egress

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"convoke"
)

// names resolves by a table; one that is not in it is this machine's.
type names struct {
	mu      sync.Mutex
	table   map[string][]string // of addresses, in the order of lookups, comma-separated
	lookups atomic.Int64
	fail    error
}

func (n *names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	n.lookups.Add(1)
	if n.fail != nil {
		return nil, n.fail
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	answers, ok := n.table[host]
	if !ok {
		return addresses("127.0.0.1"), nil
	}
	if len(answers) > 1 {
		n.table[host] = answers[1:]
	}
	return addresses(strings.Split(answers[0], ",")...), nil
}

// bench is a proxy, run for the test, with what is around it. Hosts below
// in.test are internal and by default this machine.
type bench struct {
	*Proxy
	t       testing.TB
	domains *domains
	names   *names
	src     *Source
	stop    func() // ends Run and waits for it

	mu       sync.Mutex
	recorded []convoke.Call
	ends     []End
}

func setup(t testing.TB, change func(*Config)) *bench {
	t.Helper()
	b := still(t, change)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(b.stop)
	return b
}

// still is a proxy that does not run: the test sweeps.
func still(t testing.TB, change func(*Config)) *bench {
	t.Helper()
	b := &bench{t: t, domains: &domains{}, names: &names{}, src: &Source{AccountID: "1", FunctionID: "f", Version: 3}}
	b.domains.set("1", "*.in.test")
	cfg := Config{
		Domains: b.domains, Resolver: b.names, Internal: []string{"*.in.test", "in.test"},
		Limits: Limits{ConnectionsPerFunction: 100, ConnectionsPerAccount: 500, Connections: 5000, BytesPerConnection: 1 << 30,
			ConnectTimeout: 10 * time.Second, IdleTimeout: 5 * time.Minute, Life: time.Hour},
		Record: func(c convoke.Call) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.recorded = append(b.recorded, c)
		},
		Observer: Observer{Ended: func(e End) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.ends = append(b.ends, e)
		}},
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if b.Proxy, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	b.stop = sync.OnceFunc(b.close)
	t.Cleanup(b.stop)
	return b
}

// listen serves connections on this machine and returns its port, which it
// adds to the allowed domains of account 1.
func (b *bench) listen(serve func(net.Conn)) int {
	b.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	b.t.Cleanup(func() {
		b.stop()
		l.Close()
		running.Wait()
	})
	port := l.Addr().(*net.TCPAddr).Port
	b.allow(fmt.Sprintf("*.in.test:%d", port))
	return port
}

func (b *bench) allow(entries ...string) {
	b.domains.mu.Lock()
	entries = append(b.domains.entries["1"], entries...)
	b.domains.mu.Unlock()
	b.domains.set("1", entries...)
	b.Changed("1")
}

// dial opens a connection as the worker does.
func (b *bench) dial(host string, port int) (net.Conn, *Refusal) {
	return b.dialRequest(Request{Source: b.src, RequestID: "r1", Host: host, Port: port})
}

func (b *bench) dialRequest(r Request) (net.Conn, *Refusal) {
	b.t.Helper()
	file, refusal := b.Open(b.t.Context(), r)
	if refusal != nil {
		if file != nil {
			b.t.Errorf("a socket and the refusal %v", refusal)
		}
		return nil, refusal
	}
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { conn.Close() })
	return conn, nil
}

func (b *bench) mustDial(host string, port int) *net.UnixConn {
	b.t.Helper()
	conn, refusal := b.dial(host, port)
	if refusal != nil {
		b.t.Fatalf("%s:%d: %s: %s", host, port, refusal.Code, refusal.Message)
	}
	return conn.(*net.UnixConn)
}

// calls stops the proxy and returns what it recorded, without times.
func (b *bench) calls() []convoke.Call {
	b.stop()
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]convoke.Call, len(b.recorded))
	for i, c := range b.recorded {
		if c.At.IsZero() || c.Took < 0 {
			b.t.Errorf("a call at %v took %v", c.At, c.Took)
		}
		c.At, c.Took = time.Time{}, 0
		out[i] = c
	}
	return out
}

func echo(c net.Conn) {
	_, _ = io.Copy(c, c)
	_ = c.(*net.TCPConn).CloseWrite()
}

// readAll reads to the end, which must come within the test's patience.
func readAll(t testing.TB, c net.Conn) string {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	got, err := io.ReadAll(c)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reading after %d bytes: %v", len(got), err)
	}
	return string(got)
}

func exchangeLine(t testing.TB, c net.Conn, line string) {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, line); err != nil {
		t.Fatal(err)
	}
	got, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || got != line {
		t.Fatalf("the echo of %q is %q, %v", line, got, err)
	}
}
