package egress

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParseRequest(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]request{
		"GET / HTTP/1.1|Host: a.example":                       {method: "GET", host: "a.example"},
		"GET /?q=http://b.example HTTP/1.1|host:a.example:80 ": {method: "GET", host: "a.example:80"},
		"GET / HTTP/1.0":                                                        {method: "GET"},
		"OPTIONS * HTTP/1.1|Host: a.example":                                    {method: "OPTIONS", host: "a.example"},
		"POST / HTTP/1.1|Host: a.example|Content-Length: 12":                    {method: "POST", host: "a.example", body: body{length: 12}},
		"POST / HTTP/1.1|Host: a.example|Transfer-Encoding: Chunked":            {method: "POST", host: "a.example", body: body{chunked: true}},
		"GET http://b.example/x HTTP/1.1|Host: a.example":                       {method: "GET", host: "a.example", target: "b.example"},
		"GET HTTPS://b.example?x HTTP/1.1|Host: a.example":                      {method: "GET", host: "a.example", target: "b.example"},
		"CONNECT b.example:443 HTTP/1.1|Host: a.example":                        {method: "CONNECT", host: "a.example", target: "b.example:443", upgrade: true},
		"GET / HTTP/1.1|Host: a.example|Connection: Upgrade|Upgrade: websocket": {method: "GET", host: "a.example", upgrade: true},
		"GET / HTTP/1.1|Host: a.example|X: a\tb \u00fc":                         {method: "GET", host: "a.example"},
	} {
		got, err := parseRequest([]byte(strings.ReplaceAll(text, "|", "\r\n") + "\r\n\r\n"))
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(request{}, body{})); err != nil || diff != "" {
			t.Errorf("%q: %v (-want +got):\n%s", text, err, diff)
		}
	}
	for text, why := range map[string]string{
		"GET /":                                                                         "request line",
		"GET / HTTP/2.0|Host: a":                                                        "version",
		"GET / http/1.1|Host: a":                                                        "version",
		"GET  / HTTP/1.1|Host: a":                                                       "request line",
		"GET /a b HTTP/1.1|Host: a":                                                     "version",
		" GET / HTTP/1.1|Host: a":                                                       "request line",
		"G\tET / HTTP/1.1|Host: a":                                                      "request line",
		"GET /\x00 HTTP/1.1|Host: a":                                                    "request line",
		"GET a.example/ HTTP/1.1|Host:":                                                 "target",
		"GET ftp://b.example/ HTTP/1.1|Host: a":                                         "target",
		"GET http://u@b.example/ HTTP/1.1|Host: a":                                      "target",
		"GET http:///x HTTP/1.1|Host: a":                                                "target",
		"GET / HTTP/1.1":                                                                "no Host",
		"GET / HTTP/1.1|Host: a|Host: b":                                                "two Host",
		"GET / HTTP/1.1|Host : a":                                                       "header field",
		"GET / HTTP/1.1|Host: a| folded":                                                "header field",
		"GET / HTTP/1.1|Host: a|nonsense":                                               "header field",
		"GET / HTTP/1.1|Host: a|: b":                                                    "header field",
		"GET / HTTP/1.1|Host: a|X: b\rc":                                                "control character",
		"GET / HTTP/1.1|Host: a|X: b\x00c":                                              "control character",
		"GET / HTTP/1.1|Host: a|X: b\nY: c":                                             "control character",
		"POST / HTTP/1.1|Host: a|Content-Length: 1|Content-Length: 1":                   "two Content-Length",
		"POST / HTTP/1.1|Host: a|Content-Length: 1, 1":                                  "no number",
		"POST / HTTP/1.1|Host: a|Content-Length: +1":                                    "no number",
		"POST / HTTP/1.1|Host: a|Content-Length: -1":                                    "no number",
		"POST / HTTP/1.1|Host: a|Content-Length: 0x1":                                   "no number",
		"POST / HTTP/1.1|Host: a|Content-Length:":                                       "no number",
		"POST / HTTP/1.1|Host: a|Content-Length: 99999999999999999999":                  "no number",
		"POST / HTTP/1.1|Host: a|Content-Length: 1|Transfer-Encoding: chunked":          "both",
		"POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked|content-length: 1":          "both",
		"POST / HTTP/1.1|Host: a|Transfer-Encoding: gzip, chunked":                      "chunked alone",
		"POST / HTTP/1.1|Host: a|Transfer-Encoding: xchunked":                           "chunked alone",
		"POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked|Transfer-Encoding: chunked": "chunked alone",
		"POST / HTTP/1.0|Host: a|Transfer-Encoding: chunked":                            "HTTP/1.0",
	} {
		_, err := parseRequest([]byte(strings.ReplaceAll(text, "|", "\r\n") + "\r\n\r\n"))
		if _, ok := errors.AsType[malformed](err); !ok || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want malformed with %q", text, err, why)
		}
	}
}

