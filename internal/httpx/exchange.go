package httpx

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	mrand "math/rand/v2"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"convoke"
	"convoke/api"
)

const requestIDHeader = "X-Request-Id" // in canonical form, for direct map access

// Values shared by all answers: assigning them costs no allocation.
var (
	noSniff     = []string{"nosniff"}
	noStore     = []string{"no-store"}
	noResources = []string{"default-src 'none'; frame-ancestors 'none'"}
	// Both schemes that tokens come in; RFC 9449, section 7.1.
	challenges = []string{`Bearer realm="convoke"`, `DPoP realm="convoke", algs="ES256 ES384 RS256 PS256"`}
)

// Wrap gives every request its id and its log line, catches panics, sets the
// security headers and answers unknown paths and methods in JSON. Handlers may
// override the headers.
func (e *Edge) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{ResponseWriter: w, edge: e, start: time.Now()}
		r = e.limitBody(x, r)
		x.request = r
		h := w.Header()
		h[requestIDHeader] = identify(r)
		h["X-Content-Type-Options"] = noSniff
		h["Cache-Control"] = noStore
		h["Content-Security-Policy"] = noResources
		defer e.finish(x, r)
		next.ServeHTTP(x, r)
	})
}

// identify makes sure that r carries a usable id and returns it as a header value.
func identify(r *http.Request) []string {
	v := r.Header[requestIDHeader]
	if len(v) != 1 || !usableID(v[0]) {
		v = []string{newID()}
		r.Header[requestIDHeader] = v
	}
	return v
}

