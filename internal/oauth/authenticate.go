package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
	"time"

	"convoke"
)

// nobody takes the place of a client that does not exist, so that asking for
// one costs the same. The hash is of nothing.
var nobody = &convoke.Client{Disabled: true, Secrets: []convoke.ClientSecret{{Hash: make([]byte, sha256.Size)}}}

// authenticate returns the client that r comes from, by HTTP Basic or by the
// form (RFC 6749, section 2.3.1). A public client only names itself. account is
// that of the path, "" where it has none. Failures count against the address.
func (s *Server) authenticate(r *http.Request, form url.Values, account string) (*convoke.Client, error) {
	id, secret, err := credentials(r, form)
	if err != nil {
		return nil, err
	}
	c, err := s.client(r.Context(), id, account)
	if err != nil {
		return nil, err
	}
	if good := provesItself(c, secret, time.Now()); !good || c.Disabled || account != "" && account != c.AccountID {
		s.limits.failed(r)
		return nil, badClient()
	}
	if c.ID == convoke.CommandLineID {
		return c, nil // of all people of all accounts, and proves nothing: only addresses can be held back
	}
	if wait := s.limits.client.take(c.ID); wait > 0 {
		return nil, tooMany(wait)
	}
	return c, nil
}

// credentials are what the request says about its client. Two ways in one
// request are refused: which one counts would be a guess.
func credentials(r *http.Request, form url.Values) (id, secret string, err error) {
	id, secret = form.Get("client_id"), form.Get("client_secret")
	if form.Has("client_assertion") || form.Has("client_assertion_type") {
		return "", "", problemf("invalid_request", "client assertions are not supported; use client_secret")
	}
	user, password, ok := r.BasicAuth()
	if !ok {
		return id, secret, nil
	}
	// They are form-encoded before they are put into the header.
	user, err1 := url.QueryUnescape(user)
	password, err2 := url.QueryUnescape(password)
	if err1 != nil || err2 != nil {
		return "", "", badClient()
	}
	if form.Has("client_secret") || id != "" && id != user {
		return "", "", problemf("invalid_request", "give the client's id and secret in one way: HTTP Basic or the form")
	}
	return user, password, nil
}

// client finds a client; nobody stands for one that does not exist. account is
// that of the path, "" where it has none.
func (s *Server) client(ctx context.Context, id, account string) (*convoke.Client, error) {
	c, err := s.find(ctx, id, account)
	if convoke.ErrorCode(err) == convoke.CodeNotFound {
		return nobody, nil
	}
	return c, err
}

// find finds a registered client, or the command line, which is one of every
// account; CodeNotFound when there is none.
func (s *Server) find(ctx context.Context, id, account string) (*convoke.Client, error) {
	if id == convoke.CommandLineID {
		return convoke.CommandLine(account), nil
	}
	return s.store.FindClient(ctx, id)
}

// open returns closed when the account is disabled, and the store's error.
func (s *Server) open(ctx context.Context, accountID string, closed *problem) error {
	a, err := s.store.FindAccount(ctx, accountID)
	if err == nil && a.Disabled || convoke.ErrorCode(err) == convoke.CodeNotFound {
		return closed
	}
	return err
}

// provesItself reports whether secret is one of c's that may be used at now.
func provesItself(c *convoke.Client, secret string, now time.Time) bool {
	sum := sha256.Sum256([]byte(secret))
	good := 0
	for i := range c.Secrets {
		same := subtle.ConstantTimeCompare(c.Secrets[i].Hash, sum[:])
		if c.Secrets[i].Live(now) {
			good |= same
		}
	}
	if c.Public {
		return secret == ""
	}
	return good == 1
}
