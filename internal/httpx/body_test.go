package httpx_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"convoke"
	"convoke/api"
	"convoke/internal/httpx"
)

// slow is a server that gives a body a tenth of a second.
func slow(t *testing.T, h httpx.Handler, http2 bool) *httptest.Server {
	t.Helper()
	srv := unstarted(h)
	open(srv, http2)
	t.Cleanup(srv.Close)
	return srv
}

func unstarted(h httpx.Handler) *httptest.Server {
	e, _ := edge(httpx.Config{BodyTimeout: 100 * time.Millisecond})
	return httptest.NewUnstartedServer(e.Wrap(e.Handle(h, true)))
}

func open(srv *httptest.Server, http2 bool) {
	srv.EnableHTTP2 = http2
	if http2 {
		srv.StartTLS()
	} else {
		srv.Start()
	}
}

func readAll(w http.ResponseWriter, r *http.Request) error {
	b, err := httpx.ReadBody(w, r, 1<<20)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, len(b))
}

// TestSlowBody is a slow loris: the headers are there, the body does not come.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	neverReads := func(w http.ResponseWriter, _ *http.Request) error {
		return convoke.Errorf(convoke.CodeUnauthorized, "who are you?")
	}
	for name, tt := range map[string]struct {
		handler httpx.Handler
		headers string
		status  int
		code    convoke.Code
	}{
		"length":         {readAll, "Content-Length: 100\r\n", 408, convoke.CodeRequestTimeout},
		"chunked":        {readAll, "Transfer-Encoding: chunked\r\n", 408, convoke.CodeRequestTimeout},
		"refused unread": {neverReads, "Content-Length: 100\r\n", 401, convoke.CodeUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := slow(t, tt.handler, false)
			conn, err := net.Dial("tcp", srv.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\n%s\r\n", tt.headers); err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(conn)
			res, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			var got api.Error
			if err := json.NewDecoder(res.Body).Decode(&got); err != nil || res.StatusCode != tt.status || got.Code != tt.code {
				t.Errorf("got %d %+v, %v, want %d %s", res.StatusCode, got, err, tt.status, tt.code)
			}
			if _, err := in.ReadByte(); err != io.EOF {
				t.Errorf("the connection is still open: %v", err)
			}
		})
	}
}

func TestSlowBodyHTTP2(t *testing.T) {
	t.Parallel()
	srv := slow(t, readAll, true)
	body, more := io.Pipe()
	defer more.Close()
	res, err := srv.Client().Post(srv.URL, "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.ProtoMajor != 2 || res.StatusCode != http.StatusRequestTimeout {
		t.Errorf("got %s %s, want HTTP/2 and 408", res.Proto, res.Status)
	}
}

// TestLongWork: what the handler does with the body may take longer than the
// body may, and the connection serves further requests. The clock is a bubble's:
// on a busy machine a body could take longer than it may.
func TestLongWork(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("http2=%v", http2), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				dials := newPipes()
				srv := unstarted(func(w http.ResponseWriter, r *http.Request) error {
					if _, err := httpx.ReadBody(w, r, 1<<20); err != nil {
						return err
					}
					select {
					case <-time.After(time.Minute):
						return httpx.WriteJSON(w, http.StatusOK, true)
					case <-r.Context().Done():
						return convoke.Errorf(convoke.CodeInvalid, "the request was cut: %v", r.Context().Err())
					}
				})
				srv.Listener.Close()
				srv.Listener = dials
				open(srv, http2)
				defer srv.Close()
				client := srv.Client()
				client.Transport.(*http.Transport).DialContext = dials.dial
				for _, body := range []string{"", `{"a":1}`, strings.Repeat("x", 300<<10)} {
					for _, length := range []bool{true, false} {
						var from io.Reader = strings.NewReader(body)
						if !length {
							from = io.MultiReader(from) // hides the length: chunks
						}
						res, err := client.Post(srv.URL, "application/json", from)
						if err != nil {
							t.Fatal(err)
						}
						b, err := io.ReadAll(res.Body)
						res.Body.Close()
						if err != nil || res.StatusCode != http.StatusOK {
							t.Errorf("%d bytes: %s %s, %v", len(body), res.Status, b, err)
						}
					}
				}
				client.CloseIdleConnections()
			})
		})
	}
}

// pipes is a listener within the process.
type pipes struct {
	conns chan net.Conn
	ended chan struct{}
	close func()
}

func newPipes() *pipes {
	p := &pipes{conns: make(chan net.Conn), ended: make(chan struct{})}
	p.close = sync.OnceFunc(func() { close(p.ended) })
	return p
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { p.close(); return nil }

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
