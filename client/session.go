package client

import (
	"context"
	"net/http"
	"net/url"

	"convoke"
	"convoke/api"
)

// Login signs in with a password; the bearer of the answer is a token. It
// needs no token. CodeUnauthorized when the password is wrong, CodeLocked
// after too many attempts.
func (c *Client) Login(ctx context.Context, loginName string, password convoke.Secret) (*api.LoginResponse, error) {
	return call[*api.LoginResponse](ctx, c, loginRequest(loginName, password))
}

func loginRequest(loginName string, password convoke.Secret) request {
	return request{
		method: http.MethodPost, path: "/login", query: url.Values{"v": {"1.3"}},
		in: api.LoginRequest{Username: loginName, Password: password.Reveal()},
	}
}

// Logout ends the session whose bearer is the client's token;
// CodeActionNotAllowed when it is no session's.
func (c *Client) Logout(ctx context.Context) error {
	_, err := call[struct{}](ctx, c, request{method: http.MethodPost, path: "/logout"})
	return err
}

// Me returns who the client's token is.
func (c *Client) Me(ctx context.Context) (*api.Me, error) {
	return call[*api.Me](ctx, c, request{method: http.MethodGet, path: "/me"})
}

// ChangePassword sets one's own password; CodeValidation when the old one is
// wrong or the new one too short.
func (c *Client) ChangePassword(ctx context.Context, old, password convoke.Secret) error {
	_, err := call[struct{}](ctx, c, request{
		method: http.MethodPost, path: "/users/me/password",
		in: api.ChangePasswordRequest{OldPassword: old.Reveal(), NewPassword: password.Reveal()},
	})
	return err
}

// Sessions lists the sessions of a user that last; userID "" is oneself.
func (c *Client) Sessions(ctx context.Context, userID string) ([]api.Session, error) {
	return call[[]api.Session](ctx, c, request{method: http.MethodGet, path: sessions(userID)})
}

// EndSession ends a session of a user, also the one that the call is made with;
// userID "" is oneself. CodeNotFound when the user has none of that id.
func (c *Client) EndSession(ctx context.Context, userID, id string) error {
	_, err := call[struct{}](ctx, c, request{method: http.MethodDelete, path: sessions(userID) + "/" + segment(id)})
	return err
}

// EndSessions ends all sessions of a user but the one that the call is made
// with, and returns how many; userID "" is oneself.
func (c *Client) EndSessions(ctx context.Context, userID string) (int, error) {
	out, err := call[api.EndedSessions](ctx, c, request{method: http.MethodDelete, path: sessions(userID)})
	return out.Ended, err
}

func sessions(userID string) string { return ofUser(userID) + "/sessions" }
