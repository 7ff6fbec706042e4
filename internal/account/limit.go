package account

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"convoke"
	"convoke/internal/quota"
)

// tenant is what the invocation path knows of an account. But for what its
// meters count it is never changed.
type tenant struct {
	account *convoke.Account
	limits  convoke.Limits
	*meters
}

// meters is what an account has used, whatever becomes of its limits.
type meters struct {
	rate    quota.Meter
	clients quota.Meters
	// Of the month under way: what the store has, and what came since.
	stored, fresh atomic.Int64
	// pace is looked at by one at a time.
	paceMu sync.Mutex
	pace   pace
}

// look lets the pace be known of an account that has no rate.
func (m *meters) look() {
	m.paceMu.Lock()
	defer m.paceMu.Unlock()
	m.pace.look(m.month(), time.Now())
}

func (m *meters) perSecond() int {
	m.paceMu.Lock()
	defer m.paceMu.Unlock()
	return m.pace.perSecond(m.month(), time.Now())
}

func (m *meters) month() int64 { return m.stored.Load() + m.fresh.Load() }

// reload stores what was used and takes over what the store has. An error of
// the former does not keep it from the latter.
func (s *Service) reload(ctx context.Context) error {
	// Held from reading to replacing: of two changes the later one must win.
	s.mu.Lock()
	defer s.mu.Unlock()
	failed := s.storeUsage(ctx)
	accounts, err := s.store.ListAccounts(ctx)
	if err != nil {
		return errors.Join(failed, err)
	}
	month := convoke.MonthOf(time.Now())
	usage, err := s.store.ListUsage(ctx, month)
	if err != nil {
		return errors.Join(failed, err)
	}
	used := make(map[string]int64, len(usage))
	for _, u := range usage {
		used[u.AccountID] = u.Invocations
	}
	old := s.known.Load()
	known := make(map[string]*tenant, len(accounts))
	var switched []*convoke.Account
	for _, a := range accounts {
		t := &tenant{account: a, limits: a.Limits.Over(s.limits)}
		if old != nil && (*old)[a.ID] != nil {
			t.meters = (*old)[a.ID].meters
		} else {
			t.meters = new(meters)
		}
		t.stored.Store(used[a.ID])
		t.look()
		known[a.ID] = t
		if old != nil && (*old)[a.ID] != nil && (*old)[a.ID].account.Disabled != a.Disabled {
			switched = append(switched, a)
		}
	}
	s.month.Store(&month)
	s.known.Store(&known)
	if s.switched != nil {
		for _, a := range switched {
			s.switched(a.ID, !a.Disabled)
		}
	}
	return failed
}

// Enabled returns CodeActionNotAllowed when the account is disabled: then
// nothing of it may run, whoever asks for it.
func (s *Service) Enabled(accountID string) error {
	if t, ok := (*s.known.Load())[accountID]; ok && t.account.Disabled {
		return convoke.Errorf(convoke.CodeActionNotAllowed, "the account is disabled, so none of its functions run; the operator can enable it")
	}
	return nil
}

// storeUsage stores what was used since the last time. What comes in meanwhile
// is for the next time. s.mu must be held.
func (s *Service) storeUsage(ctx context.Context) error {
	known, month := s.known.Load(), s.month.Load()
	if known == nil {
		return nil
	}
	var fresh []convoke.Usage
	for id, t := range *known {
		if n := t.fresh.Load(); n > 0 {
			fresh = append(fresh, convoke.Usage{AccountID: id, Month: *month, Invocations: n})
		}
	}
	if err := s.store.AddUsage(ctx, fresh); err != nil {
		return err
	}
	for _, u := range fresh {
		t := (*known)[u.AccountID]
		t.stored.Add(u.Invocations)
		t.fresh.Add(-u.Invocations)
	}
	return nil
}

// LimitsOf returns the limits that hold for an account: its own over the
// server's.
func (s *Service) LimitsOf(accountID string) convoke.Limits {
	if t, ok := (*s.known.Load())[accountID]; ok {
		return t.limits
	}
	return s.limits
}

