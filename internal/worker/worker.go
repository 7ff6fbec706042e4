package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"convoke"
	"convoke/internal/egress"
	"convoke/internal/sandbox"
	"convoke/internal/wire"
)

// ErrNotStarted is returned by Invoke when the function has seen nothing of
// the invocation because the worker was going away: it is safe to give it to
// another worker.
var ErrNotStarted = errors.New("the worker went away before the invocation began")

// ErrRecalled is returned by Invoke when the invocation was sent ahead to a
// worker that turned out to be busy for long and gave it back: the function
// has seen nothing of it, and the worker is fine.
var ErrRecalled = errors.New("the invocation was taken back before it began")

const (
	loadTimeout = 10 * time.Second
	// pongTimeout is how long an event loop may take to turn before the
	// worker counts as blocked.
	pongTimeout = 500 * time.Millisecond
	// recallAfter is how long an invocation that was sent ahead waits behind
	// another before it is asked back.
	recallAfter = 10 * time.Millisecond
	// recentCalls is how many ended invocations a worker remembers, so that
	// what they log late still bears their request id.
	recentCalls = 16
)

// Worker is one Node process.
//
//	start ─► blank ─Load─► loaded ─Retire/Close─► ending ─► gone (Done)
//	  └───────┴──────────────┴──── Kill, crash, exit ───────┘
type Worker struct {
	fleet   *Fleet
	runtime string
	started time.Time
	cmd     *exec.Cmd
	conn    net.Conn
	raw     syscall.RawConn // of conn
	group   *sandbox.Group  // may be nil

	ready       chan struct{} // closed when the blank worker listens
	loaded      chan loadOutcome
	pong        chan struct{}
	done        chan struct{} // closed when the process is gone and told
	memoryLimit atomic.Int64  // bytes
	exit        Exit          // valid once done is closed

	priorityMu sync.Mutex
	rank       rank  // that its threads have
	placed     bool  // confined is known; before, it runs where the server did when it forked
	confined   []int // the processors it keeps to; nil is all

	writeMu sync.Mutex // comes before mu
	out     []byte     // the frame being written, kept for its memory

	frames       *wire.Reader // of the receiving goroutine, like loadAnswered
	loadAnswered bool
	pinged       atomic.Int32 // pongs that are outstanding

	mu      sync.Mutex
	payer   string        // the account on whose behalf it was started, "" for nobody's
	charged time.Duration // processor time that is charged to an account already
	program *Program      // nil while blank
	source  *egress.Source
	ending  bool     // takes nothing new
	asked   *verdict // the server's own reason to end it
	retire  string   // what the worker itself said of its end
	next    uint32
	calls   map[uint32]*call
	// order is a serial program's invocations as they were sent: the first is
	// the one that runs, none behind it has begun. One that passed its
	// deadline stays first until the worker answers it.
	order   []uint32
	recent  [recentCalls]recentCall
	ended   int       // how many calls have ended, for recent
	endedAt time.Time // the last of them
	// outside is what was logged outside of invocations since the last one began,
	// and toldDropped whether the log has been told that there was too much.
	outside     volume
	toldDropped bool
	output      capture

	dials dials
}

type verdict struct {
	reason Reason
	detail string
}

type call struct {
	requestID string
	done      chan answer // one answer at most
	begun     time.Time   // when its turn came
	logged    volume      // what its worker sent of log entries
	told      int         // what the server wrote of refused connections
	dropped   int         // log entries that its worker says it dropped
}

type recentCall struct {
	id        uint32
	requestID string
}

type answer struct {
	usage   wire.Usage
	json    []byte
	failure *wire.Failure
	err     error // the worker ended
}

type loadOutcome struct {
	loaded  Loaded
	failure *wire.Failure
	err     error
}

var callPool = sync.Pool{New: func() any { return &call{done: make(chan answer, 1)} }}

func newWorker(f *Fleet, runtime, payer string) *Worker {
	w := &Worker{
		fleet: f, runtime: runtime, payer: payer, started: time.Now(),
		ready: make(chan struct{}), loaded: make(chan loadOutcome, 1), pong: make(chan struct{}, 1), done: make(chan struct{}),
		calls: make(map[uint32]*call), frames: wire.NewReader(maxFrame),
	}
	w.output.w = w
	return w
}

// Done is closed once the process is gone.
func (w *Worker) Done() <-chan struct{} { return w.done }

// Exit says how the worker ended; it waits for that.
func (w *Worker) Exit() Exit {
	<-w.done
	return w.exit
}

// Runtime is the name of the Node build it runs.
func (w *Worker) Runtime() string { return w.runtime }

func (w *Worker) busy() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.calls) > 0
}

