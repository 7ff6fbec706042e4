// Package pool decides which worker serves which request: it leases slots of
// instances, starts and ends instances, keeps blank workers ready and refuses
// what cannot be served in time. It knows workers only through the interface
// Worker, so all of it is tested without a single process.
//
// One mutex guards the whole pool. A lease and its return hold it for some
// dozen nanoseconds, against some dozen microseconds of an invocation, so it
// is never the bottleneck; in exchange every decision sees one consistent
// picture of the node and there is no lock order to get wrong. Nothing under
// it blocks: starting, loading, measuring and waiting happen outside.
//
// What the pool promises (model_test.go tries to break each):
//   - A worker never has more leases than its target's concurrency and what
//     its target lets it queue, and once it was loaded for a key it serves no
//     other.
//   - There are never more instances than the bounds of target, account and
//     node, processes that are still on their way out included.
//   - While a target has waiters it has no free slot, and the oldest waiter
//     gets the next one.
//   - While anybody waits for a place on the node, no place is free and no
//     instance is idle that the waiting one could have. It cannot have those
//     that others use now and then while it has its own share of the places,
//     and none while its account must not start one (pause.go).
//   - Every Acquire returns: with a lease, or with an error after MaxWait at
//     the latest.
package pool

import (
	"cmp"
	"context"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"convoke"
)

// Worker is one process. Its methods must neither block nor call the pool:
// they are called while the pool's lock is held.
type Worker interface {
	// Done is closed once the process is gone.
	Done() <-chan struct{}
	// Close ends the process after what it is doing, or after grace. It
	// returns at once; Done tells when the process is gone.
	Close(grace time.Duration)
	// Kill ends the process at once.
	Kill()
}

// Resident is an ability of workers that can be measured: the bytes of memory
// the process holds by itself, or 0 when that is not known. It may do I/O;
// the pool calls it without its lock.
type Resident interface {
	Resident() int64
}

// Starter makes blank workers.
type Starter[W Worker] interface {
	// Start returns a blank worker of a runtime, whose heap is bound to
	// memoryMiB, on behalf of an account. It must end when ctx ends.
	Start(ctx context.Context, runtime string, memoryMiB int, account string) (W, error)
}

// Target is what an instance is made of: one deployed version of one function.
type Target[W Worker] struct {
	// Key is its identity: instances are shared by this key only. A key that
	// was retired must not come back, so it is the deployment's id.
	Key        string
	AccountID  string
	FunctionID string
	Runtime    string           // "" is the default
	Settings   convoke.Settings // resolved
	// Ahead is how many leases beyond its concurrency a worker may hold while
	// the target's invocations are so short that the way to the worker and
	// back counts: it queues them itself. 0 is none.
	Ahead int
	// Load turns a blank worker into an instance. It must end when ctx ends.
	// The pool kills the worker when Load fails.
	Load func(ctx context.Context, w W) error
}

func (t *Target[W]) concurrency() int { return max(1, t.Settings.Concurrency) }

// most is how many leases a worker may hold.
func (t *Target[W]) most() int { return t.concurrency() + max(0, t.Ahead) }

// Config of a Pool. Only Starter is needed.
type Config[W Worker] struct {
	Starter Starter[W]

	DefaultRuntime string // convoke.DefaultRuntime
	BlankMemoryMiB int    // heap of the default blank workers; 256
	Blanks         int    // default blank workers kept ready; 0 keeps none

	MaxInstances           int // of the node; 64
	MaxInstancesPerAccount int // MaxInstances
	// InstancesOf is how many instances an account may have by a limit of its
	// own, within MaxInstancesPerAccount; 0 is none. It must be quick: it is
	// called under the lock. nil: no account has one.
	InstancesOf     func(account string) int
	MaxWaiters      int           // per target; 1000
	MaxWaitersTotal int           // of the node; 10 000
	MaxWait         time.Duration // longest time in Acquire, a cold start included; 30 s
	// MemoryMiB is the budget of all instances; 0 is no budget. An instance
	// counts as InstanceMiB (32) until it has been measured.
	MemoryMiB   int
	InstanceMiB int
	// Pressure reports that the host is short of memory; idle instances then
	// go, least recently used first. It is asked once a second.
	Pressure func() bool
	// Behind reports that an account computes beyond its share of the node. It
	// then takes nothing from others: no blank worker, and no turn to start
	// one, and it pauses between starts. It must be quick.
	Behind func(account string) bool

	// Processors bounds the instances of a target whose invocations mostly
	// compute: more of them would only take turns. The number of processors.
	Processors    int
	StartParallel int           // processes started at the same time; the number of processors
	StartTimeout  time.Duration // to start and load one instance; 15 s
	Grace         time.Duration // for leases at shutdown; 10 s
	CloseGrace    time.Duration // for a worker to end after Close; 2 s

	Logger   *slog.Logger
	Observer Observer
}

