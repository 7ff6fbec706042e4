package httpapi

import (
	"cmp"
	"net/http"
	"time"

	"convoke"
	"convoke/api"
	"convoke/internal/httpx"
	"convoke/internal/schedule"
)

// upcoming is how many of the next times an answer names.
const upcoming = 5

var (
	scheduleQuery = []Param{{Name: "functionUuid", Type: "string", About: "only schedules of this function"}}
	runQuery      = []Param{{Name: "limit", Type: "integer", About: "at most so many, up to 100, which is the default"}}
)

func (s *server) listSchedules(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	q := queryOf(r)
	functionID := q.text("functionUuid", 100)
	p := q.page(r, convoke.ScheduleOrder, 0, pageMost)
	if q.err != nil {
		return q.err
	}
	schedules, next, err := s.Pages.PageSchedules(r.Context(), by.AccountID, functionID, p.Page)
	if err != nil {
		return err
	}
	entries, err := s.Schedules.Entries(r.Context(), schedules)
	if err != nil {
		return err
	}
	out := bodies(entries, scheduleBody)
	if s.speaksV1(r) {
		return writeRecords(w, r, p, next, bodies(out, api.Schedule.V1))
	}
	return writeList(w, r, p, next, out)
}

func (s *server) createSchedule(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	in, err := readSchedule(w, r)
	if err != nil {
		return err
	}
	e, err := s.Schedules.Create(r.Context(), by, by.AccountID, in)
	if err != nil {
		return err
	}
	if err := s.record(r, by, "schedule.create", e.ID, e.Function.Name, nil, scheduleTrace(e)); err != nil {
		return err
	}
	return s.writeSchedule(w, r, http.StatusCreated, e)
}

func (s *server) getSchedule(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	e, err := s.Schedules.Get(r.Context(), by.AccountID, r.PathValue("schedule"))
	if err != nil {
		return err
	}
	return s.writeSchedule(w, r, http.StatusOK, e)
}

func (s *server) updateSchedule(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	in, err := readSchedule(w, r)
	if err != nil {
		return err
	}
	id := r.PathValue("schedule")
	before, err := s.Schedules.Get(r.Context(), by.AccountID, id)
	if err != nil {
		return err
	}
	e, err := s.Schedules.Update(r.Context(), by, by.AccountID, id, in)
	if err != nil {
		return err
	}
	if err := s.record(r, by, "schedule.update", e.ID, e.Function.Name, scheduleTrace(before), scheduleTrace(e)); err != nil {
		return err
	}
	return s.writeSchedule(w, r, http.StatusOK, e)
}

func (s *server) removeSchedule(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	id := r.PathValue("schedule")
	before, err := s.Schedules.Get(r.Context(), by.AccountID, id)
	if err != nil {
		return err
	}
	if err := s.Schedules.Remove(r.Context(), by.AccountID, id); err != nil {
		return err
	}
	if err := s.record(r, by, "schedule.remove", id, before.Function.Name, scheduleTrace(before), nil); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) listScheduleRuns(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	q := queryOf(r)
	p := q.page(r, convoke.ScheduleRunOrder, schedule.KeptRuns, schedule.KeptRuns)
	if q.err != nil {
		return q.err
	}
	e, err := s.Schedules.Get(r.Context(), by.AccountID, r.PathValue("schedule"))
	if err != nil {
		return err
	}
	runs, next, err := s.Pages.PageRuns(r.Context(), by.AccountID, e.ID, p.Page)
	if err != nil {
		return err
	}
	return writeRecords(w, r, p, next, bodies(runs, runBody))
}

func runBody(run *convoke.ScheduleRun) api.ScheduleRun {
	return api.ScheduleRun{
		DueAt: api.Time{Time: run.DueAt}, State: string(run.State), Failed: run.Code != "", RequestID: run.RequestID,
		StartedAt: api.Time{Time: run.StartedAt}, FinishedAt: api.Time{Time: run.FinishedAt}, Code: string(run.Code), Message: run.Message,
	}
}

// readSchedule takes the bodies of both generations.
func readSchedule(w http.ResponseWriter, r *http.Request) (schedule.Input, error) {
	var in api.ScheduleRequest
	if err := httpx.ReadJSON(w, r, &in, metaBytes); err != nil {
		return schedule.Input{}, err
	}
	out := schedule.Input{
		FunctionID: cmp.Or(in.FunctionUUID, in.LambdaUUID), Cron: in.CronExpression,
		Active: in.IsActive, Description: in.Description, TimeZone: in.TimeZone,
	}
	if in.InvocationBody != nil {
		out.Body = &schedule.Body{Headers: in.InvocationBody.Headers, Payload: in.InvocationBody.Payload}
	}
	return out, nil
}

// writeSchedule answers one schedule in the caller's dialect.
func (s *server) writeSchedule(w http.ResponseWriter, r *http.Request, status int, e *schedule.Entry) error {
	out := scheduleBody(e)
	if s.speaksV1(r) {
		return httpx.WriteJSON(w, status, out.V1())
	}
	if e.Active {
		times, err := schedule.Preview(e.Cron, e.NextAt.Add(-time.Second), upcoming)
		if err != nil {
			return err
		}
		for _, at := range times {
			out.Upcoming = append(out.Upcoming, api.Time{Time: at})
		}
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return httpx.WriteTagged(w, r, e.Revision(), out)
	}
	return httpx.WriteJSON(w, status, out)
}

func (s *server) speaksV1(r *http.Request) bool { return s.V1 != nil && s.V1(r) }

func scheduleBody(e *schedule.Entry) api.Schedule {
	out := scheduleTrace(e)
	out.InvocationBody = api.InvocationBody{Headers: e.Headers, Payload: e.Payload}
	return out
}

// scheduleTrace is what the audit trail keeps: a header may hold a token.
func scheduleTrace(e *schedule.Entry) api.Schedule {
	out := api.Schedule{
		ID: e.ID, FunctionUUID: e.FunctionID, CronExpression: e.Cron, IsActive: e.Active, Description: e.Description, TimeZone: e.TimeZone,
		NextExecution: api.Time{Time: e.NextAt}, LastExecution: api.Time{Time: e.LastAt}, DidLastExecutionFail: e.LastFailed,
		FunctionName: e.Function.Name, State: api.ScheduleActive, LastRequestID: e.LastRequestID,
		CreatedAt: api.Time{Time: e.CreatedAt}, CreatedBy: e.CreatedBy, UpdatedAt: api.Time{Time: e.UpdatedAt}, UpdatedBy: e.UpdatedBy,
	}
	switch {
	case !e.Active:
		out.State, out.Reason = api.SchedulePaused, "it was paused"
	case !e.Function.Deployed():
		out.State, out.Reason = api.SchedulePaused, "the function is not deployed"
	}
	return out
}
