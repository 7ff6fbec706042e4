// Package metric records what functions did: exact counters per function and
// minute, and records of single invocations.
//
// Counters count every invocation. Records are complete for whatever somebody
// will look for (failures, cold starts) and sampled for plain successes, of
// which a busy function has thousands a second that tell the same. The samples
// are counted per flush, so they get fewer when the store is slow. While it is
// down counters add up in memory; records beyond a bound are dropped, and
// counted in the telemetry.
package metric

import (
	"cmp"
	"context"
	"hash/maphash"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"convoke"
	"convoke/internal/telemetry"
)

const (
	// shards divide the functions, so that two that are busy seldom meet.
	shards = 16
	// batchRecords keeps a transaction short, as others wait for the writer.
	batchRecords = 2000
	// storeTimeout ends an attempt to store.
	storeTimeout = 10 * time.Second
	// retry is the pause between attempts at the end of Run.
	retry = 200 * time.Millisecond
)

// Config is what a Recorder needs. Zero members take the default.
type Config struct {
	Store     convoke.InvocationStore // required
	Logger    *slog.Logger            // none: silent
	Telemetry *telemetry.Telemetry    // may be nil

	FlushEvery  time.Duration // 1 s
	Samples     int           // records of plain successes per function between two flushes; 100
	Records     int           // records waiting for the store; 20,000
	Counters    int           // counters waiting for the store at minute precision; 200,000
	StopTimeout time.Duration // for storing the rest when Run ends; 5 s
}

// Recorder records invocations. Its methods may be called from any goroutine.
type Recorder struct {
	cfg    Config
	logger *slog.Logger
	seed   maphash.Seed
	shards [shards]shard
	queued atomic.Int64  // records in the shards and waiting
	full   chan struct{} // holds a token when records should be stored before the next tick

	// flushing guards what follows. Flush holds it while it stores, and a
	// query while it reads the store and memory, so that a counter is seen in
	// one of the two, never in both or neither. It comes before a shard's mu.
	flushing sync.RWMutex
	counters map[key]convoke.Counter // taken from the shards, not stored yet
	records  []convoke.Invocation
	spares   [shards]buffer // empty, to swap with what the shards have filled
	failed   bool           // the latest attempt did
}

type shard struct {
	mu sync.Mutex
	buffer
	_ [64]byte // keeps the locks of two shards off one cache line
}

// buffer is what came in since the last flush.
type buffer struct {
	index   map[key]int // into slots
	slots   []slot
	records []convoke.Invocation
}

type key struct {
	account, function string
	minute            int64 // since 1970
}

type slot struct {
	counter convoke.Counter
	samples int // plain successes recorded
}

// New returns a Recorder that stores what it recorded while Run runs.
func New(cfg Config) *Recorder {
	cfg.FlushEvery = cmp.Or(cfg.FlushEvery, time.Second)
	cfg.Samples = cmp.Or(cfg.Samples, 100)
	cfg.Records = cmp.Or(cfg.Records, 20_000)
	cfg.Counters = cmp.Or(cfg.Counters, 200_000)
	cfg.StopTimeout = cmp.Or(cfg.StopTimeout, 5*time.Second)
	r := &Recorder{
		cfg:      cfg,
		logger:   cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler)),
		seed:     maphash.MakeSeed(),
		full:     make(chan struct{}, 1),
		counters: map[key]convoke.Counter{},
	}
	for i := range r.shards {
		r.shards[i].index = map[key]int{}
		r.spares[i].index = map[key]int{}
	}
	return r
}

// Record counts inv in the minute it started and keeps a copy of it if it is
// worth it. It neither waits for the store nor, once a function is known,
// allocates.
func (r *Recorder) Record(inv *convoke.Invocation) {
	k := key{inv.AccountID, inv.FunctionID, inv.StartedAt.Unix() / 60}
	s := &r.shards[maphash.String(r.seed, inv.FunctionID)%shards]
	s.mu.Lock()
	slot := s.slot(k)
	count(&slot.counter, inv)
	keep := true
	if plain(inv) {
		keep = slot.samples < r.cfg.Samples
		slot.samples++
	}
	dropped := false
	if keep {
		if dropped = !r.reserve(); !dropped {
			s.records = append(s.records, *inv)
		}
	}
	s.mu.Unlock()
	if dropped {
		r.cfg.Telemetry.RecordsDropped(1)
	}
}

func (b *buffer) slot(k key) *slot {
	i, ok := b.index[k]
	if !ok {
		i = len(b.slots)
		b.index[k] = i
		b.slots = append(b.slots, slot{counter: convoke.Counter{AccountID: k.account, FunctionID: k.function, Minute: k.start()}})
	}
	return &b.slots[i]
}

func (k key) start() time.Time { return time.Unix(k.minute*60, 0).UTC() }

func count(c *convoke.Counter, inv *convoke.Invocation) {
	switch inv.Outcome {
	case convoke.OutcomeSucceeded:
		c.Succeeded++
	case convoke.OutcomeCodingFailure:
		c.Coding++
	case convoke.OutcomePlatformFailure:
		c.Platform++
	case convoke.OutcomeTimeout:
		c.Timeout++
	default:
		c.Unknown++
	}
	if inv.Cold {
		c.Cold++
	}
	c.Run += inv.Run
	c.CPU += inv.CPU
}