// Load makes a blank worker an instance of p. It returns CodeDeployFailed
// with the reason when the program does not load; the worker is then spent.
func (w *Worker) Load(ctx context.Context, p *Program) (Loaded, error) {
	frame, err := p.frame()
	if err != nil {
		return Loaded{}, err
	}
	w.charge(w.processorTime()) // until here its payer pays
	w.mu.Lock()
	if w.program != nil || w.ending {
		w.mu.Unlock()
		return Loaded{}, ErrNotStarted
	}
	w.program = p
	w.source = &egress.Source{AccountID: p.AccountID, FunctionID: p.FunctionID, Version: p.Version, Only: p.Domains}
	w.mu.Unlock()
	w.memoryLimit.Store(int64(p.MemoryMiB) << 20)
	if err := w.group.SetMemory(groupMemory(p.MemoryMiB)); err != nil {
		w.kill(ReasonLoad, "its memory could not be bounded")
		return Loaded{}, err
	}
	w.prioritise() // a new instance is no way around it

	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	// The frame can be larger than the socket holds; a worker that does not
	// read must not hold the caller for ever.
	stop := context.AfterFunc(ctx, func() { w.kill(ReasonLoad, "its code did not load in time") })
	defer stop()
	if err := w.write(frame); err != nil {
		return Loaded{}, ErrNotStarted
	}
	select {
	case o := <-w.loaded:
		if o.failure == nil && o.err == nil {
			return o.loaded, nil
		}
		w.kill(ReasonLoad, "its code did not load")
		return Loaded{}, loadError(o)
	case <-ctx.Done():
		return Loaded{}, convoke.Errorf(convoke.CodeDeployFailed, "The module did not load within %s; move slow work from the top level into lambda", loadTimeout)
	}
}

func loadError(o loadOutcome) error {
	if o.err != nil {
		return convoke.Errorf(convoke.CodeDeployFailed, "The module could not be loaded: %v", o.err)
	}
	if o.failure.Kind == "contract" {
		return convoke.Errorf(convoke.CodeDeployFailed, "The module could not be loaded: %s", o.failure.Message)
	}
	return convoke.Errorf(convoke.CodeDeployFailed, "The module threw while it was loaded: %s", o.failure.Summary())
}

// Invoke runs one invocation. The clock of c.Timeout starts when the worker
// has been sent the event. Errors:
//   - ErrNotStarted, ErrRecalled: nothing happened, use another worker;
//   - CodeThrew, CodeRuntimeError, CodeLimitReached: the function's own doing;
//   - CodeTimeout: no answer in time, the worker is being stopped;
//   - CodeUnavailable: the worker was stopped for another's sake.
//
// The result is meaningful with every other error.
func (w *Worker) Invoke(c Call) (Result, error) {
	cl := callPool.Get().(*call)
	cl.requestID, cl.logged, cl.told, cl.dropped = c.RequestID, volume{}, 0, 0

	// Held from taking a place in the order until the frame is written, so
	// that the worker reads frames in that order.
	w.writeMu.Lock()
	w.mu.Lock()
	if w.ending || w.program == nil {
		w.mu.Unlock()
		w.writeMu.Unlock()
		callPool.Put(cl)
		return Result{}, ErrNotStarted
	}
	w.next++
	id := w.next
	w.calls[id] = cl
	w.outside, w.toldDropped = volume{}, false
	limit := w.program.ResultBytes
	wait := c.Timeout
	start := time.Now()
	cl.begun = start
	if w.program.Serial {
		if w.order = append(w.order, id); len(w.order) > 1 {
			cl.begun = time.Time{}
			wait = recallAfter
		}
	}
	w.mu.Unlock()

	timer := time.NewTimer(wait)
	defer timer.Stop()
	err := w.writeInvoke(id, c)
	w.writeMu.Unlock()
	if err != nil && w.take(id) != nil {
		// The socket is closed: a whole frame the worker has not got.
		callPool.Put(cl)
		return Result{}, ErrNotStarted
	}

	var a answer
	for answered, recalled := false, false; !answered; {
		select {
		case a = <-cl.done:
			answered = true
		case <-timer.C:
			begun, left := w.remaining(cl, c.Timeout)
			if left > 0 {
				if begun.IsZero() && !recalled {
					recalled = true
					go func() { _ = w.write(wire.AppendEmpty(nil, wire.Recall, id)) }()
				}
				timer.Reset(left)
				continue
			}
			if w.take(id) != nil {
				w.late(c)
				return Result{Run: time.Since(begun), Spent: true}, convoke.Errorf(convoke.CodeTimeout,
					"The function did not answer within %s", c.Timeout)
			}
			a = <-cl.done // the answer came at the same moment
			answered = true
		}
	}
	if !cl.begun.IsZero() {
		start = cl.begun
	}
	dropped := cl.dropped
	callPool.Put(cl)
	if dropped > 0 && a.err == nil {
		w.reportDropped(c.RequestID, dropped)
	}
	if a.failure != nil {
		w.report(c.RequestID, convoke.LevelError, trace(a.failure))
	}
	return w.result(a, time.Since(start), limit)
}

