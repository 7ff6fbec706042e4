package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"convoke"
	"convoke/api"
	"convoke/client"
	"convoke/internal/app"
	"convoke/internal/config"
)

// server is a whole server in this process, on a port of its own.
type server struct {
	*client.Client
	url, token, dir string
	stop            func() error
}

func start(t testing.TB, change ...func(*config.Config)) *server {
	t.Helper()
	return startIn(t, t.TempDir(), change...)
}

func startIn(t testing.TB, dir string, change ...func(*config.Config)) *server {
	t.Helper()
	cfg, err := config.Load(config.LoadOptions{Env: map[string]string{
		"CONVOKE_LISTEN": "127.0.0.1:0", "CONVOKE_DATA": dir, "CONVOKE_LOG_LEVEL": "error",
		"CONVOKE_RUNTIMES": filepath.Join("..", "..", "runtime", "node"), "CONVOKE_SHUTDOWN_GRACE": "5s",
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(cfg)
	}
	a, err := app.New(t.Context(), cfg, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stop := sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("the server stopped with %v", err)
		}
	})
	token, _, err := app.CreateToken(t.Context(), dir, convoke.DefaultAccountID, "admin", "test", 0)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{url: "http://" + a.Addr().String(), token: token, dir: dir, stop: stop}
	if s.Client, err = client.New(client.Config{URL: s.url, Token: convoke.NewSecret(token)}); err != nil {
		t.Fatal(err)
	}
	for { // the listener takes connections before the server answers them
		resp, err := http.Get(s.url + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return s
			}
		}
		if t.Context().Err() != nil {
			t.Fatal("the server never became ready")
		}
	}
}

