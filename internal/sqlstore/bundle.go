package sqlstore

import (
	"context"
	"time"

	"convoke"
)

// idleBundleLife is how long a bundle without a deployment stays. It bridges
// the time between PutBundle and the deployment that will name it.
const idleBundleLife = time.Hour

const bundleColumns = `id, account_id, format, contract, cache_runtime, created_at, code, code_cache, source_map`

func scanBundle(r row) (*convoke.Bundle, error) {
	b := &convoke.Bundle{}
	return b, r.Scan(&b.ID, &b.AccountID, &b.Format, &b.Contract, &b.CacheRuntime, timeColumn{&b.CreatedAt},
		&b.Code, &b.CodeCache, &b.SourceMap)
}

func scanText(r row) (string, error) {
	var s string
	return s, r.Scan(&s)
}

// PutBundle stores b unless its id is there already; a code cache that is new
// is taken over. CodeNotFound when there is no such account. A bundle that no
// finished deployment names within an hour is removed.
func (s *Store) PutBundle(ctx context.Context, b *convoke.Bundle) error {
	return s.main.write(ctx, func(t tx) error {
		known, err := t.exec(ctx, `UPDATE bundles SET idle_since = ? WHERE account_id = ? AND id = ? AND idle_since > 0`,
			nanos(time.Now()), b.AccountID, b.ID)
		if err != nil {
			return err
		}
		if known == 0 {
			_, err := t.exec(ctx, `INSERT INTO bundles (`+bundleColumns+`, idle_since) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
				ON CONFLICT (account_id, id) DO NOTHING`,
				b.ID, b.AccountID, b.Format, string(b.Contract), b.CacheRuntime, nanos(b.CreatedAt),
				bytes(b.Code), bytes(b.CodeCache), bytes(b.SourceMap), nanos(time.Now()))
			if err != nil {
				return err
			}
		}
		if len(b.CodeCache) == 0 {
			return nil
		}
		_, err = t.exec(ctx, `UPDATE bundles SET code_cache = ?, cache_runtime = ? WHERE account_id = ? AND id = ?
			AND (code_cache <> ? OR cache_runtime <> ?)`,
			b.CodeCache, b.CacheRuntime, b.AccountID, b.ID, b.CodeCache, b.CacheRuntime)
		return err
	})
}

// FindBundle returns CodeNotFound when there is none.
func (s *Store) FindBundle(ctx context.Context, accountID, id string) (*convoke.Bundle, error) {
	missing := func() error { return convoke.Errorf(convoke.CodeNotFound, "bundle %s does not exist", id) }
	return find(ctx, s.main.read, scanBundle, missing,
		`SELECT `+bundleColumns+` FROM bundles WHERE account_id = ? AND id = ?`, accountID, id)
}

// markUsed keeps a bundle for as long as a deployment names it.
func markUsed(ctx context.Context, t tx, accountID, id string) error {
	_, err := t.exec(ctx, `UPDATE bundles SET idle_since = 0 WHERE account_id = ? AND id = ? AND idle_since > 0`, accountID, id)
	return err
}

// markIdle starts the last hour of those bundles that no deployment names any more.
func markIdle(ctx context.Context, t tx, accountID string, ids []string, at time.Time) error {
	for _, id := range ids {
		_, err := t.exec(ctx, `UPDATE bundles SET idle_since = ? WHERE account_id = ? AND id = ? AND idle_since = 0
			AND NOT EXISTS (SELECT 1 FROM deployments d WHERE d.account_id = ? AND d.bundle_id = ? AND d.bundle_id <> '')`,
			nanos(at), accountID, id, accountID, id)
		if err != nil {
			return err
		}
	}
	return nil
}

// collectBundles removes some of the account's bundles whose last hour is
// over: more than one deployment can leave behind, so that they get fewer.
func collectBundles(ctx context.Context, t tx, accountID string, now time.Time) error {
	_, err := t.exec(ctx, `DELETE FROM bundles WHERE account_id = ? AND id IN (
			SELECT id FROM bundles WHERE account_id = ? AND idle_since > 0 AND idle_since < ? ORDER BY idle_since LIMIT 20)`,
		accountID, accountID, nanos(now.Add(-idleBundleLife)))
	return err
}
