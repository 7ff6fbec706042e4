package schedule

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/adhocore/gronx"

	"convoke"
)

// maxCron is the length of an expression (spec/platform.md 3).
const maxCron = 120

// cronField is what one of the five fields may hold.
type cronField struct {
	name      string
	low, high int
	words     string // names of the values from low on, three letters each
}

var cronFields = [5]cronField{
	{name: "minute", high: 59},
	{name: "hour", high: 23},
	{name: "day of the month", low: 1, high: 31},
	{name: "month", low: 1, high: 12, words: "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"},
	{name: "day of the week", high: 7, words: "SUNMONTUEWEDTHUFRISAT"},
}

// cronItem is a value, or "*" or a range of values with or without a step.
var cronItem = regexp.MustCompile(strings.ReplaceAll(`^(?:(V)|(?:\*|(V)-(V))(?:/([0-9]{1,2}))?)$`, "V", `[0-9]{1,2}|[A-Z]{3}`))

// ParseCron returns an expression with single spaces between its five fields.
// It returns CodeValidation for one that is too long, has other fields or
// values, or never comes true, as on 30 February.
//
// The grammar is checked here because the library that computes the times has
// a wider one, with seconds, years and nicknames, and finds some mistakes only
// at the times that they concern.
func ParseCron(expr string) (string, error) {
	if len(expr) > maxCron {
		return "", convoke.Errorf(convoke.CodeValidation, "the cron expression has %d characters; at most %d are allowed", len(expr), maxCron)
	}
	fields := strings.Fields(expr)
	if len(fields) != len(cronFields) {
		return "", convoke.Errorf(convoke.CodeValidation,
			"the cron expression %q has %d fields; it takes five: minute, hour, day of the month, month, day of the week, as in %q for each weekday at 9", expr, len(fields), "0 9 * * 1-5")
	}
	for i, f := range cronFields {
		if !f.takes(strings.ToUpper(fields[i])) {
			return "", convoke.Errorf(convoke.CodeValidation,
				"%q cannot be the %s of a cron expression: use *, or */2 for every second, or numbers from %d to %d, ranges such as %d-%d, and lists of them with commas",
				fields[i], f.name, f.low, f.high, f.low, f.low+2)
		}
	}
	expr = strings.Join(fields, " ")
	if _, err := Next(expr, time.Now()); err != nil {
		return "", err
	}
	return expr, nil
}

// takes reports whether text may stand in the field. A star stands alone: in a
// list it would be a matter of taste whether the field is restricted.
func (f cronField) takes(text string) bool {
	items := strings.Split(text, ",")
	for _, item := range items {
		if !f.takesItem(item) || item[0] == '*' && len(items) > 1 {
			return false
		}
	}
	return true
}

func (f cronField) takesItem(item string) bool {
	m := cronItem.FindStringSubmatch(item)
	if m == nil {
		return false
	}
	from, to, step := f.low, f.high, 1
	ok, okTo := true, true
	if m[1] != "" {
		_, ok = f.value(m[1])
	}
	if m[2] != "" {
		from, ok = f.value(m[2])
		to, okTo = f.value(m[3])
	}
	if m[4] != "" {
		step, _ = strconv.Atoi(m[4]) // the pattern lets digits through only
	}
	return ok && okTo && from <= to && step > 0
}

// value is the number of a value that the field takes.
func (f cronField) value(text string) (int, bool) {
	if n, err := strconv.Atoi(text); err == nil {
		return n, n >= f.low && n <= f.high
	}
	at := strings.Index(f.words, text)
	return f.low + at/3, at >= 0 && at%3 == 0
}

// Next is the first time after after that an expression of ParseCron names, in
// UTC. When both the day of the month and the day of the week are restricted,
// either suffices, as cron has it. It returns CodeValidation for an expression
// that never comes true.
func Next(expr string, after time.Time) (time.Time, error) {
	at, err := gronx.NextTickAfter(expr, after.UTC(), false)
	if err != nil {
		// The library says no more than that it gave up.
		return time.Time{}, convoke.Errorf(convoke.CodeValidation, "the cron expression %q never comes true; check its day and month", expr)
	}
	return at, nil
}

// Preview returns the next count times that an expression names. It returns
// the errors of ParseCron.
func Preview(expr string, after time.Time, count int) ([]time.Time, error) {
	expr, err := ParseCron(expr)
	if err != nil {
		return nil, err
	}
	times := make([]time.Time, count)
	for i := range times {
		if after, err = Next(expr, after); err != nil {
			return nil, err
		}
		times[i] = after
	}
	return times, nil
}