// plain reports whether one record of many like inv is enough. A refusal is:
// under overload there are the most of them, just when the store must rest.
func plain(inv *convoke.Invocation) bool {
	return inv.Outcome == convoke.OutcomeSucceeded && !inv.Cold || inv.Code == convoke.CodeThrottled
}

// reserve takes room for one record.
func (r *Recorder) reserve() bool {
	n := r.queued.Add(1)
	if n > int64(r.cfg.Records) {
		r.queued.Add(-1)
		return false
	}
	if n == int64(r.cfg.Records/2) {
		select {
		case r.full <- struct{}{}:
		default:
		}
	}
	return true
}

// Run stores what was recorded, every FlushEvery and earlier when much comes
// in, until ctx ends and the rest is stored. It returns CodeStorageFull or
// CodeUnavailable when that did not succeed within StopTimeout. Call it once.
func (r *Recorder) Run(ctx context.Context) error {
	tick := time.NewTicker(r.cfg.FlushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-r.full:
		case <-ctx.Done():
			return r.finish(context.WithoutCancel(ctx))
		}
		_ = r.Flush(ctx) // noted there, and the next tick tries again
	}
}

func (r *Recorder) finish(ctx context.Context) error {
	deadline := time.Now().Add(r.cfg.StopTimeout)
	for {
		err := r.Flush(ctx)
		if err == nil || !time.Now().Add(retry).Before(deadline) {
			return err
		}
		time.Sleep(retry)
	}
}

// Flush stores everything recorded so far. It returns CodeStorageFull or
// CodeUnavailable when the store fails; nothing is lost by that, the next
// flush tries again. The end of ctx does not cut a transaction short, as that
// would leave open whether its counters were added.
func (r *Recorder) Flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	r.flushing.Lock()
	defer r.flushing.Unlock()
	r.collect()
	err := r.store(ctx)
	r.note(err)
	if err == nil {
		return nil
	}
	code := convoke.CodeUnavailable
	if convoke.ErrorCode(err) == convoke.CodeStorageFull {
		code = convoke.CodeStorageFull
	}
	return &convoke.Error{Code: code, Message: "counters and records of invocations cannot be stored; it is tried again", Cause: err}
}

// collect takes over what the shards have.
func (r *Recorder) collect() {
	for i := range r.shards {
		s, spare := &r.shards[i], &r.spares[i]
		s.mu.Lock()
		s.buffer, *spare = *spare, s.buffer
		s.mu.Unlock()
		for _, slot := range spare.slots {
			r.merge(slot.counter)
		}
		r.records = append(r.records, spare.records...)
		clear(spare.index)
		clear(spare.slots)
		clear(spare.records)
		spare.slots, spare.records = spare.slots[:0], spare.records[:0]
	}
}

// merge adds c to what waits. In a long outage of the store the minutes of
// thousands of functions would fill the memory; then the hour must do.
func (r *Recorder) merge(c convoke.Counter) {
	k := keyOf(c)
	if _, ok := r.counters[k]; !ok && len(r.counters) >= r.cfg.Counters {
		c.Minute = c.Minute.Truncate(time.Hour)
		k = keyOf(c)
	}
	addTo(r.counters, k, c)
}

func keyOf(c convoke.Counter) key { return key{c.AccountID, c.FunctionID, c.Minute.Unix() / 60} }

// addTo adds c to the counter at k.
func addTo(counters map[key]convoke.Counter, k key, c convoke.Counter) {
	sum, ok := counters[k]
	if !ok {
		counters[k] = c
		return
	}
	sum.Succeeded += c.Succeeded
	sum.Coding += c.Coding
	sum.Platform += c.Platform
	sum.Timeout += c.Timeout
	sum.Unknown += c.Unknown
	sum.Cold += c.Cold
	sum.Run += c.Run
	sum.CPU += c.CPU
	counters[k] = sum
}

// store hands all that waits to the store, the counters with the first batch.
func (r *Recorder) store(ctx context.Context) error {
	counters := sorted(r.counters)
	for len(r.records) > 0 || len(counters) > 0 {
		n := min(len(r.records), batchRecords)
		if err := r.cfg.Store.AppendInvocations(ctx, r.records[:n], counters); err != nil {
			return err
		}
		counters = nil
		clear(r.counters)
		r.records = slices.Delete(r.records, 0, n)
		r.queued.Add(int64(-n))
		r.cfg.Telemetry.RecordsStored(n)
	}
	return nil
}

// sorted gives counters in one order for all: two nodes that add to the same
// rows in different orders would wait for each other.
func sorted(counters map[key]convoke.Counter) []convoke.Counter {
	out := make([]convoke.Counter, 0, len(counters))
	for _, c := range counters {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b convoke.Counter) int {
		return cmp.Or(a.Minute.Compare(b.Minute), cmp.Compare(a.AccountID, b.AccountID), cmp.Compare(a.FunctionID, b.FunctionID))
	})
	return out
}

// note logs when storing begins to fail and when it works again.
func (r *Recorder) note(err error) {
	switch {
	case err != nil && !r.failed:
		r.logger.Error("invocations cannot be stored; counters are kept, records beyond a bound are dropped", "err", err)
	case err == nil && r.failed:
		r.logger.Info("invocations are stored again")
	}
	r.failed = err != nil
}
