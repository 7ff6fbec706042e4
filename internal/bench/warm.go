package bench

import (
	"context"
	"fmt"
	"math"
	"time"

	"convoke/api"
)

var concurrencies = []int{1, 16, 64}

const (
	convokeLane = "convoke"                 // default settings: one invocation per instance at a time
	sharedLane  = "convoke, concurrency 64" // invocations share an instance, as in a plain Node server
	loggingLane = "convoke, one log line"
	signedLane  = "convoke, JWT" // the caller has an access token of the authorization server

	nodeLane      = "node:http"
	frameworkLane = "functions-framework"
)

// warmRow holds one lane's figures per round, by index of concurrencies.
type warmRow struct {
	throughput, p50, p99 [3]Series
	cpu, loadCPU         [3]Series // seconds per 1,000 requests
}

// warm measures functions that have run before: a closed loop at several
// concurrencies, and what that costs in CPU time.
func (r *runner) warm(ctx context.Context) error {
	lanes := r.hello()
	if r.convoke != nil {
		more, err := r.convokeLanes(ctx)
		if err != nil {
			return err
		}
		lanes = append(lanes, more...)
	}
	for _, l := range lanes {
		r.progress("warming up %s", l.name)
		l.load.Connections, l.load.Duration = concurrencies[len(concurrencies)-1], max(r.Round/2, 500*time.Millisecond)
		if _, err := r.load(ctx, l.load); err != nil {
			r.report.failf("warm-up of %s: %v", l.name, err)
		}
	}
	rows := make([]warmRow, len(lanes))
	for c, connections := range concurrencies {
		r.progress("warm, concurrency %d", connections)
		err := turns(ctx, r.Rounds, len(lanes), func(_, i int) { r.warmOnce(ctx, lanes[i], c, &rows[i]) })
		if err != nil {
			return err
		}
	}
	r.reportWarm(lanes, rows)
	return nil
}

// convokeLanes deploys the functions that only Convoke runs.
func (r *runner) convokeLanes(ctx context.Context) ([]lane, error) {
	if err := r.convoke.deploy(ctx, "hello-shared", helloSource, &api.Settings{Concurrency: 64}); err != nil {
		return nil, err
	}
	if err := r.convoke.deploy(ctx, "hello-log", logSource, nil); err != nil {
		return nil, err
	}
	signed := r.convoke.invoke("hello")
	jwt, err := r.convoke.accessToken(ctx)
	if err != nil {
		return nil, err
	}
	signed.Header["Authorization"] = "Bearer " + jwt
	return []lane{
		{signedLane, r.convoke.pid(), signed},
		{sharedLane, r.convoke.pid(), r.convoke.invoke("hello-shared")},
		{loggingLane, r.convoke.pid(), r.convoke.invoke("hello-log")},
	}, nil
}

func (r *runner) warmOnce(ctx context.Context, l lane, c int, row *warmRow) {
	l.load.Connections, l.load.Duration, l.load.Warmup = concurrencies[c], r.Round, r.Round/10
	before, err := r.proc.treeCPU(l.pid)
	result, loadErr := r.load(ctx, l.load)
	if err == nil {
		err = loadErr
	}
	var after time.Duration
	if err == nil {
		after, err = r.proc.treeCPU(l.pid)
	}
	throughput, p50, p99, cpu, loadCPU := math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN()
	if err == nil {
		throughput = result.Throughput()
		p50, p99 = float64(result.OK.Quantile(0.5)), float64(result.OK.Quantile(0.99))
		cpu = float64(after-before) / float64(result.Sent) * 1000
		loadCPU = float64(result.CPU) / float64(result.Sent) * 1000
	} else {
		r.report.failf("warm, %s, concurrency %d: %v", l.name, concurrencies[c], err)
	}
	row.throughput[c] = append(row.throughput[c], throughput)
	row.p50[c], row.p99[c] = append(row.p50[c], p50), append(row.p99[c], p99)
	row.cpu[c], row.loadCPU[c] = append(row.cpu[c], cpu), append(row.loadCPU[c], loadCPU)
}

