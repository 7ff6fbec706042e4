package storetest

import (
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"convoke"
)

func newSchedule(f *convoke.Function, n int) *convoke.Schedule {
	return &convoke.Schedule{
		ID: id("schedule", n), AccountID: f.AccountID, FunctionID: f.ID, Cron: "*/5 * * * *", TimeZone: convoke.TimeZoneUTC, Active: true,
		Description: "warms", Headers: map[string]string{"X": "1"}, Payload: json.RawMessage(`{"a":[1]}`), NextAt: at(100 + n),
		CreatedAt: at(n), CreatedBy: "ann", UpdatedAt: at(n), UpdatedBy: "ann",
	}
}

func addSchedule(t *testing.T, s Store, f *convoke.Function, n int) *convoke.Schedule {
	t.Helper()
	sc := newSchedule(f, n)
	must(t, s.CreateSchedule(t.Context(), sc, 0))
	return sc
}

func testSchedules(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	addAccount(t, s, other)
	same(t, "next of none", get(s.NextScheduleAt(ctx))(t), time.Time{})
	f, g := addFunction(t, s, 1), addFunction(t, s, 2)
	second, first, third := addSchedule(t, s, f, 2), addSchedule(t, s, f, 1), addSchedule(t, s, g, 3)

	same(t, "schedule", get(s.FindSchedule(ctx, acct, first.ID))(t), first)
	same(t, "schedules", get(s.ListSchedules(ctx, acct, ""))(t), []*convoke.Schedule{first, second, third})
	same(t, "schedules of a function", get(s.ListSchedules(ctx, acct, g.ID))(t), []*convoke.Schedule{third})
	same(t, "schedules of another account", get(s.ListSchedules(ctx, other, ""))(t), []*convoke.Schedule{})
	same(t, "next", get(s.NextScheduleAt(ctx))(t), first.NextAt)

	wantCode(t, s.CreateSchedule(ctx, newSchedule(f, 9), 3), convoke.CodeLimitExceeded)
	wantCode(t, s.CreateSchedule(ctx, newSchedule(newFunction(9), 9), 0), convoke.CodeNotFound)
	wantCode(t, s.CreateSchedule(ctx, first, 0), convoke.CodeConflict)
	for name, try := range map[string]func(account, id string) error{
		"find":   func(a, id string) error { _, err := s.FindSchedule(ctx, a, id); return err },
		"delete": func(a, id string) error { return s.DeleteSchedule(ctx, a, id) },
		"update": func(a, id string) error {
			_, err := s.UpdateSchedule(ctx, a, id, func(*convoke.Schedule) error { return errStop })
			return err
		},
	} {
		for _, missing := range [][2]string{{acct, "none"}, {other, first.ID}} {
			if code := convoke.ErrorCode(try(missing[0], missing[1])); code != convoke.CodeNotFound {
				t.Errorf("%s of %v: code %q, want not-found", name, missing, code)
			}
		}
	}

	change := func(sc *convoke.Schedule) error {
		sc.Cron, sc.Active, sc.NextAt, sc.Description, sc.Headers, sc.Payload = "0 0 * * *", false, time.Time{}, "", nil, json.RawMessage(`7`)
		sc.UpdatedAt, sc.UpdatedBy = at(50), "bob"
		return nil
	}
	got := get(s.UpdateSchedule(ctx, acct, first.ID, change))(t)
	must(t, change(first))
	same(t, "updated schedule", got, first)
	same(t, "stored schedule", get(s.FindSchedule(ctx, acct, first.ID))(t), first)
	same(t, "next after the first is paused", get(s.NextScheduleAt(ctx))(t), second.NextAt)
	_, err := s.UpdateSchedule(ctx, acct, first.ID, func(sc *convoke.Schedule) error { sc.Cron = "x"; return errStop })
	wantStop(t, err)
	same(t, "schedule after a refusal", get(s.FindSchedule(ctx, acct, first.ID))(t), first)

	must(t, s.DeleteSchedule(ctx, acct, second.ID))
	must(t, s.DeleteFunction(ctx, acct, g.ID, agree))
	same(t, "what is left", get(s.ListSchedules(ctx, acct, ""))(t), []*convoke.Schedule{first})
}

// claimAs is what a runner does with a schedule that is due.
func claimAs(state convoke.RunState, next time.Time) func(*convoke.Schedule) *convoke.ScheduleRun {
	return func(sc *convoke.Schedule) *convoke.ScheduleRun {
		r := &convoke.ScheduleRun{State: state, ClaimedAt: at(500), RequestID: "req-" + sc.ID}
		if state == convoke.RunClaimed {
			sc.LastAt, sc.LastRequestID = sc.NextAt, r.RequestID
		}
		sc.NextAt = next
		return r
	}
}

