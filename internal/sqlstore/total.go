package sqlstore

import (
	"context"
	"math"
	"strings"
	"time"

	"convoke"
)

// Beside the counters of each minute there are those of each hour, day and
// week, kept by triggers of the database (migrations/runlog/0003_totals.sql).
// A report takes the widest that fit and minutes at its edges only.

// stretch is one of the widths for which there are totals.
type stretch struct {
	width int64 // in ns
	shift int64 // 1970 is so long after one began
}

const (
	minuteWidth = int64(time.Minute)
	hourWidth   = int64(time.Hour)
	dayWidth    = 24 * hourWidth
	weekWidth   = 7 * dayWidth
)

// stretches are the rows of table total_widths, the widest first.
var stretches = []stretch{{weekWidth, 3 * dayWidth}, {dayWidth, 0}, {hourWidth, 0}}

// before is the latest beginning of a stretch that is not after t.
func (s stretch) before(t int64) int64 { return t - ((t+s.shift)%s.width+s.width)%s.width }

// after is the first beginning of a stretch that is not before t.
func (s stretch) after(t int64) int64 {
	if b := s.before(t); b < t {
		return b + s.width
	}
	return t
}

var (
	minutes = stretch{minuteWidth, 0}
	hours   = stretch{hourWidth, 0}
	days    = stretch{dayWidth, 0}
	weeks   = stretches[0]
)

// kept is since when counters are there.
type kept struct {
	finely int64 // a midnight; before it there are days and weeks only
	atAll  int64 // a Monday
	whole  int64 // an hour; before it there are minutes only, see FillTotals
	latest int64 // the last minute there is
}

// firstMonday is the least of these, the beginning of the week in which 1970
// began.
const firstMonday = -3 * dayWidth

const selectKept = `SELECT finely, at_all, whole, COALESCE((SELECT MAX(minute) FROM counters), at_all) FROM totals_kept WHERE id = 1`

func scanKept(r row) (kept, error) {
	var k kept
	return k, r.Scan(&k.finely, &k.atAll, &k.whole, &k.latest)
}

// span is a row of stretches of one width, or of minutes, from start to until.
type span struct{ width, start, until int64 }

// maxSpans bounds the text of a statement. Minutes do beyond it.
const maxSpans = 2000

// spans covers the time from from to to, such that nothing reaches over the
// end of a bucket of the given width, the first of which begins at from. A
// minute belongs where it begins, and so does a day of which there are no
// minutes any more; but the minute that from cuts belongs to the first bucket.
func (k kept) spans(from, to time.Time, width time.Duration) []span {
	start, until := minutes.before(nanos(from)), minutes.after(nanos(to))
	oldUntil := min(days.after(until), k.finely)
	old := cover(max(days.after(start), k.atAll), oldUntil, nanos(from), int64(width), dayWidth, math.MaxInt64)
	begin := max(start, k.finely, k.atAll)
	fine := cover(max(begin, k.whole), until, nanos(from), int64(width), minuteWidth, k.latest)
	if len(fine) > maxSpans {
		fine = []span{{minuteWidth, max(begin, k.whole), until}}
	}
	if unfilled := (span{minuteWidth, begin, min(until, k.whole)}); unfilled.start < unfilled.until {
		old = append(old, unfilled)
	}
	return append(old, fine...)
}

// cover divides the time from start to until into stretches that are at least
// as wide as finest and lie in one bucket, as far as they can. Beyond latest
// nothing happened, so what reaches over an end there does no harm: most reports
// end now.
func cover(start, until, base, bucket, finest, latest int64) []span {
	if start >= until {
		return nil
	}
	if finest == minuteWidth && bucket < hourWidth {
		return []span{{minuteWidth, start, until}}
	}
	var all []span
	for at := start; at < until; {
		end := until // of the bucket, in whole minutes
		if left := bucket - max(at-base, 0)%bucket; left < until-at {
			end = minutes.after(at + left)
		}
		if end > latest {
			end = math.MaxInt64
		}
		next := span{finest, at, at + finest}
		if finest == minuteWidth {
			next.until = min(end, until, hours.before(at)+hourWidth)
		}
		for _, s := range stretches {
			if s.width >= finest && s.before(at) == at && s.width <= end-at {
				next = span{s.width, at, at + s.width}
				break
			}
		}
		if n := len(all); n > 0 && all[n-1].width == next.width {
			all[n-1].until = next.until
		} else {
			all = append(all, next)
		}
		at = next.until
	}
	return all
}

const sumColumns = `succeeded, coding, platform, timeout, unknown, cold, run, cpu`

// sums are the columns of a Counter behind those that are grouped by.
const sums = `SUM(succeeded), SUM(coding), SUM(platform), SUM(timeout), SUM(unknown), SUM(cold), SUM(run), SUM(cpu)`

