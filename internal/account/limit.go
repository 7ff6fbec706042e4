package account

import (
	"context"
	"reflect"
	"time"

	"golang.org/x/time/rate"

	"convoke"
)

// tenant is what the invocation path knows of an account. It is never changed.
type tenant struct {
	account *convoke.Account
	limits  convoke.Limits
	rate    *rate.Limiter // nil: no limit
}

// reload takes over what the store has.
func (s *Service) reload(ctx context.Context) error {
	// Held from reading to replacing: of two changes the later one must win.
	s.mu.Lock()
	defer s.mu.Unlock()
	accounts, err := s.store.ListAccounts(ctx)
	if err != nil {
		return err
	}
	old := s.known.Load()
	known := make(map[string]*tenant, len(accounts))
	for _, a := range accounts {
		var before *tenant
		if old != nil {
			before = (*old)[a.ID]
		}
		known[a.ID] = s.tenant(a, before)
	}
	s.known.Store(&known)
	return nil
}

// tenant keeps the limiter of before, which knows what was used of it.
func (s *Service) tenant(a *convoke.Account, before *tenant) *tenant {
	t := &tenant{account: a, limits: a.Limits.Over(s.limits)}
	perSecond := a.Limits.InvocationsPerSecond
	switch {
	case perSecond == 0:
	case before != nil && before.account.Limits.InvocationsPerSecond == perSecond:
		t.rate = before.rate
	default:
		t.rate = rate.NewLimiter(rate.Limit(perSecond), perSecond)
	}
	return t
}

// LimitsOf returns the limits that hold for an account: its own over the
// server's.
func (s *Service) LimitsOf(accountID string) convoke.Limits {
	if t, ok := (*s.known.Load())[accountID]; ok {
		return t.limits
	}
	return s.limits
}

// Admit counts an invocation against the account's rate. It returns
// CodeThrottled when there are too many in this second.
func (s *Service) Admit(accountID string) error {
	t, ok := (*s.known.Load())[accountID]
	if !ok || t.rate == nil || t.rate.Allow() {
		return nil
	}
	return &convoke.Error{Code: convoke.CodeThrottled, RetryAfter: time.Second,
		Message: "the account has begun as many invocations in this second as it may; try again in a moment, or ask the operator to raise invocationsPerSecond"}
}

// Limit is one limit of an account and what is used of it.
type Limit struct {
	Name  string
	Limit int64
	Unit  string // "ms" for times, else ""
	Used  *int   // nil where nothing is counted
}

// Report lists every limit of an account with what is used of it, in the order
// of convoke.Limits. It returns the error of what counts.
func (s *Service) Report(ctx context.Context, accountID string) ([]Limit, error) {
	limits := s.LimitsOf(accountID)
	var out []Limit
	v := reflect.ValueOf(limits)
	for i := range v.NumField() {
		if !v.Field(i).CanInt() {
			continue
		}
		l := Limit{Name: v.Type().Field(i).Tag.Get("yaml"), Limit: v.Field(i).Int()}
		if d, ok := v.Field(i).Interface().(time.Duration); ok {
			l.Limit, l.Unit = d.Milliseconds(), "ms"
		}
		out = append(out, l)
	}
	out = append(out, Limit{Name: "usersPerAccount", Limit: maxUsers})
	if t, ok := (*s.known.Load())[accountID]; ok && t.rate != nil {
		out = append(out, Limit{Name: "invocationsPerSecond", Limit: int64(t.account.Limits.InvocationsPerSecond)})
	}
	for i := range out {
		count, ok := s.used[out[i].Name]
		if out[i].Name == "usersPerAccount" {
			count, ok = s.countUsers, true
		}
		if !ok {
			continue
		}
		n, err := count(ctx, accountID)
		if err != nil {
			return nil, err
		}
		out[i].Used = &n
	}
	return out, nil
}
