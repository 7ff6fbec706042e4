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
