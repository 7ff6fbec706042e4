//go:build unix && !linux

package egress

import "syscall"

func socketPair() ([2]int, error) {
	// Between making the sockets and marking them nobody may fork.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return pair, err
	}
	for _, fd := range pair {
		syscall.CloseOnExec(fd)
		if err := syscall.SetNonblock(fd, true); err != nil {
			syscall.Close(pair[0])
			syscall.Close(pair[1])
			return pair, err
		}
	}
	return pair, nil
}

// gone cannot be told from a half-closed connection here; the limit on idle
// connections ends what is left.
func gone(syscall.Conn) bool { return false }
