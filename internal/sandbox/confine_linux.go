//go:build amd64 || arm64

package sandbox

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"convoke/internal/sandbox/stage"
)

// limits of a worker's resources at every level. Node itself needs about 30
// descriptors.
var limits = []stage.Limit{
	{Resource: unix.RLIMIT_CORE, Value: 0},
	{Resource: unix.RLIMIT_NOFILE, Value: 256},
	{Resource: unix.RLIMIT_MSGQUEUE, Value: 0},
	{Resource: unix.RLIMIT_MEMLOCK, Value: 0},
	{Resource: unix.RLIMIT_RTPRIO, Value: 0},
}

// devices are those that a worker has.
var devices = []string{"/dev/null", "/dev/urandom", "/dev/zero"}

// confined is a sandbox with a stage.
type confined struct {
	level  Level
	cfg    Config
	filter []byte

	mu     sync.Mutex
	linked map[string][]string // by program: looking it up costs more than starting it
}

func newConfined(level Level, cfg Config) (Sandbox, error) {
	check := checkNamespaces
	if level == Landlock {
		check = func() error { _, err := landlockVersion(); return err }
	}
	if err := check(); err != nil {
		return nil, err
	}
	filter, err := assembleFilter(level == Landlock)
	if err != nil {
		return nil, err
	}
	return &confined{level: level, cfg: cfg, filter: filter, linked: map[string][]string{}}, nil
}

func (c *confined) Level() Level { return c.level }

// Wrap makes cmd start the stage, which will become what cmd named.
func (c *confined) Wrap(cmd *exec.Cmd) (*Cage, error) {
	linked, err := c.linkedFiles(cmd.Path)
	if err != nil {
		return nil, err
	}
	spec := &stage.Spec{Program: cmd.Path, Args: cmd.Args, Filter: c.filter, Limits: limits}
	cage := &Cage{}
	if c.level == Namespaces {
		ids := hostIDs()
		c.giveRoot(spec, linked, ids)
		cage.prepare = ids.mapInto
		joinNamespaces(cmd)
	} else if err := c.giveRules(spec, cmd, linked); err != nil {
		return nil, err
	}
	cage.spec = stage.Encode(spec)
	if cage.child, cage.parent, err = os.Pipe(); err != nil {
		return nil, err
	}
	// Not by the binary's name: behind that may be another version by now.
	cmd.Path, cmd.Args, cmd.Stdin = "/proc/self/exe", []string{stage.Name}, cage.child
	return cage, nil
}

func (c *confined) linkedFiles(program string) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if files, ok := c.linked[program]; ok {
		return files, nil
	}
	files, err := linkedFiles(program)
	if err == nil {
		c.linked[program] = files
	}
	return files, err
}

// What a worker in a namespace sees of itself.
const (
	guestID      = 1000
	guestProgram = "bin/node"
	guestFolder  = "runtime"
	// guestThreads is beyond what Node starts by itself (a dozen) and a
	// function's worker threads reasonably add.
	guestThreads = 64
)

// guestFiles stand in place of the host's.
var guestFiles = []stage.File{
	{Path: "etc/passwd", Content: "function:x:1000:1000::/tmp:/nonexistent\n"},
	{Path: "etc/group", Content: "function:x:1000:\n"},
	{Path: "etc/hosts", Content: "127.0.0.1 localhost\n::1 localhost\n"},
	{Path: "etc/resolv.conf", Content: "nameserver 127.0.0.1\noptions attempts:1 timeout:1\n"},
	{Path: "etc/nsswitch.conf", Content: "hosts: files dns\n"},
}

func checkNamespaces() error {
	for _, kind := range []string{"user", "pid", "mnt", "net", "ipc", "uts", "cgroup"} {
		if _, err := os.Lstat("/proc/self/ns/" + kind); err != nil {
			return fmt.Errorf("the kernel has no %s namespaces: %w", kind, err)
		}
	}
	// Before it the limit of threads counts all workers of a user together,
	// and mounts cannot be made the way that the stage does it.
	return needKernel(5, 14)
}

func needKernel(major, minor int) error {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return err
	}
	release := unix.ByteSliceToString(u.Release[:])
	var have [2]int
	if n, _ := fmt.Sscanf(release, "%d.%d", &have[0], &have[1]); n == 2 && slices.Compare(have[:], []int{major, minor}) >= 0 {
		return nil
	}
	return fmt.Errorf("it needs Linux %d.%d or later, and this is %s", major, minor, release)
}

// joinNamespaces lets the process start in the two namespaces that it must be
// in from its beginning; the stage does the rest.
func joinNamespaces(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	// VM and VFORK are what the standard library leaves out when it is to
	// write the id mappings itself. Without them the kernel copies the
	// server's page tables: 5 ms for each 100 MB.
	cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID | syscall.CLONE_VM | syscall.CLONE_VFORK
	// The capabilities in the new namespace would otherwise end with the
	// execution of the stage. It gives them up.
	cmd.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_SETUID, unix.CAP_SETGID, unix.CAP_SETPCAP}
}

