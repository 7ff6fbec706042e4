package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"convoke/api"
)

const (
	hostileAccount = "66600000"
	// neighbourRate is what another account asks of its one function, a second.
	neighbourRate = 100
	// neighbourRounds is how many times Config.Round its measurement lasts: a
	// 99th percentile needs many answers.
	neighbourRounds = 8
	// attackLead is how long an attack runs before the neighbour is looked at.
	attackLead = 2 * time.Second
)

// attack is what a hostile account does at full tilt.
type attack struct {
	name        string
	source      string // of lambda's body, over several functions
	settings    api.Settings
	connections int
}

// attackWidth is how many functions the hostile account has for each attack:
// bounds of a single one then do not protect its neighbours.
const attackWidth = 4

var attacks = []attack{
	{"loops that never end", `while (true);`, api.Settings{TimeoutMs: 1000}, 32},
	{"memory bombs", `const all = []; for (;;) all.push(Buffer.alloc(1 << 20, 1));`, api.Settings{TimeoutMs: 5000, MemoryMiB: 64}, 16},
	{"thread and fork bombs", `const { Worker } = require('node:worker_threads'), { spawn } = require('node:child_process');
  for (let i = 0; i < 100; i++) { try { new Worker('while (true);', { eval: true }).on('error', () => {}); } catch {} try { spawn('/bin/sh').on('error', () => {}); } catch {} }
  return new Promise(() => {});`, api.Settings{TimeoutMs: 1000}, 16},
	{"log flood", `for (let i = 0; i < 1e5; i++) { console.log('flood '.repeat(20), { i }); if (i % 100 === 0) process.stdout.write('flood\n'.repeat(1000)); }`, api.Settings{TimeoutMs: 5000}, 32},
}

// disturbance is work outside of Convoke, at the lowest priority that there
// is. What the neighbour notices of it is the machine's doing: no account of
// any server could disturb it less than a program that only takes what is left.
type disturbance struct {
	name    string
	command []string // once for each processor
}

func (r *runner) disturbances() []disturbance {
	shell := func(script string, args ...string) []string {
		return append([]string{"chrt", "--idle", "0", "sh", "-c", script}, args...)
	}
	return []disturbance{
		{"outside of Convoke: endless loops", shell("while :; do :; done")},
		{"outside of Convoke: starting Node.js over and over", shell(`while :; do "$0" -e 0; done`, r.Node)},
	}
}

// hostile calls one account's function at a modest, constant rate: alone, and
// while another account does its worst.
func (r *runner) hostile(ctx context.Context) error {
	if r.convoke == nil {
		return nil
	}
	enemy, err := r.convoke.tenant(ctx, hostileAccount)
	if err != nil {
		return err
	}
	rows, err := r.prepareAttacks(ctx, enemy)
	if err != nil {
		return err
	}
	err = turns(ctx, min(r.Rounds, restartRounds), len(rows), func(round, i int) {
		r.progress("hostile, round %d: %s", round+1, rows[i].name)
		if err := r.hostileOnce(ctx, &rows[i]); err != nil {
			r.report.failf("hostile, %s: %v", rows[i].name, err)
			nan := math.NaN()
			rows[i].add(nan, nan, nan, nan)
		}
	})
	if err != nil {
		return err
	}
	section := Section{
		Title: "One hostile account, and what its neighbour notices",
		Note: fmt.Sprintf("The neighbour's function is called %d times a second, alone and beside each attack. The callers stand for machines elsewhere, so the attacker's get what nobody else wants of the processors, and the neighbour's are never kept waiting for one (that takes root). "+
			"Ratios are formed within each round. The first rows are no attacks: nothing at all, and programs outside of Convoke that take what is left of all processors, at the lowest priority. "+
			"What the figures move then is the machine's, and the noise that the goals speak of: the largest of these rows' medians.", neighbourRate),
		Columns: []string{"Attack", "p50 alone", "p50 beside", "p50 ratio", "p99 alone", "p99 beside", "p99 ratio"},
	}
	noise := 1.0
	for _, row := range rows {
		if row.loads == nil {
			noise = max(noise, row.p99Beside.over(row.p99).Median())
		}
		section.Rows = append(section.Rows, []string{row.name, row.p50.cell(asTime), row.p50Beside.cell(asTime), row.p50Beside.over(row.p50).cell(asRatio),
			row.p99.cell(asTime), row.p99Beside.cell(asTime), row.p99Beside.over(row.p99).cell(asRatio)})
	}
	r.report.Sections = append(r.report.Sections, section)
	for _, row := range rows {
		if row.loads == nil {
			continue
		}
		r.report.goal("a neighbour's p99 beside a hostile account: "+row.name, fmt.Sprintf("≤ 1.2 × %.2f ×", noise), row.p99Beside.over(row.p99), asRatio,
			func(m float64) bool { return m <= 1.2*noise })
	}
	return nil
}

