package project

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"convoke"
	"convoke/api"
	"convoke/client"
)

// Action is what is done to one thing.
type Action string

const (
	ActionCreate   Action = "create"
	ActionChange   Action = "change"
	ActionDeploy   Action = "deploy"
	ActionUndeploy Action = "undeploy"
	ActionRemove   Action = "remove"
)

// Step is one thing to do to make an account what its files say.
type Step struct {
	Kind   string // secret, domain, function, schedule
	Name   string
	Action Action
	Detail string
	Diff   string
	Result Result
	Err    error // why it failed

	needs string                          // function without which it makes no sense
	ready func(ctx context.Context) error // finds out what would keep it from being done; may be nil
	do    func(ctx context.Context) error
}

// Result is what became of a step.
type Result string

const (
	Planned Result = "planned"
	Done    Result = "done"
	Failed  Result = "failed"
	Skipped Result = "skipped" // what comes before it failed
)

// Title names what the step is about.
func (s *Step) Title() string { return s.Kind + " " + s.Name }

// Options say how an account is made what its files say.
type Options struct {
	Prune   bool // remove what the files do not have
	Secrets bool // set secrets that exist, too: whether their values differ cannot be seen
	Wait    time.Duration
	// Value reads the value of a secret from where its file says that it is.
	Value func(ctx context.Context, name string, from Source) (convoke.Secret, error)
}

// Source is where the value of a secret is: one of the two.
type Source struct {
	Env  string // name of a variable
	File string // path
}

// SecretType is the type of a secret by the name that people write, in any
// case; "" stays. It reports whether there is such a type.
func SecretType(name string) (string, bool) {
	switch strings.ToLower(name) {
	case "":
		return "", true
	case "string":
		return string(convoke.SecretString), true
	case "number":
		return string(convoke.SecretNumber), true
	case "json":
		return string(convoke.SecretJSON), true
	}
	return "", false
}

// Plan returns the steps in an order in which each finds what it needs. What
// the server does not allow is found out as far as that can be seen.
func (d *Folders) Plan(ctx context.Context, c *client.Client, file *Account, o Options) ([]*Step, error) {
	p := &planner{d: d, c: c, file: file, Options: o}
	return p.plan(ctx)
}

