package egress

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"convoke"
)

func TestHalfClose(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	port := b.listen(func(c net.Conn) { // answers at the end of what it is sent
		got, _ := io.ReadAll(c)
		fmt.Fprintf(c, "got %d", len(got))
	})
	c := b.mustDial("a.in.test", port)
	if _, err := c.Write(make([]byte, 100_000)); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, c); got != "got 100000" {
		t.Errorf("the answer is %q", got)
	}

	got := make(chan int, 1)
	port = b.listen(func(c net.Conn) { // ends first and listens on
		fmt.Fprint(c, "bye")
		_ = c.(*net.TCPConn).CloseWrite()
		all, _ := io.ReadAll(c)
		got <- len(all)
	})
	c = b.mustDial("a.in.test", port)
	if got := readAll(t, c); got != "bye" {
		t.Errorf("the greeting is %q", got)
	}
	if _, err := c.Write(make([]byte, 100_000)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if n := <-got; n != 100_000 {
		t.Errorf("%d bytes arrived", n)
	}
}

// TestLargeTransfers carries much both ways at a time, in pieces of all sizes.
func TestLargeTransfers(t *testing.T) {
	t.Parallel()
	const size = 48 << 20
	b := setup(t, nil)
	send := func(c interface {
		io.Writer
		CloseWrite() error
	}, seed uint64) [sha256.Size]byte {
		r := mathrand.New(mathrand.NewPCG(seed, 0))
		sum := sha256.New()
		data := make([]byte, 256<<10)
		for left := size; left > 0; {
			piece := data[:min(left, 1+r.IntN(len(data)))]
			for i := range piece {
				piece[i] = byte(r.Uint32())
			}
			piece[0] |= 0x80 // no HTTP, no TLS
			sum.Write(piece)
			if _, err := c.Write(piece); err != nil {
				t.Errorf("after %d bytes: %v", size-left, err)
				break
			}
			left -= len(piece)
		}
		_ = c.CloseWrite()
		return [sha256.Size]byte(sum.Sum(nil))
	}
	receive := func(r io.Reader) [sha256.Size]byte {
		sum := sha256.New()
		_, _ = io.Copy(sum, r)
		return [sha256.Size]byte(sum.Sum(nil))
	}
	type sums struct{ sent, got [sha256.Size]byte }
	server := make(chan sums, 1)
	port := b.listen(func(c net.Conn) {
		var s sums
		var both sync.WaitGroup
		both.Go(func() { s.sent = send(c.(*net.TCPConn), 1) })
		both.Go(func() { s.got = receive(c) })
		both.Wait()
		server <- s
	})
	c := b.mustDial("a.in.test", port)
	var client sums
	var both sync.WaitGroup
	both.Go(func() { client.sent = send(c, 2) })
	both.Go(func() { client.got = receive(c) })
	both.Wait()
	if s := <-server; s.sent != client.got || s.got != client.sent {
		t.Error("what arrived is not what was sent")
	}
	c.Close()
	if got := b.calls(); len(got) != 1 || got[0].Sent != size || got[0].Received != size || got[0].Outcome != convoke.CallOK {
		t.Errorf("records: %+v", got)
	}
}

func TestByteLimit(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	b := setup(t, func(c *Config) { c.Limits.BytesPerConnection = limit })
	port := b.listen(func(c net.Conn) { _, _ = io.Copy(c, endless{}) })
	c := b.mustDial("a.in.test", port)
	if got := len(readAll(t, c)); got < limit-bufferSize || got > limit+bufferSize {
		t.Errorf("%d bytes passed, want about %d", got, limit)
	}
	if got := b.calls(); len(got) != 1 || got[0].Outcome != convoke.CallLimited || got[0].Detail != "closed: a connection may carry 1 MiB" {
		t.Errorf("records: %+v", got)
	}
}

// TestSlowReader: what the worker does not read, the proxy does not take.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	wrote := make(chan int, 1)
	port := b.listen(func(c net.Conn) {
		_ = c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		n, err := io.Copy(c, endless{})
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the server is not held up: %v", err)
		}
		wrote <- int(n)
	})
	c := b.mustDial("a.in.test", port)
	n := <-wrote // some is in the sockets' buffers
	if n > 32<<20 {
		t.Errorf("%d MiB were taken that nobody reads", n>>20)
	}
	if got := len(readAll(t, c)); got != n {
		t.Errorf("%d bytes arrive of %d", got, n)
	}
}

