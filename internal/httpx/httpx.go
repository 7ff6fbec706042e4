// Package httpx is what every HTTP edge of the server shares: handlers that
// return errors, the one place that turns an error into status, body and log
// line, request ids, JSON in and out, and event streams. It knows the wire
// contract and nothing of what the server does.
package httpx

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"

	"convoke"
	"convoke/api"
)

// Handler is an HTTP handler that returns its failure instead of writing it.
// What it returns after it has begun to write a body stands in the log only.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Config wires an Edge.
type Config struct {
	Logger *slog.Logger // required
	// V1 reports whether the caller of r wants errors in the V1 dialect; nil
	// is never.
	V1 func(r *http.Request) bool
	// Drain is closed when the server begins to stop: streams end then. nil
	// never does.
	Drain <-chan struct{}
	// Observe is told of every answered request: the pattern that matched, ""
	// when none did, and the status. It must not block; nil is nobody.
	Observe func(route string, status int)
	// Heartbeat is the pause after which a stream sends a comment, so that
	// proxies keep it open; 0 is 15 s.
	Heartbeat time.Duration
	// BodyTimeout is how long the body of a request may take to arrive; 0 is
	// 30 s. It does not bound what the handler does with it.
	BodyTimeout time.Duration
}

// Edge turns Handlers into http.Handlers. Wrap goes around the whole mux,
// Handle or Plain around each of its handlers.
type Edge struct {
	log         *slog.Logger
	v1          func(r *http.Request) bool
	drain       <-chan struct{}
	observe     func(route string, status int)
	heartbeat   time.Duration
	bodyTimeout time.Duration
}

// New makes an Edge. It panics without a logger: that is a wiring mistake.
func New(c Config) *Edge {
	if c.Logger == nil {
		panic("httpx.New: no logger")
	}
	e := &Edge{log: c.Logger, v1: c.V1, drain: c.Drain, observe: c.Observe, heartbeat: c.Heartbeat, bodyTimeout: cmp.Or(c.BodyTimeout, 30*time.Second)}
	if e.v1 == nil {
		e.v1 = func(*http.Request) bool { return false }
	}
	if e.observe == nil {
		e.observe = func(string, int) {}
	}
	if e.heartbeat == 0 {
		e.heartbeat = 15 * time.Second
	}
	return e
}

// Handle adapts h: a returned error becomes status, body and the error part of
// the request's log line. Successful requests of a quiet handler are logged at
// Debug: an invocation has its own record.
func (e *Edge) Handle(h Handler, quiet bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := exchangeOf(w)
		x.routed, x.quiet = true, quiet
		if err := h(w, r); err != nil {
			e.fail(x, r, err)
		}
	})
}

// Plain lets a handler that writes its own errors stand beside the others.
func (e *Edge) Plain(h http.Handler, quiet bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := exchangeOf(w)
		x.routed, x.quiet = true, quiet
		h.ServeHTTP(w, r)
	})
}

// SetPrincipal names who makes the request in its log line.
func SetPrincipal(w http.ResponseWriter, p *convoke.Principal) { exchangeOf(w).principal = p }

// RefusedLogin names in the request's log line who tried to sign in and why
// that was refused with 401 or 429, also where the answer is a page. The name
// is what somebody typed who is not known: it is bounded, and an attribute that
// the logger escapes.
func RefusedLogin(w http.ResponseWriter, r *http.Request, name string, err error) {
	if code := convoke.ErrorCode(err); code != convoke.CodeUnauthorized && code != convoke.CodeLocked {
		return
	}
	x := exchangeOf(w)
	x.login = bounded(name, maxLogin)
	x.note(r, err)
}

// maxLogin is how many characters of a login name are logged: as many as one
// can have.
const maxLogin = 100

func bounded(s string, most int) string {
	n := 0
	for i := range s {
		if n++; n > most {
			return s[:i] + "…"
		}
	}
	return s
}

// RequestID is the id of the request: the caller's X-Request-ID where it is
// usable, a new one otherwise. It is "" outside of Wrap.
func RequestID(r *http.Request) string {
	if v := r.Header[requestIDHeader]; len(v) == 1 {
		return v[0]
	}
	return ""
}

// notFound is the answer to a path that no route has; allowed is the Allow
// header when only the method is wrong.
func notFound(r *http.Request, allowed string) *convoke.Error {
	if allowed != "" {
		return convoke.Errorf(convoke.CodeMethodNotKnown, "%s is not possible here; use %s", r.Method, allowed)
	}
	return convoke.Errorf(convoke.CodeRouteNotFound, "there is no %.200s here; /openapi.json lists every path, /openapi-v1.json those of the first generation", r.URL.Path)
}

// body is err in the dialect that the caller of r speaks.
func (e *Edge) body(r *http.Request, err *convoke.Error, errorID string) any {
	b := api.NewError(err, errorID)
	if e.v1(r) {
		return b.V1()
	}
	return b
}
