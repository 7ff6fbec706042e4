package sqlstore

import (
	"context"
	"time"

	"convoke"
)

const grantColumns = `id, account_id, client_id, user_id, created_at, expires_at, revoked_at, code_expires_at, code_used_at, redirect_given,
	code_hash, refresh_hash, key_thumbprint, scopes, challenge, nonce, redirect_uri, from_addr, last_used_at`

func scanGrant(r row) (*convoke.Grant, error) {
	g := &convoke.Grant{}
	return g, r.Scan(&g.ID, &g.AccountID, &g.ClientID, &g.UserID, timeColumn{&g.CreatedAt}, timeColumn{&g.ExpiresAt}, timeColumn{&g.RevokedAt},
		timeColumn{&g.CodeExpiresAt}, timeColumn{&g.CodeUsedAt}, &g.RedirectGiven,
		&g.CodeHash, &g.RefreshHash, &g.KeyThumbprint, jsonColumn{&g.Scopes}, &g.Challenge, &g.Nonce, &g.RedirectURI,
		&g.From, timeColumn{&g.LastUsedAt})
}

func missingGrant() error {
	return convoke.Errorf(convoke.CodeNotFound, "the grant does not exist")
}

// CreateGrant adds a grant; CodeConflict when its id is taken, CodeNotFound
// when there is no such account or client.
func (s *Store) CreateGrant(ctx context.Context, g *convoke.Grant) error {
	scopes, err := jsonText(g.Scopes, len(g.Scopes))
	if err != nil {
		return err
	}
	return s.main.write(ctx, func(t tx) error {
		if g.ClientID == convoke.CommandLineID {
			if err := anchorCommandLine(ctx, t, g.AccountID); err != nil {
				return err
			}
		}
		_, err := t.exec(ctx, `INSERT INTO grants (`+grantColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			g.ID, g.AccountID, g.ClientID, g.UserID, nanos(g.CreatedAt), nanos(g.ExpiresAt), nanos(g.RevokedAt), nanos(g.CodeExpiresAt), nanos(g.CodeUsedAt),
			flag(g.RedirectGiven), bytes(g.CodeHash), bytes(g.RefreshHash), g.KeyThumbprint, scopes, g.Challenge, g.Nonce, g.RedirectURI,
			g.From, nanos(g.LastUsedAt))
		return err
	})
}

// anchorCommandLine makes the row that grants for the command line refer to.
// That client is the same in all accounts and stands in the program: the row
// belongs to whichever account needed it first and has no name, which keeps it
// out of everything that deals with clients.
func anchorCommandLine(ctx context.Context, t tx, accountID string) error {
	_, err := t.exec(ctx, `INSERT INTO clients (`+clientColumns+`) VALUES (?, ?, '', 1, 0, 0, '', 0, '', 0, 0, '[]', '[]', '[]', '[]') ON CONFLICT (id) DO NOTHING`,
		convoke.CommandLineID, accountID)
	return err
}

// FindGrant returns CodeNotFound when there is none.
func (s *Store) FindGrant(ctx context.Context, id string) (*convoke.Grant, error) {
	return find(ctx, s.main.read, scanGrant, missingGrant, `SELECT `+grantColumns+` FROM grants WHERE id = ?`, id)
}

// ListGrants returns a user's grants, the newest first, also those that have
// ended as long as they are stored.
func (s *Store) ListGrants(ctx context.Context, accountID, userID string) ([]*convoke.Grant, error) {
	return list(ctx, s.main.read, scanGrant, `SELECT `+grantColumns+` FROM grants WHERE account_id = ? AND user_id = ? ORDER BY created_at DESC, id`, accountID, userID)
}

var grantList = listing[*convoke.Grant]{
	order: convoke.ConsentOrder, columns: grantColumns, from: `grants`, scan: scanGrant,
	keys: map[string][]column{
		"createdAt":  {number("created_at"), text("id")},
		"lastUsedAt": {number("last_used_at"), text("id")},
		"expiresAt":  {number("expires_at"), text("id")},
	},
}

// PageGrants reads a page of a user's grants that are consents which hold at
// that time, as convoke.Grant.Given says.
func (s *Store) PageGrants(ctx context.Context, accountID, userID string, at time.Time, p convoke.Page) ([]*convoke.Grant, convoke.Mark, error) {
	where := &filter{}
	where.add(`account_id = ? AND user_id = ? AND revoked_at = 0 AND expires_at > ? AND (code_used_at <> 0 OR code_expires_at > ?)`,
		accountID, userID, nanos(at), nanos(at))
	return grantList.page(ctx, s.main.search, where, p)
}

// UpdateGrant runs change on the stored grant inside one write transaction and
// stores what it leaves of the code's use, the refresh token, the last use and
// the revocation: the rest of a grant never changes. An error from change is
// returned as it is and nothing is stored. CodeNotFound when there is none.
func (s *Store) UpdateGrant(ctx context.Context, id string, change func(*convoke.Grant) error) (*convoke.Grant, error) {
	var g *convoke.Grant
	err := s.main.write(ctx, func(t tx) (err error) {
		if g, err = find(ctx, t.conn, scanGrant, missingGrant, `SELECT `+grantColumns+` FROM grants WHERE id = ?`+t.dialect.lockRow, id); err != nil {
			return err
		}
		if err := change(g); err != nil {
			return err
		}
		_, err = t.exec(ctx, `UPDATE grants SET code_used_at = ?, refresh_hash = ?, key_thumbprint = ?, last_used_at = ?, revoked_at = ? WHERE id = ?`,
			nanos(g.CodeUsedAt), bytes(g.RefreshHash), g.KeyThumbprint, nanos(g.LastUsedAt), nanos(g.RevokedAt), id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return g, nil
}

// DeleteGrantsBefore removes at most limit grants that expired before that
// time and returns how many.
func (s *Store) DeleteGrantsBefore(ctx context.Context, before time.Time, limit int) (int, error) {
	var n int64
	err := s.main.write(ctx, func(t tx) (err error) {
		n, err = t.exec(ctx, `DELETE FROM grants WHERE id IN (SELECT id FROM grants WHERE expires_at < ? ORDER BY expires_at LIMIT ?)`, nanos(before), limit)
		return err
	})
	return int(n), err
}
