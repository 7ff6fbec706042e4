package api

import "convoke"

// User describes a person who signs in. No answer holds a password but the one
// that made it up.
type User struct {
	Tagged
	ID                 string   `json:"id"`                 // what requests name the user by
	LoginName          string   `json:"loginName"`          // what the user signs in with
	Roles              []string `json:"roles" enum:"role"`  // what the user may do
	Disabled           bool     `json:"disabled"`           // the user cannot sign in, and what he has is refused
	MustChangePassword bool     `json:"mustChangePassword"` // somebody else made up the password
	External           bool     `json:"external"`           // signs in through the identity provider, without a password
	CreatedAt          Time     `json:"createdAt,omitzero"`
	UpdatedAt          Time     `json:"updatedAt,omitzero"`
	LastLoginAt        Time     `json:"lastLoginAt,omitzero"` // absent: never
}

// NewUser is the body for u.
func NewUser(u *convoke.User) User {
	return User{
		ID: u.ID, LoginName: u.LoginName, Roles: RoleNames(u.Roles), Disabled: u.Disabled, MustChangePassword: u.MustChangePassword,
		External: u.PasswordHash == "", CreatedAt: Time{Time: u.CreatedAt}, UpdatedAt: Time{Time: u.UpdatedAt}, LastLoginAt: Time{Time: u.LastLoginAt},
	}
}

// RoleNames are roles as the wire has them.
func RoleNames(roles []convoke.Role) []string {
	out := make([]string, len(roles))
	for i, r := range roles {
		out[i] = string(r)
	}
	return out
}

// CreateUserRequest adds a user. Without a password one is made up, which has
// to be changed at the first sign-in.
type CreateUserRequest struct {
	LoginName string   `json:"loginName"`          // what the user signs in with; unique in the account
	Roles     []string `json:"roles" enum:"role"`  // what the user may do
	Password  string   `json:"password,omitempty"` // absent: one is made up
	External  bool     `json:"external,omitempty"` // signs in through the identity provider, which knows the user by the login name, without a password
}

// UserPasswordResponse is a user with the password that was made up, which is
// shown once; absent when the request brought one.
type UserPasswordResponse struct {
	User
	Password string `json:"password,omitempty"` // that was made up; absent: the request brought one
}

// UpdateUserRequest changes a user; absent members stay.
type UpdateUserRequest struct {
	Roles    []string `json:"roles,omitempty" enum:"role"` // what the user may do
	Disabled *bool    `json:"disabled,omitempty"`          // whether the user is kept out
}

// ChangePasswordRequest sets one's own password.
type ChangePasswordRequest struct {
	OldPassword string `json:"oldPassword"` // the one so far
	NewPassword string `json:"newPassword"` // at least 12 characters
}

// Kinds of who makes a request.
const (
	IdentitySession = "session"
	IdentityToken   = "token"
)

// Me says who makes the request.
type Me struct {
	AccountID          string   `json:"accountId"`                     // of the account
	AccountName        string   `json:"accountName"`                   // what people call the account
	Kind               string   `json:"kind" enum:"identityKind"`      // session or token
	ID                 string   `json:"id"`                            // of the user or token
	Name               string   `json:"name"`                          // of the user or token
	UserID             string   `json:"userId,omitempty"`              // absent for a token of the account
	Roles              []string `json:"roles" enum:"role"`             // of who makes the request
	Permissions        []string `json:"permissions" enum:"permission"` // what the roles, or the scopes of a client, allow
	MustChangePassword bool     `json:"mustChangePassword,omitempty"`  // nothing else is allowed before
	CSRF               string   `json:"csrf,omitempty"`                // what a browser sends as X-CSRF-Token with what changes something; for requests with the session cookie only
}
