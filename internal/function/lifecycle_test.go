package function_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"convoke"
	"convoke/internal/function"
)

// situations bring a new function into each situation of its life. All have a
// good version 1 except the first; those that fail do so with version 2.
var situations = map[string]func(*bench, string) *convoke.Function{
	"empty": func(b *bench, name string) *convoke.Function { return b.create(name, "") },
	"draft": func(b *bench, name string) *convoke.Function { return b.create(name, good) },
	"productive": func(b *bench, name string) *convoke.Function {
		f := b.create(name, good)
		b.mustDeploy(f, 0)
		return f
	},
	"modified": func(b *bench, name string) *convoke.Function {
		f := b.create(name, good)
		b.mustDeploy(f, 0)
		b.save(f, better)
		return f
	},
	"build error": func(b *bench, name string) *convoke.Function {
		f := b.create(name, good)
		b.save(f, noSyntax)
		b.wantFailure(f, convoke.CodeBuildFailed)
		return f
	},
	"build error, live": func(b *bench, name string) *convoke.Function {
		f := b.create(name, good)
		b.mustDeploy(f, 0)
		b.save(f, noSyntax)
		b.wantFailure(f, convoke.CodeBuildFailed)
		return f
	},
	"deploy error": func(b *bench, name string) *convoke.Function {
		f := b.create(name, good)
		b.save(f, loadFails)
		b.wantFailure(f, convoke.CodeDeployFailed)
		return f
	},
	"deploy error, live": func(b *bench, name string) *convoke.Function {
		f := b.create(name, good)
		b.mustDeploy(f, 0)
		b.save(f, loadFails)
		b.wantFailure(f, convoke.CodeDeployFailed)
		return f
	},
	"deploying": func(b *bench, name string) *convoke.Function {
		f := b.create(name, loadWaits)
		if _, err := b.Deploy(b.Context(), dev, account, f.ID, function.DeployInput{}); err != nil {
			b.Fatal(err)
		}
		return f
	},
	"redeploying": func(b *bench, name string) *convoke.Function {
		f := b.create(name, good)
		b.mustDeploy(f, 0)
		b.save(f, loadWaits)
		if _, err := b.Deploy(b.Context(), dev, account, f.ID, function.DeployInput{}); err != nil {
			b.Fatal(err)
		}
		return f
	},
	"undeploying": func(b *bench, name string) *convoke.Function {
		f := b.create(name, good)
		b.mustDeploy(f, 0)
		reached := make(chan struct{})
		b.runtime.hangSwitches(func(ctx context.Context) error {
			close(reached)
			<-ctx.Done()
			return ctx.Err()
		})
		ctx, leave := context.WithCancel(b.Context())
		go func() {
			<-reached
			leave()
		}()
		_, err := b.Undeploy(ctx, dev, account, f.ID)
		b.wantCode("undeploy and leave", err, convoke.CodeInternal)
		b.runtime.hangSwitches(nil)
		return f
	},
}

func (b *bench) wantFailure(f *convoke.Function, want convoke.Code) {
	b.Helper()
	_, err := b.deploy(f, 0)
	b.wantCode("deploy "+f.Name, err, want)
}

// moves are what a user can do to a function.
var moves = map[string]func(*bench, *convoke.Function) error{
	"save": func(b *bench, f *convoke.Function) error {
		_, _, err := b.Save(b.Context(), dev, account, f.ID, saveCode("async function lambda() { return 'new' }"))
		return err
	},
	"describe": func(b *bench, f *convoke.Function) error {
		text := "another"
		_, err := b.UpdateMeta(b.Context(), dev, account, f.ID, function.MetaInput{Description: &text})
		return err
	},
	"deploy newest": func(b *bench, f *convoke.Function) error {
		_, err := b.deploy(f, 0)
		return err
	},
	"roll back": func(b *bench, f *convoke.Function) error {
		_, err := b.deploy(f, 1)
		return err
	},
	"undeploy": func(b *bench, f *convoke.Function) error {
		_, err := b.Undeploy(b.Context(), dev, account, f.ID)
		return err
	},
	"remove": func(b *bench, f *convoke.Function) error {
		return b.Remove(b.Context(), dev, account, f.ID)
	},
}

