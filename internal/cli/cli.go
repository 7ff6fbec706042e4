// Package cli is the command line: it parses arguments, calls the server over
// HTTP through package client, and prints. What needs the server's insides
// (serve, token create, doctor) is handed in by cmd/convoke as
// [ServerCommands]; only cmd/convoke imports this package.
//
// Nothing here touches the process: arguments, environment, files and streams
// come in a [State], so tests run commands side by side.
package cli

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"convoke"
	"convoke/client"
	"convoke/internal/config"
	"convoke/internal/project"
)

// State is all that a command may use of the process it runs in.
type State struct {
	Args       []string // without the program's name
	Env        map[string]string
	Executable string // path of the running binary; may be ""
	Version    string // of the program

	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// StdinTTY, StdoutTTY and StderrTTY say what is a terminal: questions need
	// the first, indented results the second, progress the third.
	StdinTTY, StdoutTTY, StderrTTY bool

	// ReadPassword reads a line from the terminal without showing it. It is
	// called only where StdinTTY is true.
	ReadPassword func(ctx context.Context) ([]byte, error)

	// OpenDir gives the files of a folder: os.DirFS.
	OpenDir func(dir string) fs.FS

	// Start runs a program and does not wait for it: the browser.
	Start func(name string, args ...string) error

	Server ServerCommands

	// OpenRoot gives a folder to read and write in: os.OpenRoot.
	OpenRoot func(dir string) (*os.Root, error)
}

// ServerCommands are the commands that run the server's own code.
type ServerCommands struct {
	// Serve runs the server until ctx ends.
	Serve func(ctx context.Context, c *config.Config) error
	// CreateToken issues a token in the data folder, for an account that is
	// created when it does not exist, and returns its text, and whether the
	// folder is one that no server ran on before. ttl 0 never expires.
	CreateToken func(ctx context.Context, dataDir, account, role, name string, ttl time.Duration) (token string, fresh bool, err error)
	// Accounts opens the accounts in the data folder, for an operator with
	// the files at hand. close must be called.
	Accounts func(ctx context.Context, dataDir string) (accounts Accounts, close func() error, err error)
	// Doctor looks for what would keep the server from working.
	Doctor func(ctx context.Context, c *config.Config) (Report, error)
	// Upcoming computes the next count times that a cron expression names.
	Upcoming func(expr string, after time.Time, count int) ([]time.Time, error)
	// Runtimes lists the Node builds that this machine has.
	Runtimes func(ctx context.Context, c *config.Config) ([]Runtime, error)
}

// Report is what doctor found.
type Report struct {
	Checks []Check `json:"checks"`
}

// Check is one thing that doctor looked at.
type Check struct {
	Name    string      `json:"name"`
	Status  CheckStatus `json:"status"`
	Message string      `json:"message"`
	Hint    string      `json:"hint,omitempty"` // what to do, unless it is fine
}

// CheckStatus says how a check went.
type CheckStatus string

const (
	CheckOK   CheckStatus = "ok"
	CheckWarn CheckStatus = "warn" // works, but worse than it could
	CheckFail CheckStatus = "fail"
)

// Runtime is a Node build on this machine.
type Runtime struct {
	Name    string `json:"name"` // "node26"
	Version string `json:"version"`
	Path    string `json:"path"`
	Default bool   `json:"default"`
}

// Run runs one command and returns the program's exit code: see [ExitOK] and
// those below it.
func Run(ctx context.Context, s State) int {
	a := &app{State: s, folders: project.Folders{OpenDir: s.OpenDir, OpenRoot: s.OpenRoot}}
	defer a.folders.Close()
	root := a.root()
	root.SetArgs(s.Args)
	root.SetIn(s.Stdin)
	root.SetOut(s.Stdout)
	root.SetErr(s.Stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitOK
	}
	if ctx.Err() != nil {
		return ExitInterrupted
	}
	return a.report(err)
}

// app is a State with the flags that every command has.
type app struct {
	State
	given   config.Profile // --url and --account
	token   string
	profile string
	json    bool
	folders project.Folders
}

