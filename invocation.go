package convoke

import (
	"context"
	"time"
)

// Outcome is how an invocation ended, in the words of the reference's
// histogram (spec/platform.md 11.2).
type Outcome string

const (
	OutcomeSucceeded       Outcome = "SUCCEEDED"
	OutcomeCodingFailure   Outcome = "CODING_FAILURE"
	OutcomePlatformFailure Outcome = "PLATFORM_FAILURE"
	OutcomeTimeout         Outcome = "TIMEOUT"
	OutcomeUnknown         Outcome = "UNKNOWN"
)

// Outcomes lists the outcomes, in the order of a histogram's columns.
var Outcomes = []Outcome{OutcomeUnknown, OutcomeSucceeded, OutcomeCodingFailure, OutcomePlatformFailure, OutcomeTimeout}

// OutcomeOf classifies an invocation's error.
func OutcomeOf(code Code) Outcome {
	switch code {
	case "":
		return OutcomeSucceeded
	case CodeThrew, CodeRuntimeError, CodeLimitReached:
		return OutcomeCodingFailure
	case CodeTimeout:
		return OutcomeTimeout
	default:
		return OutcomePlatformFailure
	}
}

// Invocation is the record of one run.
type Invocation struct {
	RequestID    string
	AccountID    string
	FunctionID   string
	Version      int
	EventID      string // "" when called by uuid
	Caller       string // LP-EventSource, externalSystem or ""
	StartedAt    time.Time
	Wait         time.Duration // until an instance was free; without the cold start
	Cold         bool
	ColdStart    time.Duration // zero unless Cold
	Run          time.Duration // from the instance receiving the event to its answer
	CPU          time.Duration // of the instance meanwhile; shared when it runs several at a time
	PeakMemory   int64         // bytes resident, highest of the instance so far
	PayloadBytes int
	ResultBytes  int
	Outcome      Outcome
	Code         Code // "" on success
}

// InvocationFilter selects invocations of one function, newest first.
type InvocationFilter struct {
	FunctionID string
	From, To   time.Time
	Outcomes   []Outcome
	RequestID  string
	Limit      int // 0 is 100
}

// Counter is what happened to one function in one minute.
type Counter struct {
	AccountID  string
	FunctionID string
	Minute     time.Time // start of the minute, UTC
	Succeeded  int64
	Coding     int64
	Platform   int64
	Timeout    int64
	Unknown    int64
	Cold       int64
	Run        time.Duration // sum
	CPU        time.Duration // sum
}

// Total is the number of invocations.
func (c Counter) Total() int64 { return c.Succeeded + c.Coding + c.Platform + c.Timeout + c.Unknown }

// InvocationStore keeps invocation records and counters.
type InvocationStore interface {
	// AppendInvocations stores records and adds counters to what is there
	// for the same function and minute, all in one transaction.
	AppendInvocations(ctx context.Context, records []Invocation, counters []Counter) error
	QueryInvocations(ctx context.Context, accountID string, filter InvocationFilter) ([]Invocation, error)
	// SumCountersByTime adds up the counters of a function, or of all functions
	// of the account with functionID "", for each stretch of width from from
	// to to in which there was something, in order of time; Minute is its
	// start. A minute belongs to the stretch in which it begins; the one that
	// from cuts belongs to the first. A day of which DeleteLogsBefore took the
	// minutes belongs in whole to the stretch in which it begins.
	SumCountersByTime(ctx context.Context, accountID, functionID string, from, to time.Time, width time.Duration) ([]Counter, error)
	// SumCountersByFunction adds up the counters of each function of the
	// account from from, with the minute that it cuts, to to, in order of
	// function; Minute is from. Days are as in SumCountersByTime.
	SumCountersByFunction(ctx context.Context, accountID string, from, to time.Time) ([]Counter, error)
}
