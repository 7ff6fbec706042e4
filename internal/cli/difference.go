package cli

import (
	"fmt"
	"strings"
)

// printDiff prints a unified diff, coloured on a terminal.
func (a *app) printDiff(indent, text string) {
	coloured := a.colours()
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if code := diffColour(line); coloured && code != "" {
			line = "\x1b[" + code + "m" + line + "\x1b[0m"
		}
		fmt.Fprintln(a.Stdout, indent+line)
	}
}

// colours reports whether stdout takes them; https://no-color.org.
func (a *app) colours() bool {
	return a.StdoutTTY && a.Env["NO_COLOR"] == "" && a.Env["TERM"] != "dumb"
}

func diffColour(line string) string {
	switch {
	case strings.HasPrefix(line, "--- "), strings.HasPrefix(line, "+++ "):
		return "1" // bold
	case strings.HasPrefix(line, "@@ "):
		return "36" // cyan
	case strings.HasPrefix(line, "-"):
		return "31" // red
	case strings.HasPrefix(line, "+"):
		return "32" // green
	}
	return ""
}
