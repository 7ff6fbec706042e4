package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"convoke"
	"convoke/api"
)

const (
	// maxLine bounds one line of a stream: a log entry at its greatest length
	// with every character escaped.
	maxLine = 4 << 20
	// silence is how long a stream may be quiet. The server sends a comment
	// every 15 s: after this the connection is dead, whatever TCP believes.
	silence = time.Minute

	firstPause = 200 * time.Millisecond
	longPause  = 5 * time.Second
)

// LogFilter selects log entries; empty members select all.
type LogFilter struct {
	FunctionID string
	Levels     []string
	From, To   time.Time
	Text       string // substring of message or extras
	RequestID  string
	Limit      int   // the newest so many; 0 is the server's default, -1 for FollowLogs none
	After      int64 // only entries with a greater id
}

func (f LogFilter) query() url.Values {
	q := query{}
	q.text("level", f.Levels...)
	q.time("from", f.From)
	q.time("to", f.To)
	q.text("text", f.Text)
	q.text("requestId", f.RequestID)
	q.number("after", f.After)
	if f.Limit != 0 {
		q.text("limit", strconv.Itoa(max(f.Limit, 0)))
	}
	return url.Values(q)
}

func (f LogFilter) path() string {
	if f.FunctionID == "" {
		return "/logs"
	}
	return "/functions/" + segment(f.FunctionID) + "/logs"
}

// Logs returns log entries, newest first.
func (c *Client) Logs(ctx context.Context, f LogFilter) ([]api.LogEntry, error) {
	return call[[]api.LogEntry](ctx, c, request{method: http.MethodGet, path: f.path(), query: f.query()})
}

// FollowLogs calls each with the newest f.Limit entries, or those after f.After,
// and then with every new one, until ctx ends or each fails. Entries that the
// server does not keep have the id 0. A connection that breaks is made again
// where it stopped; only a server that cannot be reached at first, or that
// refuses, is an error. The end of ctx is none.
func (c *Client) FollowLogs(ctx context.Context, f LogFilter, each func(api.LogEntry) error) error {
	connected := false
	pause := firstPause
	for {
		s := stream{client: c, filter: f, each: each}
		err := s.run(ctx)
		connected = connected || s.opened
		if s.filter.After > f.After {
			f.After, pause = s.filter.After, firstPause
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && (!connected || !broken(err)):
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
			pause = min(2*pause, longPause)
		}
	}
}

// broken reports whether err may go away by itself.
func broken(err error) bool {
	switch convoke.ErrorCode(err) {
	case convoke.CodeUnavailable, convoke.CodeThrottled:
		return true
	}
	return false
}

// stream is one connection of FollowLogs. Its filter moves on with the entries.
type stream struct {
	client *Client
	filter LogFilter
	each   func(api.LogEntry) error
	opened bool
}

func (s *stream) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watchdog := time.AfterFunc(silence, cancel)
	defer watchdog.Stop()

	r := request{
		method: http.MethodGet, path: s.filter.path() + "/stream", query: s.filter.query(),
		header: http.Header{"Accept": {"text/event-stream"}},
	}
	resp, err := s.client.send(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxLine)) // what was read is reported
		return api.ParseError(resp.StatusCode, resp.Header, body)
	}
	s.opened = true

	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxLine)
	var data strings.Builder
	event := ""
	for lines.Scan() {
		watchdog.Reset(silence)
		line := lines.Text()
		if line == "" { // the end of one event
			if event == "error" {
				return api.ParseError(http.StatusInternalServerError, nil, []byte(data.String()))
			}
			if event != "end" && data.Len() > 0 {
				if err := s.entry(data.String()); err != nil {
					return err
				}
			}
			data.Reset()
			event = ""
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			event = value
		case "data":
			if data.Len()+len(value) > maxLine {
				return convoke.Errorf(convoke.CodeInternal, "a log entry of the stream is larger than %d MiB", maxLine>>20)
			}
			if data.Len() > 0 {
				data.WriteByte('\n')
			}
			data.WriteString(value)
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return convoke.Errorf(convoke.CodeInternal, "a line of the log stream is larger than %d MiB", maxLine>>20)
	}
	return &convoke.Error{Code: convoke.CodeUnavailable, Message: "the log stream ended", Cause: lines.Err()}
}

func (s *stream) entry(data string) error {
	var e api.LogEntry
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		return &convoke.Error{Code: convoke.CodeInternal, Message: fmt.Sprintf("the log stream holds something that is no entry: %.100q", data), Cause: err}
	}
	if err := s.each(e); err != nil {
		return err
	}
	s.filter.After = max(s.filter.After, e.ID)
	return nil
}
