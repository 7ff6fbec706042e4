// Package runlog takes what functions write from the workers to the store,
// and from there to those who watch.
//
//	worker ─Append─► queue ─batches─► Store ─► live tails (Tail, Follow)
//
// The promise is that no entry is lost: when the store is slow or its disk is
// full, the queue fills and Append waits, which stops the reading of that
// worker's socket and so the function that writes. Only a shutdown that
// cannot store in its time loses entries, counts them and says so.
//
// Fairness is a share: of the queue, which is first in first out, one function
// holds an eighth at most. A function that floods therefore waits for itself,
// and an entry of another stands behind no more than that eighth, a few
// batches.
//
// Records of outbound calls take a way of their own, which keeps no such
// promise: see RecordCall.
package runlog

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"convoke"
	"convoke/internal/telemetry"
)

const (
	share      = 8                     // a function holds 1/share of the queue
	entrySize  = 200                   // an entry's own size in memory, without its texts
	firstRetry = 50 * time.Millisecond // after a failure of the store
	lastRetry  = 5 * time.Second
)

// Store is what a Log needs of the store.
type Store interface {
	convoke.LogStore
	AppendCalls(ctx context.Context, calls []convoke.Call) error
}

// Config is what a Log needs. Zero members take the default.
type Config struct {
	Store     Store                // required
	Logger    *slog.Logger         // none: silent
	Telemetry *telemetry.Telemetry // may be nil

	QueueEntries int           // waiting or being written; 8192
	QueueBytes   int           // of them; 16 MiB
	QueueCalls   int           // calls waiting or being written; 4096
	BatchEntries int           // stored in one transaction; 512
	BatchDelay   time.Duration // how long a batch waits for more; 50 ms
	StopTimeout  time.Duration // for storing the rest when Run ends; 10 s

	Tails       int // live tails at a time; 1000
	TailEntries int // that one live tail may be behind; 1024

	Retention time.Duration // entries, invocations, calls and counters of minutes and hours go after it; 30 days
	Reports   time.Duration // counters of days go after it, but not before the others; 400 days
}

// Log is the way of log entries. Its methods may be called from any goroutine.
type Log struct {
	cfg    Config
	logger *slog.Logger
	tails  tails
	calls  *calls

	arrived chan struct{} // holds a token while something is queued
	hurry   chan struct{} // holds a token when a batch should not wait for more

	mu       sync.Mutex
	changed  sync.Cond // entries were settled, or the log was closed
	queue    []convoke.LogEntry
	held     usage            // by the queue and the batch being written
	heldBy   map[string]usage // the same for each function
	appended int64
	settled  int64
	closed   bool
	failure  error // of the latest attempt to store, nil when it succeeded
}

type usage struct{ entries, bytes int }

// New returns a Log whose entries reach the store while Run runs.
func New(cfg Config) *Log {
	cfg.QueueEntries = cmp.Or(cfg.QueueEntries, 8192)
	cfg.QueueBytes = cmp.Or(cfg.QueueBytes, 16<<20)
	cfg.QueueCalls = cmp.Or(cfg.QueueCalls, 4096)
	cfg.BatchEntries = cmp.Or(cfg.BatchEntries, 512)
	cfg.BatchDelay = cmp.Or(cfg.BatchDelay, 50*time.Millisecond)
	cfg.StopTimeout = cmp.Or(cfg.StopTimeout, 10*time.Second)
	cfg.Tails = cmp.Or(cfg.Tails, 1000)
	cfg.TailEntries = cmp.Or(cfg.TailEntries, 1024)
	cfg.Retention = cmp.Or(cfg.Retention, 30*24*time.Hour)
	cfg.Reports = max(cfg.Retention, cmp.Or(cfg.Reports, 400*24*time.Hour))
	l := &Log{
		cfg:     cfg,
		logger:  cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler)),
		tails:   tails{byAccount: map[string]map[*tail]struct{}{}},
		calls:   newCalls(),
		arrived: make(chan struct{}, 1),
		hurry:   make(chan struct{}, 1),
		heldBy:  map[string]usage{},
	}
	l.changed.L = &l.mu
	return l
}

// Append hands entries over. It returns at once while there is room and waits
// otherwise, until there is or Run has ended; after that entries are dropped
// and counted. The caller must not change an entry's Extras afterwards.
func (l *Log) Append(entries ...convoke.LogEntry) {
	dropped := 0
	for _, e := range entries {
		if !l.push(clean(e)) {
			dropped++
		}
	}
	if dropped > 0 {
		l.cfg.Telemetry.LogsDropped(dropped)
	}
}

// clean makes of e something that every store takes. A worker is not trusted,
// and one entry that a store refuses for good would stop all behind it.
func clean(e convoke.LogEntry) convoke.LogEntry {
	e.Message = text(e.Message)
	if len(e.Extras) == 0 || !utf8.Valid(e.Extras) || e.Extras[0] != '[' || !json.Valid(e.Extras) {
		e.Extras = json.RawMessage("[]")
	}
	return e
}

// text replaces what PostgreSQL does not keep: broken UTF-8 and NUL.
func text(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	return s
}

func (l *Log) push(e convoke.LogEntry) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.closed && !l.room(e.FunctionID) {
		signal(l.hurry)
		l.changed.Wait()
	}
	if l.closed {
		return false
	}
	l.hold(e.FunctionID, 1, size(e))
	l.queue = append(l.queue, e)
	l.appended++
	signal(l.arrived)
	if len(l.queue) == l.cfg.BatchEntries { // once for each batch: a second token would cut the next one short
		signal(l.hurry)
	}
	return true
}

