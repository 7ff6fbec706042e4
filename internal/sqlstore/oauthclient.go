package sqlstore

import (
	"context"
	"time"

	"convoke"
)

// clientColumns of a client. The one row without a name is no client: see
// anchorCommandLine.
const clientColumns = `id, account_id, name, public, disabled, created_at, created_by, updated_at, updated_by, last_used_at, invocations_per_second, grant_types, scopes, secrets, redirect_uris`

func scanClient(r row) (*convoke.Client, error) {
	c := &convoke.Client{}
	return c, r.Scan(&c.ID, &c.AccountID, &c.Name, &c.Public, &c.Disabled, timeColumn{&c.CreatedAt}, &c.CreatedBy, timeColumn{&c.UpdatedAt}, &c.UpdatedBy,
		timeColumn{&c.LastUsedAt}, &c.InvocationsPerSecond, jsonColumn{&c.GrantTypes}, jsonColumn{&c.Scopes}, jsonColumn{&c.Secrets}, jsonColumn{&c.RedirectURIs})
}

func missingClient() error {
	return convoke.Errorf(convoke.CodeNotFound, "the client does not exist")
}

// CreateClient adds a client; CodeConflict when its name is taken in the
// account, CodeNotFound when there is no such account.
func (s *Store) CreateClient(ctx context.Context, c *convoke.Client) error {
	lists, err := clientLists(c)
	if err != nil {
		return err
	}
	err = s.main.write(ctx, func(t tx) error {
		_, err := t.exec(ctx, `INSERT INTO clients (`+clientColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			append([]any{c.ID, c.AccountID, c.Name, flag(c.Public), flag(c.Disabled), nanos(c.CreatedAt), c.CreatedBy, nanos(c.UpdatedAt), c.UpdatedBy,
				nanos(c.LastUsedAt), c.InvocationsPerSecond}, lists...)...)
		return err
	})
	return onConflict(err, "a client named %s exists already; choose another name", c.Name)
}

// clientLists are the last four columns.
func clientLists(c *convoke.Client) ([]any, error) {
	var out []any
	for _, l := range []struct {
		list   any
		length int
	}{{c.GrantTypes, len(c.GrantTypes)}, {c.Scopes, len(c.Scopes)}, {c.Secrets, len(c.Secrets)}, {c.RedirectURIs, len(c.RedirectURIs)}} {
		text, err := jsonText(l.list, l.length)
		if err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	return out, nil
}

// FindClient returns CodeNotFound when there is none.
func (s *Store) FindClient(ctx context.Context, id string) (*convoke.Client, error) {
	return find(ctx, s.main.read, scanClient, missingClient, `SELECT `+clientColumns+` FROM clients WHERE id = ? AND name <> ''`, id)
}

// ListClients returns the clients of an account in order of name.
func (s *Store) ListClients(ctx context.Context, accountID string) ([]*convoke.Client, error) {
	return list(ctx, s.main.read, scanClient, `SELECT `+clientColumns+` FROM clients WHERE account_id = ? AND name <> '' ORDER BY name`, accountID)
}

var clientList = listing[*convoke.Client]{
	order: convoke.ClientOrder, columns: clientColumns, from: `clients`, scan: scanClient,
	keys: map[string][]column{
		"name":       {text("name")},
		"createdAt":  {number("created_at"), text("id")},
		"updatedAt":  {number("updated_at"), text("id")},
		"lastUsedAt": {number("last_used_at"), text("id")},
	},
}

// PageClients reads a page of an account's clients.
func (s *Store) PageClients(ctx context.Context, accountID string, p convoke.Page) ([]*convoke.Client, convoke.Mark, error) {
	where := &filter{}
	where.add(`account_id = ? AND name <> ''`, accountID)
	return clientList.page(ctx, s.main.search, where, p)
}

// UpdateClient runs change on the stored client inside one write transaction
// and stores what it leaves. An error from change is returned as it is and
// nothing is stored. CodeNotFound when the account has no such client,
// CodeConflict when change gave it a name that is taken.
func (s *Store) UpdateClient(ctx context.Context, accountID, id string, change func(*convoke.Client) error) (*convoke.Client, error) {
	var c *convoke.Client
	err := s.main.write(ctx, func(t tx) (err error) {
		if c, err = lockClient(ctx, t, accountID, id); err != nil {
			return err
		}
		if err := change(c); err != nil {
			return err
		}
		c.ID, c.AccountID = id, accountID
		lists, err := clientLists(c)
		if err != nil {
			return err
		}
		args := append([]any{c.Name, flag(c.Public), flag(c.Disabled), nanos(c.UpdatedAt), c.UpdatedBy, c.InvocationsPerSecond}, lists...)
		_, err = t.exec(ctx, `UPDATE clients SET name = ?, public = ?, disabled = ?, updated_at = ?, updated_by = ?,
			invocations_per_second = ?, grant_types = ?, scopes = ?, secrets = ?, redirect_uris = ? WHERE id = ? AND account_id = ?`, append(args, id, accountID)...)
		return err
	})
	if err != nil {
		return nil, onConflict(err, "another client has this name already; choose another")
	}
	return c, nil
}

// RemoveClient removes a client with its grants. CodeNotFound when the account
// has no such client.
func (s *Store) RemoveClient(ctx context.Context, accountID, id string) error {
	return s.main.write(ctx, func(t tx) error {
		if _, err := lockClient(ctx, t, accountID, id); err != nil {
			return err
		}
		_, err := t.exec(ctx, `DELETE FROM clients WHERE id = ? AND account_id = ?`, id, accountID)
		return err
	})
}

// lockClient reads a client that the transaction is going to change.
func lockClient(ctx context.Context, t tx, accountID, id string) (*convoke.Client, error) {
	c, err := find(ctx, t.conn, scanClient, missingClient,
		`SELECT `+clientColumns+` FROM clients WHERE id = ? AND account_id = ? AND name <> ''`+t.dialect.lockRow, id, accountID)
	if err != nil {
		return nil, err
	}
	return c, convoke.CheckCondition(ctx, convoke.KindClient, id, c.Revision)
}

// TouchClient records a use, to the minute. Of a client that is gone there is
// nothing to record.
func (s *Store) TouchClient(ctx context.Context, id string, at time.Time) error {
	at = at.UTC().Truncate(time.Minute)
	return s.main.write(ctx, func(t tx) error {
		_, err := t.exec(ctx, `UPDATE clients SET last_used_at = ? WHERE id = ? AND last_used_at < ?`, nanos(at), id, nanos(at))
		return err
	})
}
