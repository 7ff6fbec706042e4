package api

import "convoke"

// Account describes a tenant, for the operator.
type Account struct {
	Tagged
	ID         string                `json:"id"`                           // 1 to 20 digits
	Name       string                `json:"name"`                         // what people call it
	Generation string                `json:"generation" enum:"generation"` // V1 or V2: what discovery tells old tools
	Disabled   bool                  `json:"disabled"`                     // it keeps everything, but nobody gets in and nothing of it runs
	Limits     convoke.AccountLimits `json:"limits"`                       // its own; absent members are the server's
	CreatedAt  Time                  `json:"createdAt,omitzero"`
	UpdatedAt  Time                  `json:"updatedAt,omitzero"`
}

// NewAccount is the body for a.
func NewAccount(a *convoke.Account) Account {
	return Account{
		ID: a.ID, Name: a.Name, Generation: string(a.Generation), Disabled: a.Disabled, Limits: a.Limits,
		CreatedAt: Time{Time: a.CreatedAt}, UpdatedAt: Time{Time: a.UpdatedAt},
	}
}

// CreateAccountRequest makes an account, with a first user where Admin names one.
type CreateAccountRequest struct {
	ID         string                `json:"id"`                                     // 1 to 20 digits
	Name       string                `json:"name,omitempty"`                         // what people call it; absent: the id
	Generation string                `json:"generation,omitempty" enum:"generation"` // what discovery tells old tools; absent: V2
	Limits     convoke.AccountLimits `json:"limits,omitzero"`                        // its own; absent members are the server's
	Admin      string                `json:"admin,omitempty"`                        // login name of its first user; absent: none
}

// CreateAccountResponse is the only answer that carries the password of the
// first user, which has to be changed at the first sign-in.
type CreateAccountResponse struct {
	Account
	Admin    string `json:"admin,omitempty"`    // login name of its first user
	Password string `json:"password,omitempty"` // of the first user, who has to change it
}

// UpdateAccountRequest changes an account; absent members stay.
type UpdateAccountRequest struct {
	Name       *string        `json:"name,omitempty"`                         // what people call it
	Generation *string        `json:"generation,omitempty" enum:"generation"` // what discovery tells old tools
	Disabled   *bool          `json:"disabled,omitempty"`                     // whether everybody is kept out
	Limits     map[string]int `json:"limits,omitempty" enum:"accountLimit"`   // by name; 0 takes the server's, absent ones stay
}

// AccountSettings are what an account's own people see and, but for the
// limits, set.
type AccountSettings struct {
	Tagged
	Name       string                `json:"name"`                         // what people call the account
	Generation string                `json:"generation" enum:"generation"` // what discovery tells old tools
	Limits     convoke.AccountLimits `json:"limits"`                       // set by the operator
}

// UpdateSettingsRequest changes settings; absent members stay.
type UpdateSettingsRequest struct {
	Name       *string `json:"name,omitempty"`                         // what people call the account
	Generation *string `json:"generation,omitempty" enum:"generation"` // what discovery tells old tools
}

// LimitUnits lists the units of limits that do not just count.
var LimitUnits = []string{"ms", "seconds", "bytes", "characters", "MiB"}

// Limit is one limit of an account.
type Limit struct {
	Name        string `json:"name"`                            // as settings of the server and of accounts have it
	Description string `json:"description"`                     // what is limited
	Limit       int64  `json:"limit"`                           // 0: none
	Unit        string `json:"unit,omitempty" enum:"limitUnit"` // absent: a count
	Used        *int   `json:"used,omitempty"`                  // absent where nothing is counted
	Settable    bool   `json:"settable,omitempty"`              // the operator can set it for the account, within the server's
}
