package runlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"convoke"
)

func TestBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		l := New(Config{Store: store, BatchEntries: 10})
		defer start(t, l)()

		l.Append(lines("f", 1, 3)...)
		time.Sleep(49 * time.Millisecond)
		l.Append(line("f", "4"))
		synctest.Wait()
		if got, _ := store.stored(); got != nil {
			t.Errorf("after 49 ms %q are stored, want to wait for more", got)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if got, _ := store.stored(); !cmp.Equal(got, messages(1, 4)) {
			t.Errorf("after 50 ms %q are stored", got)
		}

		// A full batch does not wait; the rest of it waits its own time.
		l.Append(lines("f", 5, 17)...)
		synctest.Wait()
		if got, _ := store.stored(); !cmp.Equal(got, messages(1, 14)) {
			t.Errorf("with a full batch %q are stored", got)
		}
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
		got, batches := store.stored()
		if !cmp.Equal(got, messages(1, 17)) || !cmp.Equal(batches, []int{4, 10, 3}) {
			t.Errorf("in the end %q are stored in batches %v", got, batches)
		}
	})
}

func TestFloodWaitsForItself(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		cfg     Config
		message string
	}{
		"entries": {Config{QueueEntries: 4 * share}, "x"},
		"bytes":   {Config{QueueBytes: share * 4 * (entrySize + 1000)}, strings.Repeat("x", 1000)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := &memory{gate: make(chan struct{})}
				tt.cfg.Store = store
				l := New(tt.cfg)
				defer start(t, l)()

				var flooded atomic.Int64
				go func() {
					for range 100 {
						l.Append(line("flood", tt.message))
						flooded.Add(1)
					}
				}()
				synctest.Wait()
				if got := flooded.Load(); got != 4 {
					t.Errorf("a flood of one function got %d entries in, want its share of 4", got)
				}
				quiet := make(chan struct{})
				go func() {
					l.Append(line("quiet", "here"))
					close(quiet)
				}()
				synctest.Wait()
				select {
				case <-quiet:
				default:
					t.Error("another function waits behind the flood")
				}

				close(store.gate)
				time.Sleep(time.Minute)
				synctest.Wait()
				got, _ := store.stored()
				if flooded.Load() != 100 || len(got) != 101 {
					t.Errorf("%d of 100 came in and %d of 101 are stored", flooded.Load(), len(got))
				}
				for i, m := range got {
					if m == "here" && i > 2*4 {
						t.Errorf("the other function's entry is number %d, want it behind one share at most", i+1)
					}
				}
			})
		})
	}
}

func TestFullQueueMakesAllWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &memory{gate: make(chan struct{})}
		l := New(Config{Store: store, QueueEntries: 2 * share})
		defer start(t, l)()
		var in atomic.Int64
		for i := range 4 * share {
			go func() {
				l.Append(line(fmt.Sprint("f", i), "x"))
				in.Add(1)
			}()
		}
		synctest.Wait()
		if got := in.Load(); got != 2*share {
			t.Errorf("%d entries came in, want %d", got, 2*share)
		}
		close(store.gate)
		synctest.Wait()
		if got := in.Load(); got != 4*share {
			t.Errorf("%d entries came in after the store worked, want %d", got, 4*share)
		}
	})
}

func TestEntryLargerThanTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		l := New(Config{Store: store, QueueBytes: 100})
		defer start(t, l)()
		l.Append(line("f", strings.Repeat("x", 1000)), line("f", "y"))
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, _ := store.stored(); len(got) != 2 {
			t.Errorf("%d entries are stored, want 2", len(got))
		}
	})
}

func TestStoreFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fail error
		want convoke.Code
	}{
		{errors.New("disk went away"), convoke.CodeUnavailable},
		{convoke.Errorf(convoke.CodeStorageFull, "the disk is full"), convoke.CodeStorageFull},
	} {
		t.Run(string(tt.want), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := &memory{}
				l := New(Config{Store: store, QueueEntries: 10 * share})
				defer start(t, l)()
				if err := l.Healthy(); err != nil {
					t.Errorf("healthy at first: %v", err)
				}
				store.failWith(tt.fail)
				var in atomic.Int64
				go func() {
					for _, e := range lines("f", 1, 30) {
						l.Append(e)
						in.Add(1)
					}
				}()
				time.Sleep(time.Hour)
				synctest.Wait()
				err := l.Healthy()
				if convoke.ErrorCode(err) != tt.want || !errors.Is(err, tt.fail) {
					t.Errorf("health while the store fails: %v, want %s", err, tt.want)
				}
				if in.Load() != 10 {
					t.Errorf("%d entries are kept, want the share of 10", in.Load())
				}
				store.failWith(nil)
				time.Sleep(time.Minute)
				synctest.Wait()
				if err := l.Healthy(); err != nil {
					t.Errorf("health after the store works again: %v", err)
				}
				if got, _ := store.stored(); !cmp.Equal(got, messages(1, 30)) {
					t.Errorf("stored: %q, want all in order", got)
				}
			})
		})
	}
}

func TestFlush(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		l := New(Config{Store: store, BatchEntries: 3})
		stop := start(t, l)
		if err := l.Flush(t.Context()); err != nil {
			t.Errorf("flush of nothing: %v", err)
		}

		before := time.Now()
		l.Append(lines("f", 1, 8)...)
		if err := l.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		if got, _ := store.stored(); len(got) != 8 {
			t.Errorf("after a flush %d entries are stored, want 8", len(got))
		}
		if took := time.Since(before); took != 0 {
			t.Errorf("the flush waited %v for more entries", took)
		}

		store.failWith(errors.New("down"))
		l.Append(line("f", "9"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("flush while the store is down: %v, want the deadline", err)
		}
		flushed := make(chan error, 1)
		go func() { flushed <- l.Flush(t.Context()) }()
		synctest.Wait()
		_ = stop()
		if err := <-flushed; convoke.ErrorCode(err) != convoke.CodeUnavailable {
			t.Errorf("flush of what was lost: %v, want %s", err, convoke.CodeUnavailable)
		}
	})
}

func TestStopStoresTheRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &memory{gate: make(chan struct{})}
		l := New(Config{Store: store, QueueEntries: 10 * share, BatchEntries: 4})
		stop := start(t, l)
		done := make(chan struct{})
		go func() {
			defer close(done)
			l.Append(lines("f", 1, 25)...) // more than fits: waits
		}()
		synctest.Wait()
		time.AfterFunc(5*time.Second, func() { close(store.gate) })
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		<-done
		got, _ := store.stored()
		if len(got) < 10 || !cmp.Equal(got, messages(1, len(got))) {
			t.Errorf("stored: %q, want at least what was queued, in order", got)
		}
		l.Append(line("f", "late")) // must not wait for ever
		if after, _ := store.stored(); len(after) != len(got) {
			t.Error("an entry reached the store after Run ended")
		}
	})
}

// TestCloseWaitsForTheLast stands for the moment in which an entry arrives
// after the writer found the queue empty and before it closes the log.
func TestCloseWaitsForTheLast(t *testing.T) {
	t.Parallel()
	l := New(Config{Store: &memory{}})
	l.Append(line("f", "last"))
	if l.closeEmpty() {
		t.Error("the log closed over an entry")
	}
	l.take(nil)
	if !l.closeEmpty() {
		t.Error("the empty log did not close")
	}
}

func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &memory{fail: errors.New("down")}
		l := New(Config{Store: store, QueueEntries: 10 * share})
		stop := start(t, l)
		appended := make(chan struct{})
		go func() {
			l.Append(lines("f", 1, 25)...)
			close(appended)
		}()
		synctest.Wait()
		before := time.Now()
		err := stop()
		if took := time.Since(before); took != 10*time.Second {
			t.Errorf("Run needed %v to end, want its 10 s", took)
		}
		if convoke.ErrorCode(err) != convoke.CodeUnavailable || !strings.Contains(err.Error(), "10 log entries are lost") || !errors.Is(err, store.fail) {
			t.Errorf("Run: %v, want %s with the number and the cause", err, convoke.CodeUnavailable)
		}
		<-appended
	})
}

