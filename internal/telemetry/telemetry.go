// Package telemetry holds the server's own figures: OpenTelemetry instruments
// that a Prometheus server scrapes. What one function did is in package
// metric, which the console asks; here is how the machine does.
//
// No instrument has a label for the function or the account. A label
// multiplies every series: with 10,000 functions the duration histogram alone
// would have a million, held in this process and in the Prometheus server for
// as long as either runs. The same question per function is answered from the
// invocation store, which forgets after its retention.
//
// Every label value comes from a set fixed in the code of its caller, never
// from a request, and each label has a bound of its own as the second line.
package telemetry

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/otel/attribute"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/resource"

	"convoke"
)

// buckets in seconds, from the best warm call to the default time-out.
var buckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// scrapes is how many scrapes may run at a time; a scrape walks all series.
const scrapes = 4

// scrapeTimeout is the usual patience of a Prometheus server.
const scrapeTimeout = 10 * time.Second

// Telemetry is the set of instruments. Its methods may be called from any
// goroutine, do not block and, once a label value was seen, do not allocate.
// A nil *Telemetry takes everything and keeps nothing, so that a tool or a
// test without figures needs no stand-in.
type Telemetry struct {
	registry *prometheus.Registry
	provider *sdkmetric.MeterProvider
	meter    metric.Meter

	invocations *labels[invocationKey]
	duration    metric.Float64Histogram
	wait        metric.Float64Histogram
	coldStart   metric.Float64Histogram
	count       metric.Int64Counter

	refusals *counter[string]
	deaths   *counter[string]
	requests *counter[requestKey]
	logs     *counter[string]
	records  *counter[string]
	calls    *counter[string]
}

// New returns instruments on a registry of their own, with those of the Go
// runtime, the process and the build beside them. An error means that two
// instruments collide.
func New(b Build) (*Telemetry, error) {
	registry := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		b.info(),
	} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("register the collectors of the process: %w", err)
		}
	}
	exporter, err := otelprom.New(
		otelprom.WithRegisterer(registry),
		otelprom.WithNamespace("convoke"),
		otelprom.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes),
		otelprom.WithoutScopeInfo(),
		otelprom.WithoutTargetInfo(),
	)
	if err != nil {
		return nil, fmt.Errorf("start the Prometheus exporter: %w", err)
	}
	t := &Telemetry{
		registry: registry,
		provider: sdkmetric.NewMeterProvider(
			sdkmetric.WithReader(exporter),
			sdkmetric.WithResource(resource.Empty()),
			// Without traces an exemplar has nothing to point to.
			sdkmetric.WithExemplarFilter(exemplar.AlwaysOffFilter),
		),
	}
	t.meter = t.provider.Meter("convoke")
	if err := t.build(); err != nil {
		return nil, fmt.Errorf("create the instruments: %w", err)
	}
	return t, nil
}

func (t *Telemetry) build() error {
	b := builder{meter: t.meter}
	t.count = b.counter("invocations", "Invocations that ran to an end, by outcome and whether an instance had to be started.")
	t.duration = b.histogram("invocation.duration", "Time from an instance receiving the event to its answer.")
	t.wait = b.histogram("invocation.wait", "Time until an instance was free, without the cold start.")
	t.coldStart = b.histogram("invocation.cold.start", "Time to make an instance of a blank worker.")
	t.invocations = newLabels(invocationKey.attributes)
	t.refusals = newCounter(b.counter("refusals", "Invocations refused before they ran, by reason."), one("reason"))
	t.deaths = newCounter(b.counter("worker.deaths", "Ends of worker processes, by reason."), one("reason"))
	t.requests = newCounter(b.counter("http.requests", "HTTP requests answered, by route and class of status."), requestKey.attributes)
	t.logs = newCounter(b.counter("log.entries", "Log entries of functions, by what became of them."), one("result"))
	t.records = newCounter(b.counter("invocation.records", "Records of single invocations, by what became of them; the counters beside them are complete."), one("result"))
	t.calls = newCounter(b.counter("call.records", "Records of outbound calls, by what became of them."), one("result"))
	return b.err
}

// Handler answers a scrape with all figures. It asks nobody for a token: who
// may reach it is for the server that mounts it.
func (t *Telemetry) Handler() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{
		Registry:            t.registry,
		EnableOpenMetrics:   true,
		MaxRequestsInFlight: scrapes,
		Timeout:             scrapeTimeout,
	})
}

// Shutdown ends the instruments; what is recorded after it is not kept.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

type invocationKey struct {
	outcome convoke.Outcome
	cold    bool
}

func (k invocationKey) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String("outcome", string(k.outcome)), attribute.Bool("cold", k.cold)}
}

