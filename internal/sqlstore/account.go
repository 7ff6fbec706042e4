package sqlstore

import (
	"cmp"
	"context"

	"convoke"
)

const accountColumns = `id, name, generation, disabled, limits, created_at, updated_at`

func scanAccount(r row) (*convoke.Account, error) {
	a := &convoke.Account{}
	return a, r.Scan(&a.ID, &a.Name, &a.Generation, &a.Disabled, jsonColumn{&a.Limits}, timeColumn{&a.CreatedAt}, timeColumn{&a.UpdatedAt})
}

func missingAccount(id string) func() error {
	return func() error { return convoke.Errorf(convoke.CodeNotFound, "account %s does not exist", id) }
}

// limitsText is how an account's limits are stored: nothing for none.
func limitsText(l convoke.AccountLimits) (string, error) {
	if l == (convoke.AccountLimits{}) {
		return "", nil
	}
	return jsonText(l, 1)
}

// CreateAccount adds an account; CodeConflict when the id is taken.
func (s *Store) CreateAccount(ctx context.Context, a *convoke.Account) error {
	limits, err := limitsText(a.Limits)
	if err != nil {
		return err
	}
	err = s.main.write(ctx, func(t tx) error {
		_, err := t.exec(ctx, `INSERT INTO accounts (`+accountColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			a.ID, a.Name, string(cmp.Or(a.Generation, convoke.GenerationV2)), flag(a.Disabled), limits, nanos(a.CreatedAt), nanos(a.UpdatedAt))
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

var accountList = listing[*convoke.Account]{
	order: convoke.AccountOrder, columns: accountColumns, from: `accounts`, scan: scanAccount,
	keys: map[string][]column{
		"createdAt": {number("created_at"), text("id")},
		"id":        {text("id")},
		"name":      {text("name"), text("id")},
		"updatedAt": {number("updated_at"), text("id")},
	},
}

// PageAccounts reads a page of all accounts.
func (s *Store) PageAccounts(ctx context.Context, p convoke.Page) ([]*convoke.Account, convoke.Mark, error) {
	where := &filter{}
	where.add(`id <> ''`)
	return accountList.page(ctx, s.main.search, where, p)
}

// UpdateAccount runs change on the stored account and stores what it leaves,
// in one transaction; an error from change is returned as it is. CodeNotFound
// when there is no such account.
func (s *Store) UpdateAccount(ctx context.Context, id string, change func(*convoke.Account) error) (a *convoke.Account, err error) {
	err = s.main.write(ctx, func(t tx) error {
		if a, err = findAccountLocked(ctx, t, id); err != nil {
			return err
		}
		if err := convoke.CheckCondition(ctx, convoke.KindAccount, id, a.Revision); err != nil {
			return err
		}
		if err := change(a); err != nil {
			return err
		}
		limits, err := limitsText(a.Limits)
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, `UPDATE accounts SET name = ?, generation = ?, disabled = ?, limits = ?, updated_at = ? WHERE id = ?`,
			a.Name, string(a.Generation), flag(a.Disabled), limits, nanos(a.UpdatedAt), id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// lockAccount keeps the account's counts as they are until the transaction
// ends; CodeNotFound when there is no such account.
func lockAccount(ctx context.Context, t tx, id string) error {
	_, err := findAccountLocked(ctx, t, id)
	return err
}

func findAccountLocked(ctx context.Context, t tx, id string) (*convoke.Account, error) {
	return find(ctx, t.conn, scanAccount, missingAccount(id),
		`SELECT `+accountColumns+` FROM accounts WHERE id = ?`+t.dialect.lockRow, id)
}

// flag is how a boolean is stored.
func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
