package worker

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"
	"time"

	"convoke"
	"convoke/internal/wire"
)

// maxFrame bounds what a worker may send in one frame: a code cache or a
// result at the highest limit an operator can set.
const maxFrame = 32 << 20

// receive reads frames until the socket ends. What a worker sends is hostile
// input: anything that its own code would never send ends it.
func (w *Worker) receive() {
	var ended error
	err := w.raw.Read(func(fd uintptr) bool {
		ended = w.drain(int(fd))
		return ended != nil
	})
	if err = cmp.Or(ended, err); errors.Is(err, wire.ErrMalformed) || errors.Is(err, wire.ErrTooLarge) || errors.Is(err, errUnexpected) {
		w.kill(ReasonProtocol, err.Error())
	}
	// Reading on lets the process die of its own end rather than of a full
	// socket, and takes in nothing.
	_, _ = io.Copy(io.Discard, w.conn)
}

var errUnexpected = errors.New("an unexpected frame")

// drain takes in all frames that have arrived, without waiting for more, and
// returns what ended the stream, if it has ended. Reading the socket directly
// saves a second read per wake-up that would only say that there is no more.
func (w *Worker) drain(fd int) error {
	for {
		space := w.frames.Space()
		n, err := syscall.Read(fd, space)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return nil
		case err != nil:
			return err
		case n == 0:
			return io.EOF
		}
		w.frames.Filled(n)
		for {
			f, ok, err := w.frames.Next()
			if err == nil && ok {
				err = w.handle(f)
			}
			if err != nil {
				return err
			}
			if !ok {
				break
			}
		}
		if n < len(space) {
			return nil // there was no more, and what comes now is announced anew
		}
	}
}

func (w *Worker) handle(f wire.Frame) error {
	switch f.Type {
	case wire.Result, wire.Failed:
		return w.answer(f)
	case wire.Log:
		return w.logged(f)
	case wire.Dropped:
		return w.dropped(f)
	case wire.Dial:
		return w.dial(&w.dials.line, f)
	case wire.Thread:
		return w.thread(f)
	case wire.Call:
		return w.called(&w.dials.line, f)
	case wire.Ready:
		return once(w.ready)
	case wire.Loaded, wire.LoadFailed:
		return w.loadAnswer(f)
	case wire.Recalled:
		return w.recalled(f.ID)
	case wire.Pong:
		if w.pinged.Add(-1) < 0 {
			return errUnexpected
		}
		select {
		case w.pong <- struct{}{}:
		default: // somebody is about to take the one before
		}
		return nil
	case wire.Retire:
		w.retired(string(f.Body[:min(len(f.Body), 200)]))
		return nil
	default:
		return fmt.Errorf("%w of type %d", errUnexpected, f.Type)
	}
}

func once(c chan struct{}) error {
	if isClosed(c) {
		return errUnexpected
	}
	close(c)
	return nil
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (w *Worker) answer(f wire.Frame) error {
	usage, body, err := wire.Answer(f.Body)
	if err != nil {
		return err
	}
	a := answer{usage: usage}
	if f.Type == wire.Failed {
		failure, err := wire.ParseFailure(body)
		if err != nil {
			return err
		}
		a.failure = &failure
	} else {
		// The answer goes into other JSON and to strict readers.
		if !json.Valid(body) {
			return fmt.Errorf("%w: a result that is no JSON", wire.ErrMalformed)
		}
		a.json = slices.Clone(body)
	}
	if usage.Retire {
		w.retired("an exception escaped the function")
	}
	if !w.turn(f.ID) {
		return fmt.Errorf("%w: an answer out of turn", errUnexpected)
	}
	c := w.take(f.ID)
	if c == nil {
		if w.wasRecent(f.ID) {
			return nil // it answered at the moment its deadline passed
		}
		return fmt.Errorf("%w: an answer to no question", errUnexpected)
	}
	c.done <- a
	return nil
}

// wasRecent forgives one answer to a call that is over, no second one.
func (w *Worker) wasRecent(id uint32) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ending && slices.ContainsFunc(w.recent[:], func(r recentCall) bool { return r.id == id && id != 0 })
}