// hostileRow is one attack's loads, or what runs outside of Convoke instead,
// and what the neighbour saw.
type hostileRow struct {
	name                           string
	loads                          []Load
	outside                        []string
	p50, p99, p50Beside, p99Beside Series
}

func (row *hostileRow) add(p50, p99, p50Beside, p99Beside float64) {
	row.p50, row.p99 = append(row.p50, p50), append(row.p99, p99)
	row.p50Beside, row.p99Beside = append(row.p50Beside, p50Beside), append(row.p99Beside, p99Beside)
}

// prepareAttacks deploys the hostile functions. The last row is all at once.
func (r *runner) prepareAttacks(ctx context.Context, enemy *server) ([]hostileRow, error) {
	rows := []hostileRow{{name: "none"}}
	for _, d := range r.disturbances() {
		rows = append(rows, hostileRow{name: d.name, outside: d.command})
	}
	all := hostileRow{name: "all at once"}
	add := func(name string, l Load) {
		rows = append(rows, hostileRow{name: name, loads: []Load{l}})
		all.loads = append(all.loads, l)
	}
	for n, a := range attacks {
		l := request(enemy.address, enemy.token)
		l.Connections, l.Failures = a.connections, true
		for i := range attackWidth {
			name := fmt.Sprintf("attack-%d-%d", n, i)
			if err := enemy.deploy(ctx, name, "async function lambda(input) {\n  "+a.source+"\n}\n", &a.settings); err != nil {
				return nil, err
			}
			target := enemy.target(name)
			target.Expect = ""
			l.Targets = append(l.Targets, target)
		}
		add(a.name, l)
	}
	if err := enemy.deploy(ctx, "busy", busySource, nil); err != nil {
		return nil, err
	}
	calm := enemy.invoke("busy")
	calm.Connections, calm.Warmup, calm.Duration, calm.Refusals = 16, r.Round/2, r.Round, true
	peak, err := r.load(ctx, calm)
	if err != nil {
		return nil, err
	}
	storm := enemy.invoke("busy")
	storm.Connections, storm.Failures, storm.Rate = overloadConnections, true, 10*peak.Throughput()
	add("ten times as much as it can be answered", storm)
	return append(rows, all), nil
}

func (r *runner) hostileOnce(ctx context.Context, row *hostileRow) error {
	neighbour := r.convoke.hello()
	neighbour.Connections, neighbour.Rate = 8, neighbourRate
	neighbour.Warmup, neighbour.Duration = r.Round/2, neighbourRounds*r.Round
	alone, err := r.loadBy(ctx, neighbour, r.elsewhere(true)...)
	if err != nil {
		return err
	}
	calm, err := r.disturb(row.outside)
	if err != nil {
		return err
	}
	defer calm()
	storm, storming := errgroup.WithContext(ctx)
	for _, l := range row.loads {
		l.Duration = neighbour.Duration
		l.Warmup = attackLead + neighbour.Warmup
		storm.Go(func() error {
			_, err := r.loadBy(storming, l, r.elsewhere(false)...)
			return err
		})
	}
	if err := pause(storming, attackLead); err != nil {
		return err
	}
	beside, err := r.loadBy(storming, neighbour, r.elsewhere(true)...)
	if err := errors.Join(err, storm.Wait()); err != nil {
		return err
	}
	row.add(quantile(alone, 0.5), quantile(alone, 0.99), quantile(beside, 0.5), quantile(beside, 0.99))
	return pause(ctx, settle)
}

// disturb runs the command once for each processor until calm is called.
func (r *runner) disturb(command []string) (calm func(), err error) {
	var all []*child
	calm = func() {
		for _, c := range all {
			_ = syscall.Kill(-c.pid(), syscall.SIGKILL) // the group: it starts others
			<-c.ended
		}
	}
	for range runtime.NumCPU() {
		if len(command) == 0 {
			break
		}
		c, err := startChild("", nil, command[0], command[1:]...)
		if err != nil {
			calm()
			return nil, err
		}
		all = append(all, c)
	}
	return calm, nil
}

// elsewhere is the command of a load process that stands for callers on other
// machines: it neither takes a processor from the server nor waits for one. As
// an ordinary user the second is not to be had.
func (r *runner) elsewhere(prompt bool) []string {
	policy := []string{"chrt", "--idle", "0"}
	if prompt {
		policy = []string{"chrt", "--fifo", "1"}
		if os.Geteuid() != 0 {
			policy = nil
		}
	}
	return append(policy, r.Self, "load")
}
