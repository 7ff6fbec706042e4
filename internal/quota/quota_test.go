package quota

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// take is how many of attempts are let through.
func take(m *Meter, perSecond, attempts int) (n int) {
	for range attempts {
		if m.Take(perSecond) {
			n++
		}
	}
	return n
}

func TestMeter(t *testing.T) {
	t.Parallel()
	for _, perSecond := range []int{1, 3, 7, 100, 999} {
		synctest.Test(t, func(t *testing.T) {
			var m Meter
			if got := take(&m, perSecond, 2000); got != perSecond {
				t.Errorf("%d a second: %d at once", perSecond, got)
			}
			if got := m.Used(perSecond); got != perSecond {
				t.Errorf("%d a second: %d are used after all were taken", perSecond, got)
			}
			time.Sleep(time.Second/time.Duration(perSecond) - time.Microsecond)
			if m.Take(perSecond) {
				t.Errorf("%d a second: one before its time", perSecond)
			}
			time.Sleep(2 * time.Microsecond)
			if got := take(&m, perSecond, 2000); got != 1 {
				t.Errorf("%d a second: %d when one is there again", perSecond, got)
			}
			// Ten seconds of steady overload let through what there may be.
			n := 0
			for range 10_000 {
				time.Sleep(time.Millisecond)
				n += take(&m, perSecond, 3)
			}
			if most, least := 10*perSecond+1, 10*perSecond-perSecond/100-1; n > most || n < least {
				t.Errorf("%d a second: %d in ten seconds", perSecond, n)
			}
			time.Sleep(time.Hour)
			if got := m.Used(perSecond); got != 0 || take(&m, perSecond, 2000) != perSecond {
				t.Errorf("%d a second: %d are used after an hour, or more than a second's worth was saved up", perSecond, got)
			}
		})
	}
}

// TestMeterFollows: another rate holds at once, without a second helping.
func TestMeterFollows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var m Meter
		take(&m, 10, 10)
		if got := take(&m, 1000, 2000); got != 0 {
			t.Errorf("%d when the rate was raised", got)
		}
		time.Sleep(100 * time.Millisecond)
		if got := take(&m, 1000, 2000); got != 100 {
			t.Errorf("%d a tenth of a second after the rate was raised to 1000", got)
		}
		time.Sleep(time.Second)
		take(&m, 10, 5)
		m.Back(10)
		m.Back(10)
		if got := take(&m, 10, 2000); got != 7 {
			t.Errorf("%d when 3 are used", got)
		}
		// Whose clock was set back does not wait for it.
		m.full.Store(time.Now().Add(time.Hour).UnixNano())
		if got := take(&m, 10, 2000); got != 10 {
			t.Errorf("%d after the clock was set back", got)
		}
	})
}

func TestMeterConcurrently(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var m Meter
		var n atomic.Int64
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() { n.Add(int64(take(&m, 500, 100))) })
		}
		wg.Wait()
		if n.Load() != 500 {
			t.Errorf("%d were let through at once, want 500", n.Load())
		}
	})
}

func TestMeters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var all Meters
		if all.Most(5) != 0 || all.Len() != 0 {
			t.Error("there is something at the start")
		}
		if !all.Of("a").Take(1) || all.Of("a").Take(1) || !all.Of("b").Take(1) {
			t.Error("the meters of two keys are not two")
		}
		if got := all.Most(1); got != 1 {
			t.Errorf("the busiest has used %d of 1", got)
		}
		// Many at the same moment: none is forgotten while that would matter.
		for i := range 5 * enough {
			all.Of(fmt.Sprint(i)).Take(1)
		}
		if all.Of("a").Take(1) || all.Len() < 5*enough {
			t.Errorf("one that is in use was forgotten; %d are kept", all.Len())
		}
		time.Sleep(2 * time.Second)
		all.Of("new")
		if got := all.Len(); got != 1 {
			t.Errorf("%d are kept when nobody is served, want 1", got)
		}
	})
}

func TestMetersConcurrently(t *testing.T) {
	t.Parallel()
	var all Meters
	var n atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				if all.Of(fmt.Sprint(i % 20)).Take(1) {
					n.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n.Load() < 20 || all.Len() != 20 {
		t.Errorf("%d of 20 keys were let through, %d are kept", n.Load(), all.Len())
	}
}

func BenchmarkMeter(b *testing.B) {
	for name, perSecond := range map[string]int{"admitted": 1 << 29, "refused": 1} {
		b.Run(name, func(b *testing.B) {
			var m Meter
			m.Take(perSecond)
			b.ReportAllocs()
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					m.Take(perSecond)
				}
			})
		})
	}
	b.Run("of a key", func(b *testing.B) {
		var all Meters
		for i := range 100 {
			all.Of(fmt.Sprint("client-", i))
		}
		b.ReportAllocs()
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				all.Of("client-7").Take(1 << 29)
			}
		})
	})
}
