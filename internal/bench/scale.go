package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"time"

	"convoke"
)

const (
	fewFunctions = 16 // that are warm when the lookup is measured
	coldAmong    = 20 // first calls in each round, to as many functions
)

// scaleRow is one server with so many deployed functions.
type scaleRow struct {
	functions         int
	server            *server
	ids               []string
	ready, start      Series
	pss               Series
	one, some, firsts Series
}

// scale measures what deployed functions that do nothing cost: memory of the
// server, the time to start it, and to find one function among them.
func (r *runner) scale(ctx context.Context) (err error) {
	if r.convoke == nil {
		return nil
	}
	sizes := []int{100, 1_000, 10_000}
	if r.Quick {
		sizes = sizes[:2]
	}
	rows := make([]scaleRow, len(sizes))
	defer func() {
		for _, row := range rows {
			if row.server != nil {
				err = errors.Join(err, row.server.stop())
			}
		}
	}()
	for i, n := range sizes {
		r.progress("scale: deploying %d functions", n)
		if err := r.seedRow(ctx, &rows[i], n); err != nil {
			return err
		}
	}
	err = turns(ctx, min(r.Rounds, restartRounds), len(rows), func(round, i int) {
		r.progress("scale, round %d: %d functions", round+1, rows[i].functions)
		if err := r.scaleOnce(ctx, &rows[i], round); err != nil {
			r.report.failf("scale, %d functions: %v", rows[i].functions, err)
			nan := math.NaN()
			rows[i].add(nan, nan, nan, nan, nan, nan)
		}
	})
	if err != nil {
		return err
	}
	r.reportScale(rows)
	return nil
}

func (r *runner) seedRow(ctx context.Context, row *scaleRow, n int) error {
	row.functions = n
	row.server = newServer(r.Convoke, filepath.Join(r.scratch, fmt.Sprintf("scale-%d", n)))
	if err := row.server.start(ctx); err != nil {
		return err
	}
	if err := row.server.stop(); err != nil {
		return err
	}
	var err error
	row.ids, err = Seed(ctx, row.server.data, convoke.DefaultAccountID, row.server.functions["hello"], n-1)
	return err
}

// scaleOnce starts the server, measures and stops it.
func (r *runner) scaleOnce(ctx context.Context, row *scaleRow, round int) (err error) {
	began := time.Now()
	if err := row.server.start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, row.server.stop()) }()
	start := time.Since(began)
	if err := pause(ctx, settle); err != nil {
		return err
	}
	pss, err := r.proc.pss(row.server.pid())
	if err != nil {
		return err
	}
	one := row.server.hello()
	one.Connections, one.Warmup, one.Duration = 1, r.Round/10, r.Round/2
	single, err := r.load(ctx, one)
	if err != nil {
		return err
	}

	// Spread over all ids, and others in each round.
	step := len(row.ids) / (fewFunctions + coldAmong)
	var warm, cold []Target
	for i := range fewFunctions + coldAmong {
		t := targetOf(row.ids[i*step+round])
		if i < fewFunctions {
			warm = append(warm, t)
		} else {
			cold = append(cold, t)
		}
	}
	some := row.server.hello()
	some.Targets, some.Connections, some.Count = warm, 1, len(warm)
	if _, err := r.load(ctx, some); err != nil {
		return err
	}
	some.Count, some.Warmup, some.Duration = 0, one.Warmup, one.Duration
	among, err := r.load(ctx, some)
	if err != nil {
		return err
	}
	firsts := row.server.hello()
	firsts.Targets, firsts.Connections, firsts.Count, firsts.Rate = cold, 2, len(cold), coldRate
	first, err := r.load(ctx, firsts)
	if err != nil {
		return err
	}
	row.add(float64(row.server.ready), float64(start), float64(pss), quantile(single, 0.5), quantile(among, 0.5), quantile(first, 0.5))
	return nil
}

func (row *scaleRow) add(ready, start, pss, one, some, firsts float64) {
	row.ready, row.start, row.pss = append(row.ready, ready), append(row.start, start), append(row.pss, pss)
	row.one, row.some, row.firsts = append(row.one, one), append(row.some, some), append(row.firsts, firsts)
}

func (r *runner) reportScale(rows []scaleRow) {
	section := Section{
		Title: "Many deployed functions",
		Note: fmt.Sprintf("Of the server process alone; its workers are blank. Ready and first answer: from starting the process to its word that it is ready, and to the answer of a function. "+
			"Warm calls one at a time, to one function and to %d at random spread over all; first calls of %d functions spread over all, ten a second.", fewFunctions, coldAmong),
		Columns: []string{"Deployed", "Ready", "First answer", "Server's memory", "One warm, p50", "16 warm, p50", "First call, p50"},
	}
	for _, row := range rows {
		section.Rows = append(section.Rows, []string{asCount(float64(row.functions)),
			row.ready.cell(asTime), row.start.cell(asTime), row.pss.cell(asBytes),
			row.one.cell(asTime), row.some.cell(asTime), row.firsts.cell(asTime)})
	}
	r.report.Sections = append(r.report.Sections, section)
	few, most := rows[0], rows[len(rows)-1]
	label := asCount(float64(most.functions)) + " functions"
	r.report.goal("start to ready with "+label, "≤ 300 ms", most.ready, asTime, func(m float64) bool { return m <= 300e6 })
	r.report.goal(fmt.Sprintf("warm calls among %s against among %d, p50", label, few.functions), "≤ 1.1 ×", most.some.over(few.some), asRatio, func(m float64) bool { return m <= 1.1 })
	perFunction := Series{(most.pss.Median() - few.pss.Median()) / float64(most.functions-few.functions)}
	r.report.goal("server's memory for each deployed idle function", "≤ 4 KiB", perFunction, asBytes, func(m float64) bool { return m <= 4<<10 })
}
