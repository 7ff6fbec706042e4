package auth

import (
	"context"
	"net/http"
	"strings"

	"convoke"
)

// Verifier judges access tokens of the authorization server: package oauth.
type Verifier interface {
	// Verify returns who the token was issued to. dpop says that it was
	// presented with a proof of possession (RFC 9449) instead of as a bearer
	// token. It returns CodeUnauthorized for a token or proof that is not good,
	// CodeThrottled when it cannot take more proofs, and the store's error when
	// that cannot be asked. The principal must not be changed.
	Verify(r *http.Request, token string, dpop bool) (*convoke.Principal, error)
	// Still is Verify for a request that was let in and goes on: its proof of
	// possession, which is good for one time, is not asked for again.
	Still(ctx context.Context, token string) (*convoke.Principal, error)
	// ForgetUser and ForgetAccount have tokens that a change of a user or of an
	// account may concern judged anew.
	ForgetUser(accountID, userID string)
	// EndSession ends a sign-in that the authorization server issued, and
	// EndSessions all of a user but the one to keep; an id of none is fine.
	EndSession(ctx context.Context, accountID, id string) error
	EndSessions(ctx context.Context, accountID, userID, keep string) error
	ForgetAccount(accountID string)
}

// dpop is the token of an Authorization header of the scheme DPoP.
func dpop(r *http.Request) (string, bool) { return credential(r, "DPoP ") }

// verify judges what is not one of our own tokens. A JWT has three parts; those
// and everything else are told apart by that.
func (a *Auth) verify(r *http.Request, token string, dpop bool) (*convoke.Principal, error) {
	if a.jwt == nil || strings.Count(token, ".") != 2 {
		return nil, errBadToken()
	}
	return a.jwt.Verify(r, token, dpop)
}
