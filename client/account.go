package client

import (
	"context"
	"net/http"

	"convoke/api"
)

// Accounts lists all accounts of the server; only an operator may.
func (c *Client) Accounts(ctx context.Context) ([]api.Account, error) {
	return call[[]api.Account](ctx, c, request{method: http.MethodGet, path: "/api/accounts"})
}

// Account returns an account; CodeNotFound when there is none. Only an
// operator may.
func (c *Client) Account(ctx context.Context, id string) (*api.Account, error) {
	return call[*api.Account](ctx, c, request{method: http.MethodGet, path: "/api/accounts/" + segment(id)})
}

// CreateAccount makes an account; CodeConflict when the id is taken. Only an
// operator may.
func (c *Client) CreateAccount(ctx context.Context, in api.CreateAccountRequest) (*api.CreateAccountResponse, error) {
	return call[*api.CreateAccountResponse](ctx, c, request{method: http.MethodPost, path: "/api/accounts", in: in})
}

// UpdateAccount changes an account; CodeNotFound when there is none. Only an
// operator may.
func (c *Client) UpdateAccount(ctx context.Context, id string, in api.UpdateAccountRequest) (*api.Account, error) {
	return call[*api.Account](ctx, c, request{method: http.MethodPatch, path: "/api/accounts/" + segment(id), in: in})
}

// Settings returns the settings of the client's account.
func (c *Client) Settings(ctx context.Context) (*api.AccountSettings, error) {
	return call[*api.AccountSettings](ctx, c, request{method: http.MethodGet, path: "/settings"})
}

// UpdateSettings changes them.
func (c *Client) UpdateSettings(ctx context.Context, in api.UpdateSettingsRequest) (*api.AccountSettings, error) {
	return call[*api.AccountSettings](ctx, c, request{method: http.MethodPatch, path: "/settings", in: in})
}

// Limits lists every limit of the account with what is used of it.
func (c *Client) Limits(ctx context.Context) ([]api.Limit, error) {
	return call[[]api.Limit](ctx, c, request{method: http.MethodGet, path: "/limits"})
}
