package metric

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"convoke"
	"convoke/internal/telemetry"
)

const account = "10000001"

// memory is an InvocationStore that can be made to fail.
type memory struct {
	mu       sync.Mutex
	records  []convoke.Invocation
	counters map[key]convoke.Counter
	calls    int
	fail     error
}

func (m *memory) AppendInvocations(_ context.Context, records []convoke.Invocation, counters []convoke.Counter) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	m.calls++
	m.records = append(m.records, records...)
	if m.counters == nil {
		m.counters = map[key]convoke.Counter{}
	}
	for _, c := range counters {
		addTo(m.counters, keyOf(c), c)
	}
	return nil
}

func (m *memory) QueryInvocations(context.Context, string, convoke.InvocationFilter) ([]convoke.Invocation, error) {
	return nil, errors.New("not asked for here")
}

func (m *memory) SumCountersByTime(_ context.Context, accountID, functionID string, from, to time.Time, width time.Duration) ([]convoke.Counter, error) {
	return m.sum(accountID, from, to, func(c convoke.Counter) (convoke.Counter, bool) {
		c.Minute = from.Add(max(0, c.Minute.Sub(from)/width) * width)
		return c, functionID == "" || c.FunctionID == functionID
	})
}

func (m *memory) SumCountersByFunction(_ context.Context, accountID string, from, to time.Time) ([]convoke.Counter, error) {
	return m.sum(accountID, from, to, func(c convoke.Counter) (convoke.Counter, bool) {
		c.Minute = from
		return c, true
	})
}

// sum adds up what group leaves in the same place.
func (m *memory) sum(accountID string, from, to time.Time, group func(convoke.Counter) (convoke.Counter, bool)) ([]convoke.Counter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return nil, m.fail
	}
	sums := map[key]convoke.Counter{}
	for _, c := range m.counters {
		if c.AccountID != accountID || c.Minute.Before(from.Truncate(time.Minute)) || !c.Minute.Before(to) {
			continue
		}
		if c, ok := group(c); ok {
			addTo(sums, keyOf(c), c)
		}
	}
	return sorted(sums), nil
}

