// Package secret keeps named values of an account so that only a server with
// the master key can read them: each is encrypted with a key of its own, which
// is encrypted with the master key, and bound to its account, name and version.
// The master key is a file beside the database, never in it.
package secret

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"convoke"
)

// Config is what a Service is made of. All members but LimitsOf are needed.
type Config struct {
	Store  convoke.SecretStore
	Dir    string // folder of the master key
	Limits convoke.Limits
	// LimitsOf are the limits of one account; nil: Limits, for all.
	LimitsOf func(accountID string) convoke.Limits
	Logger   *slog.Logger
}

// Service keeps secrets. It is safe for concurrent use.
type Service struct {
	store  convoke.SecretStore
	file   string // of the master keys
	limits func(accountID string) convoke.Limits
	log    *slog.Logger

	// rotation is held while one is under way, and taken before mu.
	rotation sync.Mutex

	// mu is held for reading from the choice of a key until what it sealed is
	// stored, or what it opens was read: a rotation that has the lock knows
	// that nothing more is coming under the keys before.
	mu   sync.RWMutex
	keys *keyring
}

// New makes a Service. The master key is made where there is none and nothing
// was sealed yet. New returns CodeInvalid when the key is missing although
// secrets are sealed, is not the one that sealed them, is damaged, or can be
// read by others, and CodeStorageFull.
func New(ctx context.Context, c Config) (*Service, error) {
	if c.Store == nil || c.Dir == "" || c.Logger == nil {
		return nil, convoke.Errorf(convoke.CodeInternal, "secret.New needs a store, a folder and a logger")
	}
	s := &Service{store: c.Store, file: filepath.Join(c.Dir, keyFile), limits: c.LimitsOf, log: c.Logger}
	if s.limits == nil {
		s.limits = func(string) convoke.Limits { return c.Limits }
	}
	sealed, err := s.store.CountSecretsByKey(ctx)
	if err != nil {
		return nil, err
	}
	if s.keys, err = openKeys(s.file, sealed); err != nil {
		return nil, err
	}
	return s, nil
}

// Input is a secret to be set.
type Input struct {
	Name  string
	Type  convoke.SecretType // "" keeps the type, of a new one it is String
	Value convoke.Secret
}

// Set creates a secret or changes its value. It returns CodeValidation for a
// bad name, type or value and for a name of the platform's, CodeLimitExceeded
// when the account has as many as it may, and CodeStorageFull.
func (s *Service) Set(ctx context.Context, by *convoke.Principal, accountID string, in Input) (*convoke.StoredSecret, error) {
	if err := refuseSystem(in.Name); err != nil {
		return nil, err
	}
	return s.put(ctx, by.String(), accountID, in, s.limits(accountID).SecretsPerAccount, false)
}

// Create is Set for a name that is free; CodeConflict when it is not.
func (s *Service) Create(ctx context.Context, by *convoke.Principal, accountID string, in Input) (*convoke.StoredSecret, error) {
	if err := refuseSystem(in.Name); err != nil {
		return nil, err
	}
	return s.put(ctx, by.String(), accountID, in, s.limits(accountID).SecretsPerAccount, true)
}

// Provision creates or changes a secret of the platform's own, which no limit
// keeps out. It returns CodeValidation for a name that is not the platform's.
func (s *Service) Provision(ctx context.Context, accountID string, in Input) (*convoke.StoredSecret, error) {
	if !convoke.SystemSecret(in.Name) {
		return nil, convoke.Errorf(convoke.CodeValidation, "%.120q is no name of the platform's", in.Name)
	}
	return s.put(ctx, "platform", accountID, in, 0, false)
}

func refuseSystem(name string) error {
	if convoke.SystemSecret(name) {
		return convoke.Errorf(convoke.CodeValidation, "the secret %.120s is the platform's own and cannot be changed; choose another name", name)
	}
	return nil
}

func (s *Service) put(ctx context.Context, by, accountID string, in Input, limit int, create bool) (*convoke.StoredSecret, error) {
	if err := convoke.ValidateSecretName(in.Name); err != nil {
		return nil, err
	}
	plain := []byte(in.Value.Reveal())
	defer clear(plain)
	s.mu.RLock()
	defer s.mu.RUnlock()
	var e *convoke.StoredSecret
	err := s.store.PutSecret(ctx, accountID, in.Name, limit, func(old *convoke.StoredSecret) (*convoke.StoredSecret, error) {
		if old != nil && create {
			return nil, convoke.Errorf(convoke.CodeConflict, "a secret named %s exists already; choose another name, or change it", in.Name)
		}
		e = following(old, accountID, in, by, time.Now().UTC())
		if err := e.Type.Validate(in.Value); err != nil {
			return nil, err
		}
		return e, s.keys.seal(e, plain)
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// following is what comes after old, nil for none, without what is sealed.
func following(old *convoke.StoredSecret, accountID string, in Input, by string, now time.Time) *convoke.StoredSecret {
	e := &convoke.StoredSecret{
		AccountID: accountID, Name: in.Name, Type: convoke.SecretString, Version: 1,
		CreatedAt: now, CreatedBy: by, UpdatedAt: now, UpdatedBy: by,
	}
	if old != nil {
		e.Type, e.Version, e.CreatedAt, e.CreatedBy = old.Type, old.Version+1, old.CreatedAt, old.CreatedBy
	}
	if in.Type != "" {
		e.Type = in.Type
	}
	return e
}

// Get returns a secret without what is sealed; CodeNotFound when there is none.
func (s *Service) Get(ctx context.Context, accountID, name string) (*convoke.StoredSecret, error) {
	e, err := s.store.FindSecret(ctx, accountID, name)
	if err != nil {
		return nil, err
	}
	e.Sealed = nil
	return e, nil
}

// Remove deletes a secret. It returns CodeNotFound when there is none and
// CodeValidation for the platform's own.
func (s *Service) Remove(ctx context.Context, accountID, name string) error {
	if err := refuseSystem(name); err != nil {
		return err
	}
	return s.store.DeleteSecret(ctx, accountID, name)
}

// Reveal returns the value of a secret, for a function of the account. It
// returns CodeNotFound when there is none and CodeUnreadable when it cannot be
// decrypted.
func (s *Service) Reveal(ctx context.Context, accountID, name string) (convoke.Secret, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e, err := s.store.FindSecret(ctx, accountID, name)
	if err != nil {
		return convoke.Secret{}, err
	}
	plain, err := s.keys.open(e)
	if err != nil {
		return convoke.Secret{}, err
	}
	defer clear(plain)
	return convoke.NewSecret(string(plain)), nil
}
