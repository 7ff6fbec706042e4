//go:build linux && (amd64 || arm64)

package sandbox

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// attemptCalls as the only argument makes the test binary a process that
// installs a filter and tries system calls: see policy_test.go.
const attemptCalls = "sandbox-attempt-calls"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == attemptCalls {
		tryCalls(os.Args[2:])
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// nodes are the pinned builds of this checkout.
func nodes(t testing.TB) []string {
	t.Helper()
	arch := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	var found []string
	for _, version := range []string{"node26", "node24"} {
		path, err := filepath.Abs(fmt.Sprintf("../../runtime/node/node_modules/%s-%s-%s/bin/node", version, runtime.GOOS, arch))
		if err != nil {
			t.Fatal(err)
		}
		if path, err = filepath.EvalSymlinks(path); err == nil {
			found = append(found, path)
		}
	}
	if len(found) == 0 {
		t.Fatal("no Node build; run `make runtime`")
	}
	return found
}

// eachLevel runs a test at every level that this host has, and says loudly
// which it has not.
func eachLevel(t *testing.T, test func(t *testing.T, level Level)) {
	t.Helper()
	for _, l := range levels {
		t.Run(string(l.level), func(t *testing.T) {
			if err := available(l.level, nodes(t)[0]); err != nil {
				t.Skipf("NOT TESTED: this host does not have the level %s: %v", l.level, err)
			}
			test(t, l.level)
		})
	}
}

// available says whether a trivial worker starts at a level. What is behind a
// skip is the host's lack of it, not that it does not hold.
func available(level Level, node string) error {
	dir, err := os.MkdirTemp("", "sandbox-test-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	box, err := New(level, Config{Folder: dir})
	if err != nil {
		return err
	}
	_, err = run(box, exec.Command(node, "--version"))
	return err
}

// script runs JavaScript in a sandbox and returns what it printed.
func script(t testing.TB, level Level, node, source string, args ...string) (string, error) {
	t.Helper()
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "script.cjs")
	if err := os.WriteFile(file, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	box, err := New(level, Config{Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, append([]string{"--v8-pool-size=1", file}, args...)...)
	cmd.Env = []string{"HOME=/tmp"}
	cmd.Dir = "/"
	out, err := run(box, cmd)
	return strings.TrimSpace(string(out)), err
}
