package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"convoke"
	"convoke/api"
	"convoke/client"
	"convoke/internal/config"
)

// maxLine bounds what is read from standard input as one answer.
const maxLine = 4 << 10

func (a *app) loginCommand() *cobra.Command {
	var user string
	var fromStdin bool
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Sign in and keep it in a profile",
		Long: `Signs in with a password and keeps the session in the profile, readable by you
only: later commands need no token. The password is asked for on a terminal, or
read from standard input with --password-stdin; it is not a flag, because others
would see it in the process list.

--profile NAME keeps it in a profile of that name, so that several servers and
accounts can be used side by side. CONVOKE_TOKEN goes before the profile.`,
		Example: `  convoke login --user ann
  convoke login --profile production --url https://functions.example.com --account 20000002 --user ann
  pass show convoke | convoke login --user ann --password-stdin`,
		Args: args(),
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		path, p, err := a.loginTarget()
		if err != nil {
			return err
		}
		c, err := client.New(client.Config{URL: p.URL, AccountID: p.Account, UserAgent: "convoke-cli/" + a.Version})
		if err != nil {
			return err
		}
		in := a.lines()
		if user == "" {
			if user, err = a.ask(in, fmt.Sprintf("Login name for account %s of %s: ", p.Account, p.URL), "--user"); err != nil {
				return err
			}
		}
		password, err := a.password(cmd.Context(), in, fromStdin, "Password: ")
		if err != nil {
			return err
		}
		out, err := c.Login(cmd.Context(), user, password)
		if convoke.ErrorCode(err) == convoke.CodeUnauthorized {
			return &hinted{err, "an administrator can reset a password that is forgotten: convoke user reset-password"}
		}
		if err != nil {
			return err
		}
		p.Token = convoke.NewSecret(out.Bearer)
		if err := config.SaveProfile(path, p); err != nil {
			return err
		}
		if a.Env["CONVOKE_TOKEN"] != "" {
			a.note("CONVOKE_TOKEN is set and goes before the profile; unset it to use this sign-in")
		}
		return a.signedIn(cmd, p, out)
	}
	cmd.Flags().StringVarP(&user, "user", "u", "", "login name")
	cmd.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from standard input")
	return cmd
}

// loginTarget is the file that the sign-in goes to and, without a token, what
// stands in it.
func (a *app) loginTarget() (string, config.Profile, error) {
	path, err := config.FindProfile(a.profile, a.Env)
	if err != nil {
		return "", config.Profile{}, err
	}
	saved, err := config.LoadProfile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", config.Profile{}, err
	}
	p := config.Profile{
		URL:     strings.TrimRight(cmp.Or(a.given.URL, a.Env["CONVOKE_URL"], saved.URL, config.DefaultURL), "/"),
		Account: cmp.Or(a.given.Account, a.Env["CONVOKE_ACCOUNT"]),
	}
	if p.Account == "" && p.URL == saved.URL {
		p.Account = saved.Account
	}
	p.Account = cmp.Or(p.Account, convoke.DefaultAccountID)
	return path, p, nil
}

// signedIn tells what there is to know of a fresh sign-in.
func (a *app) signedIn(cmd *cobra.Command, p config.Profile, out *api.LoginResponse) error {
	c, err := client.New(client.Config{URL: p.URL, AccountID: p.Account, Token: p.Token, UserAgent: "convoke-cli/" + a.Version})
	if err != nil {
		return err
	}
	me, err := c.Me(cmd.Context())
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(me)
	}
	a.note("signed in to account %s of %s as %s (%s)", p.Account, p.URL, out.Config.LoginName, strings.Join(me.Roles, ", "))
	if me.MustChangePassword {
		a.note("the password was made up by somebody else: set your own with convoke user password")
	}
	return nil
}

// lines reads answers from standard input, one after the other.
func (a *app) lines() *bufio.Reader { return bufio.NewReader(io.LimitReader(a.Stdin, maxLine)) }

// ask reads a line from the terminal; elsewhere the flag must say it.
func (a *app) ask(in *bufio.Reader, question, flag string) (string, error) {
	if !a.StdinTTY || !a.StderrTTY {
		return "", usagef("%s is missing", flag)
	}
	fmt.Fprint(a.Stderr, question)
	return readLine(in)
}

// password reads a password, without showing it on a terminal.
func (a *app) password(ctx context.Context, in *bufio.Reader, fromStdin bool, question string) (convoke.Secret, error) {
	if fromStdin {
		line, err := readLine(in)
		if err == nil && line == "" {
			err = usagef("there is no password on standard input")
		}
		return convoke.NewSecret(line), err
	}
	if !a.StdinTTY || !a.StderrTTY || a.ReadPassword == nil {
		return convoke.Secret{}, usagef("there is no terminal to ask for the password on; give it on standard input with --password-stdin")
	}
	fmt.Fprint(a.Stderr, question)
	text, err := a.ReadPassword(ctx)
	fmt.Fprintln(a.Stderr)
	if err != nil {
		return convoke.Secret{}, fmt.Errorf("read the password: %w", err)
	}
	return convoke.NewSecret(string(text)), nil
}

func readLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err != nil && err != io.EOF {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func (a *app) logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "logout",
		Short:   "End the sign-in of the profile",
		Long:    "Ends the session on the server and removes it from the profile; address and\naccount stay there.",
		Example: "  convoke logout\n  convoke logout --profile production",
		Args:    args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := config.ExistingProfile(a.profile, a.Env)
			if err != nil {
				return err
			}
			p, err := config.LoadProfile(path)
			if errors.Is(err, fs.ErrNotExist) || err == nil && p.Token.IsZero() {
				return convoke.Errorf(convoke.CodeNotFound, "nobody is signed in with this profile")
			}
			if err != nil {
				return err
			}
			c, err := client.New(client.Config{URL: p.URL, AccountID: p.Account, Token: p.Token, UserAgent: "convoke-cli/" + a.Version})
			if err != nil {
				return err
			}
			err = c.Logout(cmd.Context())
			if convoke.ErrorCode(err) == convoke.CodeActionNotAllowed {
				return &hinted{err, "the profile holds a token; convoke token revoke ends it, convoke profile remove forgets it"}
			}
			// A session that is over is what was asked for.
			if err != nil && convoke.ErrorCode(err) != convoke.CodeUnauthorized {
				return err
			}
			p.Token = convoke.Secret{}
			if err := config.SaveProfile(path, p); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]string{"url": p.URL, "account": p.Account, "state": "signed out"})
			}
			a.note("signed out of account %s of %s", p.Account, p.URL)
			return nil
		},
	}
}

func (a *app) whoami() *cobra.Command {
	return &cobra.Command{
		Use:     "whoami",
		Short:   "Show who commands act as, and what that one may do",
		Example: "  convoke whoami\n  convoke whoami --json",
		Args:    args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			me, err := c.Me(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(me)
			}
			p, err := a.resolve()
			if err != nil {
				return err
			}
			rows := [][]string{
				{"SERVER", p.URL}, {"ACCOUNT", me.AccountID + " " + me.AccountName}, {"NAME", me.Name}, {"BY", me.Kind},
				{"ROLES", strings.Join(me.Roles, ", ")}, {"MAY", strings.Join(me.Permissions, ", ")},
			}
			return a.table(rows)
		},
	}
}
