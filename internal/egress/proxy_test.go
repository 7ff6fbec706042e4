package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"convoke"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	port := b.listen(echo)
	c := b.mustDial("API.in.test.", port)
	exchangeLine(t, c, "hello\n")
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, c); got != "" {
		t.Errorf("after the end comes %q", got)
	}
	c.Close()
	want := []convoke.Call{{
		AccountID: "1", FunctionID: "f", Version: 3, RequestID: "r1", Host: "api.in.test", Port: port,
		Sent: 6, Received: 6, Outcome: convoke.CallOK,
	}}
	if diff := cmp.Diff(want, b.calls()); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]End{{Outcome: convoke.CallOK, Entry: fmt.Sprintf("*.in.test:%d", port), Sent: 6, Received: 6}}, b.ends); diff != "" {
		t.Errorf("ends (-want +got):\n%s", diff)
	}
	if got := b.Stats(); got != (Stats{}) || len(b.functions) != 0 || len(b.ledger.spots) != 0 {
		t.Errorf("afterwards %+v, %d functions, %d spots are kept", got, len(b.functions), len(b.ledger.spots))
	}
}

// TestDescriptor holds what the worker relies on: its event loop needs a
// socket that does not block, and no other child may inherit it.
func TestDescriptor(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	port := b.listen(echo)
	file, refusal := b.Open(t.Context(), Request{Source: b.src, Host: "api.in.test", Port: port})
	if refusal != nil {
		t.Fatal(refusal)
	}
	defer file.Close()
	fd := int(file.Fd())
	status, err1 := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	flags, err2 := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	kind, err3 := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	if status&unix.O_NONBLOCK == 0 || flags&unix.FD_CLOEXEC == 0 || kind != unix.SOCK_STREAM {
		t.Errorf("status %x, flags %x, type %d", status, flags, kind)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) { c.Limits.ConnectTimeout = 100 * time.Millisecond })
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	free.Close()
	b.allow(fmt.Sprintf("*.in.test:%d", port), "*.pub.example")
	b.names.table = map[string][]string{
		"private.pub.example.": {"10.0.0.1"}, "mapped.pub.example.": {"::ffff:127.0.0.1"}, "nat64.pub.example.": {"64:ff9b::7f00:1"},
		"metadata.in.test.": {"169.254.169.254"}, "mixed.pub.example.": {"127.0.0.1,192.168.1.1,::1"},
	}
	narrow := *b.src
	narrow.Only = []string{"a.in.test"}
	for _, c := range []struct {
		src      *Source
		host     string
		port     int
		code     string
		message  string
		recorded string // the host of the record
	}{
		{b.src, "www.other.example.com", 443, CodeRefused, "www.other.example.com is not an allowed domain of account 1; allow it with `convoke domain add www.other.example.com`", ""},
		{b.src, "api.in.test", port + 1, CodeRefused, fmt.Sprintf("api.in.test:%[1]d is not an allowed domain of account 1; allow it with `convoke domain add api.in.test:%[1]d`", port+1), ""},
		{&narrow, "b.in.test", 443, CodeRefused, "b.in.test is allowed in account 1, but not to this function: its settings list the domains that it may call, so add it there", ""},
		{b.src, "127.0.0.1", 80, CodeRefused, "127.0.0.1 is an address; functions call host names, and an address cannot be allowed", ""},
		{b.src, "[::1]", 80, CodeRefused, "[::1] is an address; functions call host names, and an address cannot be allowed", ""},
		{b.src, "a\nb", 80, CodeRefused, `"a\nb" cannot be called: only full domain names, such as api.example.com, can be allowed`, `"a\nb"`},
		{b.src, "api.in.test", 0, CodeRefused, "0 is no port; use one from 1 to 65535", ""},
		{b.src, "private.pub.example", 443, CodeRefused, "private.pub.example has no public address; functions reach an internal one only if the operator names the host or its network in the server's settings", ""},
		{b.src, "mapped.pub.example", 443, CodeRefused, "mapped.pub.example has no public address; functions reach an internal one only if the operator names the host or its network in the server's settings", ""},
		{b.src, "nat64.pub.example", 443, CodeRefused, "nat64.pub.example has no public address; functions reach an internal one only if the operator names the host or its network in the server's settings", ""},
		{b.src, "mixed.pub.example", 443, CodeRefused, "mixed.pub.example has no public address; functions reach an internal one only if the operator names the host or its network in the server's settings", ""},
		{b.src, "metadata.in.test", 80, CodeRefused, "metadata.in.test has no public address; functions reach an internal one only if the operator names the host or its network in the server's settings", ""},
		{b.src, "api.in.test", port, "ECONNREFUSED", fmt.Sprintf("connect ECONNREFUSED api.in.test:%d", port), ""},
	} {
		_, got := b.dialRequest(Request{Source: c.src, Host: c.host, Port: c.port})
		if got == nil || got.Code != c.code || got.Message != c.message {
			t.Errorf("%s:%d: %+v, want %s %q", c.host, c.port, got, c.code, c.message)
			continue
		}
		outcome, status := convoke.CallRefused, 403
		if c.code != CodeRefused {
			outcome, status = convoke.CallFailed, 0
		}
		if got.Outcome != outcome || got.Status != status || got.Tell != (outcome == convoke.CallRefused) {
			t.Errorf("%s:%d: outcome %s, status %d, tell %t", c.host, c.port, got.Outcome, got.Status, got.Tell)
		}
		if c.recorded == "" {
			c.recorded = c.host
		}
		b.mu.Lock()
		last := b.recorded[len(b.recorded)-1]
		b.mu.Unlock()
		last.At, last.Took = time.Time{}, 0
		want := convoke.Call{AccountID: "1", FunctionID: "f", Version: 3, Host: c.recorded, Port: c.port, Outcome: outcome, Detail: c.message}
		if diff := cmp.Diff(want, last); diff != "" {
			t.Errorf("%s:%d: record (-want +got):\n%s", c.host, c.port, diff)
		}
	}
	if got := b.Stats().Connections; got != 0 {
		t.Errorf("%d connections are counted", got)
	}
}

