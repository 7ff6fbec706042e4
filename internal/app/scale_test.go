package app_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"convoke"
	"convoke/api"
	"convoke/internal/config"
)

func settings(v api.Settings) func(*api.ManifestRequest) {
	return func(m *api.ManifestRequest) { m.Settings = &v }
}

// TestMinInstancesAreKeptWarm: from the deployment on, and after a restart
// that nobody invoked the function since.
func TestMinInstancesAreKeptWarm(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startIn(t, dir)
	idle := func(n float64) func() bool {
		return func() bool { return s.metrics(t)[`convoke_workers{state="idle"}`] == n }
	}
	id := s.deploy(t, "warm", `async function lambda() { return process.pid }`, settings(api.Settings{MinInstances: 2, IdleTimeoutSeconds: 1}))
	s.until(t, "two instances after the deployment", idle(2))
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	s = startIn(t, dir)
	s.until(t, "two instances after the restart", idle(2))
	if got, err := s.invoke(t, id, "1"); err != nil {
		t.Fatal(got, err)
	}
	var records []api.Invocation
	s.get(t, "/functions/"+id+"/invocations", &records)
	if len(records) != 1 || records[0].Cold {
		t.Errorf("the first invocation after a restart: %+v, want a warm one", records)
	}
	s.until(t, "none once it is undeployed", func() bool {
		status, body, _ := s.do(t, http.MethodDelete, "/deployments/"+id, "", nil)
		if status != http.StatusOK && status != http.StatusConflict {
			t.Fatal(status, body)
		}
		return idle(0)()
	})
}

// TestDisabledAccountKeepsNoInstances: a process that is kept warm can compute
// by a timer of its own, so it goes with its account and comes back with it.
func TestDisabledAccountKeepsNoInstances(t *testing.T) {
	t.Parallel()
	s := start(t)
	const tenant = "20000002"
	operator := s.as(t, convoke.DefaultAccountID, convoke.RoleOperator)
	if _, err := operator.CreateAccount(t.Context(), api.CreateAccountRequest{ID: tenant}); err != nil {
		t.Fatal(err)
	}
	theirs := &server{Client: s.as(t, tenant, convoke.RoleAdmin)}
	theirs.deploy(t, "warm", `async function lambda() {}`, settings(api.Settings{MinInstances: 2}))
	idle := func(n float64) func() bool {
		return func() bool { return s.metrics(t)[`convoke_workers{state="idle"}`] == n }
	}
	s.until(t, "two instances after the deployment", idle(2))
	for _, disabled := range []bool{true, false} {
		if _, err := operator.UpdateAccount(t.Context(), tenant, api.UpdateAccountRequest{Disabled: &disabled}); err != nil {
			t.Fatal(err)
		}
		if disabled {
			s.until(t, "none while the account is disabled", idle(0))
		} else {
			s.until(t, "two when it is enabled again", idle(2))
		}
	}
}

// TestRedeployAfterRestart: what a restart warmed is known to the next
// deployment, which retires it.
func TestRedeployAfterRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startIn(t, dir)
	kept := settings(api.Settings{MinInstances: 2})
	s.deploy(t, "warm", `async function lambda() { return 1 }`, kept)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	s = startIn(t, dir)
	idle := func() float64 { return s.metrics(t)[`convoke_workers{state="idle"}`] }
	s.until(t, "two instances after the restart", func() bool { return idle() == 2 })
	s.deploy(t, "warm", `async function lambda() { return 2 }`, settings(api.Settings{MinInstances: 1}))
	s.until(t, "one instance of the new version and none of the old", func() bool { return idle() == 1 })
}

// TestScaleToZero: an idle instance goes after its time, and the function
// answers again.
func TestScaleToZero(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := s.deploy(t, "rare", `async function lambda() { return 1 }`, settings(api.Settings{IdleTimeoutSeconds: 1}))
	for range 2 {
		if got, err := s.invoke(t, id, "1"); got != "1" || err != nil {
			t.Fatal(got, err)
		}
		if n := s.metrics(t)[`convoke_workers{state="idle"}`]; n != 1 {
			t.Errorf("%v idle instances after an invocation, want 1", n)
		}
		s.until(t, "no instance", func() bool { return s.metrics(t)[`convoke_workers{state="idle"}`] == 0 })
	}
	if got := s.metrics(t)[`convoke_invocations_total{cold="true",outcome="SUCCEEDED"}`]; got != 2 {
		t.Errorf("%v cold starts, want 2", got)
	}
}

// TestEvictsForAnother: with all places taken by idle instances another
// function still runs.
func TestEvictsForAnother(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *config.Config) { c.MaxInstances, c.MaxInstancesPerAccount = 2, 2 })
	for range 2 {
		for _, name := range []string{"a", "b", "c", "d"} {
			id, err := s.Lookup(t.Context(), name)
			if err != nil {
				id = s.deploy(t, name, `async function lambda() { return '`+name+`' }`)
			}
			if got, err := s.invoke(t, id, "1"); got != `"`+name+`"` || err != nil {
				t.Errorf("%s: %s, %v", name, got, err)
			}
			m := s.metrics(t)
			if n := m[`convoke_workers{state="idle"}`] + m[`convoke_workers{state="busy"}`]; n > 2 {
				t.Errorf("%v instances, at most 2 are allowed", n)
			}
		}
	}
}

