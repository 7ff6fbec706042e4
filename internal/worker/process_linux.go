package worker

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

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

// reprioritise gives all threads of a worker a rank, and reports whether that
// was possible. Behind is the policy SCHED_IDLE and not a high niceness: whoever
// wakes takes the processor from it, while even the nicest thread keeps it for
// its time slice. But it may get next to nothing on a busy machine, and a start
// has a deadline.
func reprioritise(pid int, r rank) bool {
	attr := &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL, Nice: workerNiceness}
	switch r {
	case startsBehind:
		attr.Nice = 19
	case behind:
		attr.Policy, attr.Nice = unix.SCHED_IDLE, 19 // the niceness is for the eyes of an operator
	}
	return eachThread(pid, func(thread int) error { return unix.SchedSetAttr(thread, attr, 0) })
}

// confine keeps all threads of a process to some processors.
func confine(pid int, processors []int) {
	var set unix.CPUSet
	for _, p := range processors {
		set.Set(p)
	}
	eachThread(pid, func(thread int) error { return unix.SchedSetaffinity(thread, &set) })
}

// processors are those that the server may use.
func processors() (all []int) {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return nil
	}
	for p := range len(set) * strconv.IntSize {
		if set.IsSet(p) {
			all = append(all, p)
		}
	}
	return all
}

// ownTime is what the server itself has used of the processors.
func ownTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// eachThread does something to all threads of a process, and reports whether
// that was possible. Threads inherit what it is for; one that was made
// meanwhile is found the next time round.
func eachThread(pid int, do func(thread int) error) bool {
	dir := "/proc/" + strconv.Itoa(pid) + "/task"
	for seen := -1; ; {
		threads, err := os.ReadDir(dir)
		if err != nil || len(threads) == seen {
			return true // an error: it is gone
		}
		seen = len(threads)
		for _, thread := range threads {
			id, _ := strconv.Atoi(thread.Name()) // the kernel names them so
			if err := do(id); err != nil && !errors.Is(err, unix.ESRCH) {
				return false
			}
		}
	}
}

// socketPair makes two connected sockets that no other child inherits.
func socketPair() ([2]int, error) {
	return syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
}
