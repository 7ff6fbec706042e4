package httpx

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"runtime/debug"
	"time"
)

// Event is one message of an event stream.
type Event struct {
	ID   string // what the client sends as Last-Event-ID when it comes back
	Name string // "" is "message"
	Data []byte // one line
}

// streamWrite is how long a client may take to accept a batch before it is
// given up: a stalled reader must not hold its source.
const streamWrite = 10 * time.Second

// refusalTime is how long a stream waits for its source to refuse before it
// begins.
const refusalTime = 50 * time.Millisecond

// burst is how many events go out in one write at most.
const burst = 64

// ServeEvents sends what source emits to the client as a text/event-stream
// until source returns, the client leaves, or the server drains: then it says
// "end" and the client comes back to another server by itself. The context of
// source ends with the stream, and ServeEvents returns after source has.
//
// An error with which source refuses at once is returned and becomes an
// ordinary answer. A later one is sent as an event "error" with the body it
// would have had, and stands in the log line.
func (e *Edge) ServeEvents(w http.ResponseWriter, r *http.Request, source func(ctx context.Context, emit func(Event) error) error) error {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	events := make(chan Event, burst)
	ended := make(chan error, 1)
	go func() {
		defer close(events)
		ended <- caught(func() error { return source(ctx, into(ctx, events)) })
	}()

	s := stream{w: w, control: http.NewResponseController(w)}
	s.buf.WriteString("retry: 1000\n\n")
	select {
	case ev, open := <-events:
		if open {
			s.add(ev)
		} else if err := <-ended; err != nil {
			return err
		} else {
			ended <- nil
		}
	case <-time.After(refusalTime):
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // reverse proxies would wait for the end otherwise
	w.WriteHeader(http.StatusOK)
	defer func() { _ = s.control.SetWriteDeadline(time.Time{}) }() // the connection may serve another request
	complete := e.pump(&s, r, events)
	cancel()
	err := <-ended
	if !complete || err == nil {
		return nil // what source says when it is cut off is no failure
	}
	x := exchangeOf(w)
	body, merr := json.Marshal(e.body(r, x.note(r, err), x.errorID))
	if merr != nil {
		return merr
	}
	s.add(Event{Name: "error", Data: body})
	s.flush()
	return nil
}

// into is an emit that waits for room.
func into(ctx context.Context, events chan<- Event) func(Event) error {
	return func(ev Event) error {
		select {
		case events <- ev:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// caught makes a panic of f its error: in a goroutine of its own it would end
// the process.
func caught(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panicError{v, debug.Stack()}
		}
	}()
	return f()
}

// pump sends events until they end, and reports whether they did.
func (e *Edge) pump(s *stream, r *http.Request, events <-chan Event) bool {
	beat := time.NewTicker(e.heartbeat)
	defer beat.Stop()
	for s.flush() {
		select {
		case <-r.Context().Done():
			return false
		case <-e.drain:
			s.add(Event{Name: "end", Data: []byte("the server is stopping")})
			s.flush()
			return false
		case <-beat.C:
			s.buf.WriteString(":\n\n")
		case ev, open := <-events:
			if open = open && s.addAll(ev, events); !open {
				return s.flush()
			}
		}
	}
	return false
}

type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	buf     bytes.Buffer
}

// addAll adds ev and what else is there already, so that a burst costs one
// write; false when events is closed.
func (s *stream) addAll(ev Event, events <-chan Event) bool {
	s.add(ev)
	for range burst {
		select {
		case ev, open := <-events:
			if !open {
				return false
			}
			s.add(ev)
		default:
			return true
		}
	}
	return true
}

func (s *stream) add(ev Event) {
	if ev.ID != "" {
		s.buf.WriteString("id: " + ev.ID + "\n")
	}
	if ev.Name != "" {
		s.buf.WriteString("event: " + ev.Name + "\n")
	}
	for line := range bytes.SplitSeq(ev.Data, []byte{'\n'}) {
		s.buf.WriteString("data: ")
		s.buf.Write(line)
		s.buf.WriteByte('\n')
	}
	s.buf.WriteByte('\n')
}

// flush sends what is buffered and reports whether the client still takes it.
func (s *stream) flush() bool {
	// A server without deadlines does not need this one: its error is no reason to stop.
	_ = s.control.SetWriteDeadline(time.Now().Add(streamWrite))
	_, err := s.buf.WriteTo(s.w)
	if err == nil {
		err = s.control.Flush()
	}
	return err == nil
}