// TestOverload: what cannot be served in time is refused at once with 429 and
// Retry-After, counted, and forgotten when the load is gone.
func TestOverload(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *config.Config) { c.MaxWaiters = 2 })
	id := s.deploy(t, "slow", `async function lambda(input) { await new Promise((r) => setTimeout(r, input.payload)); return 'done' }`, settings(api.Settings{MaxInstances: 1}))
	if _, err := s.invoke(t, id, "100"); err != nil { // it is known now that it takes long
		t.Fatal(err)
	}
	const load = 60
	var mu sync.Mutex
	var took []time.Duration
	served := 0
	var wg sync.WaitGroup
	for range load {
		wg.Go(func() {
			begin := time.Now()
			status, body, header := s.do(t, http.MethodPost, "/lambdas/"+id+"/invoke", `{"payload":1000}`, nil)
			mu.Lock()
			defer mu.Unlock()
			switch status {
			case http.StatusOK:
				served++
			case http.StatusTooManyRequests:
				took = append(took, time.Since(begin))
				if after, err := strconv.Atoi(header.Get("Retry-After")); err != nil || after < 1 || after > 60 || !strings.Contains(body, `"code":"convoke.invoke.throttled"`) {
					t.Errorf("refused with Retry-After %q and %s", header.Get("Retry-After"), body)
				}
			default:
				t.Errorf("answer %d %s", status, body)
			}
		})
	}
	wg.Wait()
	if served == 0 || len(took) < load/2 {
		t.Fatalf("%d served and %d refused of %d", served, len(took), load)
	}
	slices.Sort(took)
	t.Logf("%d served, %d refused; a refusal took %s in the middle, %s at most", served, len(took), took[len(took)/2], took[len(took)-1])
	if middle := took[len(took)/2]; middle > 500*time.Millisecond { // a served one takes a second
		t.Errorf("a refusal took %s: it was not decided at once", middle)
	}
	refused := 0.0
	got := s.metrics(t)
	for name, n := range got {
		if strings.HasPrefix(name, "convoke_refusals_total{") {
			refused += n
		}
	}
	if refused != float64(len(took)) {
		t.Errorf("%v refusals counted, %d answered", refused, len(took))
	}
	if n := got[`convoke_invocations_total{cold="false",outcome="PLATFORM_FAILURE"}`]; n != 0 {
		t.Errorf("%v refused invocations are among those that ran", n)
	}
	var report api.InvocationReport
	s.get(t, "/reports/invocations/"+id, &report)
	failed := int64(0)
	for _, b := range report.InvocationStatistics {
		failed += b.PlatformFailure
	}
	if failed != int64(len(took)) {
		t.Errorf("the function's own counters have %d refusals, want %d", failed, len(took))
	}
	if body, err := s.invoke(t, id, "1"); body != `"done"` || err != nil {
		t.Errorf("after the load: %s, %v", body, err)
	}
}

// TestDeployAsTheReferencesTools: create, save, deploy without waiting, and
// ask until the function is productive (spec/api-surface.md 4).
func TestDeployAsTheReferencesTools(t *testing.T) {
	t.Parallel()
	s := start(t)
	status, body, _ := s.do(t, http.MethodPost, "/functions?userId=u", `{"timestamp":0,"name":"tool","description":""}`, nil)
	var made api.Function
	if err := json.Unmarshal([]byte(body), &made); err != nil || status/100 != 2 || made.Manifest == nil || made.Manifest.ID == "" || made.Manifest.Version != 1 {
		t.Fatalf("create: %d %s, %v", status, body, err)
	}
	save := func(n int, base string) {
		t.Helper()
		code, _ := json.Marshal("async function lambda() { return " + strconv.Itoa(n) + " }")
		if status, body, _ := s.do(t, http.MethodPut, "/functions/"+made.UUID+"/manifest?userId=u", `{"timestamp":0,`+base+`"code":`+string(code)+`}`, nil); status/100 != 2 {
			t.Fatalf("save: %d %s", status, body)
		}
	}
	productive := func(method string) api.Function {
		t.Helper()
		var f api.Function
		status, body, _ := s.do(t, method, "/deployments/"+made.UUID+"?userId=u", "", nil)
		if status/100 != 2 || strings.Contains(body, `"uuid"`) || !strings.Contains(body, `"message":"`) {
			t.Fatalf("%s: %d %s", method, status, body)
		}
		s.until(t, "state Productive", func() bool {
			f = api.Function{}
			s.get(t, "/functions/"+made.UUID+"?userId=u", &f)
			done := f.State == string(convoke.StateProductive)
			if done && (f.LastDeployment == nil || f.LastDeployment.DeploymentState != "successful" || f.LastDeployment.DeployedAt.IsZero() || f.LastDeployment.ManifestVersion != f.Versions[0].Version) {
				t.Fatalf("productive with deployment %+v", f.LastDeployment)
			}
			return done
		})
		return f
	}
	save(1, `"version":1,"id":"`+made.Manifest.ID+`",`)
	f := productive(http.MethodPost)
	if got, err := s.invoke(t, made.UUID, "1"); got != "1" || err != nil {
		t.Errorf("deployed: %s, %v", got, err)
	}
	save(2, `"version":`+strconv.Itoa(f.Versions[0].Version)+`,`)
	productive(http.MethodPatch)
	if got, err := s.invoke(t, made.UUID, "1"); got != "2" || err != nil {
		t.Errorf("redeployed: %s, %v", got, err)
	}
}

// TestStreamsEndWithTheServer: a stream is ended with a word and does not hold
// the stop.
func TestStreamsEndWithTheServer(t *testing.T) {
	t.Parallel()
	s := start(t)
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, s.url+"/api/account/"+convoke.DefaultAccountID+"/logs/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	begin := time.Now()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 4*time.Second { // the grace is 5 s
		t.Errorf("a stream held the stop for %s", took)
	}
	var text strings.Builder
	buf := make([]byte, 512)
	for {
		n, err := resp.Body.Read(buf)
		text.Write(buf[:n])
		if err != nil {
			break
		}
	}
	if !strings.Contains(text.String(), "event: end\n") {
		t.Errorf("the stream ended with %q", text.String())
	}
}