const longHelp = `Convoke runs small JavaScript and TypeScript functions for conversations.

Start a server, then deploy and call a function:

  convoke serve
  export CONVOKE_TOKEN=$(convoke token create --role admin)
  convoke deploy examples/greeting
  convoke invoke greeting --payload @examples/greeting/payload.json

Commands find the server by --url, --account and --token, else by CONVOKE_URL,
CONVOKE_ACCOUNT and CONVOKE_TOKEN, else by the profile: the one named by
--profile or CONVOKE_PROFILE, chosen by convoke profile use, or the default one
in the user's configuration folder. convoke login writes a profile, and so does
convoke serve --write-profile default.`

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "convoke",
		Short:         "Functions for conversations",
		Long:          longHelp,
		Args:          cobra.ArbitraryArgs, // so that an unknown command is our error, with an exit code
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
		Version: a.Version,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		// "convoke dploy --name x" fails by the flag first; the command is the mistake.
		if cmd == root && len(a.Args) > 0 && !strings.HasPrefix(a.Args[0], "-") {
			return unknownCommand(cmd, a.Args[0])
		}
		return usagef("%v; see %s --help", err, cmd.CommandPath())
	})
	f := root.PersistentFlags()
	f.StringVar(&a.given.URL, "url", "", "server to talk to (default "+config.DefaultURL+")")
	f.StringVar(&a.given.Account, "account", "", "account to work in (default "+convoke.DefaultAccountID+")")
	f.StringVar(&a.token, "token", "", "bearer token; CONVOKE_TOKEN keeps it out of the process list")
	f.StringVar(&a.profile, "profile", "", "profile to use: a name, or a file (default the one chosen by convoke profile use)")
	f.BoolVar(&a.json, "json", false, "print JSON")

	root.AddGroup(&cobra.Group{ID: "function", Title: "Functions:"}, &cobra.Group{ID: "server", Title: "Server:"})
	a.addProjectCommands(root)
	for _, cmd := range []*cobra.Command{a.deploy(), a.invoke(), a.list(), a.show(), a.logs(), a.invocations(), a.versions(), a.rollback(), a.undeploy(), a.remove(), a.domainCommand()} {
		cmd.GroupID = "function"
		root.AddCommand(cmd)
	}
	for _, cmd := range []*cobra.Command{a.secretCommand(), a.scheduleCommand()} {
		cmd.GroupID = "function"
		root.AddCommand(cmd)
	}
	for _, cmd := range []*cobra.Command{a.serve(), a.tokenCommand(), a.clientCommand(), a.runtimes(), a.configCommand(), a.doctor()} {
		cmd.GroupID = "server"
		root.AddCommand(cmd)
	}
	root.AddGroup(&cobra.Group{ID: "people", Title: "People and accounts:"})
	for _, cmd := range []*cobra.Command{a.loginCommand(), a.logoutCommand(), a.whoami(), a.consentCommand(), a.profileCommand(), a.userCommand(), a.accountCommand(), a.settingsCommand(), a.limits(), a.activity()} {
		cmd.GroupID = "people"
		root.AddCommand(cmd)
	}
	root.AddCommand(a.version(), exitCodes())
	return root
}

func unknownCommand(root *cobra.Command, name string) error {
	// Two letters are a slip in a long word; in a short one they make another.
	if root.SuggestionsMinimumDistance = 1; len(name) > 5 {
		root.SuggestionsMinimumDistance = 2
	}
	if near := root.SuggestionsFor(name); len(near) > 0 {
		return usagef("there is no command %q; did you mean %s?", name, near[0])
	}
	return usagef("there is no command %q; convoke --help lists all", name)
}

// client makes the client that flags, environment and profile describe.
func (a *app) client() (*client.Client, error) {
	p, path, err := a.resolve()
	if err != nil {
		return nil, err
	}
	if p.Token.IsZero() {
		return nil, &convoke.Error{Code: convoke.CodeUnauthorized, Message: fmt.Sprintf("there is no token for account %s of %s", p.Account, p.URL)}
	}
	return a.clientOf(p, path)
}

// clientOf makes the client of a profile, which stands at path when it can be
// renewed.
func (a *app) clientOf(p config.Profile, path string) (*client.Client, error) {
	c := client.Config{URL: p.URL, AccountID: p.Account, Token: p.Token, UserAgent: convoke.CommandLineAgent + a.Version}
	if !p.Refresh.IsZero() {
		bare, err := client.New(client.Config{URL: p.URL, AccountID: p.Account, UserAgent: c.UserAgent})
		if err != nil {
			return nil, err
		}
		c.Tokens = (&renewer{path: path, client: bare, profile: p}).token
	}
	return client.New(c)
}

// resolve is what flags, environment and profile say, and the profile's file.
func (a *app) resolve() (config.Profile, string, error) {
	find := config.FindProfile
	if a.given.URL == "" && a.Env["CONVOKE_URL"] == "" {
		find = config.ExistingProfile
	}
	path, err := find(a.profile, a.Env)
	if err != nil {
		return config.Profile{}, "", err
	}
	given := a.given
	given.Token = convoke.NewSecret(a.token)
	p, err := config.ResolveProfile(given, a.Env, path)
	return p, path, err
}

// args is cobra.ExactArgs with an error that says what is missing.
func args(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, given []string) error {
		switch {
		case len(given) < len(names):
			return usagef("%s is missing; the command is: %s", names[len(given)], cmd.UseLine())
		case len(given) > len(names):
			return usagef("%q is too much; the command is: %s", given[len(names)], cmd.UseLine())
		}
		return nil
	}
}

// completeNames completes the first argument with names of functions. A server
// that is slow or away completes nothing: the shell must not hang.
func (a *app) completeNames(cmd *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(given) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), time.Second)
	defer cancel()
	c, err := a.client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	list, err := c.Functions(ctx, client.FunctionFilter{})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, f := range list {
		names = append(names, cobra.CompletionWithDesc(f.Name, f.Description))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