// Invocation counts inv and its times. An invocation that was refused before
// it ran belongs to Refused instead: its times would be zeros.
func (t *Telemetry) Invocation(inv *convoke.Invocation) {
	if t == nil {
		return
	}
	ctx := context.Background()
	o := t.invocations.of(invocationKey{inv.Outcome, inv.Cold})
	t.count.Add(ctx, 1, o.add...)
	t.duration.Record(ctx, inv.Run.Seconds(), o.record...)
	t.wait.Record(ctx, inv.Wait.Seconds())
	if inv.Cold {
		t.coldStart.Record(ctx, inv.ColdStart.Seconds())
	}
}

// Refused counts an invocation that was turned away. The reason is a constant
// of the caller, such as "function" or "account" for whose limit it was.
func (t *Telemetry) Refused(reason string) {
	if t != nil {
		t.refusals.add(reason, 1)
	}
}

// WorkerDied counts the end of a worker process. The reason is one of the
// classes of package worker, never a text of the process.
func (t *Telemetry) WorkerDied(reason string) {
	if t != nil {
		t.deaths.add(reason, 1)
	}
}

type requestKey struct {
	route string
	class int
}

func (k requestKey) attributes() []attribute.KeyValue {
	class := "other"
	if k.class >= 1 && k.class <= 9 { // 901 is a status of the reference
		class = fmt.Sprintf("%dxx", k.class)
	}
	return []attribute.KeyValue{attribute.String("route", k.route), attribute.String("status", class)}
}

// Request counts an answered HTTP request. The route is the pattern that
// matched ("" when none did), never the path of the request.
func (t *Telemetry) Request(route string, status int) {
	if t == nil {
		return
	}
	if route == "" {
		route = "none"
	}
	t.requests.add(requestKey{route, status / 100}, 1)
}

// LogsStored counts n log entries that reached the store.
func (t *Telemetry) LogsStored(n int) {
	if t != nil {
		t.logs.add("stored", int64(n))
	}
}

// LogsDropped counts n log entries that no one will see.
func (t *Telemetry) LogsDropped(n int) {
	if t != nil {
		t.logs.add("dropped", int64(n))
	}
}

// RecordsStored counts n invocation records that reached the store.
func (t *Telemetry) RecordsStored(n int) {
	if t != nil {
		t.records.add("stored", int64(n))
	}
}

// RecordsDropped counts n invocation records that found no room.
func (t *Telemetry) RecordsDropped(n int) {
	if t != nil {
		t.records.add("dropped", int64(n))
	}
}

// CallsStored counts n records of outbound calls that reached the store.
func (t *Telemetry) CallsStored(n int) {
	if t != nil {
		t.calls.add("stored", int64(n))
	}
}

// CallsDropped counts n records of outbound calls that found no room.
func (t *Telemetry) CallsDropped(n int) {
	if t != nil {
		t.calls.add("dropped", int64(n))
	}
}

// PoolStats is the pool at one moment.
type PoolStats struct {
	Blank    int // workers ready to become an instance
	Starting int // workers not ready yet
	Idle     int // instances that run nothing
	Busy     int // instances that run something
	Draining int // instances that finish and go
	InFlight int // invocations running
	Waiting  int // invocations waiting for an instance
	Behind   int // accounts that compute more than their share
}

// ObservePool asks read for the pool at every scrape. read must not block for
// long. Call it once, after the pool exists.
func (t *Telemetry) ObservePool(read func() PoolStats) error {
	if t == nil {
		return nil
	}
	b := builder{meter: t.meter}
	workers := b.gauge("workers", "Worker processes, by state.")
	inFlight := b.gauge("invocations.in.flight", "Invocations running now.")
	waiting := b.gauge("invocations.waiting", "Invocations waiting for an instance.")
	behind := b.gauge("accounts.behind", "Accounts that compute more than their share and come after all others.")
	if b.err != nil {
		return fmt.Errorf("create the gauges of the pool: %w", b.err)
	}
	state := func(name string) metric.ObserveOption {
		return metric.WithAttributeSet(attribute.NewSet(attribute.String("state", name)))
	}
	blank, starting, idle, busy, draining := state("blank"), state("starting"), state("idle"), state("busy"), state("draining")
	_, err := t.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := read()
		o.ObserveInt64(workers, int64(s.Blank), blank)
		o.ObserveInt64(workers, int64(s.Starting), starting)
		o.ObserveInt64(workers, int64(s.Idle), idle)
		o.ObserveInt64(workers, int64(s.Busy), busy)
		o.ObserveInt64(workers, int64(s.Draining), draining)
		o.ObserveInt64(inFlight, int64(s.InFlight))
		o.ObserveInt64(waiting, int64(s.Waiting))
		o.ObserveInt64(behind, int64(s.Behind))
		return nil
	}, workers, inFlight, waiting, behind)
	if err != nil {
		return fmt.Errorf("observe the pool: %w", err)
	}
	return nil
}
