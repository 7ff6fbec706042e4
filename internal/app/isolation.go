package app

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"convoke"
	"convoke/internal/cli"
	"convoke/internal/config"
	"convoke/internal/sandbox"
)

// trial is a worker's attempt to break out of the sandbox that the
// configuration asks for. A level is believed only after one. It takes as long
// as starting a process, so the server is put together meanwhile.
type trial struct {
	stop  context.CancelFunc
	ended chan struct{}
	box   sandbox.Sandbox // that held, once ended
	err   error
}

func (a *App) sandboxConfig() sandbox.Config {
	return sandbox.Config{Folder: filepath.Join(a.cfg.Data, "runtime")}
}

// try begins the trial, with the given Node binary.
func (a *App) try(ctx context.Context, node string) *trial {
	t := &trial{ended: make(chan struct{})}
	ctx, t.stop = context.WithCancel(ctx)
	go func() {
		defer close(t.ended)
		t.box, t.err = sandbox.Choose(ctx, sandbox.Level(a.cfg.Sandbox), node, a.sandboxConfig())
	}()
	return t
}

// before is the sandbox to put the server together with before the trial has
// ended: most likely the one that will hold.
func (t *trial) before(asked sandbox.Level, cfg sandbox.Config) (sandbox.Sandbox, error) {
	if box, err := sandbox.Strongest(asked, cfg); err == nil {
		return box, nil
	}
	<-t.ended
	return t.box, t.err
}

// isolate makes sure that functions can run at all, and only confined as the
// configuration asks. A server that is ready but cannot start a process would
// fail every invocation; one that is less confined than asked must not serve.
// Until the trial has ended, no worker runs but one that has no function.
func (a *App) isolate(ctx context.Context, t *trial) error {
	workerErr := a.tryWorker(ctx)
	<-t.ended
	if t.err != nil {
		return t.err
	}
	if a.fleet.Confine(t.box) {
		workerErr = a.tryWorker(ctx) // the level it had does not hold here
	}
	if workerErr != nil {
		return fmt.Errorf("no worker can be started, `convoke doctor` may know why: %w", workerErr)
	}
	if t.box.Level() == sandbox.None {
		a.log.Warn("functions run WITHOUT a sandbox: deploy only code that you would run yourself", "sandbox", t.box.Level())
	}
	return a.telemetry.Isolation(string(t.box.Level()), controllers(a.groups))
}

// tryWorker starts one worker and ends it.
func (a *App) tryWorker(ctx context.Context) error {
	w, err := a.fleet.Start(ctx, convoke.DefaultRuntime, a.cfg.Limits.DefaultMemory, "")
	if err != nil {
		return err
	}
	w.Kill()
	<-w.Done()
	return nil
}

// openGroups opens the control groups that bound the workers, nil where there
// are none. It is an error if those that were asked for cannot be used.
func (a *App) openGroups() (*sandbox.Groups, error) {
	groups, err := openGroups(a.cfg.Cgroup)
	if err != nil && a.cfg.Cgroup == "" {
		a.log.Debug("no control groups: memory is bounded by watching it", "reason", err)
		return nil, nil
	}
	return groups, err
}

func openGroups(given string) (*sandbox.Groups, error) {
	dir, err := sandbox.Delegated(given)
	if err != nil {
		return nil, err
	}
	return sandbox.OpenGroups(dir)
}

// controllers is what a person and a metric are told of control groups.
func controllers(g *sandbox.Groups) string {
	if g == nil {
		return "none"
	}
	return strings.Join(g.Controllers(), ",")
}

// checkCgroup says what bounds the workers' memory. It changes no group. What
// it finds is of the process that asks: that of a service may differ.
func checkCgroup(cfg *config.Config, add addCheck) {
	const watched = "memory is bounded by looking at it 20 times a second"
	dir, err := sandbox.Delegated(cfg.Cgroup)
	switch {
	case err == nil:
		add("cgroup", cli.CheckOK, dir+" can be used to bound what workers take", "")
	case cfg.Cgroup != "":
		add("cgroup", cli.CheckFail, err.Error(), "")
	default:
		add("cgroup", cli.CheckOK, fmt.Sprintf("none, %s (%v)", watched, err), "")
	}
}
