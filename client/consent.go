package client

import (
	"cmp"
	"context"
	"net/http"

	"convoke/api"
)

// Consents lists what a user allowed programs; userID "" is oneself.
func (c *Client) Consents(ctx context.Context, userID string) ([]api.Consent, error) {
	return call[[]api.Consent](ctx, c, request{method: http.MethodGet, path: consents(userID)})
}

// RevokeConsent ends a consent of a user with all its tokens; userID "" is
// oneself. CodeNotFound when the user has none of that id.
func (c *Client) RevokeConsent(ctx context.Context, userID, id string) error {
	_, err := call[struct{}](ctx, c, request{method: http.MethodDelete, path: consents(userID) + "/" + segment(id)})
	return err
}

func consents(userID string) string { return ofUser(userID) + "/consents" }

// ofUser is where what belongs to a user is; "" is oneself.
func ofUser(userID string) string { return "/users/" + segment(cmp.Or(userID, "me")) }
