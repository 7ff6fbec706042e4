package account

import (
	"cmp"
	"context"
	"errors"
	"time"

	"convoke"
)

// CreateInput describes a new account.
type CreateInput struct {
	ID         string
	Name       string             // "" is the id
	Generation convoke.Generation // "" is V2
	Limits     convoke.AccountLimits
	// Admin is the login name of a first user, who gets the role admin and a
	// password that has to be changed; "" makes none.
	Admin string
}

// Create makes an account. The secret is the password of its first user, zero
// when there is none. It returns CodeValidation for values that break a rule
// and CodeConflict for an id that is taken.
func (s *Service) Create(ctx context.Context, in CreateInput) (*convoke.Account, convoke.Secret, error) {
	var none convoke.Secret
	now := time.Now().UTC()
	a := &convoke.Account{
		ID: in.ID, Name: cmp.Or(in.Name, in.ID), Generation: cmp.Or(in.Generation, convoke.GenerationV2), Limits: in.Limits,
		CreatedAt: now, UpdatedAt: now,
	}
	if err := a.Validate(); err != nil {
		return nil, none, err
	}
	if err := s.within(a.Limits); err != nil {
		return nil, none, err
	}
	if in.Admin == "" {
		if err := s.store.CreateAccount(ctx, a); err != nil {
			return nil, none, err
		}
		return a, none, s.reload(ctx)
	}
	// All that can be wrong with the user is found before the account is there.
	admin, password, err := newUser(ctx, in.ID, UserInput{LoginName: in.Admin, Roles: []convoke.Role{convoke.RoleAdmin}})
	if err != nil {
		return nil, none, err
	}
	if err := s.store.CreateAccount(ctx, a); err != nil {
		return nil, none, err
	}
	if err := s.store.CreateUser(ctx, admin, in.Limits.Over(s.limits).UsersPerAccount); err != nil {
		return nil, none, err
	}
	return a, password, s.reload(ctx)
}

// Account returns an account, or CodeNotFound.
func (s *Service) Account(ctx context.Context, id string) (*convoke.Account, error) {
	return s.store.FindAccount(ctx, id)
}

// Accounts returns all accounts, the oldest first.
func (s *Service) Accounts(ctx context.Context) ([]*convoke.Account, error) {
	return s.store.ListAccounts(ctx)
}

// Change is what to change of an account; nil members stay.
type Change struct {
	Name       *string
	Generation *convoke.Generation
	Disabled   *bool
	Limits     map[string]int // by name; 0 takes the server's, others stay
}

// errSame keeps a change that changes nothing out of the store.
var errSame = errors.New("nothing changes")

// Update changes an account; it holds from the next request on. It returns the
// account as it was and as it is, the same one when nothing changes,
// CodeValidation for values that break a rule or are beyond the server's, CodeActionNotAllowed for
// disabling the operator's own account, and CodeNotFound.
func (s *Service) Update(ctx context.Context, id string, c Change) (was, is *convoke.Account, err error) {
	if c.Disabled != nil && *c.Disabled && id == convoke.DefaultAccountID {
		return nil, nil, convoke.Errorf(convoke.CodeActionNotAllowed, "account %s is the operator's own and cannot be disabled", id)
	}
	is, err = s.store.UpdateAccount(ctx, id, func(a *convoke.Account) error {
		before := *a
		was = &before
		a.Name = *cmp.Or(c.Name, &a.Name)
		a.Generation = *cmp.Or(c.Generation, &a.Generation)
		a.Disabled = *cmp.Or(c.Disabled, &a.Disabled)
		if a.Limits, err = a.Limits.With(c.Limits); err != nil {
			return err
		}
		if *a == before {
			return errSame
		}
		changed, err := convoke.AccountLimits{}.With(c.Limits)
		if err != nil {
			return err
		}
		if err := s.within(changed); err != nil {
			return err
		}
		a.UpdatedAt = time.Now().UTC()
		return a.Validate()
	})
	if errors.Is(err, errSame) {
		return was, was, nil
	}
	if err != nil {
		return nil, nil, err
	}
	s.auth.ForgetAccount(id)
	return was, is, s.reload(ctx)
}

// Generation reports whether an account shows the first generation to old
// tools; CodeNotFound when there is no such account.
func (s *Service) Generation(ctx context.Context, id string) (v1 bool, err error) {
	t, ok := (*s.known.Load())[id]
	if ok {
		return t.account.Generation == convoke.GenerationV1, nil
	}
	// One that another process created a moment ago.
	a, err := s.store.FindAccount(ctx, id)
	if err != nil {
		return false, err
	}
	return a.Generation == convoke.GenerationV1, nil
}
