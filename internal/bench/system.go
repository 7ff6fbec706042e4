package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// The function that every system runs. Convoke takes the text as it is, the
// others with an export before it.
const helloSource = `async function lambda(input) {
  return [{ type: 'systemMessage', text: 'Hello ' + input.payload.name }];
}
`

const (
	helloBody   = `{"timestamp":0,"headers":[],"payload":{"name":"Ada"}}`
	helloExpect = "Hello Ada"
)

// system is one way to run the function over HTTP.
type system interface {
	name() string
	// start runs the system and returns when it has answered.
	start(ctx context.Context) error
	stop() error
	pid() int
	// hello is a request for the function, to which the caller adds how much.
	hello() Load
	// fresh prepares n functions that have not run since the system started,
	// or returns none where each function needs a server of its own.
	fresh(ctx context.Context, n int) ([]Target, error)
	// redeploy replaces the function's greeting, such as "Hello", and returns
	// when the system has been told.
	redeploy(ctx context.Context, greeting string) error
}

// request is a Load for one system, without targets and amounts.
func request(address, token string) Load {
	return Load{
		Address: address,
		Body:    helloBody,
		// All systems get the same bytes, though only one of them looks at the token.
		Header: map[string]string{
			"Content-Type":   "application/json",
			"Authorization":  "Bearer " + token,
			"LP-EventSource": "bench",
			"User-Agent":     "convoke-bench",
		},
	}
}

// ask sends one request from this process.
func ask(ctx context.Context, l Load) error {
	l.Connections, l.Count, l.Duration, l.Rate = 1, 1, 0, 0
	r, err := RunLoad(ctx, l)
	if err != nil {
		return err
	}
	return r.Err()
}

// baseline is a system that is one process with the handler in a file.
type baseline struct {
	label string
	// command is the program with its arguments; the handler is in dir.
	command  func(dir, address, port string) []string
	isolates bool // runs any number of functions, one for each path

	dir     string // scratch
	address string
	proc    *child
}

// baselines are the systems to compare with. packages is the npm package with
// their sources, node the Node.js build that Convoke's workers use, and
// scratch a folder for their handlers.
func baselines(packages, node, scratch string) []*baseline {
	script := func(name string) func(dir, address, port string) []string {
		return func(_, _, port string) []string { return []string{node, filepath.Join(packages, name), port} }
	}
	workerd := func(config string, flags ...string) func(dir, address, port string) []string {
		return func(dir, address, _ string) []string {
			args := append([]string{workerdBinary(packages), "serve"}, flags...)
			return append(args, filepath.Join(dir, config), "--socket-addr", "http="+address)
		}
	}
	return []*baseline{
		{label: "node:http", dir: filepath.Join(scratch, "node-http"), command: script("node-http.mjs")},
		{label: "functions-framework", dir: filepath.Join(scratch, "framework"), command: script("framework.mjs")},
		{label: "workerd", dir: filepath.Join(scratch, "workerd"), command: workerd("static.capnp")},
		{label: "workerd Worker Loader", dir: filepath.Join(scratch, "loader"), command: workerd("loader.capnp", "--experimental"), isolates: true},
	}
}

// workerdBinary is where npm puts workerd's program for this platform.
func workerdBinary(packages string) string {
	arch := map[string]string{"amd64": "64", "arm64": "arm64"}[runtime.GOARCH]
	return filepath.Join(packages, "node_modules", "@cloudflare", "workerd-"+runtime.GOOS+"-"+arch, "bin", "workerd")
}

// install puts the handler and workerd's configuration into the scratch folder.
func (b *baseline) install(packages string) error {
	if err := os.CopyFS(b.dir, os.DirFS(filepath.Join(packages, "workerd"))); err != nil {
		return err
	}
	return b.write("Hello")
}

func (b *baseline) write(greeting string) error {
	source := "export " + strings.ReplaceAll(helloSource, "Hello", greeting)
	return os.WriteFile(filepath.Join(b.dir, "handler.mjs"), []byte(source), 0o644)
}

func (b *baseline) name() string { return b.label }
func (b *baseline) pid() int     { return b.proc.pid() }

func (b *baseline) start(ctx context.Context) error { return b.startUntil(ctx, helloExpect) }

func (b *baseline) startUntil(ctx context.Context, expect string) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	_, port, _ := strings.Cut(address, ":")
	args := b.command(b.dir, address, port)
	env := []string{"NODE_ENV=production", "HANDLER=" + filepath.Join(b.dir, "handler.mjs")}
	if b.proc, err = startChild(b.dir, env, args[0], args[1:]...); err != nil {
		return err
	}
	b.address = address
	probe := b.hello()
	probe.Targets[0].Expect = expect
	return b.proc.await(ctx, func(ctx context.Context) error { return ask(ctx, probe) })
}

func (b *baseline) stop() error {
	if b.proc == nil {
		return nil
	}
	proc := b.proc
	b.proc = nil
	return proc.stop()
}

func (b *baseline) hello() Load {
	l := request(b.address, "none")
	l.Targets = []Target{{Path: "/hello", Expect: helloExpect}}
	return l
}

// fresh makes up paths: a Worker Loader starts a new isolate for each, until
// the process ends. The number in front keeps calls apart.
func (b *baseline) fresh(_ context.Context, n int) ([]Target, error) {
	if !b.isolates {
		return nil, nil
	}
	targets := make([]Target, n)
	run := time.Now().UnixNano()
	for i := range targets {
		targets[i] = Target{Path: fmt.Sprintf("/%d/%d", run, i), Expect: helloExpect}
	}
	return targets, nil
}

// redeploy is what people do with such servers: write the file, restart.
func (b *baseline) redeploy(ctx context.Context, greeting string) error {
	if err := b.write(greeting); err != nil {
		return err
	}
	if err := b.stop(); err != nil {
		return err
	}
	return b.startUntil(ctx, greeting+" Ada")
}
