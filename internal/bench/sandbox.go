package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
)

// sandboxRow is what one server did in each round.
type sandboxRow struct {
	name       string
	server     *server
	targets    []Target // functions that have not run
	p50        Series   // one connection
	throughput Series   // sixteen
	cold       coldRow
}

// sandbox compares Convoke at its default level of isolation with the same
// without any. A second server without any shows how much two of a kind differ.
func (r *runner) sandbox(ctx context.Context) (err error) {
	if r.convoke == nil {
		return nil
	}
	rows := []*sandboxRow{
		{name: "as by default (--sandbox auto)", server: r.convoke},
		{name: "without a sandbox", server: r.unconfined("open")},
		{name: "without a sandbox, again", server: r.unconfined("open-again")},
	}
	alone := 40
	if r.Quick {
		alone = 10
	}
	for _, row := range rows {
		r.progress("sandbox: preparing %s", row.name)
		if row.server != r.convoke {
			if err := row.server.start(ctx); err != nil {
				return err
			}
			defer func() { err = errors.Join(err, row.server.stop()) }()
		}
		if row.targets, err = row.server.fresh(ctx, r.Rounds*(alone+coldBurst)); err != nil {
			return err
		}
		warmUp := row.server.hello()
		warmUp.Connections, warmUp.Duration = 16, r.Round
		if _, err := r.load(ctx, warmUp); err != nil {
			return err
		}
	}
	err = turns(ctx, r.Rounds, len(rows), func(round, i int) {
		r.progress("sandbox, round %d: %s", round+1, rows[i].name)
		at := round * (alone + coldBurst)
		r.sandboxOnce(ctx, rows[i], rows[i].targets[at:at+alone], rows[i].targets[at+alone:at+alone+coldBurst])
	})
	if err != nil {
		return err
	}
	r.reportSandbox(rows)
	return nil
}

// unconfined is a server that isolates nothing.
func (r *runner) unconfined(name string) *server {
	s := newServer(r.Convoke, filepath.Join(r.scratch, name))
	s.flags = []string{"--sandbox", "none"}
	return s
}

func (r *runner) sandboxOnce(ctx context.Context, row *sandboxRow, alone, burst []Target) {
	warm := func(connections int) *Result {
		l := row.server.hello()
		l.Connections, l.Warmup, l.Duration = connections, r.Round/10, r.Round
		result, err := r.load(ctx, l)
		if err != nil {
			r.report.failf("sandbox, %s: %v", row.name, err)
			return nil
		}
		return result
	}
	row.p50 = append(row.p50, quantile(warm(1), 0.5))
	throughput := math.NaN()
	if result := warm(16); result != nil {
		throughput = result.Throughput()
	}
	row.throughput = append(row.throughput, throughput)
	r.coldFunctions(ctx, row.server, alone, burst, &row.cold)
}

func (r *runner) reportSandbox(rows []*sandboxRow) {
	confined, open, again := rows[0], rows[1], rows[2]
	section := Section{
		Title: "What the sandbox costs",
		Note: "Three servers of the same binary, in turn. The last row is what two servers without a sandbox differ by: no more than that can be told apart. " +
			"Ratios are formed within each round.",
		Columns: []string{"Server", "1: p50", "16: requests per second", "Cold, alone: p50", "Cold, 50 at once: p50"},
	}
	for _, row := range rows {
		section.Rows = append(section.Rows, []string{row.name, row.p50.cell(asTime), row.throughput.cell(asCount), row.cold.oneP50.cell(asTime), row.cold.burstP50.cell(asTime)})
	}
	against := func(name string, a, b *sandboxRow) {
		section.Rows = append(section.Rows, []string{name, a.p50.over(b.p50).cell(asRatio), a.throughput.over(b.throughput).cell(asRatio),
			a.cold.oneP50.over(b.cold.oneP50).cell(asRatio), a.cold.burstP50.over(b.cold.burstP50).cell(asRatio)})
	}
	against("by default against without", confined, open)
	against("without, again, against without", again, open)
	r.report.Sections = append(r.report.Sections, section)

	// A median outside of what the same program does twice is a difference.
	slower := max(1, slices.Max(again.p50.over(open.p50)))
	r.report.goal("warm with the sandbox against without, p50, one connection", fmt.Sprintf("≤ %.2f × (noise)", slower),
		confined.p50.over(open.p50), asRatio, func(m float64) bool { return m <= slower })
	fewer := min(1, slices.Min(again.throughput.over(open.throughput)))
	r.report.goal("warm with the sandbox against without, throughput at 16", fmt.Sprintf("≥ %.2f × (noise)", fewer),
		confined.throughput.over(open.throughput), asRatio, func(m float64) bool { return m >= fewer })
	r.report.goal("cold with the sandbox, alone, p50", "≤ 5 ms", confined.cold.oneP50, asTime, func(m float64) bool { return m <= 5e6 })
}
