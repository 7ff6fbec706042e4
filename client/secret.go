package client

import (
	"context"
	"net/http"
	"net/url"

	"convoke/api"
)

// Secrets lists the account's secrets in order of name, without values. The
// platform's own are among them only when system is true.
func (c *Client) Secrets(ctx context.Context, system bool) ([]api.Secret, error) {
	q := url.Values{}
	if system {
		q.Set("system", "true")
	}
	return call[[]api.Secret](ctx, c, request{method: http.MethodGet, path: "/secrets", query: q})
}

// Secret returns what is known of a secret, but not its value; CodeNotFound
// when there is none.
func (c *Client) Secret(ctx context.Context, name string) (*api.Secret, error) {
	return call[*api.Secret](ctx, c, request{method: http.MethodGet, path: "/secrets/" + segment(name)})
}

// SetSecret creates a secret or changes its value. CodeValidation for a bad
// name or value, CodeLimitExceeded when the account has as many as it may.
func (c *Client) SetSecret(ctx context.Context, name string, in api.SetSecretRequest) (*api.Secret, error) {
	return call[*api.Secret](ctx, c, request{method: http.MethodPut, path: "/secrets/" + segment(name), in: in})
}

// CreateSecret is SetSecret for a name that is free; CodeConflict when it is not.
func (c *Client) CreateSecret(ctx context.Context, in api.CreateSecretRequest) (*api.Secret, error) {
	return call[*api.Secret](ctx, c, request{method: http.MethodPost, path: "/secrets", in: in})
}

// RemoveSecret deletes a secret; CodeNotFound when there is none of that name.
func (c *Client) RemoveSecret(ctx context.Context, name string) error {
	_, err := call[struct{}](ctx, c, request{method: http.MethodDelete, path: "/secrets/" + segment(name)})
	return err
}

// RotateKey replaces the server's master key and seals all secrets of all
// accounts with the new one. It takes an administrator of the first account.
// CodeConflict while another rotation is under way.
func (c *Client) RotateKey(ctx context.Context) (*api.KeyRotation, error) {
	server := *c
	server.base = c.root + "/api"
	return call[*api.KeyRotation](ctx, &server, request{method: http.MethodPost, path: "/master-key/rotate", timeout: deployTimeout})
}
