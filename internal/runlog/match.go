package runlog

import (
	"slices"
	"strings"

	"convoke"
)

// Match reports whether e is selected by f, as the store's query would say.
// The account, the limit and the order are not looked at.
func Match(f *convoke.LogFilter, e *convoke.LogEntry) bool {
	switch {
	case f.AfterSeq > 0 && e.Seq <= f.AfterSeq,
		f.FunctionID != "" && e.FunctionID != f.FunctionID,
		f.RequestID != "" && e.RequestID != f.RequestID,
		len(f.Levels) > 0 && !slices.Contains(f.Levels, e.Level),
		!f.From.IsZero() && e.Time.Before(f.From),
		!f.To.IsZero() && !e.Time.Before(f.To):
		return false
	}
	if f.Text == "" {
		return true
	}
	text := strings.ToLower(f.Text)
	return strings.Contains(strings.ToLower(e.Message), text) || strings.Contains(strings.ToLower(string(e.Extras)), text)
}
