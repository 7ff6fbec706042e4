package convoke

import (
	"context"
	"time"
)

// DeploymentState is how far a deployment is (spec/platform.md 1.4).
type DeploymentState string

const (
	Deploying            DeploymentState = "deploying"
	Redeploying          DeploymentState = "redeploying"
	DeploymentSuccessful DeploymentState = "successful"
	DeploymentFailed     DeploymentState = "failed"
)

// DeploymentStates lists the states of deployments.
var DeploymentStates = []DeploymentState{Deploying, Redeploying, DeploymentSuccessful, DeploymentFailed}

// Deployment is one version made live, or the attempt.
type Deployment struct {
	ID            string // UUID
	AccountID     string
	FunctionID    string
	VersionID     string
	VersionNumber int
	State         DeploymentState
	BundleID      string // what runs; "" until it is built
	ErrorCode     Code   // of a failed one
	ErrorMessage  string
	Problems      []Problem
	CreatedAt     time.Time
	CreatedBy     string
	UpdatedAt     time.Time
	DeployedAt    time.Time // zero unless it went live
	UndeployedAt  time.Time // zero while it is live
}

// Bundle is what the build made of a version: the script that a worker loads.
// It is content-addressed: ID is the SHA-256 of everything that shapes it.
type Bundle struct {
	ID        string
	AccountID string
	Format    string   // "cjs" or "esm"
	Contract  Contract // detected or asked for
	Code      []byte
	SourceMap []byte
	// CodeCache is V8's compiled form, made by the runtime build named in
	// CacheRuntime; any other build ignores it.
	CodeCache    []byte
	CacheRuntime string
	CreatedAt    time.Time
}

// Live is what the invocation path needs of a deployed function, in one read.
type Live struct {
	Function   *Function
	Version    *Version // without Code and Files
	Deployment *Deployment
	Contract   Contract
}

// DeploymentStore keeps deployments and bundles.
type DeploymentStore interface {
	// BeginDeployment stores d and sets it as its function's pending
	// deployment, in one transaction, after check agrees.
	// CodeLimitExceeded when the account has limit deployments under way.
	BeginDeployment(ctx context.Context, d *Deployment, limit int, check func(*Function) error) (*Function, error)
	// FinishDeployment stores d's outcome and runs change on the function, in
	// one transaction; change sets the live deployment and the state. A
	// deployment that was live before gets its UndeployedAt. Finished records
	// beyond keep are evicted, oldest first, never the live one.
	FinishDeployment(ctx context.Context, d *Deployment, keep int, change func(*Function) error) (*Function, error)
	// FindDeployment returns CodeNotFound when there is none.
	FindDeployment(ctx context.Context, accountID, id string) (*Deployment, error)
	// ListDeployments returns deployments newest first, of one function, or
	// with functionID "" the newest of every function of the account.
	ListDeployments(ctx context.Context, accountID, functionID string) ([]*Deployment, error)

	// PutBundle stores b unless its id is there already; a code cache that is
	// new is taken over.
	PutBundle(ctx context.Context, b *Bundle) error
	// FindBundle returns CodeNotFound when there is none.
	FindBundle(ctx context.Context, accountID, id string) (*Bundle, error)

	// FindLive returns the deployed function, or CodeFunctionNotFound when it
	// does not exist or is not deployed.
	FindLive(ctx context.Context, accountID, functionID string) (*Live, error)
	// ListLiveByEvent returns the deployed functions of an event in order of name.
	ListLiveByEvent(ctx context.Context, accountID, eventID string) ([]*Live, error)
	// ListLiveWithMinInstances returns, over all accounts, what must be kept warm.
	ListLiveWithMinInstances(ctx context.Context) ([]*Live, error)
}
