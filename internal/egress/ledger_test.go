package egress

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"convoke"
)

// TestReportedOnce: a connection whose requests the worker reports has no
// record of its own, one beside it has.
func TestReportedOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	port := b.listen(echo)
	seen, unseen := b.mustDial("seen.in.test", port), b.mustDial("unseen.in.test", port)
	exchangeLine(t, seen, "hello\n")
	exchangeLine(t, unseen, "hello\n")
	for _, status := range []int{200, 404} {
		b.Report(b.src, convoke.Call{RequestID: "r1", Host: "SEEN.in.test", Port: port, Method: "GET", Status: status, Sent: 10, Received: 20, Took: time.Millisecond})
	}
	// As if the worker's report were under way when its connection ends.
	late := b.mustDial("late.in.test", port)
	late.Close()
	for b.Stats().Connections != 2 {
		runtime.Gosched()
	}
	b.Report(b.src, convoke.Call{Host: "late.in.test", Port: port, Method: "POST", Outcome: convoke.CallFailed, Detail: "other side closed"})

	got := b.calls()
	want := []convoke.Call{
		{RequestID: "r1", Host: "seen.in.test", Port: port, Method: "GET", Status: 200, Sent: 10, Received: 20, Outcome: convoke.CallOK},
		{RequestID: "r1", Host: "seen.in.test", Port: port, Method: "GET", Status: 404, Sent: 10, Received: 20, Outcome: convoke.CallOK},
		{Host: "late.in.test", Port: port, Method: "POST", Outcome: convoke.CallFailed, Detail: "other side closed"},
		{RequestID: "r1", Host: "unseen.in.test", Port: port, Sent: 6, Received: 6, Outcome: convoke.CallOK},
	}
	for i := range want {
		want[i].AccountID, want[i].FunctionID, want[i].Version = "1", "f", 3
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	if len(b.ledger.spots) != 0 || len(b.ledger.ended) != 0 {
		t.Errorf("%d spots and %d ends are kept", len(b.ledger.spots), len(b.ledger.ended))
	}
}

