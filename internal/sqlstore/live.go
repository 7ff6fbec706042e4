package sqlstore

import (
	"context"

	"convoke"
)

// The contract is the one the build found; the version's may be open.
const (
	liveColumns = functionColumns + `, ` + versionColumns + `, ` + deploymentColumns + `, COALESCE(b.contract, v.contract)`
	liveJoins   = ` JOIN deployments d ON d.account_id = f.account_id AND d.id = f.live_deployment_id
		JOIN versions v ON v.account_id = f.account_id AND v.function_id = f.id AND v.number = d.version_number
		LEFT JOIN bundles b ON b.account_id = d.account_id AND b.id = d.bundle_id`
)

func scanLive(r row) (*convoke.Live, error) {
	l := &convoke.Live{Function: &convoke.Function{}, Version: &convoke.Version{}, Deployment: &convoke.Deployment{}}
	dest := append(functionDest(l.Function), versionDest(l.Version)...)
	dest = append(dest, deploymentDest(l.Deployment)...)
	return l, r.Scan(append(dest, &l.Contract)...)
}

// FindLive returns the deployed function without its source, or
// CodeFunctionNotFound when it does not exist or is not deployed.
func (s *Store) FindLive(ctx context.Context, accountID, functionID string) (*convoke.Live, error) {
	missing := func() error {
		return convoke.Errorf(convoke.CodeFunctionNotFound, "function %s does not exist or is not deployed", functionID)
	}
	return find(ctx, s.main.read, scanLive, missing,
		`SELECT `+liveColumns+` FROM functions f`+liveJoins+` WHERE f.account_id = ? AND f.id = ? AND `+isLive, accountID, functionID)
}

// ListLiveByEvent returns the deployed functions of an event in order of name.
func (s *Store) ListLiveByEvent(ctx context.Context, accountID, eventID string) ([]*convoke.Live, error) {
	return list(ctx, s.main.read, scanLive,
		`SELECT `+liveColumns+` FROM functions f`+liveJoins+` WHERE f.account_id = ? AND f.event_id = ? AND `+isLive+` ORDER BY f.name`,
		accountID, eventID)
}

// keptWarm begins with the few versions that have minimum instances; CROSS
// JOIN keeps SQLite from beginning with the many functions instead.
const keptWarm = ` FROM versions v CROSS JOIN functions f
	JOIN deployments d ON d.account_id = f.account_id AND d.id = f.live_deployment_id AND d.version_number = v.number
	LEFT JOIN bundles b ON b.account_id = d.account_id AND b.id = d.bundle_id
	WHERE v.min_instances > 0 AND f.account_id = v.account_id AND f.id = v.function_id AND ` + isLive

// ListLiveWithMinInstances returns, over all accounts, what must be kept warm.
func (s *Store) ListLiveWithMinInstances(ctx context.Context) ([]*convoke.Live, error) {
	return list(ctx, s.main.read, scanLive, `SELECT `+liveColumns+keptWarm+` ORDER BY f.account_id, f.name`)
}
