package bench

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTurnsInterleave(t *testing.T) {
	t.Parallel()
	var got [][2]int
	if err := turns(t.Context(), 3, 3, func(round, i int) { got = append(got, [2]int{round, i}) }); err != nil {
		t.Fatal(err)
	}
	want := [][2]int{{0, 0}, {0, 1}, {0, 2}, {1, 1}, {1, 2}, {1, 0}, {2, 2}, {2, 0}, {2, 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestServeLoad(t *testing.T) {
	t.Parallel()
	l := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "Hello Ada") })
	l.Count = 5
	spec, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := ServeLoad(t.Context(), strings.NewReader(string(spec)), &out); err != nil {
		t.Fatal(err)
	}
	var r Result
	if err := json.Unmarshal([]byte(out.String()), &r); err != nil {
		t.Fatal(err)
	}
	if r.OK.Count() != 5 || r.Sent != 5 || r.Err() != nil {
		t.Errorf("%d right of %d sent, %v", r.OK.Count(), r.Sent, r.Err())
	}
}

func TestConfigValidates(t *testing.T) {
	t.Parallel()
	packages := t.TempDir()
	good := Config{Packages: packages, Rounds: 1, Round: time.Second, Experiments: []string{"warm", "scale"}}
	if err := good.validate(); err == nil || !strings.Contains(err.Error(), "npm ci") {
		t.Errorf("without node_modules: %v", err)
	}
	if err := os.Mkdir(filepath.Join(packages, "node_modules"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := good.validate(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*Config){
		"experiment": func(c *Config) { c.Experiments = []string{"warmth"} },
		"rounds":     func(c *Config) { c.Rounds = 0 },
		"round":      func(c *Config) { c.Round = time.Hour },
	} {
		c := good
		spoil(&c)
		if err := c.validate(); err == nil {
			t.Errorf("%s: not refused", name)
		}
	}
}

// TestWarmReport checks ratios, goals and the shape of the tables.
func TestWarmReport(t *testing.T) {
	t.Parallel()
	row := func(throughput, p50 float64) warmRow {
		var w warmRow
		for c := range concurrencies {
			w.throughput[c] = Series{throughput, 2 * throughput}
			w.p50[c], w.p99[c] = Series{p50, p50}, Series{3 * p50, 3 * p50}
			w.cpu[c], w.loadCPU[c] = Series{1e6, 1e6}, Series{1e6, 1e6}
		}
		return w
	}
	broken := row(9000, 140e3)
	broken.throughput[1][0], broken.p50[0][1] = math.NaN(), math.NaN()
	r := &runner{report: &Report{}}
	r.reportWarm(
		[]lane{{name: nodeLane}, {name: frameworkLane}, {name: convokeLane}, {name: sharedLane}},
		[]warmRow{row(20_000, 50e3), row(4000, 200e3), row(16_000, 120e3), broken})
	checkShape(t, r.report.Sections)

	want := []Goal{
		{"added latency over node:http, p50, one connection: convoke", "≤ 100 µs", "70 µs (70 µs–70 µs)", true},
		{"throughput at 16 against node:http: convoke", "≥ 0.6 ×", "0.80 × (0.80 ×–0.80 ×)", true},
		{"throughput at 16 against functions-framework: convoke", "≥ 3 ×", "4.00 × (4.00 ×–4.00 ×)", true},
		{"throughput at 16, requests per second: convoke", "≥ 15,000", "24,000 (16,000–32,000)", true},
		{"added latency over node:http, p50, one connection: " + sharedLane, "≤ 100 µs", "failed", false},
		{"throughput at 16 against node:http: " + sharedLane, "≥ 0.6 ×", "failed", false},
		{"throughput at 16 against functions-framework: " + sharedLane, "≥ 3 ×", "failed", false},
		{"throughput at 16, requests per second: " + sharedLane, "≥ 15,000", "failed", false},
	}
	if diff := cmp.Diff(want, r.report.Goals); diff != "" {
		t.Error(diff)
	}
}

func TestColdReport(t *testing.T) {
	t.Parallel()
	ours := newServer("convoke", t.TempDir())
	systems := []system{&baseline{label: nodeLane}, ours}
	r := &runner{Config: Config{Rounds: 2}, systems: systems, convoke: ours, report: &Report{}}
	rows := make([]coldRow, 2)
	rows[0].oneP50 = Series{30e6, 40e6}
	rows[1] = coldRow{oneP50: Series{3e6, 4e6}, burstP50: Series{20e6, 20e6}, burstP99: Series{80e6, math.NaN()}}
	rows[0].one.Record(50 * time.Millisecond)
	rows[1].one.Record(12 * time.Millisecond)
	r.reportCold([][]Target{nil, make([]Target, 120)}, rows, 10)
	checkShape(t, r.report.Sections)
	want := [][]string{
		{nodeLane, "process start", "35.0 ms (30.0 ms–40.0 ms)", "50.0 ms", "", ""},
		{"convoke", "120", "3.50 ms (3.00 ms–4.00 ms)", "12.0 ms", "20.0 ms (20.0 ms–20.0 ms)", "failed"},
	}
	if diff := cmp.Diff(want, r.report.Sections[0].Rows); diff != "" {
		t.Error(diff)
	}
}

func TestScaleReport(t *testing.T) {
	t.Parallel()
	r := &runner{report: &Report{}}
	r.reportScale([]scaleRow{
		{functions: 100, ready: Series{90e6, 90e6}, start: Series{100e6, 100e6}, pss: Series{30 << 20, 30 << 20}, one: Series{80e3, 80e3}, some: Series{100e3, 100e3}, firsts: Series{3e6, 3e6}},
		{functions: 10_100, ready: Series{190e6, 190e6}, start: Series{200e6, 220e6}, pss: Series{50 << 20, 50 << 20}, one: Series{80e3, 80e3}, some: Series{110e3, math.NaN()}, firsts: Series{3e6, 3e6}},
	})
	checkShape(t, r.report.Sections)
	if got := r.report.Sections[0].Rows[1][5]; got != "failed" {
		t.Errorf("a series with a failed round shows %q", got)
	}
	want := Goal{"server's memory for each deployed idle function", "≤ 4 KiB", "2.05 KiB", true}
	if diff := cmp.Diff(want, r.report.Goals[len(r.report.Goals)-1]); diff != "" {
		t.Error(diff)
	}
}

func checkShape(t *testing.T, sections []Section) {
	t.Helper()
	for _, s := range sections {
		for _, row := range s.Rows {
			if len(row) != len(s.Columns) {
				t.Errorf("%s: row %q under columns %q", s.Title, row, s.Columns)
			}
		}
	}
}

func TestMustNotesFailures(t *testing.T) {
	t.Parallel()
	r := &runner{report: &Report{}}
	if got := r.must(1, nil, "fine"); got != 1 {
		t.Errorf("got %v, want 1", got)
	}
	if got := r.must(1, errors.New("refused"), "memory, convoke"); !math.IsNaN(got) {
		t.Errorf("got %v, want NaN", got)
	}
	if diff := cmp.Diff([]string{"memory, convoke: refused"}, r.report.Failures); diff != "" {
		t.Error(diff)
	}
}
