package oauth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"slices"
	"time"

	"github.com/google/uuid"

	"convoke"
)

const (
	secretPrefix = "cvo_"
	// maxGrace is how long a secret that was replaced can be good at most.
	maxGrace = 30 * 24 * time.Hour
)

// CreateClient registers a client for an account. The secret is returned here
// and never again; it is zero for a public client. It returns CodeValidation
// for a client that breaks a rule, CodeConflict when the name is taken and
// CodeLimitExceeded when the account has too many.
func (s *Server) CreateClient(ctx context.Context, c *convoke.Client, by string) (convoke.Secret, error) {
	if err := c.Validate(); err != nil {
		return convoke.Secret{}, err
	}
	all, err := s.store.ListClients(ctx, c.AccountID)
	if err != nil {
		return convoke.Secret{}, err
	}
	if most := s.maxClients(c.AccountID); most > 0 && len(all) >= most {
		return convoke.Secret{}, convoke.Errorf(convoke.CodeLimitExceeded, "the account has %d clients, the most it may have; remove one first", len(all))
	}
	now := millis(time.Now())
	c.ID, c.CreatedAt, c.CreatedBy, c.UpdatedAt, c.UpdatedBy = uuid.NewString(), now, by, now, by
	var secret convoke.Secret
	if !c.Public {
		secret = addSecret(c, now)
	}
	if err := s.store.CreateClient(ctx, c); err != nil {
		return convoke.Secret{}, err
	}
	return secret, nil
}

// addSecret gives c a new secret and returns its text.
func addSecret(c *convoke.Client, now time.Time) convoke.Secret {
	var raw [32]byte
	rand.Read(raw[:]) // never fails
	text := secretPrefix + base64.RawURLEncoding.EncodeToString(raw[:])
	c.Secrets = slices.Insert(c.Secrets, 0, convoke.ClientSecret{Hash: hashOf(text), CreatedAt: now})
	return convoke.NewSecret(text)
}

// FindClient returns CodeNotFound when the account has no such client.
func (s *Server) FindClient(ctx context.Context, accountID, id string) (*convoke.Client, error) {
	c, err := s.store.FindClient(ctx, id)
	if err == nil && c.AccountID != accountID {
		return nil, convoke.Errorf(convoke.CodeNotFound, "the client does not exist")
	}
	return c, err
}

// ListClients returns the account's clients in order of name.
func (s *Server) ListClients(ctx context.Context, accountID string) ([]*convoke.Client, error) {
	return s.store.ListClients(ctx, accountID)
}

// UpdateClient changes name, grant types, scopes, redirect URIs, rate or the
// disabled flag. What a client may not do any more its tokens cannot do either, from
// the moment UpdateClient has returned. It returns CodeNotFound,
// CodeValidation, CodeConflict when the new name is taken and CodeUnchanged
// when nothing is new.
func (s *Server) UpdateClient(ctx context.Context, accountID, id string, change func(*convoke.Client), by string) (before, after *convoke.Client, err error) {
	after, err = s.store.UpdateClient(ctx, accountID, id, func(c *convoke.Client) error {
		before = clone(c)
		change(c)
		if err := c.Validate(); err != nil {
			return err
		}
		if same := before.Name == c.Name && before.Disabled == c.Disabled && slices.Equal(before.GrantTypes, c.GrantTypes) &&
			slices.Equal(before.Scopes, c.Scopes) && slices.Equal(before.RedirectURIs, c.RedirectURIs) &&
			before.InvocationsPerSecond == c.InvocationsPerSecond; same {
			return convoke.Errorf(convoke.CodeUnchanged, "the client is like that already")
		}
		c.UpdatedAt, c.UpdatedBy = millis(time.Now()), by
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	s.forgetClient(id)
	return before, after, nil
}

// RotateSecret gives a client a new secret, which is returned here and never
// again. The one so far stays good for grace, others end at once. Tokens that
// were issued stay good. It returns CodeNotFound, CodeValidation for a grace
// that is negative or longer than 30 days, and CodeActionNotAllowed for a
// public client.
func (s *Server) RotateSecret(ctx context.Context, accountID, id string, grace time.Duration, by string) (secret convoke.Secret, after *convoke.Client, err error) {
	if grace < 0 || grace > maxGrace {
		return convoke.Secret{}, nil, convoke.Errorf(convoke.CodeValidation, "the old secret can stay good for up to 30 days (%d seconds)", int(maxGrace.Seconds()))
	}
	after, err = s.store.UpdateClient(ctx, accountID, id, func(c *convoke.Client) error {
		if c.Public {
			return convoke.Errorf(convoke.CodeActionNotAllowed, "a public client has no secret")
		}
		now := millis(time.Now())
		c.Secrets = slices.DeleteFunc(c.Secrets[:min(1, len(c.Secrets))], func(old convoke.ClientSecret) bool { return grace == 0 || !old.Live(now) })
		for i, end := range c.Secrets {
			if until := now.Add(grace); end.ExpiresAt.IsZero() || until.Before(end.ExpiresAt) {
				c.Secrets[i].ExpiresAt = until
			}
		}
		secret = addSecret(c, now)
		c.UpdatedAt, c.UpdatedBy = now, by
		return nil
	})
	if err != nil {
		return convoke.Secret{}, nil, err
	}
	return secret, after, nil
}

// RemoveClient removes a client and ends its tokens. It returns CodeNotFound
// when the account has no such client.
func (s *Server) RemoveClient(ctx context.Context, accountID, id string) error {
	if err := s.store.RemoveClient(ctx, accountID, id); err != nil {
		return err
	}
	s.forgetClient(id)
	return nil
}

func (s *Server) forgetClient(id string) { s.forget(func(c *claims) bool { return c.ClientID == id }) }

func clone(c *convoke.Client) *convoke.Client {
	out := *c
	out.Secrets, out.GrantTypes, out.Scopes, out.RedirectURIs = slices.Clone(c.Secrets), slices.Clone(c.GrantTypes), slices.Clone(c.Scopes), slices.Clone(c.RedirectURIs)
	return &out
}

// millis is how precisely times are shown.
func millis(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
