package cli

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

	"convoke"
	"convoke/api"
	"convoke/client"
)

// planner finds the steps that make an account what its file says.
type planner struct {
	a     *app
	c     *client.Client
	file  *accountFile
	flags applyFlags

	functions []api.Function    // of the account
	ids       map[string]string // of functions by name; steps that create one add to it

	secrets, domains, saves, deploys, schedules []*step
	unschedule, undeploys, removes, late        []*step
}

// plan returns the steps in an order in which each finds what it needs. What
// the server does not allow is found out as far as that can be seen.
func (p *planner) plan(ctx context.Context) ([]*step, error) {
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

func newStep(kind, name string, what action, do func(context.Context) error) *step {
	return &step{Kind: kind, Name: name, Action: what, Result: "planned", do: do}
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
		kind, err := secretType(s.Type)
		if err != nil {
			return err
		}
		was, exists := had[s.Name]
		what := actionCreate
		if exists {
			what = actionChange
		}
		if exists && !p.flags.secrets && (kind == "" || kind == was) {
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
		st.ready = func() error {
			var err error
			if value, err = p.a.secretOf(ctx, s); err != nil {
				return fmt.Errorf("%s: %w", s.where, err)
			}
			return nil
		}
		p.secrets = append(p.secrets, st)
	}
	if p.flags.prune {
		for _, s := range list {
			if extra[s.Name] {
				p.late = append(p.late, newStep("secret", s.Name, actionRemove, func(ctx context.Context) error { return p.c.RemoveSecret(ctx, s.Name) }))
			}
		}
	}
	return nil
}

// secretOf reads the value of a secret.
func (a *app) secretOf(ctx context.Context, s *fileSecret) (convoke.Secret, error) {
	if s.FromFile != "" {
		return a.readSecret(ctx, secretSource{file: filepath.Join(s.dir, filepath.FromSlash(s.FromFile))}, s.Name)
	}
	value, there := a.Env[s.FromEnv]
	if !there {
		return convoke.Secret{}, usagef("the variable %s, which has the secret %s, is not set", s.FromEnv, s.Name)
	}
	return a.readSecret(ctx, secretSource{value: value, given: true}, s.Name)
}

func (p *planner) planDomains(ctx context.Context) error {
	list, err := p.c.Domains(ctx)
	if err != nil {
		return err
	}
	kept := map[string]bool{}
	for _, d := range p.file.Domains {
		if had := findDomain(list, d.Domain); had != nil {
			kept[had.ID] = true
			continue
		}
		p.domains = append(p.domains, newStep("domain", d.Domain, actionCreate, func(ctx context.Context) error {
			_, _, err := ensureDomain(ctx, p.c, d.Domain)
			return err
		}))
	}
	if p.flags.prune {
		for _, d := range list {
			if !kept[d.ID] {
				p.late = append(p.late, newStep("domain", d.Domain, actionRemove, func(ctx context.Context) error { return p.c.RemoveDomain(ctx, d.ID) }))
			}
		}
	}
	return nil
}

func (p *planner) planFunctions(ctx context.Context) error {
	seen := map[string]string{}
	for i := range p.file.Functions {
		f := &p.file.Functions[i]
		files, name, err := f.read(p.a)
		if err != nil {
			return err
		}
		if first := seen[name]; first != "" {
			return usagef("%s: the function %s is in %s already", f.where, name, first)
		}
		seen[name] = f.where
		if err := p.planFunction(ctx, f, files, name); err != nil {
			return err
		}
	}
	if !p.flags.prune {
		return nil
	}
	for _, fn := range p.functions {
		if seen[fn.Name] != "" {
			continue
		}
		if fn.DeployedVersion != nil {
			p.undeploy(&fn)
		}
		st := newStep("function", fn.Name, actionRemove, func(ctx context.Context) error { return p.c.DeleteFunction(ctx, fn.UUID) })
		st.Detail, st.needs = "with all its versions", fn.Name
		p.removes = append(p.removes, st)
	}
	return nil
}

func (p *planner) planFunction(ctx context.Context, f *fileFunction, files *project, name string) error {
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
		what := actionChange
		if fn == nil {
			what = actionCreate
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
		st := newStep("function", name, actionDeploy, func(ctx context.Context) error {
			_, err := p.a.deployAndWait(ctx, p.c, fn, nil, p.flags.wait)
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
	st := newStep("function", fn.Name, actionUndeploy, func(ctx context.Context) error { return p.a.undeployAndWait(ctx, p.c, fn) })
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
	if p.flags.prune {
		for _, sc := range list {
			if !kept[sc.ID] {
				name := sc.FunctionName + " " + strconv.Quote(sc.CronExpression)
				p.unschedule = append(p.unschedule, newStep("schedule", name, actionRemove, func(ctx context.Context) error { return p.c.RemoveSchedule(ctx, sc.ID) }))
			}
		}
	}
	return nil
}

func (p *planner) createSchedule(s *fileSchedule) error {
	saved := slices.ContainsFunc(p.saves, func(st *step) bool { return st.Name == s.Function })
	if p.ids[s.Function] == "" && !saved {
		return convoke.Errorf(convoke.CodeFunctionNotFound, "%s: there is no function %q, neither in the account nor in the files", s.where, s.Function)
	}
	st := newStep("schedule", s.title(), actionCreate, func(ctx context.Context) error {
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
	st := newStep("schedule", s.title(), actionChange, func(ctx context.Context) error {
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
