package pool

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"convoke"
)

// fake is a worker without a process. It notes what a real one would suffer
// from: a second program, or more invocations at a time than it was made for.
type fake struct {
	id    int
	host  *host
	class class
	done  chan struct{}

	mu       sync.Mutex
	key      string
	closed   bool
	killed   bool
	resident int64
}

func (w *fake) Done() <-chan struct{} { return w.done }

func (w *fake) Close(time.Duration) {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	h := w.host
	h.mu.Lock()
	after := h.closeTime
	h.mu.Unlock()
	if after == 0 {
		w.die()
		return
	}
	time.AfterFunc(after, w.die)
}

func (w *fake) Kill() {
	w.mu.Lock()
	w.killed = true
	w.mu.Unlock()
	if !w.host.immortal {
		w.die()
	}
}

func (w *fake) wasClosed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closed
}

func (w *fake) wasKilled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.killed
}

func (w *fake) Resident() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.resident
}

func (w *fake) setResident(n int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.resident = n
}

func (w *fake) die() {
	h := w.host
	h.mu.Lock()
	defer h.mu.Unlock()
	if !isGone(w) {
		close(w.done)
		delete(h.alive, w)
	}
}

// host starts fakes.
type host struct {
	startTime, loadTime, closeTime time.Duration
	immortal                       bool

	mu        sync.Mutex
	n         int
	alive     map[*fake]bool
	starting  int
	most      int            // started at the same time
	payers    map[string]int // processes by the account that they were started for
	startErr  error
	loadErr   error
	loads     int
	trespass  string // a worker loaded twice
	mostAlive int    // loaded or loading at the same time
}

func (h *host) Start(ctx context.Context, runtime string, memoryMiB int, account string) (*fake, error) {
	h.mu.Lock()
	h.starting++
	h.most = max(h.most, h.starting)
	takes := h.startTime
	h.mu.Unlock()
	err := pass(ctx, takes)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.starting--
	if err == nil {
		err = h.startErr
	}
	if err != nil {
		return nil, err
	}
	h.n++
	if h.payers == nil {
		h.payers = map[string]int{}
	}
	h.payers[account]++
	w := &fake{id: h.n, host: h, class: class{runtime, memoryMiB}, done: make(chan struct{})}
	h.alive[w] = true
	return w, nil
}

func (h *host) load(ctx context.Context, w *fake, key string) error {
	h.mu.Lock()
	h.loads++
	w.mu.Lock()
	if w.key != "" {
		h.trespass = fmt.Sprintf("worker %d of %s was loaded with %s", w.id, w.key, key)
	}
	w.key = key
	w.mu.Unlock()
	busy := 0
	for a := range h.alive {
		a.mu.Lock()
		if a.key != "" {
			busy++
		}
		a.mu.Unlock()
	}
	h.mostAlive = max(h.mostAlive, busy)
	err, takes := h.loadErr, h.loadTime
	h.mu.Unlock()
	if e := pass(ctx, takes); e != nil {
		return e
	}
	return err
}

func pass(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func (h *host) set(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}

func (h *host) get(counter *int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return *counter
}

func (h *host) living() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.alive)
}

// trespassed says which worker was loaded twice, if one was.
func (h *host) trespassed() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.trespass
}

// aliveWith counts the processes that were given a key; "" counts blanks.
func (h *host) aliveWith(key string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for w := range h.alive {
		w.mu.Lock()
		if w.key == key {
			n++
		}
		w.mu.Unlock()
	}
	return n
}

// bench is a running pool of fakes inside a synctest bubble.
type bench struct {
	*Pool[*fake]
	t    *testing.T
	host *host
	stop func() error // ends Run and returns its error
}

func newHost() *host {
	return &host{startTime: 30 * time.Millisecond, loadTime: 3 * time.Millisecond, closeTime: 2 * time.Millisecond, alive: map[*fake]bool{}}
}

func setup(t *testing.T, cfg Config[*fake]) *bench {
	t.Helper()
	h := newHost()
	cfg.Starter = h
	b := &bench{Pool: New(cfg), t: t, host: h}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	b.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() {
		if err := b.stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		if s := h.trespassed(); s != "" {
			t.Error(s)
		}
	})
	<-b.Ready()
	synctest.Wait()
	return b
}

// target makes a target of account acc; change may adapt its settings.
func (b *bench) target(acc, key string, change ...func(*convoke.Settings)) *Target[*fake] {
	t := &Target[*fake]{
		Key: key, AccountID: acc, FunctionID: key,
		Settings: convoke.Settings{Concurrency: 1, MaxInstances: 10, MemoryMiB: 256, IdleTimeout: time.Minute},
		Load:     func(ctx context.Context, w *fake) error { return b.host.load(ctx, w, key) },
	}
	for _, c := range change {
		c(&t.Settings)
	}
	return t
}

func concurrency(n int) func(*convoke.Settings) {
	return func(s *convoke.Settings) { s.Concurrency = n }
}
func maxInstances(n int) func(*convoke.Settings) {
	return func(s *convoke.Settings) { s.MaxInstances = n }
}
func minInstances(n int) func(*convoke.Settings) {
	return func(s *convoke.Settings) { s.MinInstances = n }
}

