package convoke

import (
	"context"
	"time"
)

// DefaultAccountID is the account that the first start creates.
const DefaultAccountID = "10000001"

// Account is a tenant. Its id is digits only (letters move the discovery host
// of the public clients, spec/api-surface.md 1).
type Account struct {
	ID        string
	Name      string
	CreatedAt time.Time
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
	ListAccounts(ctx context.Context) ([]*Account, error)
}
