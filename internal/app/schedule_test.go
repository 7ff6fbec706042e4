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
	"convoke/internal/config"
	"convoke/internal/sqlstore"
)

// TestScheduleInvokes runs a real function on schedule: what is due when a
// server starts is put there by hand, for a minute is too long to wait.
func TestScheduleInvokes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startIn(t, dir)
	fn := s.deploy(t, "echo", `async function lambda(input) { console.info("ran", input); if (input.payload.fail) throw new Error("asked to"); }`)
	cron := "0 0 1 1 *"
	create := func(body api.InvocationBody) *api.Schedule {
		t.Helper()
		sc, err := s.CreateSchedule(t.Context(), api.ScheduleRequest{FunctionUUID: fn, CronExpression: &cron, InvocationBody: &body})
		if err != nil {
			t.Fatal(err)
		}
		return sc
	}
	good := create(api.InvocationBody{Headers: map[string]string{"X": "1"}, Payload: []byte(`{"a":1}`)})
	bad := create(api.InvocationBody{Payload: []byte(`{"fail":true}`)})
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	dueNow(t, dir, good.ID, bad.ID)

	s = startIn(t, dir)
	finished := func(id string) api.ScheduleRun {
		t.Helper()
		var runs []api.ScheduleRun
		s.until(t, "the run finishes", func() bool {
			s.get(t, "/schedules/"+id+"/runs", &runs)
			return len(runs) > 0 && runs[0].State == string(convoke.RunFinished)
		})
		if len(runs) != 1 {
			t.Errorf("%d runs, want one", len(runs))
		}
		return runs[0]
	}
	run := finished(good.ID)
	if run.Failed || run.RequestID == "" {
		t.Errorf("the run is %+v", run)
	}
	entry := s.logged(t, client.LogFilter{FunctionID: fn, RequestID: run.RequestID}, "ran")
	if text := string(entry.Extras); !strings.Contains(text, `"headers":[{"key":"X","value":"1"}]`) || !strings.Contains(text, `"payload":{"a":1}`) {
		t.Errorf("the function got %s", text)
	}
	if run := finished(bad.ID); !run.Failed || run.Code != string(convoke.CodeThrew) || !strings.Contains(run.Message, "asked to") {
		t.Errorf("the run is %+v", run)
	}
	var records []api.Invocation
	s.until(t, "both invocations are recorded", func() bool {
		s.get(t, "/functions/"+fn+"/invocations", &records)
		return len(records) == 2
	})
	for _, r := range records {
		if r.Caller != "schedule" {
			t.Errorf("the caller is %q", r.Caller)
		}
	}
	sc, err := s.Schedule(t.Context(), bad.ID)
	if err != nil || !sc.DidLastExecutionFail || sc.LastExecution.IsZero() || sc.NextExecution.Before(time.Now()) {
		t.Errorf("the schedule is %+v, error %v", sc, err)
	}
	if status, body, _ := s.do(t, http.MethodDelete, "/schedules/"+bad.ID, "", nil); status != http.StatusNoContent {
		t.Errorf("remove: %d %s", status, body)
	}
}

// TestSecretAndScheduleLimits: what an operator sets holds, and changing what
// is there is not counted.
func TestSecretAndScheduleLimits(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *config.Config) { c.Limits.SecretsPerAccount, c.Limits.SchedulesPerAccount = 1, 1 })
	fn := s.deploy(t, "fn", `async function lambda() {}`)
	cron := "0 0 1 1 *"
	for n, want := range []convoke.Code{"", convoke.CodeLimitExceeded} {
		_, err := s.SetSecret(t.Context(), fmt.Sprint("key", n), api.SetSecretRequest{Value: "x"})
		if got := convoke.ErrorCode(err); got != want {
			t.Errorf("secret %d: got error %v, want code %q", n, err, want)
		}
		_, err = s.CreateSchedule(t.Context(), api.ScheduleRequest{FunctionUUID: fn, CronExpression: &cron})
		if got := convoke.ErrorCode(err); got != want {
			t.Errorf("schedule %d: got error %v, want code %q", n, err, want)
		}
	}
	if _, err := s.SetSecret(t.Context(), "key0", api.SetSecretRequest{Value: "y"}); err != nil {
		t.Error(err)
	}
}

// dueNow makes schedules due in the data directory of a server that is down.
func dueNow(t *testing.T, dir string, ids ...string) {
	t.Helper()
	store, err := sqlstore.Open(t.Context(), sqlstore.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, id := range ids {
		_, err := store.UpdateSchedule(t.Context(), convoke.DefaultAccountID, id, func(sc *convoke.Schedule) error {
			sc.NextAt = time.Now()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestDisabledAccountRunsNothing: what is due of a disabled account shows as
// failed, and runs again when the account is enabled.
func TestDisabledAccountRunsNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startIn(t, dir)
	fn := s.deploy(t, "hello", `async function lambda() { console.info("ran") }`)
	cron := "0 0 1 1 *"
	sc, err := s.CreateSchedule(t.Context(), api.ScheduleRequest{FunctionUUID: fn, CronExpression: &cron})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	dueNow(t, dir, sc.ID)
	store, err := sqlstore.Open(t.Context(), sqlstore.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	set := func(disabled bool) {
		t.Helper()
		_, err := store.UpdateAccount(t.Context(), convoke.DefaultAccountID, func(a *convoke.Account) error { a.Disabled = disabled; return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	set(true)
	s = startIn(t, dir)
	var runs []*convoke.ScheduleRun
	s.until(t, "the run ends", func() bool {
		runs, err = store.ListRuns(t.Context(), convoke.DefaultAccountID, sc.ID, 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(runs) == 1 && runs[0].State == convoke.RunFinished
	})
	if runs[0].Code != convoke.CodeActionNotAllowed || !strings.Contains(runs[0].Message, "the account is disabled") {
		t.Errorf("the run is %+v", runs[0])
	}
	if err := s.stop(); err != nil { // all is written then
		t.Fatal(err)
	}
	entries, err := store.QueryLogs(t.Context(), convoke.DefaultAccountID, convoke.LogFilter{FunctionID: fn, Text: "ran", Limit: 10})
	if err != nil || len(entries) != 0 {
		t.Errorf("the function logged %v, %v", entries, err)
	}
	set(false)
	dueNow(t, dir, sc.ID)
	s = startIn(t, dir)
	s.logged(t, client.LogFilter{FunctionID: fn}, "ran")
}
