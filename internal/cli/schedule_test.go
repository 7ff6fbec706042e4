package cli

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"convoke"
	"convoke/api"
)

const scheduleID = "0ec98cae-3f40-4a86-9b1d-7c2e90a4f611"

var noon = api.Time{Time: time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)}

// scheduled is a shell whose server has the functions hello, once, and none, of
// which hello has two schedules and once has one.
func scheduled(t *testing.T) (*shell, *[]string) {
	s := newShell(t)
	functions := []api.Function{{UUID: "f-hello", Name: "hello"}, {UUID: "f-once", Name: "once"}, {UUID: "f-none", Name: "none"}}
	one := api.Schedule{ID: scheduleID, FunctionUUID: "f-once", FunctionName: "once", CronExpression: "0 12 * * *", TimeZone: "Etc/UTC", IsActive: true,
		State: api.ScheduleActive, NextExecution: noon, LastExecution: noon, DidLastExecutionFail: true, Upcoming: []api.Time{noon},
		InvocationBody: api.InvocationBody{Headers: map[string]string{"A": "1"}, Payload: json.RawMessage(`{"b":2}`)}}
	paused := one
	paused.ID, paused.FunctionUUID, paused.FunctionName, paused.State, paused.Reason = "p1", "f-hello", "hello", api.SchedulePaused, "the function is not deployed"
	paused.LastExecution, paused.DidLastExecutionFail = api.Time{}, false
	second := paused
	second.ID = "p2"
	all := []api.Schedule{one, paused, second}
	bodies := s.answers(map[string]func(http.ResponseWriter, *http.Request){
		"GET /functions": func(w http.ResponseWriter, r *http.Request) { reply(w, functions) },
		"GET /schedules": func(w http.ResponseWriter, r *http.Request) {
			list := []api.Schedule{}
			for _, sc := range all {
				if f := r.URL.Query().Get("functionUuid"); f == "" || f == sc.FunctionUUID {
					list = append(list, sc)
				}
			}
			reply(w, list)
		},
		"POST /schedules": func(w http.ResponseWriter, r *http.Request) {
			var in api.ScheduleRequest
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.FunctionUUID == "f-none" {
				refuse(w, convoke.Errorf(convoke.CodeActionNotAllowed, "none is not deployed"))
				return
			}
			reply(w, one)
		},
		"GET /schedules/{id}": func(w http.ResponseWriter, r *http.Request) {
			if r.PathValue("id") != scheduleID {
				refuse(w, convoke.Errorf(convoke.CodeNotFound, "there is no schedule"))
				return
			}
			reply(w, one)
		},
		"GET /schedules/{id}/runs": func(w http.ResponseWriter, r *http.Request) {
			reply(w, []api.ScheduleRun{
				{DueAt: noon, State: "finished", RequestID: "r1", StartedAt: noon, FinishedAt: api.Time{Time: noon.Add(1500 * time.Millisecond)}},
				{DueAt: noon, State: "missed", Failed: true, Message: "the server did not run at that time"},
				{DueAt: noon, State: "started", RequestID: "r3", StartedAt: noon},
			})
		},
		"PUT /schedules/{id}":    func(w http.ResponseWriter, r *http.Request) { reply(w, one) },
		"DELETE /schedules/{id}": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) },
	})
	return s, bodies
}

func TestScheduleCreate(t *testing.T) {
	t.Parallel()
	s, bodies := scheduled(t)
	s.file("p.json", `{"headers":[{"key":"A","value":"1"}],"payload":[1]}`)
	s.want(ExitOK, []string{scheduleID}, []string{"!runs next"}, "schedule", "create", "once", "--cron", "0 12 * * *", "--payload", "@p.json", "--header", "B=2", "--description", "d")
	want := `{"functionUuid":"f-once","cronExpression":"0 12 * * *","isActive":true,"description":"d","invocationBody":{"headers":{"A":"1","B":"2"},"payload":[1]}}`
	if diff := cmp.Diff(want, (*bodies)[len(*bodies)-1]); diff != "" {
		t.Errorf("the request (-want +got):\n%s", diff)
	}
	s.want(ExitOK, []string{`"cronExpression": "0 12 * * *"`}, nil, "schedule", "create", "once", "--cron", "0 12 * * *", "--paused", "--json")
	if got := (*bodies)[len(*bodies)-1]; got != `{"functionUuid":"f-once","cronExpression":"0 12 * * *","isActive":false}` {
		t.Errorf("the request is %s", got)
	}
	s.want(ExitUsage, nil, []string{"--cron is missing"}, "schedule", "create", "once")
	s.want(ExitUsage, nil, []string{"the payload is no JSON"}, "schedule", "create", "once", "--cron", "* * * * *", "--payload", "{")
	s.want(ExitNotFound, nil, []string{`there is no function "nothing"`}, "schedule", "create", "nothing", "--cron", "* * * * *")
	s.want(ExitConflict, nil, []string{"none is not deployed", "hint: convoke deploy"}, "schedule", "create", "none", "--cron", "* * * * *")
	s.tty = true
	s.want(ExitOK, []string{scheduleID}, []string{"once runs next at 2026-11-02 12:00:00 UTC"}, "schedule", "create", "once", "--cron", "0 12 * * *")
}

