package build

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/evanw/esbuild/pkg/api"

	"convoke"
)

// What a build reports is bounded: a source of one line would otherwise be
// repeated with each of its problems.
const (
	maxProblems = 20
	maxText     = 400 // characters of a problem's text, and of its line
)

// problems are esbuild's messages in the developer's own files, in their order
// in the files, at most maxProblems.
func (m *modules) problems(messages []api.Message) []convoke.Problem {
	var out []convoke.Problem
	for _, msg := range messages {
		out = append(out, m.problem(msg))
	}
	slices.SortStableFunc(out, func(a, b convoke.Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Text, b.Text))
	})
	out = slices.Compact(out)
	return out[:min(len(out), maxProblems)]
}

func (m *modules) problem(msg api.Message) convoke.Problem {
	p := convoke.Problem{File: m.entry, Line: 1, Column: 1, Text: m.text(msg)}
	if l := msg.Location; l != nil {
		p.File = strings.TrimPrefix(l.File, namespace+":")
		p.Line = l.Line
		p.Column = 1 + utf16Length(l.LineText[:min(l.Column, len(l.LineText))])
		p.LineText = cut(l.LineText)
	}
	return p
}

// text is the message with those of its notes that point into the source; the
// others speak of options of the compiler.
func (m *modules) text(msg api.Message) string {
	if strings.HasPrefix(msg.Text, "panic: ") {
		// esbuild turns a bug of its own into a message with a stack.
		return "the compiler failed on this code; simplify it"
	}
	text := msg.Text
	for _, n := range msg.Notes {
		if n.Location != nil && !strings.Contains(n.Text, "was triggered by this import") {
			text += fmt.Sprintf("; %s line %d", strings.TrimSuffix(n.Text, ":"), n.Location.Line)
		}
	}
	return cut(strings.ReplaceAll(text, `"`+namespace+":", `"`))
}

// utf16Length is the length of s as editors and source maps count it.
func utf16Length(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

func cut(s string) string {
	if utf8.RuneCountInString(s) <= maxText {
		return s
	}
	return string([]rune(s)[:maxText-1]) + "…"
}
