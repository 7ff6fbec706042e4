package sqlstore

import (
	"context"

	"convoke"
)

const secretColumns = `account_id, name, type, version, key_id, created_at, created_by, updated_at, updated_by`

func secretDest(s *convoke.StoredSecret) []any {
	return []any{&s.AccountID, &s.Name, &s.Type, &s.Version, &s.KeyID,
		timeColumn{&s.CreatedAt}, &s.CreatedBy, timeColumn{&s.UpdatedAt}, &s.UpdatedBy}
}

func scanSecret(r row) (*convoke.StoredSecret, error) {
	s := &convoke.StoredSecret{}
	return s, r.Scan(secretDest(s)...)
}

func scanSealedSecret(r row) (*convoke.StoredSecret, error) {
	s := &convoke.StoredSecret{}
	return s, r.Scan(append(secretDest(s), &s.Sealed)...)
}

func missingSecret(name string) func() error {
	return func() error { return convoke.Errorf(convoke.CodeNotFound, "there is no secret %s", name) }
}

// PutSecret runs change on the stored secret, nil when there is none, inside
// one write transaction and stores what it returns. An error from change is
// returned as it is. CodeLimitExceeded when the secret would be a new one and
// the account has limit already (0: no limit), CodeNotFound when there is no
// such account.
func (s *Store) PutSecret(ctx context.Context, accountID, name string, limit int, change func(old *convoke.StoredSecret) (*convoke.StoredSecret, error)) error {
	return s.main.write(ctx, func(t tx) error {
		if err := lockAccount(ctx, t, accountID); err != nil {
			return err
		}
		absent := func() error { return nil } // find returns a nil secret then
		old, err := find(ctx, t.conn, scanSealedSecret, absent,
			`SELECT `+secretColumns+`, sealed FROM secrets WHERE account_id = ? AND name = ?`, accountID, name)
		if err != nil {
			return err
		}
		if err := checkSecret(ctx, name, old); err != nil {
			return err
		}
		if old == nil && limit > 0 {
			n, err := find(ctx, t.conn, scanCount, never, `SELECT COUNT(*) FROM secrets WHERE account_id = ?`, accountID)
			if err != nil {
				return err
			}
			if n >= limit {
				return convoke.Errorf(convoke.CodeLimitExceeded, "the account has %d secrets, the most it may have; remove one first", n)
			}
		}
		changed, err := change(old)
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, `INSERT INTO secrets (`+secretColumns+`, sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (account_id, name) DO UPDATE SET type = excluded.type, version = excluded.version, key_id = excluded.key_id,
				created_at = excluded.created_at, created_by = excluded.created_by,
				updated_at = excluded.updated_at, updated_by = excluded.updated_by, sealed = excluded.sealed`,
			accountID, name, string(changed.Type), changed.Version, changed.KeyID,
			nanos(changed.CreatedAt), changed.CreatedBy, nanos(changed.UpdatedAt), changed.UpdatedBy, bytes(changed.Sealed))
		return err
	})
}

// FindSecret returns CodeNotFound when there is none.
func (s *Store) FindSecret(ctx context.Context, accountID, name string) (*convoke.StoredSecret, error) {
	return find(ctx, s.main.read, scanSealedSecret, missingSecret(name),
		`SELECT `+secretColumns+`, sealed FROM secrets WHERE account_id = ? AND name = ?`, accountID, name)
}

// ListSecrets returns an account's secrets in order of name, without what is
// sealed.
func (s *Store) ListSecrets(ctx context.Context, accountID string) ([]*convoke.StoredSecret, error) {
	return list(ctx, s.main.read, scanSecret,
		`SELECT `+secretColumns+` FROM secrets WHERE account_id = ? ORDER BY name`, accountID)
}

var secretList = listing[*convoke.StoredSecret]{
	order: convoke.SecretOrder, columns: secretColumns, from: `secrets`, scan: scanSecret,
	keys: map[string][]column{
		"name":      {text("name")},
		"createdAt": {number("created_at"), text("name")},
		"updatedAt": {number("updated_at"), text("name")},
	},
}

// PageSecrets reads a page of an account's secrets without what is sealed, the
// platform's own only with system.
func (s *Store) PageSecrets(ctx context.Context, accountID string, system bool, p convoke.Page) ([]*convoke.StoredSecret, convoke.Mark, error) {
	where := &filter{}
	where.add(`account_id = ?`, accountID)
	if !system {
		prefix, names := convoke.SystemSecrets()
		where.add(`substr(name, 1, ?) <> ?`, len(prefix), prefix)
		for _, name := range names {
			where.add(`name <> ?`, name)
		}
	}
	return secretList.page(ctx, s.main.search, where, p)
}

// DeleteSecret returns CodeNotFound when there is none.
func (s *Store) DeleteSecret(ctx context.Context, accountID, name string) error {
	return s.main.write(ctx, func(t tx) error {
		e, err := find(ctx, t.conn, scanSecret, missingSecret(name),
			`SELECT `+secretColumns+` FROM secrets WHERE account_id = ? AND name = ?`+t.dialect.lockRow, accountID, name)
		if err != nil {
			return err
		}
		if err := checkSecret(ctx, name, e); err != nil {
			return err
		}
		_, err = t.exec(ctx, `DELETE FROM secrets WHERE account_id = ? AND name = ?`, accountID, name)
		return err
	})
}

// checkSecret holds the condition of ctx against a secret, nil for none: that
// is like no revision.
func checkSecret(ctx context.Context, name string, e *convoke.StoredSecret) error {
	revision := func() string { return "" }
	if e != nil {
		revision = e.Revision
	}
	return convoke.CheckCondition(ctx, convoke.KindSecret, name, revision)
}

// CountSecretsByKey says, over all accounts, how many secrets each master key
// seals.
func (s *Store) CountSecretsByKey(ctx context.Context) (map[uint32]int, error) {
	counts := map[uint32]int{}
	scan := func(r row) (struct{}, error) {
		var key uint32
		var n int
		err := r.Scan(&key, &n)
		counts[key] = n
		return struct{}{}, err
	}
	_, err := list(ctx, s.main.read, scan, `SELECT key_id, COUNT(*) FROM secrets GROUP BY key_id`)
	return counts, err
}

// ListSecretsToReseal returns secrets of all accounts that another master key
// than keyID seals, in order of account and name: at most limit of those
// behind after, nil for the first.
func (s *Store) ListSecretsToReseal(ctx context.Context, keyID uint32, after *convoke.StoredSecret, limit int) ([]*convoke.StoredSecret, error) {
	if after == nil {
		after = &convoke.StoredSecret{}
	}
	return list(ctx, s.main.read, scanSealedSecret, `SELECT `+secretColumns+`, sealed FROM secrets
		WHERE key_id <> ? AND (account_id, name) > (?, ?) ORDER BY account_id, name LIMIT ?`, keyID, after.AccountID, after.Name, limit)
}

// ResealSecrets stores what is sealed, and by which key, of secrets that still
// have the version given, in one transaction.
func (s *Store) ResealSecrets(ctx context.Context, secrets []*convoke.StoredSecret) error {
	return s.main.write(ctx, func(t tx) error {
		for _, e := range secrets {
			// One that was removed and set again has a version that may be the
			// same, but it is under the new key already.
			_, err := t.exec(ctx, `UPDATE secrets SET sealed = ?, key_id = ? WHERE account_id = ? AND name = ? AND version = ? AND key_id <> ?`,
				e.Sealed, e.KeyID, e.AccountID, e.Name, e.Version, e.KeyID)
			if err != nil {
				return err
			}
		}
		return nil
	})
}