func (m *memory) failWith(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

func (m *memory) stored() (records int, counters []convoke.Counter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.records), sorted(m.counters)
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func success(fn string, at time.Time) *convoke.Invocation {
	return &convoke.Invocation{AccountID: account, FunctionID: fn, StartedAt: at, Run: time.Millisecond, CPU: time.Microsecond, Outcome: convoke.OutcomeSucceeded}
}

func TestCountersAreExactAndRecordsSampled(t *testing.T) {
	t.Parallel()
	store := &memory{}
	r := New(Config{Store: store, Samples: 3})
	for i := range 10 {
		r.Record(success("busy", noon.Add(time.Duration(i)*time.Second)))
	}
	r.Record(success("quiet", noon))
	r.Record(success("quiet", noon.Add(time.Minute)))
	for _, inv := range []convoke.Invocation{
		{Outcome: convoke.OutcomeCodingFailure, Code: convoke.CodeThrew, Run: 5},
		{Outcome: convoke.OutcomePlatformFailure, Code: convoke.CodeUnavailable},
		{Outcome: convoke.OutcomeTimeout, Code: convoke.CodeTimeout},
		{Outcome: convoke.OutcomeUnknown},
		{Outcome: convoke.OutcomeSucceeded, Cold: true, CPU: 7},
		{Outcome: convoke.OutcomePlatformFailure, Code: convoke.CodeThrottled}, // beyond the samples of busy
	} {
		inv.AccountID, inv.FunctionID, inv.StartedAt = account, "busy", noon
		r.Record(&inv)
	}
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	records, counters := store.stored()
	if want := 3 + 2 + 5; records != want {
		t.Errorf("%d records are stored, want %d", records, want)
	}
	want := []convoke.Counter{
		{AccountID: account, FunctionID: "busy", Minute: noon, Succeeded: 11, Coding: 1, Platform: 2, Timeout: 1, Unknown: 1, Cold: 1,
			Run: 10*time.Millisecond + 5, CPU: 10*time.Microsecond + 7},
		{AccountID: account, FunctionID: "quiet", Minute: noon, Succeeded: 1, Run: time.Millisecond, CPU: time.Microsecond},
		{AccountID: account, FunctionID: "quiet", Minute: noon.Add(time.Minute), Succeeded: 1, Run: time.Millisecond, CPU: time.Microsecond},
	}
	if diff := cmp.Diff(want, counters); diff != "" {
		t.Error(diff)
	}

	// The next flush begins new samples and adds to the same minute.
	r.Record(success("busy", noon))
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	records, counters = store.stored()
	if records != 11 || counters[0].Succeeded != 12 {
		t.Errorf("then %d records and %d successes, want 11 and 12", records, counters[0].Succeeded)
	}
}

func TestRecordKeepsACopy(t *testing.T) {
	t.Parallel()
	store := &memory{}
	r := New(Config{Store: store})
	inv := success("f", noon)
	inv.RequestID = "first"
	r.Record(inv)
	inv.RequestID = "second"
	r.Record(inv)
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if store.records[0].RequestID != "first" || store.records[1].RequestID != "second" {
		t.Errorf("stored %q and %q", store.records[0].RequestID, store.records[1].RequestID)
	}
}

func TestRunFlushesByTimeAndByCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		r := New(Config{Store: store, Records: 10})
		stop := start(t, r)
		r.Record(success("f", noon))
		time.Sleep(999 * time.Millisecond)
		synctest.Wait()
		if got, _ := store.stored(); got != 0 {
			t.Errorf("%d records are stored before the tick", got)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if got, _ := store.stored(); got != 1 {
			t.Errorf("%d records are stored after the tick, want 1", got)
		}
		for range 5 { // half of the room
			r.Record(success("f", noon))
		}
		synctest.Wait()
		if got, _ := store.stored(); got != 6 {
			t.Errorf("%d records are stored with the room half full, want 6", got)
		}
		r.Record(success("f", noon))
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got, _ := store.stored(); got != 7 {
			t.Errorf("%d records are stored at the end, want 7", got)
		}
	})
}

func TestStoreIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tel, err := telemetry.New(telemetry.Build{})
		if err != nil {
			t.Fatal(err)
		}
		down := convoke.Errorf(convoke.CodeStorageFull, "the disk is full")
		store := &memory{fail: down}
		r := New(Config{Store: store, Telemetry: tel, Records: 10, Counters: 4})
		start(t, r)
		for minute := range 180 {
			inv := success("f", noon.Add(time.Duration(minute)*time.Minute))
			r.Record(inv)
			time.Sleep(time.Minute)
		}
		if err := r.Flush(t.Context()); convoke.ErrorCode(err) != convoke.CodeStorageFull || !errors.Is(err, down) {
			t.Errorf("Flush: %v, want %s", err, convoke.CodeStorageFull)
		}
		if n := len(r.counters); n != 6 {
			t.Errorf("%d counters wait, want 4 minutes and then 2 hours", n)
		}

		store.failWith(nil)
		time.Sleep(time.Second)
		synctest.Wait()
		records, counters := store.stored()
		if records != 10 {
			t.Errorf("%d records are stored, want the 10 that found room", records)
		}
		var total int64
		for _, c := range counters {
			total += c.Total()
		}
		if total != 180 {
			t.Errorf("%d invocations are counted, want all 180", total)
		}
		for _, want := range []string{`{result="stored"} 10`, `{result="dropped"} 170`} {
			if got := scrape(tel); !strings.Contains(got, "convoke_invocation_records_total"+want) {
				t.Errorf("the telemetry lacks %s", want)
			}
		}
		r.Record(success("f", noon)) // there is room again
		if err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if records, _ := store.stored(); records != 11 {
			t.Errorf("%d records are stored in the end, want 11", records)
		}
	})
}

