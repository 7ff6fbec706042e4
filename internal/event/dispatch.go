// Package event decides who runs when something happens: it finds the
// functions that listen to an event and invokes them.
package event

import (
	"context"
	"sync"
	"time"

	"convoke"
	"convoke/internal/invoke"
)

// Invoker is what dispatching needs of the invocation service.
type Invoker interface {
	Listeners(ctx context.Context, accountID, eventID, skillID string) ([]string, error)
	// Admit counts an invocation of each function against its rate; see
	// invoke.Service.
	Admit(ctx context.Context, accountID string, most int, functionIDs []string) error
	Invoke(ctx context.Context, r invoke.Request) (invoke.Response, error)
}

// Dispatcher raises events.
type Dispatcher struct{ invoker Invoker }

// New returns a Dispatcher.
func New(i Invoker) *Dispatcher { return &Dispatcher{invoker: i} }

// Result is what one function answered.
type Result struct {
	FunctionID string
	At         time.Time
	JSON       []byte
}

// Implemented reports whether any deployed function takes the event.
func (d *Dispatcher) Implemented(ctx context.Context, accountID, eventID, skillID string) (bool, error) {
	ids, err := d.invoker.Listeners(ctx, accountID, eventID, skillID)
	return len(ids) > 0, err
}

// Raise invokes every function that takes the event, all at the same time,
// and returns their answers in order of the functions' names; none when
// nothing listens. Each runs to its end whatever happens to the others; when
// any fails, Raise returns the error of the first by name (spec/events.md 3,
// spec/api-surface.md 3.2). When one of several was called too often none runs,
// so that whoever tries again runs none twice. r.FunctionID is not used.
func (d *Dispatcher) Raise(ctx context.Context, r invoke.Request, skillID string) ([]Result, error) {
	ids, err := d.invoker.Listeners(ctx, r.AccountID, r.EventID, skillID)
	if err != nil {
		return nil, err
	}
	if len(ids) > 1 && !r.Admitted {
		if err := d.invoker.Admit(ctx, r.AccountID, r.PerSecond, ids); err != nil {
			return nil, err
		}
		r.Admitted = true
	}
	results := make([]Result, len(ids))
	errs := make([]error, len(ids))
	run := func(i int) {
		one := r
		one.FunctionID = ids[i]
		res, err := d.invoker.Invoke(ctx, one)
		results[i], errs[i] = Result{FunctionID: ids[i], At: time.Now(), JSON: res.JSON}, err
	}
	if len(ids) == 1 {
		run(0)
	} else {
		var wg sync.WaitGroup
		for i := range ids {
			wg.Go(func() { run(i) })
		}
		wg.Wait()
	}
	answered := results[:0]
	for i, err := range errs {
		switch {
		case convoke.ErrorCode(err) == convoke.CodeFunctionNotFound:
			// Undeployed between the look-up and the call: it does not listen.
		case err != nil:
			return nil, err
		default:
			answered = append(answered, results[i])
		}
	}
	return answered, nil
}