func sumDest(c *convoke.Counter) []any {
	return []any{&c.Succeeded, &c.Coding, &c.Platform, &c.Timeout, &c.Unknown, &c.Cold, &c.Run, &c.CPU}
}

// source is where a report finds its counters: behind WITH and FROM, with the
// values of their parameters.
type source struct {
	with, from         string
	withArgs, fromArgs []any
}

// countersOf is the minutes and totals in spans, of one function, or of all of
// the account with functionID "". A CROSS JOIN keeps the planner from another
// order.
func countersOf(accountID, functionID string, spans []span) source {
	whose, totalsOf := ` AND c.account_id = ? AND c.function_id = ?`, ` AND t.account_id = ? AND t.function_id = ?`
	of := []any{accountID, functionID}
	if functionID == "" {
		// An expression, for the planner not to take the index of the
		// account, whose minutes lie apart.
		whose, totalsOf, of = ` AND c.account_id || '' = ?`, ` AND t.account_id = ?`, of[:1]
	}
	ofMinutes := `SELECT c.minute AS start, c.function_id, ` + sumColumns + ` FROM `
	if len(spans) == 1 && spans[0].width == minuteWidth {
		return source{
			from:     `(` + ofMinutes + `counters c WHERE c.minute >= ? AND c.minute < ?` + whose + `)`,
			fromArgs: append([]any{spans[0].start, spans[0].until}, of...),
		}
	}
	s := source{
		with: `WITH RECURSIVE span (width, start, until) AS (VALUES (?, ?, ?)` + strings.Repeat(`, (?, ?, ?)`, len(spans)-1) + `),
			piece (width, start, until) AS (
				SELECT width, start, until FROM span WHERE width > ?
				UNION ALL SELECT width, start + width, until FROM piece WHERE start + width < until) `,
		from: `(` + ofMinutes + `span CROSS JOIN counters c WHERE span.width = ? AND c.minute >= span.start AND c.minute < span.until` + whose + `
			UNION ALL SELECT t.start, t.function_id, ` + sumColumns + ` FROM piece CROSS JOIN totals t
				WHERE t.width = piece.width AND t.start = piece.start` + totalsOf + `)`,
		fromArgs: append([]any{minuteWidth}, append(of, of...)...),
	}
	for _, p := range spans {
		s.withArgs = append(s.withArgs, p.width, p.start, p.until)
	}
	s.withArgs = append(s.withArgs, minuteWidth)
	return s
}

// report runs query with what is kept, both of one moment.
func (s *Store) report(ctx context.Context, query func(conn, kept) ([]convoke.Counter, error)) (counters []convoke.Counter, err error) {
	err = s.runlog.snapshot(ctx, func(c conn) error {
		k, err := find(ctx, c, scanKept, never, selectKept)
		if err != nil {
			return err
		}
		counters, err = query(c, k)
		return err
	})
	return counters, err
}

// SumCountersByTime adds up the counters of a function, or of all functions of
// the account with functionID "", for each stretch of width from from to to in
// which there was something, in order of time; Minute is its start. The minute
// that from cuts belongs to the first; a day of which DeleteLogsBefore took the
// minutes, to the one in which it begins.
func (s *Store) SumCountersByTime(ctx context.Context, accountID, functionID string, from, to time.Time, width time.Duration) ([]convoke.Counter, error) {
	scan := func(r row) (convoke.Counter, error) {
		c := convoke.Counter{AccountID: accountID, FunctionID: functionID}
		var stretch int64
		err := r.Scan(append([]any{&stretch}, sumDest(&c)...)...)
		c.Minute = from.Add(time.Duration(stretch) * width).UTC()
		return c, err
	}
	return s.report(ctx, func(c conn, k kept) ([]convoke.Counter, error) {
		spans := k.spans(from, to, width)
		if len(spans) == 0 {
			return nil, nil
		}
		of := countersOf(accountID, functionID, spans)
		args := append(of.withArgs, nanos(from), nanos(from), int64(width))
		return list(ctx, c, scan, of.with+`SELECT CASE WHEN start < ? THEN 0 ELSE (start - ?) / ? END AS stretch, `+sums+`
			FROM `+of.from+` GROUP BY stretch ORDER BY stretch`, append(args, of.fromArgs...)...)
	})
}

