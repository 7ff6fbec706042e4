package client

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

	"convoke"
	"convoke/api"
)

// Result is the answer to an invocation. RequestID is set on failure too: the
// function's log entries carry it.
type Result struct {
	Body      json.RawMessage // what the function returned; by event, a list of api.EventResult
	RequestID string
}

// InvokeOptions say more about an invocation.
type InvokeOptions struct {
	SkillID string // of the conversation, for events with skills
	Caller  string // who calls, for the record
}

// Invoke runs a deployed function and returns what it returned. A timestamp of
// 0 becomes now, no payload {}. It fails with
// CodeFunctionNotFound, CodeThrottled, CodeUnavailable, CodePayloadTooLarge, or
// a code of the function's own failure: CodeThrew, CodeRuntimeError,
// CodeTimeout, CodeLimitReached.
func (c *Client) Invoke(ctx context.Context, id string, in api.InvokeRequest, o InvokeOptions) (Result, error) {
	return c.invoke(ctx, "/lambdas/"+segment(id)+"/invoke", in, o)
}

// InvokeEvent runs all deployed functions of an event; none is no failure.
func (c *Client) InvokeEvent(ctx context.Context, eventID string, in api.InvokeRequest, o InvokeOptions) (Result, error) {
	return c.invoke(ctx, "/events/"+segment(eventID)+"/invoke", in, o)
}

// InvokeURL is where a function is invoked, by POST.
func (c *Client) InvokeURL(id string) string { return c.base + "/lambdas/" + segment(id) + "/invoke" }

// EventURL is where all functions of an event are invoked, by POST.
func (c *Client) EventURL(eventID string) string {
	return c.base + "/events/" + segment(eventID) + "/invoke"
}

func (c *Client) invoke(ctx context.Context, path string, in api.InvokeRequest, o InvokeOptions) (Result, error) {
	if in.Timestamp == 0 {
		in.Timestamp = time.Now().UnixMilli()
	}
	if len(in.Payload) == 0 {
		in.Payload = json.RawMessage("{}")
	}
	id := uuid.NewString()
	r := request{method: http.MethodPost, path: path, in: in, query: url.Values{}, header: http.Header{"X-Request-Id": {id}}}
	if o.SkillID != "" {
		r.query.Set("skillId", o.SkillID)
	}
	if o.Caller != "" {
		r.header.Set("LP-EventSource", o.Caller)
	}
	body, header, err := c.roundTrip(ctx, r)
	id = cmp.Or(header.Get("X-Request-ID"), id)
	if err == nil && !json.Valid(body) {
		err = convoke.Errorf(convoke.CodeInternal, "the answer is no JSON; is %s a Convoke server?", c.root)
	}
	if err != nil {
		return Result{RequestID: id}, err
	}
	return Result{Body: body, RequestID: id}, nil
}

// Implemented reports whether a deployed function listens to the event.
func (c *Client) Implemented(ctx context.Context, eventID, skillID string) (bool, error) {
	r := request{method: http.MethodGet, path: "/events/" + segment(eventID) + "/isImplemented"}
	if skillID != "" {
		r.query = url.Values{"skillId": {skillID}}
	}
	out, err := call[api.Implemented](ctx, c, r)
	return out.Implemented, err
}
