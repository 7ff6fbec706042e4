package runlog

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"convoke"
)

// replayPage is how many entries Follow reads from the store at a time.
const replayPage = 500

// tails are those who watch. Publishing never waits for them.
type tails struct {
	mu        sync.RWMutex
	byAccount map[string]map[*tail]struct{}
	count     int
}

// tail is one who watches. What it has not read yet is kept up to limit
// entries and only counted beyond, until the next read takes all: what is kept
// has no hole, and what is missed comes after it.
type tail struct {
	filter convoke.LogFilter
	limit  int
	wake   chan struct{} // holds a token when there is something to read

	mu      sync.Mutex
	entries []convoke.LogEntry
	missed  int
}

// Tail calls emit with each entry of the account that matches the filter and
// is stored after the call began. When emit is so slow that entries do not fit
// into its buffer it gets, in their place, one entry of the platform without
// Seq that says how many were left out. Tail ends with the error of ctx or of
// emit, or returns CodeThrottled when too many watch already. The filter's
// Limit and Ascending mean nothing here.
func (l *Log) Tail(ctx context.Context, accountID string, filter convoke.LogFilter, emit func(convoke.LogEntry) error) error {
	t, leave, err := l.watch(accountID, filter)
	if err != nil {
		return err
	}
	defer leave()
	var entries []convoke.LogEntry
	for {
		var missed int
		if entries, missed, err = t.next(ctx, entries); err != nil {
			return err
		}
		for _, e := range entries {
			if err := emit(e); err != nil {
				return err
			}
		}
		if missed > 0 {
			if err := emit(gap(accountID, filter, missed)); err != nil {
				return err
			}
		}
	}
}

func gap(accountID string, filter convoke.LogFilter, missed int) convoke.LogEntry {
	return convoke.LogEntry{
		AccountID: accountID, FunctionID: filter.FunctionID, RequestID: filter.RequestID,
		Time: time.Now().UTC(), Level: convoke.LevelWarn, Source: convoke.SourcePlatform,
		Message: fmt.Sprintf("%d entries came faster than they were read and are left out here; search the log to see them", missed),
		Extras:  json.RawMessage("[]"),
	}
}

// Follow calls emit with the stored entries of the account that match the
// filter, in order of Seq and from AfterSeq on, and then with each new one as
// it is stored: without a gap and without a duplicate, so that a stream can be
// resumed after the Seq of its last entry. A positive Limit starts with that
// many of the newest. When emit is slow Follow catches up from the store.
// Follow ends with the error of ctx, of emit or of the store, or returns
// CodeThrottled when too many watch already.
func (l *Log) Follow(ctx context.Context, accountID string, filter convoke.LogFilter, emit func(convoke.LogEntry) error) error {
	// Watching begins before the first query: what is stored between the two
	// comes both ways, and its Seq tells.
	t, leave, err := l.watch(accountID, filter)
	if err != nil {
		return err
	}
	defer leave()
	r := replay{store: l.cfg.Store, accountID: accountID, filter: filter, last: filter.AfterSeq, emit: emit}
	if filter.Limit > 0 {
		err = r.newest(ctx)
	}
	if err == nil {
		err = r.rest(ctx)
	}
	if err != nil {
		return err
	}
	var entries []convoke.LogEntry
	for {
		var missed int
		if entries, missed, err = t.next(ctx, entries); err != nil {
			return err
		}
		if err := r.pass(entries); err != nil {
			return err
		}
		if missed > 0 {
			if err := r.rest(ctx); err != nil {
				return err
			}
		}
	}
}

// replay emits stored entries in order and remembers how far it is.
type replay struct {
	store     convoke.LogStore
	accountID string
	filter    convoke.LogFilter
	last      int64 // Seq up to which all was emitted
	emit      func(convoke.LogEntry) error
}

// newest emits the newest entries, as many as the filter's limit.
func (r *replay) newest(ctx context.Context) error {
	f := r.filter
	f.Ascending = false
	entries, err := r.store.QueryLogs(ctx, r.accountID, f)
	if err != nil {
		return err
	}
	slices.Reverse(entries)
	return r.pass(entries)
}

// rest emits all that is stored after the last.
func (r *replay) rest(ctx context.Context) error {
	f := r.filter
	f.Ascending, f.Limit = true, replayPage
	for {
		f.AfterSeq = r.last
		entries, err := r.store.QueryLogs(ctx, r.accountID, f)
		if err != nil {
			return err
		}
		if err := r.pass(entries); err != nil {
			return err
		}
		if len(entries) < replayPage {
			return nil
		}
	}
}

// pass emits those of entries that come after the last.
func (r *replay) pass(entries []convoke.LogEntry) error {
	for _, e := range entries {
		if e.Seq <= r.last {
			continue
		}
		if err := r.emit(e); err != nil {
			return err
		}
		r.last = e.Seq
	}
	return nil
}

func (l *Log) watch(accountID string, filter convoke.LogFilter) (t *tail, leave func(), err error) {
	filter.Text = strings.ToLower(filter.Text) // once here, not for each entry
	t = &tail{filter: filter, limit: l.cfg.TailEntries, wake: make(chan struct{}, 1)}
	if !l.tails.add(accountID, t, l.cfg.Tails) {
		return nil, nil, &convoke.Error{Code: convoke.CodeThrottled, RetryAfter: 5 * time.Second,
			Message: fmt.Sprintf("%d live logs are being watched already; close one or try again later", l.cfg.Tails)}
	}
	return t, func() { l.tails.remove(accountID, t) }, nil
}

func (s *tails) add(accountID string, t *tail, limit int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count >= limit {
		return false
	}
	if s.byAccount[accountID] == nil {
		s.byAccount[accountID] = map[*tail]struct{}{}
	}
	s.byAccount[accountID][t] = struct{}{}
	s.count++
	return true
}

func (s *tails) remove(accountID string, t *tail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byAccount[accountID], t)
	if len(s.byAccount[accountID]) == 0 {
		delete(s.byAccount, accountID)
	}
	s.count--
}

// publish hands stored entries to those who watch for them.
func (s *tails) publish(entries []convoke.LogEntry) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.count == 0 {
		return
	}
	for i := range entries {
		for t := range s.byAccount[entries[i].AccountID] {
			t.offer(&entries[i])
		}
	}
}

func (t *tail) offer(e *convoke.LogEntry) {
	if !Match(&t.filter, e) {
		return
	}
	t.mu.Lock()
	if len(t.entries) >= t.limit {
		t.missed++
	} else {
		t.entries = append(t.entries, *e)
	}
	t.mu.Unlock()
	signal(t.wake)
}

// next waits for something to read. It gives the kept entries and how many
// were missed after them, and takes read, which the caller is done with, to
// fill next.
func (t *tail) next(ctx context.Context, read []convoke.LogEntry) (entries []convoke.LogEntry, missed int, err error) {
	select {
	case <-t.wake:
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	clear(read)
	t.mu.Lock()
	defer t.mu.Unlock()
	entries, missed = t.entries, t.missed
	t.entries, t.missed = read[:0], 0
	return entries, missed, nil
}
