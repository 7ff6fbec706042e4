package httpapi

import (
	"net/http"
	"strings"
	"time"

	"convoke"
	"convoke/api"
	"convoke/internal/httpx"
)

var callOutcomes = []convoke.CallOutcome{convoke.CallOK, convoke.CallRefused, convoke.CallLimited, convoke.CallFailed}

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
		Outcomes:   oneOf(q, "outcome", callOutcomes),
		From:       q.time("from", time.Time{}),
		To:         q.time("to", time.Time{}),
		Before:     q.number("before", 0, 1<<62, 0),
		Limit:      int(q.number("limit", 1, logLimit, 100)),
	}
	if q.err != nil {
		return q.err
	}
	settle(r.Context(), s.Log.FlushCalls)
	calls, err := s.Calls.ListCalls(r.Context(), by.AccountID, filter)
	if err != nil {
		return err
	}
	out := make([]api.Call, len(calls))
	for i, c := range calls {
		out[i] = api.NewCall(c)
	}
	return httpx.WriteJSON(w, http.StatusOK, out)
}
