package bench

import (
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"time"
)

const (
	subBits   = 7 // 128 buckets for each power of two: under 0.8 % wide
	subCount  = 1 << subBits
	maxLength = 37 // bits of the longest duration told apart: 137 s
	buckets   = (maxLength - subBits + 1) * subCount
)

// Histogram counts durations in buckets of under 0.8 % width. Its size is
// fixed, so recording allocates nothing. The zero value is empty. It is not
// safe for concurrent use: give each goroutine its own and Merge them.
type Histogram struct {
	counts   [buckets]uint64
	total    uint64
	min, max time.Duration
}

// Record adds one duration. Negative ones count as zero, and those beyond two
// minutes fall into the last bucket.
func (h *Histogram) Record(d time.Duration) {
	d = max(d, 0)
	h.counts[bucketOf(d)]++
	if h.total == 0 || d < h.min {
		h.min = d
	}
	h.max = max(h.max, d)
	h.total++
}

func bucketOf(d time.Duration) int {
	v := uint64(d)
	if v < subCount {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return min((shift+1)*subCount+int(v>>shift)-subCount, buckets-1)
}

// middleOf is the middle of a bucket's durations.
func middleOf(bucket int) time.Duration {
	if bucket < subCount {
		return time.Duration(bucket)
	}
	shift := bucket/subCount - 1
	low := uint64(bucket%subCount+subCount) << shift
	return time.Duration(low + (uint64(1)<<shift)/2)
}

// Merge adds everything that o counted.
func (h *Histogram) Merge(o *Histogram) {
	if o.total == 0 {
		return
	}
	for i, n := range o.counts {
		h.counts[i] += n
	}
	if h.total == 0 || o.min < h.min {
		h.min = o.min
	}
	h.max = max(h.max, o.max)
	h.total += o.total
}

// Count is the number of durations recorded.
func (h *Histogram) Count() int { return int(h.total) }

// Quantile is the duration that a share q of all recorded ones do not exceed,
// and 0 when there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := max(uint64(math.Ceil(q*float64(h.total))), 1)
	var seen uint64
	for i, n := range h.counts {
		if seen += n; seen >= rank {
			return min(max(middleOf(i), h.min), h.max)
		}
	}
	return h.max
}

// sparse is a Histogram on the wire between the load process and its parent.
type sparse struct {
	Min     time.Duration `json:"min"`
	Max     time.Duration `json:"max"`
	Buckets [][2]uint64   `json:"buckets"` // index and count of those that are not empty
}

// MarshalJSON writes the buckets that are not empty.
func (h *Histogram) MarshalJSON() ([]byte, error) {
	s := sparse{Min: h.min, Max: h.max, Buckets: [][2]uint64{}}
	for i, n := range h.counts {
		if n > 0 {
			s.Buckets = append(s.Buckets, [2]uint64{uint64(i), n})
		}
	}
	return json.Marshal(s)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (h *Histogram) UnmarshalJSON(b []byte) error {
	var s sparse
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	*h = Histogram{min: s.Min, max: s.Max}
	for _, pair := range s.Buckets {
		if pair[0] >= buckets {
			return fmt.Errorf("histogram: bucket %d of %d", pair[0], buckets)
		}
		h.counts[pair[0]] += pair[1]
		h.total += pair[1]
	}
	return nil
}
