package runlog

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"convoke"
)

const account = "10000001"

// memory is a LogStore that can be made to fail.
type memory struct {
	mu       sync.Mutex
	entries  []convoke.LogEntry
	batches  []int       // sizes, as they were stored
	deletes  []int       // what each DeleteLogsBefore removed
	unfilled int         // hours that FillTotals has left
	forgets  []time.Time // until when DeleteTotalsBefore was to
	calls    []convoke.Call
	fail     error
	gate     chan struct{} // when not nil, AppendLogs waits for it
}

func (m *memory) AppendLogs(ctx context.Context, entries []convoke.LogEntry) error {
	if m.gate != nil {
		select {
		case <-m.gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	for i := range entries {
		entries[i].Seq = int64(len(m.entries) + 1)
		m.entries = append(m.entries, entries[i])
	}
	m.batches = append(m.batches, len(entries))
	return nil
}

func (m *memory) AppendCalls(ctx context.Context, calls []convoke.Call) error {
	if m.gate != nil {
		select {
		case <-m.gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	m.calls = append(m.calls, calls...)
	return nil
}

func (m *memory) QueryLogs(_ context.Context, accountID string, f convoke.LogFilter) ([]convoke.LogEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	limit := f.Limit
	if limit == 0 {
		limit = 500
	}
	var out []convoke.LogEntry
	for i := range m.entries {
		e := &m.entries[i]
		if !f.Ascending {
			e = &m.entries[len(m.entries)-1-i]
		}
		if e.AccountID == accountID && Match(&f, e) && len(out) < limit {
			out = append(out, *e)
		}
	}
	return out, nil
}

func (m *memory) DeleteLogsBefore(_ context.Context, t time.Time, limit int) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	m.entries = slices.DeleteFunc(m.entries, func(e convoke.LogEntry) bool {
		gone := e.Time.Before(t) && n < limit
		if gone {
			n++
		}
		return gone
	})
	m.deletes = append(m.deletes, n)
	return n, nil
}

func (m *memory) FillTotals(context.Context) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unfilled--
	return m.unfilled > 0, nil
}

func (m *memory) DeleteTotalsBefore(_ context.Context, t time.Time, _ int) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forgets = append(m.forgets, t)
	return 0, nil
}

func (m *memory) failWith(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

func (m *memory) stored() (messages []string, batches []int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		messages = append(messages, e.Message)
	}
	return messages, slices.Clone(m.batches)
}

// line makes an entry of the function.
func line(fn, message string) convoke.LogEntry {
	return convoke.LogEntry{AccountID: account, FunctionID: fn, Time: time.Now().UTC(), Level: convoke.LevelInfo,
		Source: convoke.SourceConsole, Message: message, Extras: json.RawMessage("[]")}
}

func lines(fn string, from, to int) []convoke.LogEntry {
	var out []convoke.LogEntry
	for i := from; i <= to; i++ {
		out = append(out, line(fn, fmt.Sprint(i)))
	}
	return out
}

func messages(from, to int) []string {
	var out []string
	for i := from; i <= to; i++ {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

// start runs l and returns what stops it and gives Run's error.
func start(t *testing.T, l *Log) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() { _ = stop() })
	return stop
}
