package convoke

import (
	"context"
	"time"
)

// CallOutcome is how an outbound call went.
type CallOutcome string

const (
	CallOK      CallOutcome = "ok"      // a connection was made; what the other side answered is in Status
	CallRefused CallOutcome = "refused" // the domain is not allowed, or its address is not a public one
	CallLimited CallOutcome = "limited" // too many calls at a time or per second
	CallFailed  CallOutcome = "failed"  // the name or the host did not answer
)

// CallOutcomes lists the outcomes of calls.
var CallOutcomes = []CallOutcome{CallOK, CallRefused, CallLimited, CallFailed}

// Call is the record of one outbound call that a function made: a request
// where its method and status are visible to the worker, a connection
// otherwise. It holds no path, header or body: those may be secret.
type Call struct {
	ID         int64 // ascending in order of writing; set by the store
	AccountID  string
	FunctionID string
	Version    int
	RequestID  string // of the invocation; "" outside of one
	At         time.Time
	Host       string
	Port       int
	Method     string // "" for a connection
	Status     int    // 0 when there was no answer, or none is visible
	Sent       int64  // bytes on the connection, with what the protocols add
	Received   int64
	Took       time.Duration
	Outcome    CallOutcome
	Detail     string // why, for people; "" when CallOK
}

// CallFilter selects calls. Zero members select all.
type CallFilter struct {
	FunctionID string
	RequestID  string
	Host       string
	Outcomes   []CallOutcome
	From, To   time.Time // inclusive, exclusive
	Before     int64     // ids below it, for paging
	Limit      int       // at most this many, newest first; the store caps it
}

// CallStore keeps the records of calls.
type CallStore interface {
	// AppendCalls stores calls in one transaction and sets their ids. They are
	// removed with the log (LogStore.DeleteLogsBefore).
	AppendCalls(ctx context.Context, calls []Call) error
	ListCalls(ctx context.Context, accountID string, f CallFilter) ([]Call, error)
}
