package convoke

import (
	"context"
	"time"
)

// Grant is what a user allowed a client: first a code, and once that is
// redeemed a refresh token that is replaced with every use. Of both only the
// SHA-256 is kept.
type Grant struct {
	ID        string // UUID; part of the code and of the refresh tokens
	AccountID string
	ClientID  string
	UserID    string
	Scopes    []Scope

	CodeHash      []byte
	CodeExpiresAt time.Time
	CodeUsedAt    time.Time // zero: not yet
	// RedirectURI is where the code was sent, RedirectGiven whether the request
	// for it named that: the request that redeems it must name it as well then.
	RedirectURI   string
	RedirectGiven bool
	Challenge     string // PKCE, S256; "": none was given
	Nonce         string // for the id token

	RefreshHash []byte // of the only refresh token that is good; nil: none yet
	// KeyThumbprint binds the refresh tokens of a public client to a DPoP key
	// (RFC 9449, section 5); "": not bound.
	KeyThumbprint string

	From       string // network address of the browser in which the user agreed; "": not known
	CreatedAt  time.Time
	LastUsedAt time.Time // when tokens were last issued; zero: never
	ExpiresAt  time.Time // the user has to agree anew then
	RevokedAt  time.Time // zero: not revoked
}

// Live reports whether tokens of the grant may be used at now.
func (g *Grant) Live(now time.Time) bool { return g.RevokedAt.IsZero() && now.Before(g.ExpiresAt) }

// Given reports whether the grant is a consent that holds at now: tokens can be
// had by it, or it is so new that they can still be fetched.
func (g *Grant) Given(now time.Time) bool {
	return g.Live(now) && (!g.CodeUsedAt.IsZero() || now.Before(g.CodeExpiresAt))
}

// GrantStore keeps grants.
type GrantStore interface {
	// CreateGrant adds g; CodeNotFound when there is no such client.
	CreateGrant(ctx context.Context, g *Grant) error
	// FindGrant returns CodeNotFound when there is none.
	FindGrant(ctx context.Context, id string) (*Grant, error)
	// ListGrants returns a user's grants, the newest first, also those that have
	// ended as long as they are stored.
	ListGrants(ctx context.Context, accountID, userID string) ([]*Grant, error)
	// UpdateGrant stores what change makes of the grant, unless it returns an
	// error; two calls never see the same state. CodeNotFound when there is none.
	UpdateGrant(ctx context.Context, id string, change func(*Grant) error) (*Grant, error)
	// DeleteGrantsBefore removes at most limit grants that expired before that
	// time and returns how many.
	DeleteGrantsBefore(ctx context.Context, before time.Time, limit int) (int, error)
}