func TestScheduleListAndShow(t *testing.T) {
	t.Parallel()
	s, _ := scheduled(t)
	got := s.want(ExitOK, nil, nil, "schedule", "list")
	for _, want := range []string{
		"once 0 12 * * * active 2026-11-02 12:00:00 2026-11-02 12:00:00 failed - " + scheduleID,
		"hello 0 12 * * * paused: the function is not deployed 2026-11-02 12:00:00 - - - p1",
	} {
		if words := strings.Join(strings.Fields(got.stdout), " "); !strings.Contains(words, want) {
			t.Errorf("got %s, want %s in it", words, want)
		}
	}
	s.want(ExitOK, []string{"hello", "!once"}, nil, "schedule", "list", "hello")
	s.want(ExitOK, nil, []string{"there are no schedules"}, "schedule", "list", "none")
	s.want(ExitOK, []string{"[]\n"}, nil, "schedule", "list", "none", "--json")
	got = s.want(ExitOK, nil, nil, "schedule", "show", "once")
	for _, want := range []string{
		"cron 0 12 * * * (Etc/UTC)", `headers {"A":"1"}`, `payload {"b":2}`, "next 2026-11-02 12:00:00",
		"finished ok 2026-11-02 12:00:00 1.5s r1 -", "missed failed - - - the server did not run at that time", "started - 2026-11-02 12:00:00 - r3 -",
	} {
		if words := strings.Join(strings.Fields(got.stdout), " "); !strings.Contains(words, want) {
			t.Errorf("got %s, want %s in it", words, want)
		}
	}
	s.want(ExitOK, []string{`"id": "` + scheduleID, `"runs": [`, `"state": "missed"`}, nil, "schedule", "show", scheduleID, "--json")
	s.want(ExitUsage, nil, []string{"hello has 2 schedules; convoke schedule list hello shows their ids"}, "schedule", "show", "hello")
	s.want(ExitNotFound, nil, []string{"none has no schedule", "hint: convoke schedule create none"}, "schedule", "show", "none")
	s.want(ExitNotFound, nil, []string{"hint: convoke schedule list shows the ids"}, "schedule", "show", strings.Replace(scheduleID, "0", "1", 1))
	s.want(ExitUsage, nil, []string{"--runs takes a number"}, "schedule", "show", "once", "--runs", "0")
}

func TestScheduleChange(t *testing.T) {
	t.Parallel()
	s, bodies := scheduled(t)
	sent := func(want string) {
		t.Helper()
		if got := (*bodies)[len(*bodies)-1]; got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
	}
	s.want(ExitOK, nil, []string{"once runs next at"}, "schedule", "update", "once", "--cron", "5 * * * *")
	sent(`{"cronExpression":"5 * * * *"}`)
	s.want(ExitOK, nil, nil, "schedule", "update", scheduleID, "--description", "", "--header", "X=1")
	sent(`{"description":"","invocationBody":{"headers":{"X":"1"},"payload":{}}}`)
	s.want(ExitUsage, nil, []string{"nothing to change"}, "schedule", "update", "once")
	s.want(ExitOK, nil, nil, "schedule", "pause", "once")
	sent(`{"isActive":false}`)
	s.want(ExitOK, []string{`"isActive": true`}, nil, "schedule", "resume", scheduleID, "--json")
	sent(`{"isActive":true}`)
	s.want(ExitOK, nil, []string{"schedule " + scheduleID + " is removed"}, "schedule", "remove", "once", "--yes")
	s.tty, s.stdin = true, "n\n"
	s.want(ExitFailure, nil, []string{"Delete the schedule " + scheduleID + "? [y/N]", "not done"}, "schedule", "remove", "once")
}

func TestScheduleNext(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.env["CONVOKE_URL"] = "http://127.0.0.1:1" // nobody is asked
	var asked string
	s.serve.Upcoming = func(expr string, _ time.Time, count int) ([]time.Time, error) {
		if asked = expr; expr == "x" {
			return nil, convoke.Errorf(convoke.CodeValidation, "no cron expression")
		}
		times := make([]time.Time, count)
		for i := range times {
			times[i] = noon.AddDate(0, 0, i)
		}
		return times, nil
	}
	s.want(ExitOK, []string{"2026-11-02 12:00 Mon\n2026-11-03 12:00 Tue\n", "!2026-11-04"}, nil, "schedule", "next", "0 12 * * *", "--count", "2")
	s.want(ExitOK, []string{`"2026-11-02T12:00:00.000Z"`}, nil, "schedule", "next", "0", "12", "1", "*", "*", "--json")
	if asked != "0 12 1 * *" {
		t.Errorf("asked for %q", asked)
	}
	s.want(ExitUsage, nil, []string{"no cron expression"}, "schedule", "next", "x")
	s.want(ExitUsage, nil, []string{"EXPR is missing"}, "schedule", "next")
	s.want(ExitUsage, nil, []string{"--count takes a number"}, "schedule", "next", "x", "--count", "0")
}
