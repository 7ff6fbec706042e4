package api

import (
	"encoding/json"

	"convoke"
)

// LogLine is a log entry as tests and errors carry it, with exactly the
// reference's members.
type LogLine struct {
	Level     string          `json:"level"` // Debug, Info, Warn, Error
	Message   string          `json:"message"`
	Extras    json.RawMessage `json:"extras"`    // an array
	Timestamp int64           `json:"timestamp"` // Unix milliseconds
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
	ID           int64           `json:"id"` // grows; the "after" of the next query and the id of a stream's event
	FunctionUUID string          `json:"functionUuid"`
	Version      int             `json:"version"`
	RequestID    string          `json:"requestId,omitempty"`
	Timestamp    Time            `json:"timestamp,omitzero"`
	Level        string          `json:"level"`  // Debug, Info, Warn, Error
	Source       string          `json:"source"` // console, stdout, stderr, platform
	Message      string          `json:"message"`
	Extras       json.RawMessage `json:"extras"` // an array
}

// NewLogEntry converts e.
func NewLogEntry(e convoke.LogEntry) LogEntry {
	return LogEntry{
		ID: e.Seq, FunctionUUID: e.FunctionID, Version: e.Version, RequestID: e.RequestID, Timestamp: Time{e.Time},
		Level: string(e.Level), Source: string(e.Source), Message: e.Message, Extras: extras(e.Extras),
	}
}
