package egress

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/time/rate"

	"convoke"
)

// listenHTTP serves handler with the server of the standard library.
func (b *bench) listenHTTP(handler http.HandlerFunc) int {
	b.t.Helper()
	s := httptest.NewServer(handler)
	b.t.Cleanup(func() {
		b.stop()
		s.Close()
	})
	port := s.Listener.Addr().(*net.TCPAddr).Port
	b.allow(fmt.Sprintf("*.in.test:%d", port))
	return port
}

// client is net/http's, whose connections go through the proxy.
func (b *bench) client() *http.Client {
	transport := &http.Transport{
		DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
			host, digits, _ := net.SplitHostPort(addr)
			var port int
			fmt.Sscan(digits, &port)
			c, refusal := b.dial(host, port)
			if refusal != nil {
				return nil, refusal
			}
			return c, nil
		},
		ExpectContinueTimeout: 5 * time.Second,
	}
	b.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

// tokens gives the function n calls and no more, however long the test takes.
func (b *bench) tokens(n int) {
	b.rates.perSecond = n
	b.rates.limiters.Add(b.src.key(), rate.NewLimiter(0, n))
}

func do(t testing.TB, client *http.Client, method, url string, body io.Reader, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return res, string(got)
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	port := b.listenHTTP(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %d", r.Method, r.Host, r.URL, len(body))
		if r.URL.Path == "/big" {
			_, _ = w.Write(bytes.Repeat([]byte("x"), 1<<20)) // chunked
		}
	})
	client := b.client()
	base := fmt.Sprintf("http://a.in.test:%d", port)
	host := fmt.Sprintf("a.in.test:%d", port)
	for range 3 {
		if _, got := do(t, client, "GET", base+"/x?y", nil); got != "GET "+host+" /x?y 0" {
			t.Errorf("GET: %q", got)
		}
		if _, got := do(t, client, "POST", base+"/", strings.NewReader("hello")); got != "POST "+host+" / 5" {
			t.Errorf("POST: %q", got)
		}
		if _, got := do(t, client, "POST", base+"/", io.MultiReader(strings.NewReader("hello "), strings.NewReader("you"))); got != "POST "+host+" / 9" {
			t.Errorf("chunked POST: %q", got)
		}
		if res, got := do(t, client, "HEAD", base+"/", nil); got != "" || res.StatusCode != 200 {
			t.Errorf("HEAD: %d %q", res.StatusCode, got)
		}
		if _, got := do(t, client, "PUT", base+"/", bytes.NewReader(make([]byte, 300_000)), "Expect", "100-continue"); got != "PUT "+host+" / 300000" {
			t.Errorf("PUT after 100: %q", got)
		}
		if _, got := do(t, client, "GET", base+"/big", nil); len(got) < 1<<20 {
			t.Errorf("a large answer has %d bytes", len(got))
		}
	}
	if got := len(b.calls()); got != 1 {
		t.Errorf("%d connections were made, want the one kept alive", got)
	}
}

func TestTooManyRequests(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	port := b.listenHTTP(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "fine") })
	b.tokens(3)
	client := b.client()
	url := fmt.Sprintf("http://a.in.test:%d/", port)
	for range 3 { // on one connection
		if res, got := do(t, client, "GET", url, nil); res.StatusCode != 200 || got != "fine" {
			t.Errorf("%d %q", res.StatusCode, got)
		}
	}
	for _, where := range []string{"on the open connection", "on a new one", "and on another"} {
		res, got := do(t, client, "POST", url, bytes.NewReader(make([]byte, 1<<20)))
		var body Refusal
		if err := json.Unmarshal([]byte(got), &body); err != nil {
			t.Errorf("%s: %v in %q", where, err, got)
		}
		if res.StatusCode != 429 || res.Header.Get("Retry-After") != "1" || !res.Close || body.Code != CodeLimited || !strings.HasPrefix(body.Message, "429 Too Many Requests") {
			t.Errorf("%s: %d %v %q", where, res.StatusCode, res.Header, got)
		}
	}
	head := b.mustDial("a.in.test", port)
	fmt.Fprint(head, "HEAD / HTTP/1.1\r\nHost: a.in.test\r\n\r\n")
	if got := readAll(t, head); !strings.HasPrefix(got, "HTTP/1.1 429 Too Many Requests\r\n") || !strings.HasSuffix(got, "\r\n\r\n") {
		t.Errorf("HEAD: %q", got)
	}
	_, refusal := b.dialRequest(Request{Source: b.src, Host: "a.in.test", Port: port, TLS: true})
	if refusal == nil || refusal.Code != CodeLimited || refusal.Status != 429 || !strings.HasPrefix(refusal.Message, "429 Too Many Requests") {
		t.Errorf("with TLS: %+v", refusal)
	}
	other := b.mustDial("a.in.test", port)
	fmt.Fprint(other, "EHLO worker.example\r\n")
	if got := readAll(t, other); got != "" {
		t.Errorf("another protocol is answered %q", got)
	}
	var got []int
	for _, c := range b.calls() {
		if c.Outcome != convoke.CallLimited {
			t.Errorf("record: %+v", c)
		}
		got = append(got, c.Status)
	}
	slices.Sort(got)
	if diff := cmp.Diff([]int{0, 0, 429, 429, 429, 429}, got); diff != "" {
		t.Errorf("the status of records (-want +got):\n%s", diff)
	}
}

