package project

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"convoke"
	"convoke/api"
	"convoke/client"
)

// NoEvent is how the reference's config.json writes that there is none.
const NoEvent = "No Event"

// Overrides are what somebody says beside the files; it has precedence over
// config.json. What is nil was not said.
type Overrides struct {
	Name              string // "" was not said
	Event             *string
	Description       *string
	Skills            *[]string
	Environment       map[string]string // added to the variables
	AllowedDomains    []string
	Runtime, Contract *string
	Settings          func(*api.Settings) // sets those that were said
}

// Deployable is one function that is to be deployed.
type Deployable struct {
	Name  string
	files *Files
	at    *Place // nil for a file
}

// Deployables reads all functions before the first one is deployed: what lies
// at the paths, or with all what lies here.
func (d *Folders) Deployables(paths []string, all bool, o Overrides) ([]*Deployable, error) {
	if o.Name != "" && (all || len(paths) > 1) {
		return nil, mistakef("--name names one function; leave it out for several")
	}
	var out []*Deployable
	if all {
		places, err := d.Places(paths, true)
		if err != nil {
			return nil, err
		}
		for _, at := range places {
			one, err := at.deployable()
			if err != nil {
				return nil, err
			}
			out = append(out, one)
		}
		return out, nil
	}
	for _, path := range paths {
		one, err := d.deployable(path, o)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

// deployable is what lies at a path, or where nothing does the function of that
// name in the workspace.
func (d *Folders) deployable(path string, o Overrides) (*Deployable, error) {
	_, err := fs.Stat(d.OpenDir(filepath.Dir(path)), filepath.Base(path))
	if errors.Is(err, fs.ErrNotExist) && o.Name == "" && isName(path) {
		w, err := d.Workspace()
		if err != nil {
			return nil, err
		}
		if w != nil && w.function(path).exists() {
			return w.function(path).deployable()
		}
	}
	p, err := d.read(path)
	if err != nil {
		return nil, err
	}
	one := &Deployable{files: p}
	if one.Name, err = nameOf(p, o); err != nil {
		return nil, err
	}
	if p.folder && p.config.Version > 0 {
		root, err := d.open(path)
		if err != nil {
			return nil, err
		}
		one.at = &Place{root: root, dir: ".", dirs: p.dir}
	}
	return one, nil
}

func (at Place) deployable() (*Deployable, error) {
	p, err := at.read()
	if err != nil {
		return nil, err
	}
	name, err := at.function(p)
	return &Deployable{name, p, &at}, err
}

// nameOf is what the function is called: as was said, by config.json, or by
// the name of the folder or file.
func nameOf(p *Files, o Overrides) (string, error) {
	name := cmp.Or(o.Name, p.config.Name, p.name())
	if name == "" {
		return "", mistakef("the function has no name; give one with --name")
	}
	if err := convoke.ValidateName(name, convoke.DefaultLimits().NameLength); err != nil {
		return "", &Hinted{fmt.Errorf("%q: %w", name, err), "give another name with --name"}
	}
	return name, nil
}

// Deploy creates or saves the function, makes it live, and returns it as it
// serves. Of one that is unchanged and live fresh is false.
func (d *Deployable) Deploy(ctx context.Context, c *client.Client, o Overrides, wait time.Duration) (fn *api.Function, fresh bool, err error) {
	fn, created, err := d.ensure(ctx, c, o)
	if err != nil {
		return nil, false, err
	}
	if fn, fresh, err = d.save(ctx, c, fn, o, wait); err != nil {
		err = placed(err, d.files)
		if created {
			err = leftover(err, d.Name)
		}
		return nil, false, err
	}
	// Files that know which version they are must know the new one, or the next
	// push would take it for somebody else's.
	if d.at != nil && d.files.config.Version > 0 {
		err = d.at.keepVersion(d.files, fn.LatestVersion)
	}
	return fn, fresh, err
}

// ensure finds the function, or creates it, and brings its description and
// skills up to date; created tells the two apart.
func (d *Deployable) ensure(ctx context.Context, c *client.Client, o Overrides) (fn *api.Function, created bool, err error) {
	event, eventGiven := d.files.config.event()
	if o.Event != nil {
		event, eventGiven = *o.Event, true
	}
	if event == NoEvent {
		event = ""
	}
	description := cmp.Or(o.Description, d.files.config.Description)

	fn, err = c.Find(ctx, d.Name)
	if convoke.ErrorCode(err) == convoke.CodeFunctionNotFound {
		in := api.CreateFunctionRequest{Name: d.Name, EventID: event}
		if description != nil {
			in.Description = *description
		}
		if o.Skills != nil {
			in.Skills = *o.Skills
		}
		fn, err = c.CreateFunction(ctx, in)
		return fn, err == nil, err
	}
	if err != nil {
		return nil, false, err
	}
	if err := fixedEvent(fn, event, eventGiven); err != nil {
		return nil, false, err
	}
	update := api.UpdateFunctionRequest{Skills: o.Skills}
	if description != nil && *description != fn.Description {
		update.Description = description
	}
	if update.Description != nil || update.Skills != nil {
		if _, err := c.IfMatch(fn.ETag).UpdateFunction(ctx, fn.UUID, update); err != nil && convoke.ErrorCode(err) != convoke.CodeUnchanged {
			return nil, false, err
		}
	}
	return fn, false, nil
}

func (d *Deployable) save(
	ctx context.Context, c *client.Client, fn *api.Function, o Overrides, wait time.Duration,
) (after *api.Function, fresh bool, err error) {
	err = c.SaveManifest(ctx, fn.UUID, manifestOf(d.files, o, fn))
	unchanged := convoke.ErrorCode(err) == convoke.CodeUnchanged
	if err != nil && !unchanged {
		return nil, false, err
	}
	if unchanged && live(fn) {
		return fn, false, nil
	}
	after, err = Deploy(ctx, c, fn, nil, wait)
	return after, true, err
}

// manifestOf is the version to save: what was said, over the files, over what
// the function has.
func manifestOf(p *Files, o Overrides, fn *api.Function) api.ManifestRequest {
	language := string(p.language)
	m := api.ManifestRequest{Code: &p.code, Files: p.files, Language: &language, Version: &fn.LatestVersion}
	newest := api.Manifest{}
	if len(fn.Versions) > 0 {
		newest = fn.Versions[0]
	}

	// Environment: config.json replaces, what was said is added.
	if p.config.Environment != nil || len(o.Environment) > 0 {
		m.Environment = maps.Clone(newest.Environment)
		if p.config.Environment != nil {
			m.Environment = maps.Clone(p.config.Environment)
		}
		if m.Environment == nil {
			m.Environment = map[string]string{}
		}
		maps.Copy(m.Environment, o.Environment)
	}

	m.AllowedDomains = p.config.Domains
	if o.AllowedDomains != nil {
		m.AllowedDomains = o.AllowedDomains
	}

	settings, given := newest.Settings, false
	if s := p.config.Settings; s != nil {
		settings, given = s.Settings, true
		m.Runtime, m.Contract = pointer(s.Runtime), pointer(s.Contract)
	}
	m.Runtime, m.Contract = cmp.Or(o.Runtime, m.Runtime), cmp.Or(o.Contract, m.Contract)
	if o.Settings != nil {
		o.Settings(&settings)
		given = true
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

// Deploy makes a version live, nil being the newest, and returns the function
// as it serves. CodeUnavailable when it does not serve after wait.
func Deploy(ctx context.Context, c *client.Client, fn *api.Function, version *int, wait time.Duration) (*api.Function, error) {
	bounded, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	_, err := c.Deploy(bounded, fn.UUID, version)
	if bounded.Err() != nil && ctx.Err() == nil {
		return nil, &Hinted{
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
func placed(err error, p *Files) error {
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
