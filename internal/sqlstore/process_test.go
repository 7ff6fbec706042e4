package sqlstore

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"convoke"
)

// childDir, when set, makes the test binary a process that writes to the
// store there and says what was acknowledged, until it is killed.
const childDir = "CONVOKE_TEST_STORE_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Fprintln(os.Stderr, writeForever(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func writeForever(dir string) error {
	go func() { // the parent is gone when its end of the pipe is
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	ctx := context.Background()
	s, err := Open(ctx, Config{Dir: dir})
	if err != nil {
		return err
	}
	err = s.CreateAccount(ctx, &convoke.Account{ID: "1", Name: "one", CreatedAt: time.Now()})
	if err != nil && convoke.ErrorCode(err) != convoke.CodeConflict {
		return err
	}
	for n := 0; ; n++ {
		name := fmt.Sprintf("fn-%d-%d", os.Getpid(), n)
		f := &convoke.Function{ID: name, AccountID: "1", Name: name, State: convoke.StateDraft, LatestVersion: 1}
		v := &convoke.Version{ID: name, AccountID: "1", FunctionID: name, Number: 1, Code: strings.Repeat("x", 10_000)}
		if err := s.CreateFunction(ctx, f, v, 0); err != nil {
			return err
		}
		fmt.Println("function", name)
		entries := make([]convoke.LogEntry, 60)
		for i := range entries {
			entries[i] = convoke.LogEntry{AccountID: "1", FunctionID: name, Time: time.Now(), Message: fmt.Sprint(i)}
		}
		if err := s.AppendLogs(ctx, entries); err != nil {
			return err
		}
		fmt.Println("logs", name)
	}
}

// child starts a writing process and returns it with its acknowledgements.
func child(t *testing.T, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// TestKilledProcessLosesNothing kills two writing processes in the midst of
// their work and looks for everything that was acknowledged. They also race
// to create the data directory.
func TestKilledProcessLosesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/data"
	var acknowledged []string
	type writer struct {
		cmd  *exec.Cmd
		acks *bufio.Scanner
	}
	var writers []writer
	for range 2 {
		cmd, acks := child(t, dir)
		writers = append(writers, writer{cmd, acks})
	}
	for _, w := range writers {
		for n := 0; n < 30 && w.acks.Scan(); n++ {
			acknowledged = append(acknowledged, w.acks.Text())
		}
		if err := w.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for w.acks.Scan() {
			acknowledged = append(acknowledged, w.acks.Text())
		}
		_ = w.cmd.Wait() // killed, which is an error
	}
	if len(acknowledged) < 60 {
		t.Fatalf("the processes acknowledged %d writes only", len(acknowledged))
	}
	s := open(t, dir)
	for _, line := range acknowledged {
		kind, name, _ := strings.Cut(line, " ") // a line is one write: never cut off
		switch kind {
		case "function":
			if _, err := s.FindVersion(t.Context(), "1", name, 1); err != nil {
				t.Errorf("function %s was acknowledged: %v", name, err)
			}
		case "logs":
			entries, err := s.QueryLogs(t.Context(), "1", convoke.LogFilter{FunctionID: name})
			if err != nil || len(entries) != 60 {
				t.Errorf("60 log entries of %s were acknowledged, found %d (error %v)", name, len(entries), err)
			}
		}
	}
}