func TestRateRefills(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRates(20)
		f, g := functionKey{"1", "f"}, functionKey{"1", "g"}
		take := func(k functionKey, want int) {
			t.Helper()
			got := 0
			for got < 100 && r.take(k) {
				got++
			}
			if got != want {
				t.Errorf("%d calls, want %d", got, want)
			}
		}
		take(f, 20)
		take(g, 20)
		time.Sleep(500 * time.Millisecond)
		take(f, 10)
		time.Sleep(time.Hour)
		take(f, 20)
		for i := range maxFunctions + 10 {
			r.take(functionKey{"2", fmt.Sprint(i)})
		}
		if got := r.limiters.Len(); got != maxFunctions {
			t.Errorf("%d functions are remembered, want %d", got, maxFunctions)
		}
	})
}

// script serves each connection by reading request heads and answering the
// n-th with the n-th text. It reports what it read.
func (b *bench) script(answers ...string) (port int, read func() string) {
	got := make(chan string, 1)
	port = b.listen(func(c net.Conn) {
		var seen strings.Builder
		r := bufio.NewReader(io.TeeReader(c, &seen))
		for _, a := range answers {
			for line := ""; line != "\r\n"; {
				var err error
				if line, err = r.ReadString('\n'); err != nil {
					got <- seen.String()
					return
				}
			}
			fmt.Fprint(c, a)
		}
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, r)
		got <- seen.String()
	})
	return port, func() string { return <-got }
}

const fine = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func TestHostIsJudged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		head string
		want int
	}{
		{"GET / HTTP/1.1\r\nHost: a.in.test\r\n\r\n", 200},
		{"GET / HTTP/1.1\r\nHost: A.in.test:$\r\n\r\n", 200},
		{"GET / HTTP/1.1\r\nHost: b.in.test\r\n\r\n", 200},
		{"GET / HTTP/1.0\r\n\r\n", 200},
		{"GET http://b.in.test/ HTTP/1.1\r\nHost: a.in.test\r\n\r\n", 200},
		{"CONNECT b.in.test:$ HTTP/1.1\r\nHost: a.in.test\r\n\r\n", 200},
		{"GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n", 403},
		{"GET / HTTP/1.1\r\nHost: a.in.test.evil.test\r\n\r\n", 403},
		{"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 403},
		{"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 403},
		{"GET / HTTP/1.1\r\nHost: a.in.test, evil.test\r\n\r\n", 403},
		{"GET http://evil.test/ HTTP/1.1\r\nHost: a.in.test\r\n\r\n", 403},
		{"GET http://evil.test\\@a.in.test/ HTTP/1.1\r\nHost: a.in.test\r\n\r\n", 403},
		{"CONNECT evil.test:443 HTTP/1.1\r\nHost: a.in.test\r\n\r\n", 403},
		{"CONNECT a.in.test:22 HTTP/1.1\r\nHost: a.in.test\r\n\r\n", 403},
	} {
		b := setup(t, nil)
		port, read := b.script(fine)
		head := strings.ReplaceAll(c.head, "$", fmt.Sprint(port))
		conn := b.mustDial("a.in.test", port)
		fmt.Fprint(conn, head)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != c.want {
			t.Errorf("%q: %v, %v; want %d", head, res, err, c.want)
			continue
		}
		body, _ := io.ReadAll(io.LimitReader(res.Body, max(2, res.ContentLength)))
		conn.Close()
		seen := read()
		switch {
		case c.want == 200 && seen != head:
			t.Errorf("%q arrives as %q", head, seen)
		case c.want == 403 && (seen != "" || !strings.Contains(string(body), CodeRefused)):
			t.Errorf("%q: the server saw %q; the function %q", head, seen, body)
		}
		if got := b.calls(); len(got) != 1 || (got[0].Outcome == convoke.CallRefused) != (c.want == 403) {
			t.Errorf("%q: records %+v", head, got)
		}
	}
}

// TestSmuggling: what two servers may read differently does not pass.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	for _, second := range []string{
		"POST / HTTP/1.1\r\nHost: a.in.test\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: evil.test\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a.in.test\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\nGET / HTTP/1.1\r\nHost: evil.test\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a.in.test\r\nX: y\r\n Host: evil.test\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a.in.test\r\nX: y\nHost: evil.test\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a.in.test\r\nX: y\rHost: evil.test\r\n\r\n",
		"GET / HTTP/1.1\nHost: evil.test\n\n",
		"\r\nGET / HTTP/1.1\r\nHost: evil.test\r\n\r\n",
		" GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n",
		"get\t/ HTTP/1.1\nHost: evil.test\n\n",
		"raw bytes behind HTTP\r\n\r\n",
	} {
		b := setup(t, nil)
		first := "GET /first HTTP/1.1\r\nHost: a.in.test\r\n\r\n"
		for _, before := range []string{"", first} {
			if before == "" && strings.HasPrefix(second, "raw") {
				continue // alone, it is another protocol
			}
			port, read := b.script(fine, fine)
			conn := b.mustDial("a.in.test", port)
			fmt.Fprint(conn, before+second)
			readAll(t, conn)
			if seen := read(); seen != before {
				t.Errorf("of %q passes %q", before+second, seen)
			}
		}
		for _, c := range b.calls() {
			if c.Outcome != convoke.CallRefused || !strings.HasPrefix(c.Detail, "closed, because it is not plain HTTP/1.1: ") {
				t.Errorf("%q: record %+v", second, c)
			}
		}
	}
}

