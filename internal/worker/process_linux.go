package worker

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
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
const workerNiceness = 5

// lowerPriority lowers the calling thread's priority; its children inherit it.
func lowerPriority() { _ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, workerNiceness) }

// reprioritise puts all threads of a worker behind everything else on the
// machine, or back, and reports whether that was possible. Behind is the
// policy SCHED_IDLE and not a high niceness: whoever wakes takes the processor
// from it at once, while even the nicest thread keeps it for its time slice.
func reprioritise(pid int, behind bool) bool {
	attr := &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL, Nice: workerNiceness}
	if behind {
		attr.Policy = unix.SCHED_IDLE
	}
	dir := "/proc/" + strconv.Itoa(pid) + "/task"
	// Threads inherit it; one that was made while we looked is found next time.
	for seen := -1; ; {
		threads, err := os.ReadDir(dir)
		if err != nil {
			return true // it is gone
		}
		if len(threads) == seen {
			return true
		}
		seen = len(threads)
		for _, thread := range threads {
			id, _ := strconv.Atoi(thread.Name()) // the kernel names them so
			if err := unix.SchedSetAttr(id, attr, 0); err != nil && !errors.Is(err, unix.ESRCH) {
				return false
			}
		}
	}
}

// socketPair makes two connected sockets that no other child inherits.
func socketPair() ([2]int, error) {
	return syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
}
