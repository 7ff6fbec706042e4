package api

import "encoding/json"

// Schedule invokes a function at the times that a cron expression names.
type Schedule struct {
	Tagged
	ID                   string         `json:"id"`                     // what requests name it by
	FunctionUUID         string         `json:"functionUuid"`           // of the function
	CronExpression       string         `json:"cronExpression"`         // minute, hour, day of the month, month, day of the week; UTC
	IsActive             bool           `json:"isActive"`               // whether it runs
	Description          string         `json:"description"`            // what it is for
	TimeZone             string         `json:"timeZone"`               // that the expression is in: Etc/UTC
	NextExecution        Time           `json:"nextExecution,omitzero"` // absent while it is not active
	LastExecution        Time           `json:"lastExecution,omitzero"` // absent before the first
	DidLastExecutionFail bool           `json:"didLastExecutionFail"`   // whether the last run failed
	InvocationBody       InvocationBody `json:"invocationBody"`         // what the function gets

	// Convoke's own.
	FunctionName  string `json:"functionName"`               // of the function
	State         string `json:"state" enum:"scheduleState"` // whether it runs
	Reason        string `json:"reason,omitempty"`           // why it is paused
	LastRequestID string `json:"lastRequestId,omitempty"`    // finds the invocation and its log
	CreatedAt     Time   `json:"createdAt,omitzero"`
	CreatedBy     string `json:"createdBy"`
	UpdatedAt     Time   `json:"updatedAt,omitzero"`
	UpdatedBy     string `json:"updatedBy"`
	Upcoming      []Time `json:"upcoming,omitempty"` // the next five, in the answer for one schedule only
}

// States of a schedule on the wire.
const (
	ScheduleActive = "active"
	SchedulePaused = "paused"
)

// InvocationBody is what the function of a schedule gets.
type InvocationBody struct {
	Headers map[string]string `json:"headers,omitempty"` // what the function sees as input.headers
	Payload json.RawMessage   `json:"payload,omitempty"` // absent in a request: {}
}

// ScheduleRequest creates or changes a schedule. Absent members stay; a new
// schedule takes the default for them.
type ScheduleRequest struct {
	FunctionUUID   string          `json:"functionUuid,omitempty"`   // of a new one; fixed from then on
	LambdaUUID     string          `json:"lambdaUUID,omitempty"`     // the same, as the tools of the reference call it
	CronExpression *string         `json:"cronExpression,omitempty"` // minute, hour, day of the month, month, day of the week; UTC
	IsActive       *bool           `json:"isActive,omitempty"`       // default true
	Description    *string         `json:"description,omitempty"`    // what it is for
	TimeZone       *string         `json:"timeZone,omitempty"`       // Etc/UTC
	InvocationBody *InvocationBody `json:"invocationBody,omitempty"` // what the function gets
}

// ScheduleV1 is a schedule for callers of the V1 dialect, with exactly these
// members.
type ScheduleV1 struct {
	UUID                 string `json:"uuid"`                      // what requests name it by
	LambdaUUID           string `json:"lambdaUUID"`                // of the function
	CronExpression       string `json:"cronExpression"`            // minute, hour, day of the month, month, day of the week; UTC
	IsActive             bool   `json:"isActive"`                  // whether it runs
	NextExecution        Time   `json:"nextExecution" null:"true"` // null while it is not active
	LastExecution        Time   `json:"lastExecution" null:"true"` // null before the first
	DidLastExecutionFail bool   `json:"didLastExecutionFail"`      // whether the last run failed
	CreatedBy            string `json:"createdBy"`
}

// V1 translates the schedule into the older dialect.
func (s Schedule) V1() ScheduleV1 {
	return ScheduleV1{
		UUID: s.ID, LambdaUUID: s.FunctionUUID, CronExpression: s.CronExpression, IsActive: s.IsActive,
		NextExecution: s.NextExecution, LastExecution: s.LastExecution, DidLastExecutionFail: s.DidLastExecutionFail, CreatedBy: s.CreatedBy,
	}
}

// ScheduleRun is one time that a schedule was due.
type ScheduleRun struct {
	DueAt      Time   `json:"dueAt"`                 // when
	State      string `json:"state" enum:"runState"` // how far it is
	Failed     bool   `json:"failed"`                // whether it failed
	RequestID  string `json:"requestId,omitempty"`   // finds the invocation and its log
	StartedAt  Time   `json:"startedAt,omitzero"`    // when the function was invoked
	FinishedAt Time   `json:"finishedAt,omitzero"`   // when it ended
	Code       string `json:"code,omitempty"`        // why it failed
	Message    string `json:"message,omitempty"`     // why it failed, for people
}
