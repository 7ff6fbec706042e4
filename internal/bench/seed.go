package bench

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"convoke"
	"convoke/internal/sqlstore"
)

// stores is what clone needs of the system of record.
type stores interface {
	convoke.FunctionStore
	convoke.VersionStore
	convoke.DeploymentStore
}

// Seed clones a function in the data folder of a server that is not running.
// It returns the ids of the clones.
func Seed(ctx context.Context, data, accountID, template string, n int) (ids []string, err error) {
	st, err := sqlstore.Open(ctx, sqlstore.Config{Dir: data})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	return clone(ctx, st, accountID, template, n)
}

// clone adds n deployed functions that are like the deployed function
// template, each with a version, a deployment and a bundle of its own, and
// returns their ids. It writes through the store contracts while no server
// runs: ten thousand deployments through the API would take many minutes, most
// of it for compiling the same text.
func clone(ctx context.Context, st stores, accountID, template string, n int) ([]string, error) {
	live, err := st.FindLive(ctx, accountID, template)
	if err != nil {
		return nil, err
	}
	version, err := st.FindVersion(ctx, accountID, template, live.Version.Number)
	if err != nil {
		return nil, err
	}
	bundle, err := st.FindBundle(ctx, accountID, live.Deployment.BundleID)
	if err != nil {
		return nil, err
	}
	ids := make([]string, n)
	for i := range ids {
		if ids[i], err = cloneOne(ctx, st, *live.Function, *version, *bundle, i); err != nil {
			return nil, fmt.Errorf("function %d of %d: %w", i+1, n, err)
		}
	}
	return ids, nil
}

func cloneOne(ctx context.Context, st stores, f convoke.Function, v convoke.Version, b convoke.Bundle, i int) (string, error) {
	now := time.Now().UTC()
	f.ID = uuid.NewString()
	f.Name = fmt.Sprintf("%.30s-clone-%d", f.Name, i)
	f.State, f.LatestVersion, f.LiveDeploymentID, f.PendingDeploymentID = convoke.StateDraft, 1, "", ""
	v.ID, v.FunctionID, v.Number = uuid.NewString(), f.ID, 1
	if err := st.CreateFunction(ctx, &f, &v, 0); err != nil {
		return "", err
	}
	// The text stays the same, and with it V8's code cache; only the address is its own.
	sum := sha256.Sum256([]byte(b.ID + f.ID))
	b.ID = hex.EncodeToString(sum[:])
	if err := st.PutBundle(ctx, &b); err != nil {
		return "", err
	}
	d := &convoke.Deployment{
		ID: uuid.NewString(), AccountID: f.AccountID, FunctionID: f.ID,
		VersionID: v.ID, VersionNumber: v.Number, State: convoke.Deploying,
		CreatedAt: now, CreatedBy: f.CreatedBy, UpdatedAt: now,
	}
	if _, err := st.BeginDeployment(ctx, d, 1, func(*convoke.Function) error { return nil }); err != nil {
		return "", err
	}
	d.State, d.BundleID, d.DeployedAt = convoke.DeploymentSuccessful, b.ID, now
	_, err := st.FinishDeployment(ctx, d, 1, func(f *convoke.Function) error {
		f.State, f.PendingDeploymentID = convoke.StateProductive, ""
		f.LiveDeploymentID, f.LiveVersion = d.ID, d.VersionNumber
		return nil
	})
	return f.ID, err
}
