package account

import (
	"context"
	"slices"
	"time"

	"convoke"
	"convoke/internal/auth"
)

// External is a sign-in that an identity provider vouches for.
type External struct {
	AccountID string
	ID        string         // issuer and subject
	Names     []string       // login names that the person may go by, the best first
	Roles     []convoke.Role // that the provider gives
	// RolesAreGiven lets the provider decide about roles, at every sign-in.
	RolesAreGiven bool
	// Create makes a user of somebody who is new, with the role viewer unless
	// the provider gives others.
	Create bool
	From   string
	Agent  string
}

// ExternalSession is what became of a sign-in through a provider.
type ExternalSession struct {
	*auth.SignedIn
	User *convoke.User
	Was  *convoke.User // before the sign-in changed the user; nil: it did not
	New  bool          // the sign-in made the user
}

// SignInExternal starts a session of the user whom the provider means. That is
// who signed in through it as the same person before, or a user without a
// password whom an admin added under one of the names, or with Create a new
// one: never a user with a password, who could be somebody else of that name.
//
// It returns CodeForbidden when there is no such user or the provider gives
// none of our roles, CodeConflict when the name of a new user is taken,
// CodeUnauthorized for a disabled user or account, CodeActionNotAllowed when
// the provider takes the role from the last admin, and CodeLocked when the
// address comes too often.
func (s *Service) SignInExternal(ctx context.Context, in External) (*ExternalSession, error) {
	if err := s.attempts.pace(addressKey(in.From)); err != nil {
		return nil, err
	}
	account, err := s.store.FindAccount(ctx, in.AccountID)
	if err != nil {
		return nil, err
	}
	if account.Disabled {
		return nil, convoke.Errorf(convoke.CodeUnauthorized, "the user may not sign in")
	}
	if in.RolesAreGiven {
		if len(in.Roles) == 0 {
			return nil, convoke.Errorf(convoke.CodeForbidden, "the identity provider knows you, but none of your groups may come in here: ask its administrator for one that may")
		}
		if err := convoke.ValidateRoles(in.AccountID, in.Roles); err != nil {
			return nil, err
		}
	}
	out, err := s.meant(ctx, in)
	if err != nil {
		return nil, err
	}
	if !out.New {
		if err := s.follow(ctx, in, out); err != nil {
			return nil, err
		}
	}
	out.SignedIn, out.User, err = s.enter(ctx, out.User, in.From, in.Agent)
	return out, err
}

// meant finds or makes the user.
func (s *Service) meant(ctx context.Context, in External) (*ExternalSession, error) {
	u, err := s.store.FindUserByExternalID(ctx, in.AccountID, in.ID)
	if err == nil || convoke.ErrorCode(err) != convoke.CodeNotFound {
		return &ExternalSession{User: u}, err
	}
	for _, name := range in.Names {
		u, err := s.store.FindUserByLogin(ctx, in.AccountID, name)
		if err == nil && awaited(u) {
			return &ExternalSession{User: u}, nil
		}
		if err != nil && convoke.ErrorCode(err) != convoke.CodeNotFound {
			return nil, err
		}
	}
	if !in.Create || len(in.Names) == 0 {
		return nil, convoke.Errorf(convoke.CodeForbidden, "there is no user for you in account %s: ask an administrator to add one that signs in through the identity provider", in.AccountID)
	}
	roles := in.Roles
	if !in.RolesAreGiven {
		roles = []convoke.Role{convoke.RoleViewer}
	}
	u, _, err = newUser(ctx, in.AccountID, UserInput{LoginName: in.Names[0], Roles: roles, External: true})
	if err != nil {
		return nil, err
	}
	u.ExternalID = in.ID
	return &ExternalSession{User: u, New: true}, s.store.CreateUser(ctx, u, s.LimitsOf(u.AccountID).UsersPerAccount)
}

// awaited reports whether an admin added u for somebody who has not been here.
func awaited(u *convoke.User) bool { return u.PasswordHash == "" && u.ExternalID == "" }

// follow makes the user what the provider says.
func (s *Service) follow(ctx context.Context, in External, out *ExternalSession) error {
	same := !in.RolesAreGiven || len(in.Roles) == len(out.User.Roles) &&
		!slices.ContainsFunc(in.Roles, func(r convoke.Role) bool { return !slices.Contains(out.User.Roles, r) })
	if same && out.User.ExternalID == in.ID {
		return nil
	}
	u, err := s.store.UpdateUser(ctx, in.AccountID, out.User.ID, func(u *convoke.User, governing int) error {
		if u.ExternalID != in.ID && !awaited(u) {
			return convoke.Errorf(convoke.CodeUnauthorized, "the user was changed meanwhile: sign in again")
		}
		was := *u
		out.Was = &was
		u.ExternalID, u.UpdatedAt = in.ID, time.Now().UTC()
		if in.RolesAreGiven {
			u.Roles = slices.Clone(in.Roles)
		}
		if was.Governs() && !u.Governs() && governing == 0 {
			return lastAdmin(u)
		}
		return nil
	})
	if err != nil {
		return err
	}
	out.User = u
	s.auth.ForgetUser(in.AccountID, u.ID)
	return nil
}
