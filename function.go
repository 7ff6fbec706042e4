package convoke

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// State is where a function is in its life (spec/platform.md 1.3).
//
//	create ─► Draft ─deploy─► Productive ─save─► Modified
//	                 │  ▲          ▲───────deploy───┘
//	                 │  └── undeploy: Marked Undeployed ─► Draft ─remove─► gone
//	                 └─ build fails ► Build Error, load fails ► Deploy Error
//
// A function that was live keeps serving its live version in every state but
// Marked Undeployed.
type State string

const (
	StateDraft            State = "Draft"
	StateProductive       State = "Productive"
	StateModified         State = "Modified"
	StateMarkedUndeployed State = "Marked Undeployed"
	StateBuildError       State = "Build Error"
	StateDeployError      State = "Deploy Error"
)

// States are all states, in the order of a function's life.
var States = []State{StateDraft, StateProductive, StateModified, StateMarkedUndeployed, StateBuildError, StateDeployError}

// Function is the part of a function that all its versions share.
type Function struct {
	ID          string // UUID
	AccountID   string
	Name        string // unique in the account, fixed at creation
	Description string
	EventID     string // "" is "No Event"; fixed at creation
	Skills      []string
	State       State
	// LatestVersion is the number of the newest version, at least 1.
	LatestVersion int
	// LiveDeploymentID is the deployment that serves; "" when not deployed.
	LiveDeploymentID string
	// LiveVersion is the number of the version that serves; meaningless when
	// not deployed.
	LiveVersion int
	// PendingDeploymentID is the deployment under way, or "". While it is set
	// or the state is Marked Undeployed, saving and deploying are refused.
	PendingDeploymentID string
	CreatedAt           time.Time
	CreatedBy           string
	UpdatedAt           time.Time
	UpdatedBy           string
}

// Deployed reports whether the function serves invocations.
func (f *Function) Deployed() bool {
	return f.LiveDeploymentID != "" && f.State != StateMarkedUndeployed
}

// Busy reports whether a deployment or undeployment is under way.
func (f *Function) Busy() bool {
	return f.PendingDeploymentID != "" || f.State == StateMarkedUndeployed
}

// HandlesSkill reports whether the function takes an event of that skill:
// a function without skills takes all, one with skills takes only those
// (spec/events.md 3).
func (f *Function) HandlesSkill(skillID string) bool {
	return len(f.Skills) == 0 || slices.Contains(f.Skills, skillID)
}

// FunctionFilter selects functions; empty members select all.
type FunctionFilter struct {
	States  []State
	EventID string
	Name    string
}

// ValidateName checks a function name: 1 to limit characters of A-Z a-z 0-9 _ -,
// returning CodeValidation.
func ValidateName(name string, limit int) error {
	if name == "" {
		return Errorf(CodeValidation, "a function needs a name")
	}
	if len(name) > limit {
		return Errorf(CodeValidation, "the name has %d characters; at most %d are allowed", len(name), limit)
	}
	for i, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && !(c >= '0' && c <= '9') && c != '_' && c != '-' {
			return Errorf(CodeValidation, "the name may hold letters, digits, _ and -; character %d is %q", i+1, rune(c))
		}
	}
	return nil
}

// ValidateMeta checks description, event and skills against l, returning CodeValidation.
func (f *Function) ValidateMeta(l Limits) error {
	if n := len([]rune(f.Description)); n > l.DescriptionLength {
		return Errorf(CodeValidation, "the description has %d characters; at most %d are allowed", n, l.DescriptionLength)
	}
	if err := ValidateEventID(f.EventID); err != nil {
		return err
	}
	if len(f.Skills) > l.SkillsPerFunction {
		return Errorf(CodeValidation, "the function has %d skills; at most %d are allowed", len(f.Skills), l.SkillsPerFunction)
	}
	seen := map[string]bool{}
	for _, s := range f.Skills {
		if s == "" || len(s) > 60 {
			return Errorf(CodeValidation, "a skill id is 1 to 60 characters")
		}
		if seen[s] {
			return Errorf(CodeValidation, "skill %s is listed twice", s)
		}
		seen[s] = true
	}
	if len(f.Skills) > 0 && !EventByID(f.EventID).Skills {
		return Errorf(CodeValidation, "only functions of a messaging event can have skills; this one has %s", eventLabel(f.EventID))
	}
	return nil
}

func eventLabel(id string) string {
	if id == "" {
		return "no event"
	}
	return fmt.Sprintf("event %s", id)
}

// FunctionStore keeps functions.
type FunctionStore interface {
	// CreateFunction adds f and its first version in one transaction;
	// CodeConflict when the name is taken in the account, CodeLimitExceeded
	// when the account already has limit functions (0: no limit).
	CreateFunction(ctx context.Context, f *Function, v *Version, limit int) error
	// FindFunction returns CodeFunctionNotFound when there is none.
	FindFunction(ctx context.Context, accountID, id string) (*Function, error)
	// FindFunctionByName returns CodeFunctionNotFound when there is none.
	FindFunctionByName(ctx context.Context, accountID, name string) (*Function, error)
	// ListFunctions returns functions in order of name.
	ListFunctions(ctx context.Context, accountID string, filter FunctionFilter) ([]*Function, error)
	// CountFunctions counts all and those that are deployed.
	CountFunctions(ctx context.Context, accountID string) (total, deployed int, err error)
	// UpdateFunction runs change on the stored function inside one write
	// transaction and stores what it leaves. An error from change is returned
	// as it is and nothing is stored.
	UpdateFunction(ctx context.Context, accountID, id string, change func(*Function) error) (*Function, error)
	// DeleteFunction removes the function with its versions and deployments,
	// after check agrees, in one transaction.
	DeleteFunction(ctx context.Context, accountID, id string, check func(*Function) error) error
	// ListBusyFunctions returns the functions of all accounts with a
	// deployment or undeployment under way, for recovery at start.
	ListBusyFunctions(ctx context.Context) ([]*Function, error)
}
