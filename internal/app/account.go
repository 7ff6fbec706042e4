package app

import (
	"context"

	"convoke/internal/account"
	"convoke/internal/sqlstore"
)

// usedBy counts what accounts have of what is limited, by the name of the limit.
func usedBy(store *sqlstore.Store) map[string]account.Used {
	return map[string]account.Used{
		"functionsPerAccount": func(ctx context.Context, accountID string) (int, error) {
			total, _, err := store.CountFunctions(ctx, accountID)
			return total, err
		},
		"concurrentDeployments": func(ctx context.Context, accountID string) (int, error) {
			// Over all accounts there are no more than are under way at this moment.
			busy, err := store.ListBusyFunctions(ctx)
			n := 0
			for _, f := range busy {
				if f.AccountID == accountID && f.PendingDeploymentID != "" {
					n++
				}
			}
			return n, err
		},
	}
}
