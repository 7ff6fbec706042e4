package httpapi

import (
	"net/http"
	"strings"
	"time"

	"convoke"
	"convoke/api"
)

// listCalls serves the calls of a function and those of the whole account.
func (s *server) listCalls(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	id, err := s.logFunction(r, by)
	if err != nil {
		return err
	}
	q := queryOf(r)
	filter := convoke.CallFilter{
		FunctionID: id,
		RequestID:  q.text("requestId", textLength),
		Host:       strings.ToLower(q.text("host", 255)),
		Outcomes:   oneOf(q, "outcome", convoke.CallOutcomes),
		From:       q.time("from", time.Time{}),
		To:         q.time("to", time.Time{}),
		Before:     q.number("before", 0, 1<<62, 0),
	}
	p := q.page(r, convoke.CallOrder, 100, logLimit)
	if q.err != nil {
		return q.err
	}
	settle(r.Context(), s.Log.FlushCalls)
	calls, next, err := s.Pages.PageCalls(r.Context(), by.AccountID, filter, p.Page)
	if err != nil {
		return err
	}
	return writeRecords(w, r, p, next, bodies(calls, api.NewCall))
}
