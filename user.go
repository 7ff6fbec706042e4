package convoke

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode"
)

// User is a person of one account who signs in with a password, or through an
// OpenID Connect provider.
type User struct {
	ID           string
	AccountID    string
	LoginName    string // unique in the account, upper and lower case alike
	PasswordHash string // argon2id, PHC string format; "" has no password
	// ExternalID is the issuer and subject of an OpenID Connect provider as
	// "issuer|subject"; "" for who was never there. Unique in the account.
	ExternalID string
	Roles      []Role
	Disabled   bool
	// MustChangePassword lets a session do nothing but set a new password: the
	// present one was made up by somebody else.
	MustChangePassword bool
	CreatedAt          time.Time
	UpdatedAt          time.Time
	LastLoginAt        time.Time // zero: never
}

// Governs reports whether the user can manage the people of the account: of
// those there must always be one.
func (u *User) Governs() bool { return !u.Disabled && slices.Contains(u.Roles, RoleAdmin) }

const (
	maxLoginName = 100
	minPassword  = 12
	maxPassword  = 256
)

// LoginKey is the form in which login names are compared.
func LoginKey(loginName string) string { return strings.ToLower(loginName) }

// ValidateLoginName returns CodeValidation unless the name is 1 to 100 visible
// characters.
func ValidateLoginName(name string) error {
	if n := len([]rune(name)); n == 0 || n > maxLoginName {
		return Errorf(CodeValidation, "a login name has 1 to %d characters", maxLoginName)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }) {
		return Errorf(CodeValidation, "a login name has no spaces and no control characters")
	}
	return nil
}

// ValidatePassword returns CodeValidation unless a person may choose the
// password: 12 to 256 characters.
func ValidatePassword(password Secret) error {
	if n := len([]rune(password.Reveal())); n < minPassword || n > maxPassword {
		return Errorf(CodeValidation, "a password has %d to %d characters; this one has %d", minPassword, maxPassword, n)
	}
	return nil
}

// UserStore keeps users. Login names are unique within an account, upper and
// lower case alike. The callbacks of changes are told how many other users
// govern the account, and an error from them is returned as it is and nothing
// is stored.
type UserStore interface {
	// CreateUser adds u; CodeConflict when the login name or the external id
	// is taken, CodeLimitExceeded when the account already has limit users
	// (0: no limit).
	CreateUser(ctx context.Context, u *User, limit int) error
	// FindUser returns CodeNotFound when there is none.
	FindUser(ctx context.Context, accountID, id string) (*User, error)
	// FindUserByLogin returns CodeNotFound when there is none.
	FindUserByLogin(ctx context.Context, accountID, loginName string) (*User, error)
	// FindUserByExternalID returns CodeNotFound when there is none.
	FindUserByExternalID(ctx context.Context, accountID, externalID string) (*User, error)
	// ListUsers returns users in order of login name.
	ListUsers(ctx context.Context, accountID string) ([]*User, error)
	// UpdateUser changes a user in one write transaction; CodeNotFound when
	// there is none. The login name stays.
	UpdateUser(ctx context.Context, accountID, id string, change func(u *User, governing int) error) (*User, error)
	// DeleteUser removes a user with his sessions and revokes his tokens at
	// that time, after check agrees, in one transaction.
	DeleteUser(ctx context.Context, accountID, id string, at time.Time, check func(u *User, governing int) error) error
}