func TestLookupFailures(t *testing.T) {
	t.Parallel()
	for code, err := range map[string]error{
		"ENOTFOUND": &net.DNSError{IsNotFound: true},
		"EAI_AGAIN": &net.DNSError{IsTimeout: true},
		"ECANCELED": context.Canceled,
	} {
		b := setup(t, nil)
		b.names.fail = err
		if _, got := b.dial("api.in.test", 443); got == nil || got.Code != code || got.Outcome != convoke.CallFailed {
			t.Errorf("%v: %+v, want %s", err, got, code)
		}
	}
	b := setup(t, nil)
	b.domains.fail = errors.New("the disk is gone")
	if _, got := b.dial("api.in.test", 443); got == nil || got.Code != CodeUnavailable || strings.Contains(got.Message, "disk") {
		t.Errorf("without the store: %+v, want %s", got, CodeUnavailable)
	}
}

// TestRebinding resolves to a public address when it is judged and to this
// machine when asked again. There is no second time.
func TestRebinding(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) {
		c.Internal = []string{"127.0.0.2"} // stands for the public address
	})
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	b.allow(fmt.Sprintf("rebind.test:%d", port))
	b.names.table = map[string][]string{"rebind.test.": {"127.0.0.2", "127.0.0.1"}}
	accepted := make(chan net.Conn, 1)
	go func() {
		c, _ := l.Accept()
		accepted <- c
	}()
	c := b.mustDial("rebind.test", port)
	defer c.Close()
	server := <-accepted
	defer server.Close()
	if got := server.LocalAddr().(*net.TCPAddr).IP.String(); got != "127.0.0.2" {
		t.Errorf("connected to %s", got)
	}
	if got := b.names.lookups.Load(); got != 1 {
		t.Errorf("%d lookups, want 1", got)
	}
	if _, refusal := b.dial("rebind.test", port); refusal == nil || refusal.Code != CodeRefused {
		t.Errorf("when it resolves to 127.0.0.1: %v, want %s", refusal, CodeRefused)
	}
}

// TestNextAddress connects to the second address when the first does not
// answer.
func TestNextAddress(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	port := b.listen(echo)
	b.names.table = map[string][]string{"two.in.test.": {"::1,127.0.0.9,127.0.0.1"}}
	exchangeLine(t, b.mustDial("two.in.test", port), "hello\n")
}

func TestAlternate(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"2a00::1,2a00::2,1.1.1.1,1.1.1.2": "2a00::1,1.1.1.1,2a00::2,1.1.1.2",
		"1.1.1.1,1.1.1.2,2a00::1":         "1.1.1.1,2a00::1,1.1.1.2",
		"1.1.1.1":                         "1.1.1.1",
		"1.0.0.1,1.0.0.2,1.0.0.3,1.0.0.4,1.0.0.5,1.0.0.6,1.0.0.7,1.0.0.8,1.0.0.9": "1.0.0.1,1.0.0.2,1.0.0.3,1.0.0.4,1.0.0.5,1.0.0.6,1.0.0.7,1.0.0.8",
	} {
		var got []string
		for _, a := range alternate(addresses(strings.Split(in, ",")...)) {
			got = append(got, a.String())
		}
		if strings.Join(got, ",") != want {
			t.Errorf("%s becomes %v, want %s", in, got, want)
		}
	}
}

