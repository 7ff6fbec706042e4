package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"convoke/api"
)

const (
	warmInstances = 16
	restartRounds = 3 // rounds of measurements for which a server is started anew
	settle        = time.Second
)

// memory measures what a warm instance takes: the difference that instances of
// one function make to the proportional set size of Convoke's process tree, and
// that isolates make to workerd's. Each system runs alone, because processes of
// another one on the same Node build would share its pages and make it look small.
func (r *runner) memory(ctx context.Context) error {
	section := Section{
		Title:   "Memory",
		Note:    fmt.Sprintf("Proportional set size (pages shared between processes count once) of the process tree, with no other system running. An instance: the difference that %d idle ones make, divided.", warmInstances),
		Columns: []string{"System", "Whole, one function warm", "Each further instance"},
	}
	if r.convoke != nil {
		if err := r.convoke.deploy(ctx, "hello-wait", waitSource, &api.Settings{Concurrency: 1}); err != nil {
			return err
		}
	}
	for _, s := range r.systems {
		if err := s.stop(); err != nil {
			return err
		}
	}
	for _, s := range r.systems {
		r.progress("memory: %s", s.name())
		var whole, each Series
		for range min(r.Rounds, restartRounds) {
			w, e, err := r.memoryOnce(ctx, s)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			whole = append(whole, r.must(w, err, "memory, "+s.name()))
			each = append(each, e)
		}
		cells := []string{s.name(), whole.cell(asBytes), "a process"}
		if !each.failed() {
			cells[2] = each.cell(asBytes)
		}
		section.Rows = append(section.Rows, cells)
		if s == system(r.convoke) {
			r.report.goal("memory of a warm instance", "≤ 12 MiB", each, asBytes, func(m float64) bool { return m <= 12<<20 })
		}
	}
	r.report.Sections = append(r.report.Sections, section)
	for _, s := range r.systems {
		if err := s.start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// memoryOnce returns the size of the system with one function warm, and of a
// further instance, NaN where an instance is a whole system.
func (r *runner) memoryOnce(ctx context.Context, s system) (whole, each float64, err error) {
	each = math.NaN()
	if err := s.start(ctx); err != nil {
		return 0, each, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := pause(ctx, settle); err != nil {
		return 0, each, err
	}
	before, processes, err := r.proc.treePSS(s.pid())
	if err != nil {
		return 0, each, err
	}
	l := s.hello()
	if s == system(r.convoke) {
		l = r.convoke.invoke("hello-wait")
	} else if l.Targets, err = s.fresh(ctx, warmInstances); err != nil || l.Targets == nil {
		return float64(before), each, err
	}
	l.Connections, l.Count = warmInstances, warmInstances
	if _, err := r.load(ctx, l); err != nil {
		return 0, each, err
	}
	if err := pause(ctx, settle); err != nil {
		return 0, each, err
	}
	after, more, err := r.proc.treePSS(s.pid())
	if err != nil {
		return 0, each, err
	}
	if s == system(r.convoke) && more < processes+warmInstances {
		return 0, each, fmt.Errorf("%d calls at once left %d processes more, not %d", warmInstances, more-processes, warmInstances)
	}
	return float64(before), float64(after-before) / warmInstances, nil
}
