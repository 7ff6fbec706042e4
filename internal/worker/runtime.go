package worker

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"time"

	"convoke"
)

// Runtime is a Node build on this host.
type Runtime struct {
	Name    string // of the convoke.Runtime: "node26"
	Path    string // of the binary
	Version string // "v26.10.0"
}

// FindRuntimes looks in each folder for the pinned builds that npm installed
// there from runtime/node/package.json, the first folder that has one wins.
// It is an error to find none of the default runtime.
func FindRuntimes(ctx context.Context, dirs ...string) (map[string]Runtime, error) {
	found := map[string]Runtime{}
	for _, rt := range convoke.Runtimes {
		for _, dir := range dirs {
			path := filepath.Join(dir, "node_modules", rt.Name+"-"+goruntime.GOOS+"-"+nodeArch(), "bin", "node")
			if info, err := os.Stat(path); err != nil || info.IsDir() {
				continue
			}
			path, err := filepath.Abs(path)
			if err != nil {
				return nil, err
			}
			version, err := nodeVersion(ctx, path)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", rt.Display, err)
			}
			found[rt.Name] = Runtime{Name: rt.Name, Path: path, Version: version}
			break
		}
	}
	if _, ok := found[convoke.DefaultRuntime]; !ok {
		return nil, fmt.Errorf("no Node build for %s in %s; run `make runtime` (or npm ci in runtime/node) and point CONVOKE_RUNTIMES at that folder",
			convoke.DefaultRuntime, strings.Join(dirs, ", "))
	}
	return found, nil
}

func nodeArch() string {
	if goruntime.GOARCH == "amd64" {
		return "x64"
	}
	return goruntime.GOARCH
}

// nodeVersion reads the version from the package that carries the binary, and
// asks the binary only when that is missing: starting Node costs 30 ms.
func nodeVersion(ctx context.Context, path string) (string, error) {
	manifest, err := os.ReadFile(filepath.Join(filepath.Dir(path), "..", "package.json"))
	if err == nil {
		if _, rest, ok := strings.Cut(string(manifest), `"version": "`); ok {
			if v, _, ok := strings.Cut(rest, `"`); ok {
				return "v" + v, nil
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("%s does not run: %w", path, err)
	}
	return strings.TrimSpace(string(out)), nil
}
