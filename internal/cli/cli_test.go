package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"convoke"
	"convoke/api"
	"convoke/internal/config"
)

func TestHelp(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.want(ExitOK, []string{"Functions:", "Server:", "deploy", "serve", "exit-codes", "completion"}, nil)
	s.want(ExitOK, []string{"8    the function itself failed"}, nil, "help", "exit-codes")
	s.want(ExitOK, []string{"1.2.3"}, nil, "version")
	s.want(ExitOK, []string{`"version": "1.2.3"`}, nil, "version", "--json")
	s.want(ExitOK, []string{"bash completion"}, nil, "completion", "bash")
	for _, name := range []string{"serve", "deploy", "invoke", "list", "logs", "invocations", "versions", "rollback", "undeploy", "remove", "runtimes", "config", "doctor",
		"login", "logout", "whoami", "limits", "activity", "show"} {
		s.want(ExitOK, []string{"Usage:", "Examples:", "convoke " + name}, nil, name, "--help")
	}
	for group, names := range map[string][]string{
		"domain": {"add", "list", "remove"}, "token": {"create", "list", "revoke"}, "profile": {"list", "use", "remove"}, "account": {"create", "list", "show", "update"},
		"user":     {"create", "list", "disable", "enable", "set-roles", "reset-password", "remove", "password", "sessions", "sessions end"},
		"settings": {"show", "set"},
	} {
		for _, name := range names {
			s.want(ExitOK, []string{"Examples:", "convoke " + group + " " + name}, nil, append(strings.Fields(group+" "+name), "--help")...)
		}
	}
}

func TestUnknown(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.want(ExitUsage, nil, []string{`there is no command "dploy"; did you mean deploy?`}, "dploy", "x")
	s.want(ExitUsage, nil, []string{`did you mean deploy?`}, "deplyo", "x", "--name", "y")
	s.want(ExitUsage, nil, []string{"convoke --help lists all"}, "teleport")
	s.want(ExitUsage, nil, []string{"convoke --help lists all", "!did you mean"}, "bogus") // not logs
	s.want(ExitUsage, nil, []string{"did you mean logs?"}, "logz")
	s.want(ExitUsage, nil, []string{"unknown flag: --nope"}, "--nope")
	s.want(ExitUsage, nil, []string{`"exitCode":2`, "convoke.cli.usage"}, "teleport", "--json")
}