func TestChanged(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	port := b.listen(echo)
	gone, stays := b.mustDial("gone.in.test", port), b.mustDial("stays.in.test", port)
	other := b.mustDial("gone.in.test", port) // of another account, in the next line
	exchangeLine(t, gone, "hello\n")
	exchangeLine(t, stays, "hello\n")
	exchangeLine(t, other, "hello\n")
	b.domains.set("1", fmt.Sprintf("stays.in.test:%d", port))
	b.Changed("2")
	exchangeLine(t, gone, "the change is not known yet\n")
	b.Changed("1")
	if got := readAll(t, gone); got != "" {
		t.Errorf("the connection carries %q", got)
	}
	exchangeLine(t, stays, "hello again\n")
	if _, refusal := b.dial("gone.in.test", port); refusal == nil || refusal.Code != CodeRefused {
		t.Errorf("the next call: %v, want %s", refusal, CodeRefused)
	}
	b.domains.mu.Lock()
	b.domains.fail = errors.New("down")
	b.domains.mu.Unlock()
	b.Changed("1")
	if got := readAll(t, stays); got != "" {
		t.Errorf("with rules that cannot be read, the connection carries %q", got)
	}
	why := map[string]int{}
	for _, c := range b.calls() {
		why[string(c.Outcome)+" "+c.Detail]++
	}
	want := map[string]int{
		fmt.Sprintf("refused closed: gone.in.test:%[1]d is not an allowed domain of account 1; allow it with `convoke domain add gone.in.test:%[1]d`", port): 2,
		fmt.Sprintf("refused gone.in.test:%[1]d is not an allowed domain of account 1; allow it with `convoke domain add gone.in.test:%[1]d`", port):         1,
		"refused closed: the allowed domains changed and cannot be read":                                                                                     1,
	}
	if diff := cmp.Diff(want, why); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestChangedWhileDialling ends a dial whose host is no longer allowed.
func TestChangedWhileDialling(t *testing.T) {
	t.Parallel()
	resolving := make(chan struct{})
	b := setup(t, func(c *Config) {
		c.Resolver = resolverFunc(func(ctx context.Context) ([]netip.Addr, error) {
			close(resolving)
			<-ctx.Done()
			return nil, ctx.Err()
		})
	})
	done := make(chan *Refusal)
	go func() {
		_, refusal := b.Open(context.Background(), Request{Source: b.src, Host: "api.in.test", Port: 443})
		done <- refusal
	}()
	<-resolving
	b.domains.set("1")
	b.Changed("1")
	if got := <-done; got == nil || got.Code != CodeRefused {
		t.Errorf("%+v, want %s", got, CodeRefused)
	}
}

type resolverFunc func(ctx context.Context) ([]netip.Addr, error)

func (f resolverFunc) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	return f(ctx)
}

func TestContextEndsTheDial(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) {
		c.Resolver = resolverFunc(func(ctx context.Context) ([]netip.Addr, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, got := b.Open(ctx, Request{Source: b.src, Host: "api.in.test", Port: 443}); got == nil || got.Code != "ECANCELED" {
		t.Errorf("%+v, want ECANCELED", got)
	}
}

// TestContextLeavesTheConnection: the worker gives up a dial by ctx, and a
// connection by closing it.
func TestContextLeavesTheConnection(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	port := b.listen(echo)
	ctx, cancel := context.WithCancel(t.Context())
	file, refusal := b.Open(ctx, Request{Source: b.src, Host: "api.in.test", Port: port})
	if refusal != nil {
		t.Fatal(refusal)
	}
	defer file.Close()
	cancel()
	c, err := net.FileConn(file)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	exchangeLine(t, c, "hello\n")
}

// TestRunLeavesNothing counts the goroutines of this package, so it runs
// alone: not in parallel.
func TestRunLeavesNothing(t *testing.T) {
	b := setup(t, nil)
	silent := b.listen(func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	talks := b.listen(func(c net.Conn) { _, _ = io.Copy(c, endless{}) })
	var open []net.Conn
	for range 10 {
		open = append(open, b.mustDial("a.in.test", silent), b.mustDial("a.in.test", talks))
	}
	if goroutines() == 0 {
		t.Error("the test sees no goroutine of an open connection")
	}
	b.stop()
	if n := goroutines(); n != 0 {
		t.Errorf("%d goroutines are left", n)
	}
	for _, c := range open {
		readAll(t, c)
	}
	if got := b.Stats().Connections; got != 0 {
		t.Errorf("%d connections are open", got)
	}
	if got := len(b.calls()); got != 20 {
		t.Errorf("%d records, want 20", got)
	}
	if _, got := b.dial("a.in.test", silent); got == nil || got.Code != CodeUnavailable {
		t.Errorf("after the end: %+v, want %s", got, CodeUnavailable)
	}
}

// goroutines counts those in which a connection runs.
func goroutines() int {
	buf := make([]byte, 4<<20)
	n := 0
	for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, "egress.(*conn).") {
			n++
		}
	}
	return n
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestLimits(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) {
		c.Limits.ConnectionsPerFunction, c.Limits.ConnectionsPerAccount, c.Limits.Connections = 2, 3, 4
	})
	port := b.listen(echo)
	b.domains.set("2", fmt.Sprintf("*.in.test:%d", port))
	b.domains.set("3", fmt.Sprintf("*.in.test:%d", port))
	open := func(account, function, want string) net.Conn {
		t.Helper()
		c, refusal := b.dialRequest(Request{Source: &Source{AccountID: account, FunctionID: function}, Host: "a.in.test", Port: port, TLS: true})
		switch {
		case want == "" && refusal != nil:
			t.Fatalf("%s of %s: %s", function, account, refusal.Message)
		case want != "" && (refusal == nil || refusal.Code != CodeLimited || refusal.Status != 429 || refusal.Outcome != convoke.CallLimited || !strings.Contains(refusal.Message, want)):
			t.Errorf("%s of %s: %+v, want %s with %q", function, account, refusal, CodeLimited, want)
		}
		return c
	}
	first := open("1", "f", "")
	open("1", "f", "")
	open("1", "f", "this function has 2 connections")
	open("1", "g", "")
	open("1", "h", "account 1 have 3 connections")
	open("2", "f", "")
	open("3", "f", "the server has 4 connections")
	first.Close()
	for b.Stats().Connections != 3 {
		runtime.Gosched()
	}
	open("1", "f", "")
}

