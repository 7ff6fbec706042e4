package metric

import (
	"errors"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"convoke"
)

func TestTotalsMergeWhatIsNotStored(t *testing.T) {
	t.Parallel()
	store := &memory{}
	r := New(Config{Store: store})
	record := func(accountID, fn string, at time.Time) {
		inv := success(fn, at)
		inv.AccountID, inv.Run, inv.CPU = accountID, 0, 0
		r.Record(inv)
	}
	record(account, "f", noon)
	record(account, "g", noon)
	record("2", "f", noon)
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	// One failed flush leaves counters between the shards and the store.
	store.failWith(errors.New("down"))
	record(account, "f", noon.Add(time.Second))
	if err := r.Flush(t.Context()); err == nil {
		t.Fatal("the flush succeeded without a store")
	}
	store.failWith(nil)
	record(account, "f", noon.Add(time.Second))
	record(account, "f", noon.Add(time.Minute))
	record(account, "f", noon.Add(2*time.Minute))
	record(account, "f", noon.Add(-time.Minute))
	record(account, "h", noon.Add(time.Minute))

	for name, tt := range map[string]struct {
		from, to time.Duration
		want     map[string]int64 // by function
	}{
		"two minutes":            {0, 2 * time.Minute, map[string]int64{"f": 4, "g": 1, "h": 1}},
		"only stored":            {0, time.Nanosecond, map[string]int64{"f": 3, "g": 1}},
		"only in memory":         {time.Minute, 2 * time.Minute, map[string]int64{"f": 1, "h": 1}},
		"the minute that is cut": {30 * time.Second, time.Minute, map[string]int64{"f": 3, "g": 1}},
		"nothing":                {time.Hour, 2 * time.Hour, nil},
	} {
		got, err := r.Totals(t.Context(), account, noon.Add(tt.from), noon.Add(tt.to))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var want []convoke.Counter
		for _, fn := range slices.Sorted(maps.Keys(tt.want)) {
			want = append(want, convoke.Counter{AccountID: account, FunctionID: fn, Minute: noon.Add(tt.from), Succeeded: tt.want[fn]})
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestTotalsFail(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	r := New(Config{Store: &memory{fail: down}})
	if _, err := r.Totals(t.Context(), account, noon, noon); convoke.ErrorCode(err) != convoke.CodeValidation {
		t.Errorf("an empty range: %v, want %s", err, convoke.CodeValidation)
	}
	if _, err := r.Totals(t.Context(), account, noon, noon.Add(1)); !errors.Is(err, down) {
		t.Errorf("without a store: %v, want %v", err, down)
	}
	if _, err := r.Histogram(t.Context(), account, "f", noon, noon.Add(1), time.Minute); !errors.Is(err, down) {
		t.Errorf("a histogram without a store: %v, want %v", err, down)
	}
}

func TestHistogram(t *testing.T) {
	t.Parallel()
	r := New(Config{Store: &memory{}})
	record := func(minute int, outcome convoke.Outcome) {
		inv := success("f", noon.Add(time.Duration(minute)*time.Minute))
		inv.Outcome = outcome
		r.Record(inv)
	}
	record(-1, convoke.OutcomeSucceeded)
	record(0, convoke.OutcomeSucceeded)
	record(4, convoke.OutcomeTimeout)
	record(5, convoke.OutcomeCodingFailure)
	record(9, convoke.OutcomePlatformFailure)
	record(21, convoke.OutcomeUnknown)
	record(22, convoke.OutcomeSucceeded)
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}

	at := func(d time.Duration) time.Time { return noon.Add(d) }
	for name, tt := range map[string]struct {
		from, to time.Duration
		width    time.Duration
		want     []Bucket
	}{
		"empty buckets are filled and the last is cut": {0, 22 * time.Minute, 5 * time.Minute, []Bucket{
			{From: at(0), To: at(5 * time.Minute), Succeeded: 1, Timeout: 1},
			{From: at(5 * time.Minute), To: at(10 * time.Minute), CodingFailure: 1, PlatformFailure: 1},
			{From: at(10 * time.Minute), To: at(15 * time.Minute)},
			{From: at(15 * time.Minute), To: at(20 * time.Minute)},
			{From: at(20 * time.Minute), To: at(22 * time.Minute), Unknown: 1},
		}},
		"one bucket wider than the range": {time.Minute, 2 * time.Minute, 24 * time.Hour, []Bucket{
			{From: at(time.Minute), To: at(2 * time.Minute)},
		}},
		"the minute that from cuts is in the first": {30 * time.Second, 2*time.Minute + 30*time.Second, time.Minute, []Bucket{
			{From: at(30 * time.Second), To: at(90 * time.Second), Succeeded: 1},
			{From: at(90 * time.Second), To: at(150 * time.Second)},
		}},
		"buckets narrower than a minute": {50 * time.Second, 65 * time.Second, 10 * time.Second, []Bucket{
			{From: at(50 * time.Second), To: at(60 * time.Second), Succeeded: 1},
			{From: at(60 * time.Second), To: at(65 * time.Second)},
		}},
		"widest bucket": {0, time.Second, math.MaxInt64, []Bucket{{From: at(0), To: at(time.Second), Succeeded: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := r.Histogram(t.Context(), account, "f", at(tt.from), at(tt.to), tt.width)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHistogramRefuses(t *testing.T) {
	t.Parallel()
	r := New(Config{Store: &memory{}})
	for name, tt := range map[string]struct {
		from, to time.Time
		width    time.Duration
	}{
		"end before start in one minute": {noon.Add(30 * time.Second), noon.Add(10 * time.Second), time.Minute},
		"no width":                       {noon, noon.Add(time.Hour), 0},
		"negative width":                 {noon, noon.Add(time.Hour), -time.Minute},
		"too many buckets":               {noon, noon.Add(24 * time.Hour), time.Second},
		"all of time":                    {time.Time{}, noon, time.Minute},
	} {
		if _, err := r.Histogram(t.Context(), account, "f", tt.from, tt.to, tt.width); convoke.ErrorCode(err) != convoke.CodeValidation {
			t.Errorf("%s: %v, want %s", name, err, convoke.CodeValidation)
		}
	}
}
