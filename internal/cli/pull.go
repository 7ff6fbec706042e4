package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"convoke/internal/project"
)

// pullFlags are the flags of pull.
type pullFlags struct {
	planFlags
	all bool
}

func (a *app) pull() *cobra.Command {
	var f pullFlags
	cmd := &cobra.Command{
		Use:   "pull [NAME|FOLDER...]",
		Short: "Write functions of the server into files",
		Long: `Writes the newest version of each function into functions/NAME: the code, its
further files, and config.json, in which all that did not change stays as you
wrote it. Without a name it is the function of the current folder; outside a
project it is the folder NAME.

It shows what changes, and asks before files are overwritten that differ from
the version they were pulled from. Files that the server does not have stay.

Without a terminal, and with --json, --yes must say that nobody is to be asked.`,
		Example: `  convoke pull greeting
  convoke pull --all --plan
  convoke pull --all --yes`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.completeMoreNames,
		RunE: func(cmd *cobra.Command, names []string) error {
			return a.runPull(cmd.Context(), names, f)
		},
	}
	fl := cmd.Flags()
	fl.BoolVarP(&f.all, "all", "a", false, "all functions of the account")
	f.planFlags.add(cmd, "change")
	return cmd
}

// pulled is one function that is pulled.
type pulled struct {
	outcomeOf
	p *project.Pull
}

func newPulled(p *project.Pull, err error) *pulled {
	u := &pulled{outcomeOf{Name: p.Name, Result: "unchanged", Diff: visible(p.Diff)}, p}
	if p.Function != nil {
		u.of(p.Function)
	}
	switch {
	case err != nil:
		u.fail(err)
	case p.Changes():
		u.Result = "change"
	}
	return u
}

func (u *pulled) todo() bool { return u.err == nil && u.p.Changes() }

func (a *app) runPull(ctx context.Context, names []string, f pullFlags) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	ids, err := project.Index(ctx, c)
	if err != nil {
		return err
	}
	places, err := a.folders.PullPlaces(names, f.all, ids)
	if err != nil {
		return err
	}
	var all []*pulled
	for _, at := range places {
		p, err := at.Pull(ctx, c, ids)
		if project.Stops(err) {
			return err
		}
		all = append(all, newPulled(p, err))
	}
	return a.writePulled(all, f.planFlags)
}

// writePulled shows what changes, asks, and writes.
func (a *app) writePulled(all []*pulled, f planFlags) error {
	todo, lost := 0, []string{}
	outcomes := make([]*outcomeOf, len(all))
	for i, u := range all {
		outcomes[i] = &u.outcomeOf
		if !u.todo() {
			continue
		}
		todo++
		if u.p.Loses {
			lost = append(lost, u.Name)
		}
		if !a.json {
			a.printDiff("", u.Diff)
		}
	}
	if f.plan {
		if err := a.finish(outcomes, "functions cannot be pulled"); err != nil {
			return err
		}
		return f.planned(todo)
	}
	if len(lost) > 0 {
		if err := a.agree(f.yes, "Overwrite your changes of %s?", strings.Join(lost, ", ")); err != nil {
			return err
		}
	}
	for _, u := range all {
		if !u.todo() {
			continue
		}
		if err := u.p.Write(); err != nil {
			u.fail(err)
			continue
		}
		u.Result = "pulled"
	}
	return a.finish(outcomes, "functions were not pulled")
}
