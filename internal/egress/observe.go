package egress

import (
	"time"

	"convoke"
)

// Observer is told what happens, for metrics. Its functions must not block.
// Any of them may be nil.
type Observer struct {
	// Connected is told of each connection that came about and how long
	// resolving and connecting took.
	Connected func(took time.Duration)
	// Ended is told of each connection that ended, and of each that never came
	// about.
	Ended func(End)
}

// End is how a connection went.
type End struct {
	Outcome convoke.CallOutcome
	// Entry is the entry of the account's allowed domains that covered it; ""
	// when none did.
	Entry    string
	Sent     int64
	Received int64
}

func (o *Observer) connected(took time.Duration) {
	if o.Connected != nil {
		o.Connected(took)
	}
}

func (o *Observer) ended(e End) {
	if o.Ended != nil {
		o.Ended(e)
	}
}

// Stats is the proxy at one moment.
type Stats struct {
	Connections int // open, or being opened
}

// Stats returns the figures of the moment.
func (p *Proxy) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{Connections: p.total}
}
