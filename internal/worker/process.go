package worker

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"convoke"
	"convoke/internal/cores"
	"convoke/internal/sandbox"
)

// start starts the process. It is called on the fleet's own thread.
func (w *Worker) start(cmd *exec.Cmd, cage *sandbox.Cage) (err error) {
	defer cage.Release()
	defer cores.Busy()() // a new process holds its parent up for milliseconds
	var frames, channel *os.File
	defer func() {
		for _, f := range []*os.File{frames, channel} {
			f.Close() // the process has its own by now; nil does nothing
		}
		if err != nil {
			w.closeSockets()
		}
	}()
	if w.conn, w.raw, frames, err = inheritable(); err != nil {
		return err
	}
	if w.dials.channel, w.dials.raw, channel, err = inheritable(); err != nil {
		return err
	}
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		return err
	}
	defer outWrite.Close()
	errRead, errWrite, err := os.Pipe()
	if err != nil {
		outRead.Close()
		return err
	}
	defer errWrite.Close()

	cmd.ExtraFiles = []*os.File{frames, channel} // descriptors 3 and 4
	cmd.Stdout, cmd.Stderr = outWrite, errWrite
	setProcessAttributes(cmd)
	if err := cmd.Start(); err != nil {
		outRead.Close()
		errRead.Close()
		return err
	}
	w.cmd = cmd
	w.group.Started()
	// Before the sandbox lets it go on: it has done next to nothing yet.
	w.prioritise()
	w.dials.gone, w.dials.end = context.WithCancel(context.Background())
	if err := cage.Started(cmd.Process.Pid); err != nil {
		w.asked = &verdict{ReasonStart, fmt.Sprintf("sandbox: %v", err)}
		killGroup(cmd.Process.Pid)
	}
	var readers sync.WaitGroup
	readers.Go(func() { w.output.read(outRead, convoke.SourceStdout) })
	readers.Go(func() { w.output.read(errRead, convoke.SourceStderr) })
	readers.Go(w.receive)
	go w.wait(&readers)
	return nil
}

// inheritable makes a connection to a process that is about to start: our end,
// and the one that it inherits.
func inheritable() (net.Conn, syscall.RawConn, *os.File, error) {
	pair, err := socketPair()
	if err != nil {
		return nil, nil, nil, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "worker"), os.NewFile(uintptr(pair[1]), "server")
	defer ours.Close() // net.FileConn has a copy
	conn, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, nil, nil, err
	}
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		conn.Close()
		theirs.Close()
		return nil, nil, nil, err
	}
	return conn, raw, theirs, nil
}

func (w *Worker) closeSockets() {
	for _, c := range []net.Conn{w.conn, w.dials.channel} {
		if c != nil {
			c.Close()
		}
	}
}

// wait sees the process end, lets the readers take in what it left behind,
// and tells everyone who waits.
func (w *Worker) wait(readers *sync.WaitGroup) {
	_ = w.cmd.Wait() // the state says more than the error
	w.charge(w.cmd.ProcessState.UserTime() + w.cmd.ProcessState.SystemTime())
	w.end()
	w.dials.end()
	// A grandchild that escaped the group may hold the pipes open.
	drained := time.AfterFunc(time.Second, func() {
		w.conn.Close()
		w.output.close()
	})
	readers.Wait()
	drained.Stop()
	w.closeSockets()
	w.dials.open.Wait()

	outOfMemory := w.group.OutOfMemory()
	w.group.Remove()

	w.mu.Lock()
	w.ending = true
	if outOfMemory && w.asked == nil {
		w.asked = &verdict{ReasonMemory, "the system stopped it at its limit"}
	}
	reason, detail := classify(w.asked, w.retire, w.output.tail(), w.cmd.ProcessState)
	if w.asked == nil && !isClosed(w.ready) {
		reason = ReasonStart
	}
	w.exit = Exit{Reason: reason, Detail: detail, Lived: time.Since(w.started), Lost: len(w.calls)}
	if w.program != nil {
		w.exit.Function, w.exit.Account = w.program.FunctionID, w.program.AccountID
	}
	lost := w.calls
	w.calls = nil
	var waiting []uint32 // sent ahead, never begun
	if len(w.order) > 1 {
		waiting = w.order[1:]
	}
	w.mu.Unlock()

	w.explain(lost, waiting)
	for id, c := range lost {
		if len(waiting) > 0 && slices.Contains(waiting, id) {
			c.done <- answer{err: ErrNotStarted}
		} else {
			c.done <- answer{err: w.exit.failure(int(w.memoryLimit.Load() >> 20))}
		}
	}
	select {
	case w.loaded <- loadOutcome{err: fmt.Errorf("its process ended while loading (%s)", cmp.Or(detail, string(reason)))}:
	default:
	}
	if w.exit.isFault() {
		w.fleet.bill.fault(w.exit.Account)
	}
	w.fleet.cfg.OnExit(w.exit)
	close(w.done)
	w.fleet.forget(w)
}

// Resident is the memory of the process alone, in bytes: what is resident
// less what it shares with files. It is 0 when the process is gone.
func (w *Worker) Resident() int64 {
	if w.cmd == nil {
		return 0
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(w.cmd.Process.Pid) + "/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b))
	if len(fields) < 3 {
		return 0
	}
	resident, _ := strconv.ParseInt(fields[1], 10, 64)
	shared, _ := strconv.ParseInt(fields[2], 10, 64)
	return (resident - shared) * int64(os.Getpagesize())
}

// endWhenIdle waits for the invocations under way and then kills the process.
func (w *Worker) endWhenIdle(reason Reason, detail string) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for w.busy() {
		select {
		case <-w.done:
			return
		case <-tick.C:
		}
	}
	w.kill(reason, detail)
}

// Close ends the worker once the invocations under way have answered, or
// after grace. It returns at once; Done tells when it is gone.
func (w *Worker) Close(grace time.Duration) {
	w.mu.Lock()
	w.ending = true
	idle := len(w.calls) == 0
	w.mu.Unlock()
	if idle {
		w.kill(ReasonClosed, "no longer needed")
		return
	}
	time.AfterFunc(grace, w.Kill)
	go w.endWhenIdle(ReasonClosed, "no longer needed")
}

// Kill ends the worker at once.
func (w *Worker) Kill() { w.kill(ReasonClosed, "stopped by the server") }

func (w *Worker) kill(reason Reason, detail string) {
	w.mu.Lock()
	w.ending = true
	if w.asked == nil {
		if reason == ReasonClosed && w.retire != "" {
			reason, detail = ReasonRetired, w.retire // whoever asks does so because of that
		}
		w.asked = &verdict{reason, detail}
	}
	w.mu.Unlock()
	select {
	case <-w.done:
	default:
		w.end()
	}
}

// end kills all processes of the worker.
func (w *Worker) end() {
	killGroup(w.cmd.Process.Pid)
	w.group.Kill()
}
