package api

import (
	"time"

	"convoke"
)

// Call is the record of one outbound call that a function made: a request
// where its method and status are visible, a connection otherwise.
type Call struct {
	ID            int64   `json:"id"`                         // grows; the "before" of the next page
	FunctionUUID  string  `json:"functionUuid"`               // which function made it
	Version       int     `json:"version"`                    // of the function
	RequestID     string  `json:"requestId,omitempty"`        // of the invocation
	At            Time    `json:"at,omitzero"`                // when it began
	Host          string  `json:"host"`                       // as the function names it
	Port          int     `json:"port"`                       // of the host
	Method        string  `json:"method,omitempty"`           // absent for a connection
	Status        int     `json:"status,omitempty"`           // absent when there was no answer, or none is visible
	SentBytes     int64   `json:"sentBytes"`                  // by the function
	ReceivedBytes int64   `json:"receivedBytes"`              // by the function
	DurationMs    float64 `json:"durationMs"`                 // how long it took, in milliseconds
	Outcome       string  `json:"outcome" enum:"callOutcome"` // how it went
	Detail        string  `json:"detail,omitempty"`           // why it is not ok
}

// NewCall converts c.
func NewCall(c convoke.Call) Call {
	return Call{
		ID: c.ID, FunctionUUID: c.FunctionID, Version: c.Version, RequestID: c.RequestID, At: Time{c.At},
		Host: c.Host, Port: c.Port, Method: c.Method, Status: c.Status, SentBytes: c.Sent, ReceivedBytes: c.Received,
		DurationMs: float64(c.Took) / float64(time.Millisecond), Outcome: string(c.Outcome), Detail: c.Detail,
	}
}
