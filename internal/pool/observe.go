package pool

import "time"

// Reason is why an instance is no more.
type Reason string

const (
	ReasonDied      Reason = "died"      // its process ended by itself
	ReasonFailed    Reason = "failed"    // it could not be started or loaded
	ReasonUnwanted  Reason = "unwanted"  // nobody waited any more when its turn to start came
	ReasonIdle      Reason = "idle"      // unused for the target's idle time
	ReasonEvicted   Reason = "evicted"   // another needed its place or memory
	ReasonYielded   Reason = "yielded"   // it was drained for an account or function that had too little
	ReasonRetired   Reason = "retired"   // its target was replaced
	ReasonDiscarded Reason = "discarded" // a lease holder said so
	ReasonShutdown  Reason = "shutdown"
)

// Refusal is why a request was throttled.
type Refusal string

const (
	RefusalQueue    Refusal = "queue"    // MaxWaiters are waiting for the target
	RefusalNode     Refusal = "node"     // MaxWaitersTotal are waiting
	RefusalHopeless Refusal = "hopeless" // it would wait longer than MaxWait
	RefusalWait     Refusal = "wait"     // it waited MaxWait
	RefusalPause    Refusal = "pause"    // likewise, for an instance of an account that pauses
)

// Observer is told what happens, for metrics. Its functions are called while
// the pool's lock is held: they must be quick and must not call the pool. Any
// of them may be nil.
type Observer struct {
	// Started is told of each instance that is ready: whether a blank worker
	// was at hand, how long its process took to start (0 if so) and its load.
	Started func(blank bool, spawn, load time.Duration)
	Ended   func(Reason)
	Refused func(Refusal)
}

func (o *Observer) started(blank bool, spawn, load time.Duration) {
	if o.Started != nil {
		o.Started(blank, spawn, load)
	}
}

func (o *Observer) ended(r Reason) {
	if o.Ended != nil {
		o.Ended(r)
	}
}

func (o *Observer) refused(r Refusal) {
	if o.Refused != nil {
		o.Refused(r)
	}
}
