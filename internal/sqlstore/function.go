package sqlstore

import (
	"context"
	"time"

	"convoke"
)

const (
	functionColumns = `f.id, f.account_id, f.name, f.description, f.event_id, f.skills, f.state, f.latest_version,
		f.live_deployment_id, f.live_version, f.pending_deployment_id, f.created_at, f.created_by, f.updated_at, f.updated_by`
	// isLive and isBusy are Deployed and Busy of the root package. The partial
	// indexes have the same words.
	isLive = `f.live_deployment_id <> '' AND f.state <> 'Marked Undeployed'`
	isBusy = `(f.pending_deployment_id <> '' OR f.state = 'Marked Undeployed')`
)

// liveOfAccount selects what is deployed. Every event sorts behind the empty
// text: saying so makes the planner take the index of just those functions.
const liveOfAccount = `FROM functions f WHERE f.account_id = ? AND f.event_id >= '' AND ` + isLive

func functionDest(f *convoke.Function) []any {
	return []any{&f.ID, &f.AccountID, &f.Name, &f.Description, &f.EventID, jsonColumn{&f.Skills}, &f.State, &f.LatestVersion,
		&f.LiveDeploymentID, &f.LiveVersion, &f.PendingDeploymentID,
		timeColumn{&f.CreatedAt}, &f.CreatedBy, timeColumn{&f.UpdatedAt}, &f.UpdatedBy}
}

func scanFunction(r row) (*convoke.Function, error) {
	f := &convoke.Function{}
	return f, r.Scan(functionDest(f)...)
}

func missingFunction(id string) func() error {
	return func() error { return convoke.Errorf(convoke.CodeFunctionNotFound, "function %s does not exist", id) }
}

// CreateFunction adds a function and its first version in one transaction.
// CodeConflict when the name is taken in the account, CodeLimitExceeded when
// the account already has limit functions (0: no limit), CodeNotFound when
// there is no such account.
func (s *Store) CreateFunction(ctx context.Context, f *convoke.Function, v *convoke.Version, limit int) error {
	err := s.main.write(ctx, func(t tx) error {
		if err := lockAccount(ctx, t, f.AccountID); err != nil {
			return err
		}
		if limit > 0 {
			n, err := find(ctx, t.conn, scanCount, never, `SELECT COUNT(*) FROM functions WHERE account_id = ?`, f.AccountID)
			if err != nil {
				return err
			}
			if n >= limit {
				return convoke.Errorf(convoke.CodeLimitExceeded, "the account has %d functions, the most it may have; remove one first", n)
			}
		}
		if err := insertFunction(ctx, t, f); err != nil {
			return err
		}
		return insertVersion(ctx, t, v)
	})
	return onConflict(err, "a function named %s exists already; choose another name", f.Name)
}

