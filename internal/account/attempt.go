package account

import (
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"convoke"
)

const (
	// userAttempts and addressAttempts are free; each further one waits twice
	// as long as the one before. Many people may share an address.
	userAttempts    = 5
	addressAttempts = 30
	firstWait       = time.Second
	longestWait     = 15 * time.Minute
	// forgetAfter is how long without attempts clears a name or address.
	forgetAfter = 30 * time.Minute
	// maxAttempts bounds the names and addresses that are remembered; beyond
	// it the ones that were not seen for longest are forgotten.
	maxAttempts = 10_000
	// perSecond and burst bound requests without a token from one address.
	perSecond = 20
	burst     = 100
)

// attempts slows down who guesses passwords, by login name and by address. It
// counts names that do not exist like others.
type attempts struct {
	now    func() time.Time
	mu     sync.Mutex
	counts *lru.Cache[string, *attempt]
	paces  *lru.Cache[string, *rate.Limiter]
}

type attempt struct {
	count int
	last  time.Time
	until time.Time // no attempt before
	told  bool      // locks said that it began
}

func newAttempts(now func() time.Time) *attempts {
	counts, err := lru.New[string, *attempt](maxAttempts)
	if err != nil {
		panic(err) // the size is a constant
	}
	paces, err := lru.New[string, *rate.Limiter](maxAttempts)
	if err != nil {
		panic(err)
	}
	return &attempts{now: now, counts: counts, paces: paces}
}

// begin counts an attempt, before it is known how it ends: of many at once no
// more than the free ones get through. It returns CodeLocked when it is too
// early for another; that one does not count.
func (a *attempts) begin(key string, free int) error {
	if err := a.pace(key); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	t, ok := a.counts.Get(key)
	if !ok || now.Sub(t.last) > forgetAfter {
		t = &attempt{}
		a.counts.Add(key, t)
	}
	if now.Before(t.until) {
		return locked(t.until.Sub(now))
	}
	t.count, t.last = t.count+1, now
	if beyond := t.count - free; beyond >= 0 {
		t.until = now.Add(min(firstWait<<min(beyond, 20), longestWait))
	}
	return nil
}

// locks reports whether the key begins to be locked out by an attempt that
// failed: once, until it was forgiven or forgotten.
func (a *attempts) locks(key string, free int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, ok := a.counts.Get(key)
	if !ok || t.count < free || t.told {
		return false
	}
	t.told = true
	return true
}

// forgive clears a name whose password was shown to be known.
func (a *attempts) forgive(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.counts.Remove(key)
}

// takeBack makes the last attempt not count.
func (a *attempts) takeBack(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t, ok := a.counts.Get(key); ok && t.count > 0 {
		t.count--
		t.until = time.Time{}
	}
}

// pace returns CodeLocked when the key is seen more often than anybody needs.
func (a *attempts) pace(key string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	l, ok := a.paces.Get(key)
	if !ok {
		l = rate.NewLimiter(perSecond, burst)
		a.paces.Add(key, l)
	}
	if !l.AllowN(a.now(), 1) {
		return locked(time.Second)
	}
	return nil
}

func locked(wait time.Duration) error {
	return &convoke.Error{Code: convoke.CodeLocked, RetryAfter: wait, Message: "too many sign-ins failed or came at once; wait before the next attempt"}
}
