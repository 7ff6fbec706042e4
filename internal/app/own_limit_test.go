package app_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"convoke"
	"convoke/api"
	"convoke/internal/config"
)

// own sets limits of the first account.
func (s *server) own(t *testing.T, limits map[string]int) {
	t.Helper()
	if _, err := s.as(t, convoke.DefaultAccountID, convoke.RoleOperator).UpdateAccount(t.Context(), convoke.DefaultAccountID, api.UpdateAccountRequest{Limits: limits}); err != nil {
		t.Fatal(err)
	}
}

// limit is one line of the report.
func (s *server) limit(t *testing.T, name string) api.Limit {
	t.Helper()
	list, err := s.Limits(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(l api.Limit) bool { return l.Name == name })
	if i < 0 {
		t.Fatalf("the report does not have %s", name)
	}
	return list[i]
}

// TestOwnLimitsOnEveryWay: what an account may send and begin holds whichever
// way its functions are run.
func TestOwnLimitsOnEveryWay(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *config.Config) { c.Blanks = 1 })
	if _, err := s.CreateFunction(t.Context(), api.CreateFunctionRequest{Name: "fn", EventID: "thing"}); err != nil {
		t.Fatal(err)
	}
	fn := s.deploy(t, "fn", `async function lambda() { return 1 }`)
	large, small := `{"payload":"`+strings.Repeat("x", 200)+`"}`, `{"payload":1}`
	ways := []string{"/lambdas/" + fn + "/invoke", "/events/thing/invoke", "/functions/" + fn + "/test"}

	s.own(t, map[string]int{"payloadBytes": 100})
	for _, path := range ways {
		if status, body, _ := s.post(t, path, large); status != http.StatusRequestEntityTooLarge {
			t.Errorf("%s with more than the account may send: %d %s", path, status, body)
		}
		if status, body, _ := s.post(t, path, small); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	schedule := func(payload string) (int, string) {
		status, body, _ := s.post(t, "/schedules", `{"functionUuid":"`+fn+`","cronExpression":"0 0 1 1 *","invocationBody":`+payload+`}`)
		return status, body
	}
	if status, body := schedule(large); status != http.StatusRequestEntityTooLarge || !strings.Contains(body, "of which the account may have 100") {
		t.Errorf("a schedule that sends more: %d %s", status, body)
	}
	if status, body := schedule(small); status != http.StatusCreated {
		t.Errorf("a schedule: %d %s", status, body)
	}

	s.own(t, map[string]int{"payloadBytes": 0, "invocationsPerSecond": 1})
	for _, path := range ways {
		if _, e, h := s.untilRefused(t, path); e.Code != convoke.CodeThrottled || h.Get("Retry-After") != "1" || !strings.Contains(e.Message, "1 a second") {
			t.Errorf("%s: %+v with Retry-After %q", path, e, h.Get("Retry-After"))
		}
	}
	s.own(t, map[string]int{"invocationsPerSecond": 0, "invocationsPerMonth": 1})
	for _, path := range ways {
		if status, body, _ := s.post(t, path, small); status != http.StatusTooManyRequests || !strings.Contains(body, "1 a month") {
			t.Errorf("%s beyond the month's: %d %s", path, status, body)
		}
	}
}

// TestReportOfAllRooms: every limit has a name, says what it is, and those that
// can be counted are.
func TestReportOfAllRooms(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *config.Config) { c.Blanks, c.Limits.InvocationsPerSecondPerFunction = 1, 1 })
	fn := s.deploy(t, "fn", `async function lambda() { return 1 }`)
	list, err := s.Limits(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, l := range list {
		if l.Name == "" || seen[l.Name] || l.Description == "" || l.Unit != "" && !slices.Contains(api.LimitUnits, l.Unit) {
			t.Errorf("limit %+v", l)
		}
		seen[l.Name] = true
	}
	for _, name := range (convoke.AccountLimits{}).Names() {
		if l := s.limit(t, name); !l.Settable {
			t.Errorf("%s is not said to be settable", name)
		}
	}
	for name, want := range map[string]struct{ limit, used int }{
		"usersPerAccount": {1000, 1}, "clientsPerAccount": {1000, 0}, "tokensPerUser": {50, 0}, "sessionsPerUser": {20, -1},
		"egress.callsPerSecond": {20, 0}, "egress.connectionsPerFunction": {100, 0}, "egress.connectionsPerAccount": {500, 0},
		"maxWaiters": {1000, 0}, "schedulePayloadLength": {15000, -1}, "invocationsPerSecond": {0, 0}, "functionsPerAccount": {20000, 1},
		"scheduledRunsAtOnce": {250, 0}, "concurrentDeployments": {3, 0}, "domainsPerAccount": {1000, 0}, "secretValueLength": {16384, -1},
	} {
		l := s.limit(t, name)
		used := -1
		if l.Used != nil {
			used = *l.Used
		}
		if int(l.Limit) != want.limit || used != want.used {
			t.Errorf("%s: %d used of %d, want %d of %d", name, used, l.Limit, want.used, want.limit)
		}
	}
	s.until(t, "the busiest function has used its second's invocation", func() bool {
		s.post(t, "/lambdas/"+fn+"/invoke", `{"payload":1}`)
		l := s.limit(t, "invocationsPerSecondPerFunction")
		return l.Used != nil && *l.Used == 1
	})
	if l := s.limit(t, "maxInstancesPerAccount"); l.Used == nil || *l.Used != 1 {
		t.Errorf("instances %+v, want the one that answered", l)
	}
	// An account's own number of instances is what the pool keeps to.
	s.own(t, map[string]int{"maxInstancesPerAccount": 1})
	other := s.deploy(t, "other", `async function lambda() { return 2 }`)
	if got, err := s.invoke(t, other, `1`); err != nil || got != "2" {
		t.Errorf("the second function in the place of the first: %s, %v", got, err)
	}
	if l := s.limit(t, "maxInstancesPerAccount"); l.Limit != 1 || *l.Used != 1 {
		t.Errorf("instances %+v, want one of one", l)
	}
}
