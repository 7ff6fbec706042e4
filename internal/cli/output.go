package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"convoke"
	"convoke/api"
)

// printJSON prints v to stdout, indented.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.Stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// table prints rows in columns; the first row is the header.
func (a *app) table(rows [][]string) error {
	w := tabwriter.NewWriter(a.Stdout, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			row[i] = oneLine(cell)
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

// oneLine keeps text of other people from breaking the table or steering the terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// tell says what was done, to people only: a script reads results.
func (a *app) tell(format string, args ...any) {
	if a.StderrTTY && !a.json {
		fmt.Fprintf(a.Stderr, format+"\n", args...)
	}
}

// note says something that scripts should see too.
func (a *app) note(format string, args ...any) { fmt.Fprintf(a.Stderr, format+"\n", args...) }

// confirm asks before something is lost. Where nobody can be asked, a script or
// a terminal whose questions go to a file, it must have been said before, by
// --yes: a redirection is no answer.
func (a *app) confirm(yes bool, format string, args ...any) error {
	if yes {
		return nil
	}
	if !a.StdinTTY || !a.StderrTTY {
		return &hinted{nobodyToAsk(), "--yes does it without a question"}
	}
	fmt.Fprintf(a.Stderr, format+" [y/N] ", args...)
	line, err := bufio.NewReader(io.LimitReader(a.Stdin, 100)).ReadString('\n')
	if err != nil && err != io.EOF {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return errors.New("not done")
}

func nobodyToAsk() error {
	return usagef("there is nobody to ask whether to go on; nothing was changed")
}

// problem prints a finding of the build with its line and a caret below it.
func (a *app) problem(p convoke.Problem) {
	fmt.Fprintf(a.Stderr, "%s:%d:%d: %s\n", p.File, p.Line, p.Column, p.Text)
	if p.LineText == "" {
		return
	}
	fmt.Fprintf(a.Stderr, "    %s\n    %s^\n", strings.TrimRight(p.LineText, "\r\n"), blankUpTo(p.LineText, p.Column))
}

// blankUpTo is as wide as the first column-1 characters of line, tabs included.
func blankUpTo(line string, column int) string {
	var b strings.Builder
	for i, r := range []rune(line) {
		if i >= column-1 {
			break
		}
		if r != '\t' {
			r = ' '
		}
		b.WriteRune(r)
	}
	return b.String()
}

// logLine prints a line that a function wrote to stderr.
func (a *app) logLine(l api.LogLine) {
	fmt.Fprintln(a.Stderr, formatLog(time.UnixMilli(l.Timestamp), l.Level, l.Message, l.Extras))
}

const logTime = "2006-01-02T15:04:05.000Z"

func formatLog(at time.Time, level, message string, extras json.RawMessage) string {
	line := fmt.Sprintf("%s %-5s %s", at.UTC().Format(logTime), level, visible(message))
	if e := bytes.TrimSpace(extras); len(e) > 0 && !bytes.Equal(e, []byte("[]")) && !bytes.Equal(e, []byte("null")) {
		line += " " + string(e)
	}
	return line
}

// visible shows control characters other than line ends and tabs: a log must
// not steer the terminal that shows it.
func visible(s string) string {
	if !strings.ContainsFunc(s, isControl) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if isControl(r) {
			fmt.Fprintf(&b, "\\x%02x", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func isControl(r rune) bool {
	return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0
}

func formatTime(t api.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
