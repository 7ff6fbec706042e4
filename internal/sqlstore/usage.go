package sqlstore

import (
	"context"
	"time"

	"convoke"
)

func scanUsage(r row) (u convoke.Usage, err error) {
	return u, r.Scan(&u.AccountID, timeColumn{&u.Month}, &u.Invocations)
}

// AddUsage adds to what is there for the same account and month, all in one
// transaction. Of an account that does not exist nothing is kept.
func (s *Store) AddUsage(ctx context.Context, usage []convoke.Usage) error {
	if len(usage) == 0 {
		return nil
	}
	return s.main.write(ctx, func(t tx) error {
		for _, u := range usage {
			_, err := t.exec(ctx, `INSERT INTO usage (account_id, month, invocations) SELECT id, ?, ? FROM accounts WHERE id = ?
				ON CONFLICT (account_id, month) DO UPDATE SET invocations = usage.invocations + excluded.invocations`,
				nanos(convoke.MonthOf(u.Month)), u.Invocations, u.AccountID)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// ListUsage returns what the accounts have used in a month, those that have
// used nothing left out, in order of account.
func (s *Store) ListUsage(ctx context.Context, month time.Time) ([]convoke.Usage, error) {
	return list(ctx, s.main.read, scanUsage,
		`SELECT account_id, month, invocations FROM usage WHERE month = ? ORDER BY account_id`, nanos(convoke.MonthOf(month)))
}
