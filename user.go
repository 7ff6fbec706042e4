package convoke

import (
	"context"
	"time"
)

// User is a person of one account who signs in with a password.
type User struct {
	ID           string
	AccountID    string
	LoginName    string
	PasswordHash string // argon2id, PHC string format
	Roles        []Role
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// UserStore keeps users. Login names are unique within an account.
type UserStore interface {
	// CreateUser adds u; CodeConflict when the login name is taken.
	CreateUser(ctx context.Context, u *User) error
	// FindUserByLogin returns CodeNotFound when there is none.
	FindUserByLogin(ctx context.Context, accountID, loginName string) (*User, error)
}
