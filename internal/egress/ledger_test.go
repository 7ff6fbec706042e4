package egress

import (
	"fmt"
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
