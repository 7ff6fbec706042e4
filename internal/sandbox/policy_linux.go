//go:build amd64 || arm64

package sandbox

// The system calls of a worker, as data. What is in allowed may be called, and
// what is in conditional with certain arguments; what is in a denied group
// fails with "operation not permitted"; all the rest, such as calls that are newer than this list, does
// not exist (ENOSYS), so that libraries fall back to what they did before.
//
// clone3 is among the rest on purpose: its flags lie in memory, where a
// filter cannot see them. The C library then uses clone.

// allowed are calls without conditions.
var allowed = []string{
	// files: which ones there are is the business of the level
	"read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2",
	"open", "openat", "openat2", "creat", "close", "close_range", "lseek", "dup", "dup2", "dup3", "fcntl", "flock",
	"stat", "fstat", "lstat", "newfstatat", "statx", "statfs", "fstatfs", "access", "faccessat", "faccessat2",
	"readlink", "readlinkat", "getdents", "getdents64", "getcwd", "chdir", "fchdir", "umask",
	"mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat",
	"chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "utime", "utimes", "utimensat", "futimesat",
	"truncate", "ftruncate", "fallocate", "fsync", "fdatasync", "fadvise64", "copy_file_range", "sendfile", "splice",
	"inotify_init", "inotify_init1", "inotify_add_watch", "inotify_rm_watch",
	// waiting
	"poll", "ppoll", "select", "pselect6", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2",
	"eventfd", "eventfd2", "timerfd_create", "timerfd_settime", "timerfd_gettime", "pipe", "pipe2",
	// memory
	"mmap", "munmap", "mremap", "mprotect", "madvise", "mincore", "msync", "brk", "membarrier",
	"pkey_alloc", "pkey_mprotect", "pkey_free",
	// threads, and the process itself
	"futex", "set_robust_list", "get_robust_list", "set_tid_address", "rseq", "gettid", "getpid", "getppid", "exit", "exit_group",
	"sched_yield", "sched_getaffinity", "sched_getparam", "sched_getscheduler", "sched_get_priority_max", "sched_get_priority_min",
	"getpriority", "getrlimit", "getrusage", "times", "sysinfo", "uname", "getcpu", "wait4", "waitid", "arch_prctl",
	"getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups", "getpgid", "getpgrp", "getsid", "capget",
	// time and chance
	"time", "gettimeofday", "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "getitimer", "setitimer", "alarm", "getrandom",
	// signals
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigsuspend", "rt_sigtimedwait", "sigaltstack", "restart_syscall",
	"kill", "tkill", "tgkill",
	// sockets that exist
	"bind", "listen", "connect", "accept", "accept4", "getsockname", "getpeername", "getsockopt", "setsockopt", "shutdown",
	"sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg",
}

const (
	afUnix, afInet, afInet6      = 1, 2, 10
	protoAny, protoTCP, protoUDP = 0, 6, 17
	typeStream, typeDatagram     = 1, 2
	typeMask                     = 0xf // above it are flags

	cloneThread     = 0x10000
	cloneNamespaces = 0x7e020000 // user, pid, net, ipc, uts, cgroup, mount

	atEmptyPath = 0x1000

	prGetDumpable, prSetName, prGetName, prSetVMA = 3, 15, 16, 0x53564d41

	tcGets, fioNonblock, fioUnread, fioCloexec = 0x5401, 0x5421, 0x541b, 0x5451
)

// conditional are calls that are allowed with certain arguments: with those of
// one of the alternatives. Otherwise they are denied.
var conditional = []conditionalCall{
	// Threads, but no processes and no namespaces.
	{"clone", either(all(masked(0, cloneThread|cloneNamespaces, cloneThread)))},
	// The stage's own last step. A function has neither the call, which
	// JavaScript cannot make, nor anything else to execute.
	{"execveat", either(all(equal(4, atEmptyPath)))},
	{"prlimit64", either(all(equal(0, 0)))}, // its own limits only
	{"prctl", either(all(equal(0, prSetName)), all(equal(0, prGetName)), all(equal(0, prGetDumpable)), all(equal(0, prSetVMA)))},
	// Whether it is a terminal, and what libuv does with pipes and sockets.
	{"ioctl", either(all(equal(1, tcGets)), all(equal(1, fioNonblock)), all(equal(1, fioUnread)), all(equal(1, fioCloexec)))},
	{"socketpair", either(all(equal(0, afUnix)))},
	{"socket", either(
		all(equal(0, afUnix), masked(1, typeMask, typeStream)),
		all(equal(0, afUnix), masked(1, typeMask, typeDatagram)),
		all(equal(0, afInet), masked(1, typeMask, typeStream), equal(2, protoAny)),
		all(equal(0, afInet), masked(1, typeMask, typeStream), equal(2, protoTCP)),
		all(equal(0, afInet), masked(1, typeMask, typeDatagram), equal(2, protoAny)),
		all(equal(0, afInet), masked(1, typeMask, typeDatagram), equal(2, protoUDP)),
		all(equal(0, afInet6), masked(1, typeMask, typeStream), equal(2, protoAny)),
		all(equal(0, afInet6), masked(1, typeMask, typeStream), equal(2, protoTCP)),
		all(equal(0, afInet6), masked(1, typeMask, typeDatagram), equal(2, protoAny)),
		all(equal(0, afInet6), masked(1, typeMask, typeDatagram), equal(2, protoUDP)),
	)},
}

