//go:build amd64 || arm64

package app_test

import (
	"io"
	"path/filepath"
	"strings"
	"testing"

	"convoke/api"
	"convoke/internal/app"
	"convoke/internal/config"
	"convoke/internal/sandbox"
)

// TestHostSeenFromInside: what Node says of the machine is sane at every
// level, in both builds and however the function asks.
func TestHostSeenFromInside(t *testing.T) {
	t.Parallel()
	const ask = `async function lambda() {
		const lo = Object.values(os.networkInterfaces()).flat();
		return [os.cpus().length === os.availableParallelism(), os.cpus().every((c) => typeof c.model === 'string' && c.times.idle >= 0), lo.some((a) => a.address === '127.0.0.1' && a.internal), os.totalmem() > 1e6, os.hostname().length > 0, os.userInfo().username.length > 0];
	}`
	for _, level := range []sandbox.Level{sandbox.Namespaces, sandbox.Landlock} {
		t.Run(string(level), func(t *testing.T) {
			t.Parallel()
			needLevel(t, level)
			s := start(t, func(c *config.Config) { c.Sandbox = config.Sandbox(level) })
			for name, head := range map[string]string{"required": "const os = require('node:os');\n", "imported": "import os from 'node:os';\nimport { cpus } from 'os';\nif (cpus().length === 0) throw new Error('none');\n"} {
				for _, runtime := range []string{"node24", "node26"} {
					id := s.deploy(t, name+runtime, head+ask, func(m *api.ManifestRequest) { m.Runtime = &runtime })
					if got, err := s.invoke(t, id, "1"); err != nil || strings.Contains(got, "false") || !strings.Contains(got, "true") {
						t.Errorf("%s in %s: %s, %v; want all true", name, runtime, got, err)
					}
				}
			}
		})
	}
}

// TestNamedGroupMustHold: a control group that was asked for by name and
// cannot be used keeps the server from starting.
func TestNamedGroupMustHold(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load(config.LoadOptions{Env: map[string]string{
		"CONVOKE_LISTEN": "127.0.0.1:0", "CONVOKE_DATA": t.TempDir(), "CONVOKE_RUNTIMES": filepath.Join("..", "..", "runtime", "node"),
		"CONVOKE_CGROUP": t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := app.New(t.Context(), cfg, io.Discard); err == nil || !strings.Contains(err.Error(), "no control group to use") {
		t.Errorf("a server on a folder that is no control group: %v", err)
	}
	report, err := app.Doctor(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, c := range report.Checks {
		found = found || c.Name == "cgroup" && c.Status == "fail"
	}
	if !found {
		t.Errorf("doctor says nothing of it: %+v", report.Checks)
	}
}
