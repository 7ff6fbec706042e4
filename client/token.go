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

// OwnTokens lists the tokens of the user who makes the request.
func (c *Client) OwnTokens(ctx context.Context) ([]api.Token, error) {
	return call[[]api.Token](ctx, c, request{method: http.MethodGet, path: "/users/me/tokens"})
}

// CreateOwnToken issues a token of the user who signed in, with at most his
// own roles; its text is in this answer only. CodeActionNotAllowed when the
// request is made with a token.
func (c *Client) CreateOwnToken(ctx context.Context, in api.CreateTokenRequest) (*api.CreateTokenResponse, error) {
	return call[*api.CreateTokenResponse](ctx, c, request{method: http.MethodPost, path: "/users/me/tokens", in: in})
}

// RevokeOwnToken ends the use of one's own token; CodeNotFound when it is none.
func (c *Client) RevokeOwnToken(ctx context.Context, id string) error {
	_, err := call[struct{}](ctx, c, request{method: http.MethodDelete, path: "/users/me/tokens/" + segment(id)})
	return err
}
