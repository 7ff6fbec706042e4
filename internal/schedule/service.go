// Package schedule invokes functions at the times that cron expressions name.
// It holds the use cases of schedules and, in Run, the one loop that claims
// what is due and invokes it by the ordinary path. What it promises about a
// due time stands in docs/adr/0013.
package schedule

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"convoke"
	"convoke/internal/invoke"
)

// Store is what the service needs of the system of record.
type Store interface {
	convoke.ScheduleStore
	FindFunction(ctx context.Context, accountID, id string) (*convoke.Function, error)
}

// Invoker runs a function.
type Invoker interface {
	Invoke(ctx context.Context, r invoke.Request) (invoke.Response, error)
}

// Config is what a Service is made of. All members but Drain and
// LimitsOf are needed.
type Config struct {
	Store   Store
	Invoker Invoker
	Limits  convoke.Limits
	// LimitsOf are the limits of one account; nil: Limits, for all.
	LimitsOf func(accountID string) convoke.Limits
	Logger   *slog.Logger
	// Drain is closed when the server begins to stop: nothing new is invoked
	// from then on. nil never does.
	Drain <-chan struct{}
}

// Service keeps schedules and carries them out. It is safe for concurrent use.
type Service struct {
	store   Store
	invoker Invoker
	limits  func(accountID string) convoke.Limits
	log     *slog.Logger
	drain   <-chan struct{}
	woken   chan struct{} // has an element when schedules have changed
	// stopping is closed when Run begins no runs any more.
	stopping chan struct{}

	runs sync.WaitGroup // grows in Run only
	mu   sync.Mutex
	busy map[string]int // runs under way by account
	all  int            // their sum
}

// New returns a Service; it panics when a needed member is missing.
func New(c Config) *Service {
	if c.Store == nil || c.Invoker == nil || c.Logger == nil {
		panic("schedule: Store, Invoker and Logger are needed")
	}
	if c.LimitsOf == nil {
		c.LimitsOf = func(string) convoke.Limits { return c.Limits }
	}
	return &Service{
		store: c.Store, invoker: c.Invoker, limits: c.LimitsOf, log: c.Logger, drain: c.Drain,
		woken: make(chan struct{}, 1), stopping: make(chan struct{}), busy: map[string]int{},
	}
}

// Entry is a schedule with its function, which says whether it can run.
type Entry struct {
	*convoke.Schedule
	Function *convoke.Function
}

// Input is what a caller says of a schedule. Nil members keep what is there; a
// new schedule takes the default for them.
type Input struct {
	FunctionID  string // of a new one; otherwise "" or what it is
	Cron        *string
	Active      *bool // default true
	Description *string
	TimeZone    *string // default Etc/UTC
	Body        *Body
}

// Body is what the function gets.
type Body struct {
	Headers map[string]string
	Payload json.RawMessage // nil is {}
}

// Create adds a schedule for a deployed function. It returns CodeValidation,
// CodePayloadTooLarge, CodeFunctionNotFound, CodeActionNotAllowed when the
// function is not deployed, and CodeLimitExceeded.
func (s *Service) Create(ctx context.Context, by *convoke.Principal, accountID string, in Input) (*Entry, error) {
	if in.FunctionID == "" || in.Cron == nil {
		return nil, convoke.Errorf(convoke.CodeValidation, "a schedule needs functionUuid and cronExpression")
	}
	now := time.Now().UTC()
	sc := &convoke.Schedule{
		ID: uuid.NewString(), AccountID: accountID, FunctionID: in.FunctionID, TimeZone: convoke.TimeZoneUTC, Active: true,
		Payload: json.RawMessage(`{}`), CreatedAt: now, CreatedBy: by.String(),
	}
	if err := s.apply(in, sc, by, now); err != nil {
		return nil, err
	}
	f, err := s.store.FindFunction(ctx, accountID, in.FunctionID)
	if err != nil {
		return nil, err
	}
	if !f.Deployed() {
		return nil, convoke.Errorf(convoke.CodeActionNotAllowed, "%s is not deployed, so it cannot be scheduled; deploy it first", f.Name)
	}
	if err := s.store.CreateSchedule(ctx, sc, s.limits(accountID).SchedulesPerAccount); err != nil {
		return nil, err
	}
	s.wake()
	return &Entry{sc, f}, nil
}

