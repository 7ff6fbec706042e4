package schedule

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"convoke"
	"convoke/internal/invoke"
)

const (
	// KeptRuns is how many runs of each schedule are kept.
	KeptRuns = 100
	// Caller is how scheduled invocations name themselves.
	Caller = "schedule"

	// missedAfter is how late a run may begin. A server that was down for
	// longer, or could not write, invokes nothing in hindsight.
	missedAfter = time.Minute
	// claimAtOnce is how many runs are claimed in one transaction.
	claimAtOnce = 250
	// maxRuns and RunsPerAccount bound the runs under way: an account's
	// functions that never come to an end must not take the memory of all.
	maxRuns        = 2000
	RunsPerAccount = 250
	// longestSleep bounds the wait for what is due: a clock that is set, or a
	// machine that sleeps, is noticed within it.
	longestSleep = time.Minute
	// retryPause is the wait after the store has failed.
	retryPause = time.Second
	// maxMessage bounds what is kept of an error, in characters.
	maxMessage = 500
)

// Run invokes what is due until Drain is closed or ctx ends, and returns when
// ctx has ended and every invocation under way has. It first takes care of the
// runs that the process before left behind.
func (s *Service) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	recovered := false
	for stop := false; !stop; {
		select {
		case <-s.drain:
			stop = true
		case <-ctx.Done():
			stop = true
		case <-s.woken:
			timer.Reset(s.turn(ctx, &recovered))
		case <-timer.C:
			timer.Reset(s.turn(ctx, &recovered))
		}
	}
	close(s.stopping)
	<-ctx.Done()
	s.runs.Wait()
	return nil
}

// turn begins what is due now and says when to look again. A store that fails
// delays the schedules and ends nothing: it is asked again.
func (s *Service) turn(ctx context.Context, recovered *bool) time.Duration {
	wait, err := s.begin(ctx, recovered)
	if err != nil {
		if ctx.Err() == nil {
			s.log.ErrorContext(ctx, "schedules are delayed: the store fails", "err", err)
		}
		return retryPause
	}
	return wait
}

func (s *Service) begin(ctx context.Context, recovered *bool) (time.Duration, error) {
	if !*recovered {
		if err := s.recover(ctx); err != nil {
			return 0, err
		}
		*recovered = true
	}
	now := time.Now().UTC()
	runs, err := s.store.ClaimRuns(ctx, now, claimAtOnce, KeptRuns, func(sc *convoke.Schedule) *convoke.ScheduleRun { return claim(sc, now) })
	if err != nil {
		return 0, err
	}
	for _, r := range runs {
		s.launch(ctx, r)
	}
	next, err := s.store.NextScheduleAt(ctx)
	if err != nil || next.IsZero() {
		return longestSleep, err
	}
	return min(max(time.Until(next), 0), longestSleep), nil
}

// recover ends the runs that were under way when the process before died, and
// begins those that it had claimed and not started.
func (s *Service) recover(ctx context.Context) error {
	open, err := s.store.ListOpenRuns(ctx)
	if err != nil {
		return err
	}
	for _, r := range open {
		if r.State == convoke.RunStarted {
			r.State, r.FinishedAt, r.Code = convoke.RunFinished, time.Now().UTC(), convoke.CodeUnavailable
			r.Message = "the server ended while the function ran; how far it came is not known, and it is not run again"
			if err := s.store.FinishRun(ctx, r); err != nil {
				return err
			}
			s.log.WarnContext(ctx, "scheduled run was interrupted", "account", r.AccountID, "schedule", r.ScheduleID, "due", r.DueAt, "request", r.RequestID)
		}
	}
	for _, r := range open {
		if r.State == convoke.RunClaimed {
			s.launch(ctx, r)
		}
	}
	return nil
}

// claim decides what becomes of a schedule that is due, and moves it on: to
// the first time after now, so that times that went by meanwhile do not pile up.
func claim(sc *convoke.Schedule, now time.Time) *convoke.ScheduleRun {
	r := &convoke.ScheduleRun{State: convoke.RunClaimed, ClaimedAt: now}
	if now.Sub(sc.NextAt) > missedAfter {
		r.State, r.FinishedAt, r.Code = convoke.RunMissed, now, convoke.CodeUnavailable
		r.Message = "the server did not run at that time"
	} else {
		r.RequestID = uuid.NewString()
		sc.LastAt, sc.LastRequestID, sc.LastFailed = sc.NextAt, r.RequestID, false
	}
	if reckon(sc, now) != nil {
		// An expression of an older Convoke that this one cannot read.
		sc.Active, sc.NextAt = false, time.Time{}
	}
	return r
}

