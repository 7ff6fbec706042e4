package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"convoke"
	"convoke/internal/config"
)

const defaultWait = 2 * time.Minute

func (a *app) serve() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Runs the server until it is stopped. The first signal lets running invocations
finish, the second one stops at once.

Settings come from flags, CONVOKE_ variables, the file named by --config, and
defaults, in this order; convoke config prints them all with their sources.`,
		Example: `  convoke serve
  convoke serve --listen :8080 --data /var/lib/convoke --config /etc/convoke.yaml`,
		Args: args(),
	}
	load := a.configFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := load()
		if err != nil {
			return err
		}
		return a.Server.Serve(cmd.Context(), c)
	}
	return cmd
}

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "config",
		Short:   "Print the server's settings and where each comes from",
		Example: "  convoke config\n  CONVOKE_LISTEN=:9090 convoke config --config /etc/convoke.yaml --json",
		Args:    args(),
	}
	load := a.configFlags(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		c, err := load()
		if err != nil {
			return err
		}
		if a.json {
			return a.printJSON(c.Values())
		}
		return c.Print(a.Stdout)
	}
	return cmd
}

func (a *app) doctor() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "doctor",
		Short:   "Look for what would keep the server from working here",
		Long:    "Looks at settings, data folder, Node.js builds and the machine, and says what to\ndo about what it finds. It changes nothing. The exit code is 1 when something\nwould not work.",
		Example: "  convoke doctor --data /var/lib/convoke",
		Args:    args(),
	}
	load := a.configFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := load()
		if err != nil {
			return err
		}
		report, err := a.Server.Doctor(cmd.Context(), c)
		if err != nil {
			return err
		}
		if err := a.printReport(report); err != nil {
			return err
		}
		failed := 0
		for _, check := range report.Checks {
			if check.Status == CheckFail {
				failed++
			}
		}
		if failed > 0 {
			return fmt.Errorf("%d of %d checks failed", failed, len(report.Checks))
		}
		return nil
	}
	return cmd
}

func (a *app) printReport(r Report) error {
	if a.json {
		return a.printJSON(r)
	}
	for _, c := range r.Checks {
		if _, err := fmt.Fprintf(a.Stdout, "%-5s %s: %s\n", c.Status, c.Name, c.Message); err != nil {
			return err
		}
		if c.Hint != "" && c.Status != CheckOK {
			if _, err := fmt.Fprintf(a.Stdout, "      hint: %s\n", c.Hint); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *app) localRuntimes(ctx context.Context, load func() (*config.Config, error)) error {
	c, err := load()
	if err != nil {
		return err
	}
	list, err := a.Server.Runtimes(ctx, c)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(list)
	}
	rows := [][]string{{"NAME", "BUILD", "DEFAULT", "PATH"}}
	for _, r := range list {
		rows = append(rows, []string{r.Name, r.Version, yesOrDash(r.Default), r.Path})
	}
	return a.table(rows)
}

// configFlags gives cmd a flag for every setting, or for those named, and
// returns what loads the configuration once the flags are parsed.
func (a *app) configFlags(cmd *cobra.Command, only ...string) func() (*config.Config, error) {
	var file string
	f := cmd.Flags()
	f.StringVar(&file, "config", "", "YAML file with settings")
	settings := config.Settings()
	for _, s := range settings {
		if s.Flag == "" || len(only) > 0 && !slices.Contains(only, s.Path) {
			continue
		}
		f.String(s.Flag, "", s.Help)
		if s.Bool {
			f.Lookup(s.Flag).NoOptDefVal = "true"
		}
	}
	return func() (*config.Config, error) {
		given := map[string]string{}
		for _, s := range settings {
			if s.Flag != "" && f.Lookup(s.Flag) != nil && f.Changed(s.Flag) {
				given[s.Path] = f.Lookup(s.Flag).Value.String()
			}
		}
		if file == "" {
			file = a.Env["CONVOKE_CONFIG"]
		}
		return config.Load(config.LoadOptions{File: file, Env: a.Env, Flags: given, Executable: a.Executable})
	}
}

func (a *app) tokenCommand() *cobra.Command {
	token := &cobra.Command{
		Use:   "token",
		Short: "Issue tokens on the server's machine",
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	token.AddCommand(a.tokenCreate())
	return token
}

func (a *app) tokenCreate() *cobra.Command {
	var role, name string
	var ttl time.Duration
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Issue a bearer token and print it",
		Long: `Issues a bearer token in the server's data folder and prints it, once. The
server may be running or not. Roles: admin, developer, invoker.

An account that does not exist is created.`,
		Example: `  export CONVOKE_TOKEN=$(convoke token create --role admin)
  convoke token create --role invoker --name shop --ttl 720h --data /var/lib/convoke`,
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
		c, err := load()
		if err != nil {
			return err
		}
		text, err := a.Server.CreateToken(cmd.Context(), c.Data, account, role, name, ttl)
		if err != nil {
			return err
		}
		if a.json {
			return a.printJSON(map[string]string{"token": text, "account": account, "role": role, "name": name})
		}
		_, err = fmt.Fprintln(a.Stdout, text)
		return err
	}
	f := cmd.Flags()
	f.StringVar(&role, "role", string(convoke.RoleDeveloper), "admin, developer or invoker")
	f.StringVar(&name, "name", "cli", "what the token is for; it shows as the author of changes")
	f.DurationVar(&ttl, "ttl", 0, "time after which it expires (default never)")
	return cmd
}
