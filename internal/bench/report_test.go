package bench

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSeries(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		s    Series
		want string
	}{
		{Series{3, 1, 2}, "2.00 × (1.00 ×–3.00 ×)"},
		{Series{4, 1, 2, 3}, "2.50 × (1.00 ×–4.00 ×)"},
		{Series{5}, "5.00 ×"},
		{Series{}, "failed"},
		{Series{1, math.NaN(), 3}, "failed"},
		{Series{10, 20}.over(Series{5, 4}), "3.50 × (2.00 ×–5.00 ×)"},
		{Series{10, 20}.minus(Series{5, math.NaN()}), "failed"},
	} {
		if got := tc.s.cell(asRatio); got != tc.want {
			t.Errorf("%v: got %q, want %q", tc.s, got, tc.want)
		}
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ got, want string }{
		{asTime(0), "0 µs"}, {asTime(87_400), "87 µs"}, {asTime(-12_000), "−12 µs"},
		{asTime(1.234e6), "1.23 ms"}, {asTime(45.67e6), "45.7 ms"}, {asTime(456.7e6), "457 ms"}, {asTime(1.5e9), "1.50 s"},
		{asCount(0), "0"}, {asCount(999.4), "999"}, {asCount(1000), "1,000"}, {asCount(1234567), "1,234,567"}, {asCount(-123456), "-123,456"},
		{asRatio(0.614), "0.61 ×"}, {asRatio(12.34), "12.3 ×"}, {asPercent(0.934), "93.4 %"},
		{asBytes(512 << 10), "512 KiB"}, {asBytes(9.5 * (1 << 20)), "9.50 MiB"}, {asBytes(24105 << 20), "24,105 MiB"},
	} {
		if tc.got != tc.want {
			t.Errorf("got %q, want %q", tc.got, tc.want)
		}
	}
}

func sampleReport() *Report {
	r := &Report{
		Command: "convoke-bench -quick",
		Date:    time.Date(2026, 11, 23, 4, 5, 6, 0, time.UTC),
		Machine: Machine{Cores: 2, CPU: "Some CPU", Memory: 4 << 30, Kernel: "Linux 6.18", Go: "go1.26", Node: "v26.10.0", Workerd: "1.0", Framework: "5.0.5"},
		Rounds:  2, Round: time.Second,
		Sections: []Section{{
			Title: "Warm", Note: "Closed loop.",
			Columns: []string{"System", "p50"},
			Rows:    [][]string{{"node:http", "87 µs"}, {"a|b", "1.23 ms"}},
		}},
	}
	r.goal("added latency", "≤ 100 µs", Series{80e3, 90e3}, asTime, func(m float64) bool { return m <= 100e3 })
	r.goal("throughput", "≥ 15,000", Series{1000}, asCount, func(m float64) bool { return m >= 15000 })
	r.goal("memory", "≤ 12 MiB", Series{math.NaN()}, asBytes, func(float64) bool { return true })
	return r
}

func TestReportText(t *testing.T) {
	t.Parallel()
	r := sampleReport()
	r.failf("warm: %s", "status 500")
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	want := `Command: convoke-bench -quick
Date: 2026-11-23 04:05 UTC
Machine: 2 cores, Some CPU, 4,096 MiB of memory, Linux 6.18
Node v26.10.0, go1.26, workerd 1.0, functions-framework 5.0.5
2 interleaved rounds of 1s; a cell is the median (lowest–highest round)

Warm
  Closed loop.
  System     p50
  node:http  87 µs
  a|b        1.23 ms

Goals
  What           Goal      Measured             Met
  added latency  ≤ 100 µs  85 µs (80 µs–90 µs)  yes
  throughput     ≥ 15,000  1,000                no
  memory         ≤ 12 MiB  failed               no

FAILED: warm: status 500
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestReportMarkdown(t *testing.T) {
	t.Parallel()
	r := sampleReport()
	r.Goals = nil
	r.failf("warm: line one\nline two")
	var b strings.Builder
	if err := r.WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	want := `- Command: convoke-bench -quick
- Date: 2026-11-23 04:05 UTC
- Machine: 2 cores, Some CPU, 4,096 MiB of memory, Linux 6.18
- Node v26.10.0, go1.26, workerd 1.0, functions-framework 5.0.5
- 2 interleaved rounds of 1s; a cell is the median (lowest–highest round)

### Warm

Closed loop.

| System | p50 |
| --- | --- |
| node:http | 87 µs |
| a\|b | 1.23 ms |

### Failed

- warm: line one line two
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}
