package account

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"convoke"
	"convoke/internal/auth"
)

// UserInput describes a new user.
type UserInput struct {
	LoginName string
	Roles     []convoke.Role
	// Password is what the user signs in with; the zero value makes one up,
	// which has to be changed.
	Password convoke.Secret
	// External users have no password: they sign in through the identity
	// provider, which knows them by the login name.
	External bool
}

// CreateUser adds a user. The secret is the password that was made up, zero
// when one was given or none is needed. It returns CodeValidation for values that break a rule,
// CodeForbidden for a role that by may not grant, CodeConflict for a login name
// that is taken, and CodeLimitExceeded when the account is full.
func (s *Service) CreateUser(ctx context.Context, by *convoke.Principal, in UserInput) (*convoke.User, convoke.Secret, error) {
	if err := convoke.ValidateRoles(by.AccountID, in.Roles); err != nil {
		return nil, convoke.Secret{}, err
	}
	if err := mayGrant(by, in.Roles); err != nil {
		return nil, convoke.Secret{}, err
	}
	u, password, err := newUser(ctx, by.AccountID, in)
	if err != nil {
		return nil, convoke.Secret{}, err
	}
	if err := s.store.CreateUser(ctx, u, s.LimitsOf(u.AccountID).UsersPerAccount); err != nil {
		return nil, convoke.Secret{}, err
	}
	return u, password, nil
}

// newUser makes a user of the account; nothing is stored.
func newUser(ctx context.Context, accountID string, in UserInput) (*convoke.User, convoke.Secret, error) {
	var made convoke.Secret
	if err := convoke.ValidateLoginName(in.LoginName); err != nil {
		return nil, made, err
	}
	now := time.Now().UTC()
	u := &convoke.User{ID: uuid.NewString(), AccountID: accountID, LoginName: in.LoginName, Roles: slices.Clone(in.Roles), CreatedAt: now, UpdatedAt: now}
	if in.External {
		if !in.Password.IsZero() {
			return nil, made, convoke.Errorf(convoke.CodeValidation, "a user who signs in through the identity provider has no password")
		}
		return u, made, nil
	}
	password := in.Password
	if password.IsZero() {
		made = makeUp()
		password = made
	}
	var err error
	u.PasswordHash, err = hashPassword(ctx, password)
	u.MustChangePassword = !made.IsZero()
	return u, made, err
}

// makeUp is a password that is read out once and then changed.
func makeUp() convoke.Secret {
	var raw [15]byte
	rand.Read(raw[:]) // never fails
	return convoke.NewSecret(base64.RawURLEncoding.EncodeToString(raw[:]))
}

func hashPassword(ctx context.Context, password convoke.Secret) (string, error) {
	if err := convoke.ValidatePassword(password); err != nil {
		return "", err
	}
	return auth.HashPassword(ctx, password)
}

// User returns a user, or CodeNotFound.
func (s *Service) User(ctx context.Context, accountID, id string) (*convoke.User, error) {
	return s.store.FindUser(ctx, accountID, id)
}

func (s *Service) countUsers(ctx context.Context, accountID string) (int, error) {
	users, err := s.store.ListUsers(ctx, accountID)
	return len(users), err
}

// UserChange is what to change of a user; nil members stay.
type UserChange struct {
	Roles    []convoke.Role
	Disabled *bool
}

