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
