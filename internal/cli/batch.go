package cli

import (
	"fmt"
	"strconv"

	"convoke/api"
)

// outcomeOf says what became of one thing of several.
type outcomeOf struct {
	Name    string     `json:"name"`
	Result  string     `json:"result"`
	Version int        `json:"version,omitempty"`
	State   string     `json:"state,omitempty"`
	UUID    string     `json:"uuid,omitempty"`
	Diff    string     `json:"diff,omitempty"`
	Error   *api.Error `json:"error,omitempty"`

	err error
}

// resultFailed is the result of what did not work; all others are fine.
const resultFailed = "failed"

func (o *outcomeOf) fail(err error) {
	e := shown(err)
	body := api.NewError(e, "")
	o.Result, o.Error, o.err = resultFailed, &body, err
}

// failure is the outcome of one thing that failed.
func failure(name string, err error) *outcomeOf {
	o := &outcomeOf{Name: name}
	o.fail(err)
	return o
}

// of takes over what the server says of a function.
func (o *outcomeOf) of(fn *api.Function) {
	o.UUID, o.State, o.Version = fn.UUID, fn.State, fn.LatestVersion
}

// severalError is the failure of some things of several; each was told
// already. Its exit code is that of the first.
type severalError struct {
	message string
	first   error
}

func (e *severalError) Error() string { return e.message }

// changesError says by the exit code that a plan holds changes.
type changesError struct{ n int }

func (e *changesError) Error() string { return count(e.n, "change") + " would be made" }

// finish prints the outcomes and returns the error of the whole command.
func (a *app) finish(all []*outcomeOf, what string) error {
	var failed []*outcomeOf
	for _, o := range all {
		if o.err != nil {
			failed = append(failed, o)
		}
	}
	switch {
	case a.json:
		if err := a.printJSON(all); err != nil {
			return err
		}
	case len(all) == 1 && len(failed) == 1: // the error says it all
	default:
		rows := [][]string{{"NAME", "RESULT", "VERSION", "STATE"}}
		for _, o := range all {
			version := "-"
			if o.Version > 0 {
				version = strconv.Itoa(o.Version)
			}
			rows = append(rows, []string{o.Name, o.Result, version, orDash(o.State)})
		}
		if err := a.table(rows); err != nil {
			return err
		}
	}
	return a.several(failed, len(all), what)
}

// several tells what failed, unless it is the only thing there was: then its
// error is that of the command.
func (a *app) several(failed []*outcomeOf, of int, what string) error {
	if len(failed) == 0 {
		return nil
	}
	if of == 1 {
		return failed[0].err
	}
	if !a.json {
		for _, o := range failed {
			a.tellFailure(o.Name, o.err)
		}
	}
	return &severalError{fmt.Sprintf("%d of %d %s", len(failed), of, what), failed[0].err}
}

// tellFailure prints the error of one of several things.
func (a *app) tellFailure(name string, err error) {
	e := shown(err)
	for _, p := range e.Problems {
		a.problem(p)
	}
	a.note("%s: %s", name, visible(e.Message))
	if e.Code != "" {
		a.note("  code: %s", e.Code)
	}
	if h := hint(err); h != "" {
		a.note("  hint: %s", h)
	}
}

// agree is confirm for what a plan shows: with --json it was not shown, so
// nobody is asked either.
func (a *app) agree(yes bool, format string, args ...any) error {
	if !yes && (a.json || !a.StdinTTY || !a.StderrTTY) {
		return &hinted{nobodyToAsk(), "--yes goes on without a question, --plan only shows what would change"}
	}
	return a.confirm(yes, format, args...)
}

// count is "1 function" or "3 functions".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
