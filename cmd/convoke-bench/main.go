// Command convoke-bench measures Convoke against other ways to run the same
// function on this machine and prints medians of interleaved rounds. It takes
// about ten minutes, or two with -quick, and uses loopback addresses only.
//
//	convoke-bench [-quick] [-out FILE] [-convoke BINARY] [-experiments warm,cold] [-systems convoke,node]
//	convoke-bench seed -data DIR -function UUID -n 10000
//
// Seed clones a deployed function in the data folder of a server that is not
// running. A third form, load, is what the program starts itself as to send
// requests from a process of its own.
//
// The exit code is 0 when everything could be measured, whatever the figures,
// 1 when a measurement failed, and 2 when the program was called wrongly.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"convoke"
	"convoke/internal/bench"
)

// errUsage is an error that the flag package has explained already.
var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	switch {
	case err == nil:
	case errors.Is(err, errUsage):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "convoke-bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	switch {
	case len(args) > 0 && args[0] == "load":
		// One thread runs the senders: idle ones that look for work would take
		// time from the system under measurement.
		runtime.GOMAXPROCS(1)
		return bench.ServeLoad(ctx, stdin, stdout)
	case len(args) > 0 && args[0] == "seed":
		return seed(ctx, args[1:], stdout, stderr)
	default:
		return measure(ctx, args, stdout, stderr)
	}
}

func measure(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	cfg := bench.Config{Command: strings.Join(append([]string{"convoke-bench"}, args...), " "), Progress: stderr}
	flags := flag.NewFlagSet("convoke-bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	build := "node26-" + runtime.GOOS + "-" + map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	flags.StringVar(&cfg.Convoke, "convoke", filepath.Join("bin", "convoke"), "the convoke `binary`")
	flags.StringVar(&cfg.Node, "node", filepath.Join("runtime", "node", "node_modules", build, "bin", "node"), "the Node.js `binary` for the baselines")
	flags.StringVar(&cfg.Packages, "packages", "bench", "the `folder` of the baselines' npm package")
	flags.BoolVar(&cfg.Quick, "quick", false, "2 rounds of 1s, fewer functions")
	flags.IntVar(&cfg.Rounds, "rounds", 5, "how many `rounds`")
	flags.DurationVar(&cfg.Round, "round", 2*time.Second, "how `long` each measurement of throughput lasts")
	out := flags.String("out", "", "also write the report as Markdown to this `file`")
	experiments := flags.String("experiments", "", "only these, `a,b`, of "+strings.Join(bench.ExperimentNames(), ", "))
	systems := flags.String("systems", "", "only systems whose name holds one of these texts, `a,b`")
	if err := flags.Parse(args); err != nil {
		return errUsage
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "unexpected argument %q\n", flags.Arg(0))
		return errUsage
	}
	if cfg.Quick {
		cfg.Rounds, cfg.Round = 2, time.Second
	}
	cfg.Experiments, cfg.Systems = list(*experiments), list(*systems)
	for _, path := range []*string{&cfg.Convoke, &cfg.Node, &cfg.Packages} {
		abs, err := filepath.Abs(*path) // servers run in folders of their own
		if err != nil {
			return err
		}
		*path = abs
	}
	var err error
	if cfg.Self, err = os.Executable(); err != nil {
		return err
	}
	report, err := bench.Run(ctx, cfg)
	if report == nil {
		return err
	}
	return errors.Join(err, publish(report, stdout, *out))
}

func list(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

// publish prints the report and writes it to a file, failures included.
func publish(report *bench.Report, stdout io.Writer, file string) error {
	if err := report.WriteText(stdout); err != nil {
		return err
	}
	if file != "" {
		var b strings.Builder
		if err := report.WriteMarkdown(&b); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			return err
		}
	}
	if n := len(report.Failures); n > 0 {
		return fmt.Errorf("%d measurements failed", n)
	}
	return nil
}

func seed(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("convoke-bench seed", flag.ContinueOnError)
	flags.SetOutput(stderr)
	data := flags.String("data", "data", "the server's data `folder`")
	account := flags.String("account", convoke.DefaultAccountID, "the account's `id`")
	function := flags.String("function", "", "`uuid` of the deployed function to clone")
	n := flags.Int("n", 1000, "how `many` clones")
	if err := flags.Parse(args); err != nil {
		return errUsage
	}
	ids, err := bench.Seed(ctx, *data, *account, *function, *n)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, strings.Join(ids, "\n"))
	return err
}