// Refusal is whose limit an invocation was refused for.
type Refusal string

const (
	RefusalAccount Refusal = "account-rate"
	RefusalClient  Refusal = "client-rate"
	RefusalMonth   Refusal = "account-month"
)

// Admit counts an invocation by p against the rates of its account and of its
// client. It returns CodeThrottled, which uses nothing up, when there are too
// many in this second, or as many in this month as the account may have.
func (s *Service) Admit(p *convoke.Principal) error {
	t, ok := (*s.known.Load())[p.AccountID]
	if !ok {
		return nil
	}
	if most := t.limits.InvocationsPerMonth; most > 0 && t.month() >= int64(most) {
		if wait := time.Until(s.month.Load().AddDate(0, 1, 0)); wait > 0 {
			return s.refuse(RefusalMonth, wait,
				"the account has had as many invocations as it may, %d a month; wait for the next month, or ask the operator to raise invocationsPerMonth", most)
		}
	}
	own, most := p.InvocationsPerSecond, t.limits.InvocationsPerSecondPerClient
	perClient := convoke.Tighter(own, most)
	if perClient > 0 && !t.clients.Of(p.Caller()).Take(perClient) {
		if perClient == own {
			return s.refuse(RefusalClient, time.Second,
				"the client has begun as many invocations as it may, %d a second; try again in a moment, or ask an administrator to raise the client's invocationsPerSecond", own)
		}
		return s.refuse(RefusalClient, time.Second,
			"the caller has begun as many invocations as one client or token may, %d a second; try again in a moment, or ask the operator to raise invocationsPerSecondPerClient", most)
	}
	if most := t.limits.InvocationsPerSecond; most > 0 && !t.rate.Take(most) {
		if perClient > 0 {
			t.clients.Of(p.Caller()).Back(perClient)
		}
		return s.refuse(RefusalAccount, time.Second,
			"the account has begun as many invocations as it may, %d a second; try again in a moment, or ask the operator to raise invocationsPerSecond", most)
	}
	return nil
}

// Back takes back what Admit counted, for an invocation that somebody else's
// limit kept from beginning.
func (s *Service) Back(p *convoke.Principal) {
	t, ok := (*s.known.Load())[p.AccountID]
	if !ok {
		return
	}
	if n := convoke.Tighter(p.InvocationsPerSecond, t.limits.InvocationsPerSecondPerClient); n > 0 {
		t.clients.Of(p.Caller()).Back(n)
	}
	if n := t.limits.InvocationsPerSecond; n > 0 {
		t.rate.Back(n)
	}
}

func (s *Service) refuse(why Refusal, wait time.Duration, format string, args ...any) error {
	if s.refused != nil {
		s.refused(why)
	}
	e := convoke.Errorf(convoke.CodeThrottled, format, args...)
	e.RetryAfter = wait
	return e
}

// Count counts an invocation that ran, or was to run, for the month.
func (s *Service) Count(accountID string) {
	if t, ok := (*s.known.Load())[accountID]; ok {
		t.fresh.Add(1)
	}
}

// InstancesOf is how many instances the account may have at a time by its own
// limit; 0 when it has none.
func (s *Service) InstancesOf(accountID string) int {
	if t, ok := (*s.known.Load())[accountID]; ok {
		return t.account.Limits.MaxInstancesPerAccount
	}
	return 0
}

// within returns CodeValidation when a limit of an account's own is beyond the
// server's: that would be a promise that nobody keeps.
func (s *Service) within(own convoke.AccountLimits) error {
	if s.foreign {
		return nil
	}
	for _, l := range s.serverLimits() {
		if n := own.Of(l.Name); l.Limit > 0 && int64(n) > l.Limit {
			return convoke.Errorf(convoke.CodeValidation, "the limit %s is %d, beyond the server's own, %d; choose less, or raise it in the server's settings", l.Name, n, l.Limit)
		}
	}
	return nil
}
