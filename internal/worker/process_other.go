//go:build unix && !linux

package worker

import (
	"os/exec"
	"syscall"
	"time"
)

// setProcessAttributes makes the child a group of its own. A child notices
// the server's death by the end of its socket.
func setProcessAttributes(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

func lowerPriority() {}

func reprioritise(int, rank) bool { return false }

func confine(int, []int) {}

func processors() []int { return nil }

func ownTime() time.Duration { return 0 }

// socketPair makes two connected sockets that no other child inherits.
func socketPair() ([2]int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(pair[0])
		syscall.CloseOnExec(pair[1])
	}
	return pair, err
}
