package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"convoke"
	"convoke/api"
	"convoke/internal/project"
)

// applyFlags are the flags of apply.
type applyFlags struct {
	planFlags
	file           string
	prune, secrets bool
	wait           time.Duration
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
	f.planFlags.add(cmd, "be done")
	fl.DurationVar(&f.wait, "wait", defaultWait, "time to wait until a function serves")
	return cmd
}

// actions are all, with the sign in a plan and the word for what is done.
var actions = []actionWords{
	{project.ActionCreate, "+", "created"}, {project.ActionChange, "~", "changed"}, {project.ActionDeploy, ">", "deployed"},
	{project.ActionUndeploy, "<", "undeployed"}, {project.ActionRemove, "-", "removed"},
}

type actionWords struct {
	action     project.Action
	sign, done string
}

func wordsOf(of project.Action) actionWords {
	return actions[slices.IndexFunc(actions, func(w actionWords) bool { return w.action == of })]
}

func (a *app) runApply(ctx context.Context, f applyFlags) error {
	file, err := a.folders.ReadAccount(f.file)
	if err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	steps, err := a.folders.Plan(ctx, c, file, project.Options{Prune: f.prune, Secrets: f.secrets, Wait: f.wait, Value: a.secretAt})
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
		return f.planned(len(steps))
	}
	if err := project.Ready(ctx, steps); err != nil {
		return err
	}
	if err := a.agree(f.yes, "Do this?"); err != nil {
		return err
	}
	return a.carryOutSteps(ctx, steps)
}

// showSteps prints the plan.
func (a *app) showSteps(steps []*project.Step) {
	counts := map[project.Action]int{}
	for _, s := range steps {
		counts[s.Action]++
		line := wordsOf(s.Action).sign + " " + s.Title()
		if s.Detail != "" {
			line += " (" + s.Detail + ")"
		}
		fmt.Fprintln(a.Stdout, oneLine(line))
		a.printDiff("    ", visible(s.Diff))
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

// shownStep is a step as JSON.
type shownStep struct {
	Kind   string         `json:"kind"`
	Name   string         `json:"name"`
	Action project.Action `json:"action"`
	Detail string         `json:"detail,omitempty"`
	Diff   string         `json:"diff,omitempty"`
	Result project.Result `json:"result"`
	Error  *api.Error     `json:"error,omitempty"`
}

func (a *app) printSteps(steps []*project.Step) error {
	out := make([]shownStep, len(steps))
	for i, s := range steps {
		out[i] = shownStep{s.Kind, s.Name, s.Action, s.Detail, visible(s.Diff), s.Result, nil}
		if s.Err != nil {
			out[i].Error = failure(s.Title(), s.Err).Error
		}
	}
	return a.printJSON(struct {
		Steps []shownStep `json:"steps"`
	}{out})
}

func (a *app) carryOutSteps(ctx context.Context, steps []*project.Step) error {
	var failed []*outcomeOf
	end := project.CarryOut(ctx, steps, a.duringStep, func(s *project.Step) {
		switch {
		case s.Result == project.Failed:
			failed = append(failed, failure(s.Title(), s.Err))
		case a.json:
		case s.Result == project.Skipped:
			a.note("%s: skipped, since what comes before it failed", s.Title())
		default:
			a.note("%s is %s", s.Title(), wordsOf(s.Action).done)
		}
	})
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

// duringStep shows what takes its time.
func (a *app) duringStep(s *project.Step) (ended func()) {
	switch s.Action {
	case project.ActionDeploy:
		return a.during("deploying %s", s.Name)
	case project.ActionUndeploy:
		return a.during("waiting for running invocations of %s", s.Name)
	}
	return func() {}
}

// secretAt reads the value of a secret from where a file says that it is.
func (a *app) secretAt(ctx context.Context, name string, from project.Source) (convoke.Secret, error) {
	if from.File != "" {
		return a.readSecret(ctx, secretSource{file: from.File}, name)
	}
	value, there := a.Env[from.Env]
	if !there {
		return convoke.Secret{}, usagef("the variable %s, which has the secret %s, is not set", from.Env, name)
	}
	return a.readSecret(ctx, secretSource{value: value, given: true}, name)
}
