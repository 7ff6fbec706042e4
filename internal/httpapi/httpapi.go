// Package httpapi is the management API: one table of routes, one file per
// noun. Handlers translate between the wire types of package api and the use
// cases; they decide nothing that a use case should decide.
package httpapi

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"convoke"
	people "convoke/internal/account"
	"convoke/internal/auth"
	"convoke/internal/domain"
	"convoke/internal/function"
	"convoke/internal/httpx"
	"convoke/internal/metric"
	"convoke/internal/oauth"
	"convoke/internal/oidc"
	"convoke/internal/runlog"
	"convoke/internal/schedule"
	"convoke/internal/secret"
)

// Tester runs the newest saved version of a function once, deployed or not.
// body is an invocation body; the log entries are those of the run, whether it
// failed or not.
type Tester interface {
	Test(ctx context.Context, by *convoke.Principal, accountID, functionID string, body []byte, requestID string) (json.RawMessage, []convoke.LogEntry, error)
}

// Handler handles a request whose caller may make it. by is nil on a public
// route.
type Handler = func(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error

// Gateway are the handlers of the invocation API, which stand in the same
// table of routes. They find account, uuid and event in the path.
type Gateway struct {
	Invoke      Handler       // POST lambdas/{uuid}/invoke
	Event       Handler       // POST events/{event}/invoke
	Implemented httpx.Handler // GET events/{event}/isImplemented
}

// Probes are the handlers of the server-wide routes.
type Probes struct {
	Live, Ready, Metrics http.Handler
	// MetricsPublic lets everybody read the metrics; otherwise it takes an
	// administrator's token of the first account.
	MetricsPublic bool
}

// Identity is where people sign in who have no password here.
type Identity struct {
	Provider  *oidc.Provider // nil: nowhere
	AccountID string         // of these people
	Create    bool           // make users of those who are new
}

// Config wires the API. Every member but RuntimeBuilds, BodyTimeout, Identity,
// Extra, V1, Drain and Observe is required.
type Config struct {
	Functions  *function.Service
	Tester     Tester
	Log        *runlog.Log
	Logs       convoke.LogStore
	Metrics    *metric.Recorder
	Activities convoke.ActivityStore
	Pages      convoke.PageStore
	Domains    *domain.Service
	Secrets    *secret.Service
	Schedules  *schedule.Service
	Auth       *auth.Auth
	Accounts   *people.Service
	OAuth      *oauth.Server
	Gateway    Gateway
	Probes     Probes
	Identity   Identity
	// RuntimeBuilds are the exact builds by runtime name, such as "26.2.0".
	RuntimeBuilds map[string]string
	Limits        convoke.Limits
	Logger        *slog.Logger
	Discovery     Discovery
	// BodyTimeout is how long the body of a request may take; 0 is httpx's default.
	BodyTimeout time.Duration
	// Extra are further routes: the console.
	Extra []Route
	// V1 reports whether a caller speaks the V1 dialect; nil: never.
	V1 func(*http.Request) bool
	// Drain is closed when the server begins to stop, to end streams.
	Drain <-chan struct{}
	// Observe is told of every answered request: the pattern of its route, ""
	// for none, and the status. It must not block; nil is nobody.
	Observe func(route string, status int)
}

// server is what the handlers share.
type server struct {
	Config
	edge *httpx.Edge
}

// New makes the handler of the whole API. It returns CodeInternal when
// something is not wired or a route has no rule.
func New(c Config) (http.Handler, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	s := &server{Config: c, edge: httpx.New(httpx.Config{Logger: c.Logger, V1: c.V1, Drain: c.Drain, Observe: c.Observe, BodyTimeout: c.BodyTimeout})}
	routes := s.routes()
	older := s.v1Routes()
	for path, document := range map[string]document{documentPath: openAPI(routes), documentPathV1: openAPIV1(append(slices.Clone(routes), older...))} {
		text, err := json.MarshalIndent(document, "", "  ")
		if err != nil {
			return nil, err
		}
		older = append(older, documentRoute(path, text))
	}
	routes = append(routes, older...)
	mux := http.NewServeMux()
	for _, rt := range routes {
		if !rt.Rule.valid() || rt.Handle == nil {
			return nil, convoke.Errorf(convoke.CodeInternal, "route %s %s has no rule or no handler", rt.Method, rt.Path)
		}
		mux.Handle(rt.Method+" "+rt.Path, s.edge.Handle(s.guard(rt), rt.Quiet))
	}
	return s.edge.Wrap(mux), nil
}

func (c *Config) check() error {
	for name, missing := range map[string]bool{
		"Functions": c.Functions == nil, "Tester": c.Tester == nil, "Log": c.Log == nil, "Logs": c.Logs == nil,
		"Metrics": c.Metrics == nil, "Activities": c.Activities == nil, "Pages": c.Pages == nil, "Auth": c.Auth == nil, "Accounts": c.Accounts == nil, "OAuth": c.OAuth == nil, "Logger": c.Logger == nil,
		"Domains": c.Domains == nil, "Secrets": c.Secrets == nil, "Schedules": c.Schedules == nil,
		"Discovery": c.Discovery.Generations == nil,
		"Gateway":   c.Gateway.Invoke == nil || c.Gateway.Event == nil || c.Gateway.Implemented == nil,
		"Probes":    c.Probes.Live == nil || c.Probes.Ready == nil || c.Probes.Metrics == nil,
	} {
		if missing {
			return convoke.Errorf(convoke.CodeInternal, "httpapi.New: %s is not wired", name)
		}
	}
	return nil
}

// plain adapts a handler that writes its own errors.
func plain(h http.Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request, _ *convoke.Principal) error {
		h.ServeHTTP(w, r)
		return nil
	}
}

// plainFor adapts a handler that has no use for the caller.
func plainFor(h httpx.Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request, _ *convoke.Principal) error { return h(w, r) }
}

// flushTime bounds how long a query waits for what is on its way to the store.
const flushTime = 500 * time.Millisecond

// settle lets a query see what happened just before it, as far as the store
// keeps up: with one that does not, the query answers with what is there.
func settle(ctx context.Context, flush func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	_ = flush(ctx)
}
