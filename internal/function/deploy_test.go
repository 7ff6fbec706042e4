package function_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"convoke"
	"convoke/internal/build"
	"convoke/internal/function"
)

func TestDeployMakesTheVersionLive(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	f := b.create("f", good)

	p, err := b.Deploy(t.Context(), dev, account, f.ID, function.DeployInput{})
	if err != nil {
		t.Fatal(err)
	}
	if begun := p.Deployment(); begun.State != convoke.Deploying || begun.ID == "" {
		t.Errorf("began as %+v", begun)
	}
	<-p.Done()
	d, err := p.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d.State != convoke.DeploymentSuccessful || d.DeployedAt.IsZero() || !d.UndeployedAt.IsZero() || d.BundleID == "" || d.CreatedBy != "dev@example.com" {
		t.Errorf("ended as %+v", d)
	}
	got := b.current(f)
	if got.State != convoke.StateProductive || got.LiveDeploymentID != d.ID || got.LiveVersion != 1 || got.Busy() {
		t.Errorf("function is %+v", got)
	}
	if probes, switches := b.runtime.seen(); !cmp.Equal(probes, []string{"f 1"}) || !cmp.Equal(switches, []string{"f 1"}) {
		t.Errorf("probed %q and switched %q", probes, switches)
	}
	bundle, err := b.store.FindBundle(t.Context(), account, d.BundleID)
	if err != nil {
		t.Fatal(err)
	}
	if string(bundle.CodeCache) != "cache" || bundle.CacheRuntime != "node-test" || bundle.Contract != convoke.ContractV2 {
		t.Errorf("bundle has cache %q of %q and contract %q", bundle.CodeCache, bundle.CacheRuntime, bundle.Contract)
	}

	b.save(f, better)
	second := b.mustDeploy(f, 0)
	history, err := b.Deployments(t.Context(), account, f.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(history) != 2 || history[0].ID != second.ID || !history[0].UndeployedAt.IsZero() || history[1].UndeployedAt.IsZero() {
		t.Errorf("after the second deployment the history is %+v", history)
	}
}

func TestBuildFailureKeepsWhatIsLive(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	f := b.create("f", good)
	b.mustDeploy(f, 0)
	b.save(f, noSyntax)
	b.runtime.seen()

	d, err := b.deploy(f, 0)
	b.wantCode("deploy", err, convoke.CodeBuildFailed)
	if d.State != convoke.DeploymentFailed || d.ErrorCode != convoke.CodeBuildFailed || d.ErrorMessage == "" || len(d.Problems) == 0 || !d.DeployedAt.IsZero() {
		t.Errorf("deployment ended as %+v", d)
	}
	got := b.current(f)
	if got.State != convoke.StateBuildError || !got.Deployed() || got.LiveVersion != 1 || got.Busy() {
		t.Errorf("function is %+v", got)
	}
	if probes, switches := b.runtime.seen(); probes != nil || switches != nil {
		t.Errorf("probed %q and switched %q after a failed build", probes, switches)
	}
	history, err := b.Deployments(t.Context(), account, f.ID)
	if err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(history[0].Problems, d.Problems) || history[0].ErrorMessage != d.ErrorMessage || !history[1].UndeployedAt.IsZero() {
		t.Errorf("stored as %+v after %+v", history[0], history[1])
	}
}

func TestLoadFailureTellsTheReason(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	f := b.create("f", loadFails)
	p, err := b.Deploy(t.Context(), dev, account, f.ID, function.DeployInput{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := p.Wait(t.Context())
	b.wantCode("deploy", err, convoke.CodeDeployFailed, "boom while loading")
	if e, ok := err.(*convoke.Error); !ok || len(e.Logs) != 1 || e.Logs[0].Message != "about to fail" {
		t.Errorf("the error %#v lacks what the code logged", err)
	}
	if d.ErrorCode != convoke.CodeDeployFailed || d.ErrorMessage != "boom while loading" {
		t.Errorf("deployment ended as %+v", d)
	}
	if got := b.current(f); got.State != convoke.StateDeployError || got.Deployed() {
		t.Errorf("function is %+v", got)
	}
}

func TestDeployRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	f := b.create("f", "")
	_, err := b.deploy(f, 0)
	b.wantCode("no code", err, convoke.CodeActionNotAllowed, "save code first")
	b.save(f, good)
	_, err = b.deploy(f, 7)
	b.wantCode("unknown version", err, convoke.CodeNotFound)
	_, err = b.Deploy(t.Context(), dev, account, "00000000-0000-0000-0000-000000000000", function.DeployInput{})
	b.wantCode("unknown function", err, convoke.CodeFunctionNotFound)
	_, err = b.Undeploy(t.Context(), dev, account, "00000000-0000-0000-0000-000000000000")
	b.wantCode("undeploy unknown", err, convoke.CodeFunctionNotFound)
	b.wantCode("remove unknown", b.Remove(t.Context(), dev, account, "00000000-0000-0000-0000-000000000000"), convoke.CodeFunctionNotFound)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Deploy(gone, dev, account, f.ID, function.DeployInput{}); err == nil {
		t.Error("a deployment began for a request that was over")
	}
	if history, err := b.Deployments(t.Context(), account, f.ID); err != nil || len(history) != 0 {
		t.Errorf("refused deployments were recorded: %+v, %v", history, err)
	}
}

func TestOnlyWhatLoadedBeforeIsNotLoadedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	f := b.create("f", good)
	first := b.mustDeploy(f, 1)
	b.save(f, better)
	b.mustDeploy(f, 2)
	b.runtime.seen()

	back := b.mustDeploy(f, 1)
	if probes, switches := b.runtime.seen(); probes != nil || !cmp.Equal(switches, []string{"f 1"}) {
		t.Errorf("the roll-back probed %q and switched %q, want no probe", probes, switches)
	}
	if got := b.current(f); got.State != convoke.StateModified || got.LiveDeploymentID != back.ID || back.BundleID != first.BundleID {
		t.Errorf("after the roll-back: %+v", got)
	}

	// The same code under other variables may not load.
	if _, _, err := b.Save(t.Context(), dev, account, f.ID, function.SaveInput{Content: function.Content{Environment: map[string]string{"A": "1"}}}); err != nil {
		t.Fatal(err)
	}
	b.mustDeploy(f, 3)
	if probes, _ := b.runtime.seen(); !cmp.Equal(probes, []string{"f 3"}) {
		t.Errorf("a version with other variables probed %q", probes)
	}

	// What failed to load is tried again.
	b.save(f, loadFails)
	for range 2 {
		b.wantFailure(f, convoke.CodeDeployFailed)
	}
	if probes, _ := b.runtime.seen(); !cmp.Equal(probes, []string{"f 4", "f 4"}) {
		t.Errorf("two deployments of what does not load probed %q", probes)
	}
}

func TestDeploymentGoesOnWithoutTheClient(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	f := b.create("f", loadWaits)
	ctx, leave := context.WithCancel(t.Context())
	p, err := b.Deploy(ctx, dev, account, f.ID, function.DeployInput{})
	if err != nil {
		t.Fatal(err)
	}
	leave()
	if _, err := p.Wait(ctx); err != context.Canceled {
		t.Errorf("Wait of a client that left: %v", err)
	}
	_, err = b.Deploy(t.Context(), dev, account, f.ID, function.DeployInput{})
	b.wantCode("second deployment meanwhile", err, convoke.CodeActionNotAllowed, "try again when it has ended")
	_, _, err = b.Save(t.Context(), dev, account, f.ID, saveCode(better))
	b.wantCode("save meanwhile", err, convoke.CodeActionNotAllowed, "try again when it has ended")

	close(b.runtime.gate)
	if d, err := p.Wait(t.Context()); err != nil || d.State != convoke.DeploymentSuccessful {
		t.Errorf("ended as %+v, %v", d, err)
	}
}

func TestDeploymentsUnderWayAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for i := range 3 {
		f := b.create(fmt.Sprint("f", i), loadWaits)
		if _, err := b.Deploy(t.Context(), dev, account, f.ID, function.DeployInput{}); err != nil {
			t.Fatal(err)
		}
	}
	one := b.create("one", good)
	_, err := b.deploy(one, 0)
	b.wantCode("fourth at a time", err, convoke.CodeLimitExceeded)
	close(b.runtime.gate)
	b.stop()
}

