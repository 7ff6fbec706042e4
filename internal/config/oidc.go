package config

import (
	"errors"
	"net/url"
	"strings"

	"convoke"
)

// OIDC is the OpenID Connect provider through which people sign in. Without an
// issuer there is none.
type OIDC struct {
	Issuer       string         `yaml:"issuer" env:"ISSUER" flag:"no" help:"URL of the OpenID Connect provider that people sign in through; none without it"`
	ClientID     string         `yaml:"clientId" env:"CLIENT_ID" flag:"no" help:"client id that the provider gave this server"`
	ClientSecret convoke.Secret `yaml:"clientSecret" env:"CLIENT_SECRET" flag:"no" help:"its secret; none for a public client"`
	URL          string         `yaml:"url" env:"URL" flag:"no" help:"address under which browsers reach this server, such as https://functions.example.com; the provider sends them back to /auth/oidc/callback there"`
	Account      string         `yaml:"account" env:"ACCOUNT" flag:"no" help:"account of the people who sign in through the provider"`
	RoleClaim    string         `yaml:"roleClaim" env:"ROLE_CLAIM" flag:"no" help:"claim with a person's groups; dots lead into objects"`
	Roles        string         `yaml:"roles" env:"ROLES" flag:"no" help:"which group gives which role, such as admins=admin,staff=developer; without it the provider decides nothing about roles"`
	AutoCreate   bool           `yaml:"autoCreate" env:"AUTO_CREATE" flag:"no" help:"make a user of everybody whom the provider knows, a viewer unless roles says otherwise"`
}

// RoleMap is Roles by group. It returns CodeValidation for one that is no role
// or that the account cannot have.
func (o OIDC) RoleMap() (map[string]convoke.Role, error) {
	out := map[string]convoke.Role{}
	for pair := range strings.SplitSeq(o.Roles, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		group, role, ok := strings.Cut(pair, "=")
		group, role = strings.TrimSpace(group), strings.TrimSpace(role)
		if !ok || group == "" {
			return nil, convoke.Errorf(convoke.CodeValidation, "%q is no pair such as admins=admin", pair)
		}
		if err := convoke.ValidateRoles(o.Account, []convoke.Role{convoke.Role(role)}); err != nil {
			return nil, err
		}
		out[group] = convoke.Role(role)
	}
	return out, nil
}

func (o OIDC) problems(say func(path, format string, args ...any)) {
	if o.Issuer == "" {
		return
	}
	for _, u := range []struct{ path, text string }{{"oidc.issuer", o.Issuer}, {"oidc.url", o.URL}} {
		if p, err := url.Parse(u.text); err != nil || p.Scheme != "https" && p.Scheme != "http" || p.Host == "" || p.RawQuery != "" || p.Fragment != "" {
			say(u.path, "must be a URL such as https://id.example.com, not %q", u.text)
		}
	}
	if o.ClientID == "" {
		say("oidc.clientId", "must be given with oidc.issuer")
	}
	if err := convoke.ValidateAccountID(o.Account); err != nil {
		say("oidc.account", "is %q: an account id is 1 to 20 digits", o.Account)
	} else if _, err := o.RoleMap(); err != nil {
		e, _ := errors.AsType[*convoke.Error](err)
		say("oidc.roles", "cannot be used: %s", e.Message)
	}
}
