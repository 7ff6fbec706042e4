package sqlstore

import (
	"context"
	"time"

	"convoke"
)

const tokenColumns = `id, account_id, user_id, name, hash, roles, created_at, created_by, expires_at, revoked_at, last_used_at`

func scanToken(r row) (*convoke.Token, error) {
	t := &convoke.Token{}
	return t, r.Scan(&t.ID, &t.AccountID, &t.UserID, &t.Name, &t.Hash, jsonColumn{&t.Roles},
		timeColumn{&t.CreatedAt}, &t.CreatedBy, timeColumn{&t.ExpiresAt}, timeColumn{&t.RevokedAt}, timeColumn{&t.LastUsedAt})
}

func missingToken() error {
	return convoke.Errorf(convoke.CodeNotFound, "the token does not exist")
}

// CreateToken adds a token; CodeConflict when its id or hash is taken,
// CodeNotFound when there is no such account.
func (s *Store) CreateToken(ctx context.Context, token *convoke.Token) error {
	roles, err := jsonText(token.Roles, len(token.Roles))
	if err != nil {
		return err
	}
	err = s.main.write(ctx, func(t tx) error {
		_, err := t.exec(ctx, `INSERT INTO tokens (`+tokenColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			token.ID, token.AccountID, token.UserID, token.Name, token.Hash, roles,
			nanos(token.CreatedAt), token.CreatedBy, nanos(token.ExpiresAt), nanos(token.RevokedAt), nanos(token.LastUsedAt))
		return err
	})
	return onConflict(err, "the token exists already")
}

// FindTokenByHash returns CodeNotFound when there is none. Expired and
// revoked tokens are returned too.
func (s *Store) FindTokenByHash(ctx context.Context, hash []byte) (*convoke.Token, error) {
	return find(ctx, s.main.read, scanToken, missingToken,
		`SELECT `+tokenColumns+` FROM tokens WHERE hash = ?`, hash)
}

// ListTokens returns the tokens of an account, the oldest first.
func (s *Store) ListTokens(ctx context.Context, accountID string) ([]*convoke.Token, error) {
	return list(ctx, s.main.read, scanToken,
		`SELECT `+tokenColumns+` FROM tokens WHERE account_id = ? ORDER BY created_at, id`, accountID)
}

// RevokeToken ends a token; the first time counts. CodeNotFound when there is none.
func (s *Store) RevokeToken(ctx context.Context, accountID, id string, at time.Time) error {
	return s.main.write(ctx, func(t tx) error {
		n, err := t.exec(ctx, `UPDATE tokens SET revoked_at = CASE WHEN revoked_at = 0 THEN ? ELSE revoked_at END
			WHERE id = ? AND account_id = ?`, nanos(at), id, accountID)
		if err == nil && n == 0 {
			return missingToken()
		}
		return err
	})
}

// TouchToken records a use, to the minute: a second use in the same minute
// writes nothing. CodeNotFound when there is no such token.
func (s *Store) TouchToken(ctx context.Context, id string, at time.Time) error {
	at = at.UTC().Truncate(time.Minute)
	scan := func(r row) (last time.Time, err error) { return last, r.Scan(timeColumn{&last}) }
	last, err := find(ctx, s.main.read, scan, missingToken, `SELECT last_used_at FROM tokens WHERE id = ?`, id)
	if err != nil || !at.After(last) {
		return err
	}
	return s.main.write(ctx, func(t tx) error {
		_, err := t.exec(ctx, `UPDATE tokens SET last_used_at = ? WHERE id = ? AND last_used_at < ?`, nanos(at), id, nanos(at))
		return err
	})
}

var tokenList = listing[*convoke.Token]{
	order: convoke.TokenOrder, columns: tokenColumns, from: `tokens`, scan: scanToken,
	keys: map[string][]column{
		"createdAt":  {number("created_at"), text("id")},
		"name":       {text("name"), text("id")},
		"expiresAt":  {number("expires_at"), text("id")},
		"lastUsedAt": {number("last_used_at"), text("id")},
	},
}

// PageTokens reads a page of an account's tokens, or with userID of a user's.
func (s *Store) PageTokens(ctx context.Context, accountID, userID string, p convoke.Page) ([]*convoke.Token, convoke.Mark, error) {
	where := &filter{}
	where.add(`account_id = ?`, accountID)
	if userID != "" {
		where.add(`user_id = ?`, userID)
	}
	return tokenList.page(ctx, s.main.search, where, p)
}
