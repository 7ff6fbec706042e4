//go:build unix && !linux

package worker

import (
	"os/exec"
	"syscall"
)

// setProcessAttributes makes the child a group of its own. A child notices
// the server's death by the end of its socket.
func setProcessAttributes(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

func lowerPriority() {}
