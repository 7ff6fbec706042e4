//go:build linux

package sandbox

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOpenGroups works on ordinary files with the names of a control group's.
// What the kernel does with them is for package worker's tests, where the
// host has a group to give.
func TestOpenGroups(t *testing.T) {
	t.Parallel()
	self := strconv.Itoa(os.Getpid())
	folder := func(t *testing.T, controllers, members string) string {
		dir := t.TempDir()
		for _, d := range []string{"", serverGroup, workersGroup} {
			if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
				t.Fatal(err)
			}
			for name, text := range map[string]string{"cgroup.controllers": controllers, "cgroup.procs": "", "cgroup.subtree_control": ""} {
				if d == "" && name == "cgroup.procs" {
					text = members
				}
				if err := os.WriteFile(filepath.Join(dir, d, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		return dir
	}
	for name, c := range map[string]struct {
		controllers, members string
		want                 []string
		moved                bool
		fails                string
	}{
		"empty group":         {controllers: "cpu memory pids\n", want: []string{"memory", "pids"}},
		"the server is in it": {controllers: "memory\n", members: self + "\n", want: []string{"memory"}, moved: true},
		"others are in it":    {controllers: "memory", members: self + "\n1\n", fails: "must be for the server alone"},
		"no memory":           {controllers: "hugetlb", fails: "no controller of memory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, c.controllers, c.members)
			g, err := OpenGroups(dir)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Fatalf("got %v, want an error with %q", err, c.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, g.Controllers()); diff != "" {
				t.Error(diff)
			}
			leaf, _ := os.ReadFile(filepath.Join(dir, serverGroup, "cgroup.procs"))
			if got := string(leaf) == self; got != c.moved {
				t.Errorf("the server's leaf has %q, moved should be %v", leaf, c.moved)
			}
		})
	}
}

func TestNoGroups(t *testing.T) {
	t.Parallel()
	var none *Groups
	g, err := none.New(1)
	if g != nil || err != nil || none.Controllers() != nil {
		t.Fatalf("a group of none: %v, %v", g, err)
	}
	g.Started()
	g.Kill()
	g.Remove()
	if err := g.SetMemory(1); err != nil || g.OutOfMemory() {
		t.Errorf("no group has an opinion: %v", err)
	}
}

func TestGroupFolder(t *testing.T) {
	t.Parallel()
	const host = "24 30 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
	const contained = "24 30 0:22 /system.slice/box.scope /sys/fs/cgroup ro - cgroup2 cgroup rw\n"
	for name, c := range map[string]struct{ membership, mounts, want string }{
		"unit":           {"0::/system.slice/convoke.service\n", host, "/sys/fs/cgroup/system.slice/convoke.service"},
		"both versions":  {"3:memory:/old\n0::/new\n", "1 2 0:3 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n" + host, "/sys/fs/cgroup/new"},
		"part is shown":  {"0::/system.slice/box.scope/app\n", contained, "/sys/fs/cgroup/app"},
		"other is shown": {"0::/user.slice\n", contained, ""},
		"version 1 only": {"3:memory:/old\n", host, ""},
		"nothing":        {"0::/new\n", "", ""},
	} {
		got, err := groupFolder(c.membership, c.mounts)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
}

func TestDelegatedRefuses(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{t.TempDir(), "/nonexistent", "/proc/self"} {
		if got, err := Delegated(dir); err == nil || !strings.Contains(err.Error(), "no control group to use") {
			t.Errorf("%s: %q, %v", dir, got, err)
		}
	}
}
