package app

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"convoke"
	"convoke/internal/account"
	"convoke/internal/auth"
	"convoke/internal/config"
	"convoke/internal/httpx"
	"convoke/internal/oauth"
	"convoke/internal/oidc"
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
		Store: a.store, Keys: keys, Logger: a.log, TokenLifetime: c.TokenLifetime, Issuer: a.issuer(), People: people{a},
		MaxClients: func(accountID string) int { return a.account.LimitsOf(accountID).ClientsPerAccount },
	})
	return err
}

// issuer is the server's name in tokens.
func (a *App) issuer() string {
	if a.cfg.OAuth.Issuer != "" {
		return strings.TrimSuffix(a.cfg.OAuth.Issuer, "/")
	}
	if a.cfg.TLS != config.TLSOff {
		_, hosts := a.cfg.Hosts()
		return "https://" + hosts["sentinel"]
	}
	return "http://" + localAddress(a.Addr())
}

// people are the users of the authorization server's pages. It asks the parts
// of a when it is called: they are made after the server, and need it.
type people struct{ a *App }

// Session returns who is signed in in a browser.
func (p people) Session(r *http.Request) (*convoke.Principal, error) {
	return p.a.auth.CheckSession(r, auth.CSRF(r))
}

// SetPassword changes the password of who is signed in.
func (p people) SetPassword(ctx context.Context, r *http.Request, by *convoke.Principal, old, password convoke.Secret) error {
	u, err := p.a.account.ChangePassword(ctx, by, account.PasswordChange{Old: old, New: password, From: httpx.ClientIP(r).String(), RequestID: httpx.RequestID(r)})
	if err != nil {
		return err
	}
	return p.a.store.AppendActivity(context.WithoutCancel(ctx), &convoke.Activity{
		AccountID: u.AccountID, At: time.Now(), ActorID: u.ID, Actor: u.LoginName, From: httpx.ClientIP(r).String(), RequestID: httpx.RequestID(r),
		Action: "user.changePassword", Subject: u.ID, Name: u.LoginName,
	})
}

// ProviderPath is where people of the account sign in through the identity
// provider.
func (p people) ProviderPath(accountID, next string) string {
	c := p.a.cfg.OIDC
	if c.Issuer == "" || c.Account != accountID {
		return ""
	}
	path, ok := oidc.LoginPath(next)
	if !ok {
		return "" // with a request of that length the browser would not find its way back
	}
	return path
}

// Login signs in with a password.
func (p people) Login(ctx context.Context, r *http.Request, accountID, user string, password convoke.Secret) ([]*http.Cookie, error) {
	from := httpx.ClientIP(r).String()
	signed, u, err := p.a.account.SignIn(ctx, account.Login{AccountID: accountID, LoginName: user, Password: password, From: from, Agent: r.UserAgent(), RequestID: httpx.RequestID(r)})
	if err != nil {
		return nil, err
	}
	// The session is made: whoever leaves now must not keep it off the trail.
	err = p.a.store.AppendActivity(context.WithoutCancel(ctx), &convoke.Activity{
		AccountID: u.AccountID, At: time.Now(), ActorID: u.ID, Actor: u.LoginName, From: from, RequestID: httpx.RequestID(r),
		Action: "session.create", Subject: signed.Session.ID, Name: u.LoginName,
	})
	return []*http.Cookie{signed.HTTPCookie(httpx.Scheme(r) == "https")}, err
}

// Find returns a user who may sign in.
func (p people) Find(ctx context.Context, accountID, userID string) (*convoke.Principal, error) {
	u, err := p.a.store.FindUser(ctx, accountID, userID)
	if err != nil {
		return nil, err
	}
	if u.Disabled || u.MustChangePassword {
		return nil, convoke.Errorf(convoke.CodeNotFound, "user %s may not sign in", u.LoginName)
	}
	return &convoke.Principal{AccountID: u.AccountID, ID: u.ID, Name: u.LoginName, Roles: u.Roles}, nil
}
