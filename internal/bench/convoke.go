package bench

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"convoke"
	"convoke/api"
)

const (
	apiTimeout  = 60 * time.Second
	maxAnswer   = 4 << 20
	deployWidth = 3 // the default limit of deployments under way in an account
)

// Further functions that only Convoke runs.
var (
	logSource = strings.Replace(helloSource, "  return", "  console.log('greeting', input.payload.name);\n  return", 1)
	// performance.now has the resolution that Date.now lacks.
	busySource = strings.Replace(helloSource, "  return", "  const end = performance.now() + 5;\n  while (performance.now() < end);\n  return", 1)
	waitSource = strings.Replace(helloSource, "  return", "  await new Promise((done) => setTimeout(done, 2000));\n  return", 1)
)

// server is a Convoke server with a data folder of its own.
type server struct {
	binary  string
	data    string
	account string
	flags   []string // further ones of `convoke serve`

	address string
	token   string
	proc    *child
	ready   time.Duration // from starting the process to its own word that it is ready

	mu        sync.Mutex
	functions map[string]string // uuid by name
}

func newServer(binary, data string) *server {
	return &server{binary: binary, data: data, account: convoke.DefaultAccountID, functions: map[string]string{}}
}

// tenant is the running server as another account sees it.
func (s *server) tenant(ctx context.Context, account string) (*server, error) {
	t := newServer(s.binary, s.data)
	t.account, t.address, t.proc = account, s.address, s.proc
	var err error
	t.token, err = t.createToken(ctx, convoke.RoleDeveloper)
	return t, err
}

func (s *server) name() string { return "convoke" }
func (s *server) pid() int     { return s.proc.pid() }

// start starts the server. The first time it makes a token and deploys the
// hello function; from then on it returns when that function has answered.
func (s *server) start(ctx context.Context) error {
	if s.token == "" {
		return s.startNew(ctx)
	}
	if err := s.launch(ctx); err != nil {
		return err
	}
	return s.proc.await(ctx, func(ctx context.Context) error { return ask(ctx, s.hello()) })
}

func (s *server) startNew(ctx context.Context) error {
	if err := s.launch(ctx); err != nil {
		return err
	}
	var err error
	if s.token, err = s.createToken(ctx, convoke.RoleDeveloper); err != nil {
		return err
	}
	return s.deploy(ctx, "hello", helloSource, nil)
}

func (s *server) createToken(ctx context.Context, role convoke.Role) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.binary, "token", "create",
		"--data", s.data, "--account", s.account, "--role", string(role))
	var complaints tail
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	fields := strings.Fields(string(out))
	if err != nil || len(fields) == 0 {
		return "", fmt.Errorf("%s token create: %v: %s", s.binary, err, &complaints)
	}
	return fields[len(fields)-1], nil
}

// accessToken registers a client and gets it a token as the public clients do
// (spec/api-surface.md 2.5).
func (s *server) accessToken(ctx context.Context) (string, error) {
	admin, err := s.createToken(ctx, convoke.RoleAdmin)
	if err != nil {
		return "", err
	}
	as := server{address: s.address, account: s.account, token: admin}
	var c api.ClientWithSecret
	err = as.call(ctx, "POST", "/clients", api.CreateClientRequest{
		Name: "bench", GrantTypes: []string{string(convoke.GrantClientCredentials)}, Scopes: []string{string(convoke.ScopeInvoke)},
	}, &c)
	if err != nil {
		return "", err
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ID}, "client_secret": {c.Secret}}
	resp, err := http.PostForm("http://"+s.address+"/sentinel/api/account/"+s.account+"/app/token?v=2.0", form)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var out struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&out); err != nil || out.Token == "" {
		return "", fmt.Errorf("no access token: status %d, %v", resp.StatusCode, err)
	}
	return out.Token, nil
}

// launch starts the process and waits until it says that it is ready.
func (s *server) launch(ctx context.Context) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	s.address = address
	began := time.Now()
	// The working folder stays ours: the server looks for the Node builds there.
	args := append([]string{"serve", "--data", s.data, "--listen", address}, s.flags...)
	if s.proc, err = startChild("", nil, s.binary, args...); err != nil {
		return err
	}
	err = s.proc.await(ctx, func(ctx context.Context) error {
		_, err := s.request(ctx, "GET", "/readyz", nil)
		return err
	})
	s.ready = time.Since(began)
	return err
}

func (s *server) stop() error {
	if s.proc == nil {
		return nil
	}
	proc := s.proc
	s.proc = nil
	return proc.stop()
}

func (s *server) restart(ctx context.Context) error {
	if err := s.stop(); err != nil {
		return err
	}
	return s.start(ctx)
}

func (s *server) hello() Load { return s.invoke("hello") }

// invoke is a request for a function that was deployed under that name.
func (s *server) invoke(name string) Load {
	l := request(s.address, s.token)
	l.Targets = []Target{s.target(name)}
	return l
}

func (s *server) target(name string) Target {
	s.mu.Lock()
	defer s.mu.Unlock()
	return targetIn(s.account, s.functions[name])
}

func targetOf(uuid string) Target { return targetIn(convoke.DefaultAccountID, uuid) }

func targetIn(account, uuid string) Target {
	return Target{Path: "/api/account/" + account + "/lambdas/" + uuid + "/invoke", Expect: helloExpect}
}

// deploy creates a function of that name unless it exists, saves the source
// and makes it live.
func (s *server) deploy(ctx context.Context, name, source string, settings *api.Settings) error {
	s.mu.Lock()
	uuid := s.functions[name]
	s.mu.Unlock()
	if uuid == "" {
		var f api.Function
		if err := s.call(ctx, "POST", "/functions", api.CreateFunctionRequest{Name: name}, &f); err != nil {
			return err
		}
		uuid = f.UUID
		s.mu.Lock()
		s.functions[name] = uuid
		s.mu.Unlock()
	}
	if err := s.call(ctx, "PUT", "/functions/"+uuid+"/manifest", api.ManifestRequest{Code: &source, Settings: settings}, nil); err != nil {
		return err
	}
	return s.call(ctx, "POST", "/deployments/"+uuid+"?wait=true", nil, nil)
}

// fresh deploys n functions, each with a source of its own, and starts the
// server anew, so that not even the instance that proved that they load is left.
func (s *server) fresh(ctx context.Context, n int) ([]Target, error) {
	targets := make([]Target, n)
	run := time.Now().UnixNano()
	group, deploying := errgroup.WithContext(ctx)
	group.SetLimit(deployWidth)
	for i := range targets {
		group.Go(func() error {
			name := fmt.Sprintf("fresh-%d-%d", run, i)
			if err := s.deploy(deploying, name, helloSource+"// "+name+"\n", nil); err != nil {
				return err
			}
			targets[i] = s.target(name)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return targets, s.restart(ctx)
}

func (s *server) redeploy(ctx context.Context, greeting string) error {
	return s.deploy(ctx, "hello", strings.ReplaceAll(helloSource, "Hello", greeting), nil)
}

// call makes one request of the management API below the account.
func (s *server) call(ctx context.Context, method, path string, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	answer, err := s.request(ctx, method, "/api/account/"+s.account+path, &body)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(answer, out)
}

// request returns the body of a successful answer.
func (s *server) request(ctx context.Context, method, path string, body io.Reader) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.address+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err := cmp.Or(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		return nil, fmt.Errorf("%s %s: status %d: %.1000s", method, path, resp.StatusCode, answer)
	}
	return answer, nil
}
