package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"convoke"
	"convoke/api"
	"convoke/client"
)

// TestRecords: what one invocation took, and for whom, can be looked up by its
// request's id; the histogram counts it at once.
func TestRecords(t *testing.T) {
	t.Parallel()
	s := start(t)
	const event = "own event/ä"
	f, err := s.CreateFunction(t.Context(), api.CreateFunctionRequest{Name: "busy", EventID: "own_event"})
	if err != nil {
		t.Fatal(err)
	}
	id := s.deploy(t, "busy", `async function lambda(input) { const from = process.cpuUsage(); for (;;) { const u = process.cpuUsage(from); if (u.user + u.system > 30000) break } if (input.payload === 'throw') throw new Error('no'); return 'result' }`)
	if id != f.UUID {
		t.Fatalf("deployed %s, created %s", id, f.UUID)
	}
	for _, c := range []struct {
		request, path string
		header        http.Header
		want          api.Invocation
	}{
		{"first", "/lambdas/" + id + "/invoke", http.Header{"LP-EventSource": {"shop"}}, api.Invocation{Caller: "shop", Cold: true}},
		{"v2", "/lambdas/" + id + "/invoke", http.Header{"LP-EventSource": {"shop"}}, api.Invocation{Caller: "shop"}},
		{"v1", "/lambdas/" + id + "/invoke?v=1&skillId=&externalSystem=crm", nil, api.Invocation{Caller: "crm"}},
		{"both", "/lambdas/" + id + "/invoke?v=1&externalSystem=crm", http.Header{"LP-EventSource": {"shop"}}, api.Invocation{Caller: "shop"}},
		{"nobody", "/lambdas/" + id + "/invoke", nil, api.Invocation{}},
		{"event", "/events/own_event/invoke?skillId=", http.Header{"LP-EventSource": {"shop"}}, api.Invocation{Caller: "shop", EventID: "own_event"}},
	} {
		header := http.Header{"X-Request-Id": {c.request}}
		for name, v := range c.header {
			header.Set(name, v[0])
		}
		status, body, answered := s.do(t, http.MethodPost, c.path, `{"payload":1}`, header)
		if status != http.StatusOK || answered.Get("X-Request-ID") != c.request {
			t.Errorf("%s: %d %s, request id %q", c.request, status, body, answered.Get("X-Request-ID"))
		}
		var records []api.Invocation
		s.get(t, "/functions/"+id+"/invocations?requestId="+c.request, &records)
		if len(records) != 1 {
			t.Fatalf("%s: records %+v", c.request, records)
		}
		got := records[0]
		if got.Caller != c.want.Caller || got.EventID != c.want.EventID || got.Cold != c.want.Cold || (got.ColdStartMs > 0) != c.want.Cold {
			t.Errorf("%s: record %+v, want %+v", c.request, got, c.want)
		}
		if got.DurationMs < 25 || got.CPUMs < 25 || got.PeakMemoryBytes < 10<<20 || got.PayloadBytes != len(`{"payload":1}`) || got.ResultBytes != len(`"result"`) ||
			got.Outcome != "SUCCEEDED" || got.Version != 1 || got.FunctionUUID != id || time.Since(got.StartedAt.Time) > time.Minute {
			t.Errorf("%s: record %+v", c.request, got)
		}
	}
	if _, err := s.invoke(t, id, `"throw"`); convoke.ErrorCode(err) != convoke.CodeThrew {
		t.Error(err)
	}
	var report api.InvocationReport
	now := time.Now()
	s.get(t, fmt.Sprintf("/reports/invocations/%s?userId=u&startTimestamp=%d&endTimestamp=%d&bucketSize=300", id, now.Add(-15*time.Minute).UnixMilli(), now.Add(time.Minute).UnixMilli()), &report)
	var succeeded, failed int64
	for _, b := range report.InvocationStatistics {
		succeeded, failed = succeeded+b.Succeeded, failed+b.CodingFailure
	}
	if succeeded != 6 || failed != 1 {
		t.Errorf("the histogram has %d and %d, want 6 and 1: %+v", succeeded, failed, report)
	}

	// An id that needs escapes is an event that nobody listens to.
	if got, err := s.Implemented(t.Context(), event, ""); got || err != nil {
		t.Errorf("%s: %v, %v", event, got, err)
	}
	if got, err := s.InvokeEvent(t.Context(), event, api.InvokeRequest{}, client.InvokeOptions{}); string(got.Body) != "[]" || err != nil {
		t.Errorf("%s: %s, %v", event, got.Body, err)
	}
}

// TestMetrics: a scrape tells of requests by route, of invocations by outcome,
// of the pool and of log entries, and never of a function or an account.
func TestMetrics(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := s.deploy(t, "hello", `async function lambda(input) { console.log('hi'); if (input.payload > 1) throw new Error('no'); return 1 }`)
	for _, payload := range []string{"1", "1", "2"} {
		_, _ = s.invoke(t, id, payload)
	}
	s.logged(t, client.LogFilter{FunctionID: id}, "Error: no")
	if status, _, _ := s.do(t, http.MethodGet, "/nowhere/"+id, "", nil); status != http.StatusNotFound {
		t.Errorf("unknown path: %d", status)
	}
	const route = `convoke_http_requests_total{route="POST /api/account/{account}/lambdas/{uuid}/invoke",status=`
	got := s.metrics(t)
	for name, want := range map[string]float64{
		route + `"2xx"}`: 2, route + `"9xx"}`: 1,
		`convoke_http_requests_total{route="none",status="4xx"}`:                                                 1,
		`convoke_http_requests_total{route="PUT /api/account/{account}/functions/{uuid}/manifest",status="2xx"}`: 1,
		`convoke_invocations_total{cold="true",outcome="SUCCEEDED"}`:                                             1,
		`convoke_invocations_total{cold="false",outcome="SUCCEEDED"}`:                                            1,
		`convoke_invocations_total{cold="false",outcome="CODING_FAILURE"}`:                                       1,
		`convoke_invocation_cold_start_seconds_count`:                                                            1,
		`convoke_invocation_wait_seconds_count`:                                                                  3,
		`convoke_log_entries_total{result="stored"}`:                                                             4,
		`convoke_workers{state="idle"}`:                                                                          1,
		`convoke_workers{state="busy"}`:                                                                          0,
		`convoke_invocations_in_flight`:                                                                          0,
		`convoke_invocations_waiting`:                                                                            0,
	} {
		if n, ok := got[name]; !ok || n != want {
			t.Errorf("%s = %v, %v; want %v", name, n, ok, want)
		}
	}
	for name := range got {
		if strings.Contains(name, id) || strings.Contains(name, convoke.DefaultAccountID) {
			t.Errorf("a series of one function or account: %s", name)
		}
	}
}
