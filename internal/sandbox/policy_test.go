//go:build linux && (amd64 || arm64)

package sandbox

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

func TestPolicyNames(t *testing.T) {
	t.Parallel()
	known := func(name string) bool {
		_, amd := arch.X86_64.SyscallNames[name]
		_, arm := arch.AARCH64.SyscallNames[name]
		return amd || arm
	}
	names := append([]string(nil), allowed...)
	for _, g := range append(append([]group(nil), denied...), deniedInSight...) {
		if g.why == "" || len(g.calls) == 0 {
			t.Errorf("group %q has no reason or no calls", g.name)
		}
		names = append(names, g.calls...)
	}
	for _, c := range conditional {
		names = append(names, c.name)
	}
	for _, n := range names {
		if !known(n) {
			t.Errorf("%q is not a system call of any architecture: it would be left out silently", n)
		}
	}
	open := map[string]bool{}
	for _, n := range allowed {
		if open[n] {
			t.Errorf("%s is listed twice", n)
		}
		open[n] = true
	}
	for _, g := range denied {
		for _, n := range g.calls {
			if open[n] {
				t.Errorf("%s is denied in group %q, and allowed before that", n, g.name)
			}
		}
	}
	for _, c := range conditional {
		if open[c.name] || len(c.alternatives) == 0 {
			t.Errorf("%s has conditions and is allowed without them, or has none", c.name)
		}
	}
}

// TestDeniedGroups installs the filter in a process and tries every call of
// each denied group.
func TestDeniedGroups(t *testing.T) {
	t.Parallel()
	for _, inSight := range []bool{false, true} {
		groups := denied
		if inSight {
			groups = append(append([]group(nil), denied...), deniedInSight...)
		}
		for _, g := range groups {
			t.Run(fmt.Sprintf("%s/inSight=%v", g.name, inSight), func(t *testing.T) {
				t.Parallel()
				for _, line := range attempt(t, inSight, g.calls...) {
					if !strings.HasSuffix(line, ": "+unix.EPERM.Error()) {
						t.Error(line)
					}
				}
			})
		}
	}
}

// hostile are calls that are allowed, with arguments with which they are not.
var hostile = map[string][]any{
	"clone as fork":             {"clone", int(unix.SIGCHLD)},
	"clone into a new user":     {"clone", unix.CLONE_NEWUSER | int(unix.SIGCHLD)},
	"thread in a new network":   {"clone", unix.CLONE_THREAD | unix.CLONE_NEWNET},
	"raw socket":                {"socket", unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP},
	"raw socket with flags":     {"socket", unix.AF_INET6, unix.SOCK_RAW | unix.SOCK_CLOEXEC, unix.IPPROTO_RAW},
	"ping socket":               {"socket", unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_ICMP},
	"multipath TCP":             {"socket", unix.AF_INET, unix.SOCK_STREAM, 262},
	"packet socket":             {"socket", unix.AF_PACKET, unix.SOCK_DGRAM, 0},
	"netlink socket":            {"socket", unix.AF_NETLINK, unix.SOCK_DGRAM, 0},
	"virtual machine socket":    {"socket", unix.AF_VSOCK, unix.SOCK_STREAM, 0},
	"kernel crypto socket":      {"socket", unix.AF_ALG, unix.SOCK_SEQPACKET, 0},
	"pair of network sockets":   {"socketpair", unix.AF_INET, unix.SOCK_STREAM, 0},
	"limits of another process": {"prlimit64", 1, unix.RLIMIT_NOFILE, 0, 0},
	"filter by prctl":           {"prctl", unix.PR_SET_SECCOMP, 2, 0},
	"dumpable by prctl":         {"prctl", unix.PR_SET_DUMPABLE, 1},
	"input for a terminal":      {"ioctl", 0, unix.TIOCSTI, 0},
	"execution by path":         {"execveat", -100 & 0xffffffff, 0, 0, 0, 0},
}

func TestDeniedArguments(t *testing.T) {
	t.Parallel()
	tried := map[string]bool{}
	for _, call := range hostile {
		tried[call[0].(string)] = true
	}
	for _, c := range conditional {
		if !tried[c.name] {
			t.Errorf("no hostile arguments are tried for %s", c.name)
		}
	}
	for name, call := range hostile {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, inSight := range []bool{false, true} {
				got := attempt(t, inSight, strings.TrimSuffix(fmt.Sprintln(call...), "\n"))
				if want := call[0].(string) + ": " + unix.EPERM.Error(); len(got) != 1 || got[0] != want {
					t.Errorf("got %q, want %q", got, want)
				}
			}
		})
	}
}

// TestUnknownCalls sees that what no list has does not exist: the C library
// then does it the old way.
func TestUnknownCalls(t *testing.T) {
	t.Parallel()
	got := strings.Join(attempt(t, false, "clone3", "getpid"), "\n")
	if want := "clone3: " + unix.ENOSYS.Error() + "\ngetpid: allowed"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func attempt(t *testing.T, inSight bool, calls ...string) []string {
	t.Helper()
	here, err := arch.GetInfo("")
	if err != nil {
		t.Fatal(err)
	}
	args := []string{attemptCalls, fmt.Sprint(inSight)}
	want := 0
	for _, c := range calls {
		if _, ok := here.SyscallNames[strings.Fields(c)[0]]; ok {
			args = append(args, c)
			want++
		}
	}
	out, err := exec.CommandContext(t.Context(), os.Args[0], args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != want {
		t.Fatalf("%d answers to %d calls: %s", len(lines), want, out)
	}
	return lines
}

// tryCalls is what the process does: install the filter on this thread, then
// make each call. An argument that is not given is one that no call likes, so
// that a hole in the filter does no harm here.
func tryCalls(args []string) {
	runtime.LockOSThread()
	filter, err := assembleFilter(args[0] == "true")
	if err != nil {
		panic(err)
	}
	info, _ := arch.GetInfo("")
	if err := seccomp.SetNoNewPrivs(); err != nil {
		panic(err)
	}
	type prepared struct {
		name   string
		number uintptr
		args   [6]uintptr
		errno  syscall.Errno
	}
	var calls []prepared
	for _, text := range args[1:] {
		p := prepared{name: strings.Fields(text)[0]}
		p.number = uintptr(info.SyscallNames[p.name])
		for i := range p.args {
			p.args[i] = ^uintptr(0)
		}
		for i, field := range strings.Fields(text)[1:] {
			if _, err := fmt.Sscan(field, &p.args[i]); err != nil {
				panic(err)
			}
		}
		calls = append(calls, p)
	}
	prog := syscall.SockFprog{Len: uint16(len(filter) / syscall.SizeofSockFilter), Filter: (*syscall.SockFilter)(unsafe.Pointer(&filter[0]))}
	if _, _, errno := syscall.RawSyscall(unix.SYS_SECCOMP, 1, 0, uintptr(unsafe.Pointer(&prog))); errno != 0 {
		panic(errno)
	}
	for i := range calls {
		c := &calls[i]
		pid := syscall.Getpid()
		_, _, c.errno = syscall.RawSyscall6(c.number, c.args[0], c.args[1], c.args[2], c.args[3], c.args[4], c.args[5])
		if syscall.Getpid() != pid {
			syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0) // a child that should not be
		}
	}
	for _, c := range calls {
		if c.errno == 0 {
			fmt.Println(c.name + ": allowed")
		} else {
			fmt.Println(c.name + ": " + c.errno.Error())
		}
	}
}
