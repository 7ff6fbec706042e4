package storetest

import (
	"bytes"
	"testing"
	"time"

	"convoke"
)

func testTokens(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	addAccount(t, s, other)
	hash := func(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }
	first := &convoke.Token{ID: "t1", AccountID: acct, Name: "ci", Hash: hash(0), Roles: []convoke.Role{convoke.RoleInvoker},
		CreatedAt: at(1), CreatedBy: "ann", ExpiresAt: at(50)}
	second := &convoke.Token{ID: "t0", AccountID: acct, Name: "cli", Hash: hash(1), Roles: []convoke.Role{convoke.RoleAdmin}, CreatedAt: at(2)}
	must(t, s.CreateToken(ctx, second))
	must(t, s.CreateToken(ctx, first))

	same(t, "token", get(s.FindTokenByHash(ctx, hash(0)))(t), first)
	same(t, "tokens", get(s.ListTokens(ctx, acct))(t), []*convoke.Token{first, second})
	same(t, "tokens of another account", get(s.ListTokens(ctx, other))(t), []*convoke.Token{})
	_, err := s.FindTokenByHash(ctx, hash(9))
	wantCode(t, err, convoke.CodeNotFound)

	wantCode(t, s.CreateToken(ctx, &convoke.Token{ID: "t2", AccountID: acct, Hash: hash(0)}), convoke.CodeConflict)
	wantCode(t, s.CreateToken(ctx, &convoke.Token{ID: "t1", AccountID: acct, Hash: hash(2)}), convoke.CodeConflict)
	wantCode(t, s.CreateToken(ctx, &convoke.Token{ID: "t3", AccountID: "999", Hash: hash(3)}), convoke.CodeNotFound)

	wantCode(t, s.RevokeToken(ctx, other, "t1", at(3)), convoke.CodeNotFound)
	wantCode(t, s.RevokeToken(ctx, acct, "t9", at(3)), convoke.CodeNotFound)
	must(t, s.RevokeToken(ctx, acct, "t1", at(3)))
	must(t, s.RevokeToken(ctx, acct, "t1", at(4)))
	first.RevokedAt = at(3)
	same(t, "revoked token", get(s.FindTokenByHash(ctx, hash(0)))(t), first)

	minute := at(0).Truncate(time.Minute)
	wantCode(t, s.TouchToken(ctx, "t9", minute), convoke.CodeNotFound)
	for _, touch := range []struct{ at, want time.Time }{
		{minute.Add(10 * time.Second), minute},
		{minute.Add(59 * time.Second), minute},
		{minute.Add(61 * time.Second), minute.Add(time.Minute)},
		{minute, minute.Add(time.Minute)}, // late
	} {
		must(t, s.TouchToken(ctx, "t0", touch.at))
		second.LastUsedAt = touch.want
		same(t, "touched token", get(s.FindTokenByHash(ctx, hash(1)))(t), second)
	}
}