// room reports whether one more entry of the function fits. What is held may
// exceed the bounds by that one entry, so an entry of any size gets in.
func (l *Log) room(functionID string) bool {
	own := l.heldBy[functionID]
	return l.held.entries < l.cfg.QueueEntries && l.held.bytes < l.cfg.QueueBytes &&
		own.entries < max(1, l.cfg.QueueEntries/share) && own.bytes < max(1, l.cfg.QueueBytes/share)
}

func (l *Log) hold(functionID string, entries, bytes int) {
	l.held.entries += entries
	l.held.bytes += bytes
	own := l.heldBy[functionID]
	own.entries += entries
	own.bytes += bytes
	if own.entries == 0 {
		delete(l.heldBy, functionID)
		return
	}
	l.heldBy[functionID] = own
}

func size(e convoke.LogEntry) int { return entrySize + len(e.Message) + len(e.Extras) }

// signal leaves a token in c unless one is there.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Flush waits until every entry appended so far is in the store and with the
// live tails. It returns CodeUnavailable when Run ended before that, or the
// error of ctx.
func (l *Log) Flush(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.changed.Broadcast()
	})
	defer stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for target := l.appended; l.settled < target; {
		if l.closed {
			return convoke.Errorf(convoke.CodeUnavailable, "the server stopped before the log entries were stored")
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		signal(l.hurry)
		l.changed.Wait()
	}
	return nil
}

// Healthy returns nil while entries reach the store, and otherwise an error
// with CodeStorageFull or CodeUnavailable. Nothing is lost meanwhile, but
// functions that log wait.
func (l *Log) Healthy() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.failure == nil:
		return nil
	case convoke.ErrorCode(l.failure) == convoke.CodeStorageFull:
		return &convoke.Error{Code: convoke.CodeStorageFull, Cause: l.failure,
			Message: "log entries cannot be stored because the disk is full; make room, they are kept until then"}
	default:
		return &convoke.Error{Code: convoke.CodeUnavailable, Cause: l.failure,
			Message: "log entries cannot be stored; it is tried again until it works"}
	}
}

// Run stores what is appended and recorded and removes what is old, until ctx
// ends. Then it stores the rest and returns, after StopTimeout at the latest; it
// returns CodeUnavailable when entries were lost by that. Call it once.
func (l *Log) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { l.expire(ctx) })
	wg.Go(func() { l.writeCalls(ctx) })
	return l.write(ctx)
}

func (l *Log) write(ctx context.Context) error {
	// The store works with a context that outlives ctx by the time to stop:
	// a transaction cut short would leave open whether it was stored.
	storing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(l.cfg.StopTimeout, cancel) })
	defer stop()

	batch := make([]convoke.LogEntry, 0, l.cfg.BatchEntries)
	for {
		gather(ctx, l.arrived, l.hurry, l.cfg.BatchDelay)
		batch = l.take(batch)
		if len(batch) == 0 {
			if ctx.Err() != nil && l.closeEmpty() {
				return nil
			}
			continue
		}
		if err := l.store(storing, batch); err != nil {
			return l.abandon(len(batch), err)
		}
		l.tails.publish(batch)
		l.settle(batch)
	}
}

// gather waits for a first entry and then a moment for more. When ctx is over
// it does not wait.
func gather(ctx context.Context, arrived, hurry <-chan struct{}, delay time.Duration) {
	select {
	case <-arrived:
	case <-ctx.Done():
		return
	}
	more := time.NewTimer(delay)
	defer more.Stop()
	select {
	case <-hurry:
	case <-more.C:
	case <-ctx.Done():
	}
}

// take moves the oldest entries from the queue into batch.
func (l *Log) take(batch []convoke.LogEntry) []convoke.LogEntry {
	clear(batch) // lets go of the texts of the batch before
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(len(l.queue), l.cfg.BatchEntries)
	batch = append(batch[:0], l.queue[:n]...)
	l.queue = slices.Delete(l.queue, 0, n)
	if len(l.queue) > 0 {
		signal(l.arrived)
	}
	if len(l.queue) >= l.cfg.BatchEntries {
		signal(l.hurry)
	}
	return batch
}

// store tries until it succeeds or ctx ends, and then returns the last error.
func (l *Log) store(ctx context.Context, batch []convoke.LogEntry) error {
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		err := l.cfg.Store.AppendLogs(ctx, batch)
		l.note(err)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}

// note keeps the health and logs when it changes.
func (l *Log) note(err error) {
	l.mu.Lock()
	before := l.failure
	l.failure = err
	l.mu.Unlock()
	switch {
	case err != nil && before == nil:
		l.logger.Error("log entries cannot be stored; they are kept and functions that log wait", "err", err)
	case err == nil && before != nil:
		l.logger.Info("log entries are stored again")
	}
}

func (l *Log) settle(batch []convoke.LogEntry) {
	l.mu.Lock()
	for _, e := range batch {
		l.hold(e.FunctionID, -1, -size(e))
	}
	l.settled += int64(len(batch))
	l.changed.Broadcast()
	l.mu.Unlock()
	l.cfg.Telemetry.LogsStored(len(batch))
}

// closeEmpty closes the log unless an entry came in meanwhile.
func (l *Log) closeEmpty() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) > 0 {
		return false
	}
	l.closed = true
	l.changed.Broadcast()
	return true
}

// abandon closes the log with entries that could not be stored in time.
func (l *Log) abandon(batch int, cause error) error {
	l.mu.Lock()
	lost := batch + len(l.queue)
	l.queue, l.closed = nil, true
	l.changed.Broadcast()
	l.mu.Unlock()
	l.cfg.Telemetry.LogsDropped(lost)
	err := convoke.Errorf(convoke.CodeUnavailable, "%d log entries are lost: the store did not take them before the server stopped", lost)
	err.Cause = cause
	return err
}
