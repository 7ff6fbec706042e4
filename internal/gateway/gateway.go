// Package gateway is the invocation API, the hot path: by uuid, by event, and
// the question whether anything listens. Routes and their rules stand in
// internal/httpapi/routes.go with all others.
package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"convoke"
	"convoke/internal/event"
	"convoke/internal/httpx"
	"convoke/internal/invoke"
)

// Invoker runs one function.
type Invoker interface {
	Invoke(ctx context.Context, r invoke.Request) (invoke.Response, error)
}

// Dispatcher raises events.
type Dispatcher interface {
	Raise(ctx context.Context, r invoke.Request, skillID string) ([]event.Result, error)
	Implemented(ctx context.Context, accountID, eventID, skillID string) (bool, error)
}

// Accounts says what one account may do.
type Accounts interface {
	// Admit returns CodeThrottled when p may not begin another invocation now,
	// else counts it.
	Admit(p *convoke.Principal) error
	// Back takes back what Admit counted.
	Back(p *convoke.Principal)
	LimitsOf(accountID string) convoke.Limits
}

// Config of a Gateway; all members but Accounts are needed.
type Config struct {
	Invoker    Invoker
	Dispatcher Dispatcher
	Limits     convoke.Limits
	Accounts   Accounts // nil: Limits hold for all, and no rate does
}

// Gateway holds the handlers of the invocation API (spec/api-surface.md 3).
type Gateway struct {
	invoker      Invoker
	dispatcher   Dispatcher
	payloadBytes int64
	accounts     Accounts
}

// New returns a Gateway.
func New(c Config) *Gateway {
	if c.Invoker == nil || c.Dispatcher == nil || c.Limits.PayloadBytes <= 0 {
		panic("gateway: Invoker, Dispatcher and Limits are needed")
	}
	return &Gateway{c.Invoker, c.Dispatcher, int64(c.Limits.PayloadBytes), c.Accounts}
}

// Invoke handles POST /api/account/{account}/lambdas/{uuid}/invoke and
// answers the bare result of the function.
func (g *Gateway) Invoke(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	body := bodies.Get().(*[]byte)
	defer recycle(body)
	input, perSecond, err := g.input(w, r, by, body)
	if err != nil {
		return err
	}
	res, err := g.invoker.Invoke(r.Context(), invoke.Request{
		AccountID:  r.PathValue("account"),
		FunctionID: r.PathValue("uuid"),
		Caller:     caller(r),
		RequestID:  httpx.RequestID(r),
		Input:      input,
		PerSecond:  perSecond,
	})
	timing(w, &res.Record)
	if err != nil {
		return g.failed(r, by, err)
	}
	write(w, res.JSON)
	return nil
}

// Event handles POST /api/account/{account}/events/{event}/invoke and answers
// an array with one entry per function that ran, [] when nothing listens.
func (g *Gateway) Event(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	body := bodies.Get().(*[]byte)
	defer recycle(body)
	input, perSecond, err := g.input(w, r, by, body)
	if err != nil {
		return err
	}
	results, err := g.dispatcher.Raise(r.Context(), invoke.Request{
		AccountID: r.PathValue("account"),
		EventID:   r.PathValue("event"),
		Caller:    caller(r),
		RequestID: httpx.RequestID(r),
		Input:     input,
		PerSecond: perSecond,
	}, r.URL.Query().Get("skillId"))
	if err != nil {
		return g.failed(r, by, err)
	}
	out := make([]byte, 0, 256)
	out = append(out, '[')
	for i, res := range results {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, `{"uuid":"`...)
		out = append(out, res.FunctionID...)
		out = append(out, `","timestamp":`...)
		out = strconv.AppendInt(out, res.At.UnixMilli(), 10)
		out = append(out, `,"result":`...)
		out = append(out, res.JSON...)
		out = append(out, '}')
	}
	write(w, append(out, ']'))
	return nil
}

// failed is the error of an invocation as its caller sees it. One that the
// rate of its function kept from beginning uses nothing up of those of the
// account and the caller: a function that is called too often must not keep
// others from being called.
func (g *Gateway) failed(r *http.Request, by *convoke.Principal, err error) error {
	if g.accounts != nil && errors.Is(err, invoke.ErrRate) {
		g.accounts.Back(by)
	}
	return shown(r, err)
}

// Implemented handles GET /api/account/{account}/events/{event}/isImplemented.
func (g *Gateway) Implemented(w http.ResponseWriter, r *http.Request) error {
	yes, err := g.dispatcher.Implemented(r.Context(), r.PathValue("account"), r.PathValue("event"), r.URL.Query().Get("skillId"))
	if err != nil {
		return err
	}
	write(w, []byte(`{"implemented":`+strconv.FormatBool(yes)+`}`))
	return nil
}

