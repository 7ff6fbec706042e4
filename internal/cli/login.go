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
	"time"

	"github.com/spf13/cobra"

	"convoke"
	"convoke/client"
	"convoke/internal/config"
)

// maxLine bounds what is read from standard input as one answer.
const maxLine = 4 << 10

func (a *app) loginCommand() *cobra.Command {
	var user string
	var fromStdin bool
	o := browserOptions{}
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Sign in and keep it in a profile",
		Long: `Signs in and keeps that in the profile, readable by you only: later commands
need no token.

On a terminal it opens a browser, where you sign in by password or through your
organisation and allow the command line to act as you. It stays signed in for up
to 90 days, until convoke logout. Without a browser on this machine it prints the
address to open, and so does --no-browser: if you open it on another machine,
paste the address that the browser ends on, or forward a port to this one and
name it with --port (ssh -L 8765:127.0.0.1:8765).

--user signs in with a password instead, for a day: asked for on a terminal, or
read from standard input with --password-stdin, or from CONVOKE_PASSWORD. It is
not a flag, because others would see it in the process list.

--profile NAME keeps it in a profile of that name, so that several servers and
accounts can be used side by side. CONVOKE_TOKEN goes before the profile.`,
		Example: `  convoke login
  convoke login --profile production --url https://functions.example.com --account 20000002
  convoke login --no-browser --port 8765
  pass show convoke | convoke login --user ann --password-stdin`,
		Args: args(),
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		_, fromEnv := a.Env["CONVOKE_PASSWORD"]
		byPassword := user != "" || fromStdin || fromEnv
		browser := cmd.Flags().Changed("no-browser") || cmd.Flags().Changed("port") || cmd.Flags().Changed("timeout")
		switch {
		case byPassword && browser && !fromEnv:
			return usagef("--user and --password-stdin sign in with a password; --no-browser, --port and --timeout are for a browser")
		case o.port < 0 || o.port > 65535:
			return usagef("--port is a number of 1 to 65535")
		case o.timeout <= 0:
			return usagef("--timeout must be more than 0, such as 5m")
		case !byPassword && !o.noOpen && (!a.StdinTTY || !a.StderrTTY):
			return usagef("--user is missing, and there is no terminal to sign in from: give --user and --password-stdin, or --no-browser for a browser elsewhere; programs need no sign-in but a token in CONVOKE_TOKEN")
		}
		path, p, saved, err := a.loginTarget()
		if err != nil {
			return err
		}
		c, err := client.New(client.Config{URL: p.URL, AccountID: p.Account, UserAgent: convoke.CommandLineAgent + a.Version})
		if err != nil {
			return err
		}
		if byPassword && !browser {
			p, err = a.withPassword(cmd.Context(), c, p, user, fromStdin)
		} else {
			p, err = a.withBrowser(cmd.Context(), c, p, o)
		}
		if err != nil {
			return err
		}
		if err := a.keepSignIn(path, p); err != nil {
			return err
		}
		// The one before is of no use to anybody but who finds it. If this fails
		// it ends by itself.
		if !saved.Refresh.IsZero() && saved.URL == p.URL {
			_ = giveUp(cmd.Context(), c, saved.Refresh)
		}
		if a.Env["CONVOKE_TOKEN"] != "" {
			a.note("CONVOKE_TOKEN is set and goes before the profile; unset it to use this sign-in")
		}
		return a.signedIn(cmd, p)
	}
	f := cmd.Flags()
	f.StringVarP(&user, "user", "u", "", "sign in with a password, by this login name")
	f.BoolVar(&fromStdin, "password-stdin", false, "read the password from standard input")
	f.BoolVar(&o.noOpen, "no-browser", false, "print the address to sign in at, open nothing")
	f.IntVar(&o.port, "port", 0, "port of this machine that the browser comes back to (default any that is free)")
	f.DurationVar(&o.timeout, "timeout", 5*time.Minute, "how long to wait for the browser")
	return cmd
}

