package sandbox

import (
	"context"
	"fmt"
	"strings"
)

// Finding says whether one level holds on this host.
type Finding struct {
	Level  Level
	Offers string // what it keeps a function from, in a clause
	Err    error  // why it does not hold, nil if it does
	Hint   string // what makes it hold; "" if it does
}

// levels are those that confine, the strongest first.
var levels = []struct {
	level        Level
	offers, hint string
}{
	{Namespaces, "own files, processes, network and user, a bounded /tmp, few system calls",
		"allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, or kernel.apparmor_restrict_unprivileged_userns=0 where AppArmor forbids them; in a container also a seccomp profile that allows clone, unshare, mount and pivot_root)"},
	{Landlock, "no files but Node's, nothing to write to, no network, few system calls",
		"use Linux 6.2 or later with Landlock switched on (landlock in the kernel's lsm= list) and, in a container, a seccomp profile that allows landlock_create_ruleset"},
}

// Survey tries every level that confines, with a worker of the given Node
// binary each, the strongest first.
func Survey(ctx context.Context, node string) []Finding {
	var out []Finding
	for _, l := range levels {
		f := Finding{Level: l.level, Offers: l.offers, Err: Probe(ctx, l.level, node)}
		if f.Err != nil {
			f.Hint = l.hint
		}
		out = append(out, f)
	}
	return out
}

// Strongest returns the sandbox that Choose tries first, untried.
func Strongest(asked Level, cfg Config) (Sandbox, error) {
	if asked == Auto {
		asked = levels[0].level
	}
	return New(asked, cfg)
}

// Choose returns the sandbox of the level asked for once a worker in it has
// tried to break out and could not, or with Auto the strongest such sandbox.
// It returns an error that says what to do when there is none. None is
// returned only when it is asked for by its name.
func Choose(ctx context.Context, asked Level, node string, cfg Config) (Sandbox, error) {
	if asked == None {
		return New(None, cfg)
	}
	var reasons []string
	for _, l := range levels {
		if asked != Auto && asked != l.level {
			continue
		}
		err := Probe(ctx, l.level, node)
		if err == nil {
			return New(l.level, cfg)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		reasons = append(reasons, fmt.Sprintf("%s: %v; to have it, %s", l.level, err, l.hint))
	}
	if len(reasons) == 0 {
		return nil, unknownLevel(asked)
	}
	return nil, fmt.Errorf("functions cannot be isolated on this host as asked (%s).\n  %s\nTo run only functions that you trust like your own programs, start with --sandbox %s",
		asked, strings.Join(reasons, "\n  "), None)
}
