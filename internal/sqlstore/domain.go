package sqlstore

import (
	"context"

	"convoke"
)

const domainColumns = `id, account_id, name, port, created_at, created_by`

func scanDomain(r row) (*convoke.Domain, error) {
	d := &convoke.Domain{}
	return d, r.Scan(&d.ID, &d.AccountID, &d.Name, &d.Port, timeColumn{&d.CreatedAt}, &d.CreatedBy)
}

// CreateDomain adds an entry to an account's allow-list; CodeConflict when it
// has one of that name and port, CodeLimitExceeded when it has limit entries
// (0: no limit), CodeNotFound when there is no such account.
func (s *Store) CreateDomain(ctx context.Context, d *convoke.Domain, limit int) error {
	err := s.main.write(ctx, func(t tx) error {
		if err := lockAccount(ctx, t, d.AccountID); err != nil {
			return err
		}
		_, err := t.exec(ctx, `INSERT INTO domains (`+domainColumns+`) VALUES (?, ?, ?, ?, ?, ?)`,
			d.ID, d.AccountID, d.Name, d.Port, nanos(d.CreatedAt), d.CreatedBy)
		if err != nil || limit <= 0 {
			return err
		}
		// Counted afterwards: with a full list, that an entry is there already is
		// the better answer.
		n, err := find(ctx, t.conn, scanCount, never, `SELECT COUNT(*) FROM domains WHERE account_id = ?`, d.AccountID)
		if err == nil && n > limit {
			return convoke.Errorf(convoke.CodeLimitExceeded,
				"the account has %d allowed domains, the most it may have; remove one first, or allow many by one entry such as *.example.com", limit)
		}
		return err
	})
	return onConflict(err, "%s is an allowed domain already", d)
}

// ListDomains returns an account's entries in order of name and port.
func (s *Store) ListDomains(ctx context.Context, accountID string) ([]*convoke.Domain, error) {
	return list(ctx, s.main.read, scanDomain,
		`SELECT `+domainColumns+` FROM domains WHERE account_id = ? ORDER BY name, port`, accountID)
}

var domainList = listing[*convoke.Domain]{
	order: convoke.DomainOrder, columns: domainColumns, from: `domains`, scan: scanDomain,
	keys: map[string][]column{
		"name":      {text("name"), number("port")},
		"createdAt": {number("created_at"), text("id")},
	},
}

// PageDomains reads a page of an account's allowed domains.
func (s *Store) PageDomains(ctx context.Context, accountID string, p convoke.Page) ([]*convoke.Domain, convoke.Mark, error) {
	where := &filter{}
	where.add(`account_id = ?`, accountID)
	return domainList.page(ctx, s.main.search, where, p)
}

// RemoveDomain removes an entry and returns it; CodeNotFound when there is none.
func (s *Store) RemoveDomain(ctx context.Context, accountID, id string) (d *convoke.Domain, err error) {
	missing := func() error {
		return convoke.Errorf(convoke.CodeNotFound, "there is no allowed domain with the id %s", id)
	}
	err = s.main.write(ctx, func(t tx) error {
		d, err = find(ctx, t.conn, scanDomain, missing,
			`DELETE FROM domains WHERE account_id = ? AND id = ? RETURNING `+domainColumns, accountID, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}
