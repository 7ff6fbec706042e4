package project

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"convoke"
	"convoke/api"
	"convoke/client"
)

// change is what makes a function on the server what its files say.
type change struct {
	name     string
	p        *Files
	fn       *api.Function // nil: it is created
	create   api.CreateFunctionRequest
	meta     *api.UpdateFunctionRequest // nil: stays
	manifest *api.ManifestRequest       // nil: stays
	diff     string
}

// planChange compares files with the function, nil being none; skills nil
// leaves those that it has. It fails with CodeConflict for another event, and
// with CodeActionNotAllowed while a deployment or undeployment is under way.
func planChange(name string, p *Files, skills *[]string, fn *api.Function) (*change, error) {
	ch := &change{name: name, p: p, fn: fn}
	event, eventGiven := p.config.event()
	newest := api.Manifest{}
	was := map[string]string{}
	description, has := "", []string(nil)
	if fn == nil {
		fn = &api.Function{Name: name, EventID: event}
	} else {
		if err := free(fn); err != nil {
			return nil, err
		}
		if err := fixedEvent(fn, event, eventGiven); err != nil {
			return nil, err
		}
		if len(fn.Versions) > 0 {
			newest = fn.Versions[0]
		}
		description, has = fn.Description, fn.Skills
		was = textsOf(p.entry, fn.EventID, description, has, &newest)
	}

	meta := api.UpdateFunctionRequest{}
	if d := p.config.Description; d != nil && *d != description {
		meta.Description, description = d, *d
	}
	if skills != nil && !slices.Equal(*skills, has) {
		meta.Skills, has = skills, *skills
	}
	if meta.Description != nil || meta.Skills != nil {
		ch.meta = &meta
	}
	m := manifestOf(p, Overrides{}, fn)
	is := saved(&newest, &m)
	texts := textsOf(p.entry, fn.EventID, description, has, is)
	if !sameContent(&newest, is) {
		ch.manifest = &m
	}
	if ch.fn == nil {
		ch.create = api.CreateFunctionRequest{Name: name, Description: description, EventID: event, Skills: has}
		ch.diff = listing(p.dir, texts)
		return ch, nil
	}
	ch.diff = difference(fmt.Sprintf("%s@%d", name, fn.LatestVersion), was, p.dir, texts)
	return ch, nil
}

// event is that of config.json, and whether it says any.
func (c *Config) event() (id string, given bool) {
	if c.Event == nil || *c.Event == NoEvent {
		return "", c.Event != nil
	}
	return *c.Event, true
}

// free refuses a function that is being deployed or undeployed.
func free(fn *api.Function) error {
	what := ""
	switch {
	case fn.State == string(convoke.StateMarkedUndeployed):
		what = "taken out of service"
	case fn.Pending:
		what = "deployed"
	default:
		return nil
	}
	return &Hinted{
		convoke.Errorf(convoke.CodeActionNotAllowed, "%s is being %s, and can be changed after that", fn.Name, what),
		"try again in a moment; convoke versions " + fn.Name + " shows how it ends",
	}
}

// fixedEvent refuses another event than the function has.
func fixedEvent(fn *api.Function, event string, given bool) error {
	if !given || event == fn.EventID {
		return nil
	}
	return &Hinted{
		convoke.Errorf(convoke.CodeConflict, "%s listens to %s, and the event of a function is fixed", fn.Name, cmp.Or(fn.EventID, "no event")),
		"deploy it under another name, or remove it first: convoke remove --undeploy " + fn.Name,
	}
}

// saved is the version that the server makes of newest and m.
func saved(newest *api.Manifest, m *api.ManifestRequest) *api.Manifest {
	v := *newest
	v.Code, v.Files, v.Language = *m.Code, m.Files, *m.Language
	if m.Environment != nil {
		v.Environment = m.Environment
	}
	if m.Runtime != nil {
		v.Runtime = *m.Runtime
	}
	if m.Contract != nil {
		v.Contract = *m.Contract
	}
	if m.Settings != nil {
		v.Settings = *m.Settings
	}
	switch {
	case slices.Equal(m.AllowedDomains, []string{"*"}):
		v.AllowedDomains = nil
	case m.AllowedDomains != nil:
		v.AllowedDomains = m.AllowedDomains
	}
	return &v
}

// sameContent reports whether the server would find nothing to save.
func sameContent(a, b *api.Manifest) bool {
	return a.Code == b.Code && maps.Equal(a.Files, b.Files) && a.Language == b.Language && a.Contract == b.Contract &&
		cmp.Or(a.Runtime, convoke.DefaultRuntime) == cmp.Or(b.Runtime, convoke.DefaultRuntime) && maps.Equal(a.Environment, b.Environment) && a.Settings == b.Settings &&
		slices.Equal(a.AllowedDomains, b.AllowedDomains) && (a.AllowedDomains == nil) == (b.AllowedDomains == nil)
}

// none reports whether there is nothing to do.
func (ch *change) none() bool { return ch.fn != nil && ch.meta == nil && ch.manifest == nil }

// save carries the change out and returns the function as it is then. It is
// refused with CodeRevision or CodeConditionFailed when somebody changed the
// function after the comparison, and with what the server finds wrong with the
// files.
func (ch *change) save(ctx context.Context, c *client.Client) (*api.Function, error) {
	if ch.fn == nil {
		return ch.saveNew(ctx, c)
	}
	if ch.meta != nil {
		// The manifest names the version it comes from; of the rest only this
		// says that it still is what was compared.
		if _, err := c.IfMatch(ch.fn.ETag).UpdateFunction(ctx, ch.fn.UUID, *ch.meta); err != nil && convoke.ErrorCode(err) != convoke.CodeUnchanged {
			return nil, err
		}
	}
	if ch.manifest != nil {
		if err := c.SaveManifest(ctx, ch.fn.UUID, *ch.manifest); err != nil && convoke.ErrorCode(err) != convoke.CodeUnchanged {
			return nil, placed(err, ch.p)
		}
	}
	return c.Function(ctx, ch.fn.UUID)
}

func (ch *change) saveNew(ctx context.Context, c *client.Client) (*api.Function, error) {
	fn, err := c.CreateFunction(ctx, ch.create)
	if err != nil {
		return nil, err
	}
	m := *ch.manifest
	m.Version = &fn.LatestVersion
	if err := c.SaveManifest(ctx, fn.UUID, m); err != nil {
		return nil, leftover(placed(err, ch.p), ch.name)
	}
	return c.Function(ctx, fn.UUID)
}
