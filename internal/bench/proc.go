package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"time"
)

// clockTick is the unit of CPU times in /proc on every Linux that Go runs on.
const clockTick = time.Second / 100

// procfs reads process facts from a /proc tree.
type procfs struct{ fs fs.FS }

// process is one line of /proc/PID/stat, as far as it matters here.
type process struct {
	pid, parent int
	cpu         time.Duration // its own and that of the children it has waited for
}

// tree returns the process root and all its descendants.
func (p procfs) tree(root int) ([]process, error) {
	names, err := fs.ReadDir(p.fs, ".")
	if err != nil {
		return nil, err
	}
	all := map[int]process{}
	for _, n := range names {
		pid, err := strconv.Atoi(n.Name())
		if err != nil {
			continue
		}
		stat, err := fs.ReadFile(p.fs, n.Name()+"/stat")
		if err != nil {
			continue // it has just ended
		}
		q, err := parseStat(stat)
		if err != nil {
			return nil, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		all[pid] = q
	}
	if _, ok := all[root]; !ok {
		return nil, fmt.Errorf("process %d has ended", root)
	}
	var out []process
	for _, q := range all {
		up := q
		for range len(all) { // a bound, should /proc change meanwhile and show a ring
			if up.pid == root {
				out = append(out, q)
				break
			}
			parent, ok := all[up.parent]
			if !ok {
				break
			}
			up = parent
		}
	}
	return out, nil
}

// parseStat reads pid, parent and the four CPU times. The command's name in
// parentheses may itself hold spaces and parentheses.
func parseStat(b []byte) (process, error) {
	open, shut := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 0 || shut < open {
		return process{}, errors.New("no command name")
	}
	fields := bytes.Fields(b[shut+1:]) // from field 3, the state
	if len(fields) < 15 {
		return process{}, fmt.Errorf("%d fields", len(fields))
	}
	var numbers [6]int64
	for i, text := range [][]byte{bytes.TrimSpace(b[:open]), fields[1], fields[11], fields[12], fields[13], fields[14]} {
		n, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil {
			return process{}, err
		}
		numbers[i] = n
	}
	ticks := numbers[2] + numbers[3] + numbers[4] + numbers[5]
	return process{pid: int(numbers[0]), parent: int(numbers[1]), cpu: time.Duration(ticks) * clockTick}, nil
}

// treeCPU is the CPU time of a process, its living descendants and those
// that have ended and were waited for.
func (p procfs) treeCPU(root int) (time.Duration, error) {
	tree, err := p.tree(root)
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, q := range tree {
		sum += q.cpu
	}
	return sum, nil
}

// pss is the proportional set size of one process in bytes: what it has for
// itself, and its share of the pages that it shares with others.
func (p procfs) pss(pid int) (int64, error) {
	b, err := fs.ReadFile(p.fs, strconv.Itoa(pid)+"/smaps_rollup")
	if err != nil {
		return 0, err
	}
	return parsePSS(b)
}

func parsePSS(b []byte) (int64, error) {
	for line := range bytes.Lines(b) {
		rest, ok := bytes.CutPrefix(line, []byte("Pss:"))
		if !ok {
			continue
		}
		fields := bytes.Fields(rest)
		if len(fields) != 2 || string(fields[1]) != "kB" {
			return 0, fmt.Errorf("smaps_rollup: %q", line)
		}
		n, err := strconv.ParseInt(string(fields[0]), 10, 64)
		return n << 10, err
	}
	return 0, errors.New("smaps_rollup: no line Pss")
}

// treePSS is the memory of a process and its descendants, and how many they are.
func (p procfs) treePSS(root int) (bytes int64, processes int, err error) {
	tree, err := p.tree(root)
	if err != nil {
		return 0, 0, err
	}
	for _, q := range tree {
		n, err := p.pss(q.pid)
		if errors.Is(err, fs.ErrNotExist) && q.pid != root {
			continue // it has just ended
		}
		if err != nil {
			return 0, 0, err
		}
		bytes += n
		processes++
	}
	return bytes, processes, nil
}
