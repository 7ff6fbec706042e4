package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"convoke"
	"convoke/api"
	"convoke/client"
)

// pushFlags are the flags of push.
type pushFlags struct {
	all, yes, plan, deploy, exitCode bool
	wait                             time.Duration
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
			places, err := a.places(names, f.all)
			if err != nil {
				return err
			}
			return a.runPush(cmd.Context(), places, f)
		},
	}
	fl := cmd.Flags()
	fl.BoolVarP(&f.all, "all", "a", false, "all functions that lie here")
	fl.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	fl.BoolVar(&f.plan, "plan", false, "only show what would change")
	fl.BoolVar(&f.exitCode, "exit-code", false, "with --plan: exit with 10 if something would change")
	fl.BoolVar(&f.deploy, "deploy", false, "make the newest versions live")
	fl.DurationVar(&f.wait, "wait", defaultWait, "with --deploy: time to wait until a function serves")
	return cmd
}

// pushed is one function that is pushed.
type pushed struct {
	outcomeOf
	at     place
	change *change // nil when it failed before
	deploy bool    // it is to be made live
}

// todo reports whether anything changes.
func (u *pushed) todo() bool { return u.err == nil && (!u.change.none() || u.deploy) }

func (a *app) runPush(ctx context.Context, places []place, f pushFlags) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	ids, err := index(ctx, c)
	if err != nil {
		return err
	}
	var all []*pushed
	todo := 0
	for _, at := range places {
		u := &pushed{at: at, outcomeOf: outcomeOf{Name: at.dirs}}
		if err := u.compare(ctx, c, ids, f.deploy); stopped(err) {
			return err
		} else if err != nil {
			u.fail(err)
		}
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

// compare reads the files and finds what they change.
func (u *pushed) compare(ctx context.Context, c *client.Client, ids map[string]string, deploy bool) error {
	p, err := u.at.read()
	if err != nil {
		return err
	}
	name, err := u.at.function(p)
	if err != nil {
		return err
	}
	u.Name = name
	var fn *api.Function
	if id := ids[name]; id != "" {
		if fn, err = c.Function(ctx, id); err != nil {
			return err
		}
		u.of(fn)
	}
	if u.change, err = planChange(name, p, nil, fn); err != nil {
		return err
	}
	u.Diff = u.change.diff
	u.deploy = deploy && (fn == nil || u.change.manifest != nil || !live(fn))
	u.Result = "unchanged"
	switch {
	case fn == nil:
		u.Result = "create"
	case !u.change.none():
		u.Result = "change"
	case u.deploy:
		u.Result = "deploy"
	}
	return nil
}

// showPushed shows what would change.
func (a *app) showPushed(u *pushed) {
	if a.json || u.err != nil {
		return
	}
	if u.change.none() {
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
	base, fn := int(u.change.p.config.Version), u.change.fn
	if fn == nil || u.change.manifest == nil || base == 0 || base >= fn.LatestVersion || len(fn.Versions) == 0 {
		return ""
	}
	return fmt.Sprintf("%s: the files come from version %d; %s saved version %d at %s since, and what differs from it is lost in the new version",
		u.Name, base, orDash(fn.Versions[0].CreatedBy), fn.LatestVersion, formatTime(fn.Versions[0].CreatedAt))
}

// carryOut saves, writes down which version it was, and deploys.
func (a *app) carryOut(ctx context.Context, c *client.Client, u *pushed, wait time.Duration) error {
	done := map[string]string{"create": "created", "change": "changed"}[u.Result]
	fn, err := u.change.save(ctx, c)
	switch convoke.ErrorCode(err) {
	case convoke.CodeRevision, convoke.CodeConditionFailed:
		err = &hinted{err, "somebody saved in between; push again to see what differs"}
	}
	if err != nil {
		return err
	}
	u.of(fn)
	if err := u.at.keepVersion(u.change.p, fn.LatestVersion); err != nil {
		return err
	}
	if u.deploy {
		if fn, err = a.deployAndWait(ctx, c, fn, nil, wait); err != nil {
			return placed(err, u.change.p)
		}
		u.of(fn)
		done = strings.TrimPrefix(done+", deployed", ", ")
	}
	u.Result = done
	return nil
}

// keepVersion writes into config.json which version the files are.
func (at place) keepVersion(p *project, version int) error {
	if p.text == "" || int(p.config.Version) == version {
		return nil
	}
	text, err := setMember(p.text, "version", version)
	if err == nil {
		err = at.write(configFile, text)
	}
	if err != nil {
		return fmt.Errorf("version %d is saved, but not its number in %s: %w", version, at.path(configFile), err)
	}
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
	if f.plan && f.exitCode && todo > 0 {
		return &changesError{todo}
	}
	return nil
}