func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &memory{fail: errors.New("down")}
		r := New(Config{Store: store})
		stop := start(t, r)
		r.Record(success("f", noon))
		before := time.Now()
		if err := stop(); convoke.ErrorCode(err) != convoke.CodeUnavailable || !errors.Is(err, store.fail) {
			t.Errorf("Run: %v, want %s with the cause", err, convoke.CodeUnavailable)
		}
		if took := time.Since(before); took == 0 || took > 5*time.Second {
			t.Errorf("Run needed %v to end, want up to 5 s", took)
		}
	})
}

func TestLargeFlushIsCutIntoBatches(t *testing.T) {
	t.Parallel()
	store := &memory{}
	r := New(Config{Store: store, Samples: 3 * batchRecords})
	for range 2*batchRecords + 1 {
		r.Record(success("f", noon))
	}
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	records, counters := store.stored()
	if records != 2*batchRecords+1 || store.calls != 3 || len(counters) != 1 || counters[0].Succeeded != 2*batchRecords+1 {
		t.Errorf("%d records in %d calls, counters %+v", records, store.calls, counters)
	}
}

// TestStress records, flushes and asks at the same time. At no moment may a
// query see less than was recorded before it or more than after it.
func TestStress(t *testing.T) {
	t.Parallel()
	store := &memory{}
	r := New(Config{Store: store, FlushEvery: time.Millisecond, Records: 100})
	stop := start(t, r)
	const writers, each = 4, 5000
	var begun, done atomic.Int64
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				begun.Add(1)
				r.Record(success(fmt.Sprint("f", (w+i)%7), noon.Add(time.Duration(i%3)*time.Minute)))
				done.Add(1)
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for done.Load() < writers*each {
				low := done.Load()
				counters, err := r.Totals(t.Context(), account, noon, noon.Add(time.Hour))
				if err != nil {
					t.Error(err)
					return
				}
				var got int64
				for _, c := range counters {
					got += c.Total()
				}
				if high := begun.Load(); got < low || got > high {
					t.Errorf("a query counts %d, want from %d to %d", got, low, high)
					return
				}
			}
		})
	}
	wg.Wait()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	_, counters := store.stored()
	var total int64
	for _, c := range counters {
		total += c.Total()
	}
	if total != writers*each || len(counters) != 7*3 {
		t.Errorf("%d invocations are counted in %d counters, want %d in 21", total, len(counters), writers*each)
	}
	if n := r.queued.Load(); n != 0 {
		t.Errorf("%d records hold room after everything is stored", n)
	}
}

func TestRecordDoesNotAllocate(t *testing.T) {
	r := New(Config{Store: &memory{}, Samples: 1})
	inv := success("f", noon)
	r.Record(inv)
	if got := testing.AllocsPerRun(1000, func() { r.Record(inv) }); got != 0 {
		t.Errorf("%v allocations, want none", got)
	}
}

func BenchmarkRecord(b *testing.B) {
	for name, outcome := range map[string]convoke.Outcome{"success": convoke.OutcomeSucceeded, "failure": convoke.OutcomeTimeout} {
		b.Run(name, func(b *testing.B) {
			r := New(Config{Store: discard{}})
			start(b, r)
			fn := [8]string{}
			for i := range fn {
				fn[i] = fmt.Sprintf("3f1c2d44-9a5e-4b57-8d10-0000000000%02d", i)
			}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				inv := success("", noon)
				inv.Outcome = outcome
				for i := 0; pb.Next(); i++ {
					inv.FunctionID = fn[i%len(fn)]
					r.Record(inv)
				}
			})
		})
	}
}

// discard is a store that is always fast.
type discard struct{ *memory }

func (discard) AppendInvocations(context.Context, []convoke.Invocation, []convoke.Counter) error {
	return nil
}

// start runs r and returns what stops it and gives Run's error.
func start(t testing.TB, r *Recorder) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() { _ = stop() })
	return stop
}

func scrape(tel *telemetry.Telemetry) string {
	rec := httptest.NewRecorder()
	tel.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return rec.Body.String()
}
