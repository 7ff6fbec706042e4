package pool

import (
	"time"

	"convoke"
)

// ErrRetired is returned for a target that was replaced or undeployed. It has
// CodeUnavailable in case it reaches a person.
var ErrRetired error = &convoke.Error{
	Code: convoke.CodeUnavailable, RetryAfter: time.Second,
	Message: "the function was deployed anew or undeployed just now; try again",
}

var errClosed error = &convoke.Error{
	Code: convoke.CodeUnavailable, RetryAfter: time.Second,
	Message: "the server is shutting down; try again",
}

// throttled holds one error per number of seconds, made beforehand: under ten
// times the load that fits, refusing must cost next to nothing.
var throttled = func() (errs [61]error) {
	for s := range errs {
		errs[s] = &convoke.Error{
			Code: convoke.CodeThrottled, RetryAfter: time.Duration(s) * time.Second,
			Message: "too many requests are waiting for this function; try again later, or raise its concurrency or its maximum of instances",
		}
	}
	return errs
}()

// throttle returns CodeThrottled with RetryAfter in whole seconds, 1 to 60,
// as HTTP wants them.
func throttle(after time.Duration) error {
	s := int((after + time.Second - 1) / time.Second)
	return throttled[min(max(s, 1), len(throttled)-1)]
}

// maxRetiredKeys bounds the memory of retired keys. A request resolves its
// target at most seconds before it asks for a lease, and a node does not
// redeploy thousands of functions in that time.
const maxRetiredKeys = 4096

// keys remembers the newest maxRetiredKeys keys. The zero value is empty.
type keys struct {
	set  map[string]struct{}
	ring []string
	next int
}

func (k *keys) add(key string) {
	if k.has(key) {
		return
	}
	if k.set == nil {
		k.set = make(map[string]struct{})
	}
	if len(k.ring) < maxRetiredKeys {
		k.ring = append(k.ring, key)
	} else {
		delete(k.set, k.ring[k.next])
		k.ring[k.next] = key
		k.next = (k.next + 1) % maxRetiredKeys
	}
	k.set[key] = struct{}{}
}

func (k *keys) has(key string) bool {
	_, ok := k.set[key]
	return ok
}
