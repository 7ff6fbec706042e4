package runlog

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"convoke"
)

func TestTailIsLive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := New(Config{Store: &memory{}})
		defer start(t, l)()
		l.Append(line("f", "before"))
		flush(t, l)

		ctx, cancel := context.WithCancel(t.Context())
		var got []convoke.LogEntry
		done := make(chan error, 1)
		go func() {
			done <- l.Tail(ctx, account, convoke.LogFilter{FunctionID: "f"}, func(e convoke.LogEntry) error {
				got = append(got, e)
				return nil
			})
		}()
		synctest.Wait()
		other := line("f", "other account")
		other.AccountID = "2"
		l.Append(line("f", "one"), line("g", "other function"), other, line("f", "two"))
		flush(t, l)
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("the tail ended with %v", err)
		}
		if len(got) != 2 || got[0].Message != "one" || got[1].Message != "two" || got[0].Seq != 2 || got[1].Seq != 5 {
			t.Errorf("the tail got %+v", got)
		}
	})
}

func TestSlowTailIsToldWhatItMissed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := New(Config{Store: &memory{}, TailEntries: 3})
		defer start(t, l)()
		step := make(chan struct{})
		var got []string
		go func() {
			_ = l.Tail(t.Context(), account, convoke.LogFilter{}, func(e convoke.LogEntry) error {
				<-step
				if e.Source == convoke.SourcePlatform && e.Seq != 0 {
					t.Errorf("the marker has the Seq %d of an entry", e.Seq)
				}
				got = append(got, e.Message)
				return nil
			})
		}()
		synctest.Wait()
		l.Append(line("f", "1"))
		flush(t, l)
		synctest.Wait() // the tail now sits in emit with 1
		before := time.Now()
		l.Append(lines("f", 2, 10)...)
		flush(t, l)
		if took := time.Since(before); took != 0 {
			t.Errorf("the slow tail held up the log for %v", took)
		}
		close(step)
		synctest.Wait()
		l.Append(line("f", "11"))
		flush(t, l)
		synctest.Wait()
		want := []string{"1", "2", "3", "4", "6 entries came faster than they were read and are left out here; search the log to see them", "11"}
		if !cmp.Equal(got, want) {
			t.Errorf("the tail got %q, want %q", got, want)
		}
	})
}

func TestTailsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := New(Config{Store: &memory{}, Tails: 2})
		ctx, cancel := context.WithCancel(t.Context())
		none := func(convoke.LogEntry) error { return nil }
		done := make(chan error, 2)
		go func() { done <- l.Tail(ctx, account, convoke.LogFilter{}, none) }()
		go func() { done <- l.Follow(ctx, "2", convoke.LogFilter{}, none) }()
		synctest.Wait()
		if err := l.Tail(t.Context(), account, convoke.LogFilter{}, none); convoke.ErrorCode(err) != convoke.CodeThrottled {
			t.Errorf("a third tail: %v, want %s", err, convoke.CodeThrottled)
		}
		if err := l.Follow(t.Context(), account, convoke.LogFilter{}, none); convoke.ErrorCode(err) != convoke.CodeThrottled {
			t.Errorf("a third follower: %v, want %s", err, convoke.CodeThrottled)
		}
		cancel()
		<-done
		<-done
		if l.tails.count != 0 || len(l.tails.byAccount) != 0 {
			t.Errorf("%d tails are left", l.tails.count)
		}
	})
}

