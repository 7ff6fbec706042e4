package client

import (
	"context"
	"net/http"
	"slices"

	"convoke"
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

// EnsureDomain is AddDomain for one that may be there already: then it returns
// the entry, and fresh is false.
func (c *Client) EnsureDomain(ctx context.Context, name string) (d *api.Domain, fresh bool, err error) {
	d, err = c.AddDomain(ctx, name)
	if convoke.ErrorCode(err) != convoke.CodeConflict {
		return d, err == nil, err
	}
	list, listErr := c.Domains(ctx)
	if listErr != nil {
		return nil, false, listErr
	}
	if d = FindDomain(list, name); d == nil {
		return nil, false, err // removed in between
	}
	return d, false, nil
}

// FindDomain is the entry that name stands for, or nil.
func FindDomain(list []api.Domain, name string) *api.Domain {
	host, port, err := convoke.ParseDomain(name)
	i := slices.IndexFunc(list, func(d api.Domain) bool { return d.Name == host && d.Port == port })
	if err != nil || i < 0 {
		return nil
	}
	return &list[i]
}
