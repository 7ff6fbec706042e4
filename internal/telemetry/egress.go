package telemetry

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// maxDestinations bounds the series per destination. Unlike all other labels
// this one is a customer's word, an entry of its allowed domains, so the first
// hundred have a series of their own and the rest share one.
const maxDestinations = 100

// Egress are the instruments of the connections that functions make. A nil
// *Egress takes everything and keeps nothing.
type Egress struct {
	connect      metric.Float64Histogram
	connections  *counter[string]
	bytes        *counter[string]
	destinations *counter[destinationKey]

	mu    sync.Mutex
	known map[string]bool
}

// Egress creates the instruments, with a gauge that asks open for the number
// of open connections at every scrape. Call it once. An error means that two
// instruments collide.
func (t *Telemetry) Egress(open func() int) (*Egress, error) {
	if t == nil {
		return nil, nil
	}
	b := builder{meter: t.meter}
	e := &Egress{
		connect:      b.histogram("egress.connect.duration", "Time to resolve a name and connect for a function."),
		connections:  newCounter(b.counter("egress.connections", "Connections that functions asked for, by how they went."), one("outcome")),
		bytes:        newCounter(b.counter("egress.bytes", "Bytes on the connections of functions that have ended, by direction."), one("direction")),
		destinations: newCounter(b.counter("egress.destinations", "Connections that functions asked for, by the entry of the allowed domains that covers them."), destinationKey.attributes),
		known:        map[string]bool{},
	}
	gauge := b.gauge("egress.open", "Connections of functions that are open or being opened.")
	if b.err != nil {
		return nil, fmt.Errorf("create the instruments of egress: %w", b.err)
	}
	_, err := t.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(gauge, int64(open()))
		return nil
	}, gauge)
	if err != nil {
		return nil, fmt.Errorf("observe egress: %w", err)
	}
	return e, nil
}

// Connected records how long a connection took to make.
func (e *Egress) Connected(took time.Duration) {
	if e != nil {
		e.connect.Record(context.Background(), took.Seconds())
	}
}

type destinationKey struct{ destination, outcome string }

func (k destinationKey) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String("destination", k.destination), attribute.String("outcome", k.outcome)}
}

// Ended counts a connection that ended or never came about. The entry is that
// of the allowed domains which covers it; "" is not counted by destination.
func (e *Egress) Ended(outcome, entry string, sent, received int64) {
	if e == nil {
		return
	}
	e.connections.add(outcome, 1)
	e.bytes.add("sent", sent)
	e.bytes.add("received", received)
	if entry != "" {
		e.destinations.add(destinationKey{e.destination(entry), outcome}, 1)
	}
}

func (e *Egress) destination(entry string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.known[entry] {
		if len(e.known) == maxDestinations {
			return "other"
		}
		e.known[entry] = true
	}
	return entry
}
