package metric

import (
	"context"
	"time"

	"convoke"
)

// maxBuckets is a month in minutes.
const maxBuckets = 31 * 24 * 60

// Totals adds up the counters of each function of the account from from, with
// the minute that it cuts, to to, in order of function. What is not stored yet
// is in it. It returns CodeValidation when from is not before to, and otherwise
// the error of the store.
func (r *Recorder) Totals(ctx context.Context, accountID string, from, to time.Time) ([]convoke.Counter, error) {
	if err := validRange(from, to); err != nil {
		return nil, err
	}
	r.flushing.RLock()
	defer r.flushing.RUnlock()
	stored, err := r.cfg.Store.SumCountersByFunction(ctx, accountID, from, to)
	if err != nil {
		return nil, err
	}
	fresh := r.unstored(accountID, "", from, to)
	if len(fresh) == 0 {
		return stored, nil
	}
	all := make(map[key]convoke.Counter, len(stored)+len(fresh))
	for _, c := range append(stored, fresh...) {
		c.Minute = from
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

// unstored lists counters in memory, those of the whole account with
// functionID ""; the same function and minute may come twice.
func (r *Recorder) unstored(accountID, functionID string, from, to time.Time) []convoke.Counter {
	from = from.Truncate(time.Minute)
	var out []convoke.Counter
	take := func(c convoke.Counter) {
		if c.AccountID == accountID && (functionID == "" || c.FunctionID == functionID) &&
			!c.Minute.Before(from) && c.Minute.Before(to) {
			out = append(out, c)
		}
	}
	for _, c := range r.counters {
		take(c)
	}
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		for _, slot := range s.slots {
			take(slot.counter)
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
// which nothing happened. It counts a function, or with functionID "" all of
// the account. A minute belongs to the bucket in which it begins;
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
	r.flushing.RLock()
	defer r.flushing.RUnlock()
	counters, err := r.cfg.Store.SumCountersByTime(ctx, accountID, functionID, from, to, width)
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
	for _, c := range append(counters, r.unstored(accountID, functionID, from, to)...) {
		b := &buckets[max(0, int(c.Minute.Sub(from)/width))]
		b.Unknown += c.Unknown
		b.Succeeded += c.Succeeded
		b.CodingFailure += c.Coding
		b.PlatformFailure += c.Platform
		b.Timeout += c.Timeout
	}
	return buckets, nil
}
