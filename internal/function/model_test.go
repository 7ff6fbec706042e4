package function_test

import (
	"flag"
	"fmt"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"convoke"
	"convoke/internal/function"
)

// Every step writes to a real store. The flag on the command line goes on from
// here: go test ./internal/function -rapid.checks=1000.
func init() {
	if err := flag.Set("rapid.checks", "20"); err != nil {
		panic(err)
	}
}

// model is what a function should be after any sequence of actions.
type model struct {
	id    string
	codes []string // by version, from 1; "" is version 1 still empty
	live  int      // 0: not deployed
	state convoke.State
}

func (m *model) settled() convoke.State {
	switch m.live {
	case 0:
		return convoke.StateDraft
	case len(m.codes):
		return convoke.StateProductive
	default:
		return convoke.StateModified
	}
}

// save is the rule for a new code, and says with which code it ends.
func (m *model) save(code string) convoke.Code {
	newest := len(m.codes)
	if m.codes[newest-1] == code {
		return convoke.CodeUnchanged
	}
	if m.codes[newest-1] == "" {
		m.codes[newest-1] = code
	} else {
		m.codes = append(m.codes, code)
	}
	m.state = m.settled()
	return ""
}

// deploy is the rule for the deployment of a version.
func (m *model) deploy(version int) convoke.Code {
	switch m.codes[version-1] {
	case "":
		return convoke.CodeActionNotAllowed
	case noSyntax:
		m.state = convoke.StateBuildError
		return convoke.CodeBuildFailed
	case loadFails:
		m.state = convoke.StateDeployError
		return convoke.CodeDeployFailed
	default:
		m.live = version
		m.state = m.settled()
		return ""
	}
}

// drawVersion draws a version that does not wait while loading.
func (m *model) drawVersion(rt *rapid.T) int {
	version := rapid.IntRange(1, len(m.codes)).Draw(rt, "version")
	if m.codes[version-1] == loadWaits {
		rt.Skip("would wait")
	}
	return version
}

// TestAnyLifeFollowsTheModel runs random lives of several functions, restarts
// in the middle of deployments included, and compares each step with the model.
func TestAnyLifeFollowsTheModel(t *testing.T) {
	t.Parallel()
	const keep = 1000 // versions: eviction is the store's own test
	configure := func(c *function.Config) {
		c.Limits.VersionsPerFunction = keep
		c.DrainTimeout = 1
	}
	b := setup(t, configure)
	run := 0

	rapid.Check(t, func(rt *rapid.T) {
		run++
		var (
			ctx     = rt.Context()
			account = strconv.Itoa(20000000 + run)
			names   = 0
			models  = map[string]*model{}
			codes   = rapid.SampledFrom([]string{good, better, noSyntax, loadFails})
		)
		addAccount(t, b.store.(convoke.AccountStore), account)
		pick := func(rt *rapid.T) (*model, string) {
			if len(models) == 0 {
				rt.Skip("no function yet")
			}
			var list []string
			for i := range names {
				if name := fmt.Sprint("f", i); models[name] != nil {
					list = append(list, name)
				}
			}
			name := rapid.SampledFrom(list).Draw(rt, "function")
			return models[name], name
		}
		want := func(rt *rapid.T, err error, code convoke.Code) {
			if got := convoke.ErrorCode(err); got != code {
				rt.Fatalf("got code %q (%v), want %q", got, err, code)
			}
		}

		rt.Repeat(map[string]func(*rapid.T){
			"create": func(rt *rapid.T) {
				if len(models) == 3 {
					rt.Skip("enough functions")
				}
				name := fmt.Sprint("f", names)
				f, _, err := b.Create(ctx, dev, account, function.CreateInput{Name: name})
				want(rt, err, "")
				names++
				models[name] = &model{id: f.ID, codes: []string{""}, state: convoke.StateDraft}
			},
			"save": func(rt *rapid.T) {
				m, _ := pick(rt)
				in := saveCode(codes.Draw(rt, "code"))
				in.Base = rapid.SampledFrom([]int{0, len(m.codes)}).Draw(rt, "base")
				_, _, err := b.Save(ctx, dev, account, m.id, in)
				want(rt, err, m.save(*in.Code))
			},
			"restore": func(rt *rapid.T) {
				m, _ := pick(rt)
				old := m.drawVersion(rt)
				_, _, err := b.Restore(ctx, dev, account, m.id, old)
				want(rt, err, m.save(m.codes[old-1]))
			},
			"deploy": func(rt *rapid.T) {
				m, _ := pick(rt)
				version := m.drawVersion(rt)
				p, err := b.Deploy(ctx, dev, account, m.id, function.DeployInput{Version: version})
				if err == nil {
					_, err = p.Wait(ctx)
				}
				want(rt, err, m.deploy(version))
			},
			"undeploy": func(rt *rapid.T) {
				m, _ := pick(rt)
				_, err := b.Undeploy(ctx, dev, account, m.id)
				if m.live == 0 {
					want(rt, err, convoke.CodeActionNotAllowed)
					return
				}
				want(rt, err, "")
				m.live, m.state = 0, convoke.StateDraft
			},
			"remove": func(rt *rapid.T) {
				m, name := pick(rt)
				err := b.Remove(ctx, dev, account, m.id)
				if m.live != 0 {
					want(rt, err, convoke.CodeActionNotAllowed)
					return
				}
				want(rt, err, "")
				delete(models, name)
			},
			"restart while deploying": func(rt *rapid.T) {
				m, _ := pick(rt)
				_, _, err := b.Save(ctx, dev, account, m.id, saveCode(loadWaits))
				want(rt, err, m.save(loadWaits))
				_, err = b.Deploy(ctx, dev, account, m.id, function.DeployInput{})
				want(rt, err, "")
				b.stop()
				b = start(t, b.store, configure)
				want(rt, b.Recover(ctx), "")
				if m.state = m.settled(); m.live == 0 {
					m.state = convoke.StateDeployError
				}
				_, _, err = b.Save(ctx, dev, account, m.id, saveCode(good))
				want(rt, err, m.save(good))
			},
			"": func(rt *rapid.T) {
				functions, err := b.List(ctx, account, convoke.FunctionFilter{})
				want(rt, err, "")
				if len(functions) != len(models) {
					rt.Fatalf("there are %d functions, want %d", len(functions), len(models))
				}
				for _, f := range functions {
					m := models[f.Name]
					if f.State != m.state || f.LatestVersion != len(m.codes) || f.Deployed() != (m.live != 0) || f.Busy() {
						rt.Fatalf("%s is %+v, want %+v", f.Name, f, m)
					}
					live, err := b.store.FindLive(ctx, account, f.ID)
					if m.live == 0 {
						want(rt, err, convoke.CodeFunctionNotFound)
						continue
					}
					want(rt, err, "")
					if live.Version.Number != m.live || live.Deployment.VersionNumber != m.live || live.Contract != convoke.ContractV2 {
						rt.Fatalf("%s serves version %d of deployment %+v, want version %d", f.Name, live.Version.Number, live.Deployment, m.live)
					}
				}
			},
		})
	})
}
