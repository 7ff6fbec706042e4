package sqlstore

import (
	"context"

	"convoke"
)

const (
	callColumns = `id, account_id, function_id, version, request_id, at, host, port, method, status,
		sent, received, took, outcome, detail`
	callColumnCount = 15
	insertCalls     = `INSERT INTO calls (` + callColumns + `)`
)

func scanCall(r row) (convoke.Call, error) {
	var c convoke.Call
	return c, r.Scan(&c.ID, &c.AccountID, &c.FunctionID, &c.Version, &c.RequestID, timeColumn{&c.At}, &c.Host, &c.Port,
		&c.Method, &c.Status, &c.Sent, &c.Received, &c.Took, &c.Outcome, &c.Detail)
}

// AppendCalls stores calls in one transaction and sets their ids.
func (s *Store) AppendCalls(ctx context.Context, calls []convoke.Call) error {
	if len(calls) == 0 {
		return nil
	}
	var last int64
	err := s.runlog.write(ctx, func(t tx) (err error) {
		last, err = find(ctx, t.conn, scanInt64, never,
			`UPDATE call_sequence SET last = last + ? WHERE id = 1 RETURNING last`, len(calls))
		if err != nil {
			return err
		}
		first := last - int64(len(calls)) + 1
		return s.insertCalls.insert(ctx, t, len(calls), func(args []any, i int) []any {
			c := &calls[i]
			return append(args, first+int64(i), c.AccountID, c.FunctionID, c.Version, c.RequestID, nanos(c.At), c.Host, c.Port,
				c.Method, c.Status, c.Sent, c.Received, int64(c.Took), string(c.Outcome), c.Detail)
		})
	})
	if err != nil {
		return err
	}
	for i := range calls {
		calls[i].ID = last - int64(len(calls)-1-i)
	}
	return nil
}

var callList = listing[convoke.Call]{
	order: convoke.CallOrder, columns: callColumns, from: `calls`, scan: scanCall, whole: maxRecords,
	keys: map[string][]column{"id": {number("id")}},
}

// ListCalls returns what f selects, newest first, at most 1,000.
func (s *Store) ListCalls(ctx context.Context, accountID string, f convoke.CallFilter) ([]convoke.Call, error) {
	all, _, err := s.PageCalls(ctx, accountID, f, convoke.Page{Limit: min(f.Limit, maxRecords)})
	return all, err
}

// PageCalls reads a page of what f selects.
func (s *Store) PageCalls(ctx context.Context, accountID string, f convoke.CallFilter, p convoke.Page) ([]convoke.Call, convoke.Mark, error) {
	where := &filter{}
	where.add(`account_id = ?`, accountID)
	if f.RequestID != "" {
		where.add(`request_id = ? AND request_id <> ''`, f.RequestID)
	}
	byFunctionOrRequest(where, f.FunctionID, f.RequestID)
	if f.Host != "" {
		where.add(`host = ?`, f.Host)
	}
	oneOf(where, `outcome`, f.Outcomes)
	// "+ 0" keeps the planner from the index on time, as in QueryLogs.
	if !f.From.IsZero() {
		where.add(`at + 0 >= ?`, nanos(f.From))
	}
	if !f.To.IsZero() {
		where.add(`at + 0 < ?`, nanos(f.To))
	}
	if f.Before > 0 {
		where.add(`id < ?`, f.Before)
	}
	return callList.page(ctx, s.runlog.search, where, p)
}
