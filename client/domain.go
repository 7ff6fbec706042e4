package client

import (
	"context"
	"net/http"

	"convoke/api"
)

// Domains lists the domains that the account's functions may call, in order of
// name and port.
func (c *Client) Domains(ctx context.Context) ([]api.Domain, error) {
	return call[[]api.Domain](ctx, c, request{method: http.MethodGet, path: "/domains"})
}

// AddDomain allows a domain, such as "api.example.com", "*.example.com" or
// "api.example.com:8443". CodeInvalidDomain for a text that is none,
// CodeConflict when it is allowed already, CodeLimitExceeded when the account
// has all it may have.
func (c *Client) AddDomain(ctx context.Context, domain string) (*api.Domain, error) {
	return call[*api.Domain](ctx, c, request{method: http.MethodPost, path: "/domains", in: api.AddDomainRequest{Domain: domain}})
}

// RemoveDomain removes an allowed domain; CodeNotFound when there is none with
// that id.
func (c *Client) RemoveDomain(ctx context.Context, id string) error {
	_, err := call[struct{}](ctx, c, request{method: http.MethodDelete, path: "/domains/" + segment(id)})
	return err
}
