package worker

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"convoke"
	"convoke/internal/egress"
	"convoke/internal/wire"
)

// Egress opens the connections that functions ask for.
type Egress interface {
	// Open returns a connected stream socket, which the caller closes, or why
	// there is none. It returns soon after ctx has ended.
	Open(ctx context.Context, r egress.Request) (*os.File, *egress.Refusal)
	// Report takes what a worker says of one request over a connection that
	// Open returned. It must not block.
	Report(src *egress.Source, c convoke.Call)
}

// noEgress is the Egress of a fleet that was given none.
type noEgress struct{}

func (noEgress) Open(_ context.Context, r egress.Request) (*os.File, *egress.Refusal) {
	return nil, &egress.Refusal{
		Code: "ERR_EGRESS_REFUSED", Status: 403, Outcome: convoke.CallRefused, Tell: true,
		Message: fmt.Sprintf("The call to %s was refused: functions cannot make calls on this server", r.Host),
	}
}

func (noEgress) Report(*egress.Source, convoke.Call) {}

const (
	// maxWaiting bounds the dials of a thread that have no answer yet. The
	// worker's own code asks for no more (runtime/node/egress.cjs).
	maxWaiting = 256
	// maxWaitingAll bounds those of all threads of a worker, of which none can
	// know how many that are: more are refused.
	maxWaitingAll = 1024
	// maxThreads bounds the threads of a worker that can make calls, beside
	// its first.
	maxThreads = 32
	// maxThreadFrame is more than the longest Dial or Call.
	maxThreadFrame = 1 << 10
	// keptPlaces is how many connections a worker may report about.
	keptPlaces = 1024
	// maxReports bounds the reports that are taken from a worker in a second.
	maxReports = 1000
	// tellEvery is how often a refusal outside of invocations is logged.
	tellEvery = time.Second
)

// dials are the connections that one worker asked for. None is left when the
// worker is gone.
type dials struct {
	line                 // of its first thread, descriptor 4 of the process
	gone context.Context // ends with the process
	end  context.CancelFunc
	open sync.WaitGroup

	mu      sync.Mutex // never held together with the worker's
	all     int        // dials that wait, of all threads
	threads int        // lines of threads that are open
	told    time.Time  // when a refusal outside of invocations was logged last
	// Reports in the second that began at window.
	window  time.Time
	reports int
}

// line is the way on which a thread of a worker is handed connections. Only
// the goroutine that receives what the thread asks for starts a dial.
type line struct {
	channel net.Conn
	raw     syscall.RawConn // of channel
	thread  bool            // whether it is of a thread beside the first; see serve

	last    uint32 // the highest id so far; of the receiving goroutine
	waiting int    // guarded by dials.mu

	mu     sync.Mutex
	places *lru.Cache[uint32, place] // where opened connections lead; nil before the first
}

type place struct {
	host string
	port int
}

// dial answers a Dial frame, sooner or later.
func (w *Worker) dial(l *line, f wire.Frame) error {
	to, err := wire.ParseDestination(f.Body)
	if err != nil {
		return err
	}
	source, requestID, err := w.ask(l, f.ID, to.Invocation)
	if err != nil {
		return err
	}
	r := egress.Request{Source: source, RequestID: requestID, Host: to.Host, Port: to.Port, TLS: to.TLS}
	if w.dials.crowded() {
		w.dials.open.Go(func() { // the receiving goroutine must not wait for the worker
			w.dials.answered(l)
			w.refuse(l, f.ID, &egress.Refusal{Code: "ERR_EGRESS_LIMITED", Status: 429, Message: fmt.Sprintf(
				"The call to %s was refused: the threads of the function are opening %d connections; make fewer calls at a time", r.Host, maxWaitingAll)})
		})
		return nil
	}
	w.dials.open.Go(func() { w.connect(l, f.ID, to.Invocation, r) })
	return nil
}

// ask takes up what the function asks for under a new id, and says for whom.
func (w *Worker) ask(l *line, id, invocation uint32) (*egress.Source, string, error) {
	w.mu.Lock()
	source, requestID := w.source, w.requestOf(invocation)
	w.mu.Unlock()
	if source == nil {
		return nil, "", fmt.Errorf("%w: a blank worker asks for a connection", errUnexpected)
	}
	if id <= l.last {
		return nil, "", fmt.Errorf("%w: a dial under a number that was used", errUnexpected)
	}
	l.last = id
	if !w.dials.begin(l) {
		return nil, "", fmt.Errorf("%w: more than %d dials at a time", errUnexpected, maxWaiting)
	}
	return source, requestID, nil
}

