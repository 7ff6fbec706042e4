package convoke

import (
	"context"
	"time"
)

// Token is a bearer token. Only the SHA-256 of its text is kept.
type Token struct {
	ID         string
	AccountID  string
	UserID     string // whose it is; "" belongs to the account
	Name       string
	Hash       []byte // SHA-256 of the whole token text, 32 bytes
	Roles      []Role
	CreatedAt  time.Time
	CreatedBy  string
	ExpiresAt  time.Time // zero: never
	RevokedAt  time.Time // zero: not revoked
	LastUsedAt time.Time // zero: never; kept to the minute
}

// Live reports whether the token may be used at now.
func (t *Token) Live(now time.Time) bool {
	return t.RevokedAt.IsZero() && (t.ExpiresAt.IsZero() || now.Before(t.ExpiresAt))
}

// TokenStore keeps bearer tokens.
type TokenStore interface {
	CreateToken(ctx context.Context, t *Token) error
	// FindTokenByHash returns CodeNotFound when there is none. Expired and
	// revoked tokens are returned: Live is the caller's to ask.
	FindTokenByHash(ctx context.Context, hash []byte) (*Token, error)
	ListTokens(ctx context.Context, accountID string) ([]*Token, error)
	// RevokeToken returns CodeNotFound when there is none; revoking twice is fine.
	RevokeToken(ctx context.Context, accountID, id string, at time.Time) error
	// TouchToken records a use.
	TouchToken(ctx context.Context, id string, at time.Time) error
}

// Principal is who makes a request.
type Principal struct {
	AccountID string
	ID        string // the token's or user's id, for createdBy and the log
	Name      string
	Roles     []Role
	UserID    string // who it is or whose token it is; "" is nobody's
	SessionID string // of a sign-in, which is a grant for the command line; "" for a token
	// MustChangePassword allows nothing but that.
	MustChangePassword bool
	// ClientID is the OAuth client that acts, for itself when it is ID, or for a
	// user who agreed; "" when there is none. Scopes mean nothing then.
	ClientID string
	Scopes   []Scope
	// InvocationsPerSecond is the client's own limit; 0 is none.
	InvocationsPerSecond int
}

// May reports whether the principal holds p: by its roles, through a client
// only as far as the scopes go, and a client for itself by scopes alone.
func (p *Principal) May(perm Permission) bool {
	switch {
	case p == nil:
		return false
	case p.ClientID == "":
		return May(p.Roles, perm)
	case p.ClientID == p.ID:
		return Granted(p.Scopes, perm)
	default:
		return Granted(p.Scopes, perm) && May(p.Roles, perm)
	}
}

// Caller is what the principal's invocations are counted to: the client that
// acts, for whomever, else the token or the user.
func (p *Principal) Caller() string {
	if p.ClientID != "" {
		return p.ClientID
	}
	return p.ID
}

// String is how the principal is shown in createdBy and updatedBy.
func (p *Principal) String() string {
	if p.Name != "" {
		return p.Name
	}
	return p.ID
}
