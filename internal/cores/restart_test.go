package cores

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// childVariable makes the test binary a program that calls Restart and says
// with which settings it runs.
const childVariable = "CONVOKE_CORES_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	ctx, cancel := context.WithCancel(context.Background())
	if os.Getenv(childVariable) == "ended" {
		cancel()
	}
	Restart(ctx)
	cancel()
	fmt.Println(os.Getpid(), os.Getenv("GODEBUG"), os.Args[1:])
}

func TestRestart(t *testing.T) {
	for name, c := range map[string]struct {
		processors, settings, child string
		want                        string
	}{
		"two processors":                   {"2", "", "1", wakeful},
		"further settings":                 {"2", "netdns=go", "1", "netdns=go," + wakeful},
		"a trace of one's own":             {"2", "schedtrace=900000000", "1", "schedtrace=900000000"},
		"more processors":                  {"4", "netdns=go", "1", "netdns=go"},
		"one processor":                    {"1", "", "1", ""},
		"a server that is stopped already": {"2", "", "ended", ""},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "an argument")
			cmd.Env = append(os.Environ(), childVariable+"="+c.child, "GOMAXPROCS="+c.processors, "GODEBUG="+c.settings)
			var errors bytes.Buffer
			cmd.Stderr = &errors
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v: %s", err, errors.String())
			}
			if want := fmt.Sprintf("%d %s [an argument]\n", cmd.Process.Pid, c.want); string(out) != want {
				t.Errorf("got %q, want %q: the same process with the same arguments", out, want)
			}
			if strings.Contains(errors.String(), "panic") {
				t.Error(errors.String())
			}
		})
	}
}
