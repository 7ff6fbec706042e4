package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

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
  convoke serve --write-profile default
  convoke serve --listen :8080 --data /var/lib/convoke --config /etc/convoke.yaml`,
		Args: args(),
	}
	load := a.configFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if a.profile != "" {
			return usagef("serve reads no profile; --write-profile FILE writes one for client commands")
		}
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
	return printList(a, listView[Runtime]{
		header: []string{"NAME", "BUILD", "DEFAULT", "PATH"},
		row:    func(r Runtime) []string { return []string{r.Name, r.Version, yesOrDash(r.Default), r.Path} },
		none:   "there are no Node.js builds here; convoke doctor says what to install",
	}, list)
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
		flag := f.VarPF(&settingFlag{kind: s.Type}, s.Flag, "", s.Help)
		flag.DefValue = s.Default
		if s.Type == "bool" {
			flag.NoOptDefVal = "true"
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

// settingFlag holds the text of a setting as it was given: package config
// reads all texts alike, whatever their source.
type settingFlag struct{ text, kind string }

func (f *settingFlag) String() string { return f.text }

func (f *settingFlag) Set(text string) error {
	f.text = text
	return nil
}

// Type is what the help shows in the place of the value.
func (f *settingFlag) Type() string { return f.kind }
