package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"convoke"
	"convoke/api"
	"convoke/client"
)

// noEvent is how the reference's config.json writes that there is none.
const noEvent = "No Event"

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
	wait                     time.Duration
	changed                  func(flag string) bool
}

func (a *app) deploy() *cobra.Command {
	var f deployFlags
	cmd := &cobra.Command{
		Use:   "deploy PATH",
		Short: "Create or update a function from a file or folder, and make it live",
		Long: `Creates the function if there is none of that name, saves the code as a new
version, makes it live, waits until it serves, and prints its uuid.

PATH is a .js, .mjs, .cjs, .ts, .mts or .cts file, or a folder with index.js or
index.ts. The folder's other modules and JSON files go along; not tests,
node_modules, config.json and payload.json. config.json may hold name, event,
description, environmentVariables, allowedDomains and settings (timeoutMs,
memoryMiB, concurrency, minInstances, maxInstances, idleTimeoutSeconds, runtime,
contract); flags have precedence over it.

What neither flags nor config.json say stays as it is. --env adds to the
variables. The event is fixed when the function is created.`,
		Example: `  convoke deploy hello.js
  convoke deploy examples/greeting
  convoke deploy . --name orders --event conversational_command --env REGION=eu --timeout 5s`,
		Args: args("PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.changed = cmd.Flags().Changed
			return a.runDeploy(cmd.Context(), args[0], f)
		},
	}
	fl := cmd.Flags()
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
	fl.DurationVar(&f.wait, "wait", defaultWait, "time to wait until the function serves")
	return cmd
}

func (a *app) runDeploy(ctx context.Context, path string, f deployFlags) error {
	p, err := a.readProject(path)
	if err != nil {
		return err
	}
	name, err := nameOf(p, f)
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

	fn, created, err := a.ensure(ctx, c, name, p, f)
	if err != nil {
		return err
	}
	fn, err = a.saveAndDeploy(ctx, c, fn, p, f)
	if err != nil {
		err = placed(err, p)
		if created {
			err = leftover(err, name)
		}
		return err
	}
	return a.printDeployed(fn)
}

// nameOf is what the function is called: by the flag, config.json, or the name
// of the folder or file.
func nameOf(p *project, f deployFlags) (string, error) {
	name := cmp.Or(f.name, p.config.Name, p.name())
	if name == "" {
		return "", usagef("the function has no name; give one with --name")
	}
	if err := convoke.ValidateName(name, convoke.DefaultLimits().NameLength); err != nil {
		return "", &hinted{fmt.Errorf("%q: %w", name, err), "give another name with --name"}
	}
	return name, nil
}

func (f *deployFlags) checkEnv() error {
	for _, e := range f.env {
		if key, _, ok := strings.Cut(e, "="); !ok || key == "" {
			return usagef("--env takes NAME=VALUE, not %q", e)
		}
	}
	return nil
}

// ensure finds the function, or creates it, and brings its description and
// skills up to date; created tells the two apart.
func (a *app) ensure(ctx context.Context, c *client.Client, name string, p *project, f deployFlags) (fn *api.Function, created bool, err error) {
	event, eventGiven := f.event, f.changed("event")
	if !eventGiven && p.config.Event != nil {
		event, eventGiven = *p.config.Event, true
	}
	if event == noEvent {
		event = ""
	}
	description, described := f.description, f.changed("description")
	if !described && p.config.Description != nil {
		description, described = *p.config.Description, true
	}

	fn, err = c.Find(ctx, name)
	if convoke.ErrorCode(err) == convoke.CodeFunctionNotFound {
		fn, err = c.CreateFunction(ctx, api.CreateFunctionRequest{Name: name, Description: description, EventID: event, Skills: f.skills})
		return fn, err == nil, err
	}
	if err != nil {
		return nil, false, err
	}
	if eventGiven && event != fn.EventID {
		return nil, false, &hinted{
			convoke.Errorf(convoke.CodeConflict, "%s listens to %s, and the event of a function is fixed", name, cmp.Or(fn.EventID, "no event")),
			"deploy it under another name, or remove it first: convoke remove --undeploy " + name,
		}
	}
	var update api.UpdateFunctionRequest
	if described && description != fn.Description {
		update.Description = &description
	}
	if f.changed("skill") {
		update.Skills = &f.skills
	}
	if update.Description != nil || update.Skills != nil {
		if _, err := c.UpdateFunction(ctx, fn.UUID, update); err != nil && convoke.ErrorCode(err) != convoke.CodeUnchanged {
			return nil, false, err
		}
	}
	return fn, false, nil
}

// saveAndDeploy returns the function as it serves.
func (a *app) saveAndDeploy(ctx context.Context, c *client.Client, fn *api.Function, p *project, f deployFlags) (*api.Function, error) {
	err := c.SaveManifest(ctx, fn.UUID, manifestOf(p, f, fn))
	unchanged := convoke.ErrorCode(err) == convoke.CodeUnchanged
	if err != nil && !unchanged {
		return nil, err
	}
	if unchanged && live(fn) {
		a.note("%s is unchanged and live", fn.Name)
		return fn, nil
	}
	if fn, err = a.deployAndWait(ctx, c, fn, nil, f.wait); err != nil {
		return nil, err
	}
	a.tell("%s is live, version %d", fn.Name, *fn.DeployedVersion)
	return fn, nil
}

