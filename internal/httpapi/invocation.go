package httpapi

import (
	"net/http"
	"strings"
	"time"

	"convoke"
	"convoke/api"
	"convoke/internal/httpx"
	"convoke/internal/metric"
)

// reportSpan is the longest span of a report.
const reportSpan = 31 * 24 * time.Hour

func (s *server) listInvocations(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	id := r.PathValue("uuid")
	if _, err := s.Functions.Get(r.Context(), by.AccountID, id); err != nil {
		return err
	}
	q := queryOf(r)
	filter := convoke.InvocationFilter{
		FunctionID: id,
		From:       q.time("from", time.Time{}),
		To:         q.time("to", time.Time{}),
		Outcomes:   oneOf(q, "outcome", convoke.Outcomes),
		RequestID:  q.text("requestId", textLength),
	}
	p := q.page(r, convoke.InvocationOrder, 100, logLimit)
	if q.err != nil {
		return q.err
	}
	settle(r.Context(), s.Metrics.Flush)
	records, next, err := s.Pages.PageInvocations(r.Context(), by.AccountID, filter, p.Page)
	if err != nil {
		return err
	}
	return writeRecords(w, r, p, next, bodies(records, invocationBody))
}

func invocationBody(v convoke.Invocation) api.Invocation {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return api.Invocation{
		RequestID: v.RequestID, FunctionUUID: v.FunctionID, Version: v.Version, EventID: v.EventID, Caller: v.Caller,
		StartedAt: api.Time{Time: v.StartedAt}, WaitMs: ms(v.Wait), Cold: v.Cold, ColdStartMs: ms(v.ColdStart),
		DurationMs: ms(v.Run), CPUMs: ms(v.CPU), PeakMemoryBytes: v.PeakMemory,
		PayloadBytes: v.PayloadBytes, ResultBytes: v.ResultBytes, Outcome: string(v.Outcome), Code: v.Code,
	}
}

// reportInvocations is the histogram of one function (spec/platform.md 11.2).
func (s *server) reportInvocations(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	id := r.PathValue("uuid")
	if _, err := s.Functions.Get(r.Context(), by.AccountID, id); err != nil {
		return err
	}
	q := queryOf(r)
	to := q.time("endTimestamp", time.Now().UTC())
	from := q.time("startTimestamp", to.Add(-24*time.Hour))
	size := time.Duration(q.number("bucketSize", 60, int64(reportSpan/time.Second), int64(bucketSize(to.Sub(from))/time.Second))) * time.Second
	states := outcomesOf(q)
	if err := checkSpan(q, from, to); err != nil {
		return err
	}
	buckets, err := s.Metrics.Histogram(r.Context(), by.AccountID, id, from, to, size)
	if err != nil {
		return err
	}
	out := api.InvocationReport{UUID: id, InvocationStatistics: make([]api.InvocationStatistics, len(buckets))}
	for i, b := range buckets {
		out.InvocationStatistics[i] = statistics(b, states)
	}
	if s.v1(r) {
		return httpx.WriteJSON(w, http.StatusOK, reportV1(out))
	}
	return httpx.WriteJSON(w, http.StatusOK, out)
}

// bucketSize is what the reference's tools choose for a span.
func bucketSize(span time.Duration) time.Duration {
	switch {
	case span <= time.Hour:
		return 5 * time.Minute
	case span <= 7*24*time.Hour:
		return time.Hour
	default:
		return 24 * time.Hour
	}
}

// outcomesOf are the states asked for; all when there are none. An old tool of
// the reference misspells one.
func outcomesOf(q *query) []convoke.Outcome {
	for i, v := range q.values["invocationStates"] {
		if strings.EqualFold(v, "UNKOWN") {
			q.values["invocationStates"][i] = string(convoke.OutcomeUnknown)
		}
	}
	if states := oneOf(q, "invocationStates", convoke.Outcomes); len(states) > 0 {
		return states
	}
	return convoke.Outcomes
}

func checkSpan(q *query, from, to time.Time) error {
	if q.err != nil {
		return q.err
	}
	if span := to.Sub(from); span <= 0 || span > reportSpan {
		return convoke.Errorf(convoke.CodeInvalid, "endTimestamp must be after startTimestamp, by %d days at most", reportSpan/(24*time.Hour))
	}
	return nil
}

// statistics are the states of b that were asked for; the others stay 0, as
// the members of every bucket are the same.
func statistics(b metric.Bucket, states []convoke.Outcome) api.InvocationStatistics {
	out := api.InvocationStatistics{From: b.From.UnixMilli(), To: b.To.UnixMilli()}
	for _, o := range states {
		switch o {
		case convoke.OutcomeUnknown:
			out.Unknown = b.Unknown
		case convoke.OutcomeSucceeded:
			out.Succeeded = b.Succeeded
		case convoke.OutcomeCodingFailure:
			out.CodingFailure = b.CodingFailure
		case convoke.OutcomePlatformFailure:
			out.PlatformFailure = b.PlatformFailure
		case convoke.OutcomeTimeout:
			out.Timeout = b.Timeout
		}
	}
	return out
}

// countInvocations sums up each function of the account.
func (s *server) countInvocations(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	now := time.Now().UTC()
	q := queryOf(r)
	to := q.time("endTimestamp", now)
	from := q.time("startTimestamp", time.Date(to.Year(), to.Month(), 1, 0, 0, 0, 0, time.UTC))
	if err := checkSpan(q, from, to); err != nil {
		return err
	}
	totals, err := s.Metrics.Totals(r.Context(), by.AccountID, from, to)
	if err != nil {
		return err
	}
	out := make([]api.InvocationCount, len(totals))
	for i, c := range totals {
		out[i] = api.InvocationCount{FunctionUUID: c.FunctionID, SuccessfulInvocations: c.Succeeded, FailedInvocations: c.Total() - c.Succeeded}
	}
	if s.v1(r) {
		return httpx.WriteJSON(w, http.StatusOK, countsV1(out))
	}
	return httpx.WriteJSON(w, http.StatusOK, out)
}
