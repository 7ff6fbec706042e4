//go:build amd64 || arm64

package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"convoke"
	"convoke/api"
	"convoke/client"
	"convoke/internal/app"
	"convoke/internal/config"
	"convoke/internal/sandbox"
	"convoke/internal/worker"
)

// hostile is the first of the accounts that attack. The neighbour is in the
// first account.
const hostile = 66600000

// contained is the answer of an attack that could do nothing.
const contained = "[]"

const (
	brokeProtocol = "broke the protocol"
	outOfMemory   = "more than its 64 MiB of memory"
	outOfTime     = "did not answer within"
)

// attacks are files in testdata/attack with what they are given and what their
// caller must get: a part of the answer or, with fails, of the error. One of
// several, where it depends on who is quicker.
var attacks = []struct {
	file, payload string // JSON members, besides the facts
	fails         bool
	want          []string
	not           map[sandbox.Level]string // where it is not tried, and why
}{
	{file: "files", want: []string{contained}},
	{file: "write", want: []string{contained}},
	{file: "fill", want: []string{contained}},
	{file: "processes", want: []string{contained}},
	{file: "bindings"},
	{file: "network", want: []string{contained}},
	{file: "descriptors", want: []string{contained}},
	{file: "threadnetwork", want: []string{contained}},
	{file: "threads", want: []string{contained}, not: map[sandbox.Level]string{sandbox.Landlock: "without a control group, memory alone bounds threads there"}},
	{file: "heap", fails: true, want: []string{outOfMemory}},
	{file: "buffers", fails: true, want: []string{outOfMemory}},
	{file: "wasm", fails: true, want: []string{outOfMemory}},
	{file: "loop", fails: true, want: []string{outOfTime}},
	{file: "afterwards", want: []string{"null", contained}},
	{file: "logs", want: []string{contained}},
	{file: "replay", want: []string{`"once"`}},
	{file: "frames", payload: `"how":"unknown type"`, fails: true, want: []string{brokeProtocol}},
	{file: "frames", payload: `"how":"a frame of the server"`, fails: true, want: []string{brokeProtocol}},
	{file: "frames", payload: `"how":"a length beyond all bounds"`, fails: true, want: []string{brokeProtocol}},
	{file: "frames", payload: `"how":"noise"`, fails: true, want: []string{brokeProtocol}},
	{file: "frames", payload: `"how":"an answer to no question"`, fails: true, want: []string{brokeProtocol}},
	{file: "frames", payload: `"how":"an answer to a later question"`, fails: true, want: []string{brokeProtocol}},
	{file: "frames", payload: `"how":"no JSON"`, fails: true, want: []string{brokeProtocol}},
	{file: "frames", payload: `"how":"a short answer"`, fails: true, want: []string{brokeProtocol}},
	{file: "frames", payload: `"how":"ready again"`, fails: true, want: []string{brokeProtocol}},
	{file: "frames", payload: `"how":"loaded again"`, fails: true, want: []string{brokeProtocol}},
	{file: "frames", payload: `"how":"a pong that nobody asked for"`, fails: true, want: []string{brokeProtocol}},
	{file: "frames", payload: `"how":"an invocation given back"`, fails: true, want: []string{brokeProtocol}},
	{file: "frames", payload: `"how":"a damaged entry"`, fails: true, want: []string{brokeProtocol}},
	{file: "frames", payload: `"how":"a flood of entries"`, fails: true, want: []string{brokeProtocol}},
	{file: "frames", payload: `"how":"a flood outside of invocations"`, fails: true, want: []string{brokeProtocol}},
	{file: "frames", payload: `"how":"a huge entry"`, fails: true, want: []string{brokeProtocol}},
	{file: "frames", payload: `"how":"a damaged dial"`, fails: true, want: []string{brokeProtocol}},
	{file: "frames", payload: `"how":"two dials of one number"`, fails: true, want: []string{brokeProtocol}},
	{file: "frames", payload: `"how":"a call over no connection"`, fails: true, want: []string{brokeProtocol}},
	{file: "dials"}, // answered, or ended for asking too much at a time
	{file: "threadlines", payload: `"how":"a flood"`},
	{file: "threadlines", payload: `"how":"lines"`, fails: true},
	{file: "threadlines", payload: `"how":"a result"`},
	{file: "threadlines", payload: `"how":"noise"`},
	// To answer for itself is its right, to do so twice is not.
	{file: "frames", payload: `"how":"two answers"`, want: []string{`"first"`}},
	{file: "channel", payload: `"fd":3,"how":"close"`, fails: true},
	{file: "channel", payload: `"fd":3,"how":"read"`, fails: true},
	{file: "channel", payload: `"fd":4,"how":"close"`},
	{file: "channel", payload: `"fd":4,"how":"read"`},
	{file: "channel", payload: `"fd":4,"how":"write"`},
	{file: "override"},
}

