package app_test

import (
	"path/filepath"
	"slices"
	"testing"

	"convoke"
	"convoke/api"
	"convoke/internal/app"
	"convoke/internal/config"
	"convoke/internal/sqlstore"
)

// TestWhatNobodySignedInForIsOnRecord: the first start, the profile and what is
// done in the data folder stand in the audit trail like all else.
func TestWhatNobodySignedInForIsOnRecord(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const tenant = "20000002"
	s := startIn(t, dir, func(c *config.Config) { c.WriteProfile = filepath.Join(dir, "profile.yaml") }) // makes the token "test" too
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := app.CreateToken(t.Context(), dir, tenant, "admin", "theirs", 0); err != nil {
		t.Fatal(err)
	}
	local, err := app.OpenAccounts(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	yes, name := true, "Shop"
	for _, in := range []api.UpdateAccountRequest{{Disabled: &yes, Name: &name}, {Name: &name}} { // the second changes nothing
		if _, err := local.UpdateAccount(t.Context(), tenant, in); err != nil {
			t.Fatal(err)
		}
	}
	if err := local.Close(); err != nil {
		t.Fatal(err)
	}
	store, err := sqlstore.Open(t.Context(), sqlstore.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for account, want := range map[string][]string{
		convoke.DefaultAccountID: {
			"serve account.create 10000001", "serve user.create admin", "serve token.create local profile", "command line token.create test",
			"command line account.create 20000002", "command line account.update Shop",
		},
		tenant: {"command line account.create 20000002", "command line token.create theirs", "command line account.update Shop"},
	} {
		all, err := store.ListActivities(t.Context(), account, convoke.ActivityFilter{Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		slices.Reverse(all)
		var got []string
		for _, a := range all {
			got = append(got, a.Actor+" "+a.Action+" "+a.Name)
			if a.From == "" || a.After == nil || (a.Before != nil) != (a.Action == "account.update") {
				t.Errorf("%s %s: from %q, before %s, after %s", a.Action, a.Name, a.From, a.Before, a.After)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("the trail of %s is\n%q, want\n%q", account, got, want)
		}
	}
}
