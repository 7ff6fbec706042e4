package client

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"convoke"
	"convoke/api"
)

// Users lists the account's users in order of login name.
func (c *Client) Users(ctx context.Context) ([]api.User, error) {
	return call[[]api.User](ctx, c, request{method: http.MethodGet, path: "/users"})
}

// FindUser returns the user with that login name or id; CodeNotFound when
// there is none.
func (c *Client) FindUser(ctx context.Context, nameOrID string) (*api.User, error) {
	if uuid.Validate(nameOrID) == nil {
		return call[*api.User](ctx, c, request{method: http.MethodGet, path: "/users/" + segment(nameOrID)})
	}
	list, err := c.Users(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(list, func(u api.User) bool { return strings.EqualFold(u.LoginName, nameOrID) })
	if i < 0 {
		return nil, convoke.Errorf(convoke.CodeNotFound, "there is no user %q", nameOrID)
	}
	return &list[i], nil
}

// CreateUser adds a user; a password that the server made up is in this answer
// only. CodeConflict when the login name is taken.
func (c *Client) CreateUser(ctx context.Context, in api.CreateUserRequest) (*api.UserPasswordResponse, error) {
	return call[*api.UserPasswordResponse](ctx, c, request{method: http.MethodPost, path: "/users", in: in})
}

// UpdateUser changes roles, disables or enables; CodeActionNotAllowed when
// nobody would be left who governs the account.
func (c *Client) UpdateUser(ctx context.Context, id string, in api.UpdateUserRequest) (*api.User, error) {
	return call[*api.User](ctx, c, request{method: http.MethodPatch, path: "/users/" + segment(id), in: in})
}

// ResetPassword makes up a password, which is in this answer only and has to
// be changed at the next sign-in.
func (c *Client) ResetPassword(ctx context.Context, id string) (*api.UserPasswordResponse, error) {
	return call[*api.UserPasswordResponse](ctx, c, request{method: http.MethodPost, path: "/users/" + segment(id) + "/resetPassword"})
}

// DeleteUser removes a user; CodeActionNotAllowed for the last admin.
func (c *Client) DeleteUser(ctx context.Context, id string) error {
	_, err := call[struct{}](ctx, c, request{method: http.MethodDelete, path: "/users/" + segment(id)})
	return err
}