// TestAttacks lets hostile accounts do their worst, through the whole server
// and at every level of this host, while a function of another account goes
// on answering. Each attack has an account of its own: one that has attacked
// already would have to wait.
func TestAttacks(t *testing.T) {
	t.Parallel()
	for _, level := range []sandbox.Level{sandbox.Namespaces, sandbox.Landlock} {
		t.Run(string(level), func(t *testing.T) {
			t.Parallel()
			needLevel(t, level)
			s := start(t, func(c *config.Config) { c.Sandbox = config.Sandbox(level) })
			var enemy *server
			facts := layBait(t, s, level)
			neighbour := s.deploy(t, "neighbour", `let n = 0; async function lambda(input) { return { n: ++n > 0, echo: input.payload, secret: process.env.SECRET } }`,
				func(m *api.ManifestRequest) { m.Environment = map[string]string{"SECRET": "only-the-neighbour"} })
			answered := watchNeighbour(t, s, neighbour)
			for n, a := range attacks {
				name := a.file
				if a.payload != "" {
					name += "/" + strings.NewReplacer(`"`, "", "how:", "", ":", " ").Replace(a.payload)
				}
				t.Run(name, func(t *testing.T) { // one at a time: each begins with a server at rest
					if why := a.not[level]; why != "" {
						t.Skipf("NOT TESTED at %s: %s", level, why)
					}
					payload := facts
					if a.payload != "" {
						payload = facts[:len(facts)-1] + "," + a.payload + "}"
					}
					enemy = s.tenant(t, strconv.Itoa(hostile+n))
					before := answered.Load()
					got, err := enemy.invoke(t, enemy.attack(t, a.file), payload)
					text := got
					if err != nil {
						text = err.Error()
					}
					// With nothing wanted both are well: what counts is the neighbour.
					if len(a.want) > 0 && (a.fails != (err != nil) || !containsOne(text, a.want)) || a.fails && err == nil {
						t.Errorf("got %.500s, %v; want one of %q, failing: %v", got, err, a.want, a.fails)
					}
					s.until(t, "the neighbour answered during and after it", func() bool { return answered.Load() >= before+3 })
				})
			}
			// A function of a hostile account that does nothing wrong lives on.
			fine := enemy.deploy(t, "fine", `async function lambda(input) { return input.payload }`)
			if got, err := enemy.invoke(t, fine, `{"a":[1]}`); got != `{"a":[1]}` || err != nil {
				t.Errorf("a function of the same account afterwards: %s, %v", got, err)
			}
			if got := s.metrics(t)[fmt.Sprintf(`convoke_sandbox_info{cgroup="none",level="%s"}`, level)]; got != 1 {
				t.Errorf("the metrics do not tell the level %s", level)
			}
		})
	}
}

// TestPayloadsAreForgotten: a function does not find what the invocation
// before was given anywhere in its heap.
func TestPayloadsAreForgotten(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := s.attack(t, "memory")
	const marker = "c0ffee-0123456789-abcdefghijklm-payload-of-another-person"
	reversed := []byte(marker)
	for i, j := 0, len(reversed)-1; i < j; i, j = i+1, j-1 {
		reversed[i], reversed[j] = reversed[j], reversed[i]
	}
	if got, err := s.invoke(t, id, fmt.Sprintf(`{"marker":%q}`, marker)); err != nil || !strings.Contains(got, "given") {
		t.Fatal(got, err)
	}
	if got, err := s.invoke(t, id, fmt.Sprintf(`{"reversed":%q}`, reversed)); got != contained || err != nil {
		t.Errorf("got %s, %v; want no breaches", got, err)
	}
}

// needLevel skips, loudly, where the host does not have a level.
func needLevel(t *testing.T, level sandbox.Level) {
	t.Helper()
	runtimes, err := worker.FindRuntimes(t.Context(), filepath.Join("..", "..", "runtime", "node"))
	if err != nil {
		t.Fatal(err)
	}
	if err := sandbox.Probe(t.Context(), level, runtimes[convoke.DefaultRuntime].Path); err != nil {
		t.Skipf("NOT TESTED: this host does not have the level %s: %v", level, err)
	}
}

