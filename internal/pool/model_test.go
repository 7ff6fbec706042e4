package pool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"convoke"
)

// plainT hides from rapid that it has a *testing.T, whose deadline it would
// ask for: that is not possible inside a bubble.
type plainT struct{ rapid.TB }

// TestModel drives the pool with random sequences of everything that can
// happen to it, and after each step compares it with what the fakes saw and
// with a recount of its own books. At the end everybody must have been
// answered and every process must be gone.
func TestModel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for range modelRounds {
			rapid.Check(plainT{t}, func(r *rapid.T) {
				m := newMachine(r)
				defer m.end()
				r.Repeat(map[string]func(*rapid.T){
					"acquire": m.acquire, "release": m.release, "discard": m.discard, "recall": m.recall, "cancel": m.cancel,
					"kill": m.kill, "killBlank": m.killBlank, "pass": m.pass, "retire": m.retire, "keep": m.keep,
					"adopt": m.adopt, "breakLoad": m.breakLoad, "breakStart": m.breakStart, "squeeze": m.squeeze,
					"compute": m.compute,
					"":        m.check,
				})
				m.finish()
			})
		}
	})
}

// modelRounds of rapid's usual hundred checks find what one does not; in
// virtual time they take a second.
const modelRounds = 10

type machine struct {
	r       *rapid.T
	p       *Pool[*fake]
	h       *host
	stop    context.CancelFunc
	ended   chan error
	targets []*Target[*fake] // a retired one is replaced by its next version
	version int
	retired map[string]bool
	pending []*modelRequest
	leases  []held
	spare   map[*fake]bool // probes that the pool did not take
	pressed atomic.Bool
	behind  atomic.Bool // account 1
}

type modelRequest struct {
	key     string
	retired bool // was so already when it asked
	since   time.Time
	cancel  context.CancelFunc
	done    chan struct{}
	lease   *Lease[*fake]
	err     error
}

const modelMaxWait = 5 * time.Second