// TestOddAnswers pass unchanged, whatever can be made of them.
func TestOddAnswers(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for _, answer := range []string{
		"HTTP/1.0 200 OK\r\n\r\nto the end",
		"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ncut",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ncut",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\ncut\n0\n\n",
		"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more than it says",
		"HTTP/1.1 200 OK\r\nX: cut",
		"no HTTP at all",
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 70_000) + "\r\n\r\n",
		"",
	} {
		port, read := b.script(answer)
		c := b.mustDial("a.in.test", port)
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a.in.test\r\n\r\n")
		if got := readAll(t, c); got != answer {
			t.Errorf("%.60q arrives as %.60q", answer, got)
		}
		c.Close()
		read()
	}
}

// TestPipelined: the proxy's own answer comes after those that are under way.
func TestPipelined(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	slow := make(chan struct{})
	port := b.listen(func(c net.Conn) {
		r := bufio.NewReader(c)
		for range 2 {
			if _, err := http.ReadRequest(r); err != nil {
				t.Error(err)
			}
		}
		<-slow
		fmt.Fprint(c, fine)
		fmt.Fprint(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
		_, _ = io.Copy(io.Discard, r)
	})
	b.tokens(2)
	c := b.mustDial("a.in.test", port)
	fmt.Fprint(c, strings.Repeat("GET / HTTP/1.1\r\nHost: a.in.test\r\n\r\n", 3))
	close(slow)
	r := bufio.NewReader(c)
	var got []int
	for range 3 {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("after %v: %v", got, err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		got = append(got, res.StatusCode)
	}
	if diff := cmp.Diff([]int{200, 200, 429}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if rest := readAll(t, c); rest != "" || r.Buffered() > 0 {
		t.Errorf("then comes %q", rest)
	}
}

// TestNoAnswerInside: where the answers cannot be told apart the proxy closes
// instead of speaking.
func TestNoAnswerInside(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	port := b.listen(func(c net.Conn) {
		fmt.Fprint(c, "HTTP/1.0 200 OK\r\n\r\nto the end")
		_, _ = io.Copy(io.Discard, c)
	})
	b.tokens(1)
	c := b.mustDial("a.in.test", port)
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a.in.test\r\n\r\n")
	buf := make([]byte, 4)
	if _, err := io.ReadFull(c, buf); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a.in.test\r\n\r\n")
	if got := readAll(t, c); strings.Contains(got, "429") {
		t.Errorf("inside an answer comes %q", got)
	}
}

func TestTooManyPipelined(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	port := b.listen(func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	c := b.mustDial("a.in.test", port)
	fmt.Fprint(c, strings.Repeat("GET / HTTP/1.1\r\nHost: a.in.test\r\n\r\n", maxPipelined+1))
	readAll(t, c)
	if got := b.calls(); len(got) != 1 || got[0].Outcome != convoke.CallLimited {
		t.Errorf("records: %+v", got)
	}
}

func TestUpgrade(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	port := b.listen(func(c net.Conn) {
		r := bufio.NewReader(c)
		if _, err := http.ReadRequest(r); err != nil {
			t.Error(err)
		}
		fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x05first")
		_, _ = io.Copy(c, r)
	})
	c := b.mustDial("a.in.test", port)
	fmt.Fprint(c, "GET /chat HTTP/1.1\r\nHost: a.in.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	r := bufio.NewReader(c)
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != 101 {
		t.Fatalf("%v, %v", res, err)
	}
	for _, frame := range []string{"\x81\x05first", "\x81\x05hello", "GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n"} {
		if frame != "\x81\x05first" {
			fmt.Fprint(c, frame)
		}
		got := make([]byte, len(frame))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != frame {
			t.Errorf("%q arrives as %q, %v", frame, got, err)
		}
	}
}

// TestUpgradeDeclined: the function goes on in HTTP and is judged on.
func TestUpgradeDeclined(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	port, _ := b.script(fine, fine, "never")
	c := b.mustDial("a.in.test", port)
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a.in.test\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
	r := bufio.NewReader(c)
	for _, next := range []struct {
		request string
		want    int
	}{
		{"GET / HTTP/1.1\r\nHost: b.in.test\r\n\r\n", 200},
		{"GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n", 200},
		{"", 403},
	} {
		res, err := http.ReadResponse(r, nil)
		if err != nil || res.StatusCode != next.want {
			t.Fatalf("%v, %v; want %d", res, err, next.want)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		fmt.Fprint(c, next.request)
	}
}