func (b *bench) acquire(t *Target[*fake]) *Lease[*fake] {
	b.t.Helper()
	l, err := b.Acquire(b.t.Context(), t)
	if err != nil {
		b.t.Fatalf("Acquire(%s): %v", t.Key, err)
	}
	b.check()
	return l
}

// request is an Acquire under way.
type request struct {
	done  chan struct{}
	lease *Lease[*fake]
	err   error
	took  time.Duration
}

func (b *bench) request(ctx context.Context, t *Target[*fake]) *request {
	r := &request{done: make(chan struct{})}
	begin := time.Now()
	go func() {
		defer close(r.done)
		r.lease, r.err = b.Acquire(ctx, t)
		r.took = time.Since(begin)
	}()
	synctest.Wait()
	b.check()
	return r
}

func (r *request) isDone() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// check fails the test when the pool's books do not add up.
func (b *bench) check() {
	b.t.Helper()
	if err := audit(b.Pool); err != nil {
		b.t.Fatal(err)
	}
}

// audit recounts everything that the pool counts and checks what its package
// comment promises of a single moment.
func audit(p *Pool[*fake]) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	places, memory, yielding, waiters, starving := 0, int64(0), 0, 0, 0
	byGroup, byAccount := map[*group[*fake]][3]int{}, map[*account[*fake]]int{}
	for n, i := range p.instances {
		if i.index != n || i.state == gone {
			return fmt.Errorf("instance %d: index %d, state %d", n, i.index, i.state)
		}
		c := byGroup[i.group]
		if i.placed {
			places++
			memory += i.memory
			byAccount[i.group.account]++
			c[0]++
		}
		switch i.state {
		case starting:
			c[1]++
		case ready:
			c[2]++
			if free := i.leases < i.group.target.most(); free != (i.slot.in != nil) && !isGone(i.worker) {
				return fmt.Errorf("%s: an instance with %d leases, in levels %v", i.group.target.Key, i.leases, i.slot.in != nil)
			}
			if i.leases < i.group.target.concurrency() && i.group.waiters.n > 0 && !isGone(i.worker) {
				return fmt.Errorf("%s: %d waiters beside a free slot", i.group.target.Key, i.group.waiters.n)
			}
		}
		byGroup[i.group] = c
		if i.yielding {
			yielding++
		}
		if i.leases < 0 || i.leases > i.group.target.most() {
			return fmt.Errorf("%s: %d leases on one instance", i.group.target.Key, i.leases)
		}
		if i.placed && i.group.places <= i.group.target.Settings.MaxInstances && p.groups[i.group.target.Key] != i.group {
			return fmt.Errorf("%s: a group with instances was forgotten", i.group.target.Key)
		}
	}
	for key, g := range p.groups {
		eager := 0
		for w := range g.waiters.all() {
			waiters++
			if w.eager {
				eager++
			}
		}
		if g.isStarved() {
			starving++
		}
		if c := byGroup[g]; c != [3]int{g.places, g.starting, g.ready} || eager != g.eager {
			return fmt.Errorf("%s: counted places, starting, ready %v and eager %d; booked %v and %d", key, c, eager, [3]int{g.places, g.starting, g.ready}, g.eager)
		}
		if most := g.target.Settings.MaxInstances; most > 0 && g.places > most {
			return fmt.Errorf("%s: %d instances, more than %d", key, g.places, most)
		}
		// The end of a back-off is noticed by the next sweep.
		if p.needsStart(g) && !g.isStarved() && (g.failures == 0 || time.Since(g.retryAt) > sweepEvery) {
			return fmt.Errorf("%s: needs a start but is not in line", key)
		}
		if g.waiters.n > 0 && g.live() == 0 && !g.isStarved() && g.places < p.maxOf(g) && !p.holds(g, time.Now()) {
			return fmt.Errorf("%s: %d waiters without hope", key, g.waiters.n)
		}
	}
	for id, a := range p.accounts {
		if a.places != byAccount[a] || a.places > p.most(a) {
			return fmt.Errorf("account %s: booked %d places, counted %d, at most %d", id, a.places, byAccount[a], p.most(a))
		}
		if (a.first() != nil) != (a.turn.in != nil) {
			return fmt.Errorf("account %s: waits %v, in line %v", id, a.first() != nil, a.turn.in != nil)
		}
	}
	if places != p.places || memory != p.memory || yielding != p.yielding || waiters != p.waiters || starving != p.starving {
		return fmt.Errorf("counted places %d, memory %d, yielding %d, waiters %d, starving %d; booked %d, %d, %d, %d, %d",
			places, memory, yielding, waiters, starving, p.places, p.memory, p.yielding, p.waiters, p.starving)
	}
	if p.places > p.cfg.MaxInstances {
		return fmt.Errorf("%d places, more than %d", p.places, p.cfg.MaxInstances)
	}
	// With a memory budget, room for one may need several to go.
	// What has lost its shelter since the last sweep is found by the next.
	if g := p.next(); g != nil && (!p.full(g) || p.spare(g.account, false, time.Now().Add(-sweepEvery)) != nil && p.cfg.MemoryMiB == 0) {
		return fmt.Errorf("%s waits for a place though there is one", g.target.Key)
	}
	return nil
}
