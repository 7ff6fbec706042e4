package client_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"convoke"
	"convoke/api"
	"convoke/client"
)

// The examples and tests of this package run against a whole server, which has
// the function greeting; token is an administrator's.
var serverURL, token string

const greeting = `async function lambda(input) {
  if (!input.payload.name) throw new Error("who is there?");
  return { text: "Hello " + input.payload.name };
}`

func TestMain(m *testing.M) {
	code, err := withServer(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = cmp.Or(code, 1)
	}
	os.Exit(code)
}

// withServer runs do beside a server and returns its exit code. The server is
// the program and not its packages: go mod tidy of a module that uses the client
// looks at what these tests import. CONVOKE_BIN names one instead of building it.
func withServer(do func() int) (code int, err error) {
	dir, err := os.MkdirTemp("", "convoke-client-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	binary := os.Getenv("CONVOKE_BIN")
	if binary == "" {
		binary = filepath.Join(dir, "convoke")
		if out, err := exec.Command("go", "build", "-o", binary, "../cmd/convoke").CombinedOutput(); err != nil {
			return 0, fmt.Errorf("build convoke: %w\n%s", err, out)
		}
	}
	data := filepath.Join(dir, "data")
	serve := exec.Command(binary, "serve", "--log-format", "json", "--listen", "127.0.0.1:0", "--data", data, "--runtimes", filepath.Join("..", "runtime", "node"))
	out, err := serve.StderrPipe()
	if err != nil {
		return 0, err
	}
	if err := serve.Start(); err != nil {
		return 0, err
	}
	defer func() {
		_ = serve.Process.Signal(syscall.SIGTERM) // it may have ended: the outcome says how
		err = cmp.Or(err, serve.Wait())
	}()
	if serverURL, err = address(out); err != nil {
		return 0, err
	}
	text, err := exec.Command(binary, "token", "create", "--data", data, "--role", "admin").Output()
	if err != nil {
		return 0, fmt.Errorf("make a token: %w", err)
	}
	token = strings.TrimSpace(string(text))
	if err := prepare(context.Background()); err != nil {
		return 0, err
	}
	return do(), nil
}

// address waits until the server says where it listens, and reads on so that
// its log never blocks it.
func address(out io.Reader) (string, error) {
	lines := bufio.NewScanner(out)
	var all []string
	for lines.Scan() {
		var ready struct{ Msg, Address string }
		if json.Unmarshal(lines.Bytes(), &ready) == nil && ready.Msg == "ready" {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return "http://" + ready.Address, nil
		}
		all = append(all, lines.Text())
	}
	return "", errors.New("the server ended; it wrote:\n" + strings.Join(all, "\n"))
}

// prepare makes the function of the examples.
func prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	c, err := client.New(client.Config{URL: serverURL, Token: convoke.NewSecret(token)})
	if err != nil {
		return err
	}
	fn, err := c.CreateFunction(ctx, api.CreateFunctionRequest{Name: "greeting"})
	if err != nil {
		return err
	}
	code := greeting
	if err := c.SaveManifest(ctx, fn.UUID, api.ManifestRequest{Code: &code}); err != nil {
		return err
	}
	_, err = c.Deploy(ctx, fn.UUID, nil)
	return err
}

// connect is a client of the server.
func connect(t *testing.T, cfg client.Config) *client.Client {
	t.Helper()
	cfg.URL = serverURL
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// spoiler counts the requests to a path, and can make the token of the moment
// one that the server does not know.
type spoiler struct {
	path    string
	mu      sync.Mutex
	n       int
	last    string
	spoiled string
}

func (c *spoiler) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	switch sent := r.Header.Get("Authorization"); {
	case r.URL.Path == c.path:
		c.n++
	case sent == c.spoiled:
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer unknown")
	default:
		c.last = sent
	}
	c.mu.Unlock()
	return http.DefaultTransport.RoundTrip(r)
}

func (c *spoiler) spoil() { c.spoiled = c.last }

