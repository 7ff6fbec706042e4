package convoke

import (
	"context"
	"strings"
	"time"
)

// Session is one sign-in of a user. It is presented in one of two ways: by
// programs as a bearer token, by browsers as a cookie. Only the SHA-256 of
// either text is kept.
type Session struct {
	ID         string
	AccountID  string
	UserID     string
	BearerHash []byte
	CookieHash []byte
	From       string // network address of the sign-in
	Agent      string // User-Agent of the sign-in
	CreatedAt  time.Time
	LastUsedAt time.Time // kept to the minute
	ExpiresAt  time.Time
	// CommandLine says that it is a grant to the command line, which counts as
	// a session of that id (docs/adr/0017). It has neither hash nor agent, and
	// was last used when it last brought tokens. Only PageSessions and
	// FindUserSession return such ones.
	CommandLine bool
}

// SessionKind is what a user signed in with.
type SessionKind string

const (
	SessionBrowser     SessionKind = "browser"
	SessionCommandLine SessionKind = "commandLine"
	SessionProgram     SessionKind = "program" // anything else, such as the reference's tools
)

// SessionKinds lists them.
var SessionKinds = []SessionKind{SessionBrowser, SessionCommandLine, SessionProgram}

// CommandLineAgent begins the User-Agent of the command line.
const CommandLineAgent = "convoke-cli/"

// Kind is what the session was begun with, as far as its User-Agent tells: who
// lies about that only looks like something else to himself.
func (s *Session) Kind() SessionKind {
	switch {
	case s.CommandLine || strings.HasPrefix(s.Agent, CommandLineAgent):
		return SessionCommandLine
	case strings.HasPrefix(s.Agent, "Mozilla/"): // of every browser
		return SessionBrowser
	}
	return SessionProgram
}

// SessionsAt selects the sessions that last at At: neither expired nor, but for
// sign-ins of the command line, unused since Idle.
type SessionsAt struct{ At, Idle time.Time }

// SessionStore keeps sessions.
type SessionStore interface {
	// CreateSession adds s and removes the user's oldest sessions beyond keep;
	// CodeNotFound when there is no such user.
	CreateSession(ctx context.Context, s *Session, keep int) error
	// FindSessionByHash finds a session by the hash of its bearer or cookie;
	// CodeNotFound when there is none. Sessions that have ended by time are
	// returned as long as they are stored.
	FindSessionByHash(ctx context.Context, hash []byte) (*Session, error)
	// FindUserSession finds a session of a user that lasts, a sign-in of the
	// command line too, without its hashes; CodeNotFound when there is none.
	FindUserSession(ctx context.Context, accountID, userID, id string, last SessionsAt) (*Session, error)
	// TouchSession records a use, to the minute; a session that is gone is fine.
	TouchSession(ctx context.Context, id string, at time.Time) error
	// DeleteSession ends a session; one that is gone is fine.
	DeleteSession(ctx context.Context, accountID, id string) error
	// DeleteUserSessions ends all sessions of a user but the one to keep.
	DeleteUserSessions(ctx context.Context, accountID, userID, keep string) error
	// DeleteSessionsBefore removes at most limit sessions that expired before
	// at or were last used before idle, and returns how many.
	DeleteSessionsBefore(ctx context.Context, at, idle time.Time, limit int) (int, error)
}
