package storetest

import (
	"sync/atomic"
	"testing"

	"convoke"
)

func newSecret(n int) *convoke.StoredSecret {
	return &convoke.StoredSecret{
		AccountID: acct, Name: id("secret", n), Type: convoke.SecretJSON, Sealed: []byte{0, byte(n), 255}, KeyID: 4_000_000_000, Version: 1,
		CreatedAt: at(n), CreatedBy: "ann", UpdatedAt: at(n + 1), UpdatedBy: "bob",
	}
}

// put stores e whatever was there.
func put(t *testing.T, s Store, e *convoke.StoredSecret) {
	t.Helper()
	must(t, s.PutSecret(t.Context(), e.AccountID, e.Name, 0, func(*convoke.StoredSecret) (*convoke.StoredSecret, error) { return e, nil }))
}

func testSecrets(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	addAccount(t, s, other)
	second, first := newSecret(2), newSecret(1)
	put(t, s, second)
	put(t, s, first)
	twin := newSecret(1)
	twin.AccountID, twin.Sealed = other, []byte("another")
	put(t, s, twin)

	same(t, "secret", get(s.FindSecret(ctx, acct, first.Name))(t), first)
	listed := func(e *convoke.StoredSecret) *convoke.StoredSecret {
		without := *e
		without.Sealed = nil
		return &without
	}
	same(t, "secrets", get(s.ListSecrets(ctx, acct))(t), []*convoke.StoredSecret{listed(first), listed(second)})
	same(t, "secrets of the other account", get(s.ListSecrets(ctx, other))(t), []*convoke.StoredSecret{listed(twin)})
	_, err := s.FindSecret(ctx, acct, "none")
	wantCode(t, err, convoke.CodeNotFound)
	_, err = s.FindSecret(ctx, other, second.Name)
	wantCode(t, err, convoke.CodeNotFound)

	changed := *first
	changed.Type, changed.Version, changed.Sealed, changed.KeyID, changed.UpdatedAt, changed.UpdatedBy = convoke.SecretString, 2, []byte("new"), 7, at(9), "eve"
	must(t, s.PutSecret(ctx, acct, first.Name, 1, func(old *convoke.StoredSecret) (*convoke.StoredSecret, error) {
		same(t, "the secret before", old, first)
		return &changed, nil
	}))
	same(t, "changed secret", get(s.FindSecret(ctx, acct, first.Name))(t), &changed)
	refuse := func(*convoke.StoredSecret) (*convoke.StoredSecret, error) { return nil, errStop }
	wantStop(t, s.PutSecret(ctx, acct, first.Name, 0, refuse))
	same(t, "secret after a refusal", get(s.FindSecret(ctx, acct, first.Name))(t), &changed)
	wantCode(t, s.PutSecret(ctx, "999", "x", 0, refuse), convoke.CodeNotFound)

	wantCode(t, s.DeleteSecret(ctx, other, second.Name), convoke.CodeNotFound)
	wantCode(t, s.DeleteSecret(ctx, acct, "none"), convoke.CodeNotFound)
	must(t, s.DeleteSecret(ctx, acct, first.Name))
	same(t, "what is left", get(s.ListSecrets(ctx, acct))(t), []*convoke.StoredSecret{listed(second)})
	same(t, "the twin", get(s.FindSecret(ctx, other, twin.Name))(t), twin)
}

func testSecretLimit(t *testing.T, s Store) {
	addAccount(t, s, acct)
	var stored, refused atomic.Int32
	parallel(12, func(n int) {
		e := newSecret(n)
		err := s.PutSecret(t.Context(), acct, e.Name, 5, func(*convoke.StoredSecret) (*convoke.StoredSecret, error) { return e, nil })
		switch convoke.ErrorCode(err) {
		case "":
			stored.Add(1)
		case convoke.CodeLimitExceeded:
			refused.Add(1)
		default:
			t.Errorf("secret %d: %v", n, err)
		}
	})
	same(t, "stored and refused", []int32{stored.Load(), refused.Load()}, []int32{5, 7})
}

func testResealSecrets(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	addAccount(t, s, other)
	var all []*convoke.StoredSecret
	for n, account := range []string{acct, acct, acct, other} {
		e := newSecret(n)
		e.AccountID, e.KeyID = account, 1
		put(t, s, e)
		all = append(all, e)
	}
	same(t, "counts", get(s.CountSecretsByKey(ctx))(t), map[uint32]int{1: 4})
	page := get(s.ListSecretsToReseal(ctx, 2, nil, 3))(t)
	same(t, "first page", page, all[:3])
	same(t, "second page", get(s.ListSecretsToReseal(ctx, 2, page[2], 3))(t), all[3:])
	same(t, "under that key", get(s.ListSecretsToReseal(ctx, 1, nil, 3))(t), []*convoke.StoredSecret{})

	// Between reading the page and storing it, one is changed and one removed.
	changed := *all[0]
	changed.Version, changed.Sealed = 2, []byte("newer")
	put(t, s, &changed)
	must(t, s.DeleteSecret(ctx, acct, all[1].Name))
	for _, e := range page {
		e.Sealed, e.KeyID = []byte("resealed"), 2
	}
	must(t, s.ResealSecrets(ctx, page))
	same(t, "changed meanwhile", get(s.FindSecret(ctx, acct, changed.Name))(t), &changed)
	_, err := s.FindSecret(ctx, acct, all[1].Name)
	wantCode(t, err, convoke.CodeNotFound)
	resealed := *all[2]
	resealed.Sealed, resealed.KeyID = []byte("resealed"), 2
	same(t, "resealed", get(s.FindSecret(ctx, acct, resealed.Name))(t), &resealed)
	same(t, "counts after", get(s.CountSecretsByKey(ctx))(t), map[uint32]int{1: 2, 2: 1})

	// Removed and set again under the new key, with the version of before.
	again := *all[2]
	again.Sealed, again.KeyID = []byte("again"), 2
	put(t, s, &again)
	must(t, s.ResealSecrets(ctx, page))
	same(t, "set again", get(s.FindSecret(ctx, acct, again.Name))(t), &again)
}