// Ready finds out what would keep the steps from being done, before the first
// of them is.
func Ready(ctx context.Context, steps []*Step) error {
	for _, s := range steps {
		if s.ready == nil {
			continue
		}
		if err := s.ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// CarryOut does one step after the other. One that fails takes along those
// that need the same function, and no others. begins is called before each
// that is done, and what it returns after it; told is called with each when its
// result is known. The error is one that ended it all.
func CarryOut(ctx context.Context, steps []*Step, begins func(*Step) (ended func()), told func(*Step)) error {
	broken := map[string]bool{}
	var end error
	for _, s := range steps {
		if end != nil || s.needs != "" && broken[s.needs] {
			s.Result = Skipped
			told(s)
			continue
		}
		ended := begins(s)
		s.Err = s.do(ctx)
		ended()
		s.Result = Done
		if s.Err != nil {
			s.Result = Failed
			broken[s.needs] = s.needs != ""
		}
		if Stops(s.Err) {
			end = s.Err
		}
		told(s)
	}
	return end
}

// planner finds the steps that make an account what its file says.
type planner struct {
	Options
	d    *Folders
	c    *client.Client
	file *Account

	functions []api.Function    // of the account
	ids       map[string]string // of functions by name; steps that create one add to it

	secrets, domains, saves, deploys, schedules []*Step
	unschedule, undeploys, removes, late        []*Step
}

func (p *planner) plan(ctx context.Context) ([]*Step, error) {
	var err error
	if p.functions, err = p.c.Functions(ctx, client.FunctionFilter{}); err != nil {
		return nil, err
	}
	p.ids = map[string]string{}
	for _, fn := range p.functions {
		p.ids[fn.Name] = fn.UUID
	}
	for _, part := range []struct {
		there bool
		plan  func(context.Context) error
	}{
		{p.file.Secrets != nil, p.planSecrets}, {p.file.Domains != nil, p.planDomains},
		{p.file.Functions != nil, p.planFunctions}, {p.file.Schedules != nil, p.planSchedules},
	} {
		if !part.there {
			continue
		}
		if err := part.plan(ctx); err != nil {
			return nil, err
		}
	}
	return slices.Concat(p.secrets, p.domains, p.saves, p.deploys, p.schedules, p.unschedule, p.undeploys, p.removes, p.late), nil
}

func newStep(kind, name string, what Action, do func(context.Context) error) *Step {
	return &Step{Kind: kind, Name: name, Action: what, Result: Planned, do: do}
}

// planSecrets sets those that are missing or of another type; whether a value
// is another one cannot be seen.
func (p *planner) planSecrets(ctx context.Context) error {
	list, err := p.c.Secrets(ctx, false)
	if err != nil {
		return err
	}
	extra := map[string]bool{}
	had := map[string]string{}
	for _, s := range list {
		had[s.Name], extra[s.Name] = s.Type, true
	}
	for i := range p.file.Secrets {
		s := &p.file.Secrets[i]
		delete(extra, s.Name)
		kind, _ := SecretType(s.Type) // checked when it was read
		was, exists := had[s.Name]
		what := ActionCreate
		if exists {
			what = ActionChange
		}
		if exists && !p.Secrets && (kind == "" || kind == was) {
			continue
		}
		var value convoke.Secret
		st := newStep("secret", s.Name, what, func(ctx context.Context) error {
			_, err := p.c.SetSecret(ctx, s.Name, api.SetSecretRequest{Value: value.Reveal(), Type: kind})
			return err
		})
		st.Detail = "from the variable " + s.FromEnv
		if s.FromFile != "" {
			st.Detail = "from the file " + s.FromFile
		}
		st.ready = func(ctx context.Context) error {
			from := Source{Env: s.FromEnv}
			if s.FromFile != "" {
				from = Source{File: filepath.Join(s.dir, filepath.FromSlash(s.FromFile))}
			}
			var err error
			if value, err = p.Value(ctx, s.Name, from); err != nil {
				return fmt.Errorf("%s: %w", s.where, err)
			}
			return nil
		}
		p.secrets = append(p.secrets, st)
	}
	if p.Prune {
		for _, s := range list {
			if extra[s.Name] {
				p.late = append(p.late, newStep("secret", s.Name, ActionRemove, func(ctx context.Context) error { return p.c.RemoveSecret(ctx, s.Name) }))
			}
		}
	}
	return nil
}

func (p *planner) planDomains(ctx context.Context) error {
	list, err := p.c.Domains(ctx)
	if err != nil {
		return err
	}
	kept := map[string]bool{}
	for _, d := range p.file.Domains {
		if had := client.FindDomain(list, d.Domain); had != nil {
			kept[had.ID] = true
			continue
		}
		p.domains = append(p.domains, newStep("domain", d.Domain, ActionCreate, func(ctx context.Context) error {
			_, _, err := p.c.EnsureDomain(ctx, d.Domain)
			return err
		}))
	}
	if p.Prune {
		for _, d := range list {
			if !kept[d.ID] {
				p.late = append(p.late, newStep("domain", d.Domain, ActionRemove, func(ctx context.Context) error { return p.c.RemoveDomain(ctx, d.ID) }))
			}
		}
	}
	return nil
}

func (p *planner) planFunctions(ctx context.Context) error {
	seen := map[string]string{}
	for i := range p.file.Functions {
		f := &p.file.Functions[i]
		files, name, err := f.read(p.d)
		if err != nil {
			return err
		}
		if first := seen[name]; first != "" {
			return mistakef("%s: the function %s is in %s already", f.where, name, first)
		}
		seen[name] = f.where
		if err := p.planFunction(ctx, f, files, name); err != nil {
			return err
		}
	}
	if !p.Prune {
		return nil
	}
	for _, fn := range p.functions {
		if seen[fn.Name] != "" {
			continue
		}
		if fn.DeployedVersion != nil {
			p.undeploy(&fn)
		}
		st := newStep("function", fn.Name, ActionRemove, func(ctx context.Context) error { return p.c.DeleteFunction(ctx, fn.UUID) })
		st.Detail, st.needs = "with all its versions", fn.Name
		p.removes = append(p.removes, st)
	}
	return nil
}

func (p *planner) planFunction(ctx context.Context, f *fileFunction, files *Files, name string) error {
	var fn *api.Function
	if id := p.ids[name]; id != "" {
		var err error
		if fn, err = p.c.Function(ctx, id); err != nil {
			return err
		}
	}
	ch, err := planChange(name, files, f.Skills, fn)
	if err != nil {
		return fmt.Errorf("%s: %w", f.where, err)
	}
	if !ch.none() {
		what := ActionChange
		if fn == nil {
			what = ActionCreate
		}
		st := newStep("function", name, what, func(ctx context.Context) error {
			saved, err := ch.save(ctx, p.c)
			if err == nil {
				fn, p.ids[name] = saved, saved.UUID
			}
			return err
		})
		st.Diff, st.needs = ch.diff, name
		p.saves = append(p.saves, st)
	}
	switch {
	case f.Deployed.keep:
	case !f.Deployed.no && (fn == nil || ch.manifest != nil || !live(fn)):
		st := newStep("function", name, ActionDeploy, func(ctx context.Context) error {
			_, err := Deploy(ctx, p.c, fn, nil, p.Wait)
			return placed(err, files)
		})
		st.needs = name
		p.deploys = append(p.deploys, st)
	case f.Deployed.no && fn != nil && fn.DeployedVersion != nil:
		p.undeploy(fn)
	}
	return nil
}

func (p *planner) undeploy(fn *api.Function) {
	st := newStep("function", fn.Name, ActionUndeploy, func(ctx context.Context) error {
		_, err := p.c.Undeploy(ctx, fn.UUID)
		return err
	})
	st.needs = fn.Name
	p.undeploys = append(p.undeploys, st)
}

func (p *planner) planSchedules(ctx context.Context) error {
	list, err := p.c.Schedules(ctx, "")
	if err != nil {
		return err
	}
	kept := map[string]bool{}
	for i := range p.file.Schedules {
		s := &p.file.Schedules[i]
		at := slices.IndexFunc(list, func(sc api.Schedule) bool { return sc.FunctionName+" "+sc.CronExpression == s.key() })
		if at < 0 {
			if err := p.createSchedule(s); err != nil {
				return err
			}
			continue
		}
		kept[list[at].ID] = true
		if err := p.changeSchedule(s, &list[at]); err != nil {
			return err
		}
	}
	if p.Prune {
		for _, sc := range list {
			if !kept[sc.ID] {
				name := sc.FunctionName + " " + strconv.Quote(sc.CronExpression)
				p.unschedule = append(p.unschedule, newStep("schedule", name, ActionRemove, func(ctx context.Context) error { return p.c.RemoveSchedule(ctx, sc.ID) }))
			}
		}
	}
	return nil
}

func (p *planner) createSchedule(s *fileSchedule) error {
	saved := slices.ContainsFunc(p.saves, func(st *Step) bool { return st.Name == s.Function })
	if p.ids[s.Function] == "" && !saved {
		return convoke.Errorf(convoke.CodeFunctionNotFound, "%s: there is no function %q, neither in the account nor in the files", s.where, s.Function)
	}
	st := newStep("schedule", s.title(), ActionCreate, func(ctx context.Context) error {
		in := s.request()
		in.FunctionUUID, in.CronExpression = p.ids[s.Function], &s.Cron
		_, err := p.c.CreateSchedule(ctx, in)
		return err
	})
	st.needs = s.Function
	p.schedules = append(p.schedules, st)
	return nil
}

func (p *planner) changeSchedule(s *fileSchedule, had *api.Schedule) error {
	was := fileSchedule{Description: had.Description, Active: &had.IsActive, Headers: had.InvocationBody.Headers, Payload: had.InvocationBody.Payload}
	before, err := was.text(was.Headers)
	if err != nil {
		return err
	}
	after, err := s.text(was.Headers)
	if err != nil {
		return err
	}
	if before == after {
		return nil
	}
	st := newStep("schedule", s.title(), ActionChange, func(ctx context.Context) error {
		_, err := p.c.UpdateSchedule(ctx, had.ID, s.request())
		return err
	})
	st.Diff, st.needs = difference(s.Function+"@"+had.ID, map[string]string{"schedule": before}, s.where, map[string]string{"schedule": after}), s.Function
	p.schedules = append(p.schedules, st)
	return nil
}

func (s *fileSchedule) title() string { return s.Function + " " + strconv.Quote(s.Cron) }

func (s *fileSchedule) active() bool { return s.Active == nil || *s.Active }

// request has all that can be changed.
func (s *fileSchedule) request() api.ScheduleRequest {
	active := s.active()
	return api.ScheduleRequest{IsActive: &active, Description: &s.Description, InvocationBody: &api.InvocationBody{Headers: s.Headers, Payload: s.Payload}}
}

// text is what can be changed as lines to compare. A header may hold a token,
// so only whether its value is that of old is said.
func (s *fileSchedule) text(old map[string]string) (string, error) {
	payload, err := canonical(s.Payload)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "active: %v\ndescription: %q\n", s.active(), s.Description)
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		value := "set"
		if was, had := old[name]; had && was != s.Headers[name] {
			value = "set to another value"
		}
		fmt.Fprintf(&b, "headers.%s: %s\n", name, value)
	}
	fmt.Fprintf(&b, "payload: %s\n", payload)
	return b.String(), nil
}

// canonical is JSON in the one form that equal values have; none is {}.
func canonical(text json.RawMessage) (string, error) {
	if len(text) == 0 {
		return "{}", nil
	}
	var value any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&value); err != nil {
		return "", err
	}
	return encode(value, "", true)
}
