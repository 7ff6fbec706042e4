package pool

import (
	"context"
	"fmt"
	"time"
)

const (
	// sweepEvery is the resolution of idle times, back-offs and measuring.
	sweepEvery = time.Second
	// killWait is how long a killed process may take to be gone.
	killWait = 5 * time.Second
)

// Run refills the blank workers, ends idle instances and measures memory
// until ctx ends. Then nothing new is leased or started, leases get Grace to
// end, and what is left is killed. It returns when every worker is gone and
// every goroutine has ended, or with CodeInternal when one would not go.
func (p *Pool[W]) Run(ctx context.Context) error {
	p.mu.Lock()
	p.wg.Go(func() { p.refill(ctx) })
	p.mu.Unlock()
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.sweep()
		case <-ctx.Done():
			return p.shutDown()
		}
	}
}

func (p *Pool[W]) shutDown() error {
	p.mu.Lock()
	p.closed = true
	p.cancel()
	for _, g := range p.groups {
		g.keep = false
		p.fail(g, errClosed)
		p.dismiss(g, ReasonShutdown)
		p.settle(g)
	}
	for b := range p.blanks {
		b.worker.Close(p.cfg.CloseGrace)
	}
	p.mu.Unlock()

	gone := make(chan struct{})
	go func() { p.wg.Wait(); close(gone) }()
	if within(p.cfg.Grace, gone) {
		return nil
	}
	p.killAll()
	if within(killWait, gone) {
		return nil
	}
	close(p.abandoned)
	<-gone
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Errorf("pool: %d workers did not end after they were killed", len(p.instances)+len(p.blanks))
}

func within(d time.Duration, done <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

func (p *Pool[W]) killAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range p.instances {
		if i.state != starting {
			i.worker.Kill()
		}
	}
	for b := range p.blanks {
		b.worker.Kill()
	}
}
