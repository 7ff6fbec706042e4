package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"convoke"
	"convoke/api"
	"convoke/internal/auth"
	"convoke/internal/httpx"
	"convoke/internal/runlog"
)

const (
	logLimit    = 1000 // entries of one answer
	exportLimit = 500  // rows of an export (spec/platform.md 3)
	streamStart = 20   // entries that a stream begins with
	textLength  = 200  // characters to search for
)

// logFilter reads what all log queries share. functionID may be "".
func logFilter(q *query, functionID string) convoke.LogFilter {
	return convoke.LogFilter{
		FunctionID: functionID,
		Levels:     oneOf(q, "level", convoke.LogLevels),
		From:       q.time("from", time.Time{}),
		To:         q.time("to", time.Time{}),
		Text:       q.text("text", textLength),
		RequestID:  q.text("requestId", textLength),
		AfterSeq:   q.number("after", 0, 1<<62, 0),
	}
}

// logFunction is the function of the path, which must exist; "" on a path of
// the whole account.
func (s *server) logFunction(r *http.Request, by *convoke.Principal) (string, error) {
	id := r.PathValue("uuid")
	if id == "" {
		return "", nil
	}
	_, err := s.Functions.Get(r.Context(), by.AccountID, id)
	return id, err
}

func (s *server) queryLogs(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	id, err := s.logFunction(r, by)
	if err != nil {
		return err
	}
	q := queryOf(r)
	filter := logFilter(q, id)
	// The older way to say sort=id.
	order := oneOf(q, "order", []string{"desc", "asc"})
	if len(order) > 0 && order[0] == "asc" && q.values.Get("sort") == "" {
		q.values.Set("sort", "id")
	}
	p := q.page(r, convoke.LogOrder, 100, logLimit)
	if q.err != nil {
		return q.err
	}
	settle(r.Context(), s.Log.Flush)
	entries, next, err := s.Pages.PageLogs(r.Context(), by.AccountID, filter, p.Page)
	if err != nil {
		return err
	}
	return writeRecords(w, r, p, next, bodies(entries, api.NewLogEntry))
}

func (s *server) exportLogs(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	id, err := s.logFunction(r, by)
	if err != nil {
		return err
	}
	q := queryOf(r)
	filter := convoke.LogFilter{
		FunctionID: id,
		Levels:     oneOf(q, "filterLevels", convoke.LogLevels),
		From:       q.time("startTimestamp", time.Time{}),
		To:         q.time("endTimestamp", time.Time{}),
		Limit:      exportLimit,
		Ascending:  true,
	}
	if q.err != nil {
		return q.err
	}
	settle(r.Context(), s.Log.Flush)
	entries, err := s.Logs.QueryLogs(r.Context(), by.AccountID, filter)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="logs.csv"`)
	w.WriteHeader(http.StatusOK)
	_ = runlog.WriteCSV(w, entries) // fails only when the client left
	return nil
}

// streamLogs begins with the newest entries, or after the one that the client
// saw last, and goes on as entries come.
func (s *server) streamLogs(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	id, err := s.logFunction(r, by)
	if err != nil {
		return err
	}
	q := queryOf(r)
	filter := logFilter(q, id)
	start := int(q.number("limit", 0, logLimit, streamStart))
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		if filter.AfterSeq, err = strconv.ParseInt(last, 10, 64); err != nil || filter.AfterSeq < 0 {
			return convoke.Errorf(convoke.CodeInvalid, "Last-Event-ID is the id of a log entry, not %.40q", last)
		}
	}
	if q.err != nil {
		return q.err
	}
	watch := s.Log.Follow
	switch {
	case filter.AfterSeq > 0: // resumed: nothing may be missing
	case start > 0:
		filter.Limit = start
	default:
		watch = s.Log.Tail
	}
	still := func() error {
		p, err := s.Auth.Still(r)
		if err != nil {
			return err
		}
		return auth.Check(p, by.AccountID, convoke.PermLogRead)
	}
	return s.edge.ServeEvents(w, r, func(ctx context.Context, emit func(httpx.Event) error) error {
		ctx, stop := s.watchRight(ctx, still)
		defer stop()
		return becauseOf(ctx, watch(ctx, by.AccountID, filter, func(e convoke.LogEntry) error {
			if err := still(); err != nil {
				return err
			}
			data, err := json.Marshal(api.NewLogEntry(e))
			if err != nil {
				return err
			}
			ev := httpx.Event{Name: "log", Data: data}
			if e.Seq > 0 {
				ev.ID = strconv.FormatInt(e.Seq, 10)
			}
			return emit(ev)
		}))
	})
}

// rightEvery is how often an open stream makes sure that it may go on, besides
// when something ends in this process and before each entry: a token expires
// without anybody doing anything.
const rightEvery = 5 * time.Second

// watchRight ends ctx when still returns an error, which is its cause then.
// stop ends the watching and returns once it has.
func (s *server) watchRight(ctx context.Context, still func() error) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(rightEvery)
		defer tick.Stop()
		for {
			// Fetched before asking: what ends in between is not missed.
			forgotten := s.Auth.Forgotten()
			if err := still(); err != nil && ctx.Err() == nil {
				cancel(err)
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			case <-forgotten:
			}
		}
	})
	return ctx, func() { cancel(nil); watching.Wait() }
}

// becauseOf is err, or why ctx was ended where that is more than its end.
func becauseOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}
