package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// world is what a script has beside its files.
type world struct {
	server   server
	watchers map[string]*process
}

type worldKey struct{}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

// close ends what still runs. The error is a data race in the server.
func (w *world) close() error {
	for _, one := range w.watchers {
		_ = one.stop(os.Kill)
	}
	return w.server.stop(os.Kill)
}

// commands are the words of scripts beyond testscript's own:
//
//	serve [NAME=VALUE...] [FLAG...]   start the server; the first time it also makes an admin token
//	killserver                        SIGKILL
//	stopserver                        SIGTERM; it must end with exit code 0
//	stoptwice                         SIGTERM twice; it must end long before its grace is over
//	exits CODE ARG...                 run convoke; the exit code must be CODE
//	http STATUS METHOD PATH [BODY]    body to stdout, headers to stderr; BODY is text or @FILE
//	form STATUS PATH NAME=VALUE...    POST a form, as nobody; body to stdout, headers to stderr
//	json PATH [VALUE]                 stdout is JSON and has PATH ("0.result.text", "." is all), with VALUE (a part suffices)
//	capture NAME [PATH]               set a variable from stdout, or from a member of it
//	example NAME                      deploy, invoke and compare a folder of examples
//	watch NAME ARG...                 start convoke in the background
//	expect NAME TEXT                  wait until it has printed TEXT
//	tools [FLAG...]                   serve for the reference's public tools; see cmdTools
//	readme HEADING                    run the commands in a section of the README
//	signin CODE ANSWER... -- ARG...   run convoke and be the browser that it sends to a page; see cmdSignIn
//	interrupt NAME                    SIGINT; it must end with exit code 0
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"serve":      noNeg(cmdServe),
	"killserver": noNeg(cmdKill),
	"stopserver": noNeg(cmdStop),
	"stoptwice":  noNeg(cmdStopTwice),
	"exits":      noNeg(cmdExits),
	"http":       noNeg(cmdHTTP),
	"form":       noNeg(cmdForm),
	"flood":      noNeg(cmdFlood),
	"json":       cmdJSON,
	"capture":    noNeg(cmdCapture),
	"example":    noNeg(cmdExample),
	"watch":      noNeg(cmdWatch),
	"expect":     noNeg(cmdExpect),
	"readme":     noNeg(cmdReadme),
	"document":   noNeg(cmdDocument),
	"interrupt":  noNeg(cmdInterrupt),
	"ended":      noNeg(cmdEnded),
	"logged":     noNeg(cmdLogged),
	"tools":      noNeg(cmdTools),
	"signin":     noNeg(cmdSignIn),
}

func noNeg(f func(ts *testscript.TestScript, args []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("! is not possible here")
		}
		f(ts, args)
	}
}

func need(ts *testscript.TestScript, args []string, n int, usage string) {
	if len(args) < n {
		ts.Fatalf("usage: %s", usage)
	}
}

func cmdServe(ts *testscript.TestScript, args []string) {
	w := worldOf(ts)
	var env, flags []string
	for _, a := range args {
		if strings.HasPrefix(a, "-") || len(flags) > 0 {
			flags = append(flags, a)
		} else {
			env = append(env, a)
		}
	}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "GORACE", "XDG_CONFIG_HOME", "CONVOKE_DATA", "CONVOKE_RUNTIMES"} {
		env = append(env, name+"="+ts.Getenv(name))
	}
	ts.Check(w.server.start(env, flags))
	ts.Setenv("CONVOKE_URL", "http://"+w.server.address)
	if ts.Getenv("CONVOKE_TOKEN") == "" {
		ts.Check(ts.Exec("convoke", "token", "create", "--role", "admin", "--name", "e2e"))
		ts.Setenv("CONVOKE_TOKEN", strings.TrimSpace(ts.ReadFile("stdout")))
	}
}

func cmdKill(ts *testscript.TestScript, _ []string) { ts.Check(worldOf(ts).server.stop(os.Kill)) }

func cmdStop(ts *testscript.TestScript, _ []string) {
	ts.Check(worldOf(ts).server.stop(terminate))
}

func cmdStopTwice(ts *testscript.TestScript, _ []string) {
	ts.Check(worldOf(ts).server.stopTwice())
}

