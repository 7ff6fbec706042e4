// Package account holds the use cases of accounts and their people: accounts
// and their limits, users, signing in. The management API calls it; whether
// the caller may use a route is decided there, and here only what depends on
// whom it is done to.
package account

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"convoke"
	"convoke/internal/auth"
)

// Store is what the use cases need of the system of record.
type Store interface {
	convoke.AccountStore
	convoke.UserStore
	convoke.TokenStore
	convoke.SessionStore
	convoke.ActivityStore
	convoke.UsageStore
	PageSessions(ctx context.Context, accountID, userID string, last convoke.SessionsAt, p convoke.Page) ([]*convoke.Session, convoke.Mark, error)
}

// Used counts what an account has of something that is limited; less than 0 is
// not counted now.
type Used func(ctx context.Context, accountID string) (int, error)

// Config is what a Service is made of. Store, Auth and Limits must be given.
type Config struct {
	Store  Store
	Auth   *auth.Auth
	Limits convoke.Limits // of the server, for accounts without their own
	Logger *slog.Logger   // nil: slog.Default
	// ActivityRetention is how long the audit trail is kept; 0 is 90 days.
	ActivityRetention time.Duration
	// Used counts by the name of a limit, as Limits spells it in YAML; limits
	// without a counter are reported without what is used of them.
	Used map[string]Used
	// Bounds are the limits that other rooms keep, for the report and for what
	// an account can have of its own.
	Bounds []Bound
	// Foreign is for who works on the data of a server whose settings are not
	// known: an account's own limits are not compared with Limits then.
	Foreign bool
	// Refused is told of each invocation that Admit refuses; nil: nobody is.
	Refused func(Refusal)
	// Switched is told of an account that was disabled or enabled, here or by
	// another process; nil: nobody is.
	Switched func(accountID string, enabled bool)
	// Now is the clock that attempts to sign in are counted by; nil: time.Now.
	Now func() time.Time
}

// Service carries out the use cases. Its methods may be called concurrently.
// Run must run beside it.
type Service struct {
	store     Store
	auth      *auth.Auth
	limits    convoke.Limits
	log       *slog.Logger
	retention time.Duration
	used      map[string]Used
	bounds    []Bound
	foreign   bool
	refused   func(Refusal)
	attempts  *attempts
	lockouts  chan lockout // that Run has to record
	switched  func(accountID string, enabled bool)

	// known is read without a lock on the invocation path; whoever changes it
	// holds mu and puts a new map in its place.
	known atomic.Pointer[map[string]*tenant]
	month atomic.Pointer[time.Time] // whose usage the tenants count
	mu    sync.Mutex
}

// New makes a Service that knows the accounts there are. It returns the
// store's error.
func New(ctx context.Context, c Config) (*Service, error) {
	if c.Store == nil || c.Auth == nil || c.Limits.PayloadBytes == 0 {
		panic("account: Config needs a Store, an Auth and Limits")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Service{
		store: c.Store, auth: c.Auth, limits: c.Limits, log: cmp.Or(c.Logger, slog.Default()),
		retention: cmp.Or(c.ActivityRetention, 90*24*time.Hour), used: c.Used, bounds: c.Bounds, foreign: c.Foreign, refused: c.Refused, attempts: newAttempts(c.Now), lockouts: make(chan lockout, maxLockouts), switched: c.Switched,
	}
	return s, s.reload(ctx)
}

const (
	// reloadEvery bounds how long a change by another process, such as the
	// command line on the data folder, goes unseen, and what usage of the month
	// a crash forgets.
	reloadEvery = 30 * time.Second
	// firstExpiry keeps a large removal out of the start of the server.
	firstExpiry = time.Minute
	expiryEvery = time.Hour
	// expiryStep is small because removing holds the store's one writer;
	// between two steps it is everybody's.
	expiryStep  = 500
	expiryPause = 50 * time.Millisecond
)

// Run follows changes by other processes, stores what accounts have used,
// records lock-outs and removes what is past its time, until ctx ends. It returns the error of
// storing the rest then, usually nil.
func (s *Service) Run(ctx context.Context) error {
	reload, expire := time.NewTimer(untilReload()), time.NewTimer(firstExpiry)
	defer reload.Stop()
	defer expire.Stop()
	for {
		select {
		case <-ctx.Done():
			select {
			case l := <-s.lockouts:
				s.recordLockouts(context.WithoutCancel(ctx), l)
			default:
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.storeUsage(context.WithoutCancel(ctx))
		case l := <-s.lockouts:
			s.recordLockouts(context.WithoutCancel(ctx), l)
		case <-reload.C:
			if err := s.reload(ctx); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "accounts could not be read or their usage not be stored; what is known holds on", "err", err, "again", reloadEvery)
			}
			reload.Reset(untilReload())
		case <-expire.C:
			if err := s.expire(ctx, time.Now()); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "old activities or sessions could not be removed; it is tried again", "err", err, "again", expiryEvery)
			}
			expire.Reset(expiryEvery)
		}
	}
}

// untilReload is when to reload next: when the month ends, too, so that what
// was used of it does not count for the next one.
func untilReload() time.Duration {
	return max(min(reloadEvery, time.Until(convoke.MonthOf(time.Now()).AddDate(0, 1, 0))), time.Millisecond)
}

// expire removes activities beyond their retention and sessions that have ended.
func (s *Service) expire(ctx context.Context, now time.Time) error {
	err := inSteps(ctx, func() (int, error) {
		return s.store.DeleteActivitiesBefore(ctx, now.Add(-s.retention), expiryStep)
	})
	if err != nil {
		return err
	}
	return inSteps(ctx, func() (int, error) {
		return s.store.DeleteSessionsBefore(ctx, now, now.Add(-s.auth.Idle()), expiryStep)
	})
}

// inSteps repeats remove until it removes less than a step.
func inSteps(ctx context.Context, remove func() (int, error)) error {
	for {
		n, err := remove()
		if err != nil || n < expiryStep {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(expiryPause):
		}
	}
}
