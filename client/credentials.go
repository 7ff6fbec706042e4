package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"convoke"
	"convoke/api"
)

const (
	// renewBefore is how long before its end a token is replaced: a call that
	// begins with it must not arrive too late.
	renewBefore = 30 * time.Second
	// refusedFor is how long credentials that were refused are not tried again:
	// each attempt may bring a user closer to being locked out.
	refusedFor = time.Minute
	// retryAfter is the pause after a renewal that failed while the token so far
	// is still good.
	retryAfter = 5 * time.Second
)

// Credentials are what a Client gets its tokens by: [ClientCredentials] or
// [Password]. It asks for the first with the first call, for another one before
// that ends, and once when a call is refused with 401. However many calls wait
// for a token, one asks for it. Credentials that the server refuses are not
// tried again for a minute, in which calls fail with the same error.
type Credentials interface {
	// check says what is missing.
	check() error
	// token asks for a token; ends is zero where the server does not say.
	token(ctx context.Context, c *Client) (token convoke.Secret, ends time.Time, err error)
}

// ClientCredentials are those of a program that was registered by convoke
// client create: the grant of RFC 6749, section 4.4.
type ClientCredentials struct {
	ID     string
	Secret convoke.Secret
	Scopes []string // none: all that the client has
}

func (cc ClientCredentials) check() error {
	if cc.ID == "" || cc.Secret.IsZero() {
		return convoke.Errorf(convoke.CodeValidation, "client credentials are an id and a secret; convoke client create makes both")
	}
	return nil
}

func (cc ClientCredentials) token(ctx context.Context, c *Client) (convoke.Secret, time.Time, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {cc.ID}, "client_secret": {cc.Secret.Reveal()}}
	if len(cc.Scopes) > 0 {
		form.Set("scope", strings.Join(cc.Scopes, " "))
	}
	asked := time.Now()
	out, err := c.TokenByForm(ctx, form)
	if err != nil {
		return convoke.Secret{}, time.Time{}, err
	}
	var ends time.Time
	if out.ExpiresIn > 0 {
		ends = asked.Add(time.Duration(out.ExpiresIn) * time.Second)
	}
	return convoke.NewSecret(out.AccessToken), ends, nil
}

// Password is a user's sign-in. Each renewal begins a session of its own; the
// user may not have to change the password first. Client.Logout ends the
// session of the moment.
type Password struct {
	LoginName string
	Password  convoke.Secret
}

func (p Password) check() error {
	if p.LoginName == "" || p.Password.IsZero() {
		return convoke.Errorf(convoke.CodeValidation, "a sign-in needs a login name and a password")
	}
	return nil
}

func (p Password) token(ctx context.Context, c *Client) (convoke.Secret, time.Time, error) {
	out, header, err := answer[*api.LoginResponse](ctx, c, loginRequest(p.LoginName, p.Password))
	if err != nil {
		return convoke.Secret{}, time.Time{}, err
	}
	if out == nil || out.Bearer == "" {
		return convoke.Secret{}, time.Time{}, convoke.Errorf(convoke.CodeInternal, "the answer to the sign-in has no token; is %s a Convoke server?", c.root)
	}
	// The answer says only by its cookie how long the session lasts.
	var ends time.Time
	for _, cookie := range (&http.Response{Header: header}).Cookies() {
		if cookie.Value == out.SessionID {
			ends = cookie.Expires
		}
	}
	return convoke.NewSecret(out.Bearer), ends, nil
}

// keeper keeps a token good.
type keeper struct {
	ask  func(ctx context.Context) (convoke.Secret, time.Time, error)
	turn chan struct{} // holds one element while somebody asks or reads what is below

	have  convoke.Secret
	renew time.Time // when to ask for the next; zero: only when it is refused
	ends  time.Time // zero: unknown
	// err is why the last attempt failed. It stands until again, and for all who
	// waited when it failed.
	err           error
	failed, again time.Time
}

func newKeeper(cr Credentials, c *Client) *keeper {
	return &keeper{ask: func(ctx context.Context) (convoke.Secret, time.Time, error) { return cr.token(ctx, c) }, turn: make(chan struct{}, 1)}
}

// token is Config.Tokens.
func (k *keeper) token(ctx context.Context, rejected convoke.Secret) (convoke.Secret, error) {
	entered := time.Now()
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return convoke.Secret{}, context.Cause(ctx)
	}
	now := time.Now()
	refused := !k.have.IsZero() && rejected.Reveal() == k.have.Reveal()
	good := !k.have.IsZero() && !refused && (k.ends.IsZero() || now.Before(k.ends))
	if good && (k.renew.IsZero() || now.Before(k.renew)) {
		return k.have, nil
	}
	if waited := k.failed.After(entered); k.err == nil || !waited && !now.Before(k.again) {
		k.next(ctx, now, good)
	}
	switch {
	case k.err == nil:
		return k.have, nil
	case good: // the next call tries again
		return k.have, nil
	}
	return convoke.Secret{}, k.err
}

// next asks for a token and keeps it, or why there is none.
func (k *keeper) next(ctx context.Context, now time.Time, good bool) {
	token, ends, err := k.ask(ctx)
	k.err, k.again, k.failed = err, now, time.Time{}
	if err != nil {
		if ctx.Err() == nil { // else it is the failure of this caller alone
			k.failed = time.Now()
		}
		e, _ := errors.AsType[*convoke.Error](err)
		switch code := convoke.ErrorCode(err); {
		case code == convoke.CodeUnauthorized || code == convoke.CodeForbidden || code == convoke.CodeInvalid || code == convoke.CodeValidation:
			k.again = now.Add(refusedFor)
		case e != nil && e.RetryAfter > 0:
			k.again = now.Add(e.RetryAfter)
		case good:
			k.again = now.Add(retryAfter)
		}
		return
	}
	k.have, k.ends, k.renew = token, ends, time.Time{}
	if !ends.IsZero() {
		// Of a short life a quarter is left for the calls that have begun.
		k.renew = ends.Add(-min(renewBefore, ends.Sub(now)/4))
	}
}
