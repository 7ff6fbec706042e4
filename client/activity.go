package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
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
	q := url.Values{}
	for _, a := range f.Actions {
		q.Add("action", a)
	}
	for name, v := range map[string]string{"noun": f.Noun, "subject": f.Subject, "actor": f.Actor} {
		if v != "" {
			q.Set(name, v)
		}
	}
	for name, at := range map[string]time.Time{"from": f.From, "to": f.To} {
		if !at.IsZero() {
			q.Set(name, strconv.FormatInt(at.UnixMilli(), 10))
		}
	}
	for name, n := range map[string]int64{"before": f.Before, "limit": int64(f.Limit)} {
		if n > 0 {
			q.Set(name, strconv.FormatInt(n, 10))
		}
	}
	return q
}
