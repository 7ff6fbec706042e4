package runlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"convoke"
	"convoke/internal/telemetry"
)

func call(fn, host string) convoke.Call {
	return convoke.Call{AccountID: account, FunctionID: fn, At: time.Now().UTC(), Host: host, Port: 443, Outcome: convoke.CallOK}
}

// record hands over count calls of a function, to the hosts "0", "1" and so on.
func record(l *Log, fn string, count int) {
	for i := range count {
		l.RecordCall(call(fn, fmt.Sprint(i)))
	}
}

func (m *memory) hosts() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, c := range m.calls {
		out = append(out, c.Host)
	}
	return out
}

func numbers(count int) []string {
	var out []string
	for i := range count {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

// counted is what a scrape says of the records of calls.
func counted(t *testing.T, tel *telemetry.Telemetry, result string) string {
	t.Helper()
	rec := httptest.NewRecorder()
	tel.Handler().ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(rec.Body.String()) {
		if n, ok := strings.CutPrefix(line, `convoke_call_records_total{result="`+result+`"} `); ok {
			return strings.TrimSpace(n)
		}
	}
	return "0"
}

func newTelemetry(t *testing.T) *telemetry.Telemetry {
	t.Helper()
	tel, err := telemetry.New(telemetry.Build{})
	if err != nil {
		t.Fatal(err)
	}
	return tel
}

func TestCallsAreStored(t *testing.T) {
	t.Parallel()
	tel := newTelemetry(t)
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		l := New(Config{Store: store, BatchEntries: 10, Telemetry: tel})
		stop := start(t, l)
		record(l, "f", 3)
		time.Sleep(49 * time.Millisecond)
		synctest.Wait()
		if got := store.hosts(); got != nil {
			t.Errorf("after 49 ms %q are stored, want to wait for more", got)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if got := store.hosts(); !cmp.Equal(got, numbers(3)) {
			t.Errorf("after 50 ms %q are stored", got)
		}
		record(l, "f", 25)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got, want := store.hosts(), append(numbers(3), numbers(25)...); !cmp.Equal(got, want) {
			t.Errorf("after the stop %q are stored, want %q", got, want)
		}
		l.RecordCall(call("f", "late"))
	})
	if got := []string{counted(t, tel, "stored"), counted(t, tel, "dropped")}; !cmp.Equal(got, []string{"28", "1"}) {
		t.Errorf("stored and dropped are %q, want 28 and the late one", got)
	}
}

// TestFullCallQueueDrops holds that nobody waits, that one function has its
// share only, and that no log entry loses its place.
func TestFullCallQueueDrops(t *testing.T) {
	t.Parallel()
	tel := newTelemetry(t)
	synctest.Test(t, func(t *testing.T) {
		store := &memory{gate: make(chan struct{})}
		l := New(Config{Store: store, QueueCalls: 4 * share, Telemetry: tel})
		stop := start(t, l)
		record(l, "flood", 100)
		l.RecordCall(call("quiet", "quiet"))
		for i := range 100 {
			record(l, fmt.Sprint("fn", i), 1)
		}
		l.Append(lines("flood", 1, 10)...)
		close(store.gate)
		if err := stop(); err != nil {
			t.Error(err)
		}
		hosts := store.hosts()
		if want := append(numbers(4), "quiet"); len(hosts) != 4*share || !cmp.Equal(hosts[:5], want) {
			t.Errorf("%d calls are stored, the first %q; want %d and %q", len(hosts), hosts[:5], 4*share, want)
		}
		if got, _ := store.stored(); !cmp.Equal(got, messages(1, 10)) {
			t.Errorf("the log entries are %q, want all", got)
		}
		if len(l.calls.heldBy) != 0 || l.calls.held != 0 {
			t.Errorf("in the end %d calls are held by %v, want none", l.calls.held, l.calls.heldBy)
		}
	})
	if got := counted(t, tel, "dropped"); got != "169" {
		t.Errorf("%s calls are counted as dropped, want 201 less 32", got)
	}
}

func TestCallStoreFails(t *testing.T) {
	t.Parallel()
	tel := newTelemetry(t)
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		store := &memory{fail: convoke.Errorf(convoke.CodeStorageFull, "the disk is full")}
		l := New(Config{Store: store, QueueCalls: 4 * share, Logger: slog.New(slog.NewTextHandler(&out, nil)), Telemetry: tel})
		stop := start(t, l)
		record(l, "f", 10)
		time.Sleep(time.Hour)
		if err := l.Healthy(); err != nil {
			t.Errorf("calls that are not stored make the server unhealthy: %v", err)
		}
		store.failWith(nil)
		if err := l.FlushCalls(t.Context()); err != nil {
			t.Error(err)
		}
		if got := store.hosts(); !cmp.Equal(got, numbers(4)) {
			t.Errorf("stored once there is room: %q, want those that were kept", got)
		}
		if got := out.String(); strings.Count(got, "cannot be stored") != 1 || strings.Count(got, "stored again") != 1 {
			t.Errorf("an hour's failure is logged as\n%s", got)
		}

		// A stop gives up after its time, without an error: nobody was promised
		// these. (One function's share is 4.)
		store.failWith(errors.New("down"))
		record(l, "f", 4)
		before := time.Now()
		if err := stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(before); took != 10*time.Second {
			t.Errorf("Run needed %v to end, want its 10 s", took)
		}
	})
	if got := counted(t, tel, "dropped"); got != "10" {
		t.Errorf("%s calls are counted as dropped, want 6 without room and 4 given up", got)
	}
}

func TestFlushCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		l := New(Config{Store: store, BatchEntries: 3})
		stop := start(t, l)
		if err := l.FlushCalls(t.Context()); err != nil {
			t.Errorf("flush of nothing: %v", err)
		}
		before := time.Now()
		record(l, "f", 8)
		if err := l.FlushCalls(t.Context()); err != nil {
			t.Error(err)
		}
		if got, took := store.hosts(), time.Since(before); len(got) != 8 || took != 0 {
			t.Errorf("a flush of %v stored %q, want 8 at once", took, got)
		}

		store.failWith(errors.New("down"))
		record(l, "f", 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.FlushCalls(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("flush while the store is down: %v, want the deadline", err)
		}
		flushed := make(chan error, 1)
		go func() { flushed <- l.FlushCalls(t.Context()) }()
		synctest.Wait()
		_ = stop()
		if err := <-flushed; convoke.ErrorCode(err) != convoke.CodeUnavailable {
			t.Errorf("flush of what was lost: %v, want %s", err, convoke.CodeUnavailable)
		}
	})
}

// TestCloseWaitsForTheLastCall stands for the moment in which a call arrives
// after the writer found the queue empty and before it closes.
func TestCloseWaitsForTheLastCall(t *testing.T) {
	t.Parallel()
	l := New(Config{Store: &memory{}})
	record(l, "f", 1)
	if left := l.calls.close(false); left != 1 || l.calls.closed {
		t.Errorf("closed over %d calls, want the one to be waited for", left)
	}
	l.calls.take(nil, 10)
	if left := l.calls.close(false); left != 0 || !l.calls.closed {
		t.Error("the empty queue did not close")
	}
}

func TestRecordCallCleans(t *testing.T) {
	t.Parallel()
	store := &memory{}
	l := New(Config{Store: store})
	stop := start(t, l)
	c := call("f", strings.Repeat("ü", 200))
	c.Method, c.Detail = "GE\x00T\xff", strings.Repeat("x", 1000)
	l.RecordCall(c)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	want := c
	want.Host, want.Method, want.Detail = strings.Repeat("ü", 127), "GE\uFFFDT\uFFFD", strings.Repeat("x", 500)
	if diff := cmp.Diff([]convoke.Call{want}, store.calls); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

// TestCallsOnTheStore records from many goroutines while it is flushed, and
// finds every call once on the real store.
func TestCallsOnTheStore(t *testing.T) {
	t.Parallel()
	store := open(t)
	l := New(Config{Store: store, BatchEntries: 7, BatchDelay: time.Millisecond})
	stop := start(t, l)
	const writers, each = 8, 50
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			record(l, fmt.Sprint("fn", w), each)
			if err := l.FlushCalls(t.Context()); err != nil {
				t.Error(err)
			}
			got, err := store.ListCalls(t.Context(), account, convoke.CallFilter{FunctionID: fmt.Sprint("fn", w)})
			var hosts []string
			for _, c := range slices.Backward(got) {
				hosts = append(hosts, c.Host)
			}
			if err != nil || !cmp.Equal(hosts, numbers(each)) {
				t.Errorf("writer %d finds %q (error %v)", w, hosts, err)
			}
		})
	}
	wg.Wait()
	if err := stop(); err != nil {
		t.Error(err)
	}
}
