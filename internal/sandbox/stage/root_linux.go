//go:build amd64 || arm64

package stage

import (
	"strings"
	"syscall"
	"unsafe"
)

// Bounds of the file system that holds mount points and a few lines of text,
// and of the files in /tmp.
const (
	rootBytes  = "256k"
	rootInodes = "256"
	tmpInodes  = "4096"
)

// enterRoot moves the process, which already is alone in its user and pid
// namespace, into namespaces and a file system of its own. It returns a
// descriptor of the program there.
func enterRoot(r *Root, program string) int {
	call("make namespaces", syscall.SYS_UNSHARE, syscall.CLONE_NEWNS|syscall.CLONE_NEWNET|syscall.CLONE_NEWIPC|syscall.CLONE_NEWUTS|syscall.CLONE_NEWCGROUP)
	call("make mounts private", syscall.SYS_MOUNT, 0, text("/"), 0, syscall.MS_REC|syscall.MS_PRIVATE, 0)

	// The sources are opened with the server's own id, which may read folders
	// that nobody else may; all the rest is done with the worker's id.
	trees := make([]uintptr, len(r.Mounts))
	var onto int // any folder serves to attach the new root to
	for i, m := range r.Mounts {
		trees[i] = openTree(m)
		if m.Folder {
			onto = openPath(m.Source)
		}
	}
	becomeUser(r)
	raiseLoopback()
	check("name the host", syscall.Sethostname([]byte("function")))

	root, errno := newMount("tmpfs", mountNoSuid|mountNoDev, [2]string{"size", rootBytes}, [2]string{"nr_inodes", rootInodes}, [2]string{"mode", "0755"})
	if errno != 0 {
		fail("make a root", errno)
	}
	call("attach the root", sysMoveMount, root, text(""), at(onto), text(""), moveMountFromEmpty|moveMountToEmpty)
	call("enter the root", syscall.SYS_FCHDIR, root)
	for i, m := range r.Mounts {
		if m.Folder {
			makeFolder(m.Target)
		} else {
			makeFile(m.Target, "")
		}
		attach("show "+m.Source, trees[i], m.Target)
	}
	for _, f := range r.Files {
		makeFile(f.Path, f.Content)
	}
	mountTmp(r.TmpBytes)
	mountProc()
	restrictMount("make the root read-only", root, mountReadOnly|mountNoSuid|mountNoDev|mountNoExec)

	call("change the root", syscall.SYS_PIVOT_ROOT, text("."), text("."))
	call("leave the host's files", syscall.SYS_UMOUNT2, text("."), syscall.MNT_DETACH)
	call("enter the root", syscall.SYS_CHDIR, text("/"))
	for _, m := range r.Mounts {
		if m.Source == program {
			return openPath("/" + m.Target)
		}
	}
	fail("find the program in the root", syscall.ENOENT)
	return -1
}

// openTree makes a read-only mount of a file or folder, attached nowhere yet.
func openTree(m Mount) uintptr {
	fd := call("open "+m.Source, sysOpenTree, at(atFDCWD), text(m.Source), openTreeClone|syscall.O_CLOEXEC)
	attributes := uint64(mountReadOnly | mountNoSuid)
	if !m.Device {
		attributes |= mountNoDev
	}
	if !m.Execute {
		attributes |= mountNoExec
	}
	restrictMount("make "+m.Source+" read-only", fd, attributes)
	return fd
}

func becomeUser(r *Root) {
	if r.DropGroups {
		call("drop groups", syscall.SYS_SETGROUPS, 0, 0)
	}
	gid, uid := uintptr(r.GID), uintptr(r.UID)
	call("change the group", syscall.SYS_SETRESGID, gid, gid, gid)
	call("change the user", syscall.SYS_SETRESUID, uid, uid, uid)
}

func raiseLoopback() {
	fd := call("open a socket", syscall.SYS_SOCKET, syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	request := struct { // struct ifreq
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}{name: [syscall.IFNAMSIZ]byte{'l', 'o'}, flags: syscall.IFF_UP}
	call("raise the loopback interface", syscall.SYS_IOCTL, fd, syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request)))
}

func mountTmp(size uint64) {
	makeFolder("tmp")
	tmp, errno := newMount("tmpfs", mountNoSuid|mountNoDev|mountNoExec, [2]string{"size", decimal(size)}, [2]string{"nr_inodes", tmpInodes}, [2]string{"mode", "0700"})
	if errno != 0 {
		fail("make /tmp", errno)
	}
	attach("show /tmp", tmp, "tmp")
}

// mountProc shows the namespace's processes, which is the worker alone:
// process.memoryUsage reads it. Where the host hides parts of its own /proc,
// as containers do, the kernel refuses, and the worker does without.
func mountProc() {
	makeFolder("proc")
	proc, errno := newMount("proc", mountNoSuid|mountNoDev|mountNoExec, [2]string{"hidepid", "invisible"}, [2]string{"subset", "pid"})
	if errno == 0 {
		attach("show /proc", proc, "proc")
	}
}

// makeFolder makes a folder and those above it.
func makeFolder(path string) {
	for i := range len(path) + 1 {
		if i < len(path) && path[i] != '/' {
			continue
		}
		if err := syscall.Mkdir(path[:i], 0o755); err != nil && err != syscall.EEXIST {
			fail("make the folder "+path[:i], err)
		}
	}
}

func makeFile(path, content string) {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		makeFolder(path[:i])
	}
	fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_EXCL|syscall.O_CLOEXEC, 0o644)
	check("make the file "+path, err)
	if content != "" {
		_, err = syscall.Write(fd, []byte(content))
		check("write the file "+path, err)
	}
	check("write the file "+path, syscall.Close(fd))
}

func decimal(n uint64) string {
	var b [20]byte
	i := len(b)
	for {
		i--
		b[i] = byte('0' + n%10)
		if n /= 10; n == 0 {
			return string(b[i:])
		}
	}
}
