package sqlstore

import (
	"context"
	"time"

	"convoke"
)

const userColumns = `id, account_id, login_name, login_key, password_hash, external_id, roles, disabled, must_change_password,
	created_at, updated_at, last_login_at`

func scanUser(r row) (*convoke.User, error) {
	u := &convoke.User{}
	var key string
	return u, r.Scan(&u.ID, &u.AccountID, &u.LoginName, &key, &u.PasswordHash, &u.ExternalID, jsonColumn{&u.Roles}, &u.Disabled, &u.MustChangePassword,
		timeColumn{&u.CreatedAt}, timeColumn{&u.UpdatedAt}, timeColumn{&u.LastLoginAt})
}

func missingUser(name string) func() error {
	return func() error { return convoke.Errorf(convoke.CodeNotFound, "user %q does not exist", name) }
}

// CreateUser adds a user; CodeConflict when the login name or the external id
// is taken in the account, CodeLimitExceeded when the account has limit (0: no
// limit) users, CodeNotFound when there is no such account.
func (s *Store) CreateUser(ctx context.Context, u *convoke.User, limit int) error {
	roles, err := jsonText(u.Roles, len(u.Roles))
	if err != nil {
		return err
	}
	err = s.main.write(ctx, func(t tx) error {
		if limit > 0 {
			if err := lockAccount(ctx, t, u.AccountID); err != nil {
				return err
			}
			n, err := find(ctx, t.conn, scanCount, never, `SELECT COUNT(*) FROM users WHERE account_id = ?`, u.AccountID)
			if err != nil {
				return err
			}
			if n >= limit {
				return convoke.Errorf(convoke.CodeLimitExceeded, "the account has %d users, the most it may have; remove one first", n)
			}
		}
		_, err := t.exec(ctx, `INSERT INTO users (`+userColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			u.ID, u.AccountID, u.LoginName, convoke.LoginKey(u.LoginName), u.PasswordHash, u.ExternalID, roles, flag(u.Disabled), flag(u.MustChangePassword),
			nanos(u.CreatedAt), nanos(u.UpdatedAt), nanos(u.LastLoginAt))
		return err
	})
	return onConflict(err, "the login name %q is taken; choose another", u.LoginName)
}

// FindUser returns CodeNotFound when there is none.
func (s *Store) FindUser(ctx context.Context, accountID, id string) (*convoke.User, error) {
	return find(ctx, s.main.read, scanUser, missingUser(id),
		`SELECT `+userColumns+` FROM users WHERE account_id = ? AND id = ?`, accountID, id)
}

// FindUserByLogin finds a user by login name, upper and lower case alike;
// CodeNotFound when there is none.
func (s *Store) FindUserByLogin(ctx context.Context, accountID, loginName string) (*convoke.User, error) {
	return find(ctx, s.main.read, scanUser, missingUser(loginName),
		`SELECT `+userColumns+` FROM users WHERE account_id = ? AND login_key = ?`, accountID, convoke.LoginKey(loginName))
}

// FindUserByExternalID finds who signs in through an OpenID Connect provider;
// CodeNotFound when there is none.
func (s *Store) FindUserByExternalID(ctx context.Context, accountID, externalID string) (*convoke.User, error) {
	return find(ctx, s.main.read, scanUser, missingUser(externalID),
		`SELECT `+userColumns+` FROM users WHERE account_id = ? AND external_id = ? AND external_id <> ''`, accountID, externalID)
}

// ListUsers returns the users of an account in order of login name.
func (s *Store) ListUsers(ctx context.Context, accountID string) ([]*convoke.User, error) {
	return list(ctx, s.main.read, scanUser,
		`SELECT `+userColumns+` FROM users WHERE account_id = ? ORDER BY login_key, id`, accountID)
}

// UpdateUser runs change on the stored user and stores what it leaves, in one
// transaction; an error from change is returned as it is. The login name
// stays. CodeNotFound when there is none, CodeConflict when the external id is
// another user's.
func (s *Store) UpdateUser(ctx context.Context, accountID, id string, change func(u *convoke.User, governing int) error) (u *convoke.User, err error) {
	err = s.main.write(ctx, func(t tx) error {
		var governing int
		if u, governing, err = lockUser(ctx, t, accountID, id); err != nil {
			return err
		}
		if err := change(u, governing); err != nil {
			return err
		}
		roles, err := jsonText(u.Roles, len(u.Roles))
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, `UPDATE users SET password_hash = ?, external_id = ?, roles = ?, disabled = ?, must_change_password = ?, updated_at = ?, last_login_at = ?
			WHERE account_id = ? AND id = ?`,
			u.PasswordHash, u.ExternalID, roles, flag(u.Disabled), flag(u.MustChangePassword), nanos(u.UpdatedAt), nanos(u.LastLoginAt), accountID, id)
		return err
	})
	if err != nil {
		return nil, onConflict(err, "another user has that identity at the provider already")
	}
	return u, nil
}

// DeleteUser removes a user with his sessions and revokes his tokens, after
// check agrees, in one transaction; an error from check is returned as it is.
// CodeNotFound when there is none.
func (s *Store) DeleteUser(ctx context.Context, accountID, id string, at time.Time, check func(u *convoke.User, governing int) error) error {
	return s.main.write(ctx, func(t tx) error {
		u, governing, err := lockUser(ctx, t, accountID, id)
		if err != nil {
			return err
		}
		if err := check(u, governing); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `UPDATE tokens SET revoked_at = ? WHERE account_id = ? AND user_id = ? AND user_id <> '' AND revoked_at = 0`, nanos(at), accountID, id); err != nil {
			return err
		}
		_, err = t.exec(ctx, `DELETE FROM users WHERE account_id = ? AND id = ?`, accountID, id)
		return err
	})
}

// lockUser reads a user and counts who else governs the account, as it stays
// until the transaction ends.
func lockUser(ctx context.Context, t tx, accountID, id string) (*convoke.User, int, error) {
	if err := lockAccount(ctx, t, accountID); convoke.ErrorCode(err) == convoke.CodeNotFound {
		return nil, 0, missingUser(id)()
	} else if err != nil {
		return nil, 0, err
	}
	all, err := list(ctx, t.conn, scanUser, `SELECT `+userColumns+` FROM users WHERE account_id = ?`, accountID)
	if err != nil {
		return nil, 0, err
	}
	var found *convoke.User
	governing := 0
	for _, u := range all {
		switch {
		case u.ID == id:
			found = u
		case u.Governs():
			governing++
		}
	}
	if found == nil {
		return nil, 0, missingUser(id)()
	}
	return found, governing, convoke.CheckCondition(ctx, convoke.KindUser, id, found.Revision)
}

var userList = listing[*convoke.User]{
	order: convoke.UserOrder, columns: userColumns, from: `users`, scan: scanUser,
	keys: map[string][]column{
		"loginName":   {text("login_key"), text("id")},
		"createdAt":   {number("created_at"), text("id")},
		"updatedAt":   {number("updated_at"), text("id")},
		"lastLoginAt": {number("last_login_at"), text("id")},
	},
}

// PageUsers reads a page of an account's users.
func (s *Store) PageUsers(ctx context.Context, accountID string, p convoke.Page) ([]*convoke.User, convoke.Mark, error) {
	where := &filter{}
	where.add(`account_id = ?`, accountID)
	return userList.page(ctx, s.main.search, where, p)
}
