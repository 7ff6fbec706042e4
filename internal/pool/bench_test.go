package pool

import (
	"context"
	"fmt"
	"testing"
	"time"

	"convoke"
)

func benchPool(b *testing.B, targets, concurrency int) (*Pool[*fake], []*Target[*fake]) {
	h := &host{alive: map[*fake]bool{}}
	p := New(Config[*fake]{Starter: h, MaxInstances: 1000})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	b.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	ts := make([]*Target[*fake], targets)
	for n := range ts {
		key := fmt.Sprintf("0b5c7d7e-0000-4000-8000-%012d", n)
		ts[n] = &Target[*fake]{
			Key: key, AccountID: "1", FunctionID: key,
			Settings: convoke.Settings{Concurrency: concurrency, MaxInstances: 50, IdleTimeout: time.Hour},
			Load:     func(ctx context.Context, w *fake) error { return h.load(ctx, w, key) },
		}
		l, err := p.Acquire(b.Context(), ts[n])
		if err != nil {
			b.Fatal(err)
		}
		l.Release(time.Millisecond, 0)
	}
	return p, ts
}

func BenchmarkAcquireRelease(b *testing.B) {
	for _, tc := range []struct{ targets, concurrency int }{{1, 1}, {1, 16}, {200, 1}} {
		b.Run(fmt.Sprintf("targets=%d/concurrency=%d", tc.targets, tc.concurrency), func(b *testing.B) {
			p, ts := benchPool(b, tc.targets, tc.concurrency)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				l, err := p.Acquire(b.Context(), ts[n%len(ts)])
				if err != nil {
					b.Fatal(err)
				}
				l.Release(time.Millisecond, 0)
			}
		})
	}
}

// One target shared by all goroutines is the worst case for the lock.
func BenchmarkAcquireReleaseParallel(b *testing.B) {
	p, ts := benchPool(b, 1, 256)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l, err := p.Acquire(context.Background(), ts[0])
			if err != nil {
				b.Error(err)
				return
			}
			l.Release(time.Millisecond, 0)
		}
	})
}

// BenchmarkRefuse is the cost of a request that overload turns away.
func BenchmarkRefuse(b *testing.B) {
	p, ts := benchPool(b, 1, 1)
	t := *ts[0]
	t.Key, t.Settings.MaxInstances = "busy", 1
	l, err := p.Acquire(b.Context(), &t)
	if err != nil {
		b.Fatal(err)
	}
	l.Release(time.Hour, 0)
	if l, err = p.Acquire(b.Context(), &t); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Acquire(b.Context(), &t); convoke.ErrorCode(err) != convoke.CodeThrottled {
			b.Fatal(err)
		}
	}
	l.Release(1, 0)
}