// tenant is the same server for another account.
func (s *server) tenant(t *testing.T, account string) *server {
	t.Helper()
	token, _, err := app.CreateToken(t.Context(), s.dir, account, "admin", "test", 0)
	if err != nil {
		t.Fatal(err)
	}
	other := &server{url: s.url, token: token, dir: s.dir}
	if other.Client, err = client.New(client.Config{URL: s.url, AccountID: account, Token: convoke.NewSecret(token)}); err != nil {
		t.Fatal(err)
	}
	return other
}

// attack deploys a file of testdata/attack, unless it is, and returns its id.
func (s *server) attack(t *testing.T, file string) string {
	t.Helper()
	if id, err := s.Lookup(t.Context(), file); err == nil {
		return id
	}
	var code strings.Builder
	for _, name := range []string{"prelude", file} {
		b, err := os.ReadFile(filepath.Join("testdata", "attack", name+".js"))
		if err != nil {
			t.Fatal(err)
		}
		code.Write(b)
	}
	return s.deploy(t, file, code.String(), func(m *api.ManifestRequest) {
		m.Environment = map[string]string{"OWN": "1"}
		m.Settings = &api.Settings{MemoryMiB: 64, TimeoutMs: 60_000}
		switch file {
		case "loop":
			m.Settings.TimeoutMs = 500
		case "threads":
			m.Settings.MemoryMiB = 1024 // so that memory is not what ends it
		case "threadnetwork", "threadlines":
			m.Settings.MemoryMiB = 256
		case "memory":
			m.Settings = &api.Settings{MaxInstances: 1}
		}
	})
}

// watchNeighbour calls a function until the test ends and counts right
// answers. A wrong one fails the test.
func watchNeighbour(t *testing.T, s *server, id string) *atomic.Int64 {
	t.Helper()
	var answered atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			r, err := s.Invoke(ctx, id, api.InvokeRequest{Payload: json.RawMessage(fmt.Sprint(n))}, client.InvokeOptions{})
			if ctx.Err() != nil {
				return
			}
			if want := fmt.Sprintf(`{"n":true,"echo":%d,"secret":"only-the-neighbour"}`, n); string(r.Body) != want || err != nil {
				t.Errorf("the neighbour: %s, %v; want %s", r.Body, err, want)
				return
			}
			answered.Add(1)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return &answered
}

func containsOne(text string, parts []string) bool {
	for _, p := range parts {
		if strings.Contains(text, p) {
			return true
		}
	}
	return false
}

// layBait puts targets on the host and describes them as JSON. Whoever gets
// through to one fails the test, and at the end they must be as before.
func layBait(t *testing.T, s *server, level sandbox.Level) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "attack-*") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o666); err != nil {
		t.Fatal(err)
	}
	victim := exec.Command("sleep", "600")
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := victim.Process.Signal(syscall.Signal(0)); err != nil {
			t.Errorf("another process was ended: %v", err)
		}
		_ = victim.Process.Kill()
		_ = victim.Wait()
		if b, err := os.ReadFile(secret); err != nil || string(b) != "secret" {
			t.Errorf("a file of the host is now %q, %v", b, err)
		}
		os.RemoveAll(dir)
	})

	bait := listenAll(t, "tcp", ":0")
	packets, err := net.ListenPacket("udp", fmt.Sprintf(":%d", bait.(*net.TCPAddr).Port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { packets.Close() })
	go func() {
		if _, from, err := packets.ReadFrom(make([]byte, 16)); err == nil {
			t.Errorf("a datagram came through from %s", from)
		}
	}()
	socket, abstract := filepath.Join(dir, "socket"), filepath.Base(dir)
	listenAll(t, "unix", socket)
	listenAll(t, "unix", "@"+abstract)

	address := "127.0.0.1"
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && !ip.IP.IsLoopback() {
			address = ip.IP.String()
		}
	}
	libraries, err := filepath.Glob("/lib/*/libc.so.6")
	if err != nil || len(libraries) == 0 {
		t.Logf("NOT TESTED: native code, this host has no C library where it is looked for (%v)", err)
		libraries = []string{secret}
	}
	_, port, _ := strings.Cut(strings.TrimPrefix(s.url, "http://"), ":")
	facts, err := json.Marshal(map[string]any{
		"level": level, "server": os.Getpid(), "victim": victim.Process.Pid, "data": s.dir, "database": filepath.Join(s.dir, "convoke.db"), "secret": secret,
		"port": json.Number(port), "bait": bait.(*net.TCPAddr).Port, "address": address, "socket": socket, "abstract": abstract, "library": libraries[0],
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(facts)
}

// listenAll fails the test at the first connection.
func listenAll(t *testing.T, network, address string) net.Addr {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				if !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
				return
			}
			t.Errorf("a connection came through to %s", l.Addr())
			c.Close()
		}
	}()
	return l.Addr()
}
