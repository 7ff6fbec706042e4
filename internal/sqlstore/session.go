package sqlstore

import (
	"context"
	"time"

	"convoke"
)

const sessionColumns = `id, account_id, user_id, bearer_hash, cookie_hash, from_addr, agent, created_at, last_used_at, expires_at`

func scanSession(r row) (*convoke.Session, error) {
	s := &convoke.Session{}
	return s, r.Scan(&s.ID, &s.AccountID, &s.UserID, &s.BearerHash, &s.CookieHash, &s.From, &s.Agent,
		timeColumn{&s.CreatedAt}, timeColumn{&s.LastUsedAt}, timeColumn{&s.ExpiresAt})
}

func missingSession() error {
	return convoke.Errorf(convoke.CodeNotFound, "the session does not exist")
}

// CreateSession adds a session and removes the user's oldest ones beyond keep;
// CodeNotFound when there is no such user.
func (s *Store) CreateSession(ctx context.Context, n *convoke.Session, keep int) error {
	return s.main.write(ctx, func(t tx) error {
		_, err := t.exec(ctx, `INSERT INTO sessions (`+sessionColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			n.ID, n.AccountID, n.UserID, n.BearerHash, n.CookieHash, n.From, n.Agent, nanos(n.CreatedAt), nanos(n.LastUsedAt), nanos(n.ExpiresAt))
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, `DELETE FROM sessions WHERE account_id = ? AND user_id = ? AND id NOT IN (
			SELECT id FROM sessions WHERE account_id = ? AND user_id = ?
			ORDER BY CASE WHEN id = ? THEN 0 ELSE 1 END, created_at DESC, id LIMIT ?)`,
			n.AccountID, n.UserID, n.AccountID, n.UserID, n.ID, keep)
		return err
	})
}

// FindSessionByHash finds a session by the hash of its bearer or its cookie;
// CodeNotFound when there is none.
func (s *Store) FindSessionByHash(ctx context.Context, hash []byte) (*convoke.Session, error) {
	return find(ctx, s.main.read, scanSession, missingSession,
		`SELECT `+sessionColumns+` FROM sessions WHERE bearer_hash = ? OR cookie_hash = ?`, hash, hash)
}

// userSessions are the sessions of users with what counts as one: the grants to
// the command line that were given, whose code was fetched or still can be.
const userSessions = `(
	SELECT id, account_id, user_id, from_addr, agent, created_at, last_used_at, expires_at, 0 AS command_line, 0 AS code_expires_at
		FROM sessions
	UNION ALL
	SELECT id, account_id, user_id, from_addr, '', created_at, last_used_at, expires_at, 1,
			CASE WHEN code_used_at <> 0 THEN expires_at ELSE code_expires_at END
		FROM grants WHERE client_id = '` + convoke.CommandLineID + `' AND revoked_at = 0
) AS s`

const userSessionColumns = `id, account_id, user_id, from_addr, agent, created_at, last_used_at, expires_at, command_line`

func scanUserSession(r row) (*convoke.Session, error) {
	s := &convoke.Session{}
	return s, r.Scan(&s.ID, &s.AccountID, &s.UserID, &s.From, &s.Agent,
		timeColumn{&s.CreatedAt}, timeColumn{&s.LastUsedAt}, timeColumn{&s.ExpiresAt}, &s.CommandLine)
}

// sessionsOf selects the sessions of a user that last.
func sessionsOf(accountID, userID string, last convoke.SessionsAt) *filter {
	where := &filter{}
	where.add(`account_id = ? AND user_id = ? AND expires_at > ?`, accountID, userID, nanos(last.At))
	where.add(`(command_line = 0 AND last_used_at > ? OR command_line = 1 AND code_expires_at > ?)`, nanos(last.Idle), nanos(last.At))
	return where
}

// FindUserSession finds a session of a user that lasts, a sign-in of the
// command line too; CodeNotFound when there is none.
func (s *Store) FindUserSession(ctx context.Context, accountID, userID, id string, last convoke.SessionsAt) (*convoke.Session, error) {
	where := sessionsOf(accountID, userID, last)
	where.add(`id = ?`, id)
	return find(ctx, s.main.read, scanUserSession, missingSession, `SELECT `+userSessionColumns+` FROM `+userSessions+` WHERE `+where.String(), where.args...)
}

// A user has few sessions: they are sorted when they are asked for.
var sessionList = listing[*convoke.Session]{
	order: convoke.SessionOrder, columns: userSessionColumns, from: userSessions, scan: scanUserSession,
	keys: map[string][]column{
		"createdAt":  {number("created_at"), text("id")},
		"lastUsedAt": {number("last_used_at"), text("id")},
		"expiresAt":  {number("expires_at"), text("id")},
	},
}

// PageSessions reads a page of a user's sessions that last.
func (s *Store) PageSessions(ctx context.Context, accountID, userID string, last convoke.SessionsAt, p convoke.Page) ([]*convoke.Session, convoke.Mark, error) {
	return sessionList.page(ctx, s.main.search, sessionsOf(accountID, userID, last), p)
}

// TouchSession records a use, to the minute: a second use in the same minute
// writes nothing, and neither does that of a session that is gone.
func (s *Store) TouchSession(ctx context.Context, id string, at time.Time) error {
	at = at.UTC().Truncate(time.Minute)
	return s.main.write(ctx, func(t tx) error {
		_, err := t.exec(ctx, `UPDATE sessions SET last_used_at = ? WHERE id = ? AND last_used_at < ?`, nanos(at), id, nanos(at))
		return err
	})
}

// DeleteSession ends a session; one that is gone is fine.
func (s *Store) DeleteSession(ctx context.Context, accountID, id string) error {
	return s.main.write(ctx, func(t tx) error {
		_, err := t.exec(ctx, `DELETE FROM sessions WHERE account_id = ? AND id = ?`, accountID, id)
		return err
	})
}

// DeleteUserSessions ends all sessions of a user but the one to keep.
func (s *Store) DeleteUserSessions(ctx context.Context, accountID, userID, keep string) error {
	return s.main.write(ctx, func(t tx) error {
		_, err := t.exec(ctx, `DELETE FROM sessions WHERE account_id = ? AND user_id = ? AND id <> ?`, accountID, userID, keep)
		return err
	})
}

// DeleteSessionsBefore removes at most limit sessions that expired before at
// or were last used before idle, and returns how many.
func (s *Store) DeleteSessionsBefore(ctx context.Context, at, idle time.Time, limit int) (int, error) {
	var n int64
	err := s.main.write(ctx, func(t tx) (err error) {
		n, err = t.exec(ctx, `DELETE FROM sessions WHERE id IN (
			SELECT id FROM sessions WHERE expires_at < ? OR last_used_at < ? LIMIT ?)`, nanos(at), nanos(idle), limit)
		return err
	})
	return int(n), err
}
