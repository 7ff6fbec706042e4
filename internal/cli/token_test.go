package cli

import (
	"strings"
	"testing"
	"time"

	"convoke/api"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	ago := api.Time{Time: time.Now().Add(-time.Hour)}
	s.fake.tokens = []api.Token{
		{ID: "t1", Name: "shop", Roles: []string{"invoker", "developer"}, CreatedBy: "cli", CreatedAt: ago},
		{ID: "t2", Name: "old", Roles: []string{"admin"}, ExpiresAt: ago},
	}
	got := s.want(ExitOK, nil, nil, "token", "list")
	for _, want := range []string{"t1 shop invoker,developer live", "t2 old admin expired"} {
		if words := strings.Join(strings.Fields(got.stdout), " "); !strings.Contains(words, want) {
			t.Errorf("got %s, want %s in it", words, want)
		}
	}
	s.want(ExitOK, []string{`"id": "t1"`}, nil, "token", "list", "--json")

	s.want(ExitOK, nil, []string{"token t1 is revoked"}, "token", "revoke", "t1", "--yes")
	s.want(ExitOK, []string{"revoked"}, nil, "token", "list")
	s.want(ExitOK, []string{`"state": "revoked"`}, nil, "token", "revoke", "t2", "--json", "--yes")
	s.want(ExitNotFound, nil, []string{"there is no such token", "hint: convoke token list shows the ids"}, "token", "revoke", "t3", "--yes")
	s.want(ExitUsage, nil, []string{"ID is missing"}, "token", "revoke")

	s.fake.tokens[0].RevokedAt = api.Time{}
	s.tty, s.stdin = true, "n\n"
	s.want(ExitFailure, nil, []string{"Revoke the token t1? [y/N]", "not done"}, "token", "revoke", "t1")
	s.want(ExitOK, nil, []string{"!?"}, "token", "revoke", "t1", "--yes")
}
