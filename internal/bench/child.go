package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 15 * time.Second
	keptOutput   = 4 << 10
)

// child is a server process under measurement, with whatever it starts.
type child struct {
	cmd    *exec.Cmd
	output *tail
	ended  chan struct{} // closed when it has ended
	how    error         // of its end; set before ended is closed
}

// startChild starts a program in a process group of its own, so that an
// interrupt from the terminal reaches it only through stop.
func startChild(dir string, env []string, program string, args ...string) (*child, error) {
	c := &child{cmd: exec.Command(program, args...), output: &tail{}, ended: make(chan struct{})}
	c.cmd.Dir = dir
	c.cmd.Env = append(os.Environ(), env...)
	c.cmd.Stdout, c.cmd.Stderr = c.output, c.output
	c.cmd.WaitDelay = time.Second // a grandchild may hold the pipe open
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(c.ended)
		c.how = c.cmd.Wait()
	}()
	return c, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// await calls ready every millisecond until it reports nil. It gives up when
// the process ends, ctx ends or a minute has passed.
func (c *child) await(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-c.ended:
			return c.died()
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w; its output: %s", c.cmd.Path, err, c.output)
		case <-time.After(time.Millisecond):
		}
	}
}

// died is the error of a process that ended without having been asked to.
func (c *child) died() error {
	return fmt.Errorf("%s ended by itself (%v); its output: %s", c.cmd.Path, c.how, c.output)
}

// stop asks the process to end, and kills its group when it does not. It is an
// error if the process has ended before: what was measured of it is worthless.
func (c *child) stop() error {
	select {
	case <-c.ended:
		return c.died()
	default:
	}
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-c.ended:
	case <-time.After(stopTimeout):
		_ = syscall.Kill(-c.pid(), syscall.SIGKILL) // gone is what we want
		<-c.ended
		return fmt.Errorf("%s did not stop within %v and was killed", c.cmd.Path, stopTimeout)
	}
	return nil
}

// tail keeps the last few kilobytes written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b...)
	if over := len(t.kept) - keptOutput; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}

// freeAddress is a loopback address that nobody listens on at the moment.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
