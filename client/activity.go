package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"convoke/api"
)

// ActivityFilter selects activities; empty members select all.
type ActivityFilter struct {
	Actions  []string // such as function.deploy
	Noun     string   // such as function
	Subject  string   // id of what was changed
	Actor    string   // id of the user or token
	From, To time.Time
	Before   int64 // only smaller ids: the next page
	Limit    int   // 0 is the server's default
}

// Activities lists who changed what, newest first.
func (c *Client) Activities(ctx context.Context, f ActivityFilter) ([]api.Activity, error) {
	return call[[]api.Activity](ctx, c, request{method: http.MethodGet, path: "/activities", query: f.query()})
}

func (f ActivityFilter) query() url.Values {
	q := query{}
	q.text("action", f.Actions...)
	q.text("noun", f.Noun)
	q.text("subject", f.Subject)
	q.text("actor", f.Actor)
	q.time("from", f.From)
	q.time("to", f.To)
	q.number("before", f.Before)
	q.number("limit", int64(f.Limit))
	return url.Values(q)
}