// UpdateUser changes roles, disables or enables; it holds from the user's next
// request on, and disabling ends his sessions. It returns the user as he was
// and as he is, the same one when nothing changes, CodeValidation for roles that break a rule, CodeForbidden when
// by may not grant the roles that the user has or gets, CodeActionNotAllowed
// when nobody would be left who governs the account, and CodeNotFound.
func (s *Service) UpdateUser(ctx context.Context, by *convoke.Principal, id string, c UserChange) (was, is *convoke.User, err error) {
	if c.Roles != nil {
		if err := convoke.ValidateRoles(by.AccountID, c.Roles); err != nil {
			return nil, nil, err
		}
	}
	is, err = s.store.UpdateUser(ctx, by.AccountID, id, func(u *convoke.User, governing int) error {
		before := *u
		was = &before
		if err := mayGrant(by, append(slices.Clone(u.Roles), c.Roles...)); err != nil {
			return err
		}
		if c.Roles != nil {
			u.Roles = slices.Clone(c.Roles)
		}
		if c.Disabled != nil {
			u.Disabled = *c.Disabled
		}
		if u.Disabled == was.Disabled && slices.Equal(u.Roles, was.Roles) {
			return errSame
		}
		if was.Governs() && !u.Governs() && governing == 0 {
			return lastAdmin(u)
		}
		u.UpdatedAt = time.Now().UTC()
		return nil
	})
	if errors.Is(err, errSame) {
		return was, was, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if is.Disabled {
		return was, is, s.auth.EndSessions(ctx, by.AccountID, id, "")
	}
	s.auth.ForgetUser(by.AccountID, id)
	return was, is, nil
}

func lastAdmin(u *convoke.User) error {
	return convoke.Errorf(convoke.CodeActionNotAllowed, "%s is the last admin of the account; make somebody else one first", u.LoginName)
}

// mayGrant returns CodeForbidden unless by could do all that the roles allow.
// Without it an admin could take over an operator by setting his password.
func mayGrant(by *convoke.Principal, roles []convoke.Role) error {
	for _, r := range roles {
		if !convoke.MayGrant(by.Roles, r) {
			return convoke.Errorf(convoke.CodeForbidden, "the role %s may do what you may not; somebody who holds it can do this", r)
		}
	}
	return nil
}

// RemoveUser removes a user with his sessions and revokes his tokens. It
// returns what UpdateUser returns.
func (s *Service) RemoveUser(ctx context.Context, by *convoke.Principal, id string) (*convoke.User, error) {
	var gone *convoke.User
	err := s.store.DeleteUser(ctx, by.AccountID, id, time.Now().UTC(), func(u *convoke.User, governing int) error {
		gone = u
		if err := mayGrant(by, u.Roles); err != nil {
			return err
		}
		if u.Governs() && governing == 0 {
			return lastAdmin(u)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.auth.ForgetUser(by.AccountID, id)
	return gone, nil
}

// ResetPassword makes up a password that has to be changed at the next
// sign-in, and ends the user's sessions. His tokens go on. It returns
// CodeForbidden when by may not grant the user's roles, and CodeNotFound.
func (s *Service) ResetPassword(ctx context.Context, by *convoke.Principal, id string) (*convoke.User, convoke.Secret, error) {
	made := makeUp()
	hash, err := hashPassword(ctx, made)
	if err != nil {
		return nil, convoke.Secret{}, err
	}
	u, err := s.store.UpdateUser(ctx, by.AccountID, id, func(u *convoke.User, _ int) error {
		if err := mayGrant(by, u.Roles); err != nil {
			return err
		}
		u.PasswordHash, u.MustChangePassword, u.UpdatedAt = hash, true, time.Now().UTC()
		return nil
	})
	if err != nil {
		return nil, convoke.Secret{}, err
	}
	if err := s.auth.EndSessions(ctx, by.AccountID, id, ""); err != nil {
		return nil, convoke.Secret{}, err
	}
	s.attempts.forgive(userKey(u.AccountID, u.LoginName))
	return u, made, nil
}

// PasswordChange is a new password with the present one.
type PasswordChange struct {
	Old, New  convoke.Secret
	From      string // network address
	RequestID string
}

// ChangePassword sets the password of the user who makes the request, who must
// know the present one. His other sessions end. It returns CodeValidation when
// the old password is wrong, or the new one breaks a rule or is the old one,
// CodeLocked after too many wrong ones, and CodeActionNotAllowed when by is no
// user or has no password.
func (s *Service) ChangePassword(ctx context.Context, by *convoke.Principal, in PasswordChange) (*convoke.User, error) {
	old, password := in.Old, in.New
	if by.SessionID == "" {
		return nil, convoke.Errorf(convoke.CodeActionNotAllowed, "a password is changed by the user who signed in with it; this request was made with a token")
	}
	if err := convoke.ValidatePassword(password); err != nil {
		return nil, err
	}
	if old.Reveal() == password.Reveal() {
		return nil, convoke.Errorf(convoke.CodeValidation, "the new password is the old one")
	}
	u, err := s.store.FindUser(ctx, by.AccountID, by.UserID)
	if err != nil {
		return nil, err
	}
	if u.PasswordHash == "" {
		return nil, convoke.Errorf(convoke.CodeActionNotAllowed, "%s signs in through the identity provider and has no password here", u.LoginName)
	}
	// Who found an open session must not guess at the password at leisure.
	key := userKey(u.AccountID, u.LoginName)
	if err := s.attempts.begin(key, userAttempts); err != nil {
		return nil, err
	}
	right, err := auth.VerifyPassword(ctx, u.PasswordHash, old)
	if err != nil {
		return nil, err
	}
	if !right {
		s.failed(key, lockout{accountID: u.AccountID, loginName: u.LoginName, from: in.From, requestID: in.RequestID})
		return nil, convoke.Errorf(convoke.CodeValidation, "the old password is wrong")
	}
	s.attempts.forgive(key)
	hash, err := auth.HashPassword(ctx, password)
	if err != nil {
		return nil, err
	}
	checked := u.PasswordHash
	u, err = s.store.UpdateUser(ctx, by.AccountID, by.UserID, func(u *convoke.User, _ int) error {
		if u.PasswordHash != checked {
			return convoke.Errorf(convoke.CodeConflict, "the password was changed by somebody else meanwhile")
		}
		u.PasswordHash, u.MustChangePassword, u.UpdatedAt = hash, false, time.Now().UTC()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return u, s.auth.EndSessions(ctx, by.AccountID, by.UserID, by.SessionID)
}
