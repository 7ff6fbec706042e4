package runlog

import (
	"context"
	"strings"
	"sync"
	"time"

	"convoke"
)

// Bounds of the texts of a call, in bytes: a function chooses the host, and
// with it what the detail says.
const (
	maxHost   = 255
	maxMethod = 16
	maxDetail = 500
)

// calls is the way of records of outbound calls. They are best effort, where
// log entries are not: the one who records has a connection to serve and
// cannot wait, so what finds no room is dropped and counted. They have a queue
// of their own, which therefore never costs a log entry its place.
type calls struct {
	arrived chan struct{} // holds a token while something is queued
	hurry   chan struct{} // holds a token when a batch should not wait for more

	mu       sync.Mutex
	changed  sync.Cond // calls were settled, or the way was closed
	queue    []convoke.Call
	held     int            // by the queue and the batch being written
	heldBy   map[string]int // the same for each function
	appended int64
	settled  int64 // stored or dropped
	closed   bool
}

func newCalls() *calls {
	c := &calls{arrived: make(chan struct{}, 1), hurry: make(chan struct{}, 1), heldBy: map[string]int{}}
	c.changed.L = &c.mu
	return c
}

// RecordCall hands a call over and returns at once. A call that finds no room,
// because the store is slow or full or because its function holds its share of
// the queue, is dropped and counted, and so is one after Run has ended.
func (l *Log) RecordCall(c convoke.Call) {
	c.Host, c.Method, c.Detail = cut(text(c.Host), maxHost), cut(text(c.Method), maxMethod), cut(text(c.Detail), maxDetail)
	if !l.pushCall(c) {
		l.cfg.Telemetry.CallsDropped(1)
	}
}

// cut shortens s to at most n bytes, between two characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

func (l *Log) pushCall(c convoke.Call) bool {
	q := l.calls
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.held >= l.cfg.QueueCalls || q.heldBy[c.FunctionID] >= max(1, l.cfg.QueueCalls/share) {
		return false
	}
	q.held++
	q.heldBy[c.FunctionID]++
	q.queue = append(q.queue, c)
	q.appended++
	signal(q.arrived)
	if len(q.queue) == l.cfg.BatchEntries {
		signal(q.hurry)
	}
	return true
}

// FlushCalls waits until every call that got room so far is in the store. It
// returns CodeUnavailable when Run ended before that, or the error of ctx.
func (l *Log) FlushCalls(ctx context.Context) error {
	q := l.calls
	stop := context.AfterFunc(ctx, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.changed.Broadcast()
	})
	defer stop()
	q.mu.Lock()
	defer q.mu.Unlock()
	for target := q.appended; q.settled < target; {
		if q.closed {
			return convoke.Errorf(convoke.CodeUnavailable, "the server stopped before the records of calls were stored")
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		signal(q.hurry)
		q.changed.Wait()
	}
	return nil
}

// writeCalls stores what is recorded until ctx ends, and then the rest, for
// StopTimeout at most.
func (l *Log) writeCalls(ctx context.Context) {
	storing, cancel := context.WithCancel(context.WithoutCancel(ctx)) // as in write
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(l.cfg.StopTimeout, cancel) })
	defer stop()

	q := l.calls
	var batch []convoke.Call
	for {
		gather(ctx, q.arrived, q.hurry, l.cfg.BatchDelay)
		batch = q.take(batch, l.cfg.BatchEntries)
		if len(batch) == 0 {
			if ctx.Err() != nil && q.close(false) == 0 {
				return
			}
			continue
		}
		if err := l.storeCalls(storing, batch); err != nil {
			l.cfg.Telemetry.CallsDropped(len(batch) + q.close(true))
			return
		}
		l.cfg.Telemetry.CallsStored(len(batch))
		q.settle(batch)
	}
}

// take moves the oldest calls from the queue into batch, at most limit.
func (q *calls) take(batch []convoke.Call, limit int) []convoke.Call {
	clear(batch) // lets go of the texts of the batch before
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.queue), limit)
	batch = append(batch[:0], q.queue[:n]...)
	q.queue = append(q.queue[:0], q.queue[n:]...)
	if len(q.queue) > 0 {
		signal(q.arrived)
	}
	if len(q.queue) >= limit {
		signal(q.hurry)
	}
	return batch
}

// storeCalls tries until it succeeds or ctx ends, and then returns the last
// error. It logs when storing begins to fail and when it works again.
func (l *Log) storeCalls(ctx context.Context, batch []convoke.Call) error {
	failed := false
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		err := l.cfg.Store.AppendCalls(ctx, batch)
		switch {
		case err == nil && failed:
			l.logger.Info("records of calls are stored again")
			return nil
		case err == nil:
			return nil
		case !failed:
			failed = true
			l.logger.Error("records of calls cannot be stored; some are kept, more are dropped", "err", err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}

func (q *calls) settle(batch []convoke.Call) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range batch {
		q.held--
		fn := batch[i].FunctionID
		if q.heldBy[fn]--; q.heldBy[fn] == 0 {
			delete(q.heldBy, fn)
		}
	}
	q.settled += int64(len(batch))
	q.changed.Broadcast()
}

// close says how many calls are queued, and takes no more if there are none or
// they are given up.
func (q *calls) close(giveUp bool) (queued int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	queued = len(q.queue)
	if queued > 0 && !giveUp {
		return queued
	}
	q.queue, q.closed = nil, true
	q.changed.Broadcast()
	return queued
}
