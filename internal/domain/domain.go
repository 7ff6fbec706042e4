// Package domain holds the use cases of allowed domains: to add, list and
// remove the places that an account's functions may call. Whether the caller
// may do so is decided by the edges, per route.
package domain

import (
	"context"
	"time"

	"github.com/google/uuid"

	"convoke"
)

// Config is what a Service is made of. Store must be given.
type Config struct {
	Store  convoke.DomainStore
	Limits convoke.Limits
	// LimitsOf are the limits of one account; nil: Limits, for all.
	LimitsOf func(accountID string) convoke.Limits
	// Changed is told of each account whose list has changed, after the change
	// was stored, so that it holds for the next call; nil is nobody.
	Changed func(accountID string)
}

// Service carries out the use cases. Its methods may be called concurrently.
type Service struct {
	store    convoke.DomainStore
	limitsOf func(accountID string) convoke.Limits
	changed  func(accountID string)
}

// New makes a Service.
func New(c Config) *Service {
	s := &Service{store: c.Store, limitsOf: c.LimitsOf, changed: c.Changed}
	if s.limitsOf == nil {
		s.limitsOf = func(string) convoke.Limits { return c.Limits }
	}
	if s.changed == nil {
		s.changed = func(string) {}
	}
	return s
}

// Add allows the functions of an account to call a domain: "name" or
// "name:port" as convoke.ParseDomain reads it (spec/platform.md 6). It returns
// CodeInvalidDomain for anything else, CodeConflict when that entry is there
// already, and CodeLimitExceeded when the account has all it may have.
func (s *Service) Add(ctx context.Context, by *convoke.Principal, accountID, text string) (*convoke.Domain, error) {
	name, port, err := convoke.ParseDomain(text)
	if err != nil {
		return nil, err
	}
	d := &convoke.Domain{ID: uuid.NewString(), AccountID: accountID, Name: name, Port: port, CreatedAt: time.Now().UTC(), CreatedBy: by.String()}
	// Without the cancellation of ctx: were the client to go away during the
	// commit, we could not tell whether the list has changed.
	if err := s.store.CreateDomain(context.WithoutCancel(ctx), d, s.limitsOf(accountID).DomainsPerAccount); err != nil {
		return nil, err
	}
	s.changed(accountID)
	return d, nil
}

// Remove ends what an entry allows and returns the entry; CodeNotFound when
// there is none with that id.
func (s *Service) Remove(ctx context.Context, accountID, id string) (*convoke.Domain, error) {
	d, err := s.store.RemoveDomain(context.WithoutCancel(ctx), accountID, id) // as in Add
	if err != nil {
		return nil, err
	}
	s.changed(accountID)
	return d, nil
}