func TestConcurrentDeploymentsOfOneFunction(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *function.Config) { c.Limits.ConcurrentDeployments = 100 })
	f := b.create("f", loadWaits)
	begun := b.race(8, func(int) error {
		_, err := b.Deploy(t.Context(), dev, account, f.ID, function.DeployInput{})
		return err
	})
	if begun != 1 {
		t.Errorf("%d deployments of one function began at once", begun)
	}
	close(b.runtime.gate)
}

func TestConcurrentDeploymentsForOneEvent(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *function.Config) { c.Limits.ConcurrentDeployments = 100 })
	functions := make([]*convoke.Function, 8)
	code := loadWaits
	for i := range functions {
		functions[i] = b.createFrom(function.CreateInput{Name: fmt.Sprint("f", i), EventID: "controllerbot_messaging_ttr", Content: function.Content{Code: &code}})
	}
	begun := b.race(len(functions), func(i int) error {
		_, err := b.Deploy(t.Context(), dev, account, functions[i].ID, function.DeployInput{})
		return err
	})
	if begun != 1 {
		t.Errorf("%d default functions of one event went ahead", begun)
	}
	close(b.runtime.gate)
}

// race runs do n times at once and returns how many were not refused.
func (b *bench) race(n int, do func(i int) error) int {
	b.Helper()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = do(i) })
	}
	wg.Wait()
	passed := 0
	for _, err := range errs {
		if err == nil {
			passed++
		} else {
			b.wantCode("refused", err, convoke.CodeActionNotAllowed)
		}
	}
	return passed
}

