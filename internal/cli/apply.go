package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"convoke/api"
)

// applyFlags are the flags of apply.
type applyFlags struct {
	file                                string
	prune, secrets, yes, plan, exitCode bool
	wait                                time.Duration
}

func (a *app) apply() *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "apply -f FILE|FOLDER",
		Short: "Make an account what files say: functions, domains, schedules, secrets",
		Long: `Compares the account with a file in YAML or JSON, or with all .yaml files of a
folder, shows what it would do, asks, and does it. Applied again, it finds nothing to do.

  functions:
    - path: functions/greeting   # a folder or file, from this file's folder on
    - path: functions/orders     # with config.json; what is said here goes before it
      environmentVariables: {REGION: eu}
      skills: ["12"]
      deployed: false            # saved only; true unless said
    - name: ping
      code: |
        async function lambda() { return "pong"; }
  domains: [api.example.com, "*.example.org"]
  schedules:                     # known by function and cron expression
    - {function: ping, cron: "*/5 * * * *", payload: {a: 1}, active: true}
  secrets:                       # set where they are missing, with --secrets all
    - {name: api-key, fromEnv: API_KEY}
    - {name: app, type: json, fromFile: app.json}

A section that the files do not have is left alone. --prune removes what is in
the account and not in a section: functions with all their versions, too.

Without a terminal, and with --json, --yes must say that nobody is to be asked.
What fails does not keep the rest from being done; the exit code tells.`,
		Example: `  convoke apply -f account.yaml --plan
  convoke apply -f deploy/ --prune --yes
  convoke apply -f account.yaml --plan --exit-code`,
		Args: args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.file == "" {
				return usagef("-f FILE is missing; the command is: %s", cmd.UseLine())
			}
			return a.runApply(cmd.Context(), f)
		},
	}
	fl := cmd.Flags()
	fl.StringVarP(&f.file, "file", "f", "", "file or folder that says what the account shall hold")
	fl.BoolVar(&f.prune, "prune", false, "remove what the files do not have")
	fl.BoolVar(&f.secrets, "secrets", false, "set secrets that exist, too: whether their values differ cannot be seen")
	fl.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	fl.BoolVar(&f.plan, "plan", false, "only show what would be done")
	fl.BoolVar(&f.exitCode, "exit-code", false, "with --plan: exit with 10 if there is something to do")
	fl.DurationVar(&f.wait, "wait", defaultWait, "time to wait until a function serves")
	return cmd
}

// action is what a step does.
type action string

const (
	actionCreate   action = "create"
	actionChange   action = "change"
	actionDeploy   action = "deploy"
	actionUndeploy action = "undeploy"
	actionRemove   action = "remove"
)

// actions are all, with the sign in a plan and the word for what is done.
var actions = []actionWords{
	{actionCreate, "+", "created"}, {actionChange, "~", "changed"}, {actionDeploy, ">", "deployed"},
	{actionUndeploy, "<", "undeployed"}, {actionRemove, "-", "removed"},
}

type actionWords struct {
	action     action
	sign, done string
}

func wordsOf(of action) actionWords {
	return actions[slices.IndexFunc(actions, func(w actionWords) bool { return w.action == of })]
}

// step is one thing that apply does.
type step struct {
	Kind   string     `json:"kind"` // secret, domain, function, schedule
	Name   string     `json:"name"`
	Action action     `json:"action"`
	Detail string     `json:"detail,omitempty"`
	Diff   string     `json:"diff,omitempty"`
	Result string     `json:"result"` // planned, done, failed, skipped
	Error  *api.Error `json:"error,omitempty"`

	needs string       // function without which it makes no sense
	ready func() error // finds out what would keep it from being done; may be nil
	do    func(ctx context.Context) error
}

func (s *step) title() string { return s.Kind + " " + s.Name }

func (a *app) runApply(ctx context.Context, f applyFlags) error {
	file, err := a.readAccount(f.file)
	if err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	p := &planner{a: a, c: c, file: file, flags: f}
	steps, err := p.plan(ctx)
	if err != nil {
		return err
	}
	if !a.json {
		a.showSteps(steps)
	}
	if f.plan || len(steps) == 0 {
		if a.json {
			if err := a.printSteps(steps); err != nil {
				return err
			}
		}
		if f.plan && f.exitCode && len(steps) > 0 {
			return &changesError{len(steps)}
		}
		return nil
	}
	for _, s := range steps {
		if s.ready != nil {
			if err := s.ready(); err != nil {
				return err
			}
		}
	}
	if err := a.agree(f.yes, "Do this?"); err != nil {
		return err
	}
	return a.carryOutSteps(ctx, steps)
}

// showSteps prints the plan.
func (a *app) showSteps(steps []*step) {
	counts := map[action]int{}
	for _, s := range steps {
		counts[s.Action]++
		line := wordsOf(s.Action).sign + " " + s.title()
		if s.Detail != "" {
			line += " (" + s.Detail + ")"
		}
		fmt.Fprintln(a.Stdout, oneLine(line))
		a.printDiff("    ", s.Diff)
	}
	var parts []string
	for _, one := range actions {
		if n := counts[one.action]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d to %s", n, one.action))
		}
	}
	if len(parts) == 0 {
		a.note("nothing to do")
		return
	}
	fmt.Fprintln(a.Stdout, strings.Join(parts, ", "))
}

func (a *app) printSteps(steps []*step) error {
	if steps == nil {
		steps = []*step{}
	}
	return a.printJSON(struct {
		Steps []*step `json:"steps"`
	}{steps})
}

// carryOutSteps does one step after the other. One that fails takes along
// those that need the same function, and no others.
func (a *app) carryOutSteps(ctx context.Context, steps []*step) error {
	broken := map[string]bool{}
	var failed []*outcomeOf
	var end error
	for _, s := range steps {
		if end != nil || s.needs != "" && broken[s.needs] {
			s.Result = "skipped"
			if !a.json {
				a.note("%s: skipped, since what comes before it failed", s.title())
			}
			continue
		}
		err := s.do(ctx)
		if err == nil {
			s.Result = "done"
			if !a.json {
				a.note("%s is %s", s.title(), wordsOf(s.Action).done)
			}
			continue
		}
		o := &outcomeOf{Name: s.title()}
		o.fail(err)
		s.Result, s.Error = resultFailed, o.Error
		failed = append(failed, o)
		broken[s.needs] = s.needs != ""
		if stopped(err) {
			end = err
		}
	}
	if a.json {
		if err := a.printSteps(steps); err != nil {
			return err
		}
	}
	if end != nil {
		return end
	}
	return a.several(failed, len(steps), "steps failed")
}