// withPassword is p with a session that a password began.
func (a *app) withPassword(ctx context.Context, c *client.Client, p config.Profile, user string, fromStdin bool) (config.Profile, error) {
	in := a.lines()
	var err error
	if user == "" {
		if user, err = a.ask(in, fmt.Sprintf("Login name for account %s of %s: ", p.Account, p.URL), "--user"); err != nil {
			return p, err
		}
	}
	password := convoke.NewSecret(a.Env["CONVOKE_PASSWORD"])
	if fromStdin || password.IsZero() {
		if password, err = a.password(ctx, in, fromStdin, "Password: "); err != nil {
			return p, err
		}
	}
	out, err := c.Login(ctx, user, password)
	if convoke.ErrorCode(err) == convoke.CodeUnauthorized {
		return p, &hinted{err, "an administrator can reset a password that is forgotten: convoke user reset-password"}
	}
	if err != nil {
		return p, err
	}
	p.Token = convoke.NewSecret(out.Bearer)
	return p, nil
}

// withBrowser is p with a sign-in through a browser.
func (a *app) withBrowser(ctx context.Context, c *client.Client, p config.Profile, o browserOptions) (config.Profile, error) {
	out, err := a.throughBrowser(ctx, c, o)
	if err != nil {
		return p, err
	}
	return withTokens(p, out), nil
}

// keepSignIn writes the profile, not between the two steps of a command that
// renews it.
func (a *app) keepSignIn(path string, p config.Profile) error {
	unlock, err := config.LockProfile(path)
	if err != nil {
		return err
	}
	defer unlock()
	return config.SaveProfile(path, p)
}

// loginTarget is the file that the sign-in goes to, what will stand in it but
// for a token, and what does.
func (a *app) loginTarget() (path string, p, saved config.Profile, err error) {
	if path, err = config.FindProfile(a.profile, a.Env); err != nil {
		return "", p, saved, err
	}
	if saved, err = config.LoadProfile(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", p, saved, err
	}
	p = config.Profile{
		URL:     strings.TrimRight(cmp.Or(a.given.URL, a.Env["CONVOKE_URL"], saved.URL, config.DefaultURL), "/"),
		Account: cmp.Or(a.given.Account, a.Env["CONVOKE_ACCOUNT"]),
	}
	if p.Account == "" && p.URL == saved.URL {
		p.Account = saved.Account
	}
	p.Account = cmp.Or(p.Account, convoke.DefaultAccountID)
	return path, p, saved, nil
}

// signedIn tells what there is to know of a fresh sign-in.
func (a *app) signedIn(cmd *cobra.Command, p config.Profile) error {
	c, err := client.New(client.Config{URL: p.URL, AccountID: p.Account, Token: p.Token, UserAgent: convoke.CommandLineAgent + a.Version})
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
	a.note("signed in to account %s of %s as %s (%s)", p.Account, p.URL, me.Name, strings.Join(me.Roles, ", "))
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
		Long:    "Ends the sign-in on the server and removes it from the profile; address and\naccount stay there.",
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
			c, err := client.New(client.Config{URL: p.URL, AccountID: p.Account, Token: p.Token, UserAgent: convoke.CommandLineAgent + a.Version})
			if err != nil {
				return err
			}
			if p.Refresh.IsZero() {
				err = c.Logout(cmd.Context())
			} else {
				err = giveUp(cmd.Context(), c, p.Refresh)
			}
			if convoke.ErrorCode(err) == convoke.CodeActionNotAllowed {
				return &hinted{err, "the profile holds a token; convoke token revoke ends it, convoke profile remove forgets it"}
			}
			// A session that is over is what was asked for.
			if err != nil && convoke.ErrorCode(err) != convoke.CodeUnauthorized {
				return err
			}
			p.Token, p.Refresh, p.Expires = convoke.Secret{}, convoke.Secret{}, time.Time{}
			if err := a.keepSignIn(path, p); err != nil {
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
			p, _, err := a.resolve()
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