func TestFollow(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		filter convoke.LogFilter
		want   []string
	}{
		"from the start":   {convoke.LogFilter{FunctionID: "f"}, messages(1, 1300)},
		"after an entry":   {convoke.LogFilter{FunctionID: "f", AfterSeq: 1195}, messages(1196, 1300)},
		"after the newest": {convoke.LogFilter{FunctionID: "f", AfterSeq: 1200}, messages(1201, 1300)},
		"newest few":       {convoke.LogFilter{FunctionID: "f", Limit: 2}, messages(1199, 1300)},
		"newest of few":    {convoke.LogFilter{FunctionID: "f", Limit: 50, AfterSeq: 1198}, messages(1199, 1300)},
		"nothing there":    {convoke.LogFilter{FunctionID: "f", Text: "1250"}, messages(1250, 1250)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := New(Config{Store: &memory{}})
				defer start(t, l)()
				l.Append(lines("f", 1, 1200)...)
				flush(t, l)
				ctx, cancel := context.WithCancel(t.Context())
				var got []string
				done := make(chan error, 1)
				go func() {
					done <- l.Follow(ctx, account, tt.filter, func(e convoke.LogEntry) error {
						got = append(got, e.Message)
						return nil
					})
				}()
				synctest.Wait()
				l.Append(line("g", "of another function"))
				l.Append(lines("f", 1201, 1300)...)
				flush(t, l)
				synctest.Wait()
				cancel()
				if err := <-done; !errors.Is(err, context.Canceled) {
					t.Errorf("Follow ended with %v", err)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// TestFollowAtTheSeam stores an entry just before the replay reads the store,
// which then comes both ways, and one just after, which comes live only.
func TestFollowAtTheSeam(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &seam{}
		l := New(Config{Store: store})
		defer start(t, l)()
		appendNow := func(message string) {
			l.Append(line("f", message))
			flush(t, l)
		}
		appendNow("1")
		store.before = func() { appendNow("2") }
		store.after = func() { appendNow("3") }
		ctx, cancel := context.WithCancel(t.Context())
		var got []string
		done := make(chan error, 1)
		go func() {
			done <- l.Follow(ctx, account, convoke.LogFilter{}, func(e convoke.LogEntry) error {
				got = append(got, e.Message)
				return nil
			})
		}()
		synctest.Wait()
		cancel()
		<-done
		if want := messages(1, 3); !cmp.Equal(got, want) {
			t.Errorf("followed %q, want %q", got, want)
		}
	})
}

// seam is a store in which something happens around the first query.
type seam struct {
	memory
	before, after func()
}

func (s *seam) QueryLogs(ctx context.Context, accountID string, f convoke.LogFilter) ([]convoke.LogEntry, error) {
	before, after := s.before, s.after
	s.before, s.after = nil, nil
	if before != nil {
		before()
	}
	entries, err := s.memory.QueryLogs(ctx, accountID, f)
	if after != nil {
		after()
	}
	return entries, err
}

// TestFlushReachesTails holds that a test which flushes need not wait for the tail.
func TestFlushReachesTails(t *testing.T) {
	t.Parallel()
	store := &memory{}
	l := New(Config{Store: store})
	defer start(t, l)()
	l.tails.mu.Lock() // publishing hangs
	l.Append(line("f", "x"))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := l.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("flush before the entry was published: %v, want the deadline", err)
	}
	l.tails.mu.Unlock()
	flush(t, l)
}

func TestFollowEndsWithEmit(t *testing.T) {
	t.Parallel()
	l := New(Config{Store: &memory{entries: []convoke.LogEntry{{Seq: 1, AccountID: account}}}})
	gone := errors.New("client went away")
	if err := l.Follow(t.Context(), account, convoke.LogFilter{}, func(convoke.LogEntry) error { return gone }); !errors.Is(err, gone) {
		t.Errorf("Follow: %v, want %v", err, gone)
	}
}

// TestFollowStress writes while followers start late, are slow, overflow their
// small buffer, break off and resume: each sees every entry once and in order.
func TestFollowStress(t *testing.T) {
	t.Parallel()
	l := New(Config{Store: &memory{}, TailEntries: 8, BatchEntries: 16, BatchDelay: 100 * time.Microsecond})
	defer start(t, l)()
	const writers, each, total = 4, 500, 4 * 500
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				l.Append(line("f", "x"))
				if rand.IntN(10) == 0 {
					time.Sleep(rand.N(200 * time.Microsecond))
				}
			}
		})
	}
	broken := errors.New("connection broke")
	for range 6 {
		wg.Go(func() {
			time.Sleep(rand.N(3 * time.Millisecond))
			var last int64
			for last < total {
				err := l.Follow(t.Context(), account, convoke.LogFilter{AfterSeq: last}, func(e convoke.LogEntry) error {
					if e.Seq != last+1 {
						return fmt.Errorf("entry %d follows %d", e.Seq, last)
					}
					last = e.Seq
					if rand.IntN(100) == 0 {
						time.Sleep(rand.N(time.Millisecond))
					}
					if last == total || rand.IntN(300) == 0 {
						return broken
					}
					return nil
				})
				if !errors.Is(err, broken) {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func flush(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}
