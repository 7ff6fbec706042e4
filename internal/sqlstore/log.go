package sqlstore

import (
	"context"
	"strings"
	"time"

	"convoke"
)

const (
	logColumns     = `seq, account_id, function_id, version, request_id, time, level, source, message, extras`
	logColumnCount = 10
	insertLogs     = `INSERT INTO logs (` + logColumns + `)`

	defaultLogLimit = 500
)

func scanLog(r row) (convoke.LogEntry, error) {
	var e convoke.LogEntry
	var extras string
	err := r.Scan(&e.Seq, &e.AccountID, &e.FunctionID, &e.Version, &e.RequestID, timeColumn{&e.Time},
		&e.Level, &e.Source, &e.Message, &extras)
	e.Extras = []byte(extras)
	return e, err
}

// AppendLogs stores entries in one transaction and sets their Seq.
func (s *Store) AppendLogs(ctx context.Context, entries []convoke.LogEntry) error {
	if len(entries) == 0 {
		return nil
	}
	var last int64
	err := s.runlog.write(ctx, func(t tx) (err error) {
		last, err = find(ctx, t.conn, scanSeq, never,
			`UPDATE log_sequence SET last = last + ? WHERE id = 1 RETURNING last`, len(entries))
		if err != nil {
			return err
		}
		first := last - int64(len(entries)) + 1
		return s.insertLogs.insert(ctx, t, len(entries), func(args []any, i int) []any {
			e := &entries[i]
			extras := "[]"
			if len(e.Extras) > 0 {
				extras = string(e.Extras)
			}
			return append(args, first+int64(i), e.AccountID, e.FunctionID, e.Version, e.RequestID, nanos(e.Time),
				string(e.Level), string(e.Source), e.Message, extras)
		})
	})
	if err != nil {
		return err
	}
	for i := range entries {
		entries[i].Seq = last - int64(len(entries)-1-i)
	}
	return nil
}

func scanSeq(r row) (int64, error) {
	var n int64
	return n, r.Scan(&n)
}

var logList = listing[convoke.LogEntry]{
	order: convoke.LogOrder, columns: logColumns, from: `logs`, scan: scanLog, whole: maxRecords,
	keys: map[string][]column{"id": {number("seq")}},
}

// QueryLogs returns entries in order of Seq, the newest first unless
// f.Ascending says otherwise.
func (s *Store) QueryLogs(ctx context.Context, accountID string, f convoke.LogFilter) ([]convoke.LogEntry, error) {
	p := convoke.Page{Limit: positive(f.Limit, defaultLogLimit)}
	if f.Ascending {
		p.Sort = "id"
	}
	all, _, err := s.PageLogs(ctx, accountID, f, p)
	return all, err
}

// PageLogs reads a page of what f selects.
func (s *Store) PageLogs(ctx context.Context, accountID string, f convoke.LogFilter, p convoke.Page) ([]convoke.LogEntry, convoke.Mark, error) {
	where := &filter{}
	where.add(`account_id = ?`, accountID)
	if f.RequestID != "" {
		where.add(`request_id = ? AND request_id <> ''`, f.RequestID)
	}
	byFunctionOrRequest(where, f.FunctionID, f.RequestID)
	oneOf(where, `level`, f.Levels)
	// "+ 0": few rows have the request or function; without those the newest
	// rows are wanted. Both ways the index on time would only mislead.
	if !f.From.IsZero() {
		where.add(`time + 0 >= ?`, nanos(f.From))
	}
	if !f.To.IsZero() {
		where.add(`time + 0 < ?`, nanos(f.To))
	}
	if f.AfterSeq > 0 {
		where.add(`seq > ?`, f.AfterSeq)
	}
	if f.Text != "" {
		text := strings.ToLower(f.Text)
		contains := s.runlog.dialect.containsFold
		where.add(`(`+contains(`message`)+` OR `+contains(`extras`)+`)`, text, text)
	}
	return logList.page(ctx, s.runlog.search, where, p)
}

// byFunctionOrRequest narrows to a function. With a request given too, its
// index must be the one in use, as a function may have millions of rows: an
// expression keeps the planner from the function's.
func byFunctionOrRequest(where *filter, functionID, requestID string) {
	switch {
	case functionID == "":
	case requestID == "":
		where.add(`function_id = ?`, functionID)
	default:
		where.add(`function_id || '' = ?`, functionID)
	}
}

func positive(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}

// DeleteLogsBefore removes entries, invocations and calls older than before, and
// counters of days that ended before it, at most limit of each a call, and says
// how many went. The totals of those days and of weeks stay.
func (s *Store) DeleteLogsBefore(ctx context.Context, before time.Time, limit int) (int, error) {
	if limit <= 0 { // less than 0 would be no limit
		return 0, nil
	}
	var removed int64
	err := s.runlog.write(ctx, func(t tx) error {
		for _, statement := range []string{
			`DELETE FROM logs WHERE seq IN (SELECT seq FROM logs WHERE time < ? ORDER BY time LIMIT ?)`,
			`DELETE FROM invocations WHERE seq IN (SELECT seq FROM invocations WHERE started_at < ? ORDER BY started_at LIMIT ?)`,
			`DELETE FROM calls WHERE id IN (SELECT id FROM calls WHERE at < ? ORDER BY at LIMIT ?)`,
		} {
			n, err := t.exec(ctx, statement, nanos(before), limit)
			if err != nil {
				return err
			}
			removed += n
		}
		n, err := removeFine(ctx, t, before, limit)
		removed += n
		return err
	})
	if err != nil {
		return 0, err
	}
	return int(removed), nil
}