func insertFunction(ctx context.Context, t tx, f *convoke.Function) error {
	skills, err := jsonText(f.Skills, len(f.Skills))
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, `INSERT INTO functions (id, account_id, name, description, event_id, skills, state, latest_version,
			live_deployment_id, live_version, pending_deployment_id, created_at, created_by, updated_at, updated_by)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		f.ID, f.AccountID, f.Name, f.Description, f.EventID, skills, string(f.State), f.LatestVersion,
		f.LiveDeploymentID, f.LiveVersion, f.PendingDeploymentID, nanos(f.CreatedAt), f.CreatedBy, nanos(f.UpdatedAt), f.UpdatedBy)
	return err
}

// FindFunction returns CodeFunctionNotFound when there is none.
func (s *Store) FindFunction(ctx context.Context, accountID, id string) (*convoke.Function, error) {
	return find(ctx, s.main.read, scanFunction, missingFunction(id),
		`SELECT `+functionColumns+` FROM functions f WHERE f.account_id = ? AND f.id = ?`, accountID, id)
}

// FindFunctionByName returns CodeFunctionNotFound when there is none.
func (s *Store) FindFunctionByName(ctx context.Context, accountID, name string) (*convoke.Function, error) {
	return find(ctx, s.main.read, scanFunction, missingFunction(name),
		`SELECT `+functionColumns+` FROM functions f WHERE f.account_id = ? AND f.name = ?`, accountID, name)
}

// ListFunctions returns functions in order of name.
func (s *Store) ListFunctions(ctx context.Context, accountID string, by convoke.FunctionFilter) ([]*convoke.Function, error) {
	all, _, err := s.PageFunctions(ctx, accountID, by, convoke.Page{})
	return all, err
}

var functionList = listing[*convoke.Function]{
	order: convoke.FunctionOrder, columns: functionColumns, from: `functions f`, scan: scanFunction,
	keys: map[string][]column{
		"name":      {text("f.name")},
		"createdAt": {number("f.created_at"), text("f.id")},
		"updatedAt": {number("f.updated_at"), text("f.id")},
	},
}

// PageFunctions reads a page of an account's functions.
func (s *Store) PageFunctions(ctx context.Context, accountID string, by convoke.FunctionFilter, p convoke.Page) ([]*convoke.Function, convoke.Mark, error) {
	where := &filter{}
	where.add(`f.account_id = ?`, accountID)
	if by.Name != "" {
		where.add(`f.name = ?`, by.Name)
	}
	if by.EventID != "" {
		where.add(`f.event_id = ?`, by.EventID)
	}
	oneOf(where, `f.state`, by.States)
	return functionList.page(ctx, s.main.search, where, p)
}

// CountFunctions counts all functions and those that are deployed.
func (s *Store) CountFunctions(ctx context.Context, accountID string) (total, deployed int, err error) {
	scan := func(r row) (struct{}, error) { return struct{}{}, r.Scan(&total, &deployed) }
	_, err = find(ctx, s.main.read, scan, never,
		`SELECT (SELECT COUNT(*) FROM functions WHERE account_id = ?),
			(SELECT COUNT(*) `+liveOfAccount+`)`, accountID, accountID)
	return total, deployed, err
}

// UpdateFunction runs change on the stored function inside one write
// transaction and stores what it leaves. An error from change is returned as
// it is and nothing is stored. When change ends the live deployment, that one
// gets its UndeployedAt. CodeFunctionNotFound when there is no such function,
// CodeConflict when change gave it a name that is taken.
func (s *Store) UpdateFunction(ctx context.Context, accountID, id string, change func(*convoke.Function) error) (*convoke.Function, error) {
	return s.changeFunction(ctx, accountID, id, func(t tx, f *convoke.Function) error {
		live := f.LiveDeploymentID
		if err := change(f); err != nil {
			return err
		}
		return retire(ctx, t, f, live, time.Now())
	})
}

// changeFunction runs do on the stored function inside one write transaction
// and stores what it leaves.
func (s *Store) changeFunction(ctx context.Context, accountID, id string, do func(tx, *convoke.Function) error) (*convoke.Function, error) {
	var f *convoke.Function
	err := s.main.write(ctx, func(t tx) (err error) {
		if f, err = lockFunction(ctx, t, accountID, id); err != nil {
			return err
		}
		if err := convoke.CheckCondition(ctx, convoke.KindFunction, id, f.Revision); err != nil {
			return err
		}
		if err := do(t, f); err != nil {
			return err
		}
		f.ID, f.AccountID = id, accountID
		return storeFunction(ctx, t, f)
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// lockFunction reads a function that the transaction is going to change.
func lockFunction(ctx context.Context, t tx, accountID, id string) (*convoke.Function, error) {
	return find(ctx, t.conn, scanFunction, missingFunction(id),
		`SELECT `+functionColumns+` FROM functions f WHERE f.account_id = ? AND f.id = ?`+t.dialect.lockRow, accountID, id)
}

func storeFunction(ctx context.Context, t tx, f *convoke.Function) error {
	skills, err := jsonText(f.Skills, len(f.Skills))
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, `UPDATE functions SET name = ?, description = ?, event_id = ?, skills = ?, state = ?, latest_version = ?,
			live_deployment_id = ?, live_version = ?, pending_deployment_id = ?,
			created_at = ?, created_by = ?, updated_at = ?, updated_by = ?
		WHERE account_id = ? AND id = ?`,
		f.Name, f.Description, f.EventID, skills, string(f.State), f.LatestVersion,
		f.LiveDeploymentID, f.LiveVersion, f.PendingDeploymentID,
		nanos(f.CreatedAt), f.CreatedBy, nanos(f.UpdatedAt), f.UpdatedBy,
		f.AccountID, f.ID)
	return onConflict(err, "a function named %s exists already; choose another name", f.Name)
}

// DeleteFunction removes the function with its versions and deployments,
// after check agrees, in one transaction. An error from check is returned as
// it is. CodeFunctionNotFound when there is no such function.
func (s *Store) DeleteFunction(ctx context.Context, accountID, id string, check func(*convoke.Function) error) error {
	return s.main.write(ctx, func(t tx) error {
		f, err := lockFunction(ctx, t, accountID, id)
		if err != nil {
			return err
		}
		if err := convoke.CheckCondition(ctx, convoke.KindFunction, id, f.Revision); err != nil {
			return err
		}
		if err := check(f); err != nil {
			return err
		}
		bundles, err := list(ctx, t.conn, scanText,
			`SELECT DISTINCT bundle_id FROM deployments WHERE account_id = ? AND function_id = ? AND bundle_id <> ''`, accountID, id)
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, `DELETE FROM functions WHERE account_id = ? AND id = ?`, accountID, id); err != nil {
			return err
		}
		return markIdle(ctx, t, accountID, bundles, time.Now())
	})
}

// ListBusyFunctions returns the functions of all accounts with a deployment
// or undeployment under way.
func (s *Store) ListBusyFunctions(ctx context.Context) ([]*convoke.Function, error) {
	return list(ctx, s.main.read, scanFunction,
		`SELECT `+functionColumns+` FROM functions f WHERE `+isBusy+` ORDER BY f.account_id, f.name`)
}
