package api

import "convoke"

// Account describes a tenant, for the operator.
type Account struct {
	Tagged
	ID         string                `json:"id"`
	Name       string                `json:"name"`
	Generation string                `json:"generation"` // V1 or V2: what discovery tells old tools
	Disabled   bool                  `json:"disabled"`
	Limits     convoke.AccountLimits `json:"limits"` // its own; absent members are the server's
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
	ID         string                `json:"id"`
	Name       string                `json:"name,omitempty"`
	Generation string                `json:"generation,omitempty"`
	Limits     convoke.AccountLimits `json:"limits,omitzero"`
	Admin      string                `json:"admin,omitempty"` // login name
}

// CreateAccountResponse is the only answer that carries the password of the
// first user, which has to be changed at the first sign-in.
type CreateAccountResponse struct {
	Account
	Admin    string `json:"admin,omitempty"`
	Password string `json:"password,omitempty"`
}

// UpdateAccountRequest changes an account; absent members stay.
type UpdateAccountRequest struct {
	Name       *string        `json:"name,omitempty"`
	Generation *string        `json:"generation,omitempty"`
	Disabled   *bool          `json:"disabled,omitempty"`
	Limits     map[string]int `json:"limits,omitempty"` // by name; 0 takes the server's, absent ones stay
}

// AccountSettings are what an account's own people see and, but for the
// limits, set.
type AccountSettings struct {
	Tagged
	Name       string                `json:"name"`
	Generation string                `json:"generation"`
	Limits     convoke.AccountLimits `json:"limits"` // set by the operator
}

// UpdateSettingsRequest changes settings; absent members stay.
type UpdateSettingsRequest struct {
	Name       *string `json:"name,omitempty"`
	Generation *string `json:"generation,omitempty"`
}

// Limit is one limit of an account.
type Limit struct {
	Name  string `json:"name"`
	Limit int64  `json:"limit"`          // 0: none
	Unit  string `json:"unit,omitempty"` // "ms" for times
	Used  *int   `json:"used,omitempty"` // absent where nothing is counted
}
