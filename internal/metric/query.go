package metric

import (
	"context"
	"time"

	"convoke"
)

// maxBuckets is a month in minutes.
const maxBuckets = 31 * 24 * 60

// Counters returns the counters of a function, or of all functions of the
// account with functionID "", from <= minute < to, in order of time. What is
// not stored yet is in it. It returns CodeValidation when from is not before
// to, and otherwise the error of the store.
func (r *Recorder) Counters(ctx context.Context, accountID, functionID string, from, to time.Time) ([]convoke.Counter, error) {
	if err := validRange(from, to); err != nil {
		return nil, err
	}
	r.flushing.RLock()
	defer r.flushing.RUnlock()
	stored, err := r.cfg.Store.QueryCounters(ctx, accountID, functionID, from, to)
	if err != nil {
		return nil, err
	}
	fresh := r.unstored(func(c convoke.Counter) bool {
		return c.AccountID == accountID && (functionID == "" || c.FunctionID == functionID) &&
			!c.Minute.Before(from) && c.Minute.Before(to)
	})
	if len(fresh) == 0 {
		return stored, nil
	}
	all := make(map[key]convoke.Counter, len(stored)+len(fresh))
	for _, c := range stored {
		all[keyOf(c)] = c
	}
	for _, c := range fresh {
		addTo(all, keyOf(c), c)
	}
	return sorted(all), nil
}

func validRange(from, to time.Time) error {
	if !from.Before(to) {
		return convoke.Errorf(convoke.CodeValidation, "the start of the time range must lie before its end")
	}
	return nil
}

// unstored lists the wanted counters in memory; the same function and minute
// may come twice.
func (r *Recorder) unstored(want func(convoke.Counter) bool) []convoke.Counter {
	var out []convoke.Counter
	for _, c := range r.counters {
		if want(c) {
			out = append(out, c)
		}
	}
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		for _, slot := range s.slots {
			if want(slot.counter) {
				out = append(out, slot.counter)
			}
		}
		s.mu.Unlock()
	}
	return out
}

// Bucket is what happened in one stretch of time.
type Bucket struct {
	From, To        time.Time
	Unknown         int64
	Succeeded       int64
	CodingFailure   int64
	PlatformFailure int64
	Timeout         int64
}

// Histogram divides the time from from to to into buckets of the given width,
// the last one shorter if it must, and returns all of them, also those in
// which nothing happened. A minute belongs to the bucket in which it begins;
// the one that from cuts belongs to the first. It returns CodeValidation when
// from is not before to, the width is below a second or there would be more
// buckets than a month has minutes, and otherwise the error of the store.
func (r *Recorder) Histogram(ctx context.Context, accountID, functionID string, from, to time.Time, width time.Duration) ([]Bucket, error) {
	if err := validRange(from, to); err != nil {
		return nil, err
	}
	if width < time.Second {
		return nil, convoke.Errorf(convoke.CodeValidation, "a bucket must be at least one second wide")
	}
	if to.Sub(from)/width > maxBuckets {
		return nil, convoke.Errorf(convoke.CodeValidation, "the time range would have more than %d buckets; make it shorter or the buckets wider", maxBuckets)
	}
	counters, err := r.Counters(ctx, accountID, functionID, from.Truncate(time.Minute), to)
	if err != nil {
		return nil, err
	}
	var buckets []Bucket
	for start := from; start.Before(to); start = start.Add(width) {
		end := start.Add(width)
		if end.After(to) {
			end = to
		}
		buckets = append(buckets, Bucket{From: start, To: end})
	}
	for _, c := range counters {
		b := &buckets[max(0, int(c.Minute.Sub(from)/width))]
		b.Unknown += c.Unknown
		b.Succeeded += c.Succeeded
		b.CodingFailure += c.Coding
		b.PlatformFailure += c.Platform
		b.Timeout += c.Timeout
	}
	return buckets, nil
}
