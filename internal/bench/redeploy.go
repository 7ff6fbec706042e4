package bench

import (
	"context"
	"fmt"
	"time"
)

// redeploysPerRound makes twenty in the default five rounds.
const redeploysPerRound = 4

// redeploys measures the time from saving new code to the first reply of it.
func (r *runner) redeploys(ctx context.Context) error {
	rows := make([]Series, len(r.systems))
	all := make([]Histogram, len(r.systems))
	err := turns(ctx, r.Rounds, len(r.systems), func(round, i int) {
		s := r.systems[i]
		var took Histogram
		for n := range redeploysPerRound {
			d, err := r.redeployOnce(ctx, s, fmt.Sprintf("Hello-%d-%d", round, n))
			if err != nil {
				r.report.failf("redeploy, %s: %v", s.name(), err)
				break
			}
			took.Record(d)
		}
		p50 := Series{float64(took.Quantile(0.5))}
		if took.Count() < redeploysPerRound {
			p50 = Series{}
		}
		rows[i] = append(rows[i], p50.Median())
		all[i].Merge(&took)
	})
	if err != nil {
		return err
	}
	section := Section{
		Title: "From saving new code to its first reply",
		Note: "Convoke: save, deploy and wait, then call until the new code answers; the old code answers meanwhile. " +
			"The others: write the file and start the server anew, which then answers nothing meanwhile.",
		Columns: []string{"System", "Redeployments", "p50", "Slowest"},
	}
	for i, s := range r.systems {
		section.Rows = append(section.Rows, []string{s.name(), asCount(float64(all[i].Count())), rows[i].cell(asTime), asTime(float64(all[i].max))})
		if s == system(r.convoke) {
			r.report.goal("from save to the new code answering, p50", "≤ 300 ms", rows[i], asTime, func(m float64) bool { return m <= 300e6 })
		}
		if err := s.redeploy(ctx, "Hello"); err != nil {
			return fmt.Errorf("%s: %w", s.name(), err)
		}
	}
	r.report.Sections = append(r.report.Sections, section)
	return nil
}

func (r *runner) redeployOnce(ctx context.Context, s system, greeting string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	began := time.Now()
	if err := s.redeploy(ctx, greeting); err != nil {
		return 0, err
	}
	for {
		l := s.hello()
		l.Targets[0].Expect = greeting + " Ada"
		err := ask(ctx, l)
		if err == nil {
			return time.Since(began), nil
		}
		if ctx.Err() != nil {
			return 0, fmt.Errorf("new code does not answer: %w", err)
		}
	}
}
