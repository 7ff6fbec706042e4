package bench

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// canned is a server that answers every request with the same bytes.
type canned struct {
	io.Reader
	sent bytes.Buffer
}

func (c *canned) Write(b []byte) (int, error) { return c.sent.Write(b) }
func (c *canned) Close() error                { return nil }

var responses = []struct {
	name, wire string
	status     int
	body       string
	fails      string // part of the error
}{
	{name: "length", wire: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", status: 200, body: "hello"},
	{name: "header names in any case", wire: "HTTP/1.1 901 \r\ncontent-LENGTH:2\r\n\r\n{}", status: 901, body: "{}"},
	{name: "empty body", wire: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", status: 200},
	{name: "no content", wire: "HTTP/1.1 204 No Content\r\n\r\n", status: 204},
	{name: "chunks", wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n", status: 200, body: "hello0123456789"},
	{name: "trailer", wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\nSum: 1\r\n\r\n", status: 200, body: "x"},
	{name: "larger than the buffer", wire: "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + strings.Repeat("x", 20000), status: 200, body: strings.Repeat("x", 20000)},

	{name: "cut body", wire: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", fails: "unexpected EOF"},
	{name: "cut header", wire: "HTTP/1.1 200 OK\r\nContent-Le", fails: "unexpected EOF"},
	{name: "cut chunk", wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe", fails: "unexpected EOF"},
	{name: "not HTTP", wire: "SSH-2.0-OpenSSH_9.9\r\n\r\n", fails: "status line"},
	{name: "interim", wire: "HTTP/1.1 100 Continue\r\n\r\n", fails: "status line"},
	{name: "no length", wire: "HTTP/1.1 200 OK\r\n\r\nhello", fails: "neither"},
	{name: "negative length", wire: "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", fails: "Content-Length"},
	{name: "huge length", wire: "HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n", fails: "larger than"},
	{name: "huge chunk", wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\n", fails: "larger than"},
	{name: "bad chunk size", wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", fails: "chunk size"},
	{name: "chunk too long", wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n", fails: "line break"},
	{name: "closing", wire: "HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno", fails: "closes the connection after status 503"},
}

func TestConnReadsResponses(t *testing.T) {
	t.Parallel()
	for _, tc := range responses {
		for how, wrap := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "EOF with data": iotest.DataErrReader,
		} {
			t.Run(tc.name+"/"+how, func(t *testing.T) {
				t.Parallel()
				server := &canned{Reader: wrap(strings.NewReader(tc.wire))}
				got, err := newConn(server).do([]byte("GET / HTTP/1.1\r\n\r\n"))
				if tc.fails != "" {
					if err == nil || !strings.Contains(err.Error(), tc.fails) {
						t.Fatalf("got %v, %v, want an error with %q", got, err, tc.fails)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if got.status != tc.status || string(got.body) != tc.body {
					t.Errorf("got %d %.50q, want %d %.50q", got.status, got.body, tc.status, tc.body)
				}
				if server.sent.String() != "GET / HTTP/1.1\r\n\r\n" {
					t.Errorf("sent %q", server.sent.String())
				}
			})
		}
	}
}

func TestConnRefusesBytesAfterTheResponse(t *testing.T) {
	t.Parallel()
	server := &canned{Reader: strings.NewReader("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK")}
	if got, err := newConn(server).do(nil); err == nil {
		t.Errorf("got %v, want an error", got)
	}
}

// FuzzConn looks for responses that make the parser panic, spin or hand out
// more than it received.
func FuzzConn(f *testing.F) {
	for _, tc := range responses {
		f.Add([]byte(tc.wire))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		r, err := newConn(&canned{Reader: bytes.NewReader(wire)}).do(nil)
		if err == nil && len(r.body) > len(wire) {
			t.Errorf("a body of %d bytes from a response of %d", len(r.body), len(wire))
		}
	})
}
