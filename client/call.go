package client

import (
	"context"
	"net/http"
	"net/url"
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
	q := query{}
	q.text("requestId", f.RequestID)
	q.text("host", f.Host)
	q.text("outcome", f.Outcomes...)
	q.time("from", f.From)
	q.time("to", f.To)
	q.number("before", f.Before)
	q.number("limit", int64(f.Limit))
	return url.Values(q)
}
