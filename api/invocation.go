package api

import (
	"encoding/json"

	"convoke"
)

// InvokeRequest is the body of an invocation and of a test.
type InvokeRequest struct {
	Timestamp int64           `json:"timestamp,omitempty"` // Unix milliseconds, set by the caller
	Headers   []Header        `json:"headers,omitempty"`   // what the function sees as input.headers
	Payload   json.RawMessage `json:"payload"`             // any JSON
}

// Header is one header that the function sees in input.headers.
type Header struct {
	Key   string `json:"key"`   // its name
	Value string `json:"value"` // its value
}

// EventResult is what one function answered to an invocation by event. It has
// exactly these members: a client of the reference refuses others.
type EventResult struct {
	UUID      string          `json:"uuid"`      // of the function
	Timestamp int64           `json:"timestamp"` // Unix milliseconds
	Result    json.RawMessage `json:"result"`    // what it returned, any JSON
}

// Implemented says whether a deployed function listens to an event. It has
// exactly this member.
type Implemented struct {
	Implemented bool `json:"implemented"` // whether a deployed function listens
}

// TestResponse is the outcome of a test invocation, with all its log lines.
type TestResponse struct {
	Result json.RawMessage `json:"result"` // what the function returned, any JSON
	Logs   []LogLine       `json:"logs"`   // what it logged
}

// Invocation is the record of one run.
type Invocation struct {
	RequestID       string       `json:"requestId"`              // finds what it logged
	FunctionUUID    string       `json:"functionUuid"`           // of the function
	Version         int          `json:"version"`                // of the function
	EventID         string       `json:"eventId,omitempty"`      // the event that invoked it; absent: called by uuid
	Caller          string       `json:"caller,omitempty"`       // how the caller named itself
	StartedAt       Time         `json:"startedAt,omitzero"`     // when it came in
	WaitMs          float64      `json:"waitMs"`                 // until an instance was free, without the cold start
	Cold            bool         `json:"cold"`                   // whether an instance was started for it
	ColdStartMs     float64      `json:"coldStartMs"`            // what that took, in milliseconds
	DurationMs      float64      `json:"durationMs"`             // how long the function ran, in milliseconds
	CPUMs           float64      `json:"cpuMs"`                  // processor time of the instance meanwhile, in milliseconds
	PeakMemoryBytes int64        `json:"peakMemoryBytes"`        // of the instance
	PayloadBytes    int          `json:"payloadBytes"`           // of the body
	ResultBytes     int          `json:"resultBytes"`            // of the result as JSON
	Outcome         string       `json:"outcome" enum:"outcome"` // how it ended
	Code            convoke.Code `json:"code,omitempty"`         // why it did not succeed
}

// InvocationReport is the histogram of one function.
type InvocationReport struct {
	UUID                 string                 `json:"uuid"`                 // of the function
	InvocationStatistics []InvocationStatistics `json:"invocationStatistics"` // at least one bucket, oldest first
}

// InvocationStatistics is one bucket of a histogram. The order of the members
// is part of the contract: the command line prints them as columns.
type InvocationStatistics struct {
	From            int64 `json:"from"`             // Unix milliseconds, inclusive
	To              int64 `json:"to"`               // Unix milliseconds, exclusive
	Unknown         int64 `json:"UNKNOWN"`          // invocations whose end is not known
	Succeeded       int64 `json:"SUCCEEDED"`        // invocations that succeeded
	CodingFailure   int64 `json:"CODING_FAILURE"`   // invocations that the function's code failed
	PlatformFailure int64 `json:"PLATFORM_FAILURE"` // invocations that the server failed or refused
	Timeout         int64 `json:"TIMEOUT"`          // invocations that ran into the time-out
}

// InvocationCount sums up one function's invocations of a span of time.
type InvocationCount struct {
	FunctionUUID          string `json:"functionUuid"`          // of the function
	SuccessfulInvocations int64  `json:"successfulInvocations"` // how many succeeded
	FailedInvocations     int64  `json:"failedInvocations"`     // how many did not
}
