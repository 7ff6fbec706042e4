package client

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/google/uuid"

	"convoke"
	"convoke/api"
)

// FunctionFilter selects functions; empty members select all.
type FunctionFilter struct {
	Name    string
	EventID string
	States  []string
}

// Functions lists the account's functions in order of name.
func (c *Client) Functions(ctx context.Context, f FunctionFilter) ([]api.Function, error) {
	return call[[]api.Function](ctx, c, request{method: http.MethodGet, path: "/functions", query: f.query()})
}

func (f FunctionFilter) query() url.Values {
	q := query{}
	q.text("functionName", f.Name)
	q.text("eventId", f.EventID)
	q.text("state", f.States...)
	return url.Values(q)
}

// Function returns a function with its versions, newest first, and its last
// deployment; CodeFunctionNotFound when there is none.
func (c *Client) Function(ctx context.Context, id string) (*api.Function, error) {
	return call[*api.Function](ctx, c, request{method: http.MethodGet, path: "/functions/" + segment(id)})
}

// Lookup returns the uuid of the function with that name; a uuid is its own.
// CodeFunctionNotFound when no function has the name.
func (c *Client) Lookup(ctx context.Context, nameOrID string) (string, error) {
	if uuid.Validate(nameOrID) == nil {
		return nameOrID, nil
	}
	list, err := c.Functions(ctx, FunctionFilter{Name: nameOrID})
	if err != nil {
		return "", err
	}
	// The reference's servers may match parts of a name.
	i := slices.IndexFunc(list, func(f api.Function) bool { return f.Name == nameOrID })
	if i < 0 {
		return "", convoke.Errorf(convoke.CodeFunctionNotFound, "there is no function %q", nameOrID)
	}
	return list[i].UUID, nil
}

// Find returns the function with that name or uuid, as Function does.
func (c *Client) Find(ctx context.Context, nameOrID string) (*api.Function, error) {
	id, err := c.Lookup(ctx, nameOrID)
	if err != nil {
		return nil, err
	}
	return c.Function(ctx, id)
}

// CreateFunction makes a function with an empty first version, which
// SaveManifest fills. CodeConflict when the name is taken.
func (c *Client) CreateFunction(ctx context.Context, in api.CreateFunctionRequest) (*api.Function, error) {
	return call[*api.Function](ctx, c, request{method: http.MethodPost, path: "/functions", in: in})
}

// UpdateFunction changes description or skills; CodeUnchanged when nothing differs.
func (c *Client) UpdateFunction(ctx context.Context, id string, in api.UpdateFunctionRequest) (*api.Function, error) {
	return call[*api.Function](ctx, c, request{method: http.MethodPut, path: "/functions/" + segment(id), in: in})
}

// DeleteFunction removes a function that is not deployed; CodeActionNotAllowed
// when it is.
func (c *Client) DeleteFunction(ctx context.Context, id string) error {
	_, err := call[struct{}](ctx, c, request{method: http.MethodDelete, path: "/functions/" + segment(id)})
	return err
}

// SaveManifest saves a new version; CodeUnchanged when nothing differs,
// CodeRevision when the version it is based on is not the newest.
func (c *Client) SaveManifest(ctx context.Context, id string, in api.ManifestRequest) error {
	_, err := call[struct{}](ctx, c, request{method: http.MethodPut, path: "/functions/" + segment(id) + "/manifest", in: in})
	return err
}

// Deploy makes a version live and returns when it serves; version nil is the
// newest. It fails with CodeBuildFailed or CodeDeployFailed and the problems in
// the source, with CodeActionNotAllowed while another deployment is under way,
// and with CodeUnavailable when ctx ends first: the deployment then goes on.
func (c *Client) Deploy(ctx context.Context, id string, version *int) (*api.DeployResponse, error) {
	return call[*api.DeployResponse](ctx, c, request{
		method: http.MethodPost, path: "/deployments/" + segment(id), query: url.Values{"wait": {"true"}},
		in: api.DeployRequest{Version: version}, timeout: deployTimeout,
	})
}

// Undeploy takes a function out of service and returns when its running
// invocations have ended; CodeActionNotAllowed when it is not deployed.
func (c *Client) Undeploy(ctx context.Context, id string) (*api.DeployResponse, error) {
	return call[*api.DeployResponse](ctx, c, request{method: http.MethodDelete, path: "/deployments/" + segment(id), timeout: deployTimeout})
}

// Deployments returns a function's deployments, newest first.
func (c *Client) Deployments(ctx context.Context, id string) ([]api.Deployment, error) {
	return call[[]api.Deployment](ctx, c, request{method: http.MethodGet, path: "/functions/" + segment(id) + "/deployments"})
}

// Events lists the events that functions can listen to.
func (c *Client) Events(ctx context.Context) ([]api.Event, error) {
	return call[[]api.Event](ctx, c, request{method: http.MethodGet, path: "/events"})
}

// Runtimes lists the Node.js versions that functions can choose.
func (c *Client) Runtimes(ctx context.Context) ([]api.Runtime, error) {
	return call[[]api.Runtime](ctx, c, request{method: http.MethodGet, path: "/runtimes"})
}

// Invocations returns a function's invocation records, newest first; limit 0
// is the server's default.
func (c *Client) Invocations(ctx context.Context, id string, limit int) ([]api.Invocation, error) {
	q := query{}
	q.number("limit", int64(limit))
	return call[[]api.Invocation](ctx, c, request{method: http.MethodGet, path: "/functions/" + segment(id) + "/invocations", query: url.Values(q)})
}
