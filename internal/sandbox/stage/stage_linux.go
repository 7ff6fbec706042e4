//go:build amd64 || arm64

package stage

import (
	"os"
	"syscall"
	"unsafe"
)

func init() {
	if len(os.Args) == 1 && os.Args[0] == Name {
		run()
	}
}

// run never returns. During init the goroutine stays on the main thread,
// which the state of a thread needs.
func run() {
	spec := receive()
	// Descriptors 0 to 4 are the worker's; another one that the server left
	// open to its children must not come into the hands of strangers.
	call("close descriptors", sysCloseRange, 5, 1<<32-1, closeRangeCloexec)

	null, err := syscall.Open("/dev/null", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	check("open /dev/null", err)
	var program int
	if spec.Root != nil {
		program = enterRoot(spec.Root, spec.Program)
	} else {
		program = openPath(spec.Program)
	}
	call("replace standard input", syscall.SYS_DUP3, at(null), 0, 0)
	for _, l := range spec.Limits {
		limit := syscall.Rlimit{Cur: l.Value, Max: l.Value}
		call("limit resources", syscall.SYS_PRLIMIT64, 0, uintptr(l.Resource), uintptr(unsafe.Pointer(&limit)), 0)
	}
	dropPrivileges()
	if spec.Landlock != nil {
		restrictFiles(spec.Landlock)
	}
	execute(program, spec.Args, spec.Filter)
}

// receive reads the Spec. It ends when the server has done its part.
func receive() *Spec {
	var all []byte
	buf := make([]byte, 16<<10)
	for {
		n, err := syscall.Read(0, buf)
		if err == syscall.EINTR {
			continue
		}
		check("read what to do", err)
		if n == 0 {
			break
		}
		all = append(all, buf[:n]...)
	}
	spec, err := Decode(all)
	check("read what to do", err)
	return spec
}

func openPath(path string) int {
	fd, err := syscall.Open(path, oPath|syscall.O_CLOEXEC, 0)
	check("open "+path, err)
	return fd
}

// dropPrivileges gives up every capability for good, and asks to die with the
// server: a change of ids has cleared that.
func dropPrivileges() {
	call("die with the server", syscall.SYS_PRCTL, prSetDeathSignal, uintptr(syscall.SIGKILL))
	call("set no_new_privs", syscall.SYS_PRCTL, prSetNoNewPrivs, 1)
	// Where these are not permitted there is nothing to drop either:
	// no_new_privs keeps the program from getting any.
	if _, errno := try(syscall.SYS_PRCTL, prSetSecureBits, secureBits); errno != 0 && errno != syscall.EPERM {
		fail("lock the meaning of user id 0", errno)
	}
	for c := uintptr(0); ; c++ {
		_, errno := try(syscall.SYS_PRCTL, prDropBounding, c)
		if errno == syscall.EINVAL || errno == syscall.EPERM {
			break // beyond the last one, or not permitted
		}
	}
	call("drop ambient capabilities", syscall.SYS_PRCTL, prAmbient, prAmbientClearAll)
	header := struct {
		version uint32
		pid     int32
	}{version: capabilityVersion3}
	var none [6]uint32
	call("drop capabilities", syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none)))
}

func restrictFiles(l *Landlock) {
	// A kernel that knows fewer fields takes the rest if they are zero.
	attr := struct{ fs, net, scoped uint64 }{l.FS, l.Net, l.Scoped}
	set := call("make a Landlock ruleset", sysLandlockCreate, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	for _, r := range l.Rules {
		fd := openPath(r.Path)
		beneath := struct {
			access uint64
			fd     int32
		}{r.Access, int32(fd)}
		call("allow "+r.Path, sysLandlockAdd, set, landlockPathBeneath, uintptr(unsafe.Pointer(&beneath)), 0)
		if r.Pin {
			call("keep "+r.Path, syscall.SYS_FCNTL, at(fd), syscall.F_SETFD, 0)
		}
	}
	call("enforce the Landlock ruleset", sysLandlockEnforce, set, 0)
}

// execute installs the filter and replaces this process. The program is
// given by its descriptor: the filter refuses execve, and what it leaves open
// cannot be called from JavaScript.
func execute(program int, args []string, filter []byte) {
	argv, err := syscall.SlicePtrFromStrings(args)
	check("arguments", err)
	envv, err := syscall.SlicePtrFromStrings(os.Environ())
	check("environment", err)
	empty := text("")
	if len(filter) > 0 {
		prog := syscall.SockFprog{Len: uint16(len(filter) / syscall.SizeofSockFilter), Filter: (*syscall.SockFilter)(unsafe.Pointer(&filter[0]))}
		call("install the system call filter", sysSeccomp, seccompSetModeFilter, 0, uintptr(unsafe.Pointer(&prog)))
	}
	call("execute the program", sysExecveat, at(program), empty,
		uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&envv[0])), atEmptyPath)
}