// TestReportOfOwnAnswer: a 429 of the proxy that the worker reports as an
// answer is one record, which says whose it was. One of the server stays it.
func TestReportOfOwnAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	port := b.listenHTTP(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(429) })
	b.tokens(1)
	client := b.client()
	for range 2 {
		if res, _ := do(t, client, "GET", fmt.Sprintf("http://a.in.test:%d/", port), nil); res.StatusCode != 429 {
			t.Fatalf("status %d", res.StatusCode)
		}
	}
	b.Report(b.src, convoke.Call{Host: "a.in.test", Port: port, Method: "GET", Status: 429})
	b.Report(b.src, convoke.Call{Host: "a.in.test", Port: port, Method: "GET", Status: 429})
	var got []convoke.CallOutcome
	for _, c := range b.calls() {
		if c.Method != "GET" || (c.Outcome == convoke.CallLimited) != strings.Contains(c.Detail, "429 Too Many Requests") {
			t.Errorf("record: %+v", c)
		}
		got = append(got, c.Outcome)
	}
	if diff := cmp.Diff([]convoke.CallOutcome{convoke.CallLimited, convoke.CallOK}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestReportsTakeTokens: requests on a connection that stays open count too.
func TestReportsTakeTokens(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	port := b.listen(echo)
	b.tokens(3)
	tls := Request{Source: b.src, Host: "a.in.test", Port: port, TLS: true}
	if _, refusal := b.dialRequest(tls); refusal != nil {
		t.Fatal(refusal)
	}
	for range 3 { // the dial paid for the first
		b.Report(b.src, convoke.Call{Host: "a.in.test", Port: port, Status: 200})
	}
	if _, refusal := b.dialRequest(tls); refusal == nil || refusal.Code != CodeLimited {
		t.Errorf("the fourth call: %v, want %s", refusal, CodeLimited)
	}
}

// TestReportsOfPaidRequests: a request in plain HTTP took its token when it
// passed.
func TestReportsOfPaidRequests(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	port := b.listenHTTP(func(http.ResponseWriter, *http.Request) {})
	b.tokens(4)
	client := b.client()
	for range 2 {
		for range 2 {
			if res, _ := do(t, client, "GET", fmt.Sprintf("http://a.in.test:%d/", port), nil); res.StatusCode != 200 {
				t.Errorf("status %d", res.StatusCode)
			}
		}
		for range 2 {
			b.Report(b.src, convoke.Call{Host: "a.in.test", Port: port, Method: "GET", Status: 200})
		}
	}
}

func TestReportIsHostile(t *testing.T) {
	t.Parallel()
	b := still(t, nil)
	for _, host := range []string{"", "127.0.0.1", "a\nb.test", strings.Repeat("a", 300)} {
		b.Report(b.src, convoke.Call{Host: host, Port: 443})
	}
	b.Report(b.src, convoke.Call{Host: "a.in.test", Port: 65536})
	b.Report(b.src, convoke.Call{
		ID: 7, AccountID: "2", FunctionID: "other", Version: 9, Host: "a.in.test", Port: 443, Method: "GET /secret", Status: 1000,
		Sent: -1, Received: -1, Took: -1, At: time.Now().Add(time.Hour), Outcome: convoke.CallLimited, Detail: "made up",
	})
	b.Report(b.src, convoke.Call{Host: "a.in.test", Port: 443, Method: "GET", Status: -1, Took: 1000 * time.Hour, Outcome: convoke.CallFailed, Detail: strings.Repeat("ä", 500) + "\xff"})
	want := []convoke.Call{
		{AccountID: "1", FunctionID: "f", Version: 3, Host: "a.in.test", Port: 443, Outcome: convoke.CallOK},
		{AccountID: "1", FunctionID: "f", Version: 3, Host: "a.in.test", Port: 443, Method: "GET", Outcome: convoke.CallFailed, Detail: strings.Repeat("ä", 150)},
	}
	if got := b.recorded[1].Took; got != 24*time.Hour {
		t.Errorf("took %s", got)
	}
	if diff := cmp.Diff(want, b.calls()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUnsettledIsBounded(t *testing.T) {
	t.Parallel()
	b := still(t, nil)
	for i := range maxUnsettled + 5 {
		c := &conn{p: b.Proxy, src: b.src, host: fmt.Sprint(i), outcome: convoke.CallOK}
		b.ledger.opened(c)
		b.record(b.ledger.closed(c))
	}
	if len(b.ledger.ended) != maxUnsettled || len(b.ledger.spots) != maxUnsettled || len(b.recorded) != 5 {
		t.Errorf("%d wait at %d spots, %d are recorded", len(b.ledger.ended), len(b.ledger.spots), len(b.recorded))
	}
}

// TestWebSocketsAreRecorded: a connection that came to another protocol is a
// call with the method and status of the request that led there, also beside
// requests of their own records.
func TestWebSocketsAreRecorded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status   string
		reported bool
		want     []convoke.Call
	}{
		"granted":               {"101 Switching Protocols", false, []convoke.Call{{RequestID: "r1", Method: "GET", Status: 101, Outcome: convoke.CallOK}}},
		"granted, after a call": {"101 Switching Protocols", true, []convoke.Call{{Method: "GET", Status: 200, Outcome: convoke.CallOK}, {RequestID: "r1", Method: "GET", Status: 101, Outcome: convoke.CallOK}}},
		"refused":               {"403 Forbidden", false, []convoke.Call{{RequestID: "r1", Outcome: convoke.CallOK}}},
		"refused, after a call": {"403 Forbidden", true, []convoke.Call{{Method: "GET", Status: 200, Outcome: convoke.CallOK}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			const ask = "GET /ws HTTP/1.1\r\nHost: a.in.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
			const plainly = "GET / HTTP/1.1\r\nHost: a.in.test\r\n\r\n"
			answer := "HTTP/1.1 " + c.status + "\r\n"
			if c.status[0] == '1' {
				answer += "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
			} else {
				answer += "Content-Length: 0\r\n\r\n"
			}
			const ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
			port := b.listen(func(c net.Conn) {
				r := bufio.NewReader(c)
				for {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					if req.URL.Path == "/ws" {
						break
					}
					io.WriteString(c, ok)
				}
				io.WriteString(c, answer)
				io.Copy(c, r)
			})
			conn := b.mustDial("a.in.test", port)
			if c.reported {
				io.WriteString(conn, plainly)
				io.ReadFull(conn, make([]byte, len(ok)))
				b.Report(b.src, convoke.Call{Host: "a.in.test", Port: port, Method: "GET", Status: 200})
			}
			io.WriteString(conn, ask)
			got := make([]byte, len(answer))
			if _, err := io.ReadFull(conn, got); err != nil || string(got) != answer {
				t.Fatalf("got %q, %v", got, err)
			}
			if c.status[0] == '1' {
				exchangeLine(t, conn, "hello\n")
			}
			conn.Close()
			for b.Stats().Connections != 0 {
				runtime.Gosched()
			}
			for i := range c.want {
				w := &c.want[i]
				w.AccountID, w.FunctionID, w.Version, w.Host, w.Port = "1", "f", 3, "a.in.test", port
				switch {
				case w.RequestID == "":
				case w.Status == 101:
					w.Sent, w.Received = int64(len(ask)+6), int64(len(answer)+6)
				default:
					w.Sent, w.Received = int64(len(ask)), int64(len(answer))
				}
			}
			if diff := cmp.Diff(c.want, b.calls()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