func TestAppendCleans(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		message, extras string
		wantMessage     string
		wantExtras      string
	}{
		"good":           {"Grüße", `[1,{"a":"ü"}]`, "Grüße", `[1,{"a":"ü"}]`},
		"no extras":      {"m", "", "m", "[]"},
		"no JSON":        {"m", "[1", "m", "[]"},
		"no array":       {"m", `{"a":1}`, "m", "[]"},
		"broken extras":  {"m", "[\"\xff\"]", "m", "[]"},
		"broken message": {"a\xffb", "[]", "a\uFFFDb", "[]"},
		"NUL":            {"a\x00b", "[]", "a\uFFFDb", "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &memory{}
			l := New(Config{Store: store})
			stop := start(t, l)
			l.Append(convoke.LogEntry{AccountID: account, Message: tt.message, Extras: json.RawMessage(tt.extras)})
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			got := store.entries[0]
			if got.Message != tt.wantMessage || string(got.Extras) != tt.wantExtras {
				t.Errorf("stored %q %s, want %q %s", got.Message, got.Extras, tt.wantMessage, tt.wantExtras)
			}
		})
	}
}

// TestStress starts and stops under load: whatever Append took before the stop
// is stored, once and in the order of its worker.
func TestStress(t *testing.T) {
	t.Parallel()
	for round := range 20 {
		store := &memory{}
		l := New(Config{Store: store, QueueEntries: 64, BatchEntries: 16, BatchDelay: time.Millisecond})
		stop := start(t, l)
		const workers, each = 8, 200
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for i := range each {
					l.Append(line(fmt.Sprint("f", w%3), fmt.Sprintf("%d %d", w, i)))
				}
			})
		}
		early := round%2 == 0
		if !early {
			wg.Wait()
			if err := l.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		next := map[int]int{}
		for _, e := range store.entries {
			var w, i int
			if _, err := fmt.Sscan(e.Message, &w, &i); err != nil {
				t.Fatal(err)
			}
			if i != next[w] {
				t.Fatalf("worker %d: entry %d is stored after %d", w, i, next[w]-1)
			}
			next[w]++
		}
		if !early && l.appended != workers*each || int64(len(store.entries)) != l.appended {
			t.Fatalf("%d entries are stored and %d taken of %d", len(store.entries), l.appended, workers*each)
		}
	}
}

func TestRetention(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &memory{unfilled: 5}
		l := New(Config{Store: store, Retention: 24 * time.Hour, Reports: 100 * time.Hour})
		defer start(t, l)()
		time.Sleep(10 * fillPause)
		synctest.Wait()
		store.mu.Lock()
		if store.unfilled != 0 {
			t.Errorf("%d hours of counters are not added up", store.unfilled)
		}
		for range 2*expiryStep + 10 {
			store.entries = append(store.entries, line("f", "old"))
		}
		store.mu.Unlock()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		store.mu.Lock()
		store.deletes, store.forgets = nil, nil
		store.entries = append(store.entries, line("f", "new"))
		store.mu.Unlock()

		time.Sleep(time.Hour)
		synctest.Wait()
		store.mu.Lock()
		defer store.mu.Unlock()
		if want := []int{expiryStep, expiryStep, 10}; !cmp.Equal(store.deletes, want) {
			t.Errorf("removed in steps %v, want %v", store.deletes, want)
		}
		if n := len(store.forgets); n != 1 || time.Since(store.forgets[0]).Truncate(time.Hour) != 100*time.Hour {
			t.Errorf("daily counts were forgotten until %v, want once and until 100 hours ago", store.forgets)
		}
		if len(store.entries) != 1 || store.entries[0].Message != "new" {
			t.Errorf("%d entries are left, want the new one", len(store.entries))
		}
	})
}

// TestReportsOutliveRecords: daily counts stay at least as long as the rest.
func TestReportsOutliveRecords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ retention, reports, want time.Duration }{
		{0, 0, 400 * 24 * time.Hour},
		{time.Hour, 2 * time.Hour, 2 * time.Hour},
		{2 * time.Hour, time.Hour, 2 * time.Hour},
		{9999 * time.Hour, 0, 9999 * time.Hour},
	} {
		if got := New(Config{Store: &memory{}, Retention: c.retention, Reports: c.reports}).cfg.Reports; got != c.want {
			t.Errorf("%+v: kept for %s", c, got)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	l := New(Config{Store: &discard{}})
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	e := line("f", "a message of usual length, with a few words in it")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l.Append(e)
		}
	})
	cancel()
	<-done
}

type discard struct{ memory }

func (*discard) AppendLogs(context.Context, []convoke.LogEntry) error { return nil }
