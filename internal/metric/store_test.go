package metric

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"convoke"
	"convoke/internal/sqlstore"
)

// TestOnTheStore holds that the real store adds counters up and keeps what a
// record says.
func TestOnTheStore(t *testing.T) {
	t.Parallel()
	store, err := sqlstore.Open(t.Context(), sqlstore.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	r := New(Config{Store: store, Samples: 2})
	failure := convoke.Invocation{RequestID: "r", AccountID: account, FunctionID: "f", Version: 3, StartedAt: noon.Add(1500 * time.Millisecond),
		Wait: 1, Cold: true, ColdStart: 2, Run: 3, CPU: 4, PeakMemory: 5, PayloadBytes: 6, ResultBytes: 7,
		Outcome: convoke.OutcomeTimeout, Code: convoke.CodeTimeout}
	r.Record(&failure)
	for range 3 {
		for range 4 {
			r.Record(success("f", noon))
		}
		if err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.Record(success("f", noon)) // not stored yet

	buckets, err := r.Histogram(t.Context(), account, "f", noon, noon.Add(time.Minute), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if want := []Bucket{{From: noon, To: noon.Add(time.Minute), Succeeded: 13, Timeout: 1}}; !cmp.Equal(want, buckets) {
		t.Error(cmp.Diff(want, buckets))
	}
	records, err := store.QueryInvocations(t.Context(), account, convoke.InvocationFilter{FunctionID: "f"})
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != 1+3*2 {
		t.Fatalf("%d records are stored, want the failure and two samples a flush", len(records))
	}
	if diff := cmp.Diff(failure, records[0]); diff != "" {
		t.Error(diff)
	}
}