// bodies recycles request bodies: the input is copied to the worker's socket
// and nobody keeps it.
var bodies = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

func recycle(b *[]byte) {
	if cap(*b) <= 64<<10 {
		bodies.Put(b)
	}
}

// input reads and checks the body of an invocation that the caller may begin,
// and says how many of one function the account allows in a second. It returns
// CodeThrottled, CodeInvalid, CodePayloadTooLarge and CodeRequestTimeout.
func (g *Gateway) input(w http.ResponseWriter, r *http.Request, by *convoke.Principal, buf *[]byte) (input []byte, perSecond int, err error) {
	most := g.payloadBytes
	if g.accounts != nil {
		if err := g.accounts.Admit(by); err != nil {
			return nil, 0, err
		}
		limits := g.accounts.LimitsOf(by.AccountID)
		most, perSecond = int64(limits.PayloadBytes), limits.InvocationsPerSecondPerFunction
	}
	input, err = readInput(w, r, most, buf)
	return input, perSecond, err
}

func readInput(w http.ResponseWriter, r *http.Request, most int64, buf *[]byte) ([]byte, error) {
	n := r.ContentLength
	if n < 0 || n > most {
		body, err := httpx.ReadBody(w, r, most)
		if err != nil {
			return nil, err
		}
		return invoke.ParseInput(body)
	}
	if int64(cap(*buf)) < n {
		*buf = make([]byte, n)
	}
	body := (*buf)[:n]
	if _, err := io.ReadFull(r.Body, body); err != nil {
		if slow, ok := errors.AsType[*convoke.Error](err); ok {
			return nil, slow
		}
		return nil, convoke.Errorf(convoke.CodeInvalid, "The body ended after fewer bytes than Content-Length says")
	}
	return invoke.ParseInput(body)
}

// caller is how the event source names itself (spec/api-surface.md 3.1).
func caller(r *http.Request) string {
	name := r.Header.Get("LP-EventSource")
	if name == "" && r.URL.RawQuery != "" {
		name = r.URL.Query().Get("externalSystem")
	}
	return name[:min(len(name), 100)]
}

var jsonType = []string{"application/json"}

func write(w http.ResponseWriter, body []byte) {
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	_, _ = w.Write(body) // the caller has gone: the function ran all the same
}

// timing tells the caller how the time was spent, in milliseconds.
func timing(w http.ResponseWriter, rec *convoke.Invocation) {
	if rec.Run == 0 && rec.Wait == 0 {
		return
	}
	b := make([]byte, 0, 64)
	if rec.Cold {
		b = appendTiming(b, "cold", rec.ColdStart)
	}
	if rec.Wait >= 10*time.Microsecond {
		b = appendTiming(b, "wait", rec.Wait)
	}
	b = appendTiming(b, "run", rec.Run)
	w.Header()["Server-Timing"] = []string{string(b)}
}

func appendTiming(b []byte, name string, d time.Duration) []byte {
	if len(b) > 0 {
		b = append(b, ", "...)
	}
	b = append(b, name...)
	b = append(b, ";dur="...)
	return strconv.AppendFloat(b, float64(d.Microseconds())/1000, 'f', -1, 64)
}

// customerCoding is the message that the reference gives, word for word, to
// whoever calls a function that failed (spec/api-surface.md 3.1).
const customerCoding = "Function Invocation failed due to an issue caused by customer coding"

// shown puts an error of a function into the caller's dialect: the second
// generation has one fixed message, the function's own words are in its log
// lines; the first has the function's own message and no log lines.
func shown(r *http.Request, err error) error {
	e, ok := errors.AsType[*convoke.Error](err)
	if !ok {
		return err
	}
	switch {
	case e.Code == convoke.CodeFunctionNotFound && r.PathValue("uuid") != "":
		return convoke.Errorf(e.Code, "There is no %s deployed on %s", r.PathValue("uuid"), r.PathValue("account"))
	case V1(r) && len(e.Logs) > 0:
		own := *e
		own.Logs = nil
		return &own
	case V1(r):
		return err
	case e.Code == convoke.CodeThrew:
		return &convoke.Error{Code: e.Code, Message: customerCoding, Logs: e.Logs}
	}
	return err
}

// V1 reports whether the caller speaks the first generation's dialect: its
// clients always send v=1, those of the second never do (spec/api-surface.md 0).
func V1(r *http.Request) bool {
	return r.URL.RawQuery != "" && r.URL.Query().Get("v") == "1"
}
