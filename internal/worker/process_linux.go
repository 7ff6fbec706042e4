package worker

import (
	"os/exec"
	"syscall"
)

// setProcessAttributes makes the child a group of its own, so that whatever it
// starts dies with it, and lets the kernel kill it when the server dies.
func setProcessAttributes(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}

func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// workerNiceness puts workers behind the server when there are more of them
// than processors: it then still takes, refuses and answers in time.
// behindNiceness is that of accounts that compute more than their share: less
// than a twentieth of the others' weight.
const (
	workerNiceness = 5
	behindNiceness = 19
)

// lowerPriority lowers the calling thread's priority; its children inherit it.
func lowerPriority() { _ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, workerNiceness) }

// reprioritise sets the niceness of all threads of a worker and reports whether
// that was possible.
func reprioritise(pid, nice int) bool {
	return syscall.Setpriority(syscall.PRIO_PGRP, pid, nice) == nil
}

// socketPair makes two connected sockets that no other child inherits.
func socketPair() ([2]int, error) {
	return syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
}
