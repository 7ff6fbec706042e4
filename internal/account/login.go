package account

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"convoke"
	"convoke/internal/auth"
)

// Login is an attempt to sign in with a password.
type Login struct {
	AccountID string
	LoginName string
	Password  convoke.Secret
	From      string // network address
	Agent     string // User-Agent
	RequestID string
}

// SignIn starts a session of whoever knows the password. It returns
// CodeUnauthorized when login name or password is wrong or the user or account
// is disabled, without telling which, and CodeLocked with RetryAfter after too
// many attempts for the login name or from the address.
func (s *Service) SignIn(ctx context.Context, in Login) (*auth.SignedIn, *convoke.User, error) {
	key, from := userKey(in.AccountID, in.LoginName), addressKey(in.From)
	if err := s.attempts.begin(from, addressAttempts); err != nil {
		return nil, nil, err
	}
	if err := s.attempts.begin(key, userAttempts); err != nil {
		return nil, nil, err
	}
	u, err := s.verify(ctx, in)
	if convoke.ErrorCode(err) == convoke.CodeUnauthorized {
		s.failed(key, lockout{accountID: in.AccountID, loginName: in.LoginName, from: in.From, requestID: in.RequestID})
	}
	if err != nil {
		return nil, nil, err
	}
	s.attempts.forgive(key)
	s.attempts.takeBack(from) // one good account must not pay for guessing at others
	return s.enter(ctx, u, in.From, in.Agent)
}

// verify finds the user with that password.
func (s *Service) verify(ctx context.Context, in Login) (*convoke.User, error) {
	wrong := convoke.Errorf(convoke.CodeUnauthorized, "login name or password is wrong, or the user may not sign in")
	u, err := s.store.FindUserByLogin(ctx, in.AccountID, in.LoginName)
	if err != nil && convoke.ErrorCode(err) != convoke.CodeNotFound {
		return nil, err
	}
	if u == nil || u.PasswordHash == "" {
		if err := auth.VerifyNobody(ctx, in.Password); err != nil {
			return nil, err
		}
		return nil, wrong
	}
	right, err := auth.VerifyPassword(ctx, u.PasswordHash, in.Password)
	if err != nil {
		return nil, err
	}
	if !right || u.Disabled {
		return nil, wrong
	}
	account, err := s.store.FindAccount(ctx, in.AccountID)
	if err != nil {
		return nil, err
	}
	if account.Disabled {
		return nil, wrong
	}
	return u, nil
}

// enter starts the session of a user who has shown who he is.
func (s *Service) enter(ctx context.Context, u *convoke.User, from, agent string) (*auth.SignedIn, *convoke.User, error) {
	u, err := s.store.UpdateUser(ctx, u.AccountID, u.ID, func(now *convoke.User, _ int) error {
		if now.Disabled || now.PasswordHash != u.PasswordHash {
			return convoke.Errorf(convoke.CodeUnauthorized, "the user was changed meanwhile: sign in again")
		}
		now.LastLoginAt = time.Now().UTC()
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	signed, err := s.auth.StartSession(ctx, u, from, agent)
	return signed, u, err
}

// Refresh returns whose session the cookie of r is. It returns CodeLocked with
// RetryAfter when the address asks too often, and CodeUnauthorized in every
// case but a session that lasts, presented with its csrf.
func (s *Service) Refresh(r *http.Request, csrf, from string) (*convoke.Principal, error) {
	if err := s.attempts.pace(addressKey(from)); err != nil {
		return nil, err
	}
	return s.auth.CheckSession(r, csrf)
}

// SignOut ends the session that the request was made with. It returns
// CodeActionNotAllowed for a token, which is revoked instead.
func (s *Service) SignOut(ctx context.Context, by *convoke.Principal) error {
	if by.SessionID == "" {
		return convoke.Errorf(convoke.CodeActionNotAllowed, "the request was made with a token: there is no session to end; a token is revoked")
	}
	return s.auth.EndSession(ctx, by.AccountID, by.SessionID)
}

func userKey(accountID, loginName string) string {
	return "user " + accountID + " " + convoke.LoginKey(loginName)
}

// addressKey names a network address; of IPv6 the network, for one machine
// has all the addresses in it.
func addressKey(from string) string {
	ip, err := netip.ParseAddr(from)
	if err == nil && ip.Is6() && !ip.Is4In6() {
		if network, err := ip.WithZone("").Prefix(64); err == nil {
			return "from " + network.String()
		}
	}
	return "from " + from
}
