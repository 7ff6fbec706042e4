//go:build amd64 || arm64

package stage

import (
	"os"
	"syscall"
	"unsafe"
)

// System calls and constants that package syscall does not have; those of
// golang.org/x/sys would make the stage wait for much of the binary to be
// initialised. The numbers from 424 on are the same on every architecture.
const (
	sysOpenTree        = 428
	sysMoveMount       = 429
	sysFsopen          = 430
	sysFsconfig        = 431
	sysFsmount         = 432
	sysCloseRange      = 436
	sysMountSetattr    = 442
	sysLandlockCreate  = 444
	sysLandlockAdd     = 445
	sysLandlockEnforce = 446

	atFDCWD     = -100
	atEmptyPath = 0x1000
	oPath       = 0x200000

	openTreeClone      = 1
	moveMountFromEmpty = 0x04
	moveMountToEmpty   = 0x40
	fsopenCloexec      = 1
	fsmountCloexec     = 1
	fsconfigString     = 1
	fsconfigCreate     = 6
	closeRangeCloexec  = 4

	mountReadOnly = 0x1
	mountNoSuid   = 0x2
	mountNoDev    = 0x4
	mountNoExec   = 0x8

	prSetDeathSignal  = 1
	prSetNoNewPrivs   = 38
	prDropBounding    = 24
	prSetSecureBits   = 28
	prAmbient         = 47
	prAmbientClearAll = 4
	// secureBits makes user id 0 mean nothing to the kernel, and locks that:
	// NOROOT, NO_SETUID_FIXUP, NO_CAP_AMBIENT_RAISE, each with its lock.
	secureBits = 0x3 | 0xc | 0xc0

	seccompSetModeFilter = 1
	landlockPathBeneath  = 1
	capabilityVersion3   = 0x20080522
)

// call makes a system call on this thread alone: what it changes (ids,
// namespaces, filters) belongs to threads, and the thread that executes the
// program is the one whose state the program gets.
//
//go:uintptrescapes
func call(step string, number uintptr, args ...uintptr) uintptr {
	r, errno := try(number, args...)
	if errno != 0 {
		fail(step, errno)
	}
	return r
}

//go:uintptrescapes
func try(number uintptr, args ...uintptr) (uintptr, syscall.Errno) {
	var a [6]uintptr
	copy(a[:], args)
	r, _, errno := syscall.RawSyscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
	return r, errno
}

// fail ends the process with the step that was not possible. Its words reach
// the server as the last thing that the worker wrote.
func fail(step string, err error) {
	os.Stderr.WriteString("sandbox: " + step + ": " + err.Error() + "\n")
	os.Exit(ExitCode)
}

func check(step string, err error) {
	if err != nil {
		fail(step, err)
	}
}

func at(fd int) uintptr { return uintptr(fd) }

// text is the address of a string for the kernel.
func text(s string) uintptr {
	p, err := syscall.BytePtrFromString(s)
	check("a string with a zero byte", err)
	kept = append(kept, p)
	return uintptr(unsafe.Pointer(p))
}

// kept holds what text gave the address of: the stage lives for a
// millisecond, and to keep everything is simpler than to keep enough.
var kept []*byte

// restrictMount sets attributes of a mount, attached or not.
func restrictMount(step string, mount uintptr, set uint64) {
	attr := struct{ set, clear, propagation, userns uint64 }{set: set}
	call(step, sysMountSetattr, mount, text(""), atEmptyPath, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
}

// newMount makes a mount of a file system that is attached nowhere yet.
func newMount(kind string, attributes uintptr, options ...[2]string) (uintptr, syscall.Errno) {
	fs, errno := try(sysFsopen, text(kind), fsopenCloexec)
	if errno != 0 {
		return 0, errno
	}
	for _, o := range options {
		if _, errno = try(sysFsconfig, fs, fsconfigString, text(o[0]), text(o[1]), 0); errno != 0 {
			return 0, errno
		}
	}
	if _, errno = try(sysFsconfig, fs, fsconfigCreate); errno != 0 {
		return 0, errno
	}
	return try(sysFsmount, fs, fsmountCloexec, attributes)
}

// attach shows a mount at a path relative to the working directory.
func attach(step string, mount uintptr, path string) {
	call(step, sysMoveMount, mount, text(""), at(atFDCWD), text(path), moveMountFromEmpty)
}