func TestReadHead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\nmore": nil,
		"":                                      io.EOF,
		"GET / HTTP/1.1\r\nHost: a\r\n":         io.ErrUnexpectedEOF,
		"GET / HTTP/1.1\nHost: a\n\n":           malformed("a line of a head ends in a line feed alone"),
		"GET / HTTP/1.1\r\nHost: a\r\n\n":       malformed("a line of a head ends in a line feed alone"),
		"GET /" + strings.Repeat("a", 65536):    malformed("a head is longer than 64 KiB"),
		"GET / HTTP/1.1\r\n" + strings.Repeat("a: b\r\n", 20000): malformed("a head is longer than 64 KiB"),
	} {
		if _, err := readHead(&lookahead{r: strings.NewReader(text)}); err != want {
			t.Errorf("%.40q: %v, want %v", text, err, want)
		}
	}
}

func TestLooksLikeHTTP(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"GET / HTTP/1.1\r\n":           true,
		"get / http/1.1\n":             true,
		"GET\t/\tHTTP/1.1\n":           true,
		" GET / HTTP/1.1\r\n":          true,
		"GET /x y z HTTP/1.0 \r\n":     true,
		"\r\nGET / HTTP/1.1\r\n":       true,
		"\nGET / HTTP/1.1\r\n":         true,
		"PRI * HTTP/2.0\r\n":           false, // HTTP/2 without TLS
		"EHLO mail.example\r\n":        false,
		"SET key value\r\n":            false,
		"SSH-2.0-client\r\n":           false,
		"AMQP\x00\x00\x09\x01":         false,
		"\x00\x00\x00\x08\x04\xd2\x16": false,
		"GET /":                        false, // and then nothing more
		"*1\r\n$4\r\nPING\r\n":         false,
		strings.Repeat("x", 100):       false,
		"\"quoted\" text\n":            false,
	} {
		l := &lookahead{r: iotest.OneByteReader(strings.NewReader(text))}
		if got, err := looksLikeHTTP(l); err != nil || got != want {
			t.Errorf("%q: %t, %v; want %t", text, got, err, want)
		}
	}
}

func TestPassChunks(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"0\r\n\r\n",
		"5\r\nhello\r\n0\r\n\r\n",
		"a;name=\"value\"\r\n0123456789\r\n00\r\nX: y\r\nZ: \r\n\r\n",
		"F\r\n0123456789abcde\r\n1\r\n\n\r\n0\r\n\r\n",
	} {
		var out bytes.Buffer
		l := &lookahead{r: iotest.OneByteReader(strings.NewReader(text + "GET"))}
		if err := passChunks(&out, l); err != nil || out.String() != text {
			t.Errorf("%q: passed %q, %v", text, out.String(), err)
		}
	}
	for _, text := range []string{
		"5\nhello\r\n0\r\n\r\n", "5\r\nhello0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "-1\r\n", "+1\r\nx\r\n", "0x1\r\nx\r\n", "1 \r\nx\r\n", "\r\n", "g\r\n",
		";x\r\n", "1;a\rb\r\nx\r\n", "1;a\nb\r\n", "fffffffffffffffff\r\n", "0\r\nX: y\n\r\n", "0\r\n folded\r\n\r\n", "0\r\nnonsense\r\n\r\n", "0\r\nX: \x00\r\n\r\n",
	} {
		l := &lookahead{r: strings.NewReader(text)}
		if _, ok := errors.AsType[malformed](passChunks(io.Discard, l)); !ok {
			t.Errorf("%q passed", text)
		}
	}
	if err := passChunks(io.Discard, &lookahead{r: strings.NewReader("5\r\nhel")}); err != io.EOF {
		t.Errorf("cut off: %v, want %v", err, io.EOF)
	}
}

func TestParseAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		head, method string
		want         answer
	}{
		{"HTTP/1.1 200 OK|Content-Length: 5", "GET", answer{body: body{length: 5}}},
		{"HTTP/1.1 200|Content-Length: 5", "GET", answer{body: body{length: 5}}},
		{"HTTP/1.1 200 OK|Transfer-Encoding: chunked", "GET", answer{body: body{chunked: true}}},
		{"HTTP/1.0 200 OK", "GET", answer{body: body{toEnd: true}}},
		{"HTTP/1.1 200 OK|Content-Length: 5", "HEAD", answer{}},
		{"HTTP/1.1 304 Not Modified|Content-Length: 5", "GET", answer{}},
		{"HTTP/1.1 204 No Content", "GET", answer{}},
		{"HTTP/1.1 100 Continue", "POST", answer{interim: true}},
		{"HTTP/1.1 103 Early Hints|Link: x", "GET", answer{interim: true}},
		{"HTTP/1.1 101 Switching Protocols|Upgrade: websocket", "GET", answer{switched: true}},
		{"HTTP/1.1 200 OK", "CONNECT", answer{switched: true}},
		{"HTTP/1.1 403 Forbidden|Content-Length: 2", "CONNECT", answer{body: body{length: 2}}},
	} {
		got, err := parseAnswer([]byte(strings.ReplaceAll(c.head, "|", "\r\n")+"\r\n\r\n"), c.method)
		if err != nil || got != c.want {
			t.Errorf("%q to %s: %+v, %v; want %+v", c.head, c.method, got, err, c.want)
		}
	}
	for _, head := range []string{"HTTP/2.0 200 OK", "HTTP/1.1 20x OK", "HTTP/1.1 2000 OK", "HTTP/1.1 099 OK", "HTTP/1.1  200", "ICY 200 OK", "HTTP/1.1 200 OK|x", "HTTP/1.1 200 OK|Content-Length: 1|Transfer-Encoding: chunked"} {
		if _, err := parseAnswer([]byte(strings.ReplaceAll(head, "|", "\r\n")+"\r\n\r\n"), "GET"); err == nil {
			t.Errorf("%q is taken", head)
		}
	}
}

