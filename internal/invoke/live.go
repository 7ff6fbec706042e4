package invoke

import (
	"context"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"convoke"
	"convoke/internal/pool"
	"convoke/internal/quota"
	"convoke/internal/worker"
)

// maxLive is how many functions' live versions are kept in memory; the others
// cost one indexed read when they are invoked.
const maxLive = 4096

// resolved is a live version, ready to be leased.
type resolved struct {
	id         functionKey
	function   *convoke.Function
	deployment string
	version    int
	timeout    time.Duration
	perSecond  int // what callers may begin, by its own settings; 0: no limit
	rate       *quota.Meter
	target     *pool.Target[*worker.Worker]
}

type functionKey struct{ account, function string }
type eventKey struct{ account, event string }

// liveCache holds what is live. A change of what is live drops the entry and
// raises the function's epoch, so that a read that was under way meanwhile
// cannot put the old version back.
type liveCache struct {
	mu        sync.RWMutex
	functions *lru.Cache[functionKey, *resolved]
	events    *lru.Cache[eventKey, []*resolved]
	epoch     uint64 // of all functions: changes are rare and reads are short
	// keys are the pool keys in use, to retire them when something else goes live.
	keys map[functionKey]string
	// rates are the meters of functions. They outlive a version; which was not
	// deployed or read for longest is forgotten first.
	rates *lru.Cache[functionKey, *quota.Meter]
}

func (c *liveCache) init() {
	c.functions, _ = lru.New[functionKey, *resolved](maxLive) // fails for a size below 1 only
	c.events, _ = lru.New[eventKey, []*resolved](maxLive)
	c.keys = map[functionKey]string{}
	c.rates, _ = lru.New[functionKey, *quota.Meter](2 * maxLive)
}

func (c *liveCache) now() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.epoch
}

// put keeps what was read in that epoch. It reports false when something
// changed meanwhile: r may be old then, and nobody would retire its instances.
func (c *liveCache) put(r *resolved, epoch uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.epoch != epoch {
		return false
	}
	c.functions.Add(r.id, r)
	c.keys[r.id] = r.target.Key
	return true
}

func (c *liveCache) drop(r *resolved) { c.functions.Remove(r.id) }

// change forgets what is known of a function and of its account's events and
// returns the pool key that was in use, or "".
func (c *liveCache) change(id functionKey) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	c.functions.Remove(id)
	for _, k := range c.events.Keys() {
		if k.account == id.account {
			c.events.Remove(k)
		}
	}
	old := c.keys[id]
	delete(c.keys, id)
	return old
}

// find returns the live version of a function, or CodeFunctionNotFound.
func (s *Service) find(ctx context.Context, accountID, functionID string) (*resolved, error) {
	id := functionKey{accountID, functionID}
	if r, ok := s.live.functions.Get(id); ok {
		return r, nil
	}
	for {
		epoch := s.live.now()
		live, err := s.store.FindLive(ctx, accountID, functionID)
		if err != nil {
			return nil, err
		}
		if r := s.resolve(live); s.live.put(r, epoch) {
			return r, nil
		}
	}
}

// Listeners returns the ids of the deployed functions that take an event of a
// skill, in order of name; skillID "" is an event without one.
func (s *Service) Listeners(ctx context.Context, accountID, eventID, skillID string) ([]string, error) {
	key := eventKey{accountID, eventID}
	all, ok := s.live.events.Get(key)
	if !ok {
		epoch := s.live.now()
		live, err := s.store.ListLiveByEvent(ctx, accountID, eventID)
		if err != nil {
			return nil, err
		}
		all = make([]*resolved, len(live))
		for i, l := range live {
			all[i] = s.resolve(l)
		}
		s.live.mu.Lock()
		if s.live.epoch == epoch {
			s.live.events.Add(key, all)
		}
		s.live.mu.Unlock()
	}
	ids := make([]string, 0, len(all))
	for _, r := range all {
		if r.function.HandlesSkill(skillID) {
			ids = append(ids, r.function.ID)
		}
	}
	return ids, nil
}

func (s *Service) resolve(l *convoke.Live) *resolved {
	settings := s.limits.Resolve(l.Version.Settings, l.Contract)
	r := &resolved{
		id:         functionKey{l.Function.AccountID, l.Function.ID},
		function:   l.Function,
		deployment: l.Deployment.ID,
		version:    l.Version.Number,
		timeout:    settings.Timeout,
		perSecond:  settings.InvocationsPerSecond,
		rate:       new(quota.Meter),
	}
	if before, ok, _ := s.live.rates.PeekOrAdd(r.id, r.rate); ok {
		r.rate = before
	}
	r.target = &pool.Target[*worker.Worker]{
		Key:       l.Deployment.ID,
		AccountID: l.Function.AccountID, FunctionID: l.Function.ID,
		Runtime: l.Version.Runtime, Settings: settings, Ahead: ahead(settings),
		Load: func(ctx context.Context, w *worker.Worker) error {
			bundle, err := s.store.FindBundle(ctx, l.Function.AccountID, l.Deployment.BundleID)
			if err != nil {
				return err
			}
			_, err = w.Load(ctx, s.program(l.Version, bundle, settings))
			return err
		},
	}
	return r
}

// ahead is how many invocations may be sent ahead to an instance that runs
// one at a time: enough that it finds the next one when it is done, also when
// the server has been busy elsewhere for a moment.
func ahead(settings convoke.Settings) int {
	if settings.Concurrency == 1 {
		return 16
	}
	return 0
}

// Switch makes later invocations use what the store says is live and drains
// the instances of what was live before. It returns once new invocations see
// the new version.
func (s *Service) Switch(ctx context.Context, accountID, functionID string) error {
	id := functionKey{accountID, functionID}
	old := s.live.change(id)
	r, err := s.find(ctx, accountID, functionID)
	switch {
	case convoke.ErrorCode(err) == convoke.CodeFunctionNotFound:
		if old != "" {
			s.pool.Retire(old)
		}
		return nil
	case err != nil:
		return err
	}
	if old != "" && old != r.target.Key {
		s.pool.Retire(old)
	}
	if r.target.Settings.MinInstances > 0 && s.enabled(accountID) == nil {
		s.pool.Keep(r.target)
	}
	return nil
}