// SumCountersByFunction adds up the counters of each function of the account
// from from, with the minute that it cuts, to to, in order of function; Minute
// is from.
func (s *Store) SumCountersByFunction(ctx context.Context, accountID string, from, to time.Time) ([]convoke.Counter, error) {
	scan := func(r row) (convoke.Counter, error) {
		c := convoke.Counter{AccountID: accountID, Minute: from.UTC()}
		return c, r.Scan(append([]any{&c.FunctionID}, sumDest(&c)...)...)
	}
	return s.report(ctx, func(c conn, k kept) ([]convoke.Counter, error) {
		spans := k.spans(from, to, to.Sub(from))
		if len(spans) == 0 {
			return nil, nil
		}
		of := countersOf(accountID, "", spans)
		return list(ctx, c, scan, of.with+`SELECT function_id, `+sums+` FROM `+of.from+` GROUP BY function_id ORDER BY function_id`,
			append(of.withArgs, of.fromArgs...)...)
	})
}

// FillTotals adds the latest hour that was counted before there were totals to
// them, and reports whether there may be more.
func (s *Store) FillTotals(ctx context.Context) (more bool, err error) {
	err = s.runlog.write(ctx, func(t tx) error {
		k, err := find(ctx, t.conn, scanKept, never, selectKept)
		if err != nil || k.whole <= firstMonday {
			return err
		}
		latest, err := find(ctx, t.conn, scanInt64, never, `SELECT COALESCE(MAX(minute), ?) FROM counters WHERE minute < ?`, firstMonday, k.whole)
		if err != nil {
			return err
		}
		from := max(firstMonday, hours.before(latest))
		_, err = t.exec(ctx, `INSERT INTO totals (width, start, account_id, function_id, `+sumColumns+`)
			SELECT w.width, c.minute - (c.minute + w.shift) % w.width AS start, c.account_id, c.function_id, `+sums+`
			FROM counters c CROSS JOIN total_widths w WHERE c.minute >= ? AND c.minute < ?
			GROUP BY w.width, c.minute - (c.minute + w.shift) % w.width, c.account_id, c.function_id
			ON CONFLICT (width, start, account_id, function_id) DO UPDATE SET
				succeeded = totals.succeeded + excluded.succeeded, coding = totals.coding + excluded.coding,
				platform = totals.platform + excluded.platform, timeout = totals.timeout + excluded.timeout,
				unknown = totals.unknown + excluded.unknown, cold = totals.cold + excluded.cold,
				run = totals.run + excluded.run, cpu = totals.cpu + excluded.cpu`, from, k.whole)
		if err != nil {
			return err
		}
		more = from > firstMonday
		_, err = t.exec(ctx, `UPDATE totals_kept SET whole = ? WHERE id = 1`, from)
		return err
	})
	return more && err == nil, err
}

// removeFine removes the minutes and hours of days that ended before a time. No
// report reads any of them from the first step on, so that none finds half.
// Nothing goes before all of it is in the totals.
func removeFine(ctx context.Context, t tx, before time.Time, limit int) (int64, error) {
	day := days.before(nanos(before))
	if _, err := t.exec(ctx, `UPDATE totals_kept SET finely = ? WHERE id = 1 AND finely < ? AND whole <= ?`, day, day, firstMonday); err != nil {
		return 0, err
	}
	ofMinutes, err := t.exec(ctx, `DELETE FROM counters WHERE (account_id, function_id, minute) IN (
		SELECT account_id, function_id, minute FROM counters
		WHERE minute < (SELECT finely FROM totals_kept WHERE id = 1) ORDER BY minute LIMIT ?)`, limit)
	if err != nil {
		return 0, err
	}
	ofHours, err := removeTotals(ctx, t, hourWidth, `finely`, limit)
	return ofMinutes + ofHours, err
}

// removeTotals removes totals of one width that begin before the time that the
// column of totals_kept names, at most limit.
func removeTotals(ctx context.Context, t tx, width int64, column string, limit int) (int64, error) {
	return t.exec(ctx, `DELETE FROM totals WHERE (width, start, account_id, function_id) IN (
		SELECT width, start, account_id, function_id FROM totals
		WHERE width = ? AND start < (SELECT `+column+` FROM totals_kept WHERE id = 1) ORDER BY start LIMIT ?)`, width, limit)
}

// DeleteTotalsBefore forgets what happened in weeks that ended before t. Of
// the totals of that time it removes at most limit of each width a call, and
// says how many went.
func (s *Store) DeleteTotalsBefore(ctx context.Context, before time.Time, limit int) (int, error) {
	if limit <= 0 {
		return 0, nil
	}
	var removed int64
	err := s.runlog.write(ctx, func(t tx) error {
		week := weeks.before(nanos(before))
		if _, err := t.exec(ctx, `UPDATE totals_kept SET at_all = ? WHERE id = 1 AND at_all < ?`, week, week); err != nil {
			return err
		}
		for _, s := range stretches {
			n, err := removeTotals(ctx, t, s.width, `at_all`, limit)
			if err != nil {
				return err
			}
			removed += n
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return int(removed), nil
}
