package sqlstore

import (
	"context"

	"convoke"
)

const userColumns = `id, account_id, login_name, password_hash, roles, created_at, updated_at`

func scanUser(r row) (*convoke.User, error) {
	u := &convoke.User{}
	return u, r.Scan(&u.ID, &u.AccountID, &u.LoginName, &u.PasswordHash, jsonColumn{&u.Roles},
		timeColumn{&u.CreatedAt}, timeColumn{&u.UpdatedAt})
}

// CreateUser adds a user; CodeConflict when the login name is taken in the
// account, CodeNotFound when there is no such account.
func (s *Store) CreateUser(ctx context.Context, u *convoke.User) error {
	roles, err := jsonText(u.Roles, len(u.Roles))
	if err != nil {
		return err
	}
	err = s.main.write(ctx, func(t tx) error {
		_, err := t.exec(ctx, `INSERT INTO users (`+userColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			u.ID, u.AccountID, u.LoginName, u.PasswordHash, roles, nanos(u.CreatedAt), nanos(u.UpdatedAt))
		return err
	})
	return onConflict(err, "the login name %q is taken; choose another", u.LoginName)
}

// FindUserByLogin returns CodeNotFound when there is none.
func (s *Store) FindUserByLogin(ctx context.Context, accountID, loginName string) (*convoke.User, error) {
	missing := func() error { return convoke.Errorf(convoke.CodeNotFound, "user %q does not exist", loginName) }
	return find(ctx, s.main.read, scanUser, missing,
		`SELECT `+userColumns+` FROM users WHERE account_id = ? AND login_name = ?`, accountID, loginName)
}