// Update changes a schedule. What was paused and is active again starts from
// now. It returns CodeValidation, CodePayloadTooLarge and CodeNotFound.
func (s *Service) Update(ctx context.Context, by *convoke.Principal, accountID, id string, in Input) (*Entry, error) {
	sc, err := s.store.UpdateSchedule(ctx, accountID, id, func(sc *convoke.Schedule) error {
		if in.FunctionID != "" && in.FunctionID != sc.FunctionID {
			return convoke.Errorf(convoke.CodeValidation, "the function of a schedule is fixed; create another schedule for %s", in.FunctionID)
		}
		return s.apply(in, sc, by, time.Now().UTC())
	})
	if err != nil {
		return nil, err
	}
	s.wake()
	return s.entry(ctx, sc)
}

// apply puts what in says into sc, if the account may have so large an
// invocation.
func (s *Service) apply(in Input, sc *convoke.Schedule, by *convoke.Principal, now time.Time) error {
	if err := in.apply(sc, by, now); err != nil {
		return err
	}
	if in.Body == nil {
		return nil
	}
	_, err := s.input(sc, now)
	return err
}

// apply puts what in says into sc and computes when it is due next.
func (in Input) apply(sc *convoke.Schedule, by *convoke.Principal, now time.Time) error {
	before := *sc
	if in.Cron != nil {
		cron, err := ParseCron(*in.Cron)
		if err != nil {
			return err
		}
		sc.Cron = cron
	}
	if in.Active != nil {
		sc.Active = *in.Active
	}
	if in.Description != nil {
		sc.Description = *in.Description
	}
	if in.TimeZone != nil {
		sc.TimeZone = canonicalZone(*in.TimeZone)
	}
	if in.Body != nil {
		sc.Headers, sc.Payload = in.Body.Headers, compact(in.Body.Payload)
	}
	if err := sc.Validate(); err != nil {
		return err
	}
	sc.UpdatedAt, sc.UpdatedBy = now, by.String()
	// A change of something else must not lose what is due this very moment.
	if sc.Cron != before.Cron || sc.Active != before.Active || sc.NextAt.IsZero() {
		return reckon(sc, now)
	}
	return nil
}

// reckon sets when sc is due next after now.
func reckon(sc *convoke.Schedule, now time.Time) (err error) {
	sc.NextAt = time.Time{}
	if sc.Active {
		sc.NextAt, err = Next(sc.Cron, now)
	}
	return err
}

func canonicalZone(name string) string {
	if name == "" || name == "UTC" {
		return convoke.TimeZoneUTC
	}
	return name
}

// compact keeps white space from counting; what is no JSON stays, for Validate
// to find.
func compact(payload json.RawMessage) json.RawMessage {
	if len(payload) == 0 {
		return json.RawMessage(`{}`)
	}
	var b bytes.Buffer
	if json.Compact(&b, payload) != nil {
		return payload
	}
	return b.Bytes()
}

// Get returns CodeNotFound when there is no such schedule.
func (s *Service) Get(ctx context.Context, accountID, id string) (*Entry, error) {
	sc, err := s.store.FindSchedule(ctx, accountID, id)
	if err != nil {
		return nil, err
	}
	return s.entry(ctx, sc)
}

func (s *Service) entry(ctx context.Context, sc *convoke.Schedule) (*Entry, error) {
	f, err := s.store.FindFunction(ctx, sc.AccountID, sc.FunctionID)
	if err != nil {
		return nil, err
	}
	return &Entry{sc, f}, nil
}

// Entries are schedules, as a list has them, with their functions.
func (s *Service) Entries(ctx context.Context, all []*convoke.Schedule) ([]*Entry, error) {
	functions := map[string]*convoke.Function{}
	out := make([]*Entry, 0, len(all))
	for _, sc := range all {
		f := functions[sc.FunctionID]
		if f == nil {
			var err error
			f, err = s.store.FindFunction(ctx, sc.AccountID, sc.FunctionID)
			if convoke.ErrorCode(err) == convoke.CodeFunctionNotFound {
				continue // removed with its schedules since they were read
			}
			if err != nil {
				return nil, err
			}
			functions[sc.FunctionID] = f
		}
		out = append(out, &Entry{sc, f})
	}
	return out, nil
}

// Remove deletes a schedule with its runs. A run under way goes on. It returns
// CodeNotFound.
func (s *Service) Remove(ctx context.Context, accountID, id string) error {
	return s.store.DeleteSchedule(ctx, accountID, id)
}

// wake makes Run look at the schedules anew.
func (s *Service) wake() {
	select {
	case s.woken <- struct{}{}:
	default: // it is going to look anyway
	}
}
