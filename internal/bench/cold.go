package bench

import (
	"context"
	"math"
	"time"
)

const (
	coldRate  = 10.0 // first calls per second, one at a time
	coldBurst = 50   // first calls at once
)

// coldRow holds one system's first replies.
type coldRow struct {
	one, burst       Histogram // of all rounds
	oneP50, burstP50 Series
	burstP99         Series
	unprepared       bool // its functions could not be deployed
}

// cold measures the first reply of functions that never ran: alone ten times
// a second, and fifty at once. Systems that hold one function in each process
// show how long such a process takes to its first reply.
func (r *runner) cold(ctx context.Context) error {
	alone := 40
	if r.Quick {
		alone = 10
	}
	targets := make([][]Target, len(r.systems))
	rows := make([]coldRow, len(r.systems))
	for i, s := range r.systems {
		var err error
		r.progress("cold: preparing %s", s.name())
		if targets[i], err = s.fresh(ctx, r.Rounds*(alone+coldBurst)); err != nil {
			r.report.failf("cold, %s: %v", s.name(), err)
			rows[i].unprepared = true
		}
	}
	err := turns(ctx, r.Rounds, len(r.systems), func(round, i int) {
		r.progress("cold, round %d: %s", round+1, r.systems[i].name())
		switch {
		case rows[i].unprepared:
			return
		case targets[i] == nil:
			r.coldProcess(ctx, r.systems[i], &rows[i])
			return
		}
		at := round * (alone + coldBurst)
		r.coldFunctions(ctx, r.systems[i], targets[i][at:at+alone], targets[i][at+alone:at+alone+coldBurst], &rows[i])
	})
	if err != nil {
		return err
	}
	r.reportCold(targets, rows, alone)
	return nil
}

func (r *runner) coldFunctions(ctx context.Context, s system, alone, burst []Target, row *coldRow) {
	first := func(targets []Target, rate float64, connections int, all *Histogram) *Result {
		l := s.hello()
		l.Targets, l.Count, l.Rate, l.Connections = targets, len(targets), rate, connections
		if err := pause(ctx, settle); err != nil {
			return nil
		}
		result, err := r.load(ctx, l)
		if err != nil {
			r.report.failf("cold, %s: %v", s.name(), err)
			return nil
		}
		all.Merge(&result.OK)
		return result
	}
	// A few connections suffice for ten calls a second, and keep each busy
	// enough that no server closes it for idleness.
	row.oneP50 = append(row.oneP50, quantile(first(alone, coldRate, 4, &row.one), 0.5))
	result := first(burst, 0, len(burst), &row.burst)
	row.burstP50 = append(row.burstP50, quantile(result, 0.5))
	row.burstP99 = append(row.burstP99, quantile(result, 0.99))
}

func quantile(r *Result, q float64) float64 {
	if r == nil {
		return math.NaN()
	}
	return float64(r.OK.Quantile(q))
}

// coldProcess times starts of the whole server.
func (r *runner) coldProcess(ctx context.Context, s system, row *coldRow) {
	var took Histogram
	for range 4 {
		if err := s.stop(); err != nil {
			r.report.failf("cold, %s: %v", s.name(), err)
		}
		began := time.Now()
		if err := s.start(ctx); err != nil {
			r.report.failf("cold, %s: %v", s.name(), err)
			row.oneP50 = append(row.oneP50, math.NaN())
			return
		}
		took.Record(time.Since(began))
	}
	row.one.Merge(&took)
	row.oneP50 = append(row.oneP50, float64(took.Quantile(0.5)))
}

func (r *runner) reportCold(targets [][]Target, rows []coldRow, alone int) {
	section := Section{
		Title: "Cold: the first reply of a function that never ran",
		Note: "Ten functions a second, one at a time, then fifty at once, each called once; p99 alone is over all rounds. " +
			"Convoke was started anew after the functions were deployed. A system with one function in each process shows the time from the start of its process.",
		Columns: []string{"System", "Functions", "Alone: p50", "Alone: p99", "50 at once: p50", "50 at once: p99"},
	}
	for i, s := range r.systems {
		row := &rows[i]
		p99 := Series{float64(row.one.Quantile(0.99))}
		if row.oneP50.failed() {
			p99 = nil
		}
		how := "process start"
		if row.unprepared {
			how = ""
		}
		cells := []string{s.name(), how, row.oneP50.cell(asTime), p99.cell(asTime), "", ""}
		if targets[i] != nil {
			cells[1] = asCount(float64(r.Rounds * (alone + coldBurst)))
			cells[4], cells[5] = row.burstP50.cell(asTime), row.burstP99.cell(asTime)
		}
		section.Rows = append(section.Rows, cells)
		if s == system(r.convoke) {
			r.report.goal("cold, alone, p50", "≤ 5 ms", row.oneP50, asTime, func(m float64) bool { return m <= 5e6 })
			r.report.goal("cold, alone, p99", "≤ 15 ms", p99, asTime, func(m float64) bool { return m <= 15e6 })
		}
	}
	r.report.Sections = append(r.report.Sections, section)
}
