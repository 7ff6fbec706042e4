package sqlstore

import (
	"context"
	"time"

	"convoke"
)

const (
	invocationColumns = `request_id, account_id, function_id, version, event_id, caller, started_at, wait, cold, cold_start,
		run, cpu, peak_memory, payload_bytes, result_bytes, outcome, code`
	invocationColumnCount = 17
	insertInvocations     = `INSERT INTO invocations (` + invocationColumns + `)`

	counterColumns     = `account_id, function_id, minute, succeeded, coding, platform, timeout, unknown, cold, run, cpu`
	counterColumnCount = 11
	insertCounters     = `INSERT INTO counters (` + counterColumns + `)`
	addToCounters      = `ON CONFLICT (account_id, function_id, minute) DO UPDATE SET
		succeeded = counters.succeeded + excluded.succeeded, coding = counters.coding + excluded.coding,
		platform = counters.platform + excluded.platform, timeout = counters.timeout + excluded.timeout,
		unknown = counters.unknown + excluded.unknown, cold = counters.cold + excluded.cold,
		run = counters.run + excluded.run, cpu = counters.cpu + excluded.cpu`

	defaultInvocationLimit = 100
)

func scanInvocation(r row) (convoke.Invocation, error) {
	var i convoke.Invocation
	return i, r.Scan(&i.RequestID, &i.AccountID, &i.FunctionID, &i.Version, &i.EventID, &i.Caller, timeColumn{&i.StartedAt},
		&i.Wait, &i.Cold, &i.ColdStart, &i.Run, &i.CPU, &i.PeakMemory, &i.PayloadBytes, &i.ResultBytes, &i.Outcome, &i.Code)
}

// AppendInvocations stores records and adds counters to what is there for the
// same function and minute, all in one transaction. Triggers add them to the
// totals of longer stretches in it.
func (s *Store) AppendInvocations(ctx context.Context, records []convoke.Invocation, counters []convoke.Counter) error {
	if len(records) == 0 && len(counters) == 0 {
		return nil
	}
	return s.runlog.write(ctx, func(t tx) error {
		err := s.insertRuns.insert(ctx, t, len(records), func(args []any, i int) []any {
			r := &records[i]
			return append(args, r.RequestID, r.AccountID, r.FunctionID, r.Version, r.EventID, r.Caller, nanos(r.StartedAt),
				int64(r.Wait), r.Cold, int64(r.ColdStart), int64(r.Run), int64(r.CPU),
				r.PeakMemory, r.PayloadBytes, r.ResultBytes, string(r.Outcome), string(r.Code))
		})
		if err != nil {
			return err
		}
		return s.addCounters.insert(ctx, t, len(counters), func(args []any, i int) []any {
			c := &counters[i]
			return append(args, c.AccountID, c.FunctionID, nanos(c.Minute.UTC().Truncate(time.Minute)),
				c.Succeeded, c.Coding, c.Platform, c.Timeout, c.Unknown, c.Cold, int64(c.Run), int64(c.CPU))
		})
	})
}

var invocationList = listing[convoke.Invocation]{
	order: convoke.InvocationOrder, columns: invocationColumns, from: `invocations`, scan: scanInvocation, whole: maxRecords,
	keys: map[string][]column{"startedAt": {number("started_at"), number("seq")}},
}

// QueryInvocations returns invocations of one function, or of the whole
// account when f names none, newest first.
func (s *Store) QueryInvocations(ctx context.Context, accountID string, f convoke.InvocationFilter) ([]convoke.Invocation, error) {
	all, _, err := s.PageInvocations(ctx, accountID, f, convoke.Page{Limit: positive(f.Limit, defaultInvocationLimit)})
	return all, err
}

// PageInvocations reads a page of what f selects.
func (s *Store) PageInvocations(ctx context.Context, accountID string, f convoke.InvocationFilter, p convoke.Page) ([]convoke.Invocation, convoke.Mark, error) {
	where := &filter{}
	where.add(`account_id = ?`, accountID)
	if f.RequestID != "" {
		where.add(`request_id = ?`, f.RequestID)
	}
	byFunctionOrRequest(where, f.FunctionID, f.RequestID)
	oneOf(where, `outcome`, f.Outcomes)
	if !f.From.IsZero() {
		where.add(`started_at >= ?`, nanos(f.From))
	}
	if !f.To.IsZero() {
		where.add(`started_at < ?`, nanos(f.To))
	}
	return invocationList.page(ctx, s.runlog.search, where, p)
}
