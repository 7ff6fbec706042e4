package client

import (
	"context"
	"net/http"

	"convoke/api"
)

// Tokens lists the account's tokens, without their text.
func (c *Client) Tokens(ctx context.Context) ([]api.Token, error) {
	return call[[]api.Token](ctx, c, request{method: http.MethodGet, path: "/tokens"})
}

// CreateToken issues a token; its text is in this answer only.
func (c *Client) CreateToken(ctx context.Context, in api.CreateTokenRequest) (*api.CreateTokenResponse, error) {
	return call[*api.CreateTokenResponse](ctx, c, request{method: http.MethodPost, path: "/tokens", in: in})
}

// RevokeToken ends a token's use; CodeNotFound when there is none with that id.
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	_, err := call[struct{}](ctx, c, request{method: http.MethodDelete, path: "/tokens/" + segment(id)})
	return err
}
