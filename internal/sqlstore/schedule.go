package sqlstore

import (
	"context"
	"time"

	"convoke"
)

const (
	scheduleColumns = `account_id, id, function_id, cron, time_zone, active, next_at, last_at, last_request_id, last_failed,
		created_at, created_by, updated_at, updated_by, description, headers, payload`
	runColumns = `account_id, schedule_id, due_at, state, request_id, claimed_at, started_at, finished_at, code, message`
	// runOpen has the words of the partial index.
	runOpen = `(state = 'claimed' OR state = 'started')`
)

func scanSchedule(r row) (*convoke.Schedule, error) {
	s := &convoke.Schedule{}
	var payload string
	err := r.Scan(&s.AccountID, &s.ID, &s.FunctionID, &s.Cron, &s.TimeZone, &s.Active, timeColumn{&s.NextAt},
		timeColumn{&s.LastAt}, &s.LastRequestID, &s.LastFailed, timeColumn{&s.CreatedAt}, &s.CreatedBy,
		timeColumn{&s.UpdatedAt}, &s.UpdatedBy, &s.Description, jsonColumn{&s.Headers}, &payload)
	s.Payload = []byte(payload)
	return s, err
}

func scanRun(r row) (*convoke.ScheduleRun, error) {
	run := &convoke.ScheduleRun{}
	return run, r.Scan(&run.AccountID, &run.ScheduleID, timeColumn{&run.DueAt}, &run.State, &run.RequestID,
		timeColumn{&run.ClaimedAt}, timeColumn{&run.StartedAt}, timeColumn{&run.FinishedAt}, &run.Code, &run.Message)
}

func missingSchedule(id string) func() error {
	return func() error { return convoke.Errorf(convoke.CodeNotFound, "there is no schedule %s", id) }
}

// CreateSchedule adds a schedule; CodeLimitExceeded when the account has limit
// schedules already (0: no limit), CodeNotFound when there is no such account
// or function.
func (s *Store) CreateSchedule(ctx context.Context, sc *convoke.Schedule, limit int) error {
	headers, err := jsonText(sc.Headers, len(sc.Headers))
	if err != nil {
		return err
	}
	return s.main.write(ctx, func(t tx) error {
		if err := lockAccount(ctx, t, sc.AccountID); err != nil {
			return err
		}
		if limit > 0 {
			n, err := find(ctx, t.conn, scanCount, never, `SELECT COUNT(*) FROM schedules WHERE account_id = ?`, sc.AccountID)
			if err != nil {
				return err
			}
			if n >= limit {
				return convoke.Errorf(convoke.CodeLimitExceeded, "the account has %d schedules, the most it may have; remove one first", n)
			}
		}
		_, err := t.exec(ctx, `INSERT INTO schedules (`+scheduleColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			sc.AccountID, sc.ID, sc.FunctionID, sc.Cron, sc.TimeZone, sc.Active, nanos(sc.NextAt), nanos(sc.LastAt), sc.LastRequestID, sc.LastFailed,
			nanos(sc.CreatedAt), sc.CreatedBy, nanos(sc.UpdatedAt), sc.UpdatedBy, sc.Description, headers, string(sc.Payload))
		return err
	})
}

// FindSchedule returns CodeNotFound when there is none.
func (s *Store) FindSchedule(ctx context.Context, accountID, id string) (*convoke.Schedule, error) {
	return find(ctx, s.main.read, scanSchedule, missingSchedule(id),
		`SELECT `+scheduleColumns+` FROM schedules WHERE account_id = ? AND id = ?`, accountID, id)
}

// ListSchedules returns an account's schedules, or with functionID those of
// one function, the oldest first.
func (s *Store) ListSchedules(ctx context.Context, accountID, functionID string) ([]*convoke.Schedule, error) {
	all, _, err := s.PageSchedules(ctx, accountID, functionID, convoke.Page{})
	return all, err
}

var scheduleList = listing[*convoke.Schedule]{
	order: convoke.ScheduleOrder, columns: scheduleColumns, from: `schedules`, scan: scanSchedule,
	keys: map[string][]column{
		"createdAt":     {number("created_at"), text("id")},
		"updatedAt":     {number("updated_at"), text("id")},
		"nextExecution": {number("next_at"), text("id")},
		"lastExecution": {number("last_at"), text("id")},
	},
}

// PageSchedules reads a page of an account's schedules, or with functionID of
// a function's.
func (s *Store) PageSchedules(ctx context.Context, accountID, functionID string, p convoke.Page) ([]*convoke.Schedule, convoke.Mark, error) {
	where := &filter{}
	where.add(`account_id = ?`, accountID)
	if functionID != "" {
		where.add(`function_id = ?`, functionID)
	}
	return scheduleList.page(ctx, s.main.search, where, p)
}