func testScheduleRuns(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	f := addFunction(t, s, 1)
	one, two := addSchedule(t, s, f, 1), addSchedule(t, s, f, 2)
	later := addSchedule(t, s, f, 500)

	same(t, "runs before their time", get(s.ClaimRuns(ctx, at(100), 9, 9, claimAs(convoke.RunClaimed, at(900))))(t), []*convoke.ScheduleRun{})
	runs := get(s.ClaimRuns(ctx, at(102), 1, 9, claimAs(convoke.RunClaimed, at(200))))(t)
	run := &convoke.ScheduleRun{AccountID: acct, ScheduleID: one.ID, DueAt: at(101), State: convoke.RunClaimed, RequestID: "req-" + one.ID, ClaimedAt: at(500)}
	same(t, "the longest due", runs, []*convoke.ScheduleRun{run})
	one.NextAt, one.LastAt, one.LastRequestID = at(200), at(101), "req-"+one.ID
	same(t, "its schedule", get(s.FindSchedule(ctx, acct, one.ID))(t), one)
	missed := get(s.ClaimRuns(ctx, at(102), 9, 9, claimAs(convoke.RunMissed, at(201))))(t)
	if len(missed) != 1 || missed[0].ScheduleID != two.ID {
		t.Fatalf("claimed %v, want the run of %s", missed, two.ID)
	}
	two.NextAt = at(201)
	same(t, "the schedule of a missed run", get(s.FindSchedule(ctx, acct, two.ID))(t), two)
	same(t, "next", get(s.NextScheduleAt(ctx))(t), at(200))
	same(t, "open runs", get(s.ListOpenRuns(ctx))(t), []*convoke.ScheduleRun{run})

	run.StartedAt = at(501)
	same(t, "schedule of the started run", get(s.StartRun(ctx, run))(t), one)
	same(t, "state", run.State, convoke.RunStarted)
	_, err := s.StartRun(ctx, run)
	wantCode(t, err, convoke.CodeNotFound)
	_, err = s.StartRun(ctx, missed[0])
	wantCode(t, err, convoke.CodeNotFound)
	same(t, "open runs", get(s.ListOpenRuns(ctx))(t), []*convoke.ScheduleRun{run})

	run.State, run.FinishedAt, run.Code, run.Message = convoke.RunFinished, at(502), convoke.CodeTimeout, "too slow"
	must(t, s.FinishRun(ctx, run))
	same(t, "runs", get(s.ListRuns(ctx, acct, one.ID, 9))(t), []*convoke.ScheduleRun{run})
	same(t, "open runs", get(s.ListOpenRuns(ctx))(t), []*convoke.ScheduleRun{})
	one.LastFailed = true
	same(t, "its schedule", get(s.FindSchedule(ctx, acct, one.ID))(t), one)

	// A run that ends after a later one began does not speak for the schedule.
	get(s.ClaimRuns(ctx, at(200), 1, 9, claimAs(convoke.RunClaimed, at(300))))(t)
	run.Code, run.Message = "", ""
	must(t, s.FinishRun(ctx, run))
	if got := get(s.FindSchedule(ctx, acct, one.ID))(t); !got.LastFailed || !got.LastAt.Equal(at(200)) {
		t.Errorf("the schedule has failed %t at %s; an old run spoke for it", got.LastFailed, got.LastAt)
	}
	newest := get(s.ListRuns(ctx, acct, one.ID, 1))(t)
	if len(newest) != 1 || !newest[0].DueAt.Equal(at(200)) {
		t.Errorf("the newest run is %v", newest)
	}

	// Runs go with their schedule, and ending one that went is no error.
	must(t, s.DeleteSchedule(ctx, acct, one.ID))
	same(t, "runs of a removed schedule", get(s.ListRuns(ctx, acct, one.ID, 9))(t), []*convoke.ScheduleRun{})
	_, err = s.StartRun(ctx, newest[0])
	wantCode(t, err, convoke.CodeNotFound)
	must(t, s.FinishRun(ctx, newest[0]))
	same(t, "the one that was not due", get(s.FindSchedule(ctx, acct, later.ID))(t), later)
}

func testClaimRunsOnce(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	f := addFunction(t, s, 1)
	const count = 20
	for n := range count {
		addSchedule(t, s, f, n)
	}
	var claimed atomic.Int32
	parallel(8, func(int) {
		runs, err := s.ClaimRuns(ctx, at(200), 7, 9, claimAs(convoke.RunClaimed, at(300)))
		if err != nil {
			t.Error(err)
		}
		claimed.Add(int32(len(runs)))
	})
	same(t, "claimed by eight at once", int(claimed.Load()), count)

	// The same due time again, as after the clock was set back.
	back := func(sc *convoke.Schedule) error { sc.NextAt = at(100); return nil }
	get(s.UpdateSchedule(ctx, acct, id("schedule", 0), back))(t)
	same(t, "claimed a second time", get(s.ClaimRuns(ctx, at(200), 9, 9, claimAs(convoke.RunClaimed, at(400))))(t), []*convoke.ScheduleRun{})
	same(t, "next", get(s.FindSchedule(ctx, acct, id("schedule", 0)))(t).NextAt, at(400))
}

func testEvictRuns(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	sc := addSchedule(t, s, addFunction(t, s, 1), 0)
	for n := range 6 {
		for _, r := range get(s.ClaimRuns(ctx, at(100+n), 1, 3, claimAs(convoke.RunClaimed, at(101+n))))(t) {
			if n == 1 {
				continue // stays open
			}
			r.State = convoke.RunFinished
			must(t, s.FinishRun(ctx, r))
		}
	}
	var due []time.Time
	for _, r := range get(s.ListRuns(ctx, acct, sc.ID, 99))(t) {
		due = append(due, r.DueAt)
	}
	same(t, "kept", due, []time.Time{at(105), at(104), at(103), at(101)})
}