func TestConnection(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.env["CONVOKE_TOKEN"] = "bad"
	s.want(ExitAuth, nil, []string{"the token is wrong", "hint: convoke login signs in; or give a token by CONVOKE_TOKEN"}, "list")
	s.want(ExitOK, nil, nil, "list", "--token", "good")
	delete(s.env, "CONVOKE_TOKEN")
	s.want(ExitAuth, nil, []string{"there is no token for account 10000001 of " + s.fake.url}, "list")
	s.want(ExitUnavailable, nil, []string{"cannot reach http://127.0.0.1:1", "cause:", "hint: convoke serve"}, "list", "--url", "http://127.0.0.1:1", "--token", "x")
	s.want(ExitUsage, nil, []string{"is no URL of a server"}, "list", "--url", "localhost:1", "--token", "x")
	s.want(ExitUsage, nil, []string{"an account id is 1 to 20 digits"}, "list", "--account", "me", "--token", "x")

	// The profile: found by --profile, CONVOKE_PROFILE, or in its usual place.
	delete(s.env, "CONVOKE_URL")
	saved := config.Profile{URL: s.fake.url, Account: "10000001", Token: convoke.NewSecret("good")}
	usual, err := config.ProfilePath(s.env)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{usual, filepath.Join(s.dir, "p.yaml")} {
		if err := config.SaveProfile(path, saved); err != nil {
			t.Fatal(err)
		}
	}
	s.want(ExitOK, nil, nil, "list")
	s.want(ExitOK, nil, nil, "list", "--profile", filepath.Join(s.dir, "p.yaml"))
	if err := os.Chmod(usual, 0o644); err != nil {
		t.Fatal(err)
	}
	s.want(ExitUsage, nil, []string{"chmod 600 " + usual}, "list")
	s.env["CONVOKE_PROFILE"] = filepath.Join(s.dir, "p.yaml")
	s.want(ExitOK, nil, nil, "list")
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	s := deployed(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.fake.answer = func(w http.ResponseWriter, _ []byte) { cancel() }
	if got := s.runContext(ctx, "invoke", "hello"); got.code != ExitInterrupted {
		t.Errorf("got %+v, want exit code %d", got, ExitInterrupted)
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	s := deployed(t)
	s.want(ExitOK, []string{"hello"}, nil, "__complete", "invoke", "")
	s.want(ExitOK, []string{"!hello"}, nil, "__complete", "invoke", "hello", "")
	s.env["CONVOKE_URL"] = "http://127.0.0.1:1"
	s.want(ExitOK, []string{"!hello"}, nil, "__complete", "logs", "")
}

// TestUnknownCertificate: that the server runs is not the question then.
func TestUnknownCertificate(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshake that fails
	srv.StartTLS()
	defer srv.Close()
	s := newShell(t)
	s.want(ExitUnavailable, nil, []string{"the certificate of " + srv.URL + " is not to be trusted", "unknown authority", "hint: SSL_CERT_FILE", "tls/ca.pem", "!running"}, "list", "--url", srv.URL)
}

// TestActivityLimit: 0 is no number of activities.
func TestActivityLimit(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	asked := ""
	s.answers(map[string]func(http.ResponseWriter, *http.Request){
		"GET /activities": func(w http.ResponseWriter, r *http.Request) { asked = r.URL.RawQuery; reply(w, []api.Activity{}) },
	})
	for _, limit := range []string{"0", "-1", "1001"} {
		s.want(ExitUsage, nil, []string{"--limit takes 1 to 1000, not " + limit}, "activity", "--limit", limit)
	}
	if asked != "" {
		t.Errorf("the server was asked: %s", asked)
	}
	s.want(ExitOK, nil, nil, "activity")
	if asked != "limit=100" {
		t.Errorf("asked for %q without --limit", asked)
	}
	s.want(ExitOK, nil, nil, "activity", "--limit", "1000")
	if asked != "limit=1000" {
		t.Errorf("asked for %q with --limit 1000", asked)
	}
}

func TestServingCommands(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.file("c.yaml", "listen: 127.0.0.1:9\nmaxWait: 3s\n")
	var served *config.Config
	var issued []any
	s.serve = ServerCommands{
		Serve: func(_ context.Context, c *config.Config) error { served = c; return nil },
		CreateToken: func(_ context.Context, data, account, role, name string, ttl time.Duration) (string, bool, error) {
			issued = []any{data, account, role, name, ttl}
			return "tok", false, nil
		},
		Doctor: func(context.Context, *config.Config) (Report, error) {
			return Report{[]Check{{"data", CheckOK, "fine", "unseen"}, {"node", CheckFail, "missing", "install it"}, {"disk", CheckWarn, "small", ""}}}, nil
		},
		Runtimes: func(_ context.Context, c *config.Config) ([]Runtime, error) {
			return []Runtime{{"node26", "26.2.0", c.Runtimes + "/node", true}}, nil
		},
	}
	s.want(ExitOK, nil, nil, "serve", "--config", filepath.Join(s.dir, "c.yaml"), "--listen", ":7", "--metrics-public", "--log-level", "debug", "--write-profile", "here")
	if served.Listen != ":7" || served.MaxWait != 3*time.Second || !served.MetricsPublic || served.WriteProfile != "here" || served.Source("listen") != "--listen" {
		t.Errorf("served with %+v", served)
	}
	s.want(ExitUsage, nil, []string{"--max-wait: maxWait must be a duration"}, "serve", "--max-wait", "soon")
	s.env["CONVOKE_PROFILE"] = "mine"
	s.want(ExitOK, nil, nil, "serve", "--write-profile", "")
	if usual, err := config.ProfilePath(s.env); err != nil || served.WriteProfile != usual {
		t.Errorf("an empty --write-profile writes %q, want %q (%v)", served.WriteProfile, usual, err)
	}
	s.want(ExitOK, nil, nil, "serve")
	if served.WriteProfile != "" {
		t.Errorf("CONVOKE_PROFILE, which is to be read, makes the server write %q", served.WriteProfile)
	}
	s.want(ExitUsage, nil, []string{"--write-profile FILE writes one"}, "serve", "--profile", "here")
	s.want(ExitOK, []string{
		"--listen string ", "(default \"127.0.0.1:8080\")", "--max-wait duration ", "(default 10s)", "--max-instances int ", "--metrics-public ", "(default true)",
		"wait for an instance of one function", "!(default )", "!(default 0)", "!--metrics-public bool",
	}, nil, "serve", "--help")

	s.want(ExitOK, []string{"tok\n"}, nil, "token", "create", "--role", "invoker", "--name", "shop", "--ttl", "1h", "--data", "/d", "--account", "77")
	if want := []any{"/d", "77", "invoker", "shop", time.Hour}; !equal(issued, want) {
		t.Errorf("issued %v, want %v", issued, want)
	}
	s.want(ExitUsage, nil, []string{"no server has run on /", "hint: --data or CONVOKE_DATA"}, "token", "create")
	s.env["CONVOKE_DATA"] = "/d"
	s.want(ExitOK, []string{`"token": "tok"`, `"role": "developer"`}, nil, "token", "create", "--json")
	s.want(ExitUsage, nil, []string{`role "root" does not exist`}, "token", "create", "--role", "root")
	s.want(ExitUsage, nil, []string{"--ttl must not be negative"}, "token", "create", "--ttl", "-1h")
	s.want(ExitUsage, nil, []string{"1 to 20 digits"}, "token", "create", "--account", "x")
	s.want(ExitUsage, nil, []string{"did you mean revoke?"}, "token", "revok", "x")
	s.serve.CreateToken = func(context.Context, string, string, string, string, time.Duration) (string, bool, error) {
		return "tok", true, nil
	}
	s.want(ExitOK, []string{"tok\n"}, []string{"no server has run on /new yet"}, "token", "create", "--data", "/new")

	s.want(ExitFailure, []string{"ok    data: fine\n", "fail  node: missing\n      hint: install it\n", "warn  disk", "!unseen"}, []string{"1 of 3 checks failed"}, "doctor")
	s.want(ExitOK, []string{"node26", "26.2.0", "/rt/node"}, nil, "runtimes", "--local", "--runtimes", "/rt")
	s.want(ExitOK, []string{"node26", "Node.js 26"}, nil, "runtimes")

	got := s.want(ExitOK, []string{"listen: 127.0.0.1:9", "c.yaml:1", "adminPassword"}, nil, "config", "--config", filepath.Join(s.dir, "c.yaml"))
	s.file("again.yaml", got.stdout)
	s.want(ExitOK, []string{`"listen": "127.0.0.1:9"`, `"limits.maxTimeout": "5m"`}, nil, "config", "--config", filepath.Join(s.dir, "again.yaml"), "--json")

	s.serve.Serve = func(context.Context, *config.Config) error { return errors.New("listen: address in use") }
	s.want(ExitFailure, nil, []string{"convoke: listen: address in use"}, "serve")
	broken := &convoke.Error{Code: convoke.CodeValidation, Message: "the folder cannot be used", Cause: errors.New("mkdir /proc/x: no such file")}
	s.serve.Serve = func(context.Context, *config.Config) error { return broken }
	s.want(ExitUsage, nil, []string{"convoke: the folder cannot be used\n  cause: mkdir /proc/x: no such file\n"}, "serve")
	s.want(ExitUsage, nil, []string{`"cause":"mkdir /proc/x: no such file"`}, "serve", "--json")
	s.serve.Serve = func(context.Context, *config.Config) error { return fmt.Errorf("no start, ask the doctor: %w", broken) }
	s.want(ExitUsage, nil, []string{"convoke: no start, ask the doctor: the folder cannot be used\n  cause: mkdir"}, "serve")
}

func equal(a, b []any) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

// TestExitCodesCoverAllCodes: a code without a place is an unexplained 1.
func TestExitCodesCoverAllCodes(t *testing.T) {
	t.Parallel()
	for _, code := range []convoke.Code{
		convoke.CodeInvalid, convoke.CodeUnavailable, convoke.CodeFunctionNotFound, convoke.CodeUnchanged, convoke.CodeThrew, convoke.CodeRuntimeError,
		convoke.CodeTimeout, convoke.CodeLimitReached, convoke.CodeValidation, convoke.CodeValidationSyntax, convoke.CodeValidationLambda,
		convoke.CodeValidationTooLong, convoke.CodeActionNotAllowed, convoke.CodeBuildFailed, convoke.CodeDeployFailed, convoke.CodeRevision,
		convoke.CodeConflict, convoke.CodeNotFound, convoke.CodePayloadTooLarge, convoke.CodeUnauthorized, convoke.CodeForbidden,
		convoke.CodeThrottled, convoke.CodeLocked, convoke.CodeLimitExceeded, convoke.CodeStorageFull, convoke.CodeRouteNotFound, convoke.CodeConditionFailed,
	} {
		if got := exitOf(&convoke.Error{Code: code}); got == ExitFailure {
			t.Errorf("%s has no exit code", code)
		}
	}
	if got := strings.Count(exitCodes().Long, "\n") + 1; got != 12 {
		t.Errorf("help describes %d exit codes, want 12", got)
	}
}