type conditionalCall struct {
	name         string
	alternatives [][]condition
}

// condition holds if the argument, cut to mask, is want. Only the lower 32
// bits count: all arguments looked at here are that wide for the kernel.
type condition struct{ arg, mask, want uint32 }

func either(alternatives ...[]condition) [][]condition { return alternatives }
func all(c ...condition) []condition                   { return c }
func equal(arg, want uint32) condition                 { return condition{arg, 1<<32 - 1, want} }
func masked(arg, mask, want uint32) condition          { return condition{arg, mask, want} }

// group is a set of calls denied for one reason.
type group struct {
	name  string
	why   string
	calls []string
}

// denied are calls that are refused whatever their arguments.
var denied = []group{
	{"processes", "a worker is one process",
		[]string{"fork", "vfork", "execve", "setsid", "setpgid"}},
	{"other processes", "their memory, descriptors and limits are theirs",
		[]string{"ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease", "kcmp",
			"pidfd_open", "pidfd_getfd", "pidfd_send_signal", "rt_sigqueueinfo", "rt_tgsigqueueinfo"}},
	{"scheduling", "its share of the processor is the server's to decide",
		[]string{"setpriority", "sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler", "ioprio_set",
			"mbind", "set_mempolicy", "migrate_pages", "move_pages"}},
	{"namespaces", "a new one brings capabilities and more of the kernel",
		[]string{"unshare", "setns"}},
	{"mounts", "what is visible was decided before",
		[]string{"mount", "umount2", "pivot_root", "chroot", "mount_setattr", "move_mount", "open_tree",
			"fsopen", "fsconfig", "fsmount", "fspick", "swapon", "swapoff"}},
	{"file handles", "they bypass paths",
		[]string{"open_by_handle_at", "name_to_handle_at", "fanotify_init", "fanotify_mark", "mknod", "mknodat", "quotactl", "acct"}},
	{"memory files", "they would be code beside a noexec /tmp, or memory that cannot be taken back",
		[]string{"memfd_create", "memfd_secret", "remap_file_pages", "mlock", "mlock2", "mlockall"}},
	{"keyring", "keys are shared by user id",
		[]string{"add_key", "request_key", "keyctl"}},
	{"bpf", "code in the kernel",
		[]string{"bpf"}},
	{"perf", "side channels, and a large surface",
		[]string{"perf_event_open"}},
	{"io_uring", "operations that no filter sees",
		[]string{"io_uring_setup", "io_uring_enter", "io_uring_register", "io_setup", "io_submit", "io_getevents", "io_cancel", "io_destroy"}},
	{"userfaultfd", "a helper of kernel exploits",
		[]string{"userfaultfd"}},
	{"ids", "the user is fixed",
		[]string{"setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups", "setfsuid", "setfsgid", "capset"}},
	{"confinement", "it was set before",
		[]string{"seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "personality"}},
	{"devices", "a worker has none",
		[]string{"iopl", "ioperm", "vhangup"}},
	{"host", "the host's own affairs",
		[]string{"init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "syslog",
			"settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "sethostname", "setdomainname", "lookup_dcookie", "modify_ldt"}},
	{"message queues", "memory that outlives the process",
		[]string{"msgget", "msgsnd", "msgrcv", "msgctl", "semget", "semop", "semctl", "semtimedop", "shmget", "shmat", "shmdt", "shmctl",
			"mq_open", "mq_unlink", "mq_timedsend", "mq_timedreceive", "mq_notify", "mq_getsetattr"}},
	{"labels", "other programs trust them",
		[]string{"setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr"}},
}

// deniedInSight are denied too where the worker lives among the host's
// processes and files as the server's own user: Landlock says nothing about
// them, or not on every kernel.
var deniedInSight = []group{
	{"network", "Landlock's rules know ports but no addresses, and not every protocol",
		[]string{"socket", "bind", "listen", "connect"}},
	{"signals", "the server is the same user",
		[]string{"kill", "tkill", "tgkill"}},
	{"file attributes", "Landlock does not look at them",
		[]string{"chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "utime", "utimes", "utimensat", "futimesat"}},
	{"watching", "Landlock does not look at it",
		[]string{"inotify_init", "inotify_init1", "inotify_add_watch"}},
}
