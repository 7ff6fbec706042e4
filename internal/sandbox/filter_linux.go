//go:build amd64 || arm64

package sandbox

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data, on little-endian machines.
const (
	atNumber    = 0
	atArch      = 4
	atArguments = 16
)

var (
	allow = bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW}
	deny  = bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)}
	lacks = bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)}
)

// assembleFilter makes the program for the kernel from the policy: struct
// sock_filter[]. inSight adds the denials for workers among the host's own
// processes and files.
//
// The elastic library's own assembler is not used: when the arguments of a
// call do not match, it goes on comparing an argument, not the call's number,
// with the numbers that follow.
func assembleFilter(inSight bool) ([]byte, error) {
	info, err := arch.GetInfo("")
	if err != nil {
		return nil, fmt.Errorf("system call filter: %w", err)
	}
	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: atArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(info.ID), SkipTrue: 1},
		lacks, // the 32-bit calls of a 64-bit machine
		bpf.LoadAbsolute{Off: atNumber, Size: 4},
	}
	// on adds what is done for one call. It must end in a return: the number
	// is not loaded again. Architectures differ in old calls (open, openat),
	// and that each name is one somewhere is for TestPolicyNames to say.
	on := func(name string, do ...bpf.Instruction) {
		if number, ok := info.SyscallNames[name]; ok {
			program = append(program, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(number), SkipTrue: uint8(len(do))})
			program = append(program, do...)
		}
	}
	if inSight {
		for _, g := range deniedInSight {
			for _, name := range g.calls {
				on(name, deny)
			}
		}
	}
	for _, c := range conditional {
		on(c.name, append(judge(c.alternatives), deny)...)
	}
	for _, name := range allowed {
		on(name, allow)
	}
	for _, g := range denied {
		for _, name := range g.calls {
			on(name, deny)
		}
	}
	raw, err := bpf.Assemble(append(program, lacks)) // calls of the x32 kind, too
	if err != nil {
		return nil, fmt.Errorf("system call filter: %w", err)
	}
	var out bytes.Buffer
	if err := binary.Write(&out, binary.LittleEndian, raw); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// judge allows a call if all conditions of one alternative hold, and goes on
// with what follows otherwise.
func judge(alternatives [][]condition) []bpf.Instruction {
	var out []bpf.Instruction
	for _, conditions := range alternatives {
		left := 3*len(conditions) + 1
		for _, c := range conditions {
			left -= 3
			out = append(out,
				bpf.LoadAbsolute{Off: atArguments + 8*c.arg, Size: 4},
				bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: c.mask},
				bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: c.want, SkipTrue: uint8(left)})
		}
		out = append(out, allow)
	}
	return out
}
