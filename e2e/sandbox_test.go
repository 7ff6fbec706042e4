package e2e

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// withoutNamespaces runs a program where nobody can make a user namespace.
const withoutNamespaces = `echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"`

// TestWithoutNamespaces starts the server where level namespaces does not hold.
// By default it falls to landlock and says so, and functions run; asked for
// namespaces by name it does not start.
func TestWithoutNamespaces(t *testing.T) {
	convoke := filepath.Join(binary, "convoke")
	in := func(program string, args ...string) *exec.Cmd {
		return exec.Command("unshare", append([]string{"--user", "--map-root-user", "sh", "-c", withoutNamespaces, "sh", program}, args...)...)
	}
	if out, err := in("true").CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED: this host cannot take namespaces away from a process: %v %s", err, out)
	}
	runtimes := filepath.Join("..", "runtime", "node")
	data := t.TempDir()
	t.Setenv("CONVOKE_RUNTIMES", runtimes)
	var report struct {
		Checks []struct{ Name, Status, Detail string }
	}
	out, _ := in(convoke, "doctor", "--json", "--data", data).Output() // its status is not 0 either
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("doctor: %v %s", err, out)
	}
	status := map[string]string{}
	for _, c := range report.Checks {
		status[c.Name] = c.Status
	}
	if status["sandbox landlock"] != "ok" {
		t.Skipf("NOT TESTED: this host does not have the level landlock: %v", report.Checks)
	}
	if status["sandbox namespaces"] == "ok" {
		t.Errorf("doctor finds namespaces where there are none: %v", report.Checks)
	}

	p, err := startCommand(in(convoke, "serve", "--data", data, "--listen", "127.0.0.1:0"), func(c *exec.Cmd) (io.ReadCloser, error) { return c.StderrPipe() })
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.stop(terminate); err != nil {
			t.Error(err)
		}
	}()
	line, err := p.await(func(line string) bool { return strings.Contains(line, "msg=ready ") })
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(line, "address=")
	address, _, _ := strings.Cut(rest, " ")
	token, err := exec.Command(convoke, "token", "create", "--data", data, "--account", "10000001", "--role", "developer").Output()
	if err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(convoke, args...)
		cmd.Env = append(os.Environ(), "CONVOKE_URL=http://"+address, "CONVOKE_TOKEN="+strings.TrimSpace(string(token)), "CONVOKE_ACCOUNT=10000001")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v %s", args[0], err, out)
		}
		return string(out)
	}
	run("deploy", filepath.Join("..", "examples", "greeting"), "--name", "greeting")
	run("invoke", "greeting", "--payload", "@"+filepath.Join("..", "examples", "greeting", "payload.json"))

	resp, err := web.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if metrics, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(metrics), `,level="landlock"} 1`) {
		t.Errorf("the metrics do not tell the level: %v", err)
	}

	named, err := in(convoke, "serve", "--sandbox", "namespaces", "--data", t.TempDir(), "--listen", "127.0.0.1:0").CombinedOutput()
	if err == nil || !strings.Contains(string(named), "functions cannot be isolated on this host as asked (namespaces)") || strings.Contains(string(named), "msg=ready") {
		t.Errorf("asked for namespaces by name it ended with %v and wrote %s", err, named)
	}
}