// as is a client with a token of an account.
func (s *server) as(t testing.TB, account string, role convoke.Role) *client.Client {
	t.Helper()
	token, _, err := app.CreateToken(t.Context(), s.dir, account, string(role), "test", 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(client.Config{URL: s.url, AccountID: account, Token: convoke.NewSecret(token)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// deploy creates the function, or saves a new version of it, and deploys.
func (s *server) deploy(t testing.TB, name, code string, change ...func(*api.ManifestRequest)) string {
	t.Helper()
	id, err := s.Lookup(t.Context(), name)
	if err != nil {
		f, err := s.CreateFunction(t.Context(), api.CreateFunctionRequest{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		id = f.UUID
	}
	m := api.ManifestRequest{Code: &code}
	for _, c := range change {
		c(&m)
	}
	if err := s.SaveManifest(t.Context(), id, m); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Deploy(t.Context(), id, nil); err != nil {
		t.Fatal(err)
	}
	return id
}

func (s *server) invoke(t *testing.T, id, payload string) (string, error) {
	t.Helper()
	r, err := s.Invoke(t.Context(), id, api.InvokeRequest{Payload: json.RawMessage(payload)}, client.InvokeOptions{})
	return string(r.Body), err
}

func TestDeployAndInvoke(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := s.deploy(t, "hello", `async function lambda(input) { console.log('hi', input.payload); return { hello: input.payload.name } }`)
	got, err := s.invoke(t, id, `{"name":"Ada"}`)
	if got != `{"hello":"Ada"}` || err != nil {
		t.Fatalf("answer = %s, %v", got, err)
	}
	logs, err := s.Logs(t.Context(), client.LogFilter{FunctionID: id})
	if err != nil || len(logs) != 1 || logs[0].Message != "hi" {
		t.Errorf("logs = %+v, %v", logs, err)
	}
}

// TestRedeployUnderLoad drives traffic through 20 redeploys and a roll back
// and sees only 200s and only old or new answers.
func TestRedeployUnderLoad(t *testing.T) {
	t.Parallel()
	s := start(t)
	code := func(n int) string {
		return fmt.Sprintf(`async function lambda() { await new Promise((r) => setTimeout(r, %d)); return %d }`, n%3, n)
	}
	id := s.deploy(t, "busy", code(0))

	// live is the newest version that may answer, settled the oldest.
	var live, settled, count atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				oldest, before := settled.Load(), live.Load()
				got, err := s.invoke(t, id, "1")
				newest := max(before, live.Load()) // the roll back lowers it meanwhile
				var n int64
				if err != nil || json.Unmarshal([]byte(got), &n) != nil || n < oldest || n > newest {
					t.Errorf("answer %q, %v; versions %d to %d may answer", got, err, oldest, newest)
					return
				}
				count.Add(1)
			}
		})
	}
	for n := 1; n <= 20; n++ {
		live.Store(int64(n))
		s.deploy(t, "busy", code(n))
		settled.Store(int64(n)) // deployed: nothing older may answer from now on
	}
	settled.Store(18)
	back := 20 // the 20th version returns 19
	if _, err := s.Deploy(t.Context(), id, &back); err != nil {
		t.Error(err)
	}
	live.Store(19)
	close(stop)
	wg.Wait()
	if got, err := s.invoke(t, id, "1"); got != "19" || err != nil {
		t.Errorf("after the roll back: %s, %v", got, err)
	}
	t.Logf("%d invocations through 20 redeploys and a roll back", count.Load())
	if count.Load() < 100 {
		t.Errorf("only %d invocations: this shows nothing", count.Load())
	}
}

// TestWireForms holds what the public clients of the reference look at
// (spec/api-surface.md 0 and 3).
func TestWireForms(t *testing.T) {
	t.Parallel()
	s := start(t)
	threw := s.deploy(t, "threw", `async function lambda() { throw new Error('no stock') }`)
	broken := s.deploy(t, "broken", `async function lambda(i) { return i.a.b }`)
	slow := s.deploy(t, "slow", `async function lambda() { for (;;); }`, func(m *api.ManifestRequest) { m.Settings = &api.Settings{TimeoutMs: 200} })
	ok := s.deploy(t, "ok", `async function lambda(i) { return i.payload }`)
	f, err := s.CreateFunction(t.Context(), api.CreateFunctionRequest{Name: "draft"})
	if err != nil {
		t.Fatal(err)
	}
	const unknown = "11111111-2222-4333-8444-555555555555"
	for _, c := range []struct {
		path, body string
		status     int
		want       string
	}{
		{"/lambdas/" + ok + "/invoke", `{"payload":"text"}`, 200, `"text"`},
		{"/lambdas/" + ok + "/invoke?v=1&skillId=&externalSystem=shop", `{"timestamp":0,"headers":[],"payload":null}`, 200, `null`},
		{"/lambdas/" + threw + "/invoke", `{"payload":1}`, 901, `"code":"com.customer.faas.function.threw-error","message":"Function Invocation failed due to an issue caused by customer coding"`},
		{"/lambdas/" + threw + "/invoke?v=1", `{"payload":1}`, 901, `{"errorCode":"com.liveperson.faas.handler.custom-failure","errorMsg":"no stock"}`},
		{"/lambdas/" + broken + "/invoke", `{"payload":1}`, 901, `"code":"com.customer.faas.function.js-runtime-error"`},
		{"/lambdas/" + broken + "/invoke?v=1", `{"payload":1}`, 901, `"errorCode":"com.liveperson.faas.handler.runtime-exception"`},
		{"/lambdas/" + slow + "/invoke", `{"payload":1}`, 901, `"code":"com.customer.faas.function.execution-exceeded"`},
		{"/lambdas/" + slow + "/invoke?v=1", `{"payload":1}`, 901, `"errorCode":"com.liveperson.faas.handler.executiontime-exceeded"`},
		{"/lambdas/" + unknown + "/invoke", `{"payload":1}`, 404, `{"code":"com.liveperson.faas.function.not-found","message":"There is no ` + unknown + ` deployed on 10000001"}`},
		{"/lambdas/" + unknown + "/invoke?v=1", `{"payload":1}`, 404, `{"errorCode":"com.liveperson.faas.es.missinglambda","errorMsg":"There is no ` + unknown + ` deployed on 10000001"}`},
		{"/lambdas/" + f.UUID + "/invoke", `{"payload":1}`, 404, `com.liveperson.faas.function.not-found`},
		{"/lambdas/" + ok + "/invoke", `{}`, 400, `com.liveperson.faas.evg.invalid`},
		{"/lambdas/" + ok + "/invoke?v=1", `{`, 400, `com.liveperson.faas.es.badinput`},
		{"/lambdas/" + ok + "/invoke", `{"payload":"` + strings.Repeat("x", 1<<20) + `"}`, 413, `com.liveperson.faas.ui.payload-too-large`},
		{"/events/nobody_listens/invoke", `{"payload":1}`, 200, `[]`},
	} {
		status, body, header := s.post(t, c.path, c.body)
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %s, want %d %s", c.path, status, body, c.status, c.want)
		}
		if header.Get("X-Request-ID") != "given-id" || !strings.HasPrefix(header.Get("Content-Type"), "application/json") {
			t.Errorf("%s: headers %v", c.path, header)
		}
	}
}

func (s *server) post(t *testing.T, path, body string) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/api/account/"+convoke.DefaultAccountID+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Request-ID", "given-id")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(b)), resp.Header
}

