package bench

import (
	"testing"
	"time"

	"convoke"
	"convoke/internal/sqlstore"
)

func TestSeedClonesADeployedFunction(t *testing.T) {
	t.Parallel()
	ctx, dir := t.Context(), t.TempDir()
	st, err := sqlstore.Open(ctx, sqlstore.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(st.CreateAccount(ctx, &convoke.Account{ID: "1", Name: "one", CreatedAt: now}))
	f := &convoke.Function{ID: "f", AccountID: "1", Name: "hello", State: convoke.StateDraft, LatestVersion: 1, CreatedAt: now, CreatedBy: "t", UpdatedAt: now, UpdatedBy: "t"}
	v := &convoke.Version{ID: "v", AccountID: "1", FunctionID: "f", Number: 1, Code: helloSource, Language: convoke.JavaScript, CreatedAt: now, CreatedBy: "t"}
	must(st.CreateFunction(ctx, f, v, 0))
	must(st.PutBundle(ctx, &convoke.Bundle{ID: "b", AccountID: "1", Format: "cjs", Contract: convoke.ContractV2, Code: []byte("bundle"), CreatedAt: now}))
	d := &convoke.Deployment{ID: "d", AccountID: "1", FunctionID: "f", VersionID: "v", VersionNumber: 1, State: convoke.Deploying, CreatedAt: now, CreatedBy: "t", UpdatedAt: now}
	_, err = st.BeginDeployment(ctx, d, 1, func(*convoke.Function) error { return nil })
	must(err)
	d.State, d.BundleID, d.DeployedAt = convoke.DeploymentSuccessful, "b", now
	_, err = st.FinishDeployment(ctx, d, 1, func(f *convoke.Function) error {
		f.State, f.PendingDeploymentID, f.LiveDeploymentID, f.LiveVersion = convoke.StateProductive, "", "d", 1
		return nil
	})
	must(err)
	must(st.Close())

	ids, err := Seed(ctx, dir, "1", "f", 5)
	must(err)

	st, err = sqlstore.Open(ctx, sqlstore.Config{Dir: dir})
	must(err)
	t.Cleanup(func() { must(st.Close()) })
	bundles := map[string]bool{}
	for _, id := range ids {
		live, err := st.FindLive(ctx, "1", id)
		must(err)
		if !live.Function.Deployed() || live.Function.Busy() || live.Function.State != convoke.StateProductive {
			t.Errorf("%+v is not simply deployed", live.Function)
		}
		b, err := st.FindBundle(ctx, "1", live.Deployment.BundleID)
		must(err)
		if string(b.Code) != "bundle" {
			t.Errorf("bundle holds %q", b.Code)
		}
		bundles[b.ID] = true
		got, err := st.FindVersion(ctx, "1", id, 1)
		must(err)
		if got.Code != helloSource {
			t.Errorf("version holds %q", got.Code)
		}
	}
	total, deployed, err := st.CountFunctions(ctx, "1")
	must(err)
	if total != 6 || deployed != 6 || len(bundles) != 5 {
		t.Errorf("%d functions, %d deployed, %d bundles of clones; want 6, 6, 5", total, deployed, len(bundles))
	}

	if _, err := Seed(ctx, dir, "1", "missing", 1); convoke.ErrorCode(err) != convoke.CodeFunctionNotFound {
		t.Errorf("cloning what is not there: %v", err)
	}
}
