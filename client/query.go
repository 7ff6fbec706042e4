package client

import (
	"net/url"
	"strconv"
	"time"
)

// query is the parameters of a request. What is empty is not sent: it selects
// all, or leaves the choice to the server.
type query url.Values

func (q query) text(name string, values ...string) {
	for _, v := range values {
		if v != "" {
			url.Values(q).Add(name, v)
		}
	}
}

func (q query) time(name string, at time.Time) {
	if !at.IsZero() {
		q.text(name, strconv.FormatInt(at.UnixMilli(), 10))
	}
}

func (q query) number(name string, n int64) {
	if n > 0 {
		q.text(name, strconv.FormatInt(n, 10))
	}
}
