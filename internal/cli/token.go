package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"convoke"
	"convoke/api"
	"convoke/client"
)

func (a *app) tokenCommand() *cobra.Command {
	return noun("token", "Issue, list and revoke tokens", a.tokenCreate(), a.tokenList(), a.tokenRevoke())
}

func (a *app) tokenCreate() *cobra.Command {
	var role, name string
	var ttl time.Duration
	var remote, own bool
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Issue a bearer token and print it",
		Long: `Issues a bearer token in the server's data folder and prints it, once. The
server may be running or not; a folder that --data names may be one for a server
that is yet to come, which is made ready for it. Roles: admin, developer, invoker, viewer and, in
account ` + convoke.DefaultAccountID + `, operator. An account that does not exist is created.

With --remote it asks the server over HTTP, which needs the role admin. With
--own the token is that of the user who is signed in: it has at most the user's
roles, and stops working with the user.`,
		Example: `  export CONVOKE_TOKEN=$(convoke token create --role admin)
  convoke token create --role invoker --name shop --ttl 720h --data /var/lib/convoke
  convoke token create --own --role developer --name laptop --ttl 2160h`,
		Args: args(),
	}
	load := a.configFlags(cmd, "data")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if _, err := convoke.ParseRole(role); err != nil {
			return err
		}
		account := cmp.Or(a.given.Account, a.Env["CONVOKE_ACCOUNT"], convoke.DefaultAccountID)
		if err := convoke.ValidateAccountID(account); err != nil {
			return err
		}
		if ttl < 0 {
			return usagef("--ttl must not be negative")
		}
		if remote || own {
			if cmd.Flags().Changed("data") {
				return usagef("--data issues a token in a data folder; --remote and --own ask a server")
			}
			return a.tokenCreateRemote(cmd, own, api.CreateTokenRequest{Name: name, Roles: []string{role}, TTLSeconds: int64(ttl / time.Second)})
		}
		c, err := load()
		if err != nil {
			return err
		}
		if c.Source("data") == "default" && !a.served(c.Data) {
			return &hinted{usagef("no server has run on %s, and no other data folder was named", c.Data), "--data or CONVOKE_DATA name the server's folder, also one that is to be made; --remote asks a server over HTTP"}
		}
		text, fresh, err := a.Server.CreateToken(cmd.Context(), c.Data, account, role, name, ttl)
		if err != nil {
			return err
		}
		if fresh {
			fmt.Fprintf(a.Stderr, "convoke: no server has run on %s yet; it was made ready for one, and the token is good there only\n", c.Data)
		}
		if a.json {
			return a.printJSON(map[string]string{"token": text, "account": account, "role": role, "name": name})
		}
		_, err = fmt.Fprintln(a.Stdout, text)
		return err
	}
	f := cmd.Flags()
	f.StringVar(&role, "role", string(convoke.RoleDeveloper), "admin, developer, invoker, viewer or operator")
	f.StringVar(&name, "name", "cli", "what the token is for; it shows as the author of changes")
	f.DurationVar(&ttl, "ttl", 0, "time after which it expires (default never)")
	f.BoolVar(&remote, "remote", false, "ask the server over HTTP")
	f.BoolVar(&own, "own", false, "ask the server for a token of the user who is signed in")
	return cmd
}

// served reports whether a server ever ran on a data folder.
func (a *app) served(data string) bool {
	_, err := fs.Stat(a.OpenDir(data), "convoke.db")
	return !errors.Is(err, fs.ErrNotExist)
}

// tokenCreateRemote issues a token over HTTP.
func (a *app) tokenCreateRemote(cmd *cobra.Command, own bool, in api.CreateTokenRequest) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	create := c.CreateToken
	if own {
		create = c.CreateOwnToken
	}
	out, err := create(cmd.Context(), in)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(out)
	}
	_, err = fmt.Fprintln(a.Stdout, out.Text)
	return err
}

func (a *app) tokenList() *cobra.Command {
	var own bool
	var f listFlags
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the account's tokens, without their text",
		Long:    "Lists the tokens of the account, also those that expired or were revoked. The\ntext of a token is shown when it is issued and never again. Needs the role\nadmin; --own needs none.",
		Example: "  convoke token list\n  convoke token list --own --json",
		Args:    args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			now := time.Now()
			view := listView[api.Token]{
				header: []string{"ID", "NAME", "ROLES", "STATE", "CREATED", "BY", "EXPIRES", "LAST USED"},
				row: func(t api.Token) []string {
					return []string{
						t.ID, t.Name, strings.Join(t.Roles, ","), tokenState(t, now),
						formatTime(t.CreatedAt), orDash(t.CreatedBy), formatTime(t.ExpiresAt), formatTime(t.LastUsedAt),
					}
				},
				none: "there are no tokens yet; convoke token create makes one",
			}
			tokens := client.TokenList()
			if own {
				tokens, view.none = client.OwnTokenList(), "you have no tokens yet; convoke token create --own makes one"
			}
			return listFrom(a, view, func(c *client.Client) ([]api.Token, error) { return listed(cmd.Context(), c, tokens, f) })
		},
	}
	cmd.Flags().BoolVar(&own, "own", false, "only your own")
	f.add(cmd, convoke.TokenOrder)
	return cmd
}

func tokenState(t api.Token, now time.Time) string {
	switch {
	case !t.RevokedAt.IsZero():
		return "revoked"
	case !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt.Time):
		return "expired"
	}
	return "live"
}

func (a *app) tokenRevoke() *cobra.Command {
	var yes, own bool
	cmd := &cobra.Command{
		Use:     "revoke ID",
		Short:   "End a token's use",
		Long:    "Ends the use of a token, at once and for good; convoke token list shows the ids.\nNeeds the role admin; --own needs none.\nIt asks before; without a terminal it takes --yes.",
		Example: "  convoke token revoke 0ec98cae-3f40-4a86-9b1d-7c2e90a4f611",
		Args:    args("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			if err := a.confirm(yes, "Revoke the token %s?", args[0]); err != nil {
				return err
			}
			revoke := c.RevokeToken
			if own {
				revoke = c.RevokeOwnToken
			}
			err = revoke(cmd.Context(), args[0])
			if convoke.ErrorCode(err) == convoke.CodeNotFound {
				return &hinted{err, "convoke token list shows the ids"}
			}
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]string{"id": args[0], "state": "revoked"})
			}
			a.note("token %s is revoked", args[0])
			return nil
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&own, "own", false, "one of your own")
	return cmd
}
