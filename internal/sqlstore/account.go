package sqlstore

import (
	"context"

	"convoke"
)

const accountColumns = `id, name, created_at`

func scanAccount(r row) (*convoke.Account, error) {
	a := &convoke.Account{}
	return a, r.Scan(&a.ID, &a.Name, timeColumn{&a.CreatedAt})
}

func missingAccount(id string) func() error {
	return func() error { return convoke.Errorf(convoke.CodeNotFound, "account %s does not exist", id) }
}

// CreateAccount adds an account; CodeConflict when the id is taken.
func (s *Store) CreateAccount(ctx context.Context, a *convoke.Account) error {
	err := s.main.write(ctx, func(t tx) error {
		_, err := t.exec(ctx, `INSERT INTO accounts (`+accountColumns+`) VALUES (?, ?, ?)`, a.ID, a.Name, nanos(a.CreatedAt))
		return err
	})
	return onConflict(err, "account %s exists already", a.ID)
}

// FindAccount returns CodeNotFound when there is none.
func (s *Store) FindAccount(ctx context.Context, id string) (*convoke.Account, error) {
	return find(ctx, s.main.read, scanAccount, missingAccount(id),
		`SELECT `+accountColumns+` FROM accounts WHERE id = ?`, id)
}

// ListAccounts returns all accounts, the oldest first.
func (s *Store) ListAccounts(ctx context.Context) ([]*convoke.Account, error) {
	return list(ctx, s.main.read, scanAccount, `SELECT `+accountColumns+` FROM accounts ORDER BY created_at, id`)
}

// lockAccount keeps the account's counts as they are until the transaction
// ends; CodeNotFound when there is no such account.
func lockAccount(ctx context.Context, t tx, id string) error {
	_, err := find(ctx, t.conn, scanAccount, missingAccount(id),
		`SELECT `+accountColumns+` FROM accounts WHERE id = ?`+t.dialect.lockRow, id)
	return err
}