func newMachine(r *rapid.T) *machine {
	m := &machine{
		r: r, h: newHost(), ended: make(chan error, 1),
		retired: map[string]bool{}, spare: map[*fake]bool{},
	}
	m.h.closeTime = rapid.SampledFrom([]time.Duration{0, 2 * time.Millisecond, time.Second}).Draw(r, "closeTime")
	own := rapid.IntRange(0, 5).Draw(r, "instances of account 1")
	m.p = New(Config[*fake]{
		InstancesOf: func(account string) int {
			if account == "1" {
				return own
			}
			return 0
		},
		Starter:                m.h,
		Blanks:                 rapid.IntRange(0, 2).Draw(r, "blanks"),
		MaxInstances:           rapid.IntRange(1, 5).Draw(r, "maxInstances"),
		MaxInstancesPerAccount: rapid.IntRange(1, 4).Draw(r, "maxInstancesPerAccount"),
		MaxWaiters:             rapid.IntRange(1, 6).Draw(r, "maxWaiters"),
		MaxWaitersTotal:        12,
		MaxWait:                modelMaxWait,
		StartParallel:          rapid.IntRange(1, 3).Draw(r, "startParallel"),
		StartTimeout:           2 * time.Second,
		Grace:                  3 * time.Second,
		Pressure:               m.pressed.Load,
		Behind:                 func(account string) bool { return account == "1" && m.behind.Load() },
	})
	for n := range 4 {
		m.targets = append(m.targets, m.newTarget(n))
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.stop = cancel
	go func() { m.ended <- m.p.Run(ctx) }()
	synctest.Wait()
	return m
}

// newTarget makes function n of account n%2, version by version.
func (m *machine) newTarget(n int) *Target[*fake] {
	m.version++
	key := fmt.Sprintf("f%d-%d", n, m.version)
	most := rapid.IntRange(1, 3).Draw(m.r, "targetMax")
	return &Target[*fake]{
		Key: key, AccountID: fmt.Sprint(n % 2), FunctionID: fmt.Sprint(n),
		Settings: convoke.Settings{
			Concurrency:  rapid.IntRange(1, 3).Draw(m.r, "concurrency"),
			MaxInstances: most,
			MinInstances: rapid.IntRange(0, most).Draw(m.r, "targetMin"),
			MemoryMiB:    rapid.SampledFrom([]int{128, 512}).Draw(m.r, "memory"),
			IdleTimeout:  3 * time.Second,
		},
		Ahead: rapid.SampledFrom([]int{0, 0, 2}).Draw(m.r, "ahead"),
		Load:  func(ctx context.Context, w *fake) error { return m.h.load(ctx, w, key) },
	}
}

func (m *machine) target(r *rapid.T) *Target[*fake] {
	return rapid.SampledFrom(m.targets).Draw(r, "target")
}

func (m *machine) acquire(r *rapid.T) {
	t := m.target(r)
	ctx, cancel := context.WithCancel(context.Background())
	q := &modelRequest{key: t.Key, retired: m.retired[t.Key], since: time.Now(), cancel: cancel, done: make(chan struct{})}
	m.pending = append(m.pending, q)
	go func() {
		defer close(q.done)
		q.lease, q.err = m.p.Acquire(ctx, t)
	}()
}

// held is a lease and the key it was asked for.
type held struct {
	*Lease[*fake]
	key string
}

// takeLease removes any lease from those held.
func (m *machine) takeLease(r *rapid.T) held {
	if len(m.leases) == 0 {
		r.Skip("no lease")
	}
	n := rapid.IntRange(0, len(m.leases)-1).Draw(r, "lease")
	l := m.leases[n]
	m.leases = slices.Delete(m.leases, n, n+1)
	return l
}

func (m *machine) release(r *rapid.T) {
	m.takeLease(r).Release(rapid.SampledFrom([]time.Duration{0, 100 * time.Microsecond, time.Millisecond, time.Second}).Draw(r, "run"),
		rapid.SampledFrom([]time.Duration{0, time.Second}).Draw(r, "cpu"))
}

func (m *machine) recall(r *rapid.T) { m.takeLease(r).Recall() }

func (m *machine) discard(r *rapid.T) {
	m.takeLease(r).Discard()
}

func (m *machine) cancel(r *rapid.T) {
	for _, q := range m.pending {
		q.cancel()
	}
}

// kill lets a leased worker die; its leases are released later, as always.
func (m *machine) kill(r *rapid.T) {
	l := m.takeLease(r)
	l.Worker.die()
	m.leases = append(m.leases, l)
}

func (m *machine) killBlank(r *rapid.T) {
	m.h.mu.Lock()
	var blanks []*fake
	for w := range m.h.alive {
		w.mu.Lock()
		if w.key == "" {
			blanks = append(blanks, w)
		}
		w.mu.Unlock()
	}
	m.h.mu.Unlock()
	for _, w := range blanks {
		w.die()
	}
}

func (m *machine) pass(r *rapid.T) {
	time.Sleep(rapid.SampledFrom([]time.Duration{time.Millisecond, 10 * time.Millisecond, 300 * time.Millisecond, 4 * time.Second}).Draw(r, "time"))
}

func (m *machine) retire(r *rapid.T) {
	n := rapid.IntRange(0, len(m.targets)-1).Draw(r, "target")
	key := m.targets[n].Key
	m.p.Retire(key)
	m.retired[key] = true
	if rapid.Bool().Draw(r, "replaced") {
		m.targets[n] = m.newTarget(n)
	}
}

func (m *machine) keep(r *rapid.T) { m.p.Keep(m.target(r)) }

func (m *machine) adopt(r *rapid.T) {
	t := m.target(r)
	w, err := m.p.StartBlank(context.Background(), t.Runtime, t.Settings.MemoryMiB, "a")
	if err != nil {
		return
	}
	if err := m.h.load(context.Background(), w, t.Key); err != nil {
		w.die()
		return
	}
	m.p.Adopt(t, w)
	m.spare[w] = w.wasClosed()
}

func (m *machine) breakLoad(r *rapid.T) {
	m.h.set(func() {
		m.h.loadErr = nil
		if rapid.Bool().Draw(r, "broken") {
			m.h.loadErr = errSyntax
		}
	})
}

func (m *machine) breakStart(r *rapid.T) {
	m.h.set(func() {
		m.h.startErr = nil
		if rapid.Bool().Draw(r, "broken") {
			m.h.startErr = errors.New("no more processes")
		}
	})
}

func (m *machine) squeeze(r *rapid.T) {
	m.pressed.Store(rapid.Bool().Draw(r, "pressed"))
}

// compute puts account 1 behind, or lets it come back, which the next sweep
// notices.
func (m *machine) compute(r *rapid.T) {
	m.behind.Store(rapid.Bool().Draw(r, "behind"))
	time.Sleep(sweepEvery)
}

// check holds after every step, once everything that could move has moved.
func (m *machine) check(r *rapid.T) {
	synctest.Wait()
	m.collect(r)
	if err := audit(m.p); err != nil {
		r.Fatal(err)
	}
	if s := m.h.trespassed(); s != "" {
		r.Fatal(s)
	}
	// What the processes say, against the leases given out.
	perWorker := map[*fake]int{}
	for _, l := range m.leases {
		perWorker[l.Worker]++
		if l.Worker.key != l.key {
			r.Fatalf("a lease of %s is on a worker of %q", l.key, l.Worker.key)
		}
	}
	for w, n := range perWorker {
		for _, t := range m.targets {
			if t.Key == w.key && n > t.Settings.Concurrency+t.Ahead {
				r.Fatalf("worker %d has %d leases, at most %d are allowed", w.id, n, t.Settings.Concurrency+t.Ahead)
			}
		}
	}
	loaded := 0
	m.h.mu.Lock()
	for w := range m.h.alive {
		if w.key != "" && !m.spare[w] {
			loaded++
		}
	}
	m.h.mu.Unlock()
	if loaded > m.p.cfg.MaxInstances {
		r.Fatalf("%d processes hold a function, at most %d may", loaded, m.p.cfg.MaxInstances)
	}
}

func (m *machine) collect(r *rapid.T) {
	m.pending = slices.DeleteFunc(m.pending, func(q *modelRequest) bool {
		select {
		case <-q.done:
		default:
			if waited := time.Since(q.since); waited > modelMaxWait {
				r.Fatalf("a request of %s waits for %v", q.key, waited)
			}
			return false
		}
		q.cancel()
		if q.err == nil {
			m.leases = append(m.leases, held{q.lease, q.key})
		}
		if q.retired && !errors.Is(q.err, ErrRetired) {
			r.Fatalf("Acquire of the retired %s returned %v", q.key, q.err)
		}
		if q.err == nil && !q.lease.Cold && q.lease.ColdStart > 0 {
			r.Fatalf("cold %v, cold start %v", q.lease.Cold, q.lease.ColdStart)
		}
		return true
	})
}

// finish gives everything back: then everybody must be served or refused, and
// the pool must come to rest within its bounds.
func (m *machine) finish() {
	for range 100 {
		for _, l := range m.leases {
			l.Release(time.Millisecond, 0)
		}
		m.leases = nil
		synctest.Wait()
		m.check(m.r)
		if len(m.pending) == 0 && len(m.leases) == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	m.r.Fatalf("%d requests were never answered", len(m.pending))
}

// end stops the pool, also after a failure, so that the bubble can end.
func (m *machine) end() {
	for _, q := range m.pending {
		q.cancel()
	}
	m.stop()
	if err := <-m.ended; err != nil {
		m.r.Errorf("Run: %v", err)
	}
	synctest.Wait()
	time.Sleep(2 * time.Second) // workers that Adopt turned down
	if m.h.living() != 0 {
		m.r.Errorf("%d processes outlived the pool", m.h.living())
	}
}