func TestSweep(t *testing.T) {
	t.Parallel()
	b := still(t, func(c *Config) { c.Limits.IdleTimeout, c.Limits.Life = time.Minute, time.Hour })
	port := b.listen(echo)
	idle, busy := b.mustDial("idle.in.test", port), b.mustDial("busy.in.test", port)
	begin := time.Now()
	exchangeLine(t, idle, "hello\n")
	b.sweep(begin)
	exchangeLine(t, busy, "hello\n")
	b.sweep(begin.Add(time.Second))
	b.sweep(begin.Add(time.Minute))
	if got := readAll(t, idle); got != "" {
		t.Errorf("the idle connection carries %q", got)
	}
	for at := time.Minute; at < time.Hour; at += time.Minute {
		exchangeLine(t, busy, "hello\n")
		b.sweep(begin.Add(at))
	}
	exchangeLine(t, busy, "hello\n")
	b.sweep(begin.Add(time.Hour))
	if got := readAll(t, busy); got != "" {
		t.Errorf("the old connection carries %q", got)
	}
	for b.Stats().Connections != 0 {
		runtime.Gosched()
	}
	b.sweep(begin.Add(time.Hour + time.Minute))
	got := map[string]string{}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.recorded {
		got[c.Host] = string(c.Outcome) + " " + c.Detail
	}
	want := map[string]string{"idle.in.test": "ok ", "busy.in.test": "limited closed: a connection may be open for 1h0m0s"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// TestWorkerGone: a worker that dies lets go of its sockets, and its
// connections end, also when the other side would keep them forever.
func TestWorkerGone(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(c *net.UnixConn, half func()){
		"at once": func(c *net.UnixConn, _ func()) { c.Close() },
		"after the end of its stream": func(c *net.UnixConn, half func()) {
			_ = c.CloseWrite()
			half()
			c.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := still(t, nil)
			ended := make(chan error, 1)
			port := b.listen(func(c net.Conn) {
				_, err := io.Copy(io.Discard, c)
				ended <- err
				<-t.Context().Done() // neither speaks nor closes
			})
			c := b.mustDial("a.in.test", port)
			if _, err := c.Write([]byte{0xff}); err != nil {
				t.Fatal(err)
			}
			half := false
			leave(c, func() {
				half = true
				<-ended
				if got := b.Stats().Connections; got != 1 {
					t.Errorf("%d connections are open, want 1", got)
				}
			})
			for b.Stats().Connections != 0 {
				if half {
					b.sweep(time.Now())
				}
				runtime.Gosched()
			}
		})
	}
}

// TestEndedBeforeOpen ends a connection between its dial and its socket.
func TestEndedBeforeOpen(t *testing.T) {
	t.Parallel()
	b := still(t, nil)
	c := &conn{p: b.Proxy, src: b.src, cancel: func() {}}
	c.end(convoke.CallRefused, "closed: no longer allowed")
	file, refusal := c.attach(nil)
	if file != nil || refusal == nil || refusal.Code != CodeRefused || refusal.Message != "closed: no longer allowed" {
		t.Errorf("%v, %+v", file, refusal)
	}
}
