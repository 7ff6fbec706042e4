package telemetry

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"convoke"
)

func TestScrape(t *testing.T) {
	t.Parallel()
	tel := setup(t)
	tel.Invocation(&convoke.Invocation{Outcome: convoke.OutcomeSucceeded, Run: 700 * time.Microsecond, Wait: time.Millisecond})
	tel.Invocation(&convoke.Invocation{Outcome: convoke.OutcomeSucceeded, Run: 700 * time.Microsecond})
	tel.Invocation(&convoke.Invocation{Outcome: convoke.OutcomeTimeout, Run: 30 * time.Second, Cold: true, ColdStart: 4 * time.Millisecond})
	tel.Refused("function")
	tel.WorkerDied("memory")
	tel.WorkerDied("memory")
	tel.Request("POST /api/account/{account}/lambdas/{id}/invoke", 901)
	tel.Request("", 404)
	tel.LogsStored(7)
	tel.LogsDropped(2)
	tel.RecordsStored(5)
	tel.RecordsDropped(3)
	tel.CallsStored(6)
	tel.CallsDropped(4)
	if err := tel.ObservePool(func() PoolStats { return PoolStats{Blank: 2, Idle: 3, Busy: 4, InFlight: 9, Waiting: 1, Behind: 2} }); err != nil {
		t.Fatal(err)
	}

	got := scrape(t, tel)
	for _, want := range []string{
		`convoke_invocations_total{cold="false",outcome="SUCCEEDED"} 2`,
		`convoke_invocations_total{cold="true",outcome="TIMEOUT"} 1`,
		`convoke_invocation_duration_seconds_bucket{cold="false",outcome="SUCCEEDED",le="0.0005"} 0`,
		`convoke_invocation_duration_seconds_bucket{cold="false",outcome="SUCCEEDED",le="0.001"} 2`,
		`convoke_invocation_duration_seconds_sum{cold="true",outcome="TIMEOUT"} 30`,
		`convoke_invocation_wait_seconds_count 3`,
		`convoke_invocation_cold_start_seconds_count 1`,
		`convoke_refusals_total{reason="function"} 1`,
		`convoke_worker_deaths_total{reason="memory"} 2`,
		`convoke_http_requests_total{route="POST /api/account/{account}/lambdas/{id}/invoke",status="9xx"} 1`,
		`convoke_http_requests_total{route="none",status="4xx"} 1`,
		`convoke_log_entries_total{result="stored"} 7`,
		`convoke_log_entries_total{result="dropped"} 2`,
		`convoke_invocation_records_total{result="stored"} 5`,
		`convoke_invocation_records_total{result="dropped"} 3`,
		`convoke_call_records_total{result="stored"} 6`,
		`convoke_call_records_total{result="dropped"} 4`,
		`convoke_workers{state="blank"} 2`,
		`convoke_workers{state="starting"} 0`,
		`convoke_workers{state="busy"} 4`,
		`convoke_invocations_in_flight 9`,
		`convoke_invocations_waiting 1`,
		`convoke_accounts_behind 2`,
		`convoke_build_info{go="` + runtime.Version() + `",revision="abc",version="v1.2.3"} 1`,
		`go_goroutines `,
		`process_open_fds `,
	} {
		if !strings.Contains(got, "\n"+want) {
			t.Errorf("the scrape lacks %s", want)
		}
	}
	for _, unwanted := range []string{"otel_scope", "target_info"} {
		if strings.Contains(got, unwanted) {
			t.Errorf("the scrape has %s", unwanted)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}

// TestLabelsAreBounded holds the second line of defence: a caller that takes
// labels from requests must not fill the memory.
func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	tel := setup(t)
	for i := range labelValues + 50 {
		tel.Refused(fmt.Sprint(i))
	}
	if got := len(*tel.refusals.labels.known.Load()); got != labelValues {
		t.Errorf("%d label values are kept, want %d", got, labelValues)
	}
	if got, want := scrape(t, tel), `convoke_refusals_total{reason="overflow"} 50`; !strings.Contains(got, want) {
		t.Errorf("the scrape lacks %s", want)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	tel := setup(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 500 {
				tel.Request(fmt.Sprintf("GET /%d", i%20), 200)
				tel.Invocation(&convoke.Invocation{Outcome: convoke.OutcomeSucceeded, Cold: i%7 == 0})
			}
		})
	}
	wg.Go(func() { scrape(t, tel) })
	wg.Wait()
	got := scrape(t, tel)
	for i := range 20 {
		if want := fmt.Sprintf(`convoke_http_requests_total{route="GET /%d",status="2xx"} 200`, i); !strings.Contains(got, want) {
			t.Errorf("the scrape lacks %s", want)
		}
	}
}

func TestHotPathDoesNotAllocate(t *testing.T) {
	tel := setup(t)
	inv := &convoke.Invocation{Outcome: convoke.OutcomeSucceeded, Cold: true, Run: time.Millisecond}
	for name, record := range map[string]func(){
		"invocation": func() { tel.Invocation(inv) },
		"request":    func() { tel.Request("POST /invoke", 200) },
		"refused":    func() { tel.Refused("function") },
		"logs":       func() { tel.LogsStored(10) },
	} {
		if got := testing.AllocsPerRun(100, record); got != 0 {
			t.Errorf("%s: %v allocations, want none", name, got)
		}
	}
}

func TestNilKeepsNothing(t *testing.T) {
	t.Parallel()
	var tel *Telemetry
	tel.Invocation(&convoke.Invocation{})
	tel.Refused("x")
	tel.WorkerDied("x")
	tel.Request("x", 200)
	tel.LogsStored(1)
	tel.LogsDropped(1)
	tel.RecordsStored(1)
	tel.RecordsDropped(1)
	tel.CallsStored(1)
	tel.CallsDropped(1)
	if err := tel.ObservePool(func() PoolStats { return PoolStats{} }); err != nil {
		t.Error(err)
	}
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func BenchmarkInvocation(b *testing.B) {
	tel := setup(b)
	inv := &convoke.Invocation{Outcome: convoke.OutcomeSucceeded, Run: time.Millisecond}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			tel.Invocation(inv)
		}
	})
}

func BenchmarkRequest(b *testing.B) {
	tel := setup(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			tel.Request("POST /api/account/{account}/lambdas/{id}/invoke", 200)
		}
	})
}

func setup(t testing.TB) *Telemetry {
	t.Helper()
	tel, err := New(Build{Version: "v1.2.3", Revision: "abc"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tel.Shutdown(context.Background()); err != nil { // the test's own context is over by now
			t.Error(err)
		}
	})
	return tel
}

func scrape(t *testing.T, tel *Telemetry) string {
	t.Helper()
	rec := httptest.NewRecorder()
	tel.Handler().ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if rec.Code != http.StatusOK {
		t.Fatalf("scrape: status %d: %s", rec.Code, rec.Body)
	}
	return rec.Body.String()
}
