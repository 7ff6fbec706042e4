package storetest

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"convoke"
)

// parallel runs do in count goroutines.
func parallel(count int, do func(n int)) {
	var wg sync.WaitGroup
	for n := range count {
		wg.Go(func() { do(n) })
	}
	wg.Wait()
}

func testConcurrentSaves(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	f := addFunction(t, s, 1)
	var saved, refused atomic.Int32
	parallel(20, func(n int) {
		v := newVersion(f, 2)
		v.ID = fmt.Sprintf("try-%d", n)
		_, err := s.SaveVersion(ctx, v, 10, agree)
		switch convoke.ErrorCode(err) {
		case "":
			saved.Add(1)
		case convoke.CodeRevision:
			refused.Add(1)
		default:
			t.Errorf("save %d: %v", n, err)
		}
	})
	same(t, "saved and refused", []int32{saved.Load(), refused.Load()}, []int32{1, 19})
}

func testConcurrentUpdates(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	f := addFunction(t, s, 1, func(f *convoke.Function, _ *convoke.Version) { f.Description = "0" })
	parallel(8, func(int) {
		for range 10 {
			_, err := s.UpdateFunction(ctx, acct, f.ID, func(f *convoke.Function) error {
				n, err := strconv.Atoi(f.Description)
				f.Description = strconv.Itoa(n + 1)
				return err
			})
			if err != nil {
				t.Error(err)
			}
			if _, err := s.FindFunction(ctx, acct, f.ID); err != nil {
				t.Error(err)
			}
		}
	})
	same(t, "updates counted", get(s.FindFunction(ctx, acct, f.ID))(t).Description, "80")
}

func testConcurrentLimits(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	var created, begun atomic.Int32
	parallel(20, func(n int) {
		f := newFunction(n)
		err := s.CreateFunction(ctx, f, newVersion(f, 1), 7)
		if err != nil {
			if convoke.ErrorCode(err) != convoke.CodeLimitExceeded {
				t.Errorf("create %d: %v", n, err)
			}
			return
		}
		created.Add(1)
		if _, err := s.BeginDeployment(ctx, newDeployment(f, 1, 1), 3, agree); err == nil {
			begun.Add(1)
		} else if convoke.ErrorCode(err) != convoke.CodeLimitExceeded {
			t.Errorf("begin %d: %v", n, err)
		}
	})
	same(t, "created and begun", []int32{created.Load(), begun.Load()}, []int32{7, 3})
}

func testConcurrentAppends(t *testing.T, s Store) {
	ctx := t.Context()
	minute := at(0).Truncate(time.Minute)
	parallel(8, func(int) {
		for n := range 5 {
			if err := s.AppendLogs(ctx, newLogs(60)); err != nil {
				t.Error(err)
			}
			err := s.AppendInvocations(ctx, []convoke.Invocation{newInvocation(n)},
				[]convoke.Counter{{AccountID: acct, FunctionID: "fn", Minute: minute, Succeeded: 1}})
			if err != nil {
				t.Error(err)
			}
		}
	})
	entries := get(s.QueryLogs(ctx, acct, convoke.LogFilter{Limit: 5000, Ascending: true}))(t)
	same(t, "entries", len(entries), 8*5*60)
	for i := 1; i < len(entries); i++ {
		if entries[i].Seq == entries[i-1].Seq {
			t.Fatalf("number %d was given twice", entries[i].Seq)
		}
	}
	same(t, "counter", get(s.SumCountersByFunction(ctx, acct, minute, at(100)))(t)[0].Succeeded, int64(40))
}

// testCancelledRequests sees that a caller who gives up changes nothing and
// does no harm to the next one.
func testCancelledRequests(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	f := addFunction(t, s, 1)
	gone, cancel := context.WithCancel(ctx)
	_, err := s.UpdateFunction(gone, acct, f.ID, func(f *convoke.Function) error {
		f.Description = "spoilt"
		cancel()
		return nil
	})
	wantCode(t, err, convoke.CodeUnavailable)
	_, err = s.FindFunction(gone, acct, f.ID)
	wantCode(t, err, convoke.CodeUnavailable)
	same(t, "function", get(s.FindFunction(ctx, acct, f.ID))(t), f)
	get(s.UpdateFunction(ctx, acct, f.ID, agree))(t)
}

// testTwoStores has two processes' worth of stores on one set of data.
func testTwoStores(t *testing.T, a, b Store) {
	ctx := t.Context()
	addAccount(t, a, acct)
	f := addFunction(t, b, 1, func(f *convoke.Function, _ *convoke.Version) { f.Description = "0" })
	same(t, "seen by the other", get(a.FindFunction(ctx, acct, f.ID))(t), f)
	stores := []Store{a, b}
	parallel(6, func(n int) {
		s := stores[n%2]
		for range 10 {
			_, err := s.UpdateFunction(ctx, acct, f.ID, func(f *convoke.Function) error {
				n, err := strconv.Atoi(f.Description)
				f.Description = strconv.Itoa(n + 1)
				return err
			})
			if err != nil {
				t.Error(err)
			}
			if err := s.AppendLogs(ctx, newLogs(60)); err != nil {
				t.Error(err)
			}
		}
	})
	for i, s := range stores {
		same(t, fmt.Sprintf("updates seen by store %d", i), get(s.FindFunction(ctx, acct, f.ID))(t).Description, "60")
		same(t, fmt.Sprintf("entries seen by store %d", i), len(get(s.QueryLogs(ctx, acct, convoke.LogFilter{Limit: 5000}))(t)), 3600)
	}
}