// leftover says what a deployment that was refused leaves behind. One that
// failed for the code needs no word: the next one mends it.
func leftover(err error, name string) error {
	switch convoke.ErrorCode(err) {
	case convoke.CodeBuildFailed, convoke.CodeDeployFailed, convoke.CodeUnavailable:
		return err
	}
	advice := fmt.Sprintf("%s was created and is a draft; convoke remove %s removes it", name, name)
	if h := hint(err); h != "" {
		advice = h + "; " + advice
	}
	return &hinted{err, advice}
}

// manifestOf is the version to save: the project, over what the function has.
func manifestOf(p *project, f deployFlags, fn *api.Function) api.ManifestRequest {
	language := string(p.language)
	m := api.ManifestRequest{Code: &p.code, Files: p.files, Language: &language, Version: &fn.LatestVersion}
	newest := api.Manifest{}
	if len(fn.Versions) > 0 {
		newest = fn.Versions[0]
	}

	// Environment: config.json replaces, --env adds.
	if p.config.Environment != nil || len(f.env) > 0 {
		m.Environment = maps.Clone(newest.Environment)
		if p.config.Environment != nil {
			m.Environment = maps.Clone(p.config.Environment)
		}
		if m.Environment == nil {
			m.Environment = map[string]string{}
		}
		for _, e := range f.env {
			key, value, _ := strings.Cut(e, "=")
			m.Environment[key] = value
		}
	}

	m.AllowedDomains = p.config.Domains
	if f.changed("allow-domain") {
		m.AllowedDomains = append([]string{}, f.domains...)
	}

	settings, given := newest.Settings, false
	if s := p.config.Settings; s != nil {
		settings, given = s.Settings, true
		m.Runtime, m.Contract = pointer(s.Runtime), pointer(s.Contract)
	}
	if f.changed("runtime") {
		m.Runtime = &f.runtime
	}
	if f.changed("contract") {
		m.Contract = &f.contract
	}
	for flag, set := range map[string]func(){
		"timeout":       func() { settings.TimeoutMs = f.timeout.Milliseconds() },
		"memory":        func() { settings.MemoryMiB = f.memory },
		"concurrency":   func() { settings.Concurrency = f.concurrency },
		"min-instances": func() { settings.MinInstances = f.minInstances },
		"max-instances": func() { settings.MaxInstances = f.maxInst },
		"idle-timeout":  func() { settings.IdleTimeoutSeconds = int64(f.idleTimeout / time.Second) },
	} {
		if f.changed(flag) {
			set()
			given = true
		}
	}
	if given {
		m.Settings = &settings
	}
	return m
}

func pointer(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// live reports whether the newest version serves.
func live(fn *api.Function) bool {
	return fn.DeployedVersion != nil && *fn.DeployedVersion == fn.LatestVersion && fn.State == string(convoke.StateProductive) && !fn.Pending
}

// deployAndWait makes a version live, nil being the newest, and returns the
// function as it serves.
func (a *app) deployAndWait(ctx context.Context, c *client.Client, fn *api.Function, version *int, wait time.Duration) (*api.Function, error) {
	bounded, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	stop := a.during("deploying %s", fn.Name)
	_, err := c.Deploy(bounded, fn.UUID, version)
	stop()
	if bounded.Err() != nil && ctx.Err() == nil {
		return nil, &hinted{
			convoke.Errorf(convoke.CodeUnavailable, "%s does not serve yet after %s", fn.Name, wait),
			"the deployment goes on; convoke versions " + fn.Name + " shows how it ends",
		}
	}
	if err != nil {
		return nil, counted(err)
	}
	after, err := c.Function(ctx, fn.UUID)
	if err == nil && after.DeployedVersion == nil {
		err = convoke.Errorf(convoke.CodeActionNotAllowed, "%s is in state %s: somebody changed it meanwhile", fn.Name, after.State)
	}
	return after, err
}

// counted replaces the message of a failed build, which repeats its first
// problem, by how many there are.
func counted(err error) error {
	e, ok := errors.AsType[*convoke.Error](err)
	if !ok || e.Code != convoke.CodeBuildFailed || len(e.Problems) == 0 {
		return err
	}
	short := *e
	short.Message = "the code does not compile: 1 problem"
	if n := len(e.Problems); n > 1 {
		short.Message = fmt.Sprintf("the code does not compile: %d problems", n)
	}
	return &short
}

// placed puts the problems of err into the user's files.
func placed(err error, p *project) error {
	e, ok := errors.AsType[*convoke.Error](err)
	if !ok || len(e.Problems) == 0 {
		return err
	}
	moved := *e
	moved.Problems = slices.Clone(e.Problems)
	for i, problem := range moved.Problems {
		moved.Problems[i] = p.place(problem)
	}
	return &moved
}

func (a *app) printDeployed(fn *api.Function) error {
	if a.json {
		return a.printJSON(struct {
			UUID    string `json:"uuid"`
			Name    string `json:"name"`
			EventID string `json:"eventId,omitempty"`
			State   string `json:"state"`
			Version int    `json:"version"`
		}{fn.UUID, fn.Name, fn.EventID, fn.State, *fn.DeployedVersion})
	}
	_, err := fmt.Fprintln(a.Stdout, fn.UUID)
	return err
}
