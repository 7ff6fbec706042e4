package cli

import (
	"context"

	"github.com/spf13/cobra"

	"convoke/internal/project"
)

func (a *app) export() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "export FOLDER",
		Short: "Write a whole account into files, for convoke apply",
		Long: `Writes the newest versions of all functions into FOLDER/functions, as pull does,
and FOLDER/` + project.AccountName + ` with functions, domains, schedules and secrets. Of secrets
it has the names, and variables that apply takes their values from; the server
gives no values away. The headers of schedules are written as they are.

It asks before it overwrites files with changes of your own. Without a terminal,
and with --json, --yes must say that nobody is to be asked.`,
		Example: "  convoke export backup\n  convoke apply -f backup/" + project.AccountName + " --plan --account 20000002",
		Args:    args("FOLDER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runExport(cmd.Context(), args[0], yes)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func (a *app) runExport(ctx context.Context, folder string, yes bool) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	e, err := a.folders.Export(ctx, c, folder)
	if err != nil {
		return err
	}
	var all []*pulled
	for _, x := range e.Functions {
		if x.Empty() {
			a.note("%s is left out: it has no code yet", x.Name)
			continue
		}
		all = append(all, newPulled(x.Pull, x.Err))
	}
	for _, u := range all {
		if fn := u.p.Function; u.err == nil && fn.DeployedVersion != nil && *fn.DeployedVersion != fn.LatestVersion {
			a.note("%s is written with its newest version, %d, which is a draft: live is %d, and applying it deploys nothing",
				u.Name, fn.LatestVersion, *fn.DeployedVersion)
		}
	}
	if e.Diff != "" {
		if !a.json {
			a.printDiff("", visible(e.Diff))
		}
		if err := a.agree(yes, "Overwrite %s?", e.Path); err != nil {
			return err
		}
	}
	if err := e.Write(); err != nil {
		return err
	}
	return a.writePulled(all, planFlags{yes: yes})
}