type end struct {
	code  convoke.Code
	state convoke.State
	live  int // version that serves, 0: none
}

func TestEveryMoveInEverySituation(t *testing.T) {
	t.Parallel()
	const (
		draft, productive, modified = convoke.StateDraft, convoke.StateProductive, convoke.StateModified
		buildError, deployError     = convoke.StateBuildError, convoke.StateDeployError
		refused                     = convoke.CodeActionNotAllowed
		buildFailed, deployFailed   = convoke.CodeBuildFailed, convoke.CodeDeployFailed
		gone                        = convoke.State("gone")
	)
	busy := func(state convoke.State, live int) map[string]end {
		all := map[string]end{}
		for move := range moves {
			all[move] = end{refused, state, live}
		}
		return all
	}
	want := map[string]map[string]end{
		"empty": {
			"save": {"", draft, 0}, "describe": {"", draft, 0}, "deploy newest": {refused, draft, 0},
			"roll back": {refused, draft, 0}, "undeploy": {refused, draft, 0}, "remove": {"", gone, 0}},
		"draft": {
			"save": {"", draft, 0}, "describe": {"", draft, 0}, "deploy newest": {"", productive, 1},
			"roll back": {"", productive, 1}, "undeploy": {refused, draft, 0}, "remove": {"", gone, 0}},
		"productive": {
			"save": {"", modified, 1}, "describe": {"", productive, 1}, "deploy newest": {"", productive, 1},
			"roll back": {"", productive, 1}, "undeploy": {"", draft, 0}, "remove": {refused, productive, 1}},
		"modified": {
			"save": {"", modified, 1}, "describe": {"", modified, 1}, "deploy newest": {"", productive, 2},
			"roll back": {"", modified, 1}, "undeploy": {"", draft, 0}, "remove": {refused, modified, 1}},
		"build error": {
			"save": {"", draft, 0}, "describe": {"", buildError, 0}, "deploy newest": {buildFailed, buildError, 0},
			"roll back": {"", modified, 1}, "undeploy": {refused, buildError, 0}, "remove": {"", gone, 0}},
		"build error, live": {
			"save": {"", modified, 1}, "describe": {"", buildError, 1}, "deploy newest": {buildFailed, buildError, 1},
			"roll back": {"", modified, 1}, "undeploy": {"", draft, 0}, "remove": {refused, buildError, 1}},
		"deploy error": {
			"save": {"", draft, 0}, "describe": {"", deployError, 0}, "deploy newest": {deployFailed, deployError, 0},
			"roll back": {"", modified, 1}, "undeploy": {refused, deployError, 0}, "remove": {"", gone, 0}},
		"deploy error, live": {
			"save": {"", modified, 1}, "describe": {"", deployError, 1}, "deploy newest": {deployFailed, deployError, 1},
			"roll back": {"", modified, 1}, "undeploy": {"", draft, 0}, "remove": {refused, deployError, 1}},
		"deploying":   busy(draft, 0),
		"redeploying": busy(modified, 1),
		"undeploying": busy(convoke.StateMarkedUndeployed, 0),
	}

	b := setup(t, func(c *function.Config) {
		c.Limits.ConcurrentDeployments = 1000
		c.DrainTimeout = 1 // some deployments never end
	})
	for _, from := range slices.Sorted(maps.Keys(situations)) {
		for _, move := range slices.Sorted(maps.Keys(moves)) {
			name := slug(from + " " + move)
			f := situations[from](b, name)
			err := moves[move](b, f)
			got := end{code: convoke.ErrorCode(err), state: gone}
			if now, err := b.Get(t.Context(), account, f.ID); err == nil {
				got.state = now.State
				if now.Deployed() {
					got.live = now.LiveVersion
				}
			}
			if want := want[from][move]; got != want {
				t.Errorf("%s, then %s: got %+v (%v), want %+v", from, move, got, err, want)
			}
		}
	}
}

func slug(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c == ' ' || c == ',' {
			b[i] = '_'
		}
	}
	return string(b)
}
