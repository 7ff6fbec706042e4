package bench

import (
	"context"
	"fmt"
	"math"
	"time"

	"convoke/api"
)

const (
	// defaultWaiters is how many invocations may wait for an instance by
	// default. Nothing is refused before as many do.
	defaultWaiters = 1000
	// overloadConnections are more, so that the server and not the sender
	// decides what is refused.
	overloadConnections = 2500
)

// overload finds how much a function of 5 ms CPU time answers at sixteen
// connections, then offers ten times that in an open loop.
func (r *runner) overload(ctx context.Context) error {
	if r.convoke == nil {
		return nil
	}
	cases := []struct {
		name     string
		function string
		settings api.Settings
	}{
		{"the function's limit: one instance", "busy-1", api.Settings{MaxInstances: 1, Concurrency: 1}},
		{"the machine's limit: sixteen instances", "busy-16", api.Settings{MaxInstances: 16, Concurrency: 1}},
	}
	for _, c := range cases {
		if err := r.convoke.deploy(ctx, c.function, busySource, &c.settings); err != nil {
			return err
		}
	}
	section := Section{
		Title: "Ten times as much as can be answered",
		Note: "A function that computes for 5 ms. Peak: right answers per second to 16 connections. Overload: an open loop at ten times the peak; " +
			"goodput is right answers per second then, refusals are answers with status 429.",
		Columns: []string{"Bound by", "Peak", "Goodput", "Goodput/peak", "Refused per second", "Refusal: p50", "Refusal: p99"},
	}
	for _, c := range cases {
		warmUp := r.convoke.invoke(c.function)
		warmUp.Connections, warmUp.Duration, warmUp.Refusals = 16, time.Second, true
		if _, err := r.load(ctx, warmUp); err != nil {
			return err
		}
	}
	rows := make([]overloadRow, len(cases))
	err := turns(ctx, min(r.Rounds, restartRounds), len(cases), func(round, i int) {
		r.progress("overload, round %d: %s", round+1, cases[i].name)
		r.overloadOnce(ctx, r.convoke.invoke(cases[i].function), &rows[i])
	})
	if err != nil {
		return err
	}
	for i, c := range cases {
		row := rows[i]
		section.Rows = append(section.Rows, []string{c.name, row.peak.cell(asCount), row.goodput.cell(asCount),
			row.goodput.over(row.peak).cell(asPercent), row.refused.cell(asCount), row.p50.cell(asTime), row.p99.cell(asTime)})
		r.report.goal("goodput at 10 × overload against peak, "+c.name, "≥ 90 %", row.goodput.over(row.peak), asPercent, func(m float64) bool { return m >= 0.9 })
		r.report.goal("time of a refusal, p99, "+c.name, "≤ 5 ms", row.p99, asTime, func(m float64) bool { return m <= 5e6 })
	}
	r.report.Sections = append(r.report.Sections, section)
	return nil
}

type overloadRow struct{ peak, goodput, refused, p50, p99 Series }

func (r *runner) overloadOnce(ctx context.Context, l Load, row *overloadRow) {
	l.Refusals = true
	calm := l
	calm.Connections, calm.Warmup, calm.Duration = 16, r.Round/4, r.Round
	peak, err := r.load(ctx, calm)
	var storm *Result
	if err == nil {
		l.Connections, l.Duration = overloadConnections, r.Round
		l.Rate = 10 * peak.Throughput()
		fill := time.Duration(1.5 * defaultWaiters / l.Rate * float64(time.Second))
		l.Warmup = min(max(fill, time.Second), 20*time.Second)
		storm, err = r.load(ctx, l)
	}
	if err == nil && storm.Refused.Count() == 0 {
		err = fmt.Errorf("nothing was refused of %.0f requests per second, ten times the peak", l.Rate)
	}
	if err != nil {
		r.report.failf("overload: %v", err)
		nan := math.NaN()
		row.add(nan, nan, nan, nan, nan)
		return
	}
	row.add(peak.Throughput(), storm.Throughput(), float64(storm.Refused.Count())/storm.Window.Seconds(),
		float64(storm.Refused.Quantile(0.5)), float64(storm.Refused.Quantile(0.99)))
}

func (o *overloadRow) add(peak, goodput, refused, p50, p99 float64) {
	o.peak, o.goodput, o.refused = append(o.peak, peak), append(o.goodput, goodput), append(o.refused, refused)
	o.p50, o.p99 = append(o.p50, p50), append(o.p99, p99)
}
