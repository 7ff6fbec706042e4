package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// Config says what to measure and with what.
type Config struct {
	Self     string // path of this program, which is started again for each load
	Convoke  string // path of the convoke binary
	Node     string // path of the Node.js build that the baselines run on
	Packages string // the npm package with the baselines' sources
	Command  string // how the run was asked for, for the report

	Experiments []string // of ExperimentNames; empty runs all
	Systems     []string // parts of systems' names; empty runs all
	Rounds      int
	Round       time.Duration // of one measurement of warm throughput
	Quick       bool          // fewer functions and shorter cold rounds

	Progress io.Writer // one line per step
}

// experiments in the order in which they run.
var experiments = []struct {
	name string
	run  func(*runner, context.Context) error
}{
	{"warm", (*runner).warm},
	{"cold", (*runner).cold},
	{"sandbox", (*runner).sandbox},
	{"redeploy", (*runner).redeploys},
	{"memory", (*runner).memory},
	{"scale", (*runner).scale},
	{"overload", (*runner).overload},
	{"hostile", (*runner).hostile},
}

// ExperimentNames are the names that Config.Experiments may hold.
func ExperimentNames() []string {
	names := make([]string, len(experiments))
	for i, e := range experiments {
		names[i] = e.name
	}
	return names
}

func (c *Config) validate() error {
	for _, name := range c.Experiments {
		if !slices.Contains(ExperimentNames(), name) {
			return fmt.Errorf("there is no experiment %q; there are %s", name, strings.Join(ExperimentNames(), ", "))
		}
	}
	if c.Rounds < 1 || c.Rounds > 100 || c.Round < 100*time.Millisecond || c.Round > time.Minute {
		return fmt.Errorf("%d rounds of %v; from 1 to 100 rounds of 100ms to 1m are possible", c.Rounds, c.Round)
	}
	if _, err := os.Stat(filepath.Join(c.Packages, "node_modules")); err != nil {
		return fmt.Errorf("the baselines are not installed; run npm ci in %s", c.Packages)
	}
	return nil
}

// runner carries out one run.
type runner struct {
	Config
	proc    procfs
	scratch string
	systems []system
	convoke *server // one of the systems, or nil
	report  *Report
}

// Run measures everything that cfg asks for and returns what it found, also
// when measurements failed: those are in Report.Failures. The error is about
// what kept the run from going on.
func Run(ctx context.Context, cfg Config) (report *Report, err error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp("", "convoke-bench-")
	if err != nil {
		return nil, err
	}
	r := &runner{
		Config:  cfg,
		proc:    procfs{os.DirFS("/proc")},
		scratch: scratch,
		report: &Report{
			Command: cfg.Command,
			Date:    time.Now(),
			Machine: thisMachine(ctx, cfg.Node, cfg.Packages),
			Rounds:  cfg.Rounds,
			Round:   cfg.Round,
		},
	}
	defer func() {
		for _, s := range r.systems {
			err = errors.Join(err, s.stop())
		}
		err = errors.Join(err, os.RemoveAll(scratch))
	}()
	if err := r.startSystems(ctx); err != nil {
		return nil, err
	}
	for _, e := range experiments {
		if len(cfg.Experiments) > 0 && !slices.Contains(cfg.Experiments, e.name) {
			continue
		}
		began := time.Now()
		if err := e.run(r, ctx); err != nil {
			if ctx.Err() != nil {
				return r.report, ctx.Err()
			}
			r.report.failf("%s: %v", e.name, err)
		}
		r.progress("%s took %v", e.name, time.Since(began).Round(time.Second))
	}
	return r.report, nil
}

func (r *runner) startSystems(ctx context.Context) error {
	wanted := func(name string) bool {
		return len(r.Systems) == 0 || slices.ContainsFunc(r.Systems, func(part string) bool { return strings.Contains(name, part) })
	}
	for _, b := range baselines(r.Packages, r.Node, r.scratch) {
		if !wanted(b.name()) {
			continue
		}
		if err := b.install(r.Packages); err != nil {
			return err
		}
		r.systems = append(r.systems, b)
	}
	if s := newServer(r.Convoke, filepath.Join(r.scratch, "convoke")); wanted(s.name()) {
		r.convoke = s
		r.systems = append(r.systems, s)
	}
	for _, s := range r.systems {
		r.progress("starting %s", s.name())
		if err := s.start(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name(), err)
		}
	}
	return nil
}

func (r *runner) progress(format string, args ...any) {
	fmt.Fprintf(r.Progress, format+"\n", args...)
}

// lane is one row of a measurement: a system and what is sent to it.
type lane struct {
	name string
	pid  int
	load Load
}

// hello is a lane for every system, of the function that all of them run.
func (r *runner) hello() []lane {
	var lanes []lane
	for _, s := range r.systems {
		lanes = append(lanes, lane{s.name(), s.pid(), s.hello()})
	}
	return lanes
}

// turns calls f for each of n lanes in each round. Every round begins with
// another lane, so that none always comes after the same one.
func turns(ctx context.Context, rounds, n int, f func(round, i int)) error {
	for round := range rounds {
		for k := range n {
			if err := ctx.Err(); err != nil {
				return err
			}
			f(round, (round+k)%n)
		}
	}
	return nil
}

// must notes a failed measurement and returns NaN for it.
func (r *runner) must(value float64, err error, what string) float64 {
	if err != nil {
		r.report.failf("%s: %v", what, err)
		return math.NaN()
	}
	return value
}

// load runs l in a process of its own, whose work is then not mixed with the
// harness's. A single wrong answer is an error.
func (r *runner) load(ctx context.Context, l Load) (*Result, error) {
	return r.loadBy(ctx, l, r.Self, "load")
}

// loadBy is load with the command of the load process.
func (r *runner) loadBy(ctx context.Context, l Load, command ...string) (*Result, error) {
	ctx, cancel := context.WithTimeout(ctx, l.Warmup+l.expected()+2*grace)
	defer cancel()
	spec, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin = bytes.NewReader(spec)
	var complaints tail
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("load process: %w: %s", err, &complaints)
	}
	var result Result
	if err := json.Unmarshal(out, &result); err != nil {
		return nil, fmt.Errorf("load process: %w", err)
	}
	return &result, result.Err()
}

// ServeLoad is the load process: it reads a Load, sends it and writes the Result.
func ServeLoad(ctx context.Context, in io.Reader, out io.Writer) error {
	// The senders allocate next to nothing; a collection would only be noise.
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(1 << 30)
	var l Load
	if err := json.NewDecoder(in).Decode(&l); err != nil {
		return err
	}
	r, err := RunLoad(ctx, l)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(r)
}

// pause lets the machine come to rest between measurements.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
