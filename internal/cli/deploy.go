package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"convoke/api"
	"convoke/client"
	"convoke/internal/project"
)

// deployFlags are the flags of deploy; those not given leave what config.json
// or the deployed function says.
type deployFlags struct {
	name, event, description string
	skills                   []string
	env                      []string
	domains                  []string
	runtime, contract        string
	timeout, idleTimeout     time.Duration
	memory, concurrency      int
	minInstances, maxInst    int
	perSecond                int
	wait                     time.Duration
	all                      bool
	changed                  func(flag string) bool
}

func (a *app) deploy() *cobra.Command {
	var f deployFlags
	cmd := &cobra.Command{
		Use:   "deploy PATH|NAME...",
		Short: "Create or update a function from a file or folder, and make it live",
		Long: `Creates the function if there is none of that name, saves the code as a new
version, makes it live, waits until it serves, and prints its uuid.

PATH is a .js, .mjs, .cjs, .ts, .mts or .cts file, or a folder with index.js or
index.ts. The folder's other modules and JSON files go along; not tests,
node_modules, config.json and payload.json. config.json may hold name, event,
description, environmentVariables, allowedDomains and settings (timeoutMs,
memoryMiB, concurrency, minInstances, maxInstances, idleTimeoutSeconds,
invocationsPerSecond, runtime, contract); flags have precedence over it.

In a project, the name of a function in functions does for its path, and --all
for all of them. Of several functions those that can be deployed are.

What neither flags nor config.json say stays as it is. --env adds to the
variables. The event is fixed when the function is created.`,
		Example: `  convoke deploy hello.js
  convoke deploy examples/greeting
  convoke deploy greeting orders
  convoke deploy . --name orders --event conversational_command --env REGION=eu --timeout 5s`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.completePaths,
		RunE: func(cmd *cobra.Command, paths []string) error {
			f.changed = cmd.Flags().Changed
			if len(paths) == 0 && !f.all {
				return args("PATH")(cmd, nil)
			}
			return a.runDeploy(cmd.Context(), paths, f)
		},
	}
	fl := cmd.Flags()
	fl.BoolVarP(&f.all, "all", "a", false, "all functions that lie here")
	fl.StringVar(&f.name, "name", "", "name of the function (default: of config.json, else of the folder or file)")
	fl.StringVar(&f.event, "event", "", `event to listen to, or "No Event"`)
	fl.StringVar(&f.description, "description", "", "what the function does")
	fl.StringSliceVar(&f.skills, "skill", nil, "skill id that the function is for; may be repeated")
	fl.StringArrayVar(&f.env, "env", nil, "environment variable as NAME=VALUE; may be repeated")
	fl.StringSliceVar(&f.domains, "allow-domain", nil, `narrow the account's allowed domains to this one; may be repeated; '' allows none, '*' all of the account's`)
	fl.StringVar(&f.runtime, "runtime", "", "Node.js version, such as node26; convoke runtimes lists all")
	fl.StringVar(&f.contract, "contract", "", "v1 (callback) or v2 (async); detected from the code otherwise")
	fl.DurationVar(&f.timeout, "timeout", 0, "time one invocation may take")
	fl.IntVar(&f.memory, "memory", 0, "memory of one instance in MiB")
	fl.IntVar(&f.concurrency, "concurrency", 0, "invocations that one instance runs at a time")
	fl.IntVar(&f.minInstances, "min-instances", 0, "instances kept warm")
	fl.IntVar(&f.maxInst, "max-instances", 0, "instances at most")
	fl.DurationVar(&f.idleTimeout, "idle-timeout", 0, "time after which an idle instance goes")
	fl.IntVar(&f.perSecond, "invocations-per-second", 0, "invocations that callers may begin in a second; 0 is no limit of its own")
	fl.DurationVar(&f.wait, "wait", defaultWait, "time to wait until the function serves")
	return cmd
}

