// Package quota decides in nanoseconds whether somebody may begin one more of
// what is limited to so many a second. It takes no lock and does not allocate.
package quota

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Meter is a bucket that holds one second's worth and is refilled evenly. Its
// zero value is full. How many a second there may be is asked for with each
// use, so that a change of it holds at once and gives no second helping.
type Meter struct {
	// full is when the bucket is full again, in Unix nanoseconds: all that
	// there is to know of it, so that one atomic exchange does for a lock.
	full atomic.Int64
}

const second = int64(time.Second)

// Take uses one of perSecond, which must be more than 0. It reports false when
// there is none; within a second there is one again.
func (m *Meter) Take(perSecond int) bool {
	interval := second / int64(perSecond)
	for {
		now, seen := time.Now().UnixNano(), m.full.Load()
		next := m.at(seen, now) + interval
		if next > now+second {
			return false
		}
		if m.full.CompareAndSwap(seen, next) {
			return true
		}
	}
}

// at is when a bucket is full that was last seen so. A bucket takes a second at
// most to be full; if it seems to take longer, the clock was set back.
func (m *Meter) at(seen, now int64) int64 {
	if seen < now || seen > now+second {
		return now
	}
	return seen
}

// Back returns one of perSecond that was taken and not used.
func (m *Meter) Back(perSecond int) { m.full.Add(-second / int64(perSecond)) }

// Used is how many of perSecond are taken at this moment.
func (m *Meter) Used(perSecond int) int {
	interval := max(second/int64(perSecond), 1)
	now := time.Now().UnixNano()
	return min(int((m.at(m.full.Load(), now)-now+interval-1)/interval), perSecond)
}

// idle reports whether the bucket is full, and so like a new one.
func (m *Meter) idle(now int64) bool { return m.at(m.full.Load(), now) == now }

// enough is how many meters are kept whether they are in use or not.
const enough = 1000

// Meters are meters by a key. Reading takes no lock: the map is copied for each
// key that is new. Beyond enough of them those that are full are forgotten
// first, which loses nothing, so what is kept is bounded by who was served in
// the second before. The zero value is empty.
type Meters struct {
	known atomic.Pointer[map[string]*Meter]
	mu    sync.Mutex // writers of known
}

// Of is the meter of key.
func (m *Meters) Of(key string) *Meter {
	if known := m.known.Load(); known != nil {
		if one := (*known)[key]; one != nil {
			return one
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	next := map[string]*Meter{}
	if known := m.known.Load(); known != nil {
		if one := (*known)[key]; one != nil {
			return one
		}
		next = maps.Clone(*known)
	}
	if len(next) >= enough {
		now := time.Now().UnixNano()
		maps.DeleteFunc(next, func(_ string, one *Meter) bool { return one.idle(now) })
	}
	one := new(Meter)
	next[key] = one
	m.known.Store(&next)
	return one
}

// Most is how many of perSecond the busiest has taken at this moment.
func (m *Meters) Most(perSecond int) (used int) {
	if known := m.known.Load(); known != nil {
		for _, one := range *known {
			used = max(used, one.Used(perSecond))
		}
	}
	return used
}

// Len is how many meters are kept.
func (m *Meters) Len() int {
	if known := m.known.Load(); known != nil {
		return len(*known)
	}
	return 0
}
