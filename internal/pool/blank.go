package pool

import (
	"cmp"
	"context"
	"slices"
	"time"
)

const (
	// refillPatience is how long a refill makes way for cold starts, which
	// need the processors more. Not longer, or one function that loads slowly
	// would make everybody else's cold start slow.
	refillPatience = 50 * time.Millisecond
	// shelfLife is how long a blank worker of a class other than the default
	// is kept ready after the last demand, and maxShelves of how many classes.
	shelfLife  = 5 * time.Minute
	maxShelves = 8
)

// class is what blank workers differ in.
type class struct {
	runtime   string
	memoryMiB int
}

// shelf holds the blank workers of one class. Guarded by the pool's lock.
//
//	refill ──► starting ──► ready ──take──► an instance, or the caller's own
//	                          └── died, or the shelf was given up ──► gone
type shelf[W Worker] struct {
	class    class
	want     int
	ready    []*blank[W]
	starting int
	takers   []string  // the accounts that took those which are missing
	demand   time.Time // the last
	failures int       // starts that failed and workers that died since the last take
	retryAt  time.Time
}

type blank[W Worker] struct {
	worker W
	shelf  *shelf[W]
	taken  chan struct{} // closed when it is no longer a blank
}

// classOf is the class of blank workers that serves a runtime and memory. A
// function that asks for less than the default shares the default blanks.
func (p *Pool[W]) classOf(runtime string, memoryMiB int) class {
	return class{cmp.Or(runtime, p.cfg.DefaultRuntime), max(memoryMiB, p.cfg.BlankMemoryMiB)}
}

// obtain takes a ready blank worker for account or starts a process, unless
// wanted says that it is not needed any more when its turn comes.
func (p *Pool[W]) obtain(ctx context.Context, c class, account string, wanted func() bool) (w W, blank bool, err error) {
	turn := p.starts
	if p.cfg.Behind(account) {
		turn = p.behind
	} else if w, ok := p.take(c, account); ok {
		return w, true, nil
	}
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return w, false, context.Cause(ctx)
	}
	if !wanted() {
		return w, false, errUnwanted
	}
	if !p.cfg.Behind(account) {
		if w, ok := p.take(c, account); ok {
			return w, true, nil
		}
	}
	w, err = p.cfg.Starter.Start(ctx, c.runtime, c.memoryMiB, account)
	return w, false, err
}

// take takes a blank worker off the shelf, and notes the demand.
func (p *Pool[W]) take(c class, account string) (w W, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.shelf(c)
	s.demand = time.Now()
	signal(p.hungry)
	for len(s.ready) > 0 {
		last := len(s.ready) - 1
		b := s.ready[last]
		s.ready = s.ready[:last]
		if isGone(b.worker) {
			continue // its watcher takes note
		}
		close(b.taken)
		delete(p.blanks, b)
		s.failures = 0
		s.takers = append(s.takers, account)
		return b.worker, true
	}
	return w, false
}

// shelf returns the shelf of a class. A new class beyond maxShelves replaces
// the one that was not asked for the longest time.
func (p *Pool[W]) shelf(c class) *shelf[W] {
	if s := p.shelves[c]; s != nil {
		return s
	}
	s := &shelf[W]{class: c, want: 1}
	if c == p.classOf("", 0) {
		s.want = p.cfg.Blanks
	} else if p.cfg.Blanks == 0 {
		s.want = 0
	}
	if len(p.shelves) >= maxShelves {
		var oldest *shelf[W]
		for _, s := range p.shelves {
			if s.class != p.classOf("", 0) && (oldest == nil || s.demand.Before(oldest.demand)) {
				oldest = s
			}
		}
		p.clear(oldest)
	}
	p.shelves[c] = s
	return s
}

// clear gives up a shelf. Its watchers see its workers go.
func (p *Pool[W]) clear(s *shelf[W]) {
	s.want = 0
	for _, b := range s.ready {
		b.worker.Close(p.cfg.CloseGrace)
	}
	s.ready = nil
	delete(p.shelves, s.class)
}

func (p *Pool[W]) ageShelves(now time.Time) {
	for _, s := range p.shelves {
		if s.class != p.classOf("", 0) && now.Sub(s.demand) >= shelfLife {
			p.clear(s)
		}
	}
}

