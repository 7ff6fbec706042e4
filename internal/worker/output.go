package worker

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"convoke"
)

// Bounds of what a process may write to stdout and stderr. They count per
// window and not per invocation, because a pipe does not tell whose line it is.
const (
	maxLine      = 16 << 10
	windowLines  = 500
	windowBytes  = 128 << 10
	windowLength = time.Second
	// windowSkipped is how much beyond that is read at all. To drop bytes costs
	// the server time, too, so whoever writes more waits for the next window.
	windowSkipped = 4 << 20
	tailSize      = 4 << 10
	crashDumpMark = "<--- Last few GCs --->" // Node's own words before it aborts
)

var noExtras = json.RawMessage("[]")

// capture turns a process's stdout and stderr into log entries.
type capture struct {
	w *Worker

	mu      sync.Mutex
	files   []*os.File
	last    []byte // the end of stderr, to explain a crash
	crashed bool   // Node is dumping its state: kept in last, no log entries
	window  time.Time
	lines   int
	bytes   int
	dropped int
	skipped int // bytes read and not looked at
}

func (o *capture) read(f *os.File, source convoke.LogSource) {
	o.mu.Lock()
	o.files = append(o.files, f)
	o.mu.Unlock()
	defer f.Close()
	r := bufio.NewReaderSize(f, maxLine)
	for {
		o.skip(r, source)
		line, err := r.ReadSlice('\n')
		if len(line) > 0 {
			o.line(strings.TrimRight(string(line), "\r\n"), source)
		}
		if err != nil && err != bufio.ErrBufferFull {
			break
		}
	}
	_, _ = io.Copy(io.Discard, f)
}

// skip drops the whole lines that have arrived when the window is full, and
// holds the process back when it writes on and on.
func (o *capture) skip(r *bufio.Reader, source convoke.LogSource) {
	o.mu.Lock()
	left := windowLength - time.Since(o.window)
	if left <= 0 || !o.full() {
		o.mu.Unlock()
		return
	}
	arrived, _ := r.Peek(r.Buffered())
	whole := bytes.LastIndexByte(arrived, '\n') + 1
	if whole > 0 {
		o.dropped += bytes.Count(arrived[:whole], []byte("\n"))
		o.skipped += whole
		if source == convoke.SourceStderr {
			o.keep(string(arrived[:whole-1]))
		}
	}
	hold := o.skipped > windowSkipped
	o.mu.Unlock()
	_, _ = r.Discard(whole) // they are in the buffer
	if hold {
		select {
		case <-time.After(left):
		case <-o.w.dials.gone.Done():
		}
	}
}

// full reports whether the window takes no more lines. mu is held.
func (o *capture) full() bool { return o.lines > windowLines || o.bytes > windowBytes }

// keep remembers the end of stderr. mu is held.
func (o *capture) keep(text string) {
	o.last = append(o.last, text...)
	o.last = append(o.last, '\n')
	if len(o.last) > tailSize {
		o.last = append(o.last[:0], o.last[len(o.last)-tailSize:]...)
	}
	if strings.Contains(text, crashDumpMark) {
		o.crashed = true
	}
}

func (o *capture) line(text string, source convoke.LogSource) {
	o.mu.Lock()
	if source == convoke.SourceStderr {
		o.keep(text)
	}
	if o.crashed || text == "" {
		o.mu.Unlock()
		return
	}
	now := time.Now()
	lost := 0
	if now.Sub(o.window) > windowLength {
		o.window, o.lines, o.bytes, o.skipped, lost, o.dropped = now, 0, 0, 0, o.dropped, 0
	}
	o.lines++
	o.bytes += len(text)
	if o.full() {
		o.dropped++
		o.skipped += len(text)
		o.mu.Unlock()
		return
	}
	o.mu.Unlock()

	if lost > 0 {
		o.w.report(o.w.onlyCall(), convoke.LevelWarn, fmt.Sprintf("%d lines on stdout or stderr were dropped", lost))
	}
	level := convoke.LevelInfo
	if source == convoke.SourceStderr {
		level = convoke.LevelError
	}
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	o.w.append(convoke.LogEntry{RequestID: o.w.onlyCall(), Time: now, Level: level, Source: source, Message: text, Extras: noExtras})
}

// tail is the end of stderr.
func (o *capture) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.last)
}

func (o *capture) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, f := range o.files {
		f.Close()
	}
}

// pipeDelay is how long after an invocation a line on a pipe still counts as
// its: pipes are not ordered with the socket that carries answers.
const pipeDelay = 50 * time.Millisecond

// onlyCall is the request id of the one invocation that can have written a
// line on a pipe: the only one under way, or the one that has just ended; ""
// when there is no telling.
func (w *Worker) onlyCall() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case len(w.calls) == 1:
		for _, c := range w.calls {
			return c.requestID
		}
	case len(w.calls) == 0 && w.ended > 0 && time.Since(w.endedAt) < pipeDelay:
		return w.recent[(w.ended-1)%recentCalls].requestID
	}
	return ""
}

// append hands an entry to the sink, under the function's name. What a blank
// worker writes concerns nobody's function and goes to the server's log.
func (w *Worker) append(e convoke.LogEntry) {
	w.mu.Lock()
	p := w.program
	w.mu.Unlock()
	if p == nil {
		w.fleet.cfg.Logger.Debug("blank worker wrote", "text", e.Message)
		return
	}
	e.AccountID, e.FunctionID, e.Version = p.AccountID, p.FunctionID, p.Version
	w.fleet.pace.wait(p.AccountID)
	w.fleet.cfg.Sink.Append(e)
}

// report writes an entry of the platform's own.
func (w *Worker) report(requestID string, level convoke.LogLevel, text string) {
	w.append(convoke.LogEntry{RequestID: requestID, Time: time.Now(), Level: level, Source: convoke.SourcePlatform, Message: text, Extras: noExtras})
}

func (w *Worker) reportDropped(requestID string, n int) {
	w.mu.Lock()
	entries, chars := w.program.LogEntries, w.program.LogCharacters
	w.mu.Unlock()
	w.report(requestID, convoke.LevelWarn, fmt.Sprintf(
		"%d log entries of this invocation were dropped: at most %d entries and %d characters are kept", n, entries, chars))
}

// explain writes why the worker ended into the log of every invocation that
// it took along, or into the function's own when there was none but the end
// was the function's doing.
func (w *Worker) explain(lost map[uint32]*call, waiting []uint32) {
	e := w.exit
	if e.Reason == ReasonClosed || e.Reason == ReasonLoad || e.Function == "" {
		return
	}
	text := fmt.Sprintf("The instance ended: %s (%s)", e.Reason, e.Detail)
	for id, c := range lost {
		if slices.Contains(waiting, id) {
			continue // another instance will run it
		}
		if c.dropped > 0 {
			w.reportDropped(c.requestID, c.dropped)
		}
		w.report(c.requestID, convoke.LevelError, text)
	}
	if len(lost) == 0 && e.Reason != ReasonTimeout && e.Reason != ReasonRetired {
		w.report("", convoke.LevelError, text)
	}
}
