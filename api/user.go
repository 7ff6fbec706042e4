package api

import "convoke"

// User describes a person who signs in. No answer holds a password but the one
// that made it up.
type User struct {
	Tagged
	ID                 string   `json:"id"`
	LoginName          string   `json:"loginName"`
	Roles              []string `json:"roles"`
	Disabled           bool     `json:"disabled"`
	MustChangePassword bool     `json:"mustChangePassword"`
	External           bool     `json:"external"` // signs in through the identity provider, without a password
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
	LoginName string   `json:"loginName"`
	Roles     []string `json:"roles"`
	Password  string   `json:"password,omitempty"`
	// External users sign in through the identity provider, which knows them
	// by the login name; they have no password.
	External bool `json:"external,omitempty"`
}

// UserPasswordResponse is a user with the password that was made up, which is
// shown once; absent when the request brought one.
type UserPasswordResponse struct {
	User
	Password string `json:"password,omitempty"`
}

// UpdateUserRequest changes a user; absent members stay.
type UpdateUserRequest struct {
	Roles    []string `json:"roles,omitempty"`
	Disabled *bool    `json:"disabled,omitempty"`
}

// ChangePasswordRequest sets one's own password.
type ChangePasswordRequest struct {
	OldPassword string `json:"oldPassword"`
	NewPassword string `json:"newPassword"`
}

// Me says who makes the request.
type Me struct {
	AccountID          string   `json:"accountId"`
	AccountName        string   `json:"accountName"`
	Kind               string   `json:"kind"` // session or token
	ID                 string   `json:"id"`   // of the user or token
	Name               string   `json:"name"`
	UserID             string   `json:"userId,omitempty"` // absent for a token of the account
	Roles              []string `json:"roles"`
	Permissions        []string `json:"permissions"`
	MustChangePassword bool     `json:"mustChangePassword,omitempty"`
	// CSRF is what a browser sends as X-CSRF-Token with what changes
	// something; for requests with the session cookie only.
	CSRF string `json:"csrf,omitempty"`
}
