package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"convoke"
)

func TestOIDC(t *testing.T) {
	t.Parallel()
	good := map[string]string{
		"CONVOKE_OIDC_ISSUER": "https://id.example.com", "CONVOKE_OIDC_CLIENT_ID": "convoke", "CONVOKE_OIDC_URL": "https://functions.example.com",
		"CONVOKE_OIDC_ROLES": "admins=admin, staff = developer,", "CONVOKE_OIDC_CLIENT_SECRET": "hush",
	}
	with := func(name, value string) map[string]string {
		env := map[string]string{}
		for k, v := range good {
			env[k] = v
		}
		env["CONVOKE_OIDC_"+name] = value
		return env
	}
	c, err := Load(LoadOptions{Env: good})
	if err != nil {
		t.Fatal(err)
	}
	roles, err := c.OIDC.RoleMap()
	if diff := cmp.Diff(map[string]convoke.Role{"admins": convoke.RoleAdmin, "staff": convoke.RoleDeveloper}, roles); diff != "" || err != nil {
		t.Errorf("roles (-want +got):\n%s%v", diff, err)
	}
	var printed strings.Builder
	if err := c.Print(&printed); err != nil || strings.Contains(printed.String(), "hush") {
		t.Errorf("printed %s, %v", printed.String(), err)
	}
	for name, tt := range map[string]struct {
		env  map[string]string
		want string
	}{
		"issuer":    {with("ISSUER", "id.example.com"), "oidc.issuer must be a URL"},
		"no url":    {with("URL", ""), "oidc.url must be a URL"},
		"no client": {with("CLIENT_ID", ""), "oidc.clientId must be given"},
		"account":   {with("ACCOUNT", "le1"), "oidc.account is"},
		"role":      {with("ROLES", "admins=king"), `role "king" does not exist`},
		"no pair":   {with("ROLES", "admins"), "is no pair"},
		"operator abroad": {func() map[string]string {
			e := with("ROLES", "ops=operator")
			e["CONVOKE_OIDC_ACCOUNT"] = "2"
			return e
		}(), "can be held in account 10000001 only"},
	} {
		if _, err := Load(LoadOptions{Env: tt.env}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q in it", name, err, tt.want)
		}
	}
	if _, err := Load(LoadOptions{Env: map[string]string{"CONVOKE_OIDC_ROLES": "x"}}); err != nil {
		t.Errorf("without an issuer nothing is looked at: %v", err)
	}
}
