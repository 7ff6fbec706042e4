package client

import (
	"context"
	"net/http"
	"net/url"

	"convoke/api"
)

// Schedules lists the account's schedules, or with functionID those of one
// function, the oldest first.
func (c *Client) Schedules(ctx context.Context, functionID string) ([]api.Schedule, error) {
	q := query{}
	q.text("functionUuid", functionID)
	return call[[]api.Schedule](ctx, c, request{method: http.MethodGet, path: "/schedules", query: url.Values(q)})
}

// Schedule returns a schedule with the times that come next; CodeNotFound when
// there is none.
func (c *Client) Schedule(ctx context.Context, id string) (*api.Schedule, error) {
	return call[*api.Schedule](ctx, c, request{method: http.MethodGet, path: "/schedules/" + segment(id)})
}

// CreateSchedule adds a schedule. CodeActionNotAllowed when the function is
// not deployed, CodeLimitExceeded when the account has as many as it may.
func (c *Client) CreateSchedule(ctx context.Context, in api.ScheduleRequest) (*api.Schedule, error) {
	return call[*api.Schedule](ctx, c, request{method: http.MethodPost, path: "/schedules", in: in})
}

// UpdateSchedule changes a schedule; CodeNotFound when there is none.
func (c *Client) UpdateSchedule(ctx context.Context, id string, in api.ScheduleRequest) (*api.Schedule, error) {
	return call[*api.Schedule](ctx, c, request{method: http.MethodPut, path: "/schedules/" + segment(id), in: in})
}

// RemoveSchedule deletes a schedule with its runs; CodeNotFound when there is none.
func (c *Client) RemoveSchedule(ctx context.Context, id string) error {
	_, err := call[struct{}](ctx, c, request{method: http.MethodDelete, path: "/schedules/" + segment(id)})
	return err
}

// ScheduleRuns returns how a schedule's newest runs went, the newest first;
// limit 0 is the server's default. CodeNotFound when there is no such schedule.
func (c *Client) ScheduleRuns(ctx context.Context, id string, limit int) ([]api.ScheduleRun, error) {
	q := query{}
	q.number("limit", int64(limit))
	return call[[]api.ScheduleRun](ctx, c, request{method: http.MethodGet, path: "/schedules/" + segment(id) + "/runs", query: url.Values(q)})
}
