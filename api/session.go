package api

import (
	"time"

	"convoke"
)

// LoginRequest signs in with a password. AppKey is that of the reference's bot
// users, which Convoke does not have: it is refused with words that help.
type LoginRequest struct {
	Username string `json:"username"`         // the login name
	Password string `json:"password"`         // of the user
	AppKey   string `json:"appKey,omitempty"` // of a bot user, which there are none of: it is refused
}

// LoginResponse has exactly the members of the reference (spec/api-surface.md 2.1).
type LoginResponse struct {
	Bearer    string      `json:"bearer"`    // a token, for the header Authorization
	CSRF      string      `json:"csrf"`      // what a browser sends as X-CSRF-Token beside the cookie
	SessionID string      `json:"sessionId"` // what the cookie session_id is set to
	Config    LoginConfig `json:"config"`    // who signed in
}

// LoginConfig is who signed in.
type LoginConfig struct {
	UserID    string `json:"userId"`    // of the user
	LoginName string `json:"loginName"` // of the user
}

// RefreshRequest asks whether the session of the cookie lasts.
type RefreshRequest struct {
	CSRF string `json:"csrf"` // of the sign-in
}

// RefreshResponse says that it does.
type RefreshResponse struct {
	CSRF   string      `json:"csrf"`   // of the sign-in
	Config LoginConfig `json:"config"` // who is signed in
}

// Session is a sign-in of a user that lasts. Its id is no secret: nobody comes
// in by it.
type Session struct {
	ID      string `json:"id"`                      // by which it is ended
	Kind    string `json:"kind" enum:"sessionKind"` // what signed in, as far as its User-Agent tells
	Agent   string `json:"agent,omitempty"`         // User-Agent of the sign-in; absent for the command line through a browser
	From    string `json:"from,omitempty"`          // network address of the sign-in
	Current bool   `json:"current"`                 // the request was made with it

	CreatedAt  Time `json:"createdAt"`
	LastUsedAt Time `json:"lastUsedAt,omitzero"` // to the minute; of the command line through a browser, when it last fetched tokens
	ExpiresAt  Time `json:"expiresAt"`           // it ends then at the latest
	// UnusedUntil is when it ends unless it is used before; absent for the
	// command line through a browser.
	UnusedUntil Time `json:"unusedUntil,omitzero"`
}

// NewSession is the body for s: current is the session of the request, and idle
// how long one lasts that is not used.
func NewSession(s *convoke.Session, current string, idle time.Duration) Session {
	out := Session{
		ID: s.ID, Kind: string(s.Kind()), Agent: s.Agent, From: s.From, Current: s.ID == current,
		CreatedAt: Time{s.CreatedAt}, LastUsedAt: Time{s.LastUsedAt}, ExpiresAt: Time{s.ExpiresAt},
	}
	if !s.CommandLine {
		out.UnusedUntil = Time{s.LastUsedAt.Add(idle)}
		if out.UnusedUntil.After(s.ExpiresAt) {
			out.UnusedUntil = out.ExpiresAt
		}
	}
	return out
}

// EndedSessions says how many sessions were ended at once.
type EndedSessions struct {
	Ended int `json:"ended"` // how many that were
}
