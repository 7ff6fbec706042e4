package oauth

import (
	"net/http"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"convoke/internal/httpx"
)

// What one address and one client may do. A fleet of a hundred programs behind
// one address can start at once; somebody who guesses gets nowhere.
const (
	addressRate, addressBurst = 20, 200 // requests per second
	clientRate, clientBurst   = 10, 100 // tokens per second
	failureRate, failureBurst = 0.2, 20 // wrong secrets and passwords per second
	limiterKeys               = 20_000  // addresses and clients that are remembered
)

// limits hold back who asks too often. The rate of a client counts only what
// it proved to have asked: nobody can use up that of another.
type limits struct {
	address, client, failure *limiter
}

func newLimits() (l limits, err error) {
	for _, one := range []struct {
		to    **limiter
		rate  rate.Limit
		burst int
	}{{&l.address, addressRate, addressBurst}, {&l.client, clientRate, clientBurst}, {&l.failure, failureRate, failureBurst}} {
		keys, err := lru.New[string, *rate.Limiter](limiterKeys)
		if err != nil {
			return limits{}, err
		}
		*one.to = &limiter{one.rate, one.burst, keys}
	}
	return l, nil
}

// limiter is a bucket per key. The key that was not used for longest is
// forgotten first, and has a full bucket again then.
type limiter struct {
	rate  rate.Limit
	burst int
	keys  *lru.Cache[string, *rate.Limiter]
}

func (l *limiter) of(key string) *rate.Limiter {
	if b, ok := l.keys.Get(key); ok {
		return b
	}
	b := rate.NewLimiter(l.rate, l.burst)
	if other, ok, _ := l.keys.PeekOrAdd(key, b); ok {
		return other
	}
	return b
}

// take uses one of key's bucket, or says how long it takes until there is one.
func (l *limiter) take(key string) (wait time.Duration) {
	b := l.of(key)
	r := b.Reserve()
	if wait = r.Delay(); wait > 0 {
		r.Cancel()
	}
	return wait
}

// empty says how long it takes until key's bucket has one; 0 when it has.
func (l *limiter) empty(key string) (wait time.Duration) {
	missing := 1 - l.of(key).Tokens()
	if missing <= 0 {
		return 0
	}
	return time.Duration(missing / float64(l.rate) * float64(time.Second))
}

// admit returns a problem when the address of r asked too often or gave too
// many wrong secrets.
func (l *limits) admit(r *http.Request) error {
	key := clientAddress(r)
	if wait := max(l.address.take(key), l.failure.empty(key)); wait > 0 {
		return tooMany(wait)
	}
	return nil
}

// failed counts a wrong secret or password.
func (l *limits) failed(r *http.Request) { l.failure.take(clientAddress(r)) }

// clientAddress is whom r is counted to: an IPv4 address, or the /64 that one
// customer of an IPv6 network has.
func clientAddress(r *http.Request) string {
	ip := httpx.ClientIP(r).Unmap()
	if ip.Is6() {
		if p, err := ip.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}
