// Package stage is what runs in a worker's process before its program does:
// the server starts its own binary again under the name in Name, and this
// package confines that process and then replaces it by the program.
//
// It dispatches from init, before main and before nearly all other packages
// of the binary are initialised: those cost 7 ms, the stage itself 1. For that
// it must not import more than os, and so neither fmt nor golang.org/x/sys;
// TestStageStaysLight holds it. Whatever needs a library (which files the
// program links to, the assembled system call filter) is worked out by the
// server and comes ready-made in the Spec.
package stage

// Name is argument zero of a process that is to become a worker. No command
// line that a person types has it.
const Name = "convoke-sandbox-stage"

// ExitCode is how the stage ends when it cannot confine the process; the
// reason is on standard error.
const ExitCode = 125

// Spec is what the stage is to do. It comes on standard input.
type Spec struct {
	Program string   // path on the host
	Args    []string // with argument zero
	Limits  []Limit
	Filter  []byte // struct sock_filter[], in the host's byte order

	// Root is a file system of the worker's own, with namespaces around it.
	// Nil leaves the host's in sight, for Landlock to close.
	Root     *Root
	Landlock *Landlock
}

// Limit is one resource limit, hard and soft.
type Limit struct{ Resource, Value uint64 }

// Root says what a worker finds in its own file system, besides /proc and
// /tmp.
type Root struct {
	UID, GID   uint64 // ids inside, mapped by the server
	DropGroups bool   // the server may, and so must, take the supplementary groups away
	Mounts     []Mount
	Files      []File
	TmpBytes   uint64 // size of /tmp
}

// Mount shows a file or folder of the host, read-only.
type Mount struct {
	Source, Target string // Target has no leading slash
	Folder         bool
	Device         bool // a device file
	Execute        bool // may be run or mapped as code
}

// File is a small file of the sandbox's own.
type File struct{ Path, Content string }

// Landlock is a Landlock ruleset: what it handles is denied unless a rule
// allows it.
type Landlock struct {
	FS, Net, Scoped uint64
	Rules           []Rule
}

// Rule allows access to a file, or to all beneath a folder.
type Rule struct {
	Path   string
	Access uint64
	// Pin leaves a descriptor of the file open, one that cannot be read:
	// files of /proc are the same file only while something holds them.
	Pin bool
}