// coldDone ends one foreground start: the shelves may be refilled when it was
// the last, a moment later.
func (p *Pool[W]) coldDone() {
	p.coldAt = time.Now()
	if p.cold--; p.cold == 0 {
		signal(p.quiet)
	}
	signal(p.hungry)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// refill keeps the shelves full until ctx ends.
func (p *Pool[W]) refill(ctx context.Context) {
	for {
		p.restock()
		select {
		case <-p.hungry:
		case <-ctx.Done():
			return
		}
		if !p.makeWay(ctx) {
			return
		}
	}
}

// refillPause lets an instance that has just loaded answer its first request:
// starting a process takes a processor for longer than that.
const refillPause = 20 * time.Millisecond

// makeWay waits for the cold starts under way and the first answers after
// them, but not for ever.
func (p *Pool[W]) makeWay(ctx context.Context) bool {
	patience := time.NewTimer(refillPatience)
	defer patience.Stop()
	for {
		p.mu.Lock()
		quiet, pause := p.cold == 0, refillPause-time.Since(p.coldAt)
		p.mu.Unlock()
		if quiet && pause <= 0 {
			return true
		}
		calm := time.NewTimer(max(pause, refillPause))
		select {
		case <-p.quiet:
		case <-calm.C:
		case <-patience.C:
			return true
		case <-ctx.Done():
			return false
		}
		calm.Stop()
	}
}

// restock starts what the shelves lack, at most StartParallel at a time.
func (p *Pool[W]) restock() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.makeRoom()
	main := p.shelf(p.classOf("", 0))
	if len(main.ready) >= main.want {
		p.becomeReady()
	}
	now := time.Now()
	for _, s := range p.shelves {
		for len(s.ready)+s.starting < s.want && p.refilling < p.cfg.StartParallel && !now.Before(s.retryAt) {
			s.starting++
			p.refilling++
			// Who took one pays for the next.
			taker := ""
			if len(s.takers) > 0 {
				taker, s.takers = s.takers[0], s.takers[1:]
			}
			p.wg.Go(func() { p.stock(s, taker) })
		}
	}
}

func (p *Pool[W]) becomeReady() {
	select {
	case <-p.ready:
	default:
		close(p.ready)
	}
}

// stock starts one blank worker on account's bill, puts it on the shelf and
// watches it there.
func (p *Pool[W]) stock(s *shelf[W], account string) {
	ctx, cancel := context.WithTimeout(p.ctx, p.cfg.StartTimeout)
	begin := time.Now()
	w, err := p.cfg.Starter.Start(ctx, s.class.runtime, s.class.memoryMiB, account)
	cancel()

	p.mu.Lock()
	s.starting--
	p.refilling--
	signal(p.hungry)
	if err != nil {
		closed := p.closed
		p.spoiled(s)
		p.mu.Unlock()
		if !closed {
			// Nobody asked for this worker, so nobody gets the error.
			p.cfg.Logger.Warn("blank worker did not start", "runtime", s.class.runtime, "memoryMiB", s.class.memoryMiB, "err", err)
		}
		return
	}
	p.spawnTime = average(p.spawnTime, time.Since(begin))
	b := &blank[W]{worker: w, shelf: s, taken: make(chan struct{})}
	p.blanks[b] = struct{}{}
	if p.closed || len(s.ready) >= s.want {
		w.Close(p.cfg.CloseGrace)
	} else {
		s.ready = append(s.ready, b)
	}
	p.mu.Unlock()

	select {
	case <-b.taken:
	case <-p.abandoned:
	case <-w.Done():
		p.lost(b)
	}
}

// lost removes a blank worker whose process is gone.
func (p *Pool[W]) lost(b *blank[W]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.blanks[b]; !ok {
		return // taken a moment before
	}
	delete(p.blanks, b)
	s := b.shelf
	s.ready = slices.DeleteFunc(s.ready, func(other *blank[W]) bool { return other == b })
	if s.want > 0 && !p.closed {
		p.spoiled(s)
	}
}

// spoiled records a failure of a shelf, so that workers that cannot live do
// not burn the processors.
func (p *Pool[W]) spoiled(s *shelf[W]) {
	s.failures++
	s.retryAt = time.Now().Add(backOff(s.failures))
	signal(p.hungry)
}