// usableID bounds what a caller can put into our logs.
func usableID(s string) bool {
	if s == "" || len(s) > 100 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// newID is a random UUID. Request ids are no secrets, so the fast generator does.
func newID() string {
	var raw [16]byte
	for i := range 2 {
		n := mrand.Uint64()
		for j := range 8 {
			raw[i*8+j] = byte(n >> (8 * j))
		}
	}
	raw[6] = raw[6]&0x0f | 0x40
	raw[8] = raw[8]&0x3f | 0x80
	var text [36]byte
	hex.Encode(text[0:8], raw[0:4])
	hex.Encode(text[9:13], raw[4:6])
	hex.Encode(text[14:18], raw[6:8])
	hex.Encode(text[19:23], raw[8:10])
	hex.Encode(text[24:36], raw[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}

// exchange is one request and its answer, as far as the log line needs them.
type exchange struct {
	http.ResponseWriter
	edge      *Edge
	request   *http.Request
	start     time.Time
	body      timedBody // what r.Body is replaced with, to save an allocation
	status    int
	bytes     int64
	routed    bool // a handler of ours runs; otherwise the mux itself answers
	swallow   bool // the mux's own text for an unknown path
	quiet     bool
	principal *convoke.Principal
	login     string // that a refused sign-in tried
	err       error
	code      convoke.Code
	errorID   string
}

// exchangeOf finds the exchange under w. It panics when a handler was mounted
// outside of Wrap: a wiring mistake that the first request shows.
func exchangeOf(w http.ResponseWriter) *exchange {
	for {
		switch v := w.(type) {
		case *exchange:
			return v
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
		default:
			panic("httpx: a handler is mounted outside of Edge.Wrap")
		}
	}
}

// Unwrap lets http.ResponseController through.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// WriteHeader records the status. An answer of the mux itself to an unknown
// path or method becomes a JSON error: asking the mux beforehand would route
// every request twice.
func (x *exchange) WriteHeader(status int) {
	elsewhere := status >= 300 && status < 400 // for a path that is not clean, such as one with //
	if !x.routed && (elsewhere || status == http.StatusNotFound || status == http.StatusMethodNotAllowed) {
		x.routed, x.swallow = true, true
		if elsewhere {
			// A client that follows it would send its token, and the body of a
			// POST, to a path that nobody wrote.
			x.Header().Del("Location")
			x.request.Pattern = ""
		}
		x.edge.fail(x, x.request, notFound(x.request, x.Header().Get("Allow")))
		return
	}
	if x.status == 0 && status >= 200 {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

func (x *exchange) Write(b []byte) (int, error) {
	if x.swallow {
		return len(b), nil
	}
	return x.write(b)
}

func (x *exchange) write(b []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	n, err := x.ResponseWriter.Write(b)
	x.bytes += int64(n)
	return n, err
}

// fail answers with err, unless the answer has begun already, and keeps it
// for the log line.
func (e *Edge) fail(x *exchange, r *http.Request, err error) {
	begun := x.status != 0
	shown := x.note(r, err)
	if begun {
		return
	}
	h := x.Header()
	status := api.Status(shown.Code)
	switch status {
	case http.StatusUnauthorized:
		h["Www-Authenticate"] = challenges
	case http.StatusRequestEntityTooLarge, http.StatusRequestTimeout:
		h.Set("Connection", "close") // the rest of the body is not worth reading
	}
	if shown.RetryAfter > 0 {
		seconds := (shown.RetryAfter + time.Second - 1) / time.Second
		h.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	if werr := writeJSON(x, x.write, status, e.body(r, shown, x.errorID)); werr != nil {
		x.err = errors.Join(err, werr)
	}
}

// note keeps err for the log line and returns what the caller may see of it.
func (x *exchange) note(r *http.Request, err error) *convoke.Error {
	shown, ok := errors.AsType[*convoke.Error](err)
	switch {
	case !ok && errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		// Mostly the caller went away and reads no answer; if it is us who
		// stop, it may try elsewhere.
		shown = convoke.Errorf(convoke.CodeUnavailable, "the request was given up before it was done: try again")
	case !ok || api.Status(shown.Code) == http.StatusInternalServerError:
		x.errorID = newErrorID()
		shown = convoke.Errorf(convoke.CodeInternal, "The server failed on this request. Ask its operator to look for the error id in the log.")
	}
	x.err, x.code = err, shown.Code
	return shown
}

// newErrorID is short enough to be read out over the phone.
func newErrorID() string {
	var raw [6]byte
	rand.Read(raw[:]) // never fails
	return hex.EncodeToString(raw[:])
}

// finish catches a panic, counts the request and writes its one log line.
func (e *Edge) finish(x *exchange, r *http.Request) {
	if v := recover(); v != nil {
		if v == http.ErrAbortHandler {
			panic(v) // a deliberate abort of the connection, which net/http understands
		}
		x.routed, x.swallow = true, false
		e.fail(x, r, panicError{v, debug.Stack()})
	}
	if x.status == 0 {
		x.status = http.StatusOK // net/http writes it when the handler wrote nothing
	}
	e.observe(r.Pattern, x.status)
	level := slog.LevelInfo
	switch {
	case x.code == convoke.CodeInternal:
		level = slog.LevelError
	case x.quiet && x.status < 400:
		level = slog.LevelDebug
	}
	if !e.log.Enabled(r.Context(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, 13)
	attrs = append(attrs,
		slog.String("method", r.Method),
		slog.String("path", r.URL.Path), // without the query: callers of the reference put secrets there
		slog.Int("status", x.status),
		slog.Int64("bytes", x.bytes),
		slog.Duration("took", time.Since(x.start)),
		slog.String("request", RequestID(r)),
		slog.String("remote", remote(r)))
	if x.principal != nil {
		attrs = append(attrs, slog.String("principal", x.principal.String()))
	}
	if x.login != "" {
		attrs = append(attrs, slog.String("login", x.login))
	}
	if x.err != nil {
		attrs = append(attrs, slog.String("code", string(x.code)), slog.String("err", x.err.Error()))
	}
	if x.errorID != "" {
		attrs = append(attrs, slog.String("errorId", x.errorID))
	}
	if p, ok := errors.AsType[panicError](x.err); ok {
		attrs = append(attrs, slog.String("stack", string(p.stack)))
	}
	e.log.LogAttrs(r.Context(), level, "request", attrs...)
}

// panicError is a recovered panic.
type panicError struct {
	value any
	stack []byte
}

func (p panicError) Error() string {
	switch v := p.value.(type) {
	case error:
		return "panic: " + v.Error()
	case string:
		return "panic: " + v
	default:
		return "panic in a handler"
	}
}
