package api

import (
	"encoding/json"

	"convoke"
)

// InvokeRequest is the body of an invocation and of a test.
type InvokeRequest struct {
	Timestamp int64           `json:"timestamp,omitempty"` // Unix milliseconds, set by the caller
	Headers   []Header        `json:"headers,omitempty"`
	Payload   json.RawMessage `json:"payload"` // any JSON
}

// Header is one header that the function sees in input.headers.
type Header struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// EventResult is what one function answered to an invocation by event. It has
// exactly these members: a client of the reference refuses others.
type EventResult struct {
	UUID      string          `json:"uuid"`
	Timestamp int64           `json:"timestamp"` // Unix milliseconds
	Result    json.RawMessage `json:"result"`
}

// Implemented says whether a deployed function listens to an event. It has
// exactly this member.
type Implemented struct {
	Implemented bool `json:"implemented"`
}

// TestResponse is the outcome of a test invocation, with all its log lines.
type TestResponse struct {
	Result json.RawMessage `json:"result"`
	Logs   []LogLine       `json:"logs"`
}

// Invocation is the record of one run.
type Invocation struct {
	RequestID       string       `json:"requestId"`
	FunctionUUID    string       `json:"functionUuid"`
	Version         int          `json:"version"`
	EventID         string       `json:"eventId,omitempty"`
	Caller          string       `json:"caller,omitempty"`
	StartedAt       Time         `json:"startedAt,omitzero"`
	WaitMs          float64      `json:"waitMs"` // until an instance was free, without the cold start
	Cold            bool         `json:"cold"`
	ColdStartMs     float64      `json:"coldStartMs"`
	DurationMs      float64      `json:"durationMs"`
	CPUMs           float64      `json:"cpuMs"`
	PeakMemoryBytes int64        `json:"peakMemoryBytes"`
	PayloadBytes    int          `json:"payloadBytes"`
	ResultBytes     int          `json:"resultBytes"`
	Outcome         string       `json:"outcome"`
	Code            convoke.Code `json:"code,omitempty"`
}

// InvocationReport is the histogram of one function.
type InvocationReport struct {
	UUID                 string                 `json:"uuid"`
	InvocationStatistics []InvocationStatistics `json:"invocationStatistics"` // at least one bucket, oldest first
}

// InvocationStatistics is one bucket of a histogram. The order of the members
// is part of the contract: the command line prints them as columns.
type InvocationStatistics struct {
	From            int64 `json:"from"` // Unix milliseconds, inclusive
	To              int64 `json:"to"`   // Unix milliseconds, exclusive
	Unknown         int64 `json:"UNKNOWN"`
	Succeeded       int64 `json:"SUCCEEDED"`
	CodingFailure   int64 `json:"CODING_FAILURE"`
	PlatformFailure int64 `json:"PLATFORM_FAILURE"`
	Timeout         int64 `json:"TIMEOUT"`
}

// InvocationCount sums up one function's invocations of a span of time.
type InvocationCount struct {
	FunctionUUID          string `json:"functionUuid"`
	SuccessfulInvocations int64  `json:"successfulInvocations"`
	FailedInvocations     int64  `json:"failedInvocations"`
}
