package telemetry

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Isolation shows how functions are isolated, as a gauge of value 1 that
// carries the level of the sandbox and the controllers of control groups
// ("memory,pids" or "none") in its labels. Call it once. An error means that
// it was called twice.
func (t *Telemetry) Isolation(level, cgroup string) error {
	if t == nil {
		return nil
	}
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "convoke_sandbox_info",
		Help:        "How functions are isolated.",
		ConstLabels: prometheus.Labels{"level": level, "cgroup": cgroup},
	})
	g.Set(1)
	if err := t.registry.Register(g); err != nil {
		return fmt.Errorf("register the gauge of the sandbox: %w", err)
	}
	return nil
}
