package convoke

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// DefaultAccountID is the account that the first start creates. It is the
// operator's own: only its users and tokens may hold RoleOperator.
const DefaultAccountID = "10000001"

// Generation is which of the reference's two generations an account shows to
// old tools: they take it from the domain names that discovery hands out
// (spec/api-surface.md 0).
type Generation string

const (
	GenerationV1 Generation = "V1"
	GenerationV2 Generation = "V2"
)

// Generations lists the generations.
var Generations = []Generation{GenerationV1, GenerationV2}

// Account is a tenant. Its id is digits only (letters move the discovery host
// of the public clients, spec/api-surface.md 1).
type Account struct {
	ID         string
	Name       string
	Generation Generation // "" is stored as GenerationV2
	// Disabled accounts keep everything, but nobody gets in.
	Disabled  bool
	Limits    AccountLimits
	CreatedAt time.Time
	UpdatedAt time.Time
}

// AccountLimits are the limits that the operator gave one account within the
// server's. Zero members take the server's. A member has the name of the
// server's limit that it tightens: one of Limits, or another room's.
type AccountLimits struct {
	FunctionsPerAccount    int `json:"functionsPerAccount,omitempty"`    // functions it may have
	UsersPerAccount        int `json:"usersPerAccount,omitempty"`        // users it may have
	ClientsPerAccount      int `json:"clientsPerAccount,omitempty"`      // OAuth clients it may have
	DomainsPerAccount      int `json:"domainsPerAccount,omitempty"`      // allowed domains it may have
	SecretsPerAccount      int `json:"secretsPerAccount,omitempty"`      // secrets it may have
	SchedulesPerAccount    int `json:"schedulesPerAccount,omitempty"`    // schedules it may have
	MaxInstancesPerAccount int `json:"maxInstancesPerAccount,omitempty"` // instances of its functions at a time
	ConcurrentDeployments  int `json:"concurrentDeployments,omitempty"`  // deployments under way at a time
	VersionsPerFunction    int `json:"versionsPerFunction,omitempty"`    // versions kept of a function
	DeploymentsPerFunction int `json:"deploymentsPerFunction,omitempty"` // deployments kept of a function
	PayloadBytes           int `json:"payloadBytes,omitempty"`           // bytes of an invocation's body
	// Invocations that the account, one function and one client may begin, and
	// that the account may have in a month.
	InvocationsPerSecond            int `json:"invocationsPerSecond,omitempty"`            // invocations it may begin in a second
	InvocationsPerSecondPerFunction int `json:"invocationsPerSecondPerFunction,omitempty"` // and of one function
	InvocationsPerSecondPerClient   int `json:"invocationsPerSecondPerClient,omitempty"`   // and by one client, token or user
	InvocationsPerMonth             int `json:"invocationsPerMonth,omitempty"`             // invocations it may have in a month
}

// Names lists what limits an account can have of its own.
func (a AccountLimits) Names() []string {
	t := reflect.TypeOf(a)
	names := make([]string, t.NumField())
	for i := range names {
		names[i], _, _ = strings.Cut(t.Field(i).Tag.Get("json"), ",")
	}
	return names
}

// Of is the limit of that name; 0 when there is none of its own.
func (a AccountLimits) Of(name string) int {
	if i := slices.Index(a.Names(), name); i >= 0 {
		return int(reflect.ValueOf(a).Field(i).Int())
	}
	return 0
}

// Over is l with the account's own limits in place, as far as they are tighter.
func (a AccountLimits) Over(l Limits) Limits {
	v := reflect.ValueOf(&l).Elem()
	for i := range v.NumField() {
		if own := a.Of(v.Type().Field(i).Tag.Get("yaml")); own != 0 {
			v.Field(i).SetInt(int64(Tighter(own, int(v.Field(i).Int()))))
		}
	}
	return l
}

// With is a with the limits of change in place, by their names; 0 takes the
// server's. It returns CodeValidation for a name that no limit has.
func (a AccountLimits) With(change map[string]int) (AccountLimits, error) {
	names := a.Names()
	for _, name := range slices.Sorted(maps.Keys(change)) {
		i := slices.Index(names, name)
		if i < 0 {
			return a, Errorf(CodeValidation, "an account has no limit %.50q; it has %s", name, strings.Join(names, ", "))
		}
		reflect.ValueOf(&a).Elem().Field(i).SetInt(int64(change[name]))
	}
	return a, nil
}

// maxAccountLimit keeps absurd numbers out of arithmetic.
const maxAccountLimit = 1 << 30

// Validate returns CodeValidation unless every limit is 0 or a number that can be meant.
func (a AccountLimits) Validate() error {
	for _, name := range a.Names() {
		if own := a.Of(name); own < 0 || own > maxAccountLimit {
			return Errorf(CodeValidation, "the limit %s is %d; it must be from 1 to %d, or 0 to take the server's", name, own, maxAccountLimit)
		}
	}
	return nil
}

// maxAccountName bounds the name of an account, in characters.
const maxAccountName = 100

// Validate returns CodeValidation unless id, name, generation and limits can be used.
func (a *Account) Validate() error {
	if err := ValidateAccountID(a.ID); err != nil {
		return err
	}
	if n := len([]rune(a.Name)); n == 0 || n > maxAccountName {
		return Errorf(CodeValidation, "an account needs a name of 1 to %d characters", maxAccountName)
	}
	if !slices.Contains(Generations, a.Generation) {
		return Errorf(CodeValidation, "the generation is V1 or V2, not %.20q", a.Generation)
	}
	return a.Limits.Validate()
}

// ValidateAccountID returns CodeValidation unless id is 1 to 20 digits.
func ValidateAccountID(id string) error {
	ok := len(id) > 0 && len(id) <= 20
	for i := 0; ok && i < len(id); i++ {
		ok = id[i] >= '0' && id[i] <= '9'
	}
	if !ok {
		return Errorf(CodeValidation, "an account id is 1 to 20 digits")
	}
	return nil
}

// AccountStore keeps accounts.
type AccountStore interface {
	// CreateAccount adds a; CodeConflict when the id is taken.
	CreateAccount(ctx context.Context, a *Account) error
	// FindAccount returns CodeNotFound when there is none.
	FindAccount(ctx context.Context, id string) (*Account, error)
	// ListAccounts returns all accounts, the oldest first.
	ListAccounts(ctx context.Context) ([]*Account, error)
	// UpdateAccount runs change on the stored account inside one write
	// transaction and stores what it leaves; CodeNotFound when there is none.
	// An error from change is returned as it is and nothing is stored.
	UpdateAccount(ctx context.Context, id string, change func(*Account) error) (*Account, error)
}

// Usage is how many invocations an account had in a month.
type Usage struct {
	AccountID   string
	Month       time.Time // its first instant, UTC
	Invocations int64
}

// MonthOf is the first instant of the month that t is in, in UTC.
func MonthOf(t time.Time) time.Time {
	year, month, _ := t.UTC().Date()
	return time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
}

// UsageStore keeps what accounts have used, for as long as they exist: unlike
// the counters of functions, which go with their retention.
type UsageStore interface {
	// AddUsage adds to what is there for the same account and month, all in one
	// transaction. Of an account that does not exist nothing is kept.
	AddUsage(ctx context.Context, usage []Usage) error
	// ListUsage returns what the accounts have used in a month, those that have
	// used nothing left out, in order of account.
	ListUsage(ctx context.Context, month time.Time) ([]Usage, error)
}