// Pool keeps instances. Make it with New and run it with Run.
type Pool[W Worker] struct {
	cfg Config[W]

	ctx       context.Context // of starts; ends with Run
	cancel    context.CancelFunc
	wg        sync.WaitGroup // every goroutine of the pool
	abandoned chan struct{}  // closed when shutdown stops waiting for processes
	starts    chan struct{}  // semaphore of foreground starts
	behind    chan struct{}  // the same, of accounts beyond their share: one at a time
	ready     chan struct{}  // closed when the blanks stand ready for the first time
	hungry    chan struct{}  // a shelf of blanks may need a refill
	quiet     chan struct{}  // no cold start is under way any more

	mu        sync.Mutex
	closed    bool
	groups    map[string]*group[W]
	accounts  map[string]*account[W]
	pauses    map[string]pause // of accounts that are behind; they outlive the accounts
	instances []*instance[W]   // every one whose process may be alive
	places    int              // of the node, taken
	memory    int64            // bytes of the instances that hold a place
	waiters   int
	starved   list[*account[W]] // accounts with groups that wait for a place
	starving  int               // how many groups those are
	yielding  int               // instances drained to make room for them
	retired   keys
	shelves   map[class]*shelf[W]
	blanks    map[*blank[W]]struct{} // every one whose process may be alive
	cold      int                    // foreground starts under way
	coldAt    time.Time              // when the last of them ended
	refilling int
	spawnTime time.Duration // moving average of starting a process
	loadTime  time.Duration // moving average of loading
}

// Before anything was measured a process takes so long to start, and an
// instance to load. Wrong values cost one bad decision: to wait or to start.
const (
	firstSpawnTime = 50 * time.Millisecond
	firstLoadTime  = 5 * time.Millisecond
)

// New returns a pool. It panics without a Starter.
func New[W Worker](cfg Config[W]) *Pool[W] {
	if cfg.Starter == nil {
		panic("pool: a Starter is needed")
	}
	cfg.DefaultRuntime = cmp.Or(cfg.DefaultRuntime, convoke.DefaultRuntime)
	cfg.BlankMemoryMiB = cmp.Or(cfg.BlankMemoryMiB, 256)
	cfg.MaxInstances = cmp.Or(cfg.MaxInstances, 64)
	cfg.MaxInstancesPerAccount = cmp.Or(cfg.MaxInstancesPerAccount, cfg.MaxInstances)
	if cfg.InstancesOf == nil {
		cfg.InstancesOf = func(string) int { return 0 }
	}
	cfg.MaxWaiters = cmp.Or(cfg.MaxWaiters, 1000)
	cfg.MaxWaitersTotal = cmp.Or(cfg.MaxWaitersTotal, 10_000)
	cfg.MaxWait = cmp.Or(cfg.MaxWait, 30*time.Second)
	cfg.InstanceMiB = cmp.Or(cfg.InstanceMiB, 32)
	cfg.Processors = cmp.Or(cfg.Processors, runtime.NumCPU())
	cfg.StartParallel = cmp.Or(cfg.StartParallel, runtime.NumCPU())
	cfg.StartTimeout = cmp.Or(cfg.StartTimeout, 15*time.Second)
	cfg.Grace = cmp.Or(cfg.Grace, 10*time.Second)
	cfg.CloseGrace = cmp.Or(cfg.CloseGrace, 2*time.Second)
	cfg.Logger = cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler))
	if cfg.Pressure == nil {
		cfg.Pressure = func() bool { return false }
	}
	if cfg.Behind == nil {
		cfg.Behind = func(string) bool { return false }
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Pool[W]{
		cfg: cfg, ctx: ctx, cancel: cancel,
		abandoned: make(chan struct{}),
		starts:    make(chan struct{}, cfg.StartParallel),
		behind:    make(chan struct{}, 1),
		ready:     make(chan struct{}),
		hungry:    make(chan struct{}, 1),
		quiet:     make(chan struct{}, 1),
		groups:    make(map[string]*group[W]),
		accounts:  make(map[string]*account[W]),
		pauses:    make(map[string]pause),
		shelves:   make(map[class]*shelf[W]),
		blanks:    make(map[*blank[W]]struct{}),
		spawnTime: firstSpawnTime,
		loadTime:  firstLoadTime,
	}
}

