package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"convoke"
)

const (
	fewFunctions = 16 // that are warm when the lookup is measured
	coldAmong    = 30 // first calls in each round, to as many functions
	coldAmongHz  = 20.0
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
	sizes := []int{1, 1_000, 10_000}
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
	rounds := min(r.Rounds, restartRounds)
	err = turns(ctx, rounds, len(rows), func(round, i int) {
		r.progress("scale, round %d: %d functions", round+1, rows[i].functions)
		if err := r.scaleOnce(ctx, &rows[i], round); err != nil {
			r.report.failf("scale, %d functions: %v", rows[i].functions, err)
		}
	})
	if err != nil {
		return err
	}
	r.reportScale(rows, rounds)
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

// scaleOnce starts the server, measures and stops it. The figures of a round
// are kept only when all of them are there.
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
	row.ready = append(row.ready, float64(row.server.ready))
	row.start = append(row.start, float64(start))
	row.pss = append(row.pss, float64(pss))
	row.one = append(row.one, quantile(single, 0.5))
	if len(row.ids) < fewFunctions+coldAmong*(round+1) {
		return nil
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
	firsts.Targets, firsts.Connections, firsts.Count, firsts.Rate = cold, 2, len(cold), coldAmongHz
	first, err := r.load(ctx, firsts)
	if err != nil {
		return err
	}
	row.some = append(row.some, quantile(among, 0.5))
	row.firsts = append(row.firsts, quantile(first, 0.5))
	return nil
}

func (r *runner) reportScale(rows []scaleRow, rounds int) {
	section := Section{
		Title: "Many deployed functions",
		Note: fmt.Sprintf("Of the server process alone; its workers are blank. Ready and first answer: from starting the process to its word that it is ready, and to the answer of a function. "+
			"Warm calls one at a time, to one function and to %d at random among all; first calls of %d functions among all.", fewFunctions, coldAmong),
		Columns: []string{"Deployed", "Ready", "First answer", "Server's memory", "One, p50", "Some, p50", "First call, p50"},
	}
	for _, row := range rows {
		complete := func(s Series) Series {
			if len(s) < rounds {
				return nil
			}
			return s
		}
		cells := []string{asCount(float64(row.functions)), complete(row.ready).cell(asTime), complete(row.start).cell(asTime), complete(row.pss).cell(asBytes), complete(row.one).cell(asTime)}
		if row.functions == 1 {
			cells = append(cells, "", "")
		} else {
			cells = append(cells, complete(row.some).cell(asTime), complete(row.firsts).cell(asTime))
		}
		section.Rows = append(section.Rows, cells)
	}
	r.report.Sections = append(r.report.Sections, section)
	most := rows[len(rows)-1]
	label := asCount(float64(most.functions)) + " functions"
	r.report.goal("start to ready with "+label, "≤ 300 ms", most.ready, asTime, func(m float64) bool { return m <= 300e6 })
	r.report.goal("warm call among "+label+" against one, p50", "≤ 1.1 ×", most.some.over(most.one), asRatio, func(m float64) bool { return m <= 1.1 })
	perFunction := Series{(most.pss.Median() - rows[0].pss.Median()) / float64(most.functions)}
	r.report.goal("server's memory for each deployed idle function", "≤ 4 KiB", perFunction, asBytes, func(m float64) bool { return m <= 4<<10 })
}
