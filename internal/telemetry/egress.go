package telemetry

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"convoke"
)

// maxDestinations bounds the series of single destinations: accounts choose
// their allowed domains. Those beyond it share one.
const maxDestinations = 100

// egress are the instruments of outbound connections.
type egress struct {
	connect  metric.Float64Histogram
	outcomes *counter[string]
	bytes    *counter[string]
	// By destination: connections, and bytes of both directions.
	destinations     *counter[destinationKey]
	destinationBytes *counter[string]

	mu    sync.Mutex
	known map[string]struct{}
}

type destinationKey struct {
	destination string
	outcome     convoke.CallOutcome
}

func (k destinationKey) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String("destination", k.destination), attribute.String("outcome", string(k.outcome))}
}

func (e *egress) build(b *builder) {
	e.connect = b.histogram("egress.connect.duration", "Time to resolve a name and connect.")
	e.outcomes = newCounter(b.counter("egress.connections", "Outbound connections asked for by functions, by outcome."), one("outcome"))
	e.bytes = newCounter(b.counter("egress.bytes", "Bytes over outbound connections, by direction."), one("direction"))
	e.destinations = newCounter(b.counter("egress.destination.connections", "Outbound connections by the entry of the allowed domains that covers them."), destinationKey.attributes)
	e.destinationBytes = newCounter(b.counter("egress.destination.bytes", "Bytes over outbound connections, both ways, by the entry of the allowed domains."), one("destination"))
	e.known = map[string]struct{}{}
}

// Call is one outbound connection that ended or never came about.
type Call struct {
	Outcome convoke.CallOutcome
	// Destination is the entry of the allowed domains that covers it, "" for
	// none.
	Destination    string
	Sent, Received int64
}

// Connected records how long it took to resolve and connect.
func (t *Telemetry) Connected(took time.Duration) {
	if t != nil {
		t.egress.connect.Record(context.Background(), took.Seconds())
	}
}

// CallEnded counts c.
func (t *Telemetry) CallEnded(c Call) {
	if t == nil {
		return
	}
	t.egress.outcomes.add(string(c.Outcome), 1)
	t.egress.bytes.add("sent", c.Sent)
	t.egress.bytes.add("received", c.Received)
	if c.Destination != "" {
		d := t.egress.destination(c.Destination)
		t.egress.destinations.add(destinationKey{d, c.Outcome}, 1)
		t.egress.destinationBytes.add(d, c.Sent+c.Received)
	}
}

// destination is the label of a destination.
func (e *egress) destination(name string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.known[name]; !ok {
		if len(e.known) >= maxDestinations {
			return "other"
		}
		e.known[name] = struct{}{}
	}
	return name
}

// ObserveEgress asks open for the number of outbound connections at every
// scrape. Call it once.
func (t *Telemetry) ObserveEgress(open func() int) error {
	if t == nil {
		return nil
	}
	b := builder{meter: t.meter}
	gauge := b.gauge("egress.connections.open", "Outbound connections that are open or being opened.")
	if b.err != nil {
		return fmt.Errorf("create the gauge of outbound connections: %w", b.err)
	}
	_, err := t.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(gauge, int64(open()))
		return nil
	}, gauge)
	return err
}
