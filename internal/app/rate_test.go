package app_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"convoke"
	"convoke/api"
	"convoke/internal/config"
)

// untilRefused invokes path until it is refused, and says how often it was not.
func (s *server) untilRefused(t *testing.T, path string) (ran int, e api.Error, h http.Header) {
	t.Helper()
	for range 1000 {
		status, body, h := s.post(t, path, `{"payload":{}}`)
		switch status {
		case http.StatusOK:
			ran++
		case http.StatusTooManyRequests:
			if err := json.Unmarshal([]byte(body), &e); err != nil {
				t.Fatal(err)
			}
			return ran, e, h
		default:
			t.Fatalf("%s: %d %s", path, status, body)
		}
	}
	t.Fatalf("%s was never refused", path)
	return
}

// TestRates: callers of a function are held to its rate, those of the account
// to theirs, and what is refused runs nothing.
func TestRates(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *config.Config) {
		c.Limits.InvocationsPerSecondPerFunction, c.Limits.InvocationsPerSecond = 20, 50
		c.Blanks = 1
	})
	deploy := func(name, event string, perSecond int) string {
		t.Helper()
		if _, err := s.CreateFunction(t.Context(), api.CreateFunctionRequest{Name: name, EventID: event}); err != nil {
			t.Fatal(err)
		}
		return s.deploy(t, name, `async function lambda() { return 1 }`, settings(api.Settings{InvocationsPerSecond: perSecond}))
	}
	tight, loose, third := deploy("tight", "both", 1), deploy("loose", "both", 0), deploy("third", "", 0)

	refused := func(path, say string) int {
		t.Helper()
		ran, e, h := s.untilRefused(t, path)
		if e.Code != convoke.CodeThrottled || !strings.Contains(e.Message, say) || h.Get("Retry-After") != "1" {
			t.Errorf("%s: %+v with Retry-After %q; want %s that says %q", path, e, h.Get("Retry-After"), convoke.CodeThrottled, say)
		}
		return ran
	}
	runs := func(id string) (n int) {
		t.Helper()
		var report api.InvocationReport
		s.get(t, "/reports/invocations/"+id, &report)
		for _, b := range report.InvocationStatistics {
			n += int(b.Succeeded)
		}
		return n
	}
	refused("/lambdas/"+tight+"/invoke", "tight was called as often as it may be, 1 a second; try again in a moment, or raise its setting invocationsPerSecond")
	if ran := refused("/lambdas/"+loose+"/invoke", "ask the operator to raise invocationsPerSecondPerFunction"); ran < 20 {
		t.Errorf("%d invocations of a function were let through, want 20 at once", ran)
	}

	// An event that one of its two functions is too slow for runs neither.
	before := runs(loose)
	events := refused("/events/both/invoke", "was called as often as it may be")
	if got := runs(loose) - before; got != events {
		t.Errorf("the other function ran %d times for %d events that were answered", got, events)
	}

	// What a function refuses uses nothing up of the account's rate: after 200
	// of them a third function has as many left as before.
	for range 200 {
		s.post(t, "/lambdas/"+tight+"/invoke", `{"payload":{}}`)
	}
	if ran := refused("/lambdas/"+third+"/invoke", "invocationsPerSecondPerFunction"); ran < 20 {
		t.Errorf("beside a function that is called too often another one ran %d times, want 20 at once", ran)
	}

	// A deployment gives no second helping, a change of the setting holds with it.
	s.deploy(t, "tight", `async function lambda() { return 2 }`, settings(api.Settings{InvocationsPerSecond: 15}))
	if ran := refused("/lambdas/"+tight+"/invoke", "15 a second"); ran < 1 {
		t.Errorf("%d invocations after the rate was raised", ran)
	}
	if n := s.metrics(t)[`convoke_refusals_total{reason="function-rate"}`]; n < 100 {
		t.Errorf("the metrics have %v refusals by function-rate, want each", n)
	}
	if status, body, _ := s.do(t, http.MethodPut, "/functions/"+tight+"/manifest", `{"settings":{"invocationsPerSecond":21}}`, nil); status != http.StatusBadRequest || !strings.Contains(body, "from 1 to 20") {
		t.Errorf("a rate beyond the operator's: %d %s", status, body)
	}
}
