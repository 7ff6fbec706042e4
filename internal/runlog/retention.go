package runlog

import (
	"context"
	"time"
)

const (
	// firstExpiry keeps a large removal out of the start of the server.
	firstExpiry = time.Minute
	expiryEvery = time.Hour
	// expiryStep is small because removing holds the store's one writer, which
	// new entries need too; between two steps it is theirs.
	expiryStep  = 1000
	expiryPause = 50 * time.Millisecond
	// fillPause leaves the writer to others between two hours of counters.
	fillPause = 10 * time.Millisecond
)

// expire removes what is older than the retention, every hour until ctx ends.
func (l *Log) expire(ctx context.Context) {
	l.fill(ctx)
	for wait := firstExpiry; pause(ctx, wait); wait = expiryEvery {
		l.fill(ctx)
		now := time.Now()
		removed, err := expireOnce(ctx, l.cfg.Store.DeleteLogsBefore, now.Add(-l.cfg.Retention))
		if err == nil {
			var n int
			n, err = expireOnce(ctx, l.cfg.Store.DeleteTotalsBefore, now.Add(-l.cfg.Reports))
			removed += n
		}
		if err != nil && ctx.Err() == nil {
			l.logger.Warn("old log entries could not be removed; it is tried again", "err", err, "in", expiryEvery)
		}
		if removed > 0 {
			l.logger.Debug("removed old log entries, invocations, counters and calls", "count", removed)
		}
	}
}

// fill adds up what an earlier Convoke counted. All but once there is nothing.
func (l *Log) fill(ctx context.Context) {
	for {
		more, err := l.cfg.Store.FillTotals(ctx)
		if err != nil && ctx.Err() == nil {
			l.logger.Warn("counters could not be added up, so reports of long times are slow; it is tried again", "err", err, "in", expiryEvery)
		}
		if err != nil || !more || !pause(ctx, fillPause) {
			return
		}
	}
}

func expireOnce(ctx context.Context, remove func(context.Context, time.Time, int) (int, error), before time.Time) (removed int, err error) {
	for {
		n, err := remove(ctx, before, expiryStep)
		removed += n
		// The limit holds for each kind: below one step, none of them has more.
		if err != nil || n < expiryStep || !pause(ctx, expiryPause) {
			return removed, err
		}
	}
}

// pause waits and reports whether ctx still holds.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