func (r *runner) reportWarm(lanes []lane, rows []warmRow) {
	closedLoop := "Closed loop: each connection sends its next request when the last one is answered. The load process shares the machine's cores."
	throughput := Section{Title: "Warm throughput, requests per second", Note: closedLoop, Columns: perConcurrency("System", "")}
	latency := Section{Title: "Warm latency", Note: closedLoop, Columns: []string{"System"}}
	cpu := Section{Title: "CPU time per 1,000 requests", Note: "User and system time of the whole process tree, and of the load process beside it.",
		Columns: append(perConcurrency("System", ""), "Load process, 16")}
	for _, c := range concurrencies {
		latency.Columns = append(latency.Columns, fmt.Sprintf("%d: p50", c), fmt.Sprintf("%d: p99", c))
	}
	byName := map[string]*warmRow{}
	for i, l := range lanes {
		row := &rows[i]
		byName[l.name] = row
		t, d, u := []string{l.name}, []string{l.name}, []string{l.name}
		for c := range concurrencies {
			t = append(t, row.throughput[c].cell(asCount))
			d = append(d, row.p50[c].cell(asTime), row.p99[c].cell(asTime))
			u = append(u, row.cpu[c].cell(asTime))
		}
		throughput.Rows = append(throughput.Rows, t)
		latency.Rows = append(latency.Rows, d)
		cpu.Rows = append(cpu.Rows, append(u, row.loadCPU[1].cell(asTime)))
	}
	r.report.Sections = append(r.report.Sections, throughput, latency)
	if byName[convokeLane] != nil {
		r.report.Sections = append(r.report.Sections, ratios(lanes, byName)...)
		r.warmGoals(byName)
	}
	r.report.Sections = append(r.report.Sections, cpu)
}

func perConcurrency(first, suffix string) []string {
	columns := []string{first}
	for _, c := range concurrencies {
		columns = append(columns, fmt.Sprintf("%d%s", c, suffix))
	}
	return columns
}

// ratios compares each of Convoke's lanes with each other system, round by round.
func ratios(lanes []lane, byName map[string]*warmRow) []Section {
	share := Section{Title: "Convoke's throughput as a multiple", Note: "Formed within each round.", Columns: append([]string{"Convoke"}, perConcurrency("Against", "")...)}
	added := Section{Title: "Latency that Convoke adds to node:http, p50", Note: "Same number of connections; formed within each round.", Columns: perConcurrency("Convoke", "")}
	for _, ours := range []string{convokeLane, sharedLane, loggingLane} {
		if byName[ours] == nil {
			continue
		}
		for _, other := range lanes {
			if other.name == convokeLane || other.name == sharedLane || other.name == loggingLane {
				continue
			}
			row := []string{ours, other.name}
			for c := range concurrencies {
				row = append(row, byName[ours].throughput[c].over(byName[other.name].throughput[c]).cell(asRatio))
			}
			share.Rows = append(share.Rows, row)
		}
		if node := byName[nodeLane]; node != nil {
			row := []string{ours}
			for c := range concurrencies {
				row = append(row, byName[ours].p50[c].minus(node.p50[c]).cell(asTime))
			}
			added.Rows = append(added.Rows, row)
		}
	}
	return []Section{share, added}
}

func (r *runner) warmGoals(byName map[string]*warmRow) {
	for _, ours := range []string{convokeLane, sharedLane} {
		row := byName[ours]
		if row == nil {
			continue
		}
		if node := byName[nodeLane]; node != nil {
			r.report.goal("added latency over node:http, p50, one connection: "+ours, "≤ 100 µs",
				row.p50[0].minus(node.p50[0]), asTime, func(m float64) bool { return m <= 100e3 })
			r.report.goal("throughput at 16 against node:http: "+ours, "≥ 0.6 ×",
				row.throughput[1].over(node.throughput[1]), asRatio, func(m float64) bool { return m >= 0.6 })
		}
		if framework := byName[frameworkLane]; framework != nil {
			r.report.goal("throughput at 16 against functions-framework: "+ours, "≥ 3 ×",
				row.throughput[1].over(framework.throughput[1]), asRatio, func(m float64) bool { return m >= 3 })
		}
		r.report.goal("throughput at 16, requests per second: "+ours, "≥ 15,000",
			row.throughput[1], asCount, func(m float64) bool { return m >= 15_000 })
	}
}