// giveRoot describes a file system of the worker's own, and names things as
// they are called there.
func (c *confined) giveRoot(spec *stage.Spec, linked []string, ids identity) {
	root := &stage.Root{
		UID: guestID, GID: guestID, DropGroups: ids.privileged, Files: guestFiles, TmpBytes: uint64(c.cfg.TmpMiB) << 20,
		Mounts: []stage.Mount{
			{Source: c.cfg.Folder, Target: guestFolder, Folder: true},
			{Source: spec.Program, Target: guestProgram, Execute: true},
		},
	}
	inside := func(p string) string { return strings.TrimPrefix(p, "/") }
	for _, file := range linked {
		root.Mounts = append(root.Mounts, stage.Mount{Source: file, Target: inside(file), Execute: true})
	}
	for _, d := range devices {
		root.Mounts = append(root.Mounts, stage.Mount{Source: d, Target: inside(d), Device: true})
	}
	spec.Root = root
	spec.Limits = append([]stage.Limit{
		{Resource: unix.RLIMIT_NPROC, Value: guestThreads},
		{Resource: unix.RLIMIT_FSIZE, Value: root.TmpBytes},
	}, limits...)

	spec.Args = slices.Clone(spec.Args)
	spec.Args[0] = "/" + guestProgram
	for i, a := range spec.Args[1:] {
		if rest, ok := strings.CutPrefix(a, c.cfg.Folder+"/"); ok {
			spec.Args[i+1] = path.Join("/", guestFolder, rest)
		}
	}
}

// identity is who a worker in a namespace is on the host.
type identity struct {
	uid, gid   int
	privileged bool // the server is root and may choose
}

// nobody is the user with the fewest rights.
const nobody = 65534

// hostIDs is nobody if the server is root, and who the server is otherwise.
func hostIDs() identity {
	if os.Geteuid() == 0 && knownID("/proc/self/uid_map", nobody) && knownID("/proc/self/gid_map", nobody) {
		return identity{nobody, nobody, true}
	}
	return identity{os.Geteuid(), os.Getegid(), false}
}

// knownID reports whether an id exists in the server's own user namespace.
func knownID(file string, id uint64) bool {
	b, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(b)) {
		var first, outside, count uint64
		if _, err := fmt.Sscan(line, &first, &outside, &count); err == nil && id >= first && id-first < count {
			return true
		}
	}
	return false
}

// mapInto gives the process in its new user namespace its one user and group.
func (id identity) mapInto(pid int) error {
	files := [][2]string{
		{"uid_map", fmt.Sprintf("%d %d 1\n", guestID, id.uid)},
		{"gid_map", fmt.Sprintf("%d %d 1\n", guestID, id.gid)},
	}
	if !id.privileged { // the kernel's condition for mapping a group
		files = slices.Insert(files, 0, [2]string{"setgroups", "deny"})
	}
	for _, f := range files {
		file, err := os.OpenFile(filepath.Join("/proc", strconv.Itoa(pid), f[0]), os.O_WRONLY, 0)
		if err == nil {
			_, err = file.WriteString(f[1])
			file.Close()
		}
		if err != nil {
			return fmt.Errorf("give the worker a user of its own: %w", err)
		}
	}
	return nil
}

// landlockNeeded is the first version that watches over truncation.
const landlockNeeded = 3

// landlockVersion returns the version of Landlock, or why it cannot be used.
func landlockVersion() (int, error) {
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	switch {
	case errno == unix.ENOSYS || errno == unix.EOPNOTSUPP:
		return 0, fmt.Errorf("the kernel has no Landlock or it is switched off; it needs Linux 6.2 or later, started with landlock in lsm=")
	case errno != 0:
		return 0, fmt.Errorf("the use of Landlock is not allowed here: %w", errno)
	case v < landlockNeeded:
		return 0, fmt.Errorf("it needs Landlock %d (Linux 6.2) or later, and this host has %d", landlockNeeded, v)
	}
	return int(v), nil
}

const (
	mayRead    = unix.LANDLOCK_ACCESS_FS_READ_FILE
	mayExecute = mayRead | unix.LANDLOCK_ACCESS_FS_EXECUTE
	mayBrowse  = mayRead | unix.LANDLOCK_ACCESS_FS_READ_DIR
	mayWrite   = mayRead | unix.LANDLOCK_ACCESS_FS_WRITE_FILE
)

// giveRules describes what a worker may touch of the host's files: what it
// needs to run, and nothing to write to. A folder for temporary files would
// have no bound, and would let a function load machine code that it brought.
func (c *confined) giveRules(spec *stage.Spec, cmd *exec.Cmd, linked []string) error {
	version, err := landlockVersion()
	if err != nil {
		return err
	}
	l := &stage.Landlock{
		FS:    1<<15 - 1, // all that version 3 has
		Rules: []stage.Rule{{Path: c.cfg.Folder, Access: mayBrowse}, {Path: spec.Program, Access: mayExecute}},
	}
	if version >= 4 {
		l.Net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if version >= 5 {
		l.FS |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if version >= 6 {
		l.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	for _, file := range linked {
		l.Rules = append(l.Rules, stage.Rule{Path: file, Access: mayExecute})
	}
	for _, d := range devices {
		l.Rules = append(l.Rules, stage.Rule{Path: d, Access: mayWrite})
	}
	// process.memoryUsage reads it.
	l.Rules = append(l.Rules, stage.Rule{Path: "/proc/self/stat", Access: mayRead, Pin: true})
	spec.Landlock = l
	// Node takes the absence of OpenSSL's configuration lightly, but not that
	// it may not read it.
	cmd.Env = append(cmd.Env, "OPENSSL_CONF=/dev/null")
	return nil
}
