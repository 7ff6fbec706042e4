package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"convoke/api"
)

// CallFilter selects outbound calls; empty members select all.
type CallFilter struct {
	FunctionID string
	RequestID  string
	Host       string
	Outcomes   []string // ok, refused, limited, failed
	From, To   time.Time
	Before     int64 // only calls with a smaller id
	Limit      int   // the newest so many; 0 is the server's default
}

// Calls returns records of outbound calls, newest first.
func (c *Client) Calls(ctx context.Context, f CallFilter) ([]api.Call, error) {
	return call[[]api.Call](ctx, c, request{method: http.MethodGet, path: f.path(), query: f.query()})
}

func (f CallFilter) path() string {
	if f.FunctionID == "" {
		return "/calls"
	}
	return "/functions/" + segment(f.FunctionID) + "/calls"
}

func (f CallFilter) query() url.Values {
	q := url.Values{}
	if f.RequestID != "" {
		q.Set("requestId", f.RequestID)
	}
	if f.Host != "" {
		q.Set("host", f.Host)
	}
	for _, o := range f.Outcomes {
		q.Add("outcome", o)
	}
	if !f.From.IsZero() {
		q.Set("from", strconv.FormatInt(f.From.UnixMilli(), 10))
	}
	if !f.To.IsZero() {
		q.Set("to", strconv.FormatInt(f.To.UnixMilli(), 10))
	}
	if f.Before > 0 {
		q.Set("before", strconv.FormatInt(f.Before, 10))
	}
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	return q
}
