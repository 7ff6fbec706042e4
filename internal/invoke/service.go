// Package invoke runs one invocation: it finds what is live, leases an
// instance, sends the event, and records how it went.
package invoke

import (
	"context"
	"errors"
	"time"

	"convoke"
	"convoke/internal/pool"
	"convoke/internal/worker"
)

// Store is what the invocation path reads.
type Store interface {
	FindLive(ctx context.Context, accountID, functionID string) (*convoke.Live, error)
	ListLiveByEvent(ctx context.Context, accountID, eventID string) ([]*convoke.Live, error)
	ListLiveWithMinInstances(ctx context.Context) ([]*convoke.Live, error)
	FindBundle(ctx context.Context, accountID, id string) (*convoke.Bundle, error)
}

// Recorder takes the record of each invocation. It must not block.
type Recorder interface {
	Record(inv *convoke.Invocation)
}

// Config of a Service. All members are needed.
type Config struct {
	Store    Store
	Pool     *pool.Pool[*worker.Worker]
	Recorder Recorder
	Limits   convoke.Limits
	// Domain is where functions find the discovery service, host or host:port.
	Domain string
	// Refused is told why an invocation was refused here; nil: nobody is.
	Refused func(reason string)
	// Enabled returns an error when nothing of an account may run; nil: all may.
	Enabled func(accountID string) error
}

// Service runs invocations. It is safe for concurrent use.
type Service struct {
	store    Store
	pool     *pool.Pool[*worker.Worker]
	recorder Recorder
	limits   convoke.Limits
	domain   string
	refused  func(string)
	enabled  func(string) error
	live     liveCache
	tests    chan struct{} // a slot per test run at a time
}

// TestsAtOnce is how many test runs of unsaved or undeployed code run at a time:
// each is a process of its own outside of the pool's accounting.
const TestsAtOnce = 8

// New returns a Service; it panics when a needed member is missing.
func New(c Config) *Service {
	if c.Store == nil || c.Pool == nil || c.Recorder == nil {
		panic("invoke: Store, Pool and Recorder are needed")
	}
	s := &Service{store: c.Store, pool: c.Pool, recorder: c.Recorder, limits: c.Limits,
		domain: c.Domain, refused: c.Refused, enabled: c.Enabled, tests: make(chan struct{}, TestsAtOnce)}
	if s.enabled == nil {
		s.enabled = func(string) error { return nil }
	}
	s.live.init()
	return s
}

// Request is one invocation. Input is the JSON object {timestamp, headers,
// payload}, already checked by ParseInput.
type Request struct {
	AccountID  string
	FunctionID string
	EventID    string // "" when called by uuid
	Caller     string
	RequestID  string
	Input      []byte
	// PerSecond is how many invocations of a function the account's callers may
	// begin, beside what the function says; 0 is no limit. Who is Admitted was
	// counted before, or is not held to it.
	PerSecond int
	Admitted  bool
}

// Response is a finished invocation: what it answered and how it went. Record
// is filled in on failure too, once the function was found.
type Response struct {
	JSON   []byte
	Record convoke.Invocation
}

// attempts bounds how often an invocation is offered to another instance when
// one went away before it had seen anything of it.
const attempts = 4

// maxRetired bounds how many deployments of its function an invocation may see
// while it waits for an instance. No caller fails for a deployment; the bound
// is for a store that goes on naming what was retired.
const maxRetired = 100

// Invoke runs the function and waits for its answer. Errors:
// CodeActionNotAllowed when the account is disabled, which a schedule meets and
// whoever came in before it was; CodeFunctionNotFound when it is not deployed;
// CodeThrottled when it was called too often, with ErrRate, or when no instance
// is free in time; CodeUnavailable when the server stops or the
// instance was lost; CodeDeployFailed when an instance could not load; and
// those of worker.Invoke for the function's own doing.
//
// When ctx ends while the invocation waits for an instance it is given up;
// once the function has it, it runs to its end.
func (s *Service) Invoke(ctx context.Context, r Request) (Response, error) {
	out := Response{Record: convoke.Invocation{
		RequestID: r.RequestID, AccountID: r.AccountID, FunctionID: r.FunctionID,
		EventID: r.EventID, Caller: r.Caller, StartedAt: time.Now(), PayloadBytes: len(r.Input),
	}}
	if err := s.enabled(r.AccountID); err != nil {
		return out, err
	}
	found := false
	err := func() error {
		for lost, retired := 0, 0; lost < attempts && retired < maxRetired; {
			live, err := s.find(ctx, r.AccountID, r.FunctionID)
			if err != nil {
				return err
			}
			if !found && !r.Admitted {
				err = s.tell(live.take(r.PerSecond))
			}
			found = true
			if err != nil {
				return err
			}
			err = s.attempt(ctx, live, r, &out)
			switch {
			case errors.Is(err, worker.ErrRecalled):
				// No instance was lost; waiting is bounded by the pool.
			case errors.Is(err, pool.ErrRetired):
				s.live.drop(live)
				retired++
			case errors.Is(err, worker.ErrNotStarted):
				lost++
			default:
				return err
			}
		}
		return &convoke.Error{Code: convoke.CodeUnavailable, RetryAfter: time.Second,
			Message: "Every instance of the function went away before it had seen the event; try again"}
	}()
	if found {
		out.Record.Code = convoke.ErrorCode(err)
		out.Record.Outcome = convoke.OutcomeOf(out.Record.Code)
		s.recorder.Record(&out.Record)
	}
	return out, err
}

// attempt offers the invocation to one instance.
func (s *Service) attempt(ctx context.Context, live *resolved, r Request, out *Response) error {
	rec := &out.Record
	rec.Version = live.version
	lease, err := s.pool.Acquire(ctx, live.target)
	if err != nil {
		return err
	}
	rec.Wait += lease.Wait
	rec.Cold = rec.Cold || lease.Cold
	rec.ColdStart += lease.ColdStart

	res, err := lease.Worker.Invoke(worker.Call{RequestID: r.RequestID, Input: r.Input, Timeout: live.timeout})
	switch {
	case errors.Is(err, worker.ErrRecalled):
		lease.Recall()
		return err
	case res.Spent, errors.Is(err, worker.ErrNotStarted):
		lease.Discard()
	default:
		lease.Release(res.Own, res.Waited)
	}
	rec.Run, rec.CPU, rec.PeakMemory, rec.ResultBytes = res.Run, res.CPU, res.PeakMemory, len(res.JSON)
	out.JSON = res.JSON
	return err
}

// Warm asks the pool to keep the instances that functions ask for with
// minInstances: at start, and when an account is enabled again.
func (s *Service) Warm(ctx context.Context) error {
	all, err := s.store.ListLiveWithMinInstances(ctx)
	if err != nil {
		return err
	}
	for _, l := range all {
		if s.enabled(l.Function.AccountID) != nil {
			continue
		}
		// By find, so that the next deployment knows what it has to retire.
		r, err := s.find(ctx, l.Function.AccountID, l.Function.ID)
		switch {
		case convoke.ErrorCode(err) == convoke.CodeFunctionNotFound: // undeployed meanwhile
		case err != nil:
			return err
		default:
			s.pool.Keep(r.target)
		}
	}
	return nil
}
