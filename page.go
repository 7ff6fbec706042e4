package convoke

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Page is the part of a list that a caller wants. The zero Page is the whole
// list in its own order; of a list of records, its newest ones.
type Page struct {
	// Sort is a field of the list's Order, with a leading "-" from its end; ""
	// is the list's own order.
	Sort string
	// After is behind which place of the list, sorted like that, the page
	// begins; nil is its beginning.
	After Mark
	// Limit is how many elements there are at most; 0 is all, of records 1,000.
	Limit int
}

// Mark is a place in a sorted list: what the element before it is sorted by,
// strings and int64s, with what decides between equal ones. Elements that come
// and go do not move it.
type Mark []any

// Order is how a list may be sorted.
type Order struct {
	Own    string   // the list's own order, in the form of Page.Sort
	Fields []string // all fields to sort by, as they are named on the wire
}

// The orders of all lists. Lists that grow without end are sorted by what they
// are stored by and nothing else: any other order would read all of them.
var (
	FunctionOrder    = Order{"name", []string{"name", "createdAt", "updatedAt"}}
	VersionOrder     = Order{"-version", []string{"version"}}
	DeploymentOrder  = Order{"-createdAt", []string{"createdAt"}}
	TokenOrder       = Order{"createdAt", []string{"createdAt", "name", "expiresAt", "lastUsedAt"}}
	SessionOrder     = Order{"-createdAt", []string{"createdAt", "lastUsedAt", "expiresAt"}}
	ConsentOrder     = Order{"-createdAt", []string{"createdAt", "lastUsedAt", "expiresAt"}}
	UserOrder        = Order{"loginName", []string{"loginName", "createdAt", "updatedAt", "lastLoginAt"}}
	AccountOrder     = Order{"createdAt", []string{"createdAt", "id", "name", "updatedAt"}}
	ClientOrder      = Order{"name", []string{"name", "createdAt", "updatedAt", "lastUsedAt"}}
	SecretOrder      = Order{"name", []string{"name", "createdAt", "updatedAt"}}
	DomainOrder      = Order{"name", []string{"name", "createdAt"}}
	ScheduleOrder    = Order{"createdAt", []string{"createdAt", "updatedAt", "nextExecution", "lastExecution"}}
	ScheduleRunOrder = Order{"-dueAt", []string{"dueAt"}}
	ActivityOrder    = Order{"-id", []string{"id"}}
	InvocationOrder  = Order{"-startedAt", []string{"startedAt"}}
	CallOrder        = Order{"-id", []string{"id"}}
	LogOrder         = Order{"-id", []string{"id"}}
)

// Resolve returns the field and the direction that sort stands for; "" is the
// list's own order. It returns CodeInvalid for a field that the list cannot be
// sorted by.
func (o Order) Resolve(sort string) (field string, descending bool, err error) {
	if sort == "" {
		sort = o.Own
	}
	field, descending = strings.CutPrefix(sort, "-")
	if !slices.Contains(o.Fields, field) {
		return "", false, Errorf(CodeInvalid, "the list cannot be sorted by %.60q; use one of %s, with a leading - from the end", field, strings.Join(o.Fields, ", "))
	}
	return field, descending, nil
}

// PageStore reads lists by pages, for people and programs at the edge; whoever
// needs all of a list has a method of the list's own store. Every method also
// returns the mark of the next page, nil when there is none, and CodeInvalid
// for a sort that the list does not have or a mark of another sort.
type PageStore interface {
	PageAccounts(ctx context.Context, p Page) ([]*Account, Mark, error)
	PageUsers(ctx context.Context, accountID string, p Page) ([]*User, Mark, error)
	// PageTokens reads the tokens of an account, or with userID those of a user.
	PageTokens(ctx context.Context, accountID, userID string, p Page) ([]*Token, Mark, error)
	// PageSessions reads the sessions of a user that last, sign-ins of the
	// command line among them, without their hashes.
	PageSessions(ctx context.Context, accountID, userID string, last SessionsAt, p Page) ([]*Session, Mark, error)
	// PageGrants reads the grants of a user that are consents which hold at that
	// time.
	PageGrants(ctx context.Context, accountID, userID string, at time.Time, p Page) ([]*Grant, Mark, error)
	PageClients(ctx context.Context, accountID string, p Page) ([]*Client, Mark, error)
	PageFunctions(ctx context.Context, accountID string, f FunctionFilter, p Page) ([]*Function, Mark, error)
	PageVersions(ctx context.Context, accountID, functionID string, p Page) ([]*Version, Mark, error)
	// PageDeployments reads the deployments of a function, or with functionID ""
	// the newest of every function.
	PageDeployments(ctx context.Context, accountID, functionID string, p Page) ([]*Deployment, Mark, error)
	PageDomains(ctx context.Context, accountID string, p Page) ([]*Domain, Mark, error)
	// PageSecrets reads secrets without what is sealed; the platform's own are
	// among them only when system is true.
	PageSecrets(ctx context.Context, accountID string, system bool, p Page) ([]*StoredSecret, Mark, error)
	// PageSchedules reads an account's schedules, or with functionID those of a
	// function.
	PageSchedules(ctx context.Context, accountID, functionID string, p Page) ([]*Schedule, Mark, error)
	PageRuns(ctx context.Context, accountID, scheduleID string, p Page) ([]*ScheduleRun, Mark, error)
	// Of the filters of records, the members for order and number do not count.
	PageActivities(ctx context.Context, accountID string, f ActivityFilter, p Page) ([]*Activity, Mark, error)
	PageInvocations(ctx context.Context, accountID string, f InvocationFilter, p Page) ([]Invocation, Mark, error)
	PageCalls(ctx context.Context, accountID string, f CallFilter, p Page) ([]Call, Mark, error)
	PageLogs(ctx context.Context, accountID string, f LogFilter, p Page) ([]LogEntry, Mark, error)
}