func (d *dials) begin(l *line) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l.waiting == maxWaiting {
		return false
	}
	l.waiting++
	d.all++
	return true
}

// crowded reports whether more dials wait than may.
func (d *dials) crowded() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.all > maxWaitingAll
}

// thread answers a Thread frame with a line for another thread of the worker.
func (w *Worker) thread(f wire.Frame) error {
	if len(f.Body) > 0 {
		return fmt.Errorf("%w: a thread with a body", errUnexpected)
	}
	if _, _, err := w.ask(&w.dials.line, f.ID, 0); err != nil {
		return err
	}
	w.dials.open.Go(func() {
		ours, err := w.dials.newLine()
		w.dials.answered(&w.dials.line)
		if err != nil {
			w.refuse(&w.dials.line, f.ID, &egress.Refusal{Code: "ERR_EGRESS_LIMITED", Status: 429, Message: err.Error()})
			return
		}
		defer w.dials.closeLine(ours)
		if err := w.dials.handOver(f.ID, ours.theirs); err != nil {
			w.refuse(&w.dials.line, f.ID, &egress.Refusal{Code: "ERR_EGRESS_LIMITED", Status: 429, Message: err.Error()})
			return
		}
		ours.theirs.Close()
		if err := w.serve(ours.line); err != nil && !errors.Is(err, io.EOF) && w.dials.gone.Err() == nil {
			w.kill(ReasonProtocol, err.Error())
		}
	})
	return nil
}

// threadLine is a line that is to be handed to a thread.
type threadLine struct {
	*line
	theirs *os.File
}

func (d *dials) newLine() (*threadLine, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.threads == maxThreads {
		return nil, fmt.Errorf("%d threads can make calls at a time; use fewer, or make the call in the first", maxThreads)
	}
	ours := &threadLine{line: &line{thread: true}}
	var err error
	if ours.channel, ours.raw, ours.theirs, err = inheritable(); err != nil {
		return nil, fmt.Errorf("the server has no socket for the thread: %w", err)
	}
	d.threads++
	return ours, nil
}

func (d *dials) closeLine(l *threadLine) {
	l.channel.Close()
	l.theirs.Close() // again, at most
	d.mu.Lock()
	d.threads--
	d.mu.Unlock()
}

// serve reads what a thread asks for until that ends. A thread writes frames
// like the worker's own, Dial and Call; it is answered in frames, and a
// connection comes along with one.
func (w *Worker) serve(l *line) error {
	stop := context.AfterFunc(w.dials.gone, func() { l.channel.Close() })
	defer stop()
	frames := wire.NewReader(maxThreadFrame)
	for {
		n, err := l.channel.Read(frames.Space())
		if err != nil {
			if errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET) {
				return io.EOF
			}
			return err
		}
		frames.Filled(n)
		for {
			f, ok, err := frames.Next()
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			switch f.Type {
			case wire.Dial:
				err = w.dial(l, f)
			case wire.Call:
				err = w.called(l, f)
			default:
				err = fmt.Errorf("%w of type %d from a thread", errUnexpected, f.Type)
			}
			if err != nil {
				return err
			}
		}
	}
}

// connect opens the connection and hands it over, or says why not.
func (w *Worker) connect(l *line, id, invocation uint32, r egress.Request) {
	file, refusal := w.fleet.cfg.Egress.Open(w.dials.gone, r)
	// Before the answer: the worker may then ask for another.
	w.dials.answered(l)
	if refusal == nil {
		l.leads(id, r)
		err := l.handOver(id, file)
		file.Close()
		if err == nil {
			return
		}
		refusal = &egress.Refusal{
			Code: "ERR_EGRESS_LIMITED", Status: 429, Outcome: convoke.CallLimited,
			Message: fmt.Sprintf("The connection to %s was lost on its way to the function (%v); make fewer calls at a time", r.Host, err),
		}
	}
	if w.dials.gone.Err() != nil {
		return
	}
	if refusal.Tell {
		w.tell(invocation, r.RequestID, refusal.Message)
	}
	w.refuse(l, id, refusal)
}