// Lease is the right to run one invocation on Worker. It ends with Release or
// Discard; a second call of either does nothing.
type Lease[W Worker] struct {
	Worker    W
	Cold      bool          // the request waited for this instance to start
	Wait      time.Duration // queueing, without the cold start
	ColdStart time.Duration // zero unless Cold

	pool     *Pool[W]
	instance *instance[W]
	returned bool // guarded by pool.mu
}

// Acquire leases a slot on an instance of t. It waits for one to be freed or
// started, whichever it expects first. Errors:
//   - CodeThrottled with RetryAfter: too many wait, or MaxWait passed;
//   - CodeUnavailable: the pool is shutting down;
//   - ErrRetired: t was replaced; look up what is live now and try again;
//   - CodeRuntimeError: the function's process died again and again, and no
//     new one is started before RetryAfter;
//   - the error of Starter or Load, when no instance can be made;
//   - the cause of ctx's end.
//
// Errors are shared between callers and must not be changed.
func (p *Pool[W]) Acquire(ctx context.Context, t *Target[W]) (*Lease[W], error) {
	p.mu.Lock()
	if g := p.groups[t.Key]; g != nil {
		if i := g.pick(); i != nil {
			p.mu.Unlock()
			return &Lease[W]{Worker: i.worker, pool: p, instance: i}, nil
		}
	}
	w, err := p.enqueue(ctx, t)
	p.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return p.await(ctx, w)
}

// Release gives the slot back after an invocation that took run, of which it
// waited for something else than a processor.
func (l *Lease[W]) Release(run, waited time.Duration) {
	l.end(func(i *instance[W]) { i.group.ran(i, run, waited) })
}

// Recall gives the slot back of a lease ahead that its worker has handed back:
// the target is not as quick as it was, and nothing is leased ahead for a while.
func (l *Lease[W]) Recall() {
	l.end(func(i *instance[W]) { i.group.aheadFrom = time.Now().Add(aheadPause) })
}

// Discard gives the slot back and says that the instance must not be used
// again. Its worker is killed when its other leases have ended.
func (l *Lease[W]) Discard() { l.end(l.pool.discard) }

// end gives the slot back once, after note has recorded how the lease went.
func (l *Lease[W]) end(note func(*instance[W])) {
	p := l.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.returned {
		return
	}
	l.returned = true
	note(l.instance)
	p.giveBack(l.instance)
}

// Adopt makes w, which was loaded with t elsewhere, an idle instance. It is
// closed instead when t is retired or there is no place for it: a worker at
// hand is no reason to evict another.
func (p *Pool[W]) Adopt(t *Target[W], w W) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.isRetired(t.Key) {
		w.Close(p.cfg.CloseGrace)
		return
	}
	g := p.group(t)
	if g.places >= p.maxOf(g) || p.starving > 0 && !g.isStarved() || p.full(g) {
		w.Close(p.cfg.CloseGrace)
		p.forget(g)
		return
	}
	i := p.add(g)
	i.worker = w
	p.serve(i)
	p.wg.Go(func() { p.watch(i) })
}

// Keep ensures that t's MinInstances are warm, again and again, until Retire.
// They take free places only: they evict nobody. Adopt what there is first.
func (p *Pool[W]) Keep(t *Target[W]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.isRetired(t.Key) || t.Settings.MinInstances == 0 {
		return
	}
	g := p.group(t)
	g.keep = true
	p.update(g)
}

// Retire ends a key: its idle instances are closed, busy ones after their
// last lease, and whoever waits for one gets ErrRetired, as does every later
// Acquire.
func (p *Pool[W]) Retire(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retired.add(key)
	g := p.groups[key]
	if g == nil {
		return
	}
	g.retired, g.keep = true, false
	p.fail(g, ErrRetired)
	p.dismiss(g, ReasonRetired)
	p.update(g)
}

// StartBlank hands an account a ready blank worker or starts one. The caller owns it
// and closes it, or gives it back loaded, by Adopt. It returns
// CodeUnavailable when the pool is shutting down, and the Starter's error.
func (p *Pool[W]) StartBlank(ctx context.Context, runtime string, memoryMiB int, account string) (W, error) {
	p.mu.Lock()
	closed := p.closed
	p.cold++
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.coldDone()
		p.mu.Unlock()
	}()
	if closed {
		var none W
		return none, errClosed
	}
	w, _, err := p.obtain(ctx, p.classOf(runtime, memoryMiB), account, func() bool { return true })
	return w, err
}

// Ready is closed once the blank workers stand ready for the first time.
func (p *Pool[W]) Ready() <-chan struct{} { return p.ready }