// TestServerSpeaksFirst passes a protocol of lines that begins with the server
// and whose commands look like methods.
func TestServerSpeaksFirst(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	port := b.listen(func(c net.Conn) {
		fmt.Fprint(c, "220 ready\r\n")
		line, _ := bufio.NewReader(c).ReadString('\n')
		fmt.Fprintf(c, "250 %s", line)
	})
	c := b.mustDial("a.in.test", port)
	r := bufio.NewReader(c)
	if got, err := r.ReadString('\n'); got != "220 ready\r\n" {
		t.Fatalf("%q, %v", got, err)
	}
	fmt.Fprint(c, "EHLO worker.example\r\n")
	if got, err := r.ReadString('\n'); got != "250 EHLO worker.example\r\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// certificate is self-signed for the names.
func certificate(t testing.TB, names ...string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: names,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// TestTLS speaks real TLS through the proxy, with the dialled name, with that
// of another host that is allowed, and with one that is not.
func TestTLS(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	cert, pool := certificate(t, "a.in.test", "b.in.test", "evil.test")
	port := b.listen(func(c net.Conn) {
		s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
		_, _ = io.Copy(s, s)
		_ = s.CloseWrite()
	})
	talk := func(name string, c net.Conn) (*tls.Conn, error) {
		s := tls.Client(c, &tls.Config{ServerName: name, RootCAs: pool})
		_ = s.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := s.Write([]byte("hello\n")); err != nil {
			return nil, err
		}
		got, err := bufio.NewReader(s).ReadString('\n')
		if err != nil || got != "hello\n" {
			return nil, fmt.Errorf("the echo is %q, %w", got, err)
		}
		return s, nil
	}
	for _, name := range []string{"a.in.test", "b.in.test"} {
		if _, err := talk(name, b.mustDial("a.in.test", port)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	var pieces net.Conn = bytewise{b.mustDial("a.in.test", port)}
	if _, err := talk("a.in.test", pieces); err != nil {
		t.Errorf("in pieces: %v", err)
	}
	_, err := talk("evil.test", b.mustDial("a.in.test", port))
	if err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("a server name that is not allowed: %v, want an alert", err)
	}
	// Without the name that it speaks to, an open connection has to go too.
	front := b.mustDial("a.in.test", port)
	s, err := talk("b.in.test", front)
	if err != nil {
		t.Fatal(err)
	}
	b.domains.set("1", fmt.Sprintf("a.in.test:%d", port))
	b.Changed("1")
	if n, err := s.Read(make([]byte, 1)); err == nil {
		t.Errorf("read %d bytes", n)
	}
	outcomes := map[convoke.CallOutcome]int{}
	for _, c := range b.calls() {
		outcomes[c.Outcome]++
		if c.Outcome == convoke.CallRefused && !strings.Contains(c.Detail, "evil.test:") && !strings.Contains(c.Detail, "b.in.test:") {
			t.Errorf("refused with %q", c.Detail)
		}
	}
	if outcomes[convoke.CallRefused] < 2 {
		t.Errorf("outcomes: %v, want two refused at least", outcomes)
	}
}

// bytewise writes byte by byte.
type bytewise struct{ net.Conn }

func (b bytewise) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := b.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

func TestGreetingMalformed(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	seen := make(chan []byte, 1)
	port := b.listen(func(c net.Conn) {
		got, _ := io.ReadAll(c)
		seen <- got
	})
	c := b.mustDial("a.in.test", port)
	if _, err := c.Write([]byte("\x16\x03\x01\x00\x05hello")); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, c); got != "" {
		t.Errorf("answered %q", got)
	}
	if got := <-seen; !bytes.Equal(got, nil) {
		t.Errorf("%q passed", got)
	}
	if got := b.calls(); len(got) != 1 || got[0].Outcome != convoke.CallRefused || got[0].Detail != "closed: its TLS greeting cannot be read" {
		t.Errorf("records: %+v", got)
	}
}
