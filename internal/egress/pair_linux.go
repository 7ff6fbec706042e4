package egress

import (
	"syscall"

	"golang.org/x/sys/unix"
)

func socketPair() ([2]int, error) {
	return syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
}

// gone reports whether the other side has let go of its end altogether, which
// is more than not writing any more.
func gone(c syscall.Conn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return true
	}
	hungUp := false
	err = raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd)}}
		n, _ := unix.Poll(fds, 0)
		hungUp = n > 0 && fds[0].Revents&unix.POLLHUP != 0
	})
	return err != nil || hungUp
}
