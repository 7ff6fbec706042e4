package pool

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"convoke"
)

// TestStress lets real goroutines do everything at once, for the race
// detector, and then sees that no goroutine and no process is left. It is not
// parallel, because it looks at all goroutines of the test.
func TestStress(t *testing.T) {
	h := &host{startTime: time.Millisecond, loadTime: 100 * time.Microsecond, closeTime: 100 * time.Microsecond, alive: map[*fake]bool{}}
	p := New(Config[*fake]{
		Starter: h, Blanks: 2, MaxInstances: 6, MaxInstancesPerAccount: 4, MaxWaiters: 20,
		MaxWait: 200 * time.Millisecond, Grace: 5 * time.Second, StartParallel: 2,
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()

	var version [8]atomic.Int64
	target := func(n int) *Target[*fake] {
		key := fmt.Sprintf("f%d-%d", n, version[n].Load())
		return &Target[*fake]{
			Key: key, AccountID: fmt.Sprint(n % 3), FunctionID: fmt.Sprint(n),
			Settings: convoke.Settings{Concurrency: 1 + n%3, MaxInstances: 1 + n%4, MinInstances: n % 2, IdleTimeout: time.Second},
			Load:     func(ctx context.Context, w *fake) error { return h.load(ctx, w, key) },
		}
	}
	var served, refused atomic.Int64
	var callers sync.WaitGroup
	for range 24 {
		callers.Go(func() {
			for range 300 {
				n := rand.IntN(len(version))
				tg := target(n)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(100))*time.Millisecond)
				l, err := p.Acquire(ctx, tg)
				cancel()
				switch {
				case err == nil:
					if l.Worker.key != tg.Key {
						t.Errorf("a worker of %q serves %s", l.Worker.key, tg.Key)
					}
					served.Add(1)
					runtime.Gosched()
				case convoke.ErrorCode(err) == convoke.CodeThrottled, convoke.ErrorCode(err) == convoke.CodeRuntimeError,
					errors.Is(err, ErrRetired), errors.Is(err, context.DeadlineExceeded):
					refused.Add(1)
					continue
				default:
					t.Error(err)
					continue
				}
				switch rand.IntN(40) {
				case 0:
					l.Discard()
				case 1:
					l.Worker.die()
					l.Release(time.Millisecond, 0)
				case 2:
					version[n].Add(1)
					p.Retire(tg.Key)
					p.Keep(target(n))
					l.Release(time.Millisecond, 0)
				case 3:
					p.Stats()
					fallthrough
				default:
					l.Release(time.Microsecond, 0)
				}
			}
		})
	}
	callers.Wait()
	if err := audit(p); err != nil {
		t.Error(err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	t.Logf("%d served, %d refused, %d processes", served.Load(), refused.Load(), h.get(&h.n))
	if served.Load() < refused.Load() {
		t.Errorf("%d served, %d refused: hardly anybody was served", served.Load(), refused.Load())
	}
	if s := h.trespassed(); s != "" {
		t.Error(s)
	}
	if h.living() != 0 {
		t.Errorf("%d processes are left", h.living())
	}
	if left := goroutinesOf("pool.(*Pool"); left != "" {
		t.Errorf("goroutines are left:\n%s", left)
	}
}

// goroutinesOf returns the stacks that hold name.
func goroutinesOf(name string) string {
	buf := make([]byte, 4<<20)
	var out []string
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, name) {
			out = append(out, stack)
		}
	}
	return strings.Join(out, "\n\n")
}
