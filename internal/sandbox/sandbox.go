// Package sandbox is the step of starting a worker that decides what its
// process can touch. The levels are those of docs/security.md.
//
// A worker's command is started as the server's own binary under another
// name, which package stage takes over before anything else runs: it confines
// the process and then becomes Node.
package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Level is how strongly a worker is confined.
type Level string

const (
	// Auto is the strongest level that holds on this host, and never None.
	Auto Level = "auto"
	// Namespaces gives a worker a system of its own: files, processes, network
	// and users, and few system calls.
	Namespaces Level = "namespaces"
	// Landlock closes the host's files and takes the network and many system
	// calls away. It is for hosts, mostly containers, without namespaces.
	Landlock Level = "landlock"
	// None confines nothing beyond an own process group and an empty
	// environment. It is for functions one has written oneself.
	None Level = "none"
)

// Sandbox shapes the command of a worker before it starts.
type Sandbox interface {
	Level() Level
	// Wrap is called once per worker, before cmd is started. Cage.Started must
	// follow the start, and Cage.Release if there was none.
	Wrap(cmd *exec.Cmd) (*Cage, error)
}

// Config of a sandbox.
type Config struct {
	// Folder holds the worker's JavaScript, which it may read.
	Folder string
	// TmpMiB is the size of a worker's /tmp, 16 if zero. Only Namespaces has one.
	TmpMiB int
}

// New returns the sandbox of one level other than Auto, without trying it:
// see Choose. It is an error if this build or this host does not have it.
func New(level Level, cfg Config) (Sandbox, error) {
	if level == None {
		return none{}, nil
	}
	folder, err := filepath.Abs(cfg.Folder)
	if err != nil {
		return nil, err
	}
	if cfg.Folder == "" {
		return nil, errors.New("sandbox: Folder is needed")
	}
	cfg.Folder, cfg.TmpMiB = folder, cmp.Or(cfg.TmpMiB, 16)
	if level != Namespaces && level != Landlock {
		return nil, unknownLevel(level)
	}
	return newConfined(level, cfg)
}

func unknownLevel(level Level) error {
	return fmt.Errorf("there is no sandbox level %q; choose %s, %s, %s or %s", level, Auto, Namespaces, Landlock, None)
}

type none struct{}

func (none) Level() Level                  { return None }
func (none) Wrap(*exec.Cmd) (*Cage, error) { return nil, nil }

// Cage is the confinement of one worker that is being started. A nil Cage is
// that of level None.
type Cage struct {
	parent, child *os.File // a pipe that carries spec
	spec          []byte
	prepare       func(pid int) error // what the server does to the process from outside
}

// Started lets the process that was wrapped, and has been started as pid,
// go on and become the worker. On an error the process is to be killed.
func (c *Cage) Started(pid int) error {
	if c == nil {
		return nil
	}
	defer c.Release()
	if c.prepare != nil {
		if err := c.prepare(pid); err != nil {
			return err
		}
	}
	// A few kilobytes: they fit the pipe, so a process that does not read
	// cannot hold the server.
	if _, err := c.parent.Write(c.spec); err != nil {
		return fmt.Errorf("tell the sandbox what to do: %w", err)
	}
	return nil
}

// Release frees what a Cage holds in the server. It may be called twice.
func (c *Cage) Release() {
	if c == nil {
		return
	}
	c.parent.Close()
	c.child.Close()
}
