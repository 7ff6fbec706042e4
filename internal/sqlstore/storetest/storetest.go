// Package storetest is the conformance suite of the store contracts: what
// every engine must do, capability by capability.
package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"convoke"
)

// Store is all store contracts of the root package.
type Store interface {
	convoke.AccountStore
	convoke.UserStore
	convoke.TokenStore
	convoke.FunctionStore
	convoke.VersionStore
	convoke.DeploymentStore
	convoke.LogStore
	convoke.InvocationStore
	convoke.ActivityStore
	convoke.DomainStore
	convoke.CallStore
	convoke.SessionStore
	convoke.SecretStore
	convoke.ScheduleStore
	convoke.ClientStore
	convoke.GrantStore
	convoke.UsageStore
	convoke.PageStore
}

// Run runs the suite. Each test opens a store of its own, which open closes
// by t.Cleanup; two calls with the same t must open the same data twice.
func Run(t *testing.T, open func(t *testing.T) Store) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s Store)
	}{
		{"Accounts", testAccounts},
		{"Users", testUsers},
		{"Tokens", testTokens},
		{"CreateFunction", testCreateFunction},
		{"ListFunctions", testListFunctions},
		{"UpdateFunction", testUpdateFunction},
		{"DeleteFunction", testDeleteFunction},
		{"BusyFunctions", testBusyFunctions},
		{"SaveVersion", testSaveVersion},
		{"SaveVersionFillsTheEmptyOne", testFillVersion},
		{"SaveVersionEvicts", testEvictVersions},
		{"BeginDeployment", testBeginDeployment},
		{"FinishDeployment", testFinishDeployment},
		{"FinishDeploymentEvicts", testEvictDeployments},
		{"ListDeployments", testListDeployments},
		{"Bundles", testBundles},
		{"FindLive", testFindLive},
		{"ListLiveByEvent", testListLiveByEvent},
		{"ListLiveWithMinInstances", testListLiveWithMinInstances},
		{"Logs", testLogs},
		{"LogFilters", testLogFilters},
		{"LogText", testLogText},
		{"LogSequence", testLogSequence},
		{"Invocations", testInvocations},
		{"Counters", testCounters},
		{"OldCounters", testOldCounters},
		{"DeleteLogsBefore", testDeleteLogsBefore},
		{"Activities", testActivities},
		{"Domains", testDomains},
		{"DomainLimit", testDomainLimit},
		{"VersionDomains", testVersionDomains},
		{"Calls", testCalls},
		{"CallFilters", testCallFilters},
		{"DeleteCallsBefore", testDeleteCallsBefore},
		{"UpdateAccount", testUpdateAccount},
		{"UpdateUser", testUpdateUser},
		{"DeleteUser", testDeleteUser},
		{"Sessions", testSessions},
		{"UserSessions", testUserSessions},
		{"Secrets", testSecrets},
		{"SecretLimit", testSecretLimit},
		{"ResealSecrets", testResealSecrets},
		{"Schedules", testSchedules},
		{"ScheduleRuns", testScheduleRuns},
		{"ClaimRunsOnce", testClaimRunsOnce},
		{"ScheduleRunsEvict", testEvictRuns},
		{"Clients", testClients},
		{"Usage", testUsage},
		{"Grants", testGrants},
		{"CommandLine", testCommandLine},
		{"ConcurrentGrants", testConcurrentGrants},
		{"Pages", testPages},
		{"Marks", testMarksAreText},
		{"Conditions", testConditions},
		{"AccountsAreApart", testIsolation},
		{"ConcurrentSaves", testConcurrentSaves},
		{"ConcurrentUpdates", testConcurrentUpdates},
		{"ConcurrentLimits", testConcurrentLimits},
		{"ConcurrentAppends", testConcurrentAppends},
		{"CancelledRequests", testCancelledRequests},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, open(t))
		})
	}
	t.Run("TwoStores", func(t *testing.T) {
		t.Parallel()
		testTwoStores(t, open(t), open(t))
	})
}

const (
	acct  = "10000001"
	other = "20000002"
)

// errStop is what callbacks return to see nothing stored.
var errStop = errors.New("stop")

func stop(*convoke.Function) error  { return errStop }
func agree(*convoke.Function) error { return nil }

