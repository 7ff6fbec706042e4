package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
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
	all, err := a.deployables(paths, f)
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
		if stopped(err) {
			return err
		}
		if err != nil {
			o := &outcomeOf{Name: d.name}
			o.fail(err)
			failed = append(failed, o)
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
func (a *app) deployOne(ctx context.Context, c *client.Client, d *deployable, f deployFlags) (*api.Function, error) {
	fn, created, err := a.ensure(ctx, c, d.name, d.p, f)
	if err != nil {
		return nil, err
	}
	fn, err = a.saveAndDeploy(ctx, c, fn, d.p, f)
	if err != nil {
		err = placed(err, d.p)
		if created {
			err = leftover(err, d.name)
		}
		return nil, err
	}
	// Files that know which version they are must know the new one, or the next
	// push would take it for somebody else's.
	if d.at != nil && d.p.config.Version > 0 {
		err = d.at.keepVersion(d.p, fn.LatestVersion)
	}
	return fn, err
}

// deployable is one function that deploy was told of.
type deployable struct {
	p    *project
	name string
	at   *place // nil for a file
}

// deployables reads all functions before the first one is deployed.
func (a *app) deployables(paths []string, f deployFlags) ([]*deployable, error) {
	if f.name != "" && (f.all || len(paths) > 1) {
		return nil, usagef("--name names one function; leave it out for several")
	}
	var all []*deployable
	if f.all {
		places, err := a.places(paths, true)
		if err != nil {
			return nil, err
		}
		for _, at := range places {
			d, err := readDeployable(at)
			if err != nil {
				return nil, err
			}
			all = append(all, d)
		}
		return all, nil
	}
	for _, path := range paths {
		d, err := a.deployable(path, f)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// deployable is what lies at a path, or where nothing does the function of that
// name in the project.
func (a *app) deployable(path string, f deployFlags) (*deployable, error) {
	_, err := fs.Stat(a.OpenDir(filepath.Dir(path)), filepath.Base(path))
	if errors.Is(err, fs.ErrNotExist) && f.name == "" && isName(path) {
		w, err := a.workspace()
		if err != nil {
			return nil, err
		}
		if w != nil && w.function(path).exists() {
			return readDeployable(w.function(path))
		}
	}
	p, err := a.readProject(path)
	if err != nil {
		return nil, err
	}
	d := &deployable{p: p}
	if d.name, err = nameOf(p, f); err != nil {
		return nil, err
	}
	if p.folder && p.config.Version > 0 {
		root, err := a.open(path)
		if err != nil {
			return nil, err
		}
		d.at = &place{root: root, dir: ".", dirs: p.dir}
	}
	return d, nil
}

func readDeployable(at place) (*deployable, error) {
	p, err := at.read()
	if err != nil {
		return nil, err
	}
	name, err := at.function(p)
	return &deployable{p, name, &at}, err
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
	event, eventGiven := p.config.event()
	if f.changed("event") {
		event, eventGiven = f.event, true
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
	if err := fixedEvent(fn, event, eventGiven); err != nil {
		return nil, false, err
	}
	var update api.UpdateFunctionRequest
	if described && description != fn.Description {
		update.Description = &description
	}
	if f.changed("skill") {
		update.Skills = &f.skills
	}
	if update.Description != nil || update.Skills != nil {
		if _, err := c.IfMatch(fn.ETag).UpdateFunction(ctx, fn.UUID, update); err != nil && convoke.ErrorCode(err) != convoke.CodeUnchanged {
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

		"invocations-per-second": func() { settings.InvocationsPerSecond = f.perSecond },
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
