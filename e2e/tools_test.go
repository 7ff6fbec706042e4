package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdTools starts the server as the reference's public tools need it: HTTPS
// and discovery under the names that they have built in. It sets what a
// script needs to run them, unmodified, from e2e/npm:
//
//	exec $NODE $LPF login …     the command line
//	exec $NODE $JEST invoke.v2  the client's own integration tests
//	exec $NODE script.cjs       a script of the test's own with the client
func cmdTools(ts *testscript.TestScript, args []string) {
	npm, err := filepath.Abs("npm")
	ts.Check(err)
	if _, err := os.Stat(filepath.Join(npm, "node_modules", ".ready")); err != nil {
		ts.Fatalf("the public tools are not installed; run: make tools")
	}
	node, err := filepath.Glob(filepath.Join(npm, "..", "..", "runtime", "node", "node_modules", "node24-*", "bin", "node"))
	ts.Check(err)
	if len(node) == 0 {
		ts.Fatalf("the Node builds are not installed; run: make runtime")
	}
	https, http := freePort(ts), freePort(ts)
	cmdServe(ts, append([]string{
		"CONVOKE_ADMIN_PASSWORD=correct horse battery", "--tls", "dev", "--domain", "convoke.test",
		"--https-listen", "127.0.0.1:" + https, "--http-listen", "127.0.0.1:" + http,
	}, args...))

	tmp := ts.MkAbs(".tools")
	cache := filepath.Join(tmp, "liveperson-functions-cli")
	ts.Check(os.MkdirAll(cache, 0o755))
	// Otherwise its first command asks the package registry for a newer one.
	ts.Check(os.WriteFile(filepath.Join(cache, "version"), []byte(`{"latest":"1.31.13","current":"1.31.13"}`), 0o644))
	for name, value := range map[string]string{
		"NODE": node[0], "LPF": filepath.Join(npm, "node_modules", "liveperson-functions-cli", "bin", "run"),
		"JEST": filepath.Join(npm, "node_modules", "jest", "bin", "jest.js"), "JEST_CONFIG": filepath.Join(npm, "jest.config.cjs"),
		"NODE_PATH":    filepath.Join(npm, "node_modules"),
		"NODE_OPTIONS": "--require " + filepath.Join(npm, "redirect.cjs"), "NODE_EXTRA_CA_CERTS": filepath.Join(ts.Getenv("CONVOKE_DATA"), "tls", "ca.pem"),
		"CONVOKE_HTTPS_PORT": https, "CONVOKE_HTTP_PORT": http,
		"TMPDIR": tmp, "XDG_CACHE_HOME": tmp, "XDG_DATA_HOME": tmp, "HOME": tmp, "npm_config_offline": "true", "CI": "1", "NO_COLOR": "1",
	} {
		ts.Setenv(name, value)
	}
}

// freePort is a port that nobody listened on a moment ago.
func freePort(ts *testscript.TestScript) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}