// at is a fixed instant with nanoseconds, n seconds later.
func at(n int) time.Time {
	return time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.UTC).Add(time.Duration(n) * time.Second)
}

// id is a readable stand-in for a UUID.
func id(kind string, n int) string { return fmt.Sprintf("%s-%04d", kind, n) }

func wantCode(t *testing.T, err error, want convoke.Code) {
	t.Helper()
	if got := convoke.ErrorCode(err); got != want {
		t.Fatalf("got error %v with code %q, want code %q", err, got, want)
	}
}

func wantStop(t *testing.T, err error) {
	t.Helper()
	if err != errStop {
		t.Fatalf("got error %v, want the callback's error as it is", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// get is for get(s.Find…(…))(t), which fails the test on an error.
func get[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// same compares; nothing and empty are alike.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", what, diff)
	}
}

func addAccount(t *testing.T, s Store, id string) {
	t.Helper()
	must(t, s.CreateAccount(t.Context(), &convoke.Account{ID: id, Name: "Account " + id, CreatedAt: at(0)}))
}

func newFunction(n int) *convoke.Function {
	return &convoke.Function{
		ID: id("fn", n), AccountID: acct, Name: id("name", n), Description: "does things", State: convoke.StateDraft,
		LatestVersion: 1, CreatedAt: at(n), CreatedBy: "ann", UpdatedAt: at(n + 1), UpdatedBy: "bob",
	}
}

func newVersion(f *convoke.Function, number int) *convoke.Version {
	return &convoke.Version{
		ID: fmt.Sprintf("%s-v%d", f.ID, number), AccountID: f.AccountID, FunctionID: f.ID, Number: number,
		Code: fmt.Sprintf("export const lambda = () => %d", number), Files: map[string]string{"lib/text.js": "export {}"},
		Language: convoke.JavaScript, Contract: convoke.ContractV2, Runtime: "node26",
		Environment: map[string]string{"KEY": "value", "EMPTY": ""},
		Settings:    convoke.Settings{Timeout: 3 * time.Second, MemoryMiB: 128, MaxInstances: 4},
		CreatedAt:   at(number), CreatedBy: "ann",
	}
}

// addFunction stores function n with version 1.
func addFunction(t *testing.T, s Store, n int, change ...func(*convoke.Function, *convoke.Version)) *convoke.Function {
	t.Helper()
	f := newFunction(n)
	v := newVersion(f, 1)
	for _, c := range change {
		c(f, v)
	}
	must(t, s.CreateFunction(t.Context(), f, v, 0))
	return f
}

func newDeployment(f *convoke.Function, n, version int) *convoke.Deployment {
	return &convoke.Deployment{
		ID: fmt.Sprintf("%s-d%d", f.ID, n), AccountID: f.AccountID, FunctionID: f.ID,
		VersionID: fmt.Sprintf("%s-v%d", f.ID, version), VersionNumber: version,
		State: convoke.Deploying, CreatedAt: at(100 + n), CreatedBy: "ann", UpdatedAt: at(100 + n),
	}
}

// goLive is the change that a successful deployment makes.
func goLive(d *convoke.Deployment) func(*convoke.Function) error {
	return func(f *convoke.Function) error {
		f.LiveDeploymentID, f.LiveVersion, f.State = d.ID, d.VersionNumber, convoke.StateProductive
		return nil
	}
}

// deploy makes version of f live, as its deployment n.
func deploy(t *testing.T, s Store, f *convoke.Function, n, version int) *convoke.Deployment {
	t.Helper()
	d := newDeployment(f, n, version)
	get(s.BeginDeployment(t.Context(), d, 0, agree))(t)
	d.State, d.BundleID = convoke.DeploymentSuccessful, "bundle-"+d.ID
	d.UpdatedAt, d.DeployedAt = at(200+n), at(200+n)
	must(t, s.PutBundle(t.Context(), &convoke.Bundle{ID: d.BundleID, AccountID: f.AccountID, Format: "esm",
		Contract: convoke.ContractV1, Code: []byte("code of " + d.ID), CreatedAt: at(150 + n)}))
	get(s.FinishDeployment(t.Context(), d, 0, goLive(d)))(t)
	return d
}
