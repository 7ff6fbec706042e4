package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"convoke"
	"convoke/client"
	"convoke/internal/project"
)

// pushFlags are the flags of push.
type pushFlags struct {
	planFlags
	all, deploy bool
	wait        time.Duration
}

func (a *app) push() *cobra.Command {
	var f pushFlags
	cmd := &cobra.Command{
		Use:   "push [NAME|FOLDER...]",
		Short: "Save functions from files on the server, after showing what changes",
		Long: `Compares functions/NAME with the function of that name on the server, shows what
differs, asks, and saves it: as a new version, or as a new function. Nothing
goes live but with --deploy. Without a name it is the function of the current
folder. A folder that holds an index.js or index.ts works too.

config.json keeps the number of the version that the files come from; where
somebody saved another one since, push says so before it asks.

Without a terminal, and with --json, --yes must say that nobody is to be asked.
The exit code is 0 only if all functions are as their files say.`,
		Example: `  convoke push greeting
  convoke push --all --plan
  convoke push greeting orders --deploy --yes
  convoke push examples/greeting`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.completePlaces,
		RunE: func(cmd *cobra.Command, names []string) error {
			places, err := a.folders.Places(names, f.all)
			if err != nil {
				return err
			}
			return a.runPush(cmd.Context(), places, f)
		},
	}
	fl := cmd.Flags()
	fl.BoolVarP(&f.all, "all", "a", false, "all functions that lie here")
	f.planFlags.add(cmd, "change")
	fl.BoolVar(&f.deploy, "deploy", false, "make the newest versions live")
	fl.DurationVar(&f.wait, "wait", defaultWait, "with --deploy: time to wait until a function serves")
	return cmd
}

// pushed is one function that is pushed.
type pushed struct {
	outcomeOf
	p *project.Push
}

func newPushed(p *project.Push, err error) *pushed {
	u := &pushed{outcomeOf{Name: p.Name, Diff: visible(p.Diff)}, p}
	if p.Function != nil {
		u.of(p.Function)
	}
	if err != nil {
		u.fail(err)
		return u
	}
	u.Result = cmp.Or(string(p.Action()), "unchanged")
	return u
}

// todo reports whether anything changes.
func (u *pushed) todo() bool { return u.err == nil && u.p.Action() != "" }

func (a *app) runPush(ctx context.Context, places []project.Place, f pushFlags) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	ids, err := project.Index(ctx, c)
	if err != nil {
		return err
	}
	var all []*pushed
	todo := 0
	for _, at := range places {
		p, err := at.Push(ctx, c, ids, f.deploy)
		if project.Stops(err) {
			return err
		}
		u := newPushed(p, err)
		if u.todo() {
			todo++
		}
		a.showPushed(u)
		all = append(all, u)
	}
	if todo == 0 || f.plan {
		return a.finishPush(all, f, todo)
	}
	if err := a.agree(f.yes, "%s %s?", verb(f.deploy), count(todo, "function")); err != nil {
		return err
	}
	for _, u := range all {
		if !u.todo() {
			continue
		}
		if err := a.carryOut(ctx, c, u, f.wait); err != nil {
			u.fail(err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return a.finishPush(all, f, 0)
}

func verb(deploy bool) string {
	if deploy {
		return "Push and deploy"
	}
	return "Push"
}

// showPushed shows what would change.
func (a *app) showPushed(u *pushed) {
	if a.json || u.err != nil {
		return
	}
	if !u.p.Saves() {
		a.note("%s is unchanged", u.Name)
		return
	}
	if text := u.since(); text != "" {
		a.note("%s", text)
	}
	a.printDiff("", u.Diff)
}

// since says that others saved after the files were pulled, or "".
func (u *pushed) since() string {
	base, newest := u.p.Since()
	if newest == nil {
		return ""
	}
	return fmt.Sprintf("%s: the files come from version %d; %s saved version %d at %s since, and what differs from it is lost in the new version",
		u.Name, base, orDash(newest.CreatedBy), u.p.Function.LatestVersion, formatTime(newest.CreatedAt))
}

// carryOut saves and deploys.
func (a *app) carryOut(ctx context.Context, c *client.Client, u *pushed, wait time.Duration) error {
	done := map[project.Action]string{project.ActionCreate: "created", project.ActionChange: "changed"}[u.p.Action()]
	fn, err := u.p.Save(ctx, c)
	switch convoke.ErrorCode(err) {
	case convoke.CodeRevision, convoke.CodeConditionFailed:
		err = &hinted{err, "somebody saved in between; push again to see what differs"}
	}
	if fn != nil {
		u.of(fn)
	}
	if err != nil {
		return err
	}
	if u.p.Deploy {
		stop := a.during("deploying %s", fn.Name)
		fn, err = u.p.MakeLive(ctx, c, fn, wait)
		stop()
		if err != nil {
			return err
		}
		u.of(fn)
		done = strings.TrimPrefix(done+", deployed", ", ")
	}
	u.Result = done
	return nil
}

func (a *app) finishPush(all []*pushed, f pushFlags, todo int) error {
	outcomes := make([]*outcomeOf, len(all))
	for i, u := range all {
		outcomes[i] = &u.outcomeOf
	}
	if err := a.finish(outcomes, "functions were not pushed"); err != nil {
		return err
	}
	return f.planned(todo)
}
