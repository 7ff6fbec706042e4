package function_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"convoke"
	"convoke/internal/function"
)

// inBubble runs test in a bubble of its own time.
func inBubble(t *testing.T, test func(*testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		// The compiler leaves a timer of a quarter of a second behind, which
		// has to end in the bubble.
		t.Cleanup(func() { time.Sleep(time.Second) })
		test(t)
	})
}

// A Service that is stopped in the middle leaves what a killed process leaves.
func TestRecover(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		first := setup(t, nil)
		fresh := first.create("fresh", loadWaits)
		newer := first.create("newer", good)
		first.mustDeploy(newer, 0)
		first.save(newer, loadWaits)
		leaving := first.create("leaving", good)
		live := first.mustDeploy(leaving, 0)
		same := first.create("same", good)
		first.mustDeploy(same, 0)

		waiting := make([]*function.Pending, 0, 2)
		for _, f := range []*convoke.Function{fresh, newer} {
			p, err := first.Deploy(t.Context(), dev, account, f.ID, function.DeployInput{})
			if err != nil {
				t.Fatal(err)
			}
			waiting = append(waiting, p)
		}
		first.runtime.hangSwitches(func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		if _, err := first.Undeploy(ctx, dev, account, leaving.ID); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("undeploy: %v", err)
		}
		begin := time.Now()
		first.stop()
		if took := time.Since(begin); took != 10*time.Second {
			t.Errorf("work was cut short after %v, want the drain time of 10 s", took)
		}
		for _, p := range waiting {
			_, err := p.Wait(t.Context())
			first.wantCode("waiting", err, convoke.CodeUnavailable)
		}
		_, err := first.Deploy(t.Context(), dev, account, same.ID, function.DeployInput{})
		first.wantCode("deploy after the end", err, convoke.CodeUnavailable)
		_, err = first.Undeploy(t.Context(), dev, account, same.ID)
		first.wantCode("undeploy after the end", err, convoke.CodeUnavailable)

		b := start(t, first.store, nil)
		if err := b.Recover(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, want := range []struct {
			f     *convoke.Function
			state convoke.State
			live  bool
		}{
			{fresh, convoke.StateDeployError, false},
			{newer, convoke.StateModified, true},
			{leaving, convoke.StateDraft, false},
			{same, convoke.StateProductive, true},
		} {
			if got := b.current(want.f); got.State != want.state || got.Deployed() != want.live || got.Busy() {
				t.Errorf("%s was recovered to %+v, want %s, deployed %t", got.Name, got, want.state, want.live)
			}
		}
		for _, f := range []*convoke.Function{fresh, newer} {
			history, err := b.Deployments(t.Context(), account, f.ID)
			if err != nil {
				t.Fatal(err)
			}
			if d := history[0]; d.State != convoke.DeploymentFailed || d.ErrorMessage != "the server stopped during the deployment; deploy again" {
				t.Errorf("the deployment of %s was recovered to %+v", f.Name, d)
			}
		}
		history, err := b.Deployments(t.Context(), account, leaving.ID)
		if err != nil {
			t.Fatal(err)
		}
		if d := history[0]; d.ID != live.ID || d.UndeployedAt.IsZero() || d.State != convoke.DeploymentSuccessful {
			t.Errorf("the undeployed deployment was recovered to %+v", d)
		}
		if _, v, err := b.Version(t.Context(), account, newer.ID, function.Latest); err != nil || v.Code != loadWaits {
			t.Errorf("the newest version of %s is %+v, %v: what was acknowledged is gone", newer.Name, v, err)
		}

		close(b.runtime.gate)
		b.mustDeploy(fresh, 0)
		b.mustDeploy(leaving, 0)
		if err := b.Recover(t.Context()); err != nil {
			t.Errorf("with nothing to recover: %v", err)
		}
	})
}

func TestRunLetsDeploymentsEnd(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		b := setup(t, nil)
		f := b.create("f", loadWaits)
		p, err := b.Deploy(t.Context(), dev, account, f.ID, function.DeployInput{})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(9 * time.Second)
			close(b.runtime.gate)
		}()
		b.stop()
		if d, err := p.Wait(t.Context()); err != nil || d.State != convoke.DeploymentSuccessful {
			t.Errorf("a deployment that ended within the drain time: %+v, %v", d, err)
		}
	})
}

// Whatever was accepted while the end came has ended when Run returns.
func TestNothingOutlivesRun(t *testing.T) {
	t.Parallel()
	first := setup(t, nil)
	functions := make([]*convoke.Function, 6)
	for i := range functions {
		functions[i] = first.create(fmt.Sprint("f", i), good)
	}
	for range 10 {
		b := start(t, first.store, func(c *function.Config) { c.Limits.ConcurrentDeployments = 100 })
		var wg sync.WaitGroup
		accepted := make([]*function.Pending, len(functions))
		for i, f := range functions {
			wg.Go(func() {
				p, err := b.Deploy(t.Context(), dev, account, f.ID, function.DeployInput{})
				if err != nil {
					b.wantCode("refused", err, convoke.CodeUnavailable)
				}
				accepted[i] = p
			})
		}
		b.stop()
		wg.Wait()
		for i, p := range accepted {
			if p == nil {
				continue
			}
			select {
			case <-p.Done():
			default:
				t.Errorf("the deployment of f%d goes on", i)
			}
		}
		for _, f := range functions {
			if b.current(f).Busy() {
				t.Errorf("%s was left busy", f.Name)
			}
		}
	}
}

func TestDeploymentTimesOut(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		b := setup(t, nil)
		f := b.create("f", loadWaits)
		begin := time.Now()
		d, err := b.deploy(f, 0)
		b.wantCode("deploy", err, convoke.CodeDeployFailed, "given up after 1m0s while loading")
		if took := time.Since(begin); took != time.Minute {
			t.Errorf("given up after %v", took)
		}
		if d.ErrorCode != convoke.CodeDeployFailed || b.current(f).State != convoke.StateDeployError || b.current(f).Busy() {
			t.Errorf("ended as %+v with the function in %+v", d, b.current(f))
		}
	})
}

func TestCommittedChangesAreCarriedThrough(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		b := setup(t, func(c *function.Config) { c.Store = &flaky{Store: c.Store, failures: 3} })
		b.runtime.failures = 3
		f := b.create("f", good)
		b.mustDeploy(f, 0)
		if got := b.current(f); got.State != convoke.StateProductive || got.Busy() {
			t.Errorf("deployed to %+v", got)
		}
		b.runtime.mu.Lock()
		b.runtime.failures = 3
		b.runtime.mu.Unlock()
		if got, err := b.Undeploy(t.Context(), dev, account, f.ID); err != nil || got.State != convoke.StateDraft {
			t.Errorf("undeployed to %+v, %v", got, err)
		}
		if _, switches := b.runtime.seen(); !cmp.Equal(switches, []string{"f 1", "f nothing"}) {
			t.Errorf("switched %q", switches)
		}
	})
}

// flaky fails the first outcomes it is given, as a full disk does.
type flaky struct {
	function.Store
	failures int
}

func (s *flaky) FinishDeployment(ctx context.Context, d *convoke.Deployment, keep int, change func(*convoke.Function) error) (*convoke.Function, error) {
	if s.failures > 0 {
		s.failures--
		return nil, convoke.Errorf(convoke.CodeStorageFull, "the disk is full")
	}
	return s.Store.FinishDeployment(ctx, d, keep, change)
}
