// Package function holds the use cases of a function's life: create, save,
// deploy, undeploy, roll back, remove. The management API calls it; whether the
// caller may do what it asks for is decided there, per route.
package function

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"convoke"
	"convoke/internal/build"
)

// Store is what the use cases need of the system of record.
type Store interface {
	convoke.FunctionStore
	convoke.VersionStore
	convoke.DeploymentStore
}

// Runner is what a deployment needs of the runtime.
type Runner interface {
	// Probe loads the bundle in a fresh worker: does it export lambda? It
	// returns CodeDeployFailed with the reason and the log entries that were
	// written meanwhile.
	Probe(ctx context.Context, f *convoke.Function, v *convoke.Version, b *convoke.Bundle) (Probed, error)
	// Switch makes later invocations of the function use what the store says
	// is live and drains instances of what was live before. It returns once
	// new invocations see the new version. Calling it again does no harm.
	Switch(ctx context.Context, accountID, functionID string) error
}

// Probed is what a successful probe leaves behind.
type Probed struct {
	CodeCache []byte // V8's compiled form of the bundle
	Runtime   string // the Node build that made it
}

// Config is what a Service is made of. Store and Runner must be given.
type Config struct {
	Store   Store
	Compile func(context.Context, build.Source) (*build.Output, error) // nil: build.Compile
	Runner  Runner
	Limits  convoke.Limits
	// LimitsOf are the limits of one account; nil: Limits, for all.
	LimitsOf func(accountID string) convoke.Limits
	Logger   *slog.Logger // nil: slog.Default
	// DeployTimeout bounds a deployment from its begin to its outcome; 0 is 60 s.
	DeployTimeout time.Duration
	// DrainTimeout is how long Run lets work under way go on after it was told
	// to stop; 0 is 10 s.
	DrainTimeout time.Duration
}

// Service carries out the use cases. Its methods may be called concurrently.
type Service struct {
	store         Store
	compile       func(context.Context, build.Source) (*build.Output, error)
	runner        Runner
	limitsOf      func(accountID string) convoke.Limits
	log           *slog.Logger
	deployTimeout time.Duration
	drainTimeout  time.Duration

	// event is held from reading the other functions of an event to storing
	// what was decided by them: two functions that exclude each other must not
	// both find the event free. It is taken before any store transaction.
	event sync.Mutex

	// work is the context of everything that outlives the request that began
	// it. It ends DrainTimeout after Run was told to stop.
	work    context.Context
	endWork context.CancelFunc

	mu      sync.Mutex
	closing bool
	tasks   sync.WaitGroup // grows under mu while closing is false
}

// New makes a Service. It panics when c lacks a store or a runner.
func New(c Config) *Service {
	if c.Store == nil || c.Runner == nil {
		panic("function: Config needs a Store and a Runner")
	}
	s := &Service{
		store:         c.Store,
		compile:       c.Compile,
		runner:        c.Runner,
		limitsOf:      c.LimitsOf,
		log:           cmp.Or(c.Logger, slog.Default()),
		deployTimeout: cmp.Or(c.DeployTimeout, time.Minute),
		drainTimeout:  cmp.Or(c.DrainTimeout, 10*time.Second),
	}
	if s.compile == nil {
		s.compile = build.Compile
	}
	if s.limitsOf == nil {
		s.limitsOf = func(string) convoke.Limits { return c.Limits }
	}
	s.work, s.endWork = context.WithCancel(context.Background())
	return s
}

// Run owns the deployments and undeployments under way. When ctx ends no new
// ones begin, those under way get DrainTimeout, and what is not done by then is
// cut short and left to Recover at the next start. Run returns when all work
// has ended.
func (s *Service) Run(ctx context.Context) error {
	<-ctx.Done()

	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()

	cut := time.AfterFunc(s.drainTimeout, s.endWork)
	defer cut.Stop()
	s.tasks.Wait()
	s.endWork()
	return nil
}

// reserve registers a task of the service, before anything is committed that
// only the task can complete. The caller must call release when it has ended.
func (s *Service) reserve() (release func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return nil, &convoke.Error{Code: convoke.CodeUnavailable, RetryAfter: time.Second,
			Message: "the server is shutting down; try again in a moment"}
	}
	s.tasks.Add(1)
	return s.tasks.Done, nil
}

// outlive runs work as the task that release stands for and waits for it. When
// ctx ends first, because the client went away, work goes on.
func (s *Service) outlive(ctx context.Context, release func(), work func(context.Context) error) error {
	done := make(chan error, 1)
	go func() {
		defer release()
		done <- work(s.work)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// switchOver makes the runtime follow what the store says of f.
func (s *Service) switchOver(ctx context.Context, f *convoke.Function) error {
	return s.insist(ctx, f, "switch", func(ctx context.Context) error {
		return s.runner.Switch(ctx, f.AccountID, f.ID)
	})
}

// insist repeats op until it succeeds. It is for the second half of changes
// whose first half is committed: giving up would leave a function busy, or
// serving what is no longer live, until the next start. Only the end of ctx, or
// an answer that repeating cannot change, stops it; the former is CodeUnavailable.
func (s *Service) insist(ctx context.Context, f *convoke.Function, step string, op func(context.Context) error) error {
	for pause := 50 * time.Millisecond; ctx.Err() == nil; pause = min(2*pause, 5*time.Second) {
		err := op(ctx)
		if err == nil || final(err) {
			return err
		}
		s.log.WarnContext(ctx, "step failed and is repeated while the server runs",
			"step", step, "account", f.AccountID, "fn", f.ID, "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return cutShort(ctx.Err())
}

func final(err error) bool {
	switch convoke.ErrorCode(err) {
	case convoke.CodeFunctionNotFound, convoke.CodeNotFound, convoke.CodeConflict:
		return true
	}
	return false
}

// cutShort is the error of a request whose work the shutdown interrupted.
func cutShort(cause error) error {
	return &convoke.Error{Code: convoke.CodeUnavailable, Cause: cause,
		Message: "the server stopped before this was done; look at the function's state in a moment"}
}