// launch runs a claimed run beside the others.
func (s *Service) launch(ctx context.Context, r *convoke.ScheduleRun) {
	if r.State != convoke.RunClaimed {
		return
	}
	ctx = context.WithoutCancel(ctx) // a run under way ends by itself
	s.runs.Go(func() {
		if !s.admit(r.AccountID) {
			s.finish(ctx, r, convoke.Errorf(convoke.CodeThrottled,
				"%d scheduled invocations of the account are under way already; make the functions quicker or the schedules rarer", RunsPerAccount))
			return
		}
		defer s.leave(r.AccountID)
		s.run(ctx, r)
	})
}

func (s *Service) admit(accountID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= maxRuns || s.busy[accountID] >= RunsPerAccount {
		return false
	}
	s.all++
	s.busy[accountID]++
	return true
}

// UnderWay is how many runs of the account are under way.
func (s *Service) UnderWay(accountID string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.busy[accountID]
}

func (s *Service) leave(accountID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.busy[accountID]--; s.busy[accountID] == 0 {
		delete(s.busy, accountID)
	}
}

// run starts a run, invokes its function and finishes the run.
func (s *Service) run(ctx context.Context, r *convoke.ScheduleRun) {
	sc, err := s.start(ctx, r)
	if err != nil {
		return // removed meanwhile, or the server stops
	}
	input, err := s.input(sc, r.DueAt)
	if err == nil {
		_, err = s.invoker.Invoke(ctx, invoke.Request{
			AccountID: sc.AccountID, FunctionID: sc.FunctionID, Caller: Caller, RequestID: r.RequestID, Input: input,
			Admitted: true, // rates are for callers, who can come again
		})
	}
	if convoke.ErrorCode(err) == convoke.CodeFunctionNotFound {
		err = convoke.Errorf(convoke.CodeFunctionNotFound, "the function is not deployed; the schedule runs again when it is")
	}
	s.finish(ctx, r, err)
}

// start marks a run as started. When the server stops first the run stays
// claimed, and the next start begins it.
func (s *Service) start(ctx context.Context, r *convoke.ScheduleRun) (*convoke.Schedule, error) {
	select {
	case <-s.stopping:
		return nil, errStopping
	default:
	}
	var sc *convoke.Schedule
	err := s.insist(ctx, r, "start", func() (err error) {
		r.StartedAt = time.Now().UTC()
		sc, err = s.store.StartRun(ctx, r)
		return err
	})
	return sc, err
}

// finish stores how a run ended. Where that cannot be stored before the server
// stops, the next start takes the run for interrupted.
func (s *Service) finish(ctx context.Context, r *convoke.ScheduleRun, outcome error) {
	r.State, r.FinishedAt, r.Code, r.Message = convoke.RunFinished, time.Now().UTC(), "", ""
	if outcome != nil {
		r.Code, r.Message = convoke.ErrorCode(outcome), messageOf(outcome)
	}
	_ = s.insist(ctx, r, "finish", func() error { return s.store.FinishRun(ctx, r) }) // it has logged why
}

var errStopping = errors.New("the server stops")

// insist repeats a step of a run until the store takes it, says that the run
// is gone (CodeNotFound), or the server stops.
func (s *Service) insist(ctx context.Context, r *convoke.ScheduleRun, step string, do func() error) error {
	for {
		err := do()
		if err == nil || convoke.ErrorCode(err) == convoke.CodeNotFound {
			return err
		}
		s.log.ErrorContext(ctx, "step of a scheduled run failed and is repeated while the server runs",
			"step", step, "account", r.AccountID, "schedule", r.ScheduleID, "due", r.DueAt, "err", err)
		select {
		case <-s.stopping:
			return errStopping
		case <-time.After(retryPause):
		}
	}
}

// input is what the function gets, if the account may have so much; else
// CodePayloadTooLarge, as callers get it.
func (s *Service) input(sc *convoke.Schedule, due time.Time) ([]byte, error) {
	input, err := inputOf(sc, due)
	if most := s.limits(sc.AccountID).PayloadBytes; err == nil && len(input) > most {
		return nil, convoke.Errorf(convoke.CodePayloadTooLarge, "the invocation has %d bytes, of which the account may have %d (payloadBytes); send less, or ask the operator to raise it", len(input), most)
	}
	return input, err
}

// inputOf is what the function gets, in the form of an ordinary invocation.
func inputOf(sc *convoke.Schedule, due time.Time) ([]byte, error) {
	type header struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	headers := []header{}
	for _, key := range slices.Sorted(maps.Keys(sc.Headers)) {
		headers = append(headers, header{key, sc.Headers[key]})
	}
	return json.Marshal(struct {
		Timestamp int64           `json:"timestamp"`
		Headers   []header        `json:"headers"`
		Payload   json.RawMessage `json:"payload"`
	}{due.UnixMilli(), headers, sc.Payload})
}

// messageOf is what people are told of a failure.
func messageOf(err error) string {
	if e, ok := errors.AsType[*convoke.Error](err); ok {
		text := []rune(cmp.Or(e.Message, string(e.Code)))
		return string(text[:min(len(text), maxMessage)])
	}
	return "the server failed; its log has more"
}
