package convoke

import (
	"context"
	"encoding/json"
	"time"
)

// LogLevel is the level of a log entry, spelled as the reference does.
type LogLevel string

const (
	LevelDebug LogLevel = "Debug"
	LevelInfo  LogLevel = "Info"
	LevelWarn  LogLevel = "Warn"
	LevelError LogLevel = "Error"
)

// LogLevels are all levels, least serious first.
var LogLevels = []LogLevel{LevelDebug, LevelInfo, LevelWarn, LevelError}

// LogSource says who wrote an entry.
type LogSource string

const (
	SourceConsole  LogSource = "console"
	SourceStdout   LogSource = "stdout"
	SourceStderr   LogSource = "stderr"
	SourcePlatform LogSource = "platform" // Convoke itself: dropped entries, a worker's death
)

// LogSources lists the sources of log entries.
var LogSources = []LogSource{SourceConsole, SourceStdout, SourceStderr, SourcePlatform}

// LogEntry is one line that a function wrote, or that the platform wrote about it.
type LogEntry struct {
	Seq        int64 // set by the store, grows
	AccountID  string
	FunctionID string
	Version    int
	RequestID  string // "" when written outside an invocation
	Time       time.Time
	Level      LogLevel
	Source     LogSource
	Message    string
	Extras     json.RawMessage // a JSON array, never nil once stored
}

// LogFilter selects log entries of one account; empty members select all.
type LogFilter struct {
	FunctionID string
	Levels     []LogLevel
	From, To   time.Time // From inclusive, To exclusive
	Text       string    // substring of message or extras, case-insensitive
	RequestID  string
	AfterSeq   int64 // only entries with a greater Seq
	Limit      int   // at most so many; 0 is 500
	Ascending  bool  // oldest first; newest first otherwise
}

// LogStore keeps log entries.
type LogStore interface {
	// AppendLogs stores entries in one transaction and sets their Seq.
	AppendLogs(ctx context.Context, entries []LogEntry) error
	QueryLogs(ctx context.Context, accountID string, filter LogFilter) ([]LogEntry, error)
	// DeleteLogsBefore removes entries, invocations and calls older than t, and
	// counters of minutes and hours of the days that ended before it, at most
	// limit of each a call, and says how many went. Of those days reports only
	// know what each was in whole.
	DeleteLogsBefore(ctx context.Context, t time.Time, limit int) (int, error)
	// FillTotals adds one more hour that was counted before there were totals
	// of longer stretches to them, and reports whether there may be another.
	// Until then reports read minutes there, and DeleteLogsBefore takes none.
	FillTotals(ctx context.Context) (more bool, err error)
	// DeleteTotalsBefore removes what is known of the weeks, from Monday on,
	// that ended before t, likewise.
	DeleteTotalsBefore(ctx context.Context, t time.Time, limit int) (int, error)
}
