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
	second := &convoke.Account{ID: "1", Name: "second", Generation: convoke.GenerationV1, Disabled: true,
		Limits: convoke.AccountLimits{PayloadBytes: 5}, CreatedAt: at(2), UpdatedAt: at(3)}
	must(t, s.CreateAccount(ctx, second))
	must(t, s.CreateAccount(ctx, first))
	first.Generation = convoke.GenerationV2 // what an account has unless somebody says otherwise
	same(t, "account", get(s.FindAccount(ctx, "2"))(t), first)
	same(t, "accounts", get(s.ListAccounts(ctx))(t), []*convoke.Account{first, second})

	wantCode(t, s.CreateAccount(ctx, &convoke.Account{ID: "2", Name: "again"}), convoke.CodeConflict)
	same(t, "account after a conflict", get(s.FindAccount(ctx, "2"))(t), first)
}

func testUpdateAccount(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	addAccount(t, s, other)
	untouched := get(s.FindAccount(ctx, other))(t)

	want := get(s.FindAccount(ctx, acct))(t)
	want.Name, want.Generation, want.Disabled, want.UpdatedAt = "new", convoke.GenerationV1, true, at(9)
	want.Limits = convoke.AccountLimits{FunctionsPerAccount: 7, InvocationsPerSecond: 3}
	got := get(s.UpdateAccount(ctx, acct, func(a *convoke.Account) error { *a = *want; return nil }))(t)
	same(t, "answer", got, want)
	same(t, "changed account", get(s.FindAccount(ctx, acct))(t), want)
	same(t, "the other account", get(s.FindAccount(ctx, other))(t), untouched)

	_, err := s.UpdateAccount(ctx, acct, func(a *convoke.Account) error { a.Name = "never"; return errStop })
	wantStop(t, err)
	same(t, "account after a refusal", get(s.FindAccount(ctx, acct))(t), want)
	_, err = s.UpdateAccount(ctx, "999", func(*convoke.Account) error { t.Error("called"); return nil })
	wantCode(t, err, convoke.CodeNotFound)

	want.Limits = convoke.AccountLimits{}
	get(s.UpdateAccount(ctx, acct, func(a *convoke.Account) error { a.Limits = want.Limits; return nil }))(t)
	same(t, "account without limits of its own", get(s.FindAccount(ctx, acct))(t), want)
}
