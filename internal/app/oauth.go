package app

import (
	"cmp"
	"path/filepath"
	"strings"

	"convoke/internal/oauth"
)

// wireOAuth makes the authorization server. Its keys are no part of the
// database, so that a copy of that cannot make tokens.
func (a *App) wireOAuth() error {
	c := a.cfg.OAuth
	keys, err := oauth.OpenKeys(oauth.KeysConfig{Dir: filepath.Join(a.cfg.Data, "keys"), Rotate: c.KeyRotation, Lifetime: c.TokenLifetime})
	if err != nil {
		return err
	}
	a.oauth, err = oauth.New(oauth.Config{
		Store: a.store, Keys: keys, Logger: a.log, TokenLifetime: c.TokenLifetime,
		Issuer: cmp.Or(strings.TrimSuffix(c.Issuer, "/"), "http://"+localAddress(a.Addr())),
	})
	return err
}
