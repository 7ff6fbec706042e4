package app

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"convoke"
	"convoke/api"
	"convoke/internal/account"
	"convoke/internal/auth"
	"convoke/internal/config"
	"convoke/internal/httpapi"
	"convoke/internal/oidc"
	"convoke/internal/sqlstore"
)

// switched follows an account that was disabled or enabled: its processes end,
// or those that its functions keep start again.
func (a *App) switched(accountID string, enabled bool) {
	if !enabled {
		a.pool.Rest(accountID)
		return
	}
	if err := a.invoke.Warm(context.Background()); err != nil {
		a.log.Error("functions with minInstances are not kept warm", "account", accountID, "err", err)
	}
}

// identityOf is where people sign in who have no password here.
func identityOf(c config.OIDC) (httpapi.Identity, error) {
	if c.Issuer == "" {
		return httpapi.Identity{}, nil
	}
	roles, err := c.RoleMap()
	if err != nil {
		return httpapi.Identity{}, err
	}
	provider := oidc.New(oidc.Config{
		Issuer: c.Issuer, ClientID: c.ClientID, ClientSecret: c.ClientSecret, URL: c.URL, RoleClaim: c.RoleClaim, Roles: roles,
	})
	return httpapi.Identity{Provider: provider, AccountID: c.Account, Create: c.AutoCreate}, nil
}

// LocalAccounts are the accounts in a data folder, for an operator with the
// files at hand, whether a server runs on it or not. A server that runs sees a
// change within half a minute.
type LocalAccounts struct {
	store   *sqlstore.Store
	service *account.Service
}

// OpenAccounts opens the accounts of a data folder. It returns CodeInvalid for
// a folder that no server ran on: it would be a slip.
func OpenAccounts(ctx context.Context, dataDir string) (*LocalAccounts, error) {
	if _, err := os.Stat(filepath.Join(dataDir, "convoke.db")); errors.Is(err, fs.ErrNotExist) {
		return nil, convoke.Errorf(convoke.CodeInvalid, "no server has run on %s yet; name the server's folder with --data", dataDir)
	}
	store, err := sqlstore.Open(ctx, sqlstore.Config{Dir: dataDir})
	if err != nil {
		return nil, err
	}
	silent := slog.New(slog.DiscardHandler)
	a, err := auth.New(auth.Config{Tokens: store, People: store, Logger: silent})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	service, err := account.New(ctx, account.Config{Store: store, Auth: a, Limits: convoke.DefaultLimits(), Foreign: true, Logger: silent})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return &LocalAccounts{store, service}, nil
}

// Close closes the store.
func (l *LocalAccounts) Close() error { return l.store.Close() }

// Accounts lists all accounts, the oldest first.
func (l *LocalAccounts) Accounts(ctx context.Context) ([]api.Account, error) {
	accounts, err := l.service.Accounts(ctx)
	out := make([]api.Account, len(accounts))
	for i, a := range accounts {
		out[i] = api.NewAccount(a)
	}
	return out, err
}

// Account returns an account, or CodeNotFound.
func (l *LocalAccounts) Account(ctx context.Context, id string) (*api.Account, error) {
	a, err := l.service.Account(ctx, id)
	if err != nil {
		return nil, err
	}
	out := api.NewAccount(a)
	return &out, nil
}

// CreateAccount makes an account, as account.Service.Create does.
func (l *LocalAccounts) CreateAccount(ctx context.Context, in api.CreateAccountRequest) (*api.CreateAccountResponse, error) {
	a, password, err := l.service.Create(ctx, account.CreateInput{
		ID: in.ID, Name: in.Name, Generation: convoke.Generation(in.Generation), Limits: in.Limits, Admin: in.Admin,
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateAccountResponse{Account: api.NewAccount(a), Admin: in.Admin, Password: password.Reveal()}, l.record(ctx, "account.create", nil, a)
}

// UpdateAccount changes an account, as account.Service.Update does.
func (l *LocalAccounts) UpdateAccount(ctx context.Context, id string, in api.UpdateAccountRequest) (*api.Account, error) {
	was, a, err := l.service.Update(ctx, id, account.Change{
		Name: in.Name, Generation: (*convoke.Generation)(in.Generation), Disabled: in.Disabled, Limits: in.Limits,
	})
	if err != nil {
		return nil, err
	}
	out := api.NewAccount(a)
	if a == was {
		return &out, nil
	}
	return &out, l.record(ctx, "account.update", was, a)
}

// record keeps what the command line did to an account in two trails, the
// operator's and the account's, as the management API does.
func (l *LocalAccounts) record(ctx context.Context, action string, was, is *convoke.Account) error {
	var before any
	if was != nil {
		before = api.NewAccount(was)
	}
	for _, trail := range slices.Compact([]string{convoke.DefaultAccountID, is.ID}) {
		if err := recordLocal(ctx, l.store, trail, byCommandLine, action, is.ID, is.Name, before, api.NewAccount(is)); err != nil {
			return err
		}
	}
	return nil
}