func (w *Worker) refuse(l *line, id uint32, refusal *egress.Refusal) {
	body, _ := json.Marshal(refusal) // texts and a number: it cannot fail
	frame := wire.AppendDialFailed(nil, id, body)
	if l.thread {
		_ = l.send(frame, nil) // it fails when the thread ends, or leaves its line unread
		return
	}
	_ = w.write(frame) // it fails when the worker ends, and nobody waits then
}

// answered ends a dial's waiting.
func (d *dials) answered(l *line) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l.waiting--
	d.all--
}

// leads remembers where an open connection does.
func (l *line) leads(id uint32, r egress.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.places == nil {
		l.places, _ = lru.New[uint32, place](keptPlaces) // fails for a size below 1 only
	}
	l.places.Add(id, place{r.Host, r.Port})
}

// handOver sends a thread a connection: its number and its descriptor in one
// message. It never waits: a worker that leaves its channel unread loses what
// does not fit.
func (l *line) handOver(id uint32, file *os.File) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = conn.Control(func(fd uintptr) {
		// Node takes it as it is, and its loop would hang on a blocking one.
		if sent = syscall.SetNonblock(int(fd), true); sent == nil {
			message := binary.LittleEndian.AppendUint32(nil, id)
			if l.thread {
				message = wire.AppendEmpty(nil, wire.Connected, id)
			}
			sent = l.send(message, syscall.UnixRights(int(fd)))
		}
	})
	return errors.Join(err, sent)
}

func (l *line) send(data, rights []byte) error {
	var sent error
	err := l.raw.Write(func(fd uintptr) bool {
		for {
			sent = syscall.Sendmsg(int(fd), data, rights, nil, 0)
			if !errors.Is(sent, syscall.EINTR) {
				return true
			}
		}
	})
	return errors.Join(err, sent)
}

// tell writes a refusal to the function's log, within the bounds that the log
// of an invocation has.
func (w *Worker) tell(invocation uint32, requestID, message string) {
	w.mu.Lock()
	c := w.calls[invocation]
	within := c != nil && c.told < w.program.LogEntries
	if within {
		c.told++
	}
	w.mu.Unlock()
	if c == nil {
		w.dials.mu.Lock()
		if within = time.Since(w.dials.told) >= tellEvery; within {
			w.dials.told = time.Now()
		}
		w.dials.mu.Unlock()
	}
	if within {
		w.report(requestID, convoke.LevelWarn, message)
	}
}

// called takes a report of a request.
func (w *Worker) called(l *line, f wire.Frame) error {
	x, err := wire.ParseExchange(f.Body)
	if err != nil {
		return err
	}
	if f.ID > l.last || f.ID == 0 {
		return fmt.Errorf("%w: a call over no connection", errUnexpected)
	}
	to, ok := l.place(f.ID)
	now := time.Now()
	if !ok || !w.dials.mayReport(now) {
		return nil // refused, or long ago
	}
	w.mu.Lock()
	source, requestID := w.source, w.requestOf(x.Invocation)
	w.mu.Unlock()
	c := convoke.Call{
		RequestID: requestID, At: now.Add(-x.Took), Host: to.host, Port: to.port,
		Method: x.Method, Status: x.Status, Sent: x.Sent, Received: x.Received, Took: x.Took,
		Outcome: convoke.CallOK, Detail: x.Detail,
	}
	if x.Detail != "" {
		c.Outcome = convoke.CallFailed
	}
	w.fleet.cfg.Egress.Report(source, c)
	return nil
}

func (l *line) place(id uint32) (place, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.places == nil {
		return place{}, false
	}
	return l.places.Get(id)
}

// mayReport counts a report. Those beyond the bound are dropped: the proxy
// itself still knows the connection.
func (d *dials) mayReport(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now.Sub(d.window) >= time.Second {
		d.window, d.reports = now, 0
	}
	d.reports++
	return d.reports <= maxReports
}

// requestOf is the request id of an invocation that is under way or has lately
// ended, "" of any other. mu is held.
func (w *Worker) requestOf(id uint32) string {
	if c := w.calls[id]; c != nil {
		return c.requestID
	}
	for _, r := range w.recent {
		if r.id == id && id != 0 {
			return r.requestID
		}
	}
	return ""
}