func (a *app) runDeploy(ctx context.Context, paths []string, f deployFlags) error {
	all, err := a.folders.Deployables(paths, f.all, f.overrides())
	if err != nil {
		return err
	}
	if err := f.checkEnv(); err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	var done []*api.Function
	var failed []*outcomeOf
	for _, d := range all {
		fn, err := a.deployOne(ctx, c, d, f)
		if project.Stops(err) {
			return err
		}
		if err != nil {
			failed = append(failed, failure(d.Name, err))
			continue
		}
		done = append(done, fn)
		if a.json && len(all) > 1 {
			continue // they become one list
		}
		if err := a.printDeployed(fn); err != nil {
			return err
		}
	}
	if a.json && len(all) > 1 {
		list := make([]deployedFunction, len(done))
		for i, fn := range done {
			list[i] = newDeployed(fn)
		}
		if err := a.printJSON(list); err != nil {
			return err
		}
	}
	return a.several(failed, len(all), "functions were not deployed")
}

// deployOne creates or saves a function and makes it live.
func (a *app) deployOne(ctx context.Context, c *client.Client, d *project.Deployable, f deployFlags) (*api.Function, error) {
	stop := a.during("deploying %s", d.Name)
	fn, fresh, err := d.Deploy(ctx, c, f.overrides(), f.wait)
	stop()
	switch {
	case fn == nil:
	case fresh:
		a.tell("%s is live, version %d", fn.Name, *fn.DeployedVersion)
	default:
		a.note("%s is unchanged and live", fn.Name)
	}
	return fn, err
}

func (f *deployFlags) checkEnv() error {
	for _, e := range f.env {
		if key, _, ok := strings.Cut(e, "="); !ok || key == "" {
			return usagef("--env takes NAME=VALUE, not %q", e)
		}
	}
	return nil
}

// overrides is what the flags say beside the files.
func (f *deployFlags) overrides() project.Overrides {
	o := project.Overrides{Name: f.name, Environment: map[string]string{}}
	for _, e := range f.env {
		key, value, _ := strings.Cut(e, "=")
		o.Environment[key] = value
	}
	if f.changed("allow-domain") {
		o.AllowedDomains = append([]string{}, f.domains...)
	}
	if f.changed("skill") {
		o.Skills = &f.skills
	}
	for flag, set := range map[string]func(){
		"event":       func() { o.Event = &f.event },
		"description": func() { o.Description = &f.description },
		"runtime":     func() { o.Runtime = &f.runtime },
		"contract":    func() { o.Contract = &f.contract },
	} {
		if f.changed(flag) {
			set()
		}
	}
	sizes := []string{"timeout", "memory", "concurrency", "min-instances", "max-instances", "idle-timeout", "invocations-per-second"}
	if slices.ContainsFunc(sizes, f.changed) {
		o.Settings = f.settings
	}
	return o
}

// settings sets those that have been given.
func (f *deployFlags) settings(s *api.Settings) {
	for flag, set := range map[string]func(){
		"timeout":       func() { s.TimeoutMs = f.timeout.Milliseconds() },
		"memory":        func() { s.MemoryMiB = f.memory },
		"concurrency":   func() { s.Concurrency = f.concurrency },
		"min-instances": func() { s.MinInstances = f.minInstances },
		"max-instances": func() { s.MaxInstances = f.maxInst },
		"idle-timeout":  func() { s.IdleTimeoutSeconds = int64(f.idleTimeout / time.Second) },

		"invocations-per-second": func() { s.InvocationsPerSecond = f.perSecond },
	} {
		if f.changed(flag) {
			set()
		}
	}
}

// deployedFunction is what deploy prints as JSON.
type deployedFunction struct {
	UUID    string `json:"uuid"`
	Name    string `json:"name"`
	EventID string `json:"eventId,omitempty"`
	State   string `json:"state"`
	Version int    `json:"version"`
}

func newDeployed(fn *api.Function) deployedFunction {
	return deployedFunction{fn.UUID, fn.Name, fn.EventID, fn.State, *fn.DeployedVersion}
}

func (a *app) printDeployed(fn *api.Function) error {
	if a.json {
		return a.printJSON(newDeployed(fn))
	}
	_, err := fmt.Fprintln(a.Stdout, fn.UUID)
	return err
}
