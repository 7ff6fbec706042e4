package bench

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestHistogramBucketsAreNarrowAndOrdered(t *testing.T) {
	t.Parallel()
	last := -1
	for d := time.Duration(1); d < 2*time.Minute; d = d*1001/1000 + 1 {
		b := bucketOf(d)
		if b < last || b >= buckets {
			t.Fatalf("bucketOf(%v) = %d after %d of %d", d, b, last, buckets)
		}
		last = b
		if m := middleOf(b); m < d*992/1000 || m > d*1008/1000+1 {
			t.Fatalf("bucket of %v has its middle at %v, more than 0.8%% away", d, m)
		}
	}
}

func TestHistogramQuantilesAgreeWithSorting(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	var whole, left, right Histogram
	var all []time.Duration
	for i := range 20_000 {
		d := time.Duration(rng.ExpFloat64() * float64(time.Millisecond))
		all = append(all, d)
		whole.Record(d)
		if i%3 == 0 {
			left.Record(d)
		} else {
			right.Record(d)
		}
	}
	left.Merge(&right)
	if left != whole {
		t.Error("merging two parts differs from recording all in one")
	}
	slices.Sort(all)
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 0.999} {
		want := all[int(q*float64(len(all)))-1]
		if got := whole.Quantile(q); got < want*99/100-1 || got > want*101/100+1 {
			t.Errorf("Quantile(%v) = %v, want about %v", q, got, want)
		}
	}
	if got, want := whole.Quantile(1), all[len(all)-1]; got > want || got < want*99/100 {
		t.Errorf("Quantile(1) = %v, want about %v", got, want)
	}
}

func TestHistogramEdges(t *testing.T) {
	t.Parallel()
	var h Histogram
	if got := h.Quantile(0.5); got != 0 {
		t.Errorf("empty: %v", got)
	}
	h.Record(-time.Second)
	h.Record(time.Hour)
	if got := h.Quantile(0.1); got != 0 {
		t.Errorf("a negative duration counts as %v, want 0", got)
	}
	if h.Count() != 2 {
		t.Errorf("Count = %d, want 2", h.Count())
	}
}

func TestHistogramRecordAllocatesNothing(t *testing.T) { // not parallel: AllocsPerRun forbids it
	var h Histogram
	if n := testing.AllocsPerRun(100, func() { h.Record(123 * time.Microsecond) }); n != 0 {
		t.Errorf("Record allocates %v times", n)
	}
}

func TestHistogramSurvivesTheWire(t *testing.T) {
	t.Parallel()
	var h, back Histogram
	for d := time.Nanosecond; d < time.Minute; d *= 3 {
		h.Record(d)
	}
	wire, err := json.Marshal(&h)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(wire, &back); err != nil {
		t.Fatal(err)
	}
	if back != h {
		t.Error("read back differs")
	}
	if err := json.Unmarshal([]byte(`{"buckets":[[999999,1]]}`), &back); err == nil {
		t.Error("a bucket out of range is accepted")
	}
}
