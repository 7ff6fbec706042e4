package worker

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
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
	// maxWaiting bounds the dials of a worker that have no answer yet. Its own
	// code asks for no more (runtime/node/egress.cjs).
	maxWaiting = 256
	// keptPlaces is how many connections a worker may report about.
	keptPlaces = 1024
	// maxReports bounds the reports that are taken from a worker in a second.
	maxReports = 1000
	// tellEvery is how often a refusal outside of invocations is logged.
	tellEvery = time.Second
)

// dials are the connections that one worker asked for. Only the goroutine that
// receives starts one, and none is left when the worker is gone.
type dials struct {
	channel net.Conn        // descriptor 4 of the process
	raw     syscall.RawConn // of channel
	gone    context.Context // ends with the process
	end     context.CancelFunc
	open    sync.WaitGroup

	last uint32 // the highest id so far; of the receiving goroutine
	// Reports in the second that began at window; of the receiving goroutine.
	window  time.Time
	reports int

	mu      sync.Mutex // never held together with the worker's
	waiting int
	places  *lru.Cache[uint32, place] // where opened connections lead; nil before the first
	told    time.Time                 // when a refusal outside of invocations was logged last
}

type place struct {
	host string
	port int
}

// dial answers a Dial frame, sooner or later.
func (w *Worker) dial(f wire.Frame) error {
	to, err := wire.ParseDestination(f.Body)
	if err != nil {
		return err
	}
	w.mu.Lock()
	source, requestID := w.source, w.requestOf(to.Invocation)
	w.mu.Unlock()
	if source == nil {
		return fmt.Errorf("%w: a blank worker asks for a connection", errUnexpected)
	}
	if f.ID <= w.dials.last {
		return fmt.Errorf("%w: a dial under a number that was used", errUnexpected)
	}
	w.dials.last = f.ID
	if !w.dials.begin() {
		return fmt.Errorf("%w: more than %d dials at a time", errUnexpected, maxWaiting)
	}
	r := egress.Request{Source: source, RequestID: requestID, Host: to.Host, Port: to.Port, TLS: to.TLS}
	w.dials.open.Go(func() { w.connect(f.ID, to.Invocation, r) })
	return nil
}

func (d *dials) begin() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiting == maxWaiting {
		return false
	}
	d.waiting++
	return true
}

// connect opens the connection and hands it over, or says why not.
func (w *Worker) connect(id, invocation uint32, r egress.Request) {
	file, refusal := w.fleet.cfg.Egress.Open(w.dials.gone, r)
	// Before the answer: the worker may then ask for another.
	w.dials.answered(id, r, refusal == nil)
	if refusal == nil {
		err := w.dials.handOver(id, file)
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
	body, _ := json.Marshal(refusal)                  // texts and a number: it cannot fail
	_ = w.write(wire.AppendDialFailed(nil, id, body)) // it fails when the worker ends, and nobody waits then
}

// answered ends a dial's waiting, and remembers where an open one leads.
func (d *dials) answered(id uint32, r egress.Request, open bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting--
	if !open {
		return
	}
	if d.places == nil {
		d.places, _ = lru.New[uint32, place](keptPlaces) // fails for a size below 1 only
	}
	d.places.Add(id, place{r.Host, r.Port})
}

// handOver sends the worker a connection: its number and its descriptor in one
// message. It never waits: a worker that leaves its channel unread loses what
// does not fit.
func (d *dials) handOver(id uint32, file *os.File) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = conn.Control(func(fd uintptr) {
		// Node takes it as it is, and its loop would hang on a blocking one.
		if sent = syscall.SetNonblock(int(fd), true); sent == nil {
			sent = d.send(binary.LittleEndian.AppendUint32(nil, id), syscall.UnixRights(int(fd)))
		}
	})
	return errors.Join(err, sent)
}

func (d *dials) send(data, rights []byte) error {
	var sent error
	err := d.raw.Write(func(fd uintptr) bool {
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
func (w *Worker) called(f wire.Frame) error {
	x, err := wire.ParseExchange(f.Body)
	if err != nil {
		return err
	}
	if f.ID > w.dials.last || f.ID == 0 {
		return fmt.Errorf("%w: a call over no connection", errUnexpected)
	}
	to, ok := w.dials.place(f.ID)
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

func (d *dials) place(id uint32) (place, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.places == nil {
		return place{}, false
	}
	return d.places.Get(id)
}

// mayReport counts a report. Those beyond the bound are dropped: the proxy
// itself still knows the connection.
func (d *dials) mayReport(now time.Time) bool {
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
