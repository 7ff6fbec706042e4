package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

const (
	terminate = syscall.SIGTERM
	// patience is how long something may take that takes milliseconds: the
	// binary has the race detector and the machine other work.
	patience = time.Minute
)

// process is a convoke in the background, with what it prints.
type process struct {
	cmd  *exec.Cmd
	exit chan error // holds the outcome once it has ended

	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed and replaced with every line
	ended bool
}

// startProcess runs convoke and collects one of its streams.
func startProcess(args, env []string, dir string, stream func(*exec.Cmd) (io.ReadCloser, error)) (*process, error) {
	cmd := exec.Command(filepath.Join(binary, "convoke"), args...)
	cmd.Env, cmd.Dir = env, dir
	return startCommand(cmd, stream)
}

func startCommand(cmd *exec.Cmd, stream func(*exec.Cmd) (io.ReadCloser, error)) (*process, error) {
	p := &process{cmd: cmd, exit: make(chan error, 1), more: make(chan struct{})}
	out, err := stream(p.cmd)
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 4<<20)
		for lines.Scan() {
			p.add(lines.Text())
		}
		_, _ = io.Copy(io.Discard, out) // a line that was too long must not block the process
		err := p.cmd.Wait()
		p.mu.Lock()
		p.ended = true
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
		p.exit <- err
	}()
	return p, nil
}

func (p *process) add(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, line)
	close(p.more)
	p.more = make(chan struct{})
}

// await returns the first line that match accepts, also one printed before.
func (p *process) await(match func(line string) bool) (string, error) {
	limit := time.After(patience)
	for seen := 0; ; {
		p.mu.Lock()
		lines, more, ended := p.lines, p.more, p.ended
		p.mu.Unlock()
		for ; seen < len(lines); seen++ {
			if match(lines[seen]) {
				return lines[seen], nil
			}
		}
		if ended {
			return "", errors.New("the process ended; it wrote:\n" + strings.Join(lines, "\n"))
		}
		select {
		case <-more:
		case <-limit:
			return "", fmt.Errorf("nothing after %s; it wrote:\n%s", patience, strings.Join(lines, "\n"))
		}
	}
}

// stop signals the process and waits for its end, which after a kill is fine.
func (p *process) stop(sig os.Signal) error {
	_ = p.cmd.Process.Signal(sig) // it may have ended already: the outcome says how
	select {
	case err := <-p.exit:
		p.exit <- err // for whoever asks again
		if sig == os.Kill {
			return nil
		}
		return err
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		return fmt.Errorf("still running %s after %s", patience, sig)
	}
}

// server is the server of a script. It keeps its port when it starts again.
type server struct {
	*process // nil while it does not run
	address  string
	last     []string // the end of what it wrote before it stopped
}

func (s *server) start(env, flags []string) error {
	if s.process != nil {
		if err := s.stop(terminate); err != nil {
			return fmt.Errorf("stop the server before: %w", err)
		}
	}
	listen := s.address
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	args := append([]string{"serve", "--log-format", "json", "--listen", listen}, flags...)
	p, err := startProcess(args, env, "", func(c *exec.Cmd) (io.ReadCloser, error) { return c.StderrPipe() })
	if err != nil {
		return err
	}
	s.process = p
	var ready struct{ Msg, Address string }
	_, err = p.await(func(line string) bool { return json.Unmarshal([]byte(line), &ready) == nil && ready.Msg == "ready" })
	if err != nil {
		return fmt.Errorf("the server did not get ready: %w", err)
	}
	s.address = ready.Address
	return nil
}

func (s *server) stop(sig os.Signal) error {
	if s.process == nil {
		return nil
	}
	err := s.process.stop(sig)
	s.mu.Lock()
	lines := s.lines
	s.mu.Unlock()
	s.process, s.last = nil, lines[max(0, len(lines)-100):]
	if slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "WARNING: DATA RACE") }) {
		return errors.New("data race:\n" + strings.Join(lines, "\n"))
	}
	return err
}

// stopTwice signals twice: the first signal alone has the server wait for what
// runs, the second ends it.
func (s *server) stopTwice() error {
	if err := s.cmd.Process.Signal(terminate); err != nil {
		return err
	}
	select {
	case err := <-s.exit:
		s.exit <- err
		return fmt.Errorf("ended after one signal with an invocation under way: %v", err)
	case <-time.After(500 * time.Millisecond):
	}
	begin := time.Now()
	err := s.stop(terminate)
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() == 0 {
		return fmt.Errorf("the second signal ended it with %v", err)
	}
	if took := time.Since(begin); took > 10*time.Second { // the grace is 30 s
		return fmt.Errorf("the second signal took %s", took)
	}
	return nil
}

func cmdWatch(ts *testscript.TestScript, args []string) {
	need(ts, args, 2, "watch NAME ARG...")
	w := worldOf(ts)
	if w.watchers == nil {
		w.watchers = map[string]*process{}
	}
	env := []string{}
	for _, name := range []string{"PATH", "HOME", "GORACE", "XDG_CONFIG_HOME", "CONVOKE_URL", "CONVOKE_TOKEN"} {
		env = append(env, name+"="+ts.Getenv(name))
	}
	p, err := startProcess(args[1:], env, ts.MkAbs("."), func(c *exec.Cmd) (io.ReadCloser, error) { return c.StdoutPipe() })
	ts.Check(err)
	w.watchers[args[0]] = p
}

func watcherOf(ts *testscript.TestScript, name string) *process {
	one, ok := worldOf(ts).watchers[name]
	if !ok {
		ts.Fatalf("nothing is watched as %s", name)
	}
	return one
}

func cmdExpect(ts *testscript.TestScript, args []string) {
	need(ts, args, 2, "expect NAME TEXT")
	text := strings.Join(args[1:], " ")
	_, err := watcherOf(ts, args[0]).await(func(line string) bool { return strings.Contains(line, text) })
	ts.Check(err)
}

func cmdInterrupt(ts *testscript.TestScript, args []string) {
	need(ts, args, 1, "interrupt NAME")
	ts.Check(watcherOf(ts, args[0]).stop(os.Interrupt))
}

// cmdEnded waits until what is watched ends by itself, with that exit code.
func cmdEnded(ts *testscript.TestScript, args []string) {
	need(ts, args, 2, "ended NAME CODE")
	p := watcherOf(ts, args[0])
	select {
	case err := <-p.exit:
		p.exit <- err
		if got := p.cmd.ProcessState.ExitCode(); strconv.Itoa(got) != args[1] {
			ts.Fatalf("%s ended with %d, want %s; it wrote:\n%s", args[0], got, args[1], strings.Join(p.lines, "\n"))
		}
	case <-time.After(patience):
		ts.Fatalf("%s still runs after %s", args[0], patience)
	}
}

// cmdLogged waits for a line of the server's log that has all of the texts.
func cmdLogged(ts *testscript.TestScript, args []string) {
	need(ts, args, 1, "logged TEXT...")
	_, err := worldOf(ts).server.await(func(line string) bool {
		return !slices.ContainsFunc(args, func(text string) bool { return !strings.Contains(line, text) })
	})
	ts.Check(err)
}
