package runlog

import (
	"cmp"
	"encoding/csv"
	"io"
	"net/http"

	"convoke"
)

var csvHeader = []string{"lambdaUUID", "requestID", "timestamp", "level", "message", "extras"}

// WriteCSV writes entries as the reference exports them (spec/platform.md 10):
// separated by semicolons, times in the form of HTTP dates, extras as JSON.
func WriteCSV(w io.Writer, entries []convoke.LogEntry) error {
	out := csv.NewWriter(w)
	out.Comma = ';'
	if err := out.Write(csvHeader); err != nil {
		return err
	}
	for _, e := range entries {
		row := []string{e.FunctionID, e.RequestID, e.Time.UTC().Format(http.TimeFormat), string(e.Level), e.Message, cmp.Or(string(e.Extras), "[]")}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
