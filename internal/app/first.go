package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"

	"convoke"
	"convoke/api"
	"convoke/internal/auth"
	"convoke/internal/config"
	"convoke/internal/cores"
	"convoke/internal/httpapi"
	"convoke/internal/sqlstore"
)

const adminLogin = "admin"

// firstStart creates the first account and its user admin, unless they are
// there. A generated password is printed on out, this once.
func firstStart(ctx context.Context, store *sqlstore.Store, password convoke.Secret, out io.Writer) error {
	if err := ensureAccount(ctx, store, convoke.DefaultAccountID, byServe); err != nil {
		return err
	}
	_, err := store.FindUserByLogin(ctx, convoke.DefaultAccountID, adminLogin)
	if convoke.ErrorCode(err) != convoke.CodeNotFound {
		return err
	}
	generated := password.IsZero()
	if generated {
		var raw [15]byte
		rand.Read(raw[:]) // never fails
		password = convoke.NewSecret(base64.RawURLEncoding.EncodeToString(raw[:]))
	}
	hash, err := auth.HashPassword(ctx, password)
	if err != nil {
		return err
	}
	now := time.Now()
	u := &convoke.User{
		ID: uuid.NewString(), AccountID: convoke.DefaultAccountID, LoginName: adminLogin, PasswordHash: hash,
		Roles: []convoke.Role{convoke.RoleAdmin, convoke.RoleOperator}, CreatedAt: now, UpdatedAt: now,
	}
	if err = store.CreateUser(ctx, u, 0); err != nil {
		return err
	}
	if err = recordLocal(ctx, store, u.AccountID, byServe, "user.create", u.ID, u.LoginName, nil, api.NewUser(u)); err != nil {
		return err
	}
	if generated {
		_, err = fmt.Fprintf(out, "Created account %s and user %s with password %s (shown this once)\n",
			convoke.DefaultAccountID, adminLogin, password.Reveal())
	}
	return err
}

// Who acts where nobody has signed in: whoever has the data folder, or the
// start of the server.
const (
	byCommandLine = "command line"
	byServe       = "serve"
	// fromHere is where they act from.
	fromHere = "data folder"
)

// recordLocal keeps in the account's trail what was done without a request.
// before and after are bodies of the API, nil for none.
func recordLocal(ctx context.Context, store *sqlstore.Store, accountID, by, action, subject, name string, before, after any) error {
	act := &convoke.Activity{
		AccountID: accountID, At: time.Now(), ActorID: by, Actor: by, From: fromHere, Action: action, Subject: subject, Name: name,
	}
	for _, side := range []struct {
		to   *json.RawMessage
		body any
	}{{&act.Before, before}, {&act.After, after}} {
		if side.body == nil {
			continue
		}
		text, err := json.Marshal(side.body)
		if err != nil {
			return err
		}
		*side.to = text
	}
	return store.AppendActivity(ctx, act)
}

func ensureAccount(ctx context.Context, store *sqlstore.Store, id, by string) error {
	_, err := store.FindAccount(ctx, id)
	if convoke.ErrorCode(err) != convoke.CodeNotFound {
		return err
	}
	now := time.Now()
	a := &convoke.Account{ID: id, Name: id, Generation: convoke.GenerationV2, CreatedAt: now, UpdatedAt: now}
	err = store.CreateAccount(ctx, a)
	if convoke.ErrorCode(err) == convoke.CodeConflict {
		return nil // another process was faster
	}
	if err != nil {
		return err
	}
	for _, trail := range slices.Compact([]string{convoke.DefaultAccountID, id}) {
		if err := recordLocal(ctx, store, trail, by, "account.create", id, id, nil, api.NewAccount(a)); err != nil {
			return err
		}
	}
	return nil
}

// CreateToken issues a token in a data directory, whether a server runs on it
// or not. A directory that no server ever ran on is made ready for one, and
// fresh says so: it may be a slip. It returns CodeValidation for a bad account
// or role.
func CreateToken(ctx context.Context, dataDir, accountID, roleName, name string, ttl time.Duration) (token string, fresh bool, err error) {
	if err := convoke.ValidateAccountID(accountID); err != nil {
		return "", false, err
	}
	role, err := convoke.ParseRole(roleName)
	if err != nil {
		return "", false, err
	}
	_, err = os.Stat(filepath.Join(dataDir, "convoke.db"))
	fresh = errors.Is(err, fs.ErrNotExist)
	store, err := sqlstore.Open(ctx, sqlstore.Config{Dir: dataDir})
	if err != nil {
		return "", fresh, err
	}
	defer store.Close()
	if err := ensureAccount(ctx, store, accountID, byCommandLine); err != nil {
		return "", fresh, err
	}
	a, err := auth.New(auth.Config{Tokens: store, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return "", fresh, err
	}
	text, t, err := a.Issue(ctx, accountID, cmp.Or(name, roleName), []convoke.Role{role}, ttl, byCommandLine)
	if err != nil {
		return "", fresh, err
	}
	return text.Reveal(), fresh, recordLocal(ctx, store, accountID, byCommandLine, "token.create", t.ID, t.Name, nil, httpapi.TokenBody(t))
}

// profileToken is the name of the token that a written profile holds.
const profileToken = "local profile"

// writeProfile leaves a profile for client commands of this user, unless the
// one that is there still works.
func (a *App) writeProfile(ctx context.Context) error {
	url := "http://" + localAddress(a.Addr())
	if p, err := config.LoadProfile(a.cfg.WriteProfile); err == nil && p.URL == url {
		probe := (&http.Request{Header: http.Header{"Authorization": {"Bearer " + p.Token.Reveal()}}}).WithContext(ctx)
		if _, err := a.auth.Authenticate(probe); err == nil {
			return nil
		}
	}
	token, t, err := a.auth.Issue(ctx, convoke.DefaultAccountID, profileToken, []convoke.Role{convoke.RoleAdmin, convoke.RoleOperator}, 0, byServe)
	if err != nil {
		return err
	}
	if err := recordLocal(ctx, a.store, t.AccountID, byServe, "token.create", t.ID, t.Name, nil, httpapi.TokenBody(t)); err != nil {
		return err
	}
	if err := config.SaveProfile(a.cfg.WriteProfile, config.Profile{URL: url, Account: convoke.DefaultAccountID, Token: token}); err != nil {
		return err
	}
	a.log.Info("wrote a profile for client commands", "file", a.cfg.WriteProfile)
	return nil
}

// localAddress is how this machine reaches a listener on addr.
func localAddress(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// Serve makes an App and runs it until ctx ends. What the operator reads goes
// to standard error.
func (b Build) Serve(ctx context.Context, cfg *config.Config) error {
	cores.Restart(ctx)
	a, err := b.New(ctx, cfg, os.Stderr)
	if err != nil {
		return err
	}
	governed, end := context.WithCancel(ctx)
	defer end()
	go cores.Govern(governed)
	return a.Run(ctx)
}