// TestClientCredentials: many calls share one token, and one that the server
// does not take any more is replaced without anybody noticing.
func TestClientCredentials(t *testing.T) {
	t.Parallel()
	admin := connect(t, client.Config{Token: convoke.NewSecret(token)})
	reg, err := admin.CreateClient(t.Context(), api.CreateClientRequest{
		Name: "program", GrantTypes: []string{"client_credentials"}, Scopes: []string{"faas.lambda.invoke", "faas.function.read"},
	})
	if err != nil {
		t.Fatal(err)
	}
	asked := &spoiler{path: "/oauth2/token"}
	c := connect(t, client.Config{HTTP: &http.Client{Transport: asked}, Credentials: client.ClientCredentials{ID: reg.ID, Secret: convoke.NewSecret(reg.Secret)}})
	id, err := c.Lookup(t.Context(), "greeting")
	if err != nil {
		t.Fatal(err)
	}
	invokeAtOnce := func() {
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				in := api.InvokeRequest{Payload: json.RawMessage(`{"name":"Ada"}`)}
				if got, err := c.Invoke(t.Context(), id, in, client.InvokeOptions{}); err != nil || string(got.Body) != `{"text":"Hello Ada"}` {
					t.Errorf("got %s, error %v", got.Body, err)
				}
			})
		}
		wg.Wait()
	}
	invokeAtOnce()
	if asked.n != 1 {
		t.Errorf("asked for a token %d times, want once", asked.n)
	}

	asked.spoil()
	invokeAtOnce()
	if asked.n != 2 {
		t.Errorf("asked for a token %d times, want once more", asked.n)
	}
	asked.spoil() // the list of functions answers 403 to it
	if _, err := c.Lookup(t.Context(), "greeting"); err != nil || asked.n != 3 {
		t.Errorf("error %v, asked for a token %d times", err, asked.n)
	}

	// What was never good fails with its reason, and is not tried with each call.
	wrong := &spoiler{path: "/oauth2/token"}
	c = connect(t, client.Config{HTTP: &http.Client{Transport: wrong}, Credentials: client.ClientCredentials{ID: reg.ID, Secret: convoke.NewSecret("cvo_wrong")}})
	for range 3 {
		if _, err := c.Functions(t.Context(), client.FunctionFilter{}); convoke.ErrorCode(err) != convoke.CodeUnauthorized {
			t.Errorf("a wrong secret: %v", err)
		}
	}
	if wrong.n != 1 {
		t.Errorf("a wrong secret was tried %d times", wrong.n)
	}
	// Scopes are asked for as they are given.
	c = connect(t, client.Config{Credentials: client.ClientCredentials{ID: reg.ID, Secret: convoke.NewSecret(reg.Secret), Scopes: []string{"faas.function.read"}}})
	if _, err := c.Lookup(t.Context(), "greeting"); err != nil {
		t.Error(err)
	}
	if _, err := c.Invoke(t.Context(), id, api.InvokeRequest{}, client.InvokeOptions{}); convoke.ErrorCode(err) != convoke.CodeForbidden {
		t.Errorf("beyond the scopes: %v", err)
	}
}

// TestPassword: a session that was ended is followed by another one.
func TestPassword(t *testing.T) {
	t.Parallel()
	admin := connect(t, client.Config{Token: convoke.NewSecret(token)})
	const password = "correct horse battery"
	ann := client.Password{LoginName: "ann", Password: convoke.NewSecret(password)}
	made, err := admin.CreateUser(t.Context(), api.CreateUserRequest{LoginName: ann.LoginName, Roles: []string{"developer"}, Password: password + " first"})
	if err != nil {
		t.Fatal(err)
	}
	first := connect(t, client.Config{Credentials: client.Password{LoginName: "ann", Password: convoke.NewSecret(password + " first")}})
	if err := first.ChangePassword(t.Context(), convoke.NewSecret(password+" first"), ann.Password); err != nil {
		t.Fatal(err)
	}

	asked := &spoiler{path: "/api/account/" + convoke.DefaultAccountID + "/login"}
	c := connect(t, client.Config{HTTP: &http.Client{Transport: asked}, Credentials: ann})
	is := func(signedIn int) {
		t.Helper()
		me, err := c.Me(t.Context())
		if err != nil || me.UserID != made.ID || asked.n != signedIn {
			t.Fatalf("%+v, error %v; signed in %d times, want %d", me, err, asked.n, signedIn)
		}
	}
	is(1)
	is(1)
	if err := c.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	is(2)
}
