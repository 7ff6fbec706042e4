package client

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"convoke"
	"convoke/api"
)

// oauthTimeout bounds calls of the authorization server, which answer at once.
const oauthTimeout = 30 * time.Second

// AuthorizationServer describes the server's authorization server. It needs no
// token.
func (c *Client) AuthorizationServer(ctx context.Context) (*api.OAuthServer, error) {
	out := &api.OAuthServer{}
	return out, c.oauth(ctx, http.MethodGet, "/.well-known/oauth-authorization-server", nil, out)
}

// AuthorizeURL is where a browser asks a user of the account for a code, with
// the parameters of RFC 6749, section 4.1.1, and RFC 7636.
func (c *Client) AuthorizeURL(q url.Values) string {
	return c.root + "/sentinel/api/account/" + c.account + "/authorize?" + q.Encode()
}

// TokenByForm asks for tokens with the parameters of a grant. It needs no
// token. CodeUnauthorized when the code or refresh token is no good.
func (c *Client) TokenByForm(ctx context.Context, form url.Values) (*api.OAuthToken, error) {
	out := &api.OAuthToken{}
	return out, c.oauth(ctx, http.MethodPost, "/oauth2/token", form, out)
}

// RevokeByForm ends a refresh token with all that came of it.
func (c *Client) RevokeByForm(ctx context.Context, form url.Values) error {
	return c.oauth(ctx, http.MethodPost, "/oauth2/revoke", form, nil)
}

// oauth makes a call in the form of RFC 6749; out nil takes no answer.
func (c *Client) oauth(ctx context.Context, method, path string, form url.Values, out any) error {
	ctx, cancel := context.WithTimeout(ctx, oauthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.root+path, strings.NewReader(form.Encode()))
	if err != nil {
		return &convoke.Error{Code: convoke.CodeValidation, Message: "the request cannot be made", Cause: err}
	}
	req.Header.Set("User-Agent", c.userAgent)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return c.unreachable(ctx, err)
	}
	if resp.StatusCode != http.StatusOK {
		return oauthError(resp, body)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return &convoke.Error{Code: convoke.CodeInternal, Message: "the answer to " + path + " cannot be understood; is " + c.root + " a Convoke server?", Cause: err}
	}
	return nil
}

// oauthError is the error of a failed answer (RFC 6749, section 5.2).
func oauthError(resp *http.Response, body []byte) error {
	general := api.ParseError(resp.StatusCode, resp.Header, body)
	var e api.OAuthError
	if json.Unmarshal(body, &e) != nil || e.Error == "" {
		return general
	}
	general.Message = cmp.Or(e.Description, e.Error)
	switch e.Error {
	case "invalid_grant", "invalid_client":
		general.Code = convoke.CodeUnauthorized
	}
	return general
}
