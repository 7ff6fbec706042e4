package storetest

import (
	"testing"

	"convoke"
)

func testAccounts(t *testing.T, s Store) {
	ctx := t.Context()
	_, err := s.FindAccount(ctx, acct)
	wantCode(t, err, convoke.CodeNotFound)
	same(t, "no accounts", get(s.ListAccounts(ctx))(t), []*convoke.Account{})

	first := &convoke.Account{ID: "2", Name: "first", CreatedAt: at(1)}
	second := &convoke.Account{ID: "1", Name: "second", CreatedAt: at(2)}
	must(t, s.CreateAccount(ctx, second))
	must(t, s.CreateAccount(ctx, first))
	same(t, "account", get(s.FindAccount(ctx, "2"))(t), first)
	same(t, "accounts", get(s.ListAccounts(ctx))(t), []*convoke.Account{first, second})

	wantCode(t, s.CreateAccount(ctx, &convoke.Account{ID: "2", Name: "again"}), convoke.CodeConflict)
	same(t, "account after a conflict", get(s.FindAccount(ctx, "2"))(t), first)
}
