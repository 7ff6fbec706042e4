package storetest

import (
	"testing"

	"convoke"
)

func testUsers(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	addAccount(t, s, other)
	u := &convoke.User{ID: "u1", AccountID: acct, LoginName: "ann@example.com", PasswordHash: "$argon2id$x",
		Roles: []convoke.Role{convoke.RoleAdmin, convoke.RoleInvoker}, CreatedAt: at(0), UpdatedAt: at(1)}
	must(t, s.CreateUser(ctx, u))
	same(t, "user", get(s.FindUserByLogin(ctx, acct, u.LoginName))(t), u)

	_, err := s.FindUserByLogin(ctx, acct, "nobody")
	wantCode(t, err, convoke.CodeNotFound)
	_, err = s.FindUserByLogin(ctx, other, u.LoginName)
	wantCode(t, err, convoke.CodeNotFound)

	wantCode(t, s.CreateUser(ctx, &convoke.User{ID: "u2", AccountID: acct, LoginName: u.LoginName}), convoke.CodeConflict)
	wantCode(t, s.CreateUser(ctx, &convoke.User{ID: "u3", AccountID: "999", LoginName: "ann"}), convoke.CodeNotFound)
	must(t, s.CreateUser(ctx, &convoke.User{ID: "u1", AccountID: other, LoginName: u.LoginName}))
}
