package sqlstore

import (
	"context"
	"time"

	"convoke"
)

const deploymentColumns = `d.id, d.account_id, d.function_id, d.version_id, d.version_number, d.state, d.bundle_id,
	d.error_code, d.error_message, d.problems, d.created_at, d.created_by, d.updated_at, d.deployed_at, d.undeployed_at`

func deploymentDest(d *convoke.Deployment) []any {
	return []any{&d.ID, &d.AccountID, &d.FunctionID, &d.VersionID, &d.VersionNumber, &d.State, &d.BundleID,
		&d.ErrorCode, &d.ErrorMessage, jsonColumn{&d.Problems}, timeColumn{&d.CreatedAt}, &d.CreatedBy,
		timeColumn{&d.UpdatedAt}, timeColumn{&d.DeployedAt}, timeColumn{&d.UndeployedAt}}
}

func scanDeployment(r row) (*convoke.Deployment, error) {
	d := &convoke.Deployment{}
	return d, r.Scan(deploymentDest(d)...)
}

func missingDeployment(id string) func() error {
	return func() error { return convoke.Errorf(convoke.CodeNotFound, "deployment %s does not exist", id) }
}

// BeginDeployment stores d and sets it as its function's pending deployment,
// in one transaction, after check agrees; an error from check is returned as
// it is. CodeLimitExceeded when the account has limit (0: no limit)
// deployments under way, CodeFunctionNotFound when there is no such function.
func (s *Store) BeginDeployment(ctx context.Context, d *convoke.Deployment, limit int, check func(*convoke.Function) error) (*convoke.Function, error) {
	return s.changeFunction(ctx, d.AccountID, d.FunctionID, func(t tx, f *convoke.Function) error {
		if err := check(f); err != nil {
			return err
		}
		if limit > 0 {
			if err := lockAccount(ctx, t, d.AccountID); err != nil {
				return err
			}
			n, err := find(ctx, t.conn, scanCount, never,
				`SELECT COUNT(*) FROM functions WHERE account_id = ? AND pending_deployment_id <> ''`, d.AccountID)
			if err != nil {
				return err
			}
			if n >= limit {
				return convoke.Errorf(convoke.CodeLimitExceeded, "%d deployments are under way, the most an account may have; wait until one ends", n)
			}
		}
		f.PendingDeploymentID = d.ID
		return insertDeployment(ctx, t, d)
	})
}

