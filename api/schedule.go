package api

import "encoding/json"

// Schedule invokes a function at the times that a cron expression names.
type Schedule struct {
	Tagged
	ID                   string         `json:"id"`
	FunctionUUID         string         `json:"functionUuid"`
	CronExpression       string         `json:"cronExpression"` // minute, hour, day of the month, month, day of the week; UTC
	IsActive             bool           `json:"isActive"`
	Description          string         `json:"description"`
	TimeZone             string         `json:"timeZone"`
	NextExecution        Time           `json:"nextExecution,omitzero"` // absent while it is not active
	LastExecution        Time           `json:"lastExecution,omitzero"` // absent before the first
	DidLastExecutionFail bool           `json:"didLastExecutionFail"`
	InvocationBody       InvocationBody `json:"invocationBody"`

	// Convoke's own.
	FunctionName  string `json:"functionName"`
	State         string `json:"state"`                   // active or paused
	Reason        string `json:"reason,omitempty"`        // why it is paused
	LastRequestID string `json:"lastRequestId,omitempty"` // finds the invocation and its log
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
	Headers map[string]string `json:"headers,omitempty"`
	Payload json.RawMessage   `json:"payload,omitempty"` // absent in a request: {}
}

// ScheduleRequest creates or changes a schedule. Absent members stay; a new
// schedule takes the default for them.
type ScheduleRequest struct {
	FunctionUUID string `json:"functionUuid,omitempty"` // of a new one; fixed from then on
	// LambdaUUID is what the tools of the reference call it, in both generations.
	LambdaUUID     string          `json:"lambdaUUID,omitempty"`
	CronExpression *string         `json:"cronExpression,omitempty"`
	IsActive       *bool           `json:"isActive,omitempty"` // default true
	Description    *string         `json:"description,omitempty"`
	TimeZone       *string         `json:"timeZone,omitempty"` // Etc/UTC
	InvocationBody *InvocationBody `json:"invocationBody,omitempty"`
}

// ScheduleV1 is a schedule for callers of the V1 dialect, with exactly these
// members.
type ScheduleV1 struct {
	UUID                 string `json:"uuid"`
	LambdaUUID           string `json:"lambdaUUID"`
	CronExpression       string `json:"cronExpression"`
	IsActive             bool   `json:"isActive"`
	NextExecution        Time   `json:"nextExecution"` // null while it is not active
	LastExecution        Time   `json:"lastExecution"` // null before the first
	DidLastExecutionFail bool   `json:"didLastExecutionFail"`
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
	DueAt      Time   `json:"dueAt"`
	State      string `json:"state"` // claimed, started, finished, missed
	Failed     bool   `json:"failed"`
	RequestID  string `json:"requestId,omitempty"`
	StartedAt  Time   `json:"startedAt,omitzero"`
	FinishedAt Time   `json:"finishedAt,omitzero"`
	Code       string `json:"code,omitempty"` // why it failed
	Message    string `json:"message,omitempty"`
}
