package api

import (
	"encoding/json"

	"convoke"
)

// LogLine is a log entry as tests and errors carry it, with exactly the
// reference's members.
type LogLine struct {
	Level     string          `json:"level" enum:"logLevel"` // how important it is
	Message   string          `json:"message"`               // the text
	Extras    json.RawMessage `json:"extras"`                // an array of further values
	Timestamp int64           `json:"timestamp"`             // Unix milliseconds
}

// LogLines converts entries; nil becomes an empty list.
func LogLines(entries []convoke.LogEntry) []LogLine {
	lines := make([]LogLine, len(entries))
	for i, e := range entries {
		lines[i] = LogLine{Level: string(e.Level), Message: e.Message, Extras: extras(e.Extras), Timestamp: e.Time.UnixMilli()}
	}
	return lines
}

func extras(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("[]")
	}
	return raw
}

// LogEntry is one line of a function's log.
type LogEntry struct {
	ID           int64           `json:"id"`                      // grows; the "after" of the next query and the id of a stream's event
	FunctionUUID string          `json:"functionUuid"`            // of the function
	Version      int             `json:"version"`                 // of the function
	RequestID    string          `json:"requestId,omitempty"`     // of the invocation; absent: outside of one
	Timestamp    Time            `json:"timestamp,omitzero"`      // when it was written
	Level        string          `json:"level" enum:"logLevel"`   // how important it is
	Source       string          `json:"source" enum:"logSource"` // who wrote it
	Message      string          `json:"message"`                 // the text
	Extras       json.RawMessage `json:"extras"`                  // an array of further values
}

// NewLogEntry converts e.
func NewLogEntry(e convoke.LogEntry) LogEntry {
	return LogEntry{
		ID: e.Seq, FunctionUUID: e.FunctionID, Version: e.Version, RequestID: e.RequestID, Timestamp: Time{e.Time},
		Level: string(e.Level), Source: string(e.Source), Message: e.Message, Extras: extras(e.Extras),
	}
}