func TestFunctionsOfOneEvent(t *testing.T) {
	t.Parallel()
	const skilled, plain = "surveybot_messaging_survey_ended", "denver_post_survey_email_transcript" // limits 1 per skill, 10
	for _, test := range []struct {
		name   string
		event  string
		live   [][]string // skills of the functions that are deployed
		skills []string
		want   convoke.Code
	}{
		{"first", skilled, nil, nil, ""},
		{"second default", skilled, [][]string{nil}, nil, convoke.CodeActionNotAllowed},
		{"disjoint", skilled, [][]string{{"1", "2"}}, []string{"3", "4"}, ""},
		{"overlap", skilled, [][]string{{"1", "2"}}, []string{"2", "3"}, convoke.CodeActionNotAllowed},
		{"specific beside default", skilled, [][]string{nil}, []string{"1"}, convoke.CodeActionNotAllowed},
		{"default beside specific", skilled, [][]string{{"1"}, {"2"}}, nil, convoke.CodeActionNotAllowed},
		{"tenth", plain, make([][]string, 9), nil, ""},
		{"eleventh", plain, make([][]string, 10), nil, convoke.CodeLimitExceeded},
		{"event of the account", "my_event", make([][]string, 12), nil, ""},
		{"no event", "", make([][]string, 3), nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			code := good
			create := func(name string, skills []string) *convoke.Function {
				return b.createFrom(function.CreateInput{Name: name, EventID: test.event, Skills: skills, Content: function.Content{Code: &code}})
			}
			create("draft", nil) // what is not deployed is in nobody's way
			for i, skills := range test.live {
				b.mustDeploy(create(fmt.Sprint("live", i), skills), 0)
			}
			f := create("f", test.skills)
			_, err := b.deploy(f, 0)
			b.wantCode("deploy", err, test.want)
			if test.want != "" {
				// The place is free again as soon as the others have left.
				for i := range test.live {
					g, err := b.GetByName(t.Context(), account, fmt.Sprint("live", i))
					if err != nil {
						t.Fatal(err)
					}
					if _, err := b.Undeploy(t.Context(), dev, account, g.ID); err != nil {
						t.Fatal(err)
					}
				}
			}
			b.mustDeploy(f, 0) // and a function is not in its own way
		})
	}
}

func TestUndeploy(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	f := b.create("f", good)
	d := b.mustDeploy(f, 0)
	b.runtime.seen()
	got, err := b.Undeploy(t.Context(), dev, account, f.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got.State != convoke.StateDraft || got.Deployed() || got.LiveDeploymentID != "" || got.Busy() {
		t.Errorf("undeployed to %+v", got)
	}
	if _, switches := b.runtime.seen(); !cmp.Equal(switches, []string{"f nothing"}) {
		t.Errorf("switched %q, want one switch to nothing", switches)
	}
	history, err := b.AccountDeployments(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	if len(history) != 1 || history[0].ID != d.ID || history[0].UndeployedAt.IsZero() || history[0].State != convoke.DeploymentSuccessful {
		t.Errorf("the history is %+v", history)
	}
	if err := b.Remove(t.Context(), dev, account, f.ID); err != nil {
		t.Fatal(err)
	}
	if list, err := b.List(t.Context(), account, convoke.FunctionFilter{}); err != nil || len(list) != 0 {
		t.Errorf("after the removal there are %v, %v", list, err)
	}
}

func TestServerFailureIsNotTheCodesFault(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *function.Config) {
		c.Compile = func(context.Context, build.Source) (*build.Output, error) { return nil, context.DeadlineExceeded }
	})
	f := b.create("f", good)
	d, err := b.deploy(f, 0)
	b.wantCode("deploy", err, convoke.CodeInternal)
	if d.ErrorCode != convoke.CodeInternal || d.State != convoke.DeploymentFailed || b.current(f).State != convoke.StateBuildError {
		t.Errorf("ended as %+v", d)
	}
}
