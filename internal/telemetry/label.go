package telemetry

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// labelValues bounds the combinations of one instrument's labels. The widest
// has about a hundred routes times five classes of status.
const labelValues = 1000

// options are the attributes of one combination of label values, made once:
// making a set sorts and hashes it, which the hot path must not pay.
type options struct {
	add    []metric.AddOption
	record []metric.RecordOption
}

// labels remembers options by label values. Reading takes no lock; the map is
// copied for each new combination, which happens a few hundred times in the
// life of a server.
type labels[K comparable] struct {
	attributes func(K) []attribute.KeyValue
	known      atomic.Pointer[map[K]*options]
	other      *options

	mu sync.Mutex // writers of known
}

func newLabels[K comparable](attributes func(K) []attribute.KeyValue) *labels[K] {
	var zero K
	overflow := attributes(zero)
	for i, a := range overflow {
		overflow[i] = attribute.String(string(a.Key), "overflow")
	}
	l := &labels[K]{attributes: attributes, other: newOptions(overflow)}
	l.known.Store(&map[K]*options{})
	return l
}

func newOptions(attributes []attribute.KeyValue) *options {
	o := metric.WithAttributeSet(attribute.NewSet(attributes...))
	return &options{add: []metric.AddOption{o}, record: []metric.RecordOption{o}}
}

func (l *labels[K]) of(k K) *options {
	if o := (*l.known.Load())[k]; o != nil {
		return o
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	known := *l.known.Load()
	if o := known[k]; o != nil {
		return o
	}
	if len(known) >= labelValues {
		return l.other
	}
	known = maps.Clone(known)
	known[k] = newOptions(l.attributes(k))
	l.known.Store(&known)
	return known[k]
}

// counter is an instrument with its labels.
type counter[K comparable] struct {
	inst   metric.Int64Counter
	labels *labels[K]
}

func newCounter[K comparable](inst metric.Int64Counter, attributes func(K) []attribute.KeyValue) *counter[K] {
	return &counter[K]{inst: inst, labels: newLabels(attributes)}
}

func (c *counter[K]) add(k K, n int64) {
	c.inst.Add(context.Background(), n, c.labels.of(k).add...)
}

// one makes attributes of a single label.
func one(name string) func(string) []attribute.KeyValue {
	return func(value string) []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String(name, value)}
	}
}

// builder collects the errors of creating instruments.
type builder struct {
	meter metric.Meter
	err   error
}

func (b *builder) counter(name, description string) metric.Int64Counter {
	c, err := b.meter.Int64Counter(name, metric.WithDescription(description))
	b.err = errors.Join(b.err, err)
	return c
}

func (b *builder) histogram(name, description string) metric.Float64Histogram {
	h, err := b.meter.Float64Histogram(name, metric.WithDescription(description), metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(buckets...))
	b.err = errors.Join(b.err, err)
	return h
}

func (b *builder) gauge(name, description string) metric.Int64ObservableGauge {
	g, err := b.meter.Int64ObservableGauge(name, metric.WithDescription(description))
	b.err = errors.Join(b.err, err)
	return g
}

// Build is which program runs, as far as its build told it.
type Build struct {
	Version  string // as convoke version prints it; "" is unknown
	Revision string // of the source; "" is what the Go tools left in the binary
}

// info is the customary gauge of value 1 that carries the build in its labels.
func (b Build) info() prometheus.Collector {
	version, revision := cmp.Or(b.Version, "unknown"), b.Revision
	if info, ok := debug.ReadBuildInfo(); ok && revision == "" {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	revision = cmp.Or(revision, "unknown")
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "convoke_build_info",
		Help:        "The build that runs.",
		ConstLabels: prometheus.Labels{"version": version, "revision": revision, "go": runtime.Version()},
	})
	g.Set(1)
	return g
}