func (w *Worker) result(a answer, run time.Duration, limit int) (Result, error) {
	r := Result{JSON: a.json, Run: run, Own: a.usage.Run, Waited: a.usage.Waited, CPU: a.usage.CPU, PeakMemory: a.usage.PeakMemory, Spent: a.usage.Retire || a.err != nil}
	switch {
	case errors.Is(a.err, ErrNotStarted), errors.Is(a.err, ErrRecalled):
		return Result{}, a.err
	case a.err != nil:
		return r, a.err
	case a.failure != nil:
		return r, invocationError(a.failure)
	case len(a.json) > limit:
		r.JSON = nil
		return r, convoke.Errorf(convoke.CodeLimitReached, "The result has %d bytes; at most %d are allowed. Return less, or a reference to it", len(a.json), limit)
	}
	return r, nil
}

// invocationError is f for the caller, with the stack in the developer's own
// lines as its log.
func invocationError(f *wire.Failure) error {
	e := &convoke.Error{Code: convoke.CodeRuntimeError, Message: f.Summary(), Logs: []convoke.LogEntry{{
		Time: time.Now(), Level: convoke.LevelError, Source: convoke.SourcePlatform, Message: trace(f), Extras: noExtras,
	}}}
	switch f.Kind {
	case "threw":
		// The function's own words, without decoration: a caller may show them.
		e.Code, e.Message = convoke.CodeThrew, f.Message
	case "limit":
		e.Code = convoke.CodeLimitReached
	case "input":
		e.Code = convoke.CodeInvalid
	case "result":
		e.Message = f.Message
	}
	return e
}

// trace is all that is known of a failure, as the log shows it.
func trace(f *wire.Failure) string { return cmp.Or(f.Stack, f.Summary()) }

// remaining says when the call's turn came, the zero time if it has not, and
// how long to wait until looking again; 0 when its deadline has passed.
func (w *Worker) remaining(c *call, timeout time.Duration) (begun time.Time, left time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.begun.IsZero() {
		return c.begun, recallAfter
	}
	return c.begun, max(timeout-time.Since(c.begun), 0)
}

// turn ends the turn of a serial program's invocation and begins the next
// one's. It reports whether it was id's turn.
func (w *Worker) turn(id uint32) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.program == nil {
		return false
	}
	if !w.program.Serial {
		return true
	}
	if len(w.order) == 0 || w.order[0] != id {
		return false
	}
	w.order = append(w.order[:0], w.order[1:]...)
	if len(w.order) > 0 {
		if c := w.calls[w.order[0]]; c != nil {
			c.begun = time.Now()
		}
	}
	return true
}

// take removes a call that nobody has answered; nil when somebody has.
func (w *Worker) take(id uint32) *call {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.calls[id]
	if c != nil {
		delete(w.calls, id)
		w.remember(id, c.requestID)
	}
	return c
}

func (w *Worker) remember(id uint32, requestID string) {
	w.recent[w.ended%recentCalls] = recentCall{id, requestID}
	w.ended++
	w.endedAt = time.Now()
}

// late handles an invocation that passed its deadline: its worker takes
// nothing new; neighbours in it may finish if its event loop still turns.
func (w *Worker) late(c Call) {
	w.mu.Lock()
	w.ending = true
	neighbours := len(w.calls)
	if w.program.Serial {
		neighbours = 0 // they have not begun, and others can run them
	}
	v1 := w.program.Contract == convoke.ContractV1
	w.mu.Unlock()
	text := fmt.Sprintf("The function did not answer within %s and was stopped.", c.Timeout)
	if v1 {
		text = fmt.Sprintf("Lambda did not call callback within execution time limit (%s) and was stopped.", c.Timeout)
	}
	w.report(c.RequestID, convoke.LevelError, text)
	if neighbours == 0 {
		w.kill(ReasonTimeout, "an invocation passed its deadline")
		return
	}
	go w.finishNeighbours()
}

func (w *Worker) finishNeighbours() {
	w.pinged.Add(1)
	go func() { _ = w.write(wire.AppendEmpty(nil, wire.Ping, 0)) }() // a full socket must not hold the verdict
	select {
	case <-w.pong:
	case <-w.done:
		return
	case <-time.After(pongTimeout):
		w.kill(ReasonTimeout, "another invocation blocked the event loop beyond its deadline")
		return
	}
	// Each neighbour has a deadline of its own; the last one to end or to
	// pass it finds no neighbours and kills.
	w.endWhenIdle(ReasonTimeout, "an invocation passed its deadline")
}

func (w *Worker) write(frame []byte) error {
	w.writeMu.Lock()
	defer w.writeMu.Unlock()
	_, err := w.conn.Write(frame)
	return err
}

// writeInvoke writes an invocation; writeMu is held.
func (w *Worker) writeInvoke(id uint32, c Call) error {
	w.out = wire.AppendInvoke(w.out[:0], id, c.RequestID, c.Input)
	// A worker that does not read cannot hold its caller past the deadline:
	// the frame usually fits the socket's buffer, and if not the write ends
	// with the worker.
	if len(w.out) > 64<<10 {
		stop := time.AfterFunc(c.Timeout, func() { w.kill(ReasonTimeout, "it did not read its input") })
		defer stop.Stop()
	}
	_, err := w.conn.Write(w.out)
	if cap(w.out) > 256<<10 {
		w.out = nil // one large payload must not be kept for the worker's life
	}
	return err
}
