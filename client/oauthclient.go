package client

import (
	"context"
	"net/http"

	"convoke/api"
)

// Clients lists the account's OAuth clients in order of name, without their secrets.
func (c *Client) Clients(ctx context.Context) ([]api.Client, error) {
	return call[[]api.Client](ctx, c, request{method: http.MethodGet, path: "/clients"})
}

// OAuthClient returns one OAuth client; CodeNotFound when there is none with that id.
func (c *Client) OAuthClient(ctx context.Context, id string) (*api.Client, error) {
	return call[*api.Client](ctx, c, request{method: http.MethodGet, path: "/clients/" + segment(id)})
}

// CreateClient registers an OAuth client; its secret is in this answer only.
func (c *Client) CreateClient(ctx context.Context, in api.CreateClientRequest) (*api.ClientWithSecret, error) {
	return call[*api.ClientWithSecret](ctx, c, request{method: http.MethodPost, path: "/clients", in: in})
}

// UpdateClient changes an OAuth client; CodeUnchanged when nothing is new.
func (c *Client) UpdateClient(ctx context.Context, id string, in api.UpdateClientRequest) (*api.Client, error) {
	return call[*api.Client](ctx, c, request{method: http.MethodPatch, path: "/clients/" + segment(id), in: in})
}

// RotateClientSecret gives an OAuth client a new secret, which is in this
// answer only.
func (c *Client) RotateClientSecret(ctx context.Context, id string, in api.RotateClientSecretRequest) (*api.ClientWithSecret, error) {
	return call[*api.ClientWithSecret](ctx, c, request{method: http.MethodPost, path: "/clients/" + segment(id) + "/secret", in: in})
}

// RemoveClient removes an OAuth client and ends its tokens; CodeNotFound when
// there is none with that id.
func (c *Client) RemoveClient(ctx context.Context, id string) error {
	_, err := call[struct{}](ctx, c, request{method: http.MethodDelete, path: "/clients/" + segment(id)})
	return err
}
