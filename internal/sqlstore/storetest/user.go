package storetest

import (
	"bytes"
	"testing"

	"convoke"
)

func newUser(id, login string, roles ...convoke.Role) *convoke.User {
	return &convoke.User{ID: id, AccountID: acct, LoginName: login, PasswordHash: "$argon2id$x", Roles: roles, CreatedAt: at(0), UpdatedAt: at(1)}
}

func testUsers(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	addAccount(t, s, other)
	u := newUser("u1", "Ann@Example.com", convoke.RoleAdmin, convoke.RoleInvoker)
	u.ExternalID, u.Disabled, u.MustChangePassword, u.LastLoginAt = "https://idp|7", true, true, at(2)
	must(t, s.CreateUser(ctx, u, 0))
	same(t, "user", get(s.FindUser(ctx, acct, "u1"))(t), u)
	for _, login := range []string{u.LoginName, "ann@example.COM"} {
		same(t, "user by login", get(s.FindUserByLogin(ctx, acct, login))(t), u)
	}
	same(t, "user by external id", get(s.FindUserByExternalID(ctx, acct, u.ExternalID))(t), u)

	for name, try := range map[string]func() (*convoke.User, error){
		"no such login":                   func() (*convoke.User, error) { return s.FindUserByLogin(ctx, acct, "nobody") },
		"another account's login":         func() (*convoke.User, error) { return s.FindUserByLogin(ctx, other, u.LoginName) },
		"another account's id":            func() (*convoke.User, error) { return s.FindUser(ctx, other, "u1") },
		"another account's external id":   func() (*convoke.User, error) { return s.FindUserByExternalID(ctx, other, u.ExternalID) },
		"the external id of who has none": func() (*convoke.User, error) { return s.FindUserByExternalID(ctx, acct, "") },
	} {
		if _, err := try(); convoke.ErrorCode(err) != convoke.CodeNotFound {
			t.Errorf("%s: got %v, want CodeNotFound", name, err)
		}
	}

	must(t, s.CreateUser(ctx, newUser("u2", "bob"), 2))
	wantCode(t, s.CreateUser(ctx, newUser("u3", "ann@EXAMPLE.com"), 0), convoke.CodeConflict)
	twin := newUser("u3", "carol")
	twin.ExternalID = u.ExternalID
	wantCode(t, s.CreateUser(ctx, twin, 0), convoke.CodeConflict)
	wantCode(t, s.CreateUser(ctx, newUser("u3", "carol"), 2), convoke.CodeLimitExceeded)
	stray := newUser("u3", "carol")
	stray.AccountID = "999"
	wantCode(t, s.CreateUser(ctx, stray, 0), convoke.CodeNotFound)
	foreign := *u
	foreign.AccountID = other
	must(t, s.CreateUser(ctx, &foreign, 1))

	must(t, s.CreateUser(ctx, newUser("u0", "Zoe"), 0))
	var names []string
	for _, u := range get(s.ListUsers(ctx, acct))(t) {
		names = append(names, u.LoginName)
	}
	same(t, "users in order", names, []string{"Ann@Example.com", "bob", "Zoe"})
}

func testUpdateUser(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	addAccount(t, s, other)
	for _, u := range []*convoke.User{newUser("u1", "ann", convoke.RoleAdmin), newUser("u2", "bob", convoke.RoleAdmin), newUser("u3", "carol", convoke.RoleViewer)} {
		must(t, s.CreateUser(ctx, u, 0))
	}
	gone := newUser("u4", "dan", convoke.RoleAdmin)
	gone.Disabled = true
	must(t, s.CreateUser(ctx, gone, 0))

	want := get(s.FindUser(ctx, acct, "u1"))(t)
	want.PasswordHash, want.ExternalID, want.Roles, want.Disabled, want.MustChangePassword = "new", "x|y", []convoke.Role{convoke.RoleDeveloper}, true, true
	want.UpdatedAt, want.LastLoginAt = at(8), at(9)
	got := get(s.UpdateUser(ctx, acct, "u1", func(u *convoke.User, governing int) error {
		if governing != 1 {
			t.Errorf("%d others govern, want 1: bob; carol is a viewer and dan is disabled", governing)
		}
		*u = *want
		return nil
	}))(t)
	same(t, "answer", got, want)
	same(t, "changed user", get(s.FindUser(ctx, acct, "u1"))(t), want)

	_, err := s.UpdateUser(ctx, acct, "u2", func(u *convoke.User, governing int) error {
		if governing != 0 {
			t.Errorf("%d others govern, want none", governing)
		}
		u.Disabled = true
		return errStop
	})
	wantStop(t, err)
	if get(s.FindUser(ctx, acct, "u2"))(t).Disabled {
		t.Error("a refused change was stored")
	}
	_, err = s.UpdateUser(ctx, other, "u1", func(*convoke.User, int) error { t.Error("called for another account"); return nil })
	wantCode(t, err, convoke.CodeNotFound)
	_, err = s.UpdateUser(ctx, "999", "u1", func(*convoke.User, int) error { return nil })
	wantCode(t, err, convoke.CodeNotFound)
	_, err = s.UpdateUser(ctx, acct, "u2", func(u *convoke.User, _ int) error { u.ExternalID = "x|y"; return nil })
	wantCode(t, err, convoke.CodeConflict)
}

func testDeleteUser(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	addAccount(t, s, other)
	must(t, s.CreateUser(ctx, newUser("u1", "ann"), 0))
	must(t, s.CreateUser(ctx, newUser("u2", "bob"), 0))
	must(t, s.CreateSession(ctx, newSession("s1", "u1", 1), 5))
	token := &convoke.Token{ID: "t1", AccountID: acct, UserID: "u1", Name: "mine", Hash: bytes.Repeat([]byte{1}, 32), CreatedAt: at(1)}
	must(t, s.CreateToken(ctx, token))
	same(t, "token of a user", get(s.FindTokenByHash(ctx, token.Hash))(t), token)
	must(t, s.CreateToken(ctx, &convoke.Token{ID: "t2", AccountID: acct, Name: "the account's", Hash: bytes.Repeat([]byte{2}, 32)}))

	wantStop(t, s.DeleteUser(ctx, acct, "u1", at(5), func(*convoke.User, int) error { return errStop }))
	get(s.FindUser(ctx, acct, "u1"))(t)
	wantCode(t, s.DeleteUser(ctx, other, "u1", at(5), func(*convoke.User, int) error { return nil }), convoke.CodeNotFound)

	must(t, s.DeleteUser(ctx, acct, "u1", at(5), func(*convoke.User, int) error { return nil }))
	_, err := s.FindUser(ctx, acct, "u1")
	wantCode(t, err, convoke.CodeNotFound)
	_, err = s.FindSessionByHash(ctx, newSession("s1", "u1", 1).BearerHash)
	wantCode(t, err, convoke.CodeNotFound)
	for id, want := range map[string]bool{"t1": true, "t2": false} {
		for _, got := range get(s.ListTokens(ctx, acct))(t) {
			if got.ID == id && got.RevokedAt.Equal(at(5)) != want {
				t.Errorf("token %s revoked at %v, want it revoked: %v", id, got.RevokedAt, want)
			}
		}
	}
}
