package bench

import (
	"os"
	"slices"
	"testing"
	"testing/fstest"
	"time"
)

func statLine(pid, name, parent, cpu string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(pid + " (" + name + ") S " + parent + " 1 1 0 -1 4194560 1 2 3 4 " + cpu + " 20 0 1 0 100\n")}
}

var house = procfs{fstest.MapFS{
	"version": {Data: []byte("Linux")},
	"1/stat":  statLine("1", "init", "0", "9 9 9 9"),
	"10/stat": statLine("10", "convoke", "1", "100 50 30 20"),
	"11/stat": statLine("11", "node (x) 1 2 3", "10", "5 5 0 0"),
	"12/stat": statLine("12", "worker)", "11", "1 0 0 0"),
	"20/stat": statLine("20", "other", "1", "7 7 7 7"),

	"10/smaps_rollup": {Data: []byte("55d0-7ffd ---p 00000000 00:00 0 [rollup]\nRss:  9000 kB\nPss:  4096 kB\nPss_Dirty:  100 kB\n")},
	"11/smaps_rollup": {Data: []byte("Pss:  1024 kB\n")},
}}

func TestTree(t *testing.T) {
	t.Parallel()
	tree, err := house.tree(10)
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, p := range tree {
		pids = append(pids, p.pid)
	}
	slices.Sort(pids)
	if want := []int{10, 11, 12}; !slices.Equal(pids, want) {
		t.Errorf("tree(10) = %v, want %v", pids, want)
	}
	if _, err := house.tree(99); err == nil {
		t.Error("no error for a process that does not exist")
	}
}

func TestTreeCPU(t *testing.T) {
	t.Parallel()
	got, err := house.treeCPU(10)
	if want := 211 * 10 * time.Millisecond; err != nil || got != want {
		t.Errorf("treeCPU = %v, %v, want %v", got, err, want)
	}
}

func TestTreePSS(t *testing.T) {
	t.Parallel()
	got, n, err := house.treePSS(10) // 12 has no smaps_rollup: it ended meanwhile
	if err != nil || got != 5<<20 || n != 2 {
		t.Errorf("treePSS = %d, %d, %v, want %d, 2", got, n, err, 5<<20)
	}
	if _, _, err := house.treePSS(20); err == nil {
		t.Error("no error although the root's memory is unknown")
	}
}

func TestParseProcRefusesNonsense(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "1 init S 0", "1 (init) S 0 1", "x (init) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20"} {
		if p, err := parseStat([]byte(s)); err == nil {
			t.Errorf("parseStat(%q) = %+v", s, p)
		}
	}
	for _, s := range []string{"", "Rss: 1 kB\n", "Pss: 1 MB\n", "Pss: x kB\n", "Pss:\n"} {
		if n, err := parsePSS([]byte(s)); err == nil {
			t.Errorf("parsePSS(%q) = %d", s, n)
		}
	}
}

func TestRealProc(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/smaps_rollup"); err != nil {
		t.Skip("no Linux /proc here")
	}
	real := procfs{os.DirFS("/proc")}
	if n, _, err := real.treePSS(os.Getpid()); err != nil || n < 1<<20 {
		t.Errorf("this process has %d bytes, %v", n, err)
	}
}
