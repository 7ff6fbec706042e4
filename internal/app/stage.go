package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// stage is one long-lived part of the server. run blocks until its context
// ends and its work is done.
type stage struct {
	name  string
	run   func(ctx context.Context) error
	grace time.Duration // how long stopping may take before it is left behind
}

// runStages starts the stages in order, calls ready, and waits for ctx to end
// or a stage to fail. Then it stops them in reverse order, each within its
// grace, so that the sum of the graces bounds the shutdown.
func runStages(ctx context.Context, log *slog.Logger, stages []stage, ready func()) error {
	type running struct {
		stage
		cancel context.CancelFunc
		done   chan error
	}
	started := make([]running, 0, len(stages))
	failed := make(chan error, len(stages))
	for _, s := range stages {
		// Detached from ctx: the signal must reach the stages one by one.
		sctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		r := running{s, cancel, make(chan error, 1)}
		started = append(started, r)
		go func() {
			err := r.run(sctx)
			if err == nil && sctx.Err() == nil {
				err = errors.New("ended by itself")
			}
			if err != nil {
				err = fmt.Errorf("%s: %w", r.name, err)
				failed <- err
			}
			r.done <- err
		}()
	}
	ready()

	var errs []error
	select {
	case <-ctx.Done():
	case err := <-failed:
		errs = append(errs, err)
	}
	for _, r := range slices.Backward(started) {
		r.cancel()
		select {
		case err := <-r.done:
			if err != nil && !slices.Contains(errs, err) {
				errs = append(errs, err)
			}
		case <-time.After(r.grace):
			log.Warn("stage did not stop in time", "stage", r.name, "grace", r.grace)
			errs = append(errs, fmt.Errorf("%s did not stop within %s", r.name, r.grace))
		}
	}
	return errors.Join(errs...)
}
