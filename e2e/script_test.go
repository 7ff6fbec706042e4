// Package e2e drives the real binary, built with the race detector, by scripts:
// one .txtar file in testdata tells one story. Each script has a server, a data
// folder and a port of its own. The commands beyond testscript's own are in
// [commands]; CONVOKE_BIN names a binary to use instead of building one.
package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// binary is the folder of the convoke under test.
var binary string

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "convoke-e2e-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	target := filepath.Join(dir, "convoke")
	if given := os.Getenv("CONVOKE_BIN"); given != "" {
		if given, err = filepath.Abs(given); err != nil {
			return 0, err
		}
		if err := os.Symlink(given, target); err != nil {
			return 0, err
		}
	} else if out, err := exec.Command("go", "build", "-race", "-o", target, "../cmd/convoke").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build convoke: %w\n%s", err, out)
	}
	binary = dir
	return m.Run(), nil
}

func TestScripts(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		Cmds:                commands,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Condition: func(name string) (bool, error) {
			if name != "sandbox" {
				return false, fmt.Errorf("there is no condition %q", name)
			}
			return sandboxHolds(root)
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", binary+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("GORACE", "atexit_sleep_ms=0") // each command would take a second longer
			e.Setenv("XDG_CONFIG_HOME", filepath.Join(e.WorkDir, ".config"))
			e.Setenv("CONVOKE_DATA", filepath.Join(e.WorkDir, ".data"))
			e.Setenv("CONVOKE_RUNTIMES", filepath.Join(root, "runtime", "node"))
			e.Setenv("EXAMPLES", filepath.Join(root, "examples"))
			e.Setenv("A", "/api/account/10000001")
			w := &world{}
			e.Values[worldKey{}] = w
			e.Defer(func() {
				err := w.close()
				if f, ok := e.T().(interface{ Failed() bool }); ok && f.Failed() {
					e.T().Log("what the server wrote:\n" + strings.Join(w.server.last, "\n"))
				}
				if err != nil {
					e.T().Fatal(err)
				}
			})
			return nil
		},
	})
}

// sandboxHolds asks doctor whether any level of isolation holds on this host.
func sandboxHolds(root string) (bool, error) {
	cmd := exec.Command(filepath.Join(binary, "convoke"), "doctor", "--json", "--data", os.TempDir(), "--runtimes", filepath.Join(root, "runtime", "node"))
	out, err := cmd.Output()
	var report struct {
		Checks []struct{ Name, Status string }
	}
	if jsonErr := json.Unmarshal(out, &report); jsonErr != nil {
		return false, fmt.Errorf("doctor: %w, %w", err, jsonErr)
	}
	for _, c := range report.Checks {
		if strings.HasPrefix(c.Name, "sandbox ") && c.Status == "ok" {
			return true, nil
		}
	}
	return false, nil
}

// TestExamplesAreComplete holds every folder of examples to its four files, a
// line in the README and a line in the script that runs them.
func TestExamplesAreComplete(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../examples/README.md")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("testdata/examples.txtar")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir("../examples")
	if err != nil {
		t.Fatal(err)
	}
	folders := 0
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		folders++
		for _, name := range []string{"index.*s", "config.json", "payload.json", "expected.json"} {
			if found, _ := filepath.Glob(filepath.Join("../examples", e.Name(), name)); len(found) != 1 {
				t.Errorf("examples/%s: %d files %s, want one", e.Name(), len(found), name)
			}
		}
		if !strings.Contains(string(readme), "| ["+e.Name()+"]("+e.Name()+") |") {
			t.Errorf("examples/README.md does not mention %s", e.Name())
		}
		if !strings.Contains(string(script), "\nexample "+e.Name()+"\n") {
			t.Errorf("examples.txtar does not run %s", e.Name())
		}
	}
	if folders < 9 {
		t.Errorf("found %d examples, want at least 9", folders)
	}
}
