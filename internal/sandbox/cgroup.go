package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Names of the folders below the one that was delegated. The kernel wants
// processes in leaves only, so the server has one of its own.
const (
	serverGroup  = "server"
	workersGroup = "workers"
)

// groupControllers are those that a worker's group makes use of. cpu is not
// among them: with it the kernel weighs groups against each other and no
// longer processes, and package worker gives shares by priority.
var groupControllers = []string{"memory", "pids"}

// groupTasks bounds the threads in a worker's group, a few beyond what its
// resource limit allows at Namespaces. At Landlock no other limit does.
const groupTasks = 80

// Groups makes a control group (cgroup v2) for each worker, which bounds all
// the memory and threads that it takes, without the moment in between two
// looks of a watchdog. A nil *Groups makes none.
type Groups struct {
	dir         string // of workers' groups
	controllers []string
	last        atomic.Uint64

	mu    sync.Mutex
	stale []string // could not be removed yet
}

// OpenGroups prepares the folder of a delegated control group, as Delegated
// returns it: it moves this process into a leaf if it is directly in that
// group, and hands the controllers on. It returns an error that says what to
// do when the group is not for the server alone, or has no controller that
// bounds memory.
func OpenGroups(dir string) (*Groups, error) {
	available, err := words(dir, "cgroup.controllers")
	if err != nil {
		return nil, fmt.Errorf("control group: %w", err)
	}
	if !slices.Contains(available, "memory") {
		return nil, fmt.Errorf("the control group %s has no controller of memory (it has: %s); a cgroup v2 hierarchy with it is needed", dir, strings.Join(available, " "))
	}
	if err := moveOut(dir); err != nil {
		return nil, err
	}
	g := &Groups{dir: filepath.Join(dir, workersGroup)}
	if err := os.MkdirAll(g.dir, 0o755); err != nil {
		return nil, fmt.Errorf("control group: %w", err)
	}
	for _, c := range groupControllers {
		if !slices.Contains(available, c) {
			continue
		}
		for _, folder := range []string{dir, g.dir} {
			if err := put(folder, "cgroup.subtree_control", "+"+c); err != nil {
				return nil, fmt.Errorf("hand the controller %s on to the workers' groups: %w", c, err)
			}
		}
		g.controllers = append(g.controllers, c)
	}
	// What a server that was killed has left. Its workers died with it.
	left, err := os.ReadDir(g.dir)
	if err != nil {
		return nil, fmt.Errorf("control group: %w", err)
	}
	for _, e := range left {
		if e.IsDir() {
			g.remove(filepath.Join(g.dir, e.Name()))
		}
	}
	return g, nil
}

// moveOut moves this process out of the group dir if it is in it. Another one
// in there is a sign that the group is not the server's.
func moveOut(dir string) error {
	members, err := words(dir, "cgroup.procs")
	if err != nil {
		return fmt.Errorf("control group: %w", err)
	}
	self := strconv.Itoa(os.Getpid())
	for _, pid := range members {
		if pid != self {
			return fmt.Errorf("process %s is in the control group %s, which must be for the server alone; name another one with --cgroup", pid, dir)
		}
	}
	if len(members) == 0 {
		return nil
	}
	leaf := filepath.Join(dir, serverGroup)
	if err := os.MkdirAll(leaf, 0o755); err != nil {
		return fmt.Errorf("control group: %w", err)
	}
	if err := put(leaf, "cgroup.procs", self); err != nil {
		return fmt.Errorf("move the server into a control group of its own: %w", err)
	}
	return nil
}

// Controllers are those that bound the workers, "memory" and mostly "pids".
func (g *Groups) Controllers() []string {
	if g == nil {
		return nil
	}
	return g.controllers
}

// New makes a group for one worker with a bound on its memory, in bytes.
func (g *Groups) New(memory int64) (*Group, error) {
	if g == nil {
		return nil, nil
	}
	n := &Group{groups: g, dir: filepath.Join(g.dir, strconv.FormatUint(g.last.Add(1), 10))}
	err := os.Mkdir(n.dir, 0o755)
	if errors.Is(err, os.ErrExist) { // left by a server that was killed, and still not empty
		return g.New(memory)
	}
	if err == nil {
		err = n.limit(memory)
	}
	if err == nil {
		n.folder, err = os.Open(n.dir)
	}
	if err != nil {
		_ = os.Remove(n.dir)
		return nil, fmt.Errorf("make a control group for a worker: %w", err)
	}
	return n, nil
}

// remove removes an empty group, and those that were not empty before. The
// kernel takes a moment to see that the last process is gone.
func (g *Groups) remove(dir string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stale = slices.DeleteFunc(append(g.stale, dir), func(dir string) bool {
		err := os.Remove(dir)
		return err == nil || errors.Is(err, os.ErrNotExist)
	})
}

// Group is the control group of one worker. The methods of a nil *Group do
// nothing.
type Group struct {
	groups *Groups
	dir    string
	folder *os.File // until the worker has started
	memory int64    // as set; only the one who starts and loads the worker sets it
}

func (n *Group) limit(memory int64) error {
	if err := n.SetMemory(memory); err != nil {
		return err
	}
	for _, set := range [][2]string{
		{"memory.swap.max", "0"},  // absent where the kernel has no swap
		{"memory.oom.group", "1"}, // half of a worker is of no use
		{"pids.max", strconv.Itoa(groupTasks)},
	} {
		if err := put(n.dir, set[0], set[1]); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// SetMemory sets the bound of all that the worker's processes take: their own
// memory, files in /tmp, and what the kernel keeps for them.
func (n *Group) SetMemory(bytes int64) error {
	if n == nil || n.memory == bytes {
		return nil
	}
	if err := put(n.dir, "memory.max", strconv.FormatInt(bytes, 10)); err != nil {
		return fmt.Errorf("bound the worker's memory: %w", err)
	}
	n.memory = bytes
	return nil
}

// Started frees what the start of the worker needed. It may be called twice.
func (n *Group) Started() {
	if n != nil {
		n.folder.Close()
	}
}

// Kill ends all processes of the group at once, whatever they try.
func (n *Group) Kill() {
	if n != nil {
		_ = put(n.dir, "cgroup.kill", "1") // Linux 5.14; the caller also kills the process group
	}
}

// OutOfMemory reports whether the kernel ended the worker for its memory.
func (n *Group) OutOfMemory() bool {
	if n == nil {
		return false
	}
	events, err := os.ReadFile(filepath.Join(n.dir, "memory.events"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(events)) {
		if count, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok {
			return count != "0"
		}
	}
	return false
}

// Remove removes the group of a worker that is gone.
func (n *Group) Remove() {
	if n != nil {
		n.Started()
		n.groups.remove(n.dir)
	}
}

// put writes one value into a file of a control group. It never makes one.
func put(dir, name, value string) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

func words(dir, name string) ([]string, error) {
	b, err := os.ReadFile(filepath.Join(dir, name))
	return strings.Fields(string(b)), err
}
