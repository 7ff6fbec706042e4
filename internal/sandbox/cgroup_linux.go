package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Join lets cmd start inside the group: there is no moment before it.
func (n *Group) Join(cmd *exec.Cmd) {
	if n == nil {
		return
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(n.folder.Fd())
}

// Delegated returns the folder of the control group that the server may use
// for its workers, and changes nothing. That is the one given, or, with "",
// the server's own if systemd has delegated it (Delegate=yes). The error says
// why there is none and what to do.
func Delegated(given string) (string, error) {
	if given != "" {
		dir, err := filepath.Abs(given)
		if err == nil {
			err = isGroup(dir)
		}
		if err != nil {
			return "", fmt.Errorf("%s is no control group to use: %w; name a folder of a cgroup v2 hierarchy, such as /sys/fs/cgroup/convoke, that belongs to the server's user", given, err)
		}
		return dir, nil
	}
	own, err := ownGroup()
	if err != nil {
		return "", err
	}
	// A server that has moved itself is started anew in its leaf by nobody but
	// a supervisor of its own.
	for _, dir := range []string{own, filepath.Dir(own)} {
		if (dir == own || filepath.Base(own) == serverGroup) && isDelegated(dir) && isGroup(dir) == nil {
			return dir, nil
		}
	}
	return "", errors.New("the server's control group is not delegated to it; run it under systemd with Delegate=yes, or name a group of its own with --cgroup")
}

// isGroup says whether dir is a group that this process may divide.
func isGroup(dir string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return err
	}
	if fs.Type != unix.CGROUP2_SUPER_MAGIC {
		return errors.New("it is not in a cgroup v2 hierarchy")
	}
	for _, name := range []string{"", "cgroup.procs", "cgroup.subtree_control"} {
		if err := unix.Access(filepath.Join(dir, name), unix.W_OK); err != nil {
			return fmt.Errorf("it cannot be written: %w", err)
		}
	}
	return nil
}

// isDelegated reads the mark that systemd leaves on what it delegates: whoever
// divides another group gets into systemd's way. Ordinary users see the first
// one only, which systemd 251 brought.
func isDelegated(dir string) bool {
	for _, mark := range []string{"user.delegate", "trusted.delegate"} {
		var value [8]byte
		if n, err := unix.Getxattr(dir, mark, value[:]); err == nil && bytes.Equal(value[:n], []byte("1")) {
			return true
		}
	}
	return false
}

// ownGroup is the folder of the control group that this process is in.
func ownGroup() (string, error) {
	membership, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	return groupFolder(string(membership), string(mounts))
}

// groupFolder finds the folder by the texts of /proc/self/cgroup and
// /proc/self/mountinfo.
func groupFolder(membership, mounts string) (string, error) {
	path := ""
	for line := range strings.Lines(membership) {
		if p, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			path = p
		}
	}
	for line := range strings.Lines(mounts) {
		here, kind, ok := strings.Cut(line, " - ")
		fields := strings.Fields(here)
		if !ok || path == "" || !strings.HasPrefix(kind, "cgroup2 ") || len(fields) < 5 {
			continue
		}
		root, at := fields[3], fields[4]
		if below, err := filepath.Rel(root, path); err == nil && below != ".." && !strings.HasPrefix(below, "../") {
			return filepath.Join(at, below), nil
		}
	}
	return "", errors.New("the host has no cgroup v2 hierarchy mounted that holds the server")
}