// TestSkills: which functions of an event run (spec/events.md 3).
func TestSkills(t *testing.T) {
	t.Parallel()
	s := start(t)
	const messaging = "controllerbot_messaging_ttr"
	add := func(name, eventID string, skills ...string) string {
		f, err := s.CreateFunction(t.Context(), api.CreateFunctionRequest{Name: name, EventID: eventID, Skills: skills})
		if err != nil {
			t.Fatal(err)
		}
		s.deploy(t, name, fmt.Sprintf(`async function lambda() { return %q }`, name))
		return f.UUID
	}
	add("a", messaging, "1", "2")
	add("b", messaging, "3")
	add("x", "own_event")
	add("y", "own_event")
	for _, c := range []struct{ event, skill, want string }{
		{messaging, "1", "a"}, {messaging, "3", "b"}, {messaging, "4", ""}, {messaging, "", ""}, {"own_event", "", "x y"}, {"own_event", "9", "x y"},
	} {
		_, body, _ := s.post(t, "/events/"+c.event+"/invoke?skillId="+c.skill, `{"payload":{}}`)
		var results []api.EventResult
		if err := json.Unmarshal([]byte(body), &results); err != nil {
			t.Fatal(body)
		}
		names := []string{}
		for _, r := range results {
			names = append(names, strings.Trim(string(r.Result), `"`))
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%s with skill %q ran %q, want %q", c.event, c.skill, got, c.want)
		}
		yes, err := s.Implemented(t.Context(), c.event, c.skill)
		if yes != (c.want != "") || err != nil {
			t.Errorf("%s with skill %q: implemented = %v, %v", c.event, c.skill, yes, err)
		}
	}
	// Changed skills hold for the next event, without a deployment.
	id, err := s.Lookup(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.UpdateFunction(t.Context(), id, api.UpdateFunctionRequest{Skills: &[]string{"4"}}); err != nil {
		t.Fatal(err)
	}
	if _, body, _ := s.post(t, "/events/"+messaging+"/invoke?skillId=4", `{"payload":{}}`); !strings.Contains(body, `"b"`) {
		t.Errorf("after changing skills: %s", body)
	}
}

// TestRestart: what was acknowledged is there after a stop and a start.
func TestRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startIn(t, dir)
	id := s.deploy(t, "keeper", `async function lambda() { return 'kept' }`)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	s = startIn(t, dir)
	if got, err := s.invoke(t, id, "1"); got != `"kept"` || err != nil {
		t.Errorf("after a restart: %s, %v", got, err)
	}
}

// TestOneServerPerDataDirectory: a second server is refused, not corrupting.
func TestOneServerPerDataDirectory(t *testing.T) {
	t.Parallel()
	s := start(t)
	cfg, err := config.Load(config.LoadOptions{Env: map[string]string{
		"CONVOKE_LISTEN": "127.0.0.1:0", "CONVOKE_DATA": s.dir, "CONVOKE_RUNTIMES": filepath.Join("..", "..", "runtime", "node")}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := app.New(t.Context(), cfg, io.Discard); err == nil || !strings.Contains(err.Error(), "another server") {
		t.Errorf("a second server on the same data: %v", err)
	}
}

// TestGracefulStop: an invocation under way is answered.
func TestGracefulStop(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := s.deploy(t, "slow", `async function lambda() { console.log('begun'); await new Promise((r) => setTimeout(r, 500)); return 'done' }`)
	answer := make(chan string, 1)
	go func() {
		got, err := s.invoke(t, id, "1")
		answer <- fmt.Sprint(got, err)
	}()
	for begun := false; !begun; {
		logs, err := s.Logs(t.Context(), client.LogFilter{FunctionID: id})
		if err != nil {
			t.Fatal(err)
		}
		begun = len(logs) > 0
	}
	begin := time.Now()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if got := <-answer; got != `"done"<nil>` {
		t.Errorf("answer = %s", got)
	}
	t.Logf("stopped in %s", time.Since(begin))
}
