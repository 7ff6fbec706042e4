package bench

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Series holds one figure per round. NaN marks a round that failed.
type Series []float64

// failed reports whether a round is missing, which spoils the whole series.
func (s Series) failed() bool { return len(s) == 0 || slices.ContainsFunc(s, math.IsNaN) }

// Median is the middle round, or the mean of the two in the middle; NaN when
// a round failed.
func (s Series) Median() float64 {
	if s.failed() {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// over divides round by round, so that both figures come from the same minute.
func (s Series) over(o Series) Series {
	return combine(s, o, func(a, b float64) float64 { return a / b })
}

// minus subtracts round by round.
func (s Series) minus(o Series) Series {
	return combine(s, o, func(a, b float64) float64 { return a - b })
}

func combine(a, b Series, f func(a, b float64) float64) Series {
	out := make(Series, min(len(a), len(b)))
	for i := range out {
		out[i] = f(a[i], b[i])
	}
	return out
}

// cell shows the median and, of more than one round, lowest and highest.
func (s Series) cell(format func(float64) string) string {
	switch {
	case s.failed():
		return "failed"
	case len(s) == 1:
		return format(s[0])
	default:
		return fmt.Sprintf("%s (%s–%s)", format(s.Median()), format(slices.Min(s)), format(slices.Max(s)))
	}
}

// Figures in cells: nanoseconds, numbers per second, ratios, bytes.

func asTime(ns float64) string {
	d, sign := time.Duration(math.Abs(ns)), ""
	if ns < 0 {
		sign = "−"
	}
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%s%d µs", sign, d.Round(time.Microsecond).Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%s%s ms", sign, significant(float64(d)/1e6))
	default:
		return fmt.Sprintf("%s%s s", sign, significant(float64(d)/1e9))
	}
}

func asCount(n float64) string {
	digits := strconv.FormatInt(int64(math.Round(n)), 10)
	var b strings.Builder
	for i, r := range digits {
		if i > 0 && r != '-' && digits[i-1] != '-' && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func asRatio(r float64) string { return significant(r) + " ×" }

func asPercent(r float64) string { return significant(100*r) + " %" }

func asBytes(n float64) string {
	if math.Abs(n) < 1<<20 {
		return significant(n/(1<<10)) + " KiB"
	}
	return significant(n/(1<<20)) + " MiB"
}

// significant rounds to three digits, but never before the point.
func significant(x float64) string {
	switch a := math.Abs(x); {
	case a < 9.995:
		return strconv.FormatFloat(x, 'f', 2, 64)
	case a < 99.95:
		return strconv.FormatFloat(x, 'f', 1, 64)
	default:
		return asCount(x)
	}
}

// Section is one table of the report.
type Section struct {
	Title   string
	Note    string // how it was measured
	Columns []string
	Rows    [][]string
}

// Goal is a figure that the project has promised (design, section 9).
type Goal struct {
	What, Goal, Measured string
	Met                  bool
}

// Report is everything that one run found.
type Report struct {
	Command  string
	Date     time.Time
	Machine  Machine
	Rounds   int
	Round    time.Duration
	Sections []Section
	Goals    []Goal
	Failures []string
}

// goal adds a promised figure that a series either keeps or not.
func (r *Report) goal(what, goal string, s Series, format func(float64) string, met func(median float64) bool) {
	r.Goals = append(r.Goals, Goal{what, goal, s.cell(format), !s.failed() && met(s.Median())})
}

// failf notes a measurement that came to nothing.
func (r *Report) failf(format string, args ...any) {
	r.Failures = append(r.Failures, fmt.Sprintf(format, args...))
}

func (r *Report) facts() []string {
	m := r.Machine
	return []string{
		"Command: " + r.Command,
		"Date: " + r.Date.UTC().Format("2006-01-02 15:04 UTC"),
		fmt.Sprintf("Machine: %d cores, %s, %s of memory, %s", m.Cores, m.CPU, asBytes(float64(m.Memory)), m.Kernel),
		fmt.Sprintf("Node %s, %s, workerd %s, functions-framework %s", m.Node, m.Go, m.Workerd, m.Framework),
		fmt.Sprintf("%d interleaved rounds of %v; a cell is the median (lowest–highest round)", r.Rounds, r.Round),
	}
}

func (r *Report) goalSection() Section {
	s := Section{Title: "Goals", Columns: []string{"What", "Goal", "Measured", "Met"}}
	for _, g := range r.Goals {
		met := "no"
		if g.Met {
			met = "yes"
		}
		s.Rows = append(s.Rows, []string{g.What, g.Goal, g.Measured, met})
	}
	return s
}

func (r *Report) sections() []Section {
	if len(r.Goals) == 0 {
		return r.Sections
	}
	return append(slices.Clone(r.Sections), r.goalSection())
}

// WriteText writes the report for a terminal.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	for _, fact := range r.facts() {
		fmt.Fprintln(&b, fact)
	}
	for _, s := range r.sections() {
		fmt.Fprintf(&b, "\n%s\n", s.Title)
		if s.Note != "" {
			fmt.Fprintf(&b, "  %s\n", s.Note)
		}
		widths := s.widths()
		for _, row := range append([][]string{s.Columns}, s.Rows...) {
			b.WriteString(" ")
			for i, cell := range row {
				b.WriteString(" " + cell)
				if i < len(row)-1 {
					b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+1))
				}
			}
			b.WriteByte('\n')
		}
	}
	for _, f := range r.Failures {
		fmt.Fprintf(&b, "\nFAILED: %s\n", f)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// widths are the columns' widths in characters.
func (s Section) widths() []int {
	widths := make([]int, len(s.Columns))
	for _, row := range append([][]string{s.Columns}, s.Rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

// WriteMarkdown writes the report as a fragment for a document.
func (r *Report) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	for _, fact := range r.facts() {
		fmt.Fprintf(&b, "- %s\n", fact)
	}
	for _, s := range r.sections() {
		fmt.Fprintf(&b, "\n### %s\n\n", s.Title)
		if s.Note != "" {
			fmt.Fprintf(&b, "%s\n\n", s.Note)
		}
		markdownRow(&b, s.Columns)
		markdownRow(&b, slices.Repeat([]string{"---"}, len(s.Columns)))
		for _, row := range s.Rows {
			markdownRow(&b, row)
		}
	}
	if len(r.Failures) > 0 {
		b.WriteString("\n### Failed\n\n")
		for _, f := range r.Failures {
			fmt.Fprintf(&b, "- %s\n", strings.ReplaceAll(f, "\n", " "))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func markdownRow(b *strings.Builder, cells []string) {
	for _, c := range cells {
		b.WriteString("| " + cmp.Or(strings.NewReplacer("|", `\|`, "\n", " ").Replace(c), " ") + " ")
	}
	b.WriteString("|\n")
}
