package worker_test

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/websocket"

	"convoke"
	"convoke/internal/egress"
)

// road is an Egress that leads to the test's own servers.
type road struct {
	mu       sync.Mutex
	to       map[string]string // host name to address
	requests []egress.Request
	calls    []convoke.Call
	changed  chan struct{}
}

func (r *road) Open(ctx context.Context, q egress.Request) (*os.File, *egress.Refusal) {
	r.mu.Lock()
	r.requests = append(r.requests, q)
	address, known := r.to[q.Host]
	r.wake()
	r.mu.Unlock()
	switch {
	case q.Host == "slow.test":
		<-ctx.Done()
		return nil, &egress.Refusal{Code: "ETIMEDOUT", Message: "connect ETIMEDOUT", Outcome: convoke.CallFailed}
	case q.Host == "nowhere.test", q.Host == "nowhere.invalid":
		return nil, &egress.Refusal{Code: "ENOTFOUND", Message: "getaddrinfo ENOTFOUND " + q.Host, Outcome: convoke.CallFailed}
	case q.Host == "127.0.0.1" && q.Port == 1:
		return nil, &egress.Refusal{Code: "ECONNREFUSED", Message: "connect ECONNREFUSED 127.0.0.1:1", Outcome: convoke.CallFailed}
	case q.Host == "closed.test":
		return nil, &egress.Refusal{Code: "ECONNREFUSED", Message: "connect ECONNREFUSED", Outcome: convoke.CallFailed}
	case !known:
		return nil, &egress.Refusal{Code: "ERR_EGRESS_REFUSED", Status: 403, Outcome: convoke.CallRefused, Tell: true,
			Message: fmt.Sprintf("%s is not allowed; allow it with `convoke domain add %s`", q.Host, q.Host)}
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, &egress.Refusal{Code: "ECONNREFUSED", Message: err.Error()}
	}
	file, err := relay(conn.(*net.TCPConn))
	if err != nil {
		conn.Close()
		return nil, &egress.Refusal{Code: "ECONNREFUSED", Message: err.Error()}
	}
	return file, nil
}

// relay carries what goes over conn to and from one end of a socket pair, and
// returns the other end, blocking.
func relay(conn *net.TCPConn) (*os.File, error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	syscall.CloseOnExec(pair[0])
	syscall.CloseOnExec(pair[1])
	ours := os.NewFile(uintptr(pair[0]), "ours")
	defer ours.Close()
	near, err := net.FileConn(ours)
	if err != nil {
		syscall.Close(pair[1])
		return nil, err
	}
	var both sync.WaitGroup
	carry := func(to interface {
		io.Writer
		CloseWrite() error
	}, from io.Reader) {
		_, _ = io.Copy(to, from)
		_ = to.CloseWrite()
	}
	both.Go(func() { carry(conn, near) })
	both.Go(func() { carry(near.(*net.UnixConn), conn) })
	go func() { both.Wait(); conn.Close(); near.Close() }()
	return os.NewFile(uintptr(pair[1]), "theirs"), nil
}

func (r *road) Report(src *egress.Source, c convoke.Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.AccountID, c.FunctionID, c.Version = src.AccountID, src.FunctionID, src.Version
	r.calls = append(r.calls, c)
	r.wake()
}

func (r *road) wake() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// until waits for what the road has seen to be enough.
func (r *road) until(t *testing.T, enough func() bool) {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		r.mu.Lock()
		ok, changed := enough(), r.changed
		r.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("the road has seen %+v, %+v", r.requests, r.calls)
		}
	}
}

// connections is how many connections to a host were asked for.
func (r *road) connections(host string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, q := range r.requests {
		if q.Host == host {
			n++
		}
	}
	return n
}

// identity is a certificate authority's, a server's or a client's, as PEM too.
type identity struct {
	cert      *x509.Certificate
	key       *ecdsa.PrivateKey
	Cert, Key string
}

func issue(t *testing.T, name string, by *identity, hosts ...string) *identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: hosts,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IsCA:        by == nil, BasicConstraintsValid: true,
	}
	id := &identity{key: key}
	parent := cmp.Or(by, &identity{cert: template, key: key})
	der, err := x509.CreateCertificate(rand.Reader, template, parent.cert, &key.PublicKey, parent.key)
	if err != nil {
		t.Fatal(err)
	}
	if id.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	id.Cert = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	id.Key = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	return id
}

func (id *identity) tls(t *testing.T) tls.Certificate {
	t.Helper()
	c, err := tls.X509KeyPair([]byte(id.Cert), []byte(id.Key))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// world is a road with servers at its end:
//   - plain.test, tls.test and other.test: HTTP, see answer;
//   - mutual.test: HTTPS that wants a certificate of the authority's;
//   - echo.test: sends back what it gets, after the end of it says so;
//   - stuck.test reads nothing;
//   - slow.test never answers a dial, nowhere.test and closed.test fail.
type world struct {
	*road
	ca, client *identity
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{road: &road{to: map[string]string{}, changed: make(chan struct{})}, ca: issue(t, "authority", nil)}
	w.client = issue(t, "client", w.ca)
	cert := issue(t, "server", w.ca, "tls.test", "mutual.test").tls(t)

	mux := http.NewServeMux()
	mux.HandleFunc("/", answer)
	mux.Handle("/ws", websocket.Server{Handler: func(c *websocket.Conn) { _, _ = io.Copy(c, c) }})
	mux.HandleFunc("/drip", drip)
	mux.HandleFunc("/services/", salesforce)
	plain := httptest.NewServer(mux)
	t.Cleanup(plain.Close)
	secure := quiet(mux)
	secure.EnableHTTP2 = true
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	secure.StartTLS()
	t.Cleanup(secure.Close)
	roots := x509.NewCertPool()
	roots.AddCert(w.ca.cert)
	mutual := quiet(mux)
	mutual.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert}
	mutual.StartTLS()
	t.Cleanup(mutual.Close)
	w.to["plain.test"], w.to["other.test"] = plain.Listener.Addr().String(), plain.Listener.Addr().String()
	w.to["tls.test"], w.to["mutual.test"] = secure.Listener.Addr().String(), mutual.Listener.Addr().String()
	w.to["echo.test"] = listen(t, func(c net.Conn) {
		_, _ = io.Copy(c, c)
		_, _ = io.WriteString(c, " over")
		c.Close()
	})
	w.to["stuck.test"] = listen(t, func(c net.Conn) {
		t.Cleanup(func() { c.Close() })
	})
	return w
}

// quiet is a server that does not complain of clients that hang up.
func quiet(h http.Handler) *httptest.Server {
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	return s
}

// answer says what it was asked, in JSON.
func answer(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if to := r.URL.Query().Get("to"); to != "" {
		http.Redirect(rw, r, to, http.StatusFound)
		return
	}
	status, _ := strconv.Atoi(cmp.Or(r.URL.Query().Get("status"), "200"))
	client := ""
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		client = r.TLS.PeerCertificates[0].Subject.CommonName
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(map[string]any{
		"method": r.Method, "host": r.Host, "path": r.URL.Path, "body": string(body), "client": client, "proto": r.ProtoMajor,
	})
}

// drip answers in three parts, and then waits for the end of the request.
func drip(rw http.ResponseWriter, r *http.Request) {
	for _, part := range []string{"one ", "two ", "three"} {
		_, _ = io.WriteString(rw, part)
		rw.(http.Flusher).Flush()
	}
	if r.URL.Query().Has("endless") {
		<-r.Context().Done()
	}
}

// listen serves each connection to an address of its own, and returns that.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return l.Addr().String()
}