func insertDeployment(ctx context.Context, t tx, d *convoke.Deployment) error {
	problems, err := jsonText(d.Problems, len(d.Problems))
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, `INSERT INTO deployments (id, account_id, function_id, version_id, version_number, state, bundle_id,
			error_code, error_message, problems, created_at, created_by, updated_at, deployed_at, undeployed_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		d.ID, d.AccountID, d.FunctionID, d.VersionID, d.VersionNumber, string(d.State), d.BundleID,
		string(d.ErrorCode), d.ErrorMessage, problems, nanos(d.CreatedAt), d.CreatedBy,
		nanos(d.UpdatedAt), nanos(d.DeployedAt), nanos(d.UndeployedAt))
	return onConflict(err, "deployment %s exists already", d.ID)
}

// FinishDeployment stores d's outcome and runs change on the function, in one
// transaction; an error from change is returned as it is. The function's
// pending deployment is cleared when it is still d. A deployment that was
// live before and is not any more gets d.UpdatedAt as its UndeployedAt.
// Finished records beyond keep (0: no limit) are evicted, oldest first, never
// the live one or d. CodeFunctionNotFound and CodeNotFound when the function
// or d's record does not exist.
func (s *Store) FinishDeployment(ctx context.Context, d *convoke.Deployment, keep int, change func(*convoke.Function) error) (*convoke.Function, error) {
	return s.changeFunction(ctx, d.AccountID, d.FunctionID, func(t tx, f *convoke.Function) error {
		if err := storeOutcome(ctx, t, d); err != nil {
			return err
		}
		live := f.LiveDeploymentID
		if err := change(f); err != nil {
			return err
		}
		if f.PendingDeploymentID == d.ID {
			f.PendingDeploymentID = ""
		}
		if err := retire(ctx, t, f, live, d.UpdatedAt); err != nil {
			return err
		}
		if err := evictDeployments(ctx, t, f, d, keep); err != nil {
			return err
		}
		return collectBundles(ctx, t, f.AccountID, time.Now())
	})
}

func storeOutcome(ctx context.Context, t tx, d *convoke.Deployment) error {
	problems, err := jsonText(d.Problems, len(d.Problems))
	if err != nil {
		return err
	}
	n, err := t.exec(ctx, `UPDATE deployments SET state = ?, bundle_id = ?, error_code = ?, error_message = ?, problems = ?,
			updated_at = ?, deployed_at = ?, undeployed_at = ?
		WHERE account_id = ? AND id = ? AND function_id = ?`,
		string(d.State), d.BundleID, string(d.ErrorCode), d.ErrorMessage, problems,
		nanos(d.UpdatedAt), nanos(d.DeployedAt), nanos(d.UndeployedAt), d.AccountID, d.ID, d.FunctionID)
	if err != nil {
		return err
	}
	if n == 0 {
		return missingDeployment(d.ID)()
	}
	return markUsed(ctx, t, d.AccountID, d.BundleID)
}

// retire records when the deployment that was live ceased to be.
func retire(ctx context.Context, t tx, f *convoke.Function, wasLive string, at time.Time) error {
	if wasLive == "" || wasLive == f.LiveDeploymentID {
		return nil
	}
	_, err := t.exec(ctx, `UPDATE deployments SET undeployed_at = ? WHERE account_id = ? AND id = ? AND undeployed_at = 0`,
		nanos(at), f.AccountID, wasLive)
	return err
}

func evictDeployments(ctx context.Context, t tx, f *convoke.Function, d *convoke.Deployment, keep int) error {
	if keep <= 0 {
		return nil
	}
	const finished = `account_id = ? AND function_id = ? AND state IN ('successful', 'failed')`
	n, err := find(ctx, t.conn, scanCount, never, `SELECT COUNT(*) FROM deployments WHERE `+finished, f.AccountID, f.ID)
	if err != nil || n <= keep {
		return err
	}
	type record struct{ id, bundle string }
	scan := func(r row) (e record, err error) { return e, r.Scan(&e.id, &e.bundle) }
	evicted, err := list(ctx, t.conn, scan,
		`SELECT id, bundle_id FROM deployments WHERE `+finished+` AND id NOT IN (?, ?) ORDER BY created_at, seq LIMIT ?`,
		f.AccountID, f.ID, f.LiveDeploymentID, d.ID, n-keep)
	if err != nil {
		return err
	}
	var bundles []string
	for _, e := range evicted {
		if _, err := t.exec(ctx, `DELETE FROM deployments WHERE account_id = ? AND id = ?`, f.AccountID, e.id); err != nil {
			return err
		}
		if e.bundle != "" {
			bundles = append(bundles, e.bundle)
		}
	}
	return markIdle(ctx, t, f.AccountID, bundles, time.Now())
}

// FindDeployment returns CodeNotFound when there is none.
func (s *Store) FindDeployment(ctx context.Context, accountID, id string) (*convoke.Deployment, error) {
	return find(ctx, s.main.read, scanDeployment, missingDeployment(id),
		`SELECT `+deploymentColumns+` FROM deployments d WHERE d.account_id = ? AND d.id = ?`, accountID, id)
}

// ListDeployments returns deployments newest first, of one function, or with
// functionID "" the newest of every function of the account.
func (s *Store) ListDeployments(ctx context.Context, accountID, functionID string) ([]*convoke.Deployment, error) {
	if functionID != "" {
		return list(ctx, s.main.read, scanDeployment,
			`SELECT `+deploymentColumns+` FROM deployments d WHERE d.account_id = ? AND d.function_id = ?
			ORDER BY d.created_at DESC, d.seq DESC`, accountID, functionID)
	}
	return list(ctx, s.main.read, scanDeployment,
		`SELECT `+deploymentColumns+` FROM functions f JOIN deployments d ON d.seq = (
			SELECT n.seq FROM deployments n WHERE n.account_id = f.account_id AND n.function_id = f.id
			ORDER BY n.created_at DESC, n.seq DESC LIMIT 1)
		WHERE f.account_id = ? ORDER BY d.created_at DESC, d.seq DESC`, accountID)
}

var deploymentList = listing[*convoke.Deployment]{
	order: convoke.DeploymentOrder, columns: deploymentColumns, from: `deployments d`, scan: scanDeployment,
	keys: map[string][]column{"createdAt": {number("d.created_at"), number("d.seq")}},
}

// PageDeployments reads a page of a function's deployments, or with functionID
// "" of the newest of every function of the account.
func (s *Store) PageDeployments(ctx context.Context, accountID, functionID string, p convoke.Page) ([]*convoke.Deployment, convoke.Mark, error) {
	where := &filter{}
	where.add(`d.account_id = ?`, accountID)
	if functionID != "" {
		where.add(`d.function_id = ?`, functionID)
	} else {
		where.add(`NOT EXISTS (SELECT 1 FROM deployments n WHERE n.account_id = d.account_id AND n.function_id = d.function_id
			AND (n.created_at, n.seq) > (d.created_at, d.seq))`)
	}
	return deploymentList.page(ctx, s.main.search, where, p)
}