// recalled takes an invocation back that never began.
func (w *Worker) recalled(id uint32) error {
	w.mu.Lock()
	i := slices.Index(w.order, id)
	if i > 0 {
		w.order = slices.Delete(w.order, i, i+1)
	}
	w.mu.Unlock()
	if i < 1 { // its caller is told by the worker's end
		return fmt.Errorf("%w: it gives back what has begun, or what it was not given", errUnexpected)
	}
	c := w.take(id)
	if c == nil {
		return nil // its deadline passed at the same moment
	}
	c.done <- answer{err: ErrRecalled}
	return nil
}

func (w *Worker) loadAnswer(f wire.Frame) error {
	if w.loadAnswered {
		return fmt.Errorf("%w: a second answer to its load", errUnexpected)
	}
	w.loadAnswered = true
	var o loadOutcome
	if f.Type == wire.LoadFailed {
		failure, err := wire.ParseFailure(f.Body)
		if err != nil {
			return err
		}
		o.failure = &failure
	} else {
		meta, cache, err := wire.ParseLoaded(f.Body)
		if err != nil {
			return err
		}
		o.loaded = Loaded{Parameters: meta.Length, Node: meta.Node}
		if len(cache) > 0 {
			o.loaded.CodeCache = slices.Clone(cache)
		}
	}
	w.loaded <- o
	return nil
}

// retired is the worker's own word that it should get nothing new: an
// exception escaped, or the function called process.exit.
func (w *Worker) retired(why string) {
	w.mu.Lock()
	w.ending = true
	first := w.retire == ""
	w.retire = why
	w.mu.Unlock()
	if first {
		go func() {
			// process.exit is under way by itself; give it the time to be told
			// apart from our kill.
			select {
			case <-w.done:
			case <-time.After(100 * time.Millisecond):
				w.endWhenIdle(ReasonRetired, why)
			}
		}()
	}
}

func (w *Worker) logged(f wire.Frame) error {
	e, err := wire.ParseEntry(f.Body)
	if err != nil {
		return err
	}
	entry := convoke.LogEntry{
		Time: e.Time, Level: convoke.LogLevels[e.Level], Source: convoke.SourceConsole,
		Message: string(e.Message), Extras: slices.Clone(e.Extras),
	}
	if e.Platform {
		entry.Source = convoke.SourcePlatform
	}
	w.mu.Lock()
	entry.RequestID = w.requestOf(f.ID)
	spent, invocations := &w.outside, 1+recentCalls
	if c := w.calls[f.ID]; c != nil {
		spent, invocations = &c.logged, 1
	}
	beyond := spent.add(len(f.Body), w.program, invocations)
	w.mu.Unlock()
	if beyond {
		return fmt.Errorf("%w: log entries beyond the limit", errUnexpected)
	}
	w.append(entry)
	return nil
}

// volume counts log entries and their bytes on the socket.
type volume struct{ entries, bytes int }

// add counts an entry and reports whether it is more than the worker's own
// code would send for so many invocations of p. That counts characters, which
// have up to three bytes, and drops what is beyond its limits.
func (v *volume) add(bytes int, p *Program, invocations int) bool {
	v.entries++
	v.bytes += bytes
	if p == nil {
		return false // a blank worker runs nobody's code
	}
	const head = 64 // of an entry, generously
	return v.entries > invocations*p.LogEntries || v.bytes > invocations*(3*p.LogCharacters+head*p.LogEntries)
}

func (w *Worker) dropped(f wire.Frame) error {
	n, err := wire.Count(f.Body)
	if err != nil {
		return err
	}
	w.mu.Lock()
	c := w.calls[f.ID]
	if c != nil {
		c.dropped = n
	}
	tell := c == nil && n == 1 && !w.toldDropped // outside of invocations the first is told at once
	w.toldDropped = w.toldDropped || tell
	w.mu.Unlock()
	if tell {
		w.report("", convoke.LevelWarn, "Further log entries written outside of an invocation are dropped")
	}
	return nil
}
