package app

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"convoke/internal/cli"
	"convoke/internal/config"
	"convoke/internal/sandbox"
)

// isolate returns the sandbox that the configuration asks for, tried out with
// the given Node binary, and the control groups that bound its workers, nil
// where there are none. It is an error if what was asked for by name does not
// hold; nothing weaker takes its place.
func (a *App) isolate(ctx context.Context, node string) (sandbox.Sandbox, *sandbox.Groups, error) {
	// A level is believed only after a worker has tried to break out of it.
	box, err := sandbox.Choose(ctx, sandbox.Level(a.cfg.Sandbox), node, sandbox.Config{Folder: filepath.Join(a.cfg.Data, "runtime")})
	if err != nil {
		return nil, nil, err
	}
	if box.Level() == sandbox.None {
		a.log.Warn("functions run WITHOUT a sandbox: deploy only code that you would run yourself", "sandbox", box.Level())
	}
	groups, err := openGroups(a.cfg.Cgroup)
	if err != nil {
		if a.cfg.Cgroup != "" {
			return nil, nil, err
		}
		a.log.Debug("no control groups: memory is bounded by watching it", "reason", err)
	}
	return box, groups, a.telemetry.Isolation(string(box.Level()), controllers(groups))
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