// UpdateSchedule runs change on the stored schedule inside one write
// transaction and stores what it leaves; id, account, function and creation
// stay. An error from change is returned as it is. CodeNotFound when there is
// no such schedule.
func (s *Store) UpdateSchedule(ctx context.Context, accountID, id string, change func(*convoke.Schedule) error) (*convoke.Schedule, error) {
	var sc *convoke.Schedule
	err := s.main.write(ctx, func(t tx) (err error) {
		if sc, err = lockSchedule(ctx, t, accountID, id); err != nil {
			return err
		}
		if err := change(sc); err != nil {
			return err
		}
		headers, err := jsonText(sc.Headers, len(sc.Headers))
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, `UPDATE schedules SET cron = ?, time_zone = ?, active = ?, next_at = ?, last_at = ?, last_request_id = ?, last_failed = ?,
				updated_at = ?, updated_by = ?, description = ?, headers = ?, payload = ?
			WHERE account_id = ? AND id = ?`,
			sc.Cron, sc.TimeZone, sc.Active, nanos(sc.NextAt), nanos(sc.LastAt), sc.LastRequestID, sc.LastFailed,
			nanos(sc.UpdatedAt), sc.UpdatedBy, sc.Description, headers, string(sc.Payload), accountID, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return sc, nil
}

// DeleteSchedule removes a schedule with its runs; CodeNotFound when there is
// none.
func (s *Store) DeleteSchedule(ctx context.Context, accountID, id string) error {
	return s.main.write(ctx, func(t tx) error {
		if _, err := lockSchedule(ctx, t, accountID, id); err != nil {
			return err
		}
		_, err := t.exec(ctx, `DELETE FROM schedules WHERE account_id = ? AND id = ?`, accountID, id)
		return err
	})
}

// lockSchedule reads a schedule that somebody is going to change.
func lockSchedule(ctx context.Context, t tx, accountID, id string) (*convoke.Schedule, error) {
	sc, err := find(ctx, t.conn, scanSchedule, missingSchedule(id),
		`SELECT `+scheduleColumns+` FROM schedules WHERE account_id = ? AND id = ?`+t.dialect.lockRow, accountID, id)
	if err != nil {
		return nil, err
	}
	return sc, convoke.CheckCondition(ctx, convoke.KindSchedule, id, sc.Revision)
}

// NextScheduleAt is when the next schedule of any account is due; the zero
// time when none is active.
func (s *Store) NextScheduleAt(ctx context.Context) (time.Time, error) {
	scan := func(r row) (at time.Time, err error) { return at, r.Scan(timeColumn{&at}) }
	none := func() error { return nil }
	return find(ctx, s.main.read, scan, none, `SELECT next_at FROM schedules WHERE next_at > 0 ORDER BY next_at LIMIT 1`)
}

// ClaimRuns takes at most limit schedules that are due at now, the longest due
// first, in one transaction: claim says what becomes of each and changes
// NextAt and the Last members, which are stored with the run. It returns the
// runs, without those whose due time had one before. Of each schedule the
// newest keep runs are kept, and those not at their end.
func (s *Store) ClaimRuns(ctx context.Context, now time.Time, limit, keep int, claim func(*convoke.Schedule) *convoke.ScheduleRun) ([]*convoke.ScheduleRun, error) {
	var claimed []*convoke.ScheduleRun
	err := s.main.write(ctx, func(t tx) error {
		due, err := list(ctx, t.conn, scanSchedule,
			`SELECT `+scheduleColumns+` FROM schedules WHERE next_at > 0 AND next_at <= ? ORDER BY next_at, id LIMIT ?`+t.dialect.lockRow, nanos(now), limit)
		if err != nil {
			return err
		}
		for _, sc := range due {
			at := sc.NextAt
			run := claim(sc)
			run.AccountID, run.ScheduleID, run.DueAt = sc.AccountID, sc.ID, at
			fresh, err := insertRun(ctx, t, sc, run)
			if err != nil {
				return err
			}
			if fresh {
				claimed = append(claimed, run)
			}
			if err := evictRuns(ctx, t, sc, keep); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// insertRun stores a run and moves its schedule on. It reports false when the
// due time has a run already: the clock was set back. The schedule moves on
// all the same, and nothing runs twice.
func insertRun(ctx context.Context, t tx, sc *convoke.Schedule, r *convoke.ScheduleRun) (bool, error) {
	n, err := t.exec(ctx, `INSERT INTO schedule_runs (`+runColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (account_id, schedule_id, due_at) DO NOTHING`,
		r.AccountID, r.ScheduleID, nanos(r.DueAt), string(r.State), r.RequestID,
		nanos(r.ClaimedAt), nanos(r.StartedAt), nanos(r.FinishedAt), string(r.Code), r.Message)
	if err != nil {
		return false, err
	}
	if n == 0 {
		_, err = t.exec(ctx, `UPDATE schedules SET next_at = ? WHERE account_id = ? AND id = ?`, nanos(sc.NextAt), sc.AccountID, sc.ID)
		return false, err
	}
	_, err = t.exec(ctx, `UPDATE schedules SET next_at = ?, last_at = ?, last_request_id = ?, last_failed = ? WHERE account_id = ? AND id = ?`,
		nanos(sc.NextAt), nanos(sc.LastAt), sc.LastRequestID, sc.LastFailed, sc.AccountID, sc.ID)
	return true, err
}

func evictRuns(ctx context.Context, t tx, sc *convoke.Schedule, keep int) error {
	_, err := t.exec(ctx, `DELETE FROM schedule_runs WHERE account_id = ? AND schedule_id = ? AND NOT `+runOpen+`
		AND due_at <= (SELECT due_at FROM schedule_runs WHERE account_id = ? AND schedule_id = ? ORDER BY due_at DESC LIMIT 1 OFFSET ?)`,
		sc.AccountID, sc.ID, sc.AccountID, sc.ID, keep)
	return err
}

// StartRun marks a claimed run as started at r.StartedAt and returns its
// schedule; CodeNotFound when the run is gone or not in state claimed.
func (s *Store) StartRun(ctx context.Context, r *convoke.ScheduleRun) (*convoke.Schedule, error) {
	var sc *convoke.Schedule
	err := s.main.write(ctx, func(t tx) error {
		n, err := t.exec(ctx, `UPDATE schedule_runs SET state = ?, started_at = ? WHERE account_id = ? AND schedule_id = ? AND due_at = ? AND state = 'claimed'`,
			string(convoke.RunStarted), nanos(r.StartedAt), r.AccountID, r.ScheduleID, nanos(r.DueAt))
		if err != nil {
			return err
		}
		if n == 0 {
			return convoke.Errorf(convoke.CodeNotFound, "there is no run to start of schedule %s", r.ScheduleID)
		}
		sc, err = find(ctx, t.conn, scanSchedule, missingSchedule(r.ScheduleID),
			`SELECT `+scheduleColumns+` FROM schedules WHERE account_id = ? AND id = ?`, r.AccountID, r.ScheduleID)
		return err
	})
	if err != nil {
		return nil, err
	}
	r.State = convoke.RunStarted
	return sc, nil
}

// FinishRun stores how a run ended, also with its schedule if that has no
// later one. A run that went with its schedule is no error.
func (s *Store) FinishRun(ctx context.Context, r *convoke.ScheduleRun) error {
	return s.main.write(ctx, func(t tx) error {
		_, err := t.exec(ctx, `UPDATE schedule_runs SET state = ?, finished_at = ?, code = ?, message = ? WHERE account_id = ? AND schedule_id = ? AND due_at = ?`,
			string(r.State), nanos(r.FinishedAt), string(r.Code), r.Message, r.AccountID, r.ScheduleID, nanos(r.DueAt))
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, `UPDATE schedules SET last_failed = ? WHERE account_id = ? AND id = ? AND last_at = ?`,
			r.Code != "", r.AccountID, r.ScheduleID, nanos(r.DueAt))
		return err
	})
}

// ListRuns returns a schedule's runs, the newest first.
func (s *Store) ListRuns(ctx context.Context, accountID, scheduleID string, limit int) ([]*convoke.ScheduleRun, error) {
	return list(ctx, s.main.read, scanRun,
		`SELECT `+runColumns+` FROM schedule_runs WHERE account_id = ? AND schedule_id = ? ORDER BY due_at DESC LIMIT ?`, accountID, scheduleID, limit)
}

var runList = listing[*convoke.ScheduleRun]{
	order: convoke.ScheduleRunOrder, columns: runColumns, from: `schedule_runs`, scan: scanRun,
	keys: map[string][]column{"dueAt": {number("due_at")}},
}

// PageRuns reads a page of a schedule's runs.
func (s *Store) PageRuns(ctx context.Context, accountID, scheduleID string, p convoke.Page) ([]*convoke.ScheduleRun, convoke.Mark, error) {
	where := &filter{}
	where.add(`account_id = ? AND schedule_id = ?`, accountID, scheduleID)
	return runList.page(ctx, s.main.search, where, p)
}

// ListOpenRuns returns the runs of all accounts that are claimed or started,
// the longest due first.
func (s *Store) ListOpenRuns(ctx context.Context) ([]*convoke.ScheduleRun, error) {
	return list(ctx, s.main.read, scanRun,
		`SELECT `+runColumns+` FROM schedule_runs WHERE `+runOpen+` ORDER BY due_at, schedule_id`)
}