// passRequests passes requests on as conn.requests does, without judging them.
func passRequests(w io.Writer, r io.Reader) (seen []request, err error) {
	l := &lookahead{r: r}
	for {
		head, err := readHead(l)
		if err != nil {
			return seen, err
		}
		req, err := parseRequest(head)
		if err != nil {
			return seen, err
		}
		if err := l.pass(w, len(head)); err != nil {
			return seen, err
		}
		if err := passContent(w, l, req.body); err != nil {
			return seen, err
		}
		seen = append(seen, req)
	}
}

// chunked reads in pieces of the sizes given, over and over.
type chunked struct {
	data  []byte
	sizes []int
	n     int
}

func (c *chunked) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.data[:min(len(c.data), c.sizes[c.n%len(c.sizes)])])
	c.n++
	c.data = c.data[n:]
	return n, nil
}

// TestRequestsPassUnchanged makes sequences of requests, lets them arrive in
// any pieces, and compares what was passed on and how it was understood.
func TestRequestsPassUnchanged(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var stream bytes.Buffer
		var want []request
		for range rapid.IntRange(0, 5).Draw(t, "requests") {
			r := request{method: rapid.SampledFrom([]string{"GET", "POST", "M-SEARCH"}).Draw(t, "method"), host: "a.example"}
			content := rapid.SliceOfN(rapid.Byte(), 0, 100_000).Draw(t, "content")
			fmt.Fprintf(&stream, "%s /%s HTTP/1.1\r\nHost: a.example\r\nX-Pad: %s\r\n", r.method,
				strings.Repeat("p", rapid.IntRange(0, 9000).Draw(t, "path")), strings.Repeat("h", rapid.IntRange(0, 9000).Draw(t, "pad")))
			switch rapid.IntRange(0, 2).Draw(t, "framing") {
			case 0:
				stream.WriteString("\r\n")
			case 1:
				r.body.length = int64(len(content))
				fmt.Fprintf(&stream, "Content-Length: %d\r\n\r\n%s", len(content), content)
			case 2:
				r.body.chunked = true
				stream.WriteString("Transfer-Encoding: chunked\r\n\r\n")
				for len(content) > 0 {
					n := rapid.IntRange(1, len(content)).Draw(t, "chunk")
					fmt.Fprintf(&stream, "%x;e=1\r\n%s\r\n", n, content[:n])
					content = content[n:]
				}
				stream.WriteString("0\r\nTrailer: x\r\n\r\n")
			}
			want = append(want, r)
		}
		sizes := rapid.SliceOfN(rapid.OneOf(rapid.IntRange(1, 20), rapid.IntRange(1, 70_000)), 1, 10).Draw(t, "sizes")
		in := bytes.Clone(stream.Bytes())
		var out bytes.Buffer
		got, err := passRequests(&out, &chunked{data: stream.Bytes(), sizes: sizes})
		if err != io.EOF {
			t.Fatalf("%v after %d of %d requests", err, len(got), len(want))
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(request{}, body{})); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		if !bytes.Equal(in, out.Bytes()) {
			t.Fatalf("%d bytes went in, %d others came out", len(in), out.Len())
		}
	})
}

// FuzzRequests holds that whatever passes is a beginning of what came in, and
// that it does not depend on the pieces in which it came.
func FuzzRequests(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a.example\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"))
	f.Add([]byte("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nT: x\r\n\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var whole, bytewise bytes.Buffer
		a, errA := passRequests(&whole, bytes.NewReader(in))
		b, errB := passRequests(&bytewise, iotest.OneByteReader(bytes.NewReader(in)))
		if len(a) != len(b) || fmt.Sprint(errA) != fmt.Sprint(errB) {
			t.Errorf("%d requests and %v; byte by byte %d and %v", len(a), errA, len(b), errB)
		}
		if !bytes.HasPrefix(in, whole.Bytes()) || !bytes.Equal(whole.Bytes(), bytewise.Bytes()) {
			t.Errorf("%q and %q passed", whole.Bytes(), bytewise.Bytes())
		}
	})
}