func cmdExits(ts *testscript.TestScript, args []string) {
	need(ts, args, 2, "exits CODE ARG...")
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec("convoke", args[1:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("run convoke: %v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

var web = &http.Client{Timeout: time.Minute}

func cmdHTTP(ts *testscript.TestScript, args []string) {
	need(ts, args, 3, "http STATUS METHOD PATH [BODY]")
	var body io.Reader
	if len(args) > 3 {
		text := strings.Join(args[3:], " ")
		if file, ok := strings.CutPrefix(text, "@"); ok {
			text = ts.ReadFile(file)
		}
		body = strings.NewReader(text)
	}
	req, err := http.NewRequest(args[1], ts.Getenv("CONVOKE_URL")+args[2], body)
	ts.Check(err)
	if token := ts.Getenv("CONVOKE_TOKEN"); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := web.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	_, err = io.Copy(ts.Stdout(), io.LimitReader(resp.Body, 16<<20))
	ts.Check(err)
	ts.Check(resp.Header.Write(ts.Stderr()))
	if got := strconv.Itoa(resp.StatusCode); got != args[0] {
		ts.Fatalf("%s %s answered %s, want %s", args[1], args[2], got, args[0])
	}
}

func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, args, 1, "json PATH [VALUE]")
	got, err := member(ts.ReadFile("stdout"), args[0])
	ok := err == nil
	if ok && len(args) > 1 {
		text := strings.Join(args[1:], " ")
		var want any
		if json.Unmarshal([]byte(text), &want) != nil {
			want = text
		}
		if ok = isPart(want, got); !ok {
			err = fmt.Errorf("%s is %s, want %s", args[0], compact(got), text)
		}
	}
	if ok == neg {
		ts.Fatalf("json %s: found %s, %v", strings.Join(args, " "), compact(got), err)
	}
}

func cmdCapture(ts *testscript.TestScript, args []string) {
	need(ts, args, 1, "capture NAME [PATH]")
	text := strings.TrimSpace(ts.ReadFile("stdout"))
	if len(args) > 1 {
		v, err := member(text, args[1])
		ts.Check(err)
		if s, ok := v.(string); ok {
			text = s
		} else {
			text = compact(v)
		}
	}
	if text == "" {
		ts.Fatalf("stdout is empty")
	}
	ts.Setenv(args[0], text)
}

func cmdExample(ts *testscript.TestScript, args []string) {
	need(ts, args, 1, "example NAME")
	dir := filepath.Join(ts.Getenv("EXAMPLES"), args[0])
	ts.Check(ts.Exec("convoke", "deploy", dir))
	id := strings.TrimSpace(ts.ReadFile("stdout"))
	var want any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(filepath.Join(dir, "expected.json"))), &want))

	// By name through the command line, and as it is through HTTP.
	ts.Check(ts.Exec("convoke", "invoke", args[0], "--payload", "@"+filepath.Join(dir, "payload.json")))
	check := func(how string) {
		var got any
		ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &got))
		if !isPart(want, got) {
			ts.Fatalf("%s %s returned\n%s\nwant\n%s", args[0], how, compact(got), compact(want))
		}
	}
	check("by name")
	cmdHTTP(ts, []string{"200", http.MethodPost, ts.Getenv("A") + "/lambdas/" + id + "/invoke", "@" + filepath.Join(dir, "payload.json")})
}

// member follows a path of names and indexes through JSON text.
func member(text, path string) (any, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("stdout is no JSON: %w", err)
	}
	if path == "." {
		return v, nil
	}
	for name := range strings.SplitSeq(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			inner, ok := at[name]
			if !ok {
				return nil, fmt.Errorf("there is no %s in %s", name, compact(v))
			}
			v = inner
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(at) {
				return nil, fmt.Errorf("there is no %s in %s", name, compact(v))
			}
			v = at[i]
		default:
			return nil, fmt.Errorf("there is no %s in %s", name, compact(v))
		}
	}
	return v, nil
}

// isPart reports whether got has all that want has: objects may have more
// members, lists have the same length.
func isPart(want, got any) bool {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		for k, v := range w {
			inner, has := g[k]
			ok = ok && has && isPart(v, inner)
		}
		return ok
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for i := range w {
			ok = ok && isPart(w[i], g[i])
		}
		return ok
	default:
		return reflect.DeepEqual(want, got)
	}
}

func compact(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(b.String())
}
