package convoke

import (
	"context"
	"encoding/json"
	"time"
)

// TimeZoneUTC is the time zone that schedules are computed in.
const TimeZoneUTC = "Etc/UTC"

// Schedule invokes a function at the times that a cron expression names
// (spec/platform.md 8). A function may have several.
type Schedule struct {
	ID          string // UUID
	AccountID   string
	FunctionID  string // fixed at creation
	Cron        string // five fields, separated by single spaces
	TimeZone    string // TimeZoneUTC
	Active      bool
	Description string
	Headers     map[string]string
	Payload     json.RawMessage
	// NextAt is when it is due next; zero while it is not active.
	NextAt time.Time
	// LastAt is when the last run was due, zero before the first;
	// LastRequestID is that run's invocation, LastFailed how it ended.
	LastAt        time.Time
	LastRequestID string
	LastFailed    bool
	CreatedAt     time.Time
	CreatedBy     string
	UpdatedAt     time.Time
	UpdatedBy     string
}

const (
	maxScheduleDescription = 200
	maxSchedulePayload     = 15_000 // characters
	maxScheduleHeaders     = 50
	maxHeaderKey           = 100
	maxHeaderValue         = 1000
)

// Validate checks everything but the cron expression, which is package
// schedule's to read. It returns CodeValidation.
func (s *Schedule) Validate() error {
	switch {
	case s.TimeZone != TimeZoneUTC:
		return Errorf(CodeValidation, "schedules run in the time zone %s only, not in %.60q; leave timeZone out and write the times in UTC", TimeZoneUTC, s.TimeZone)
	case len([]rune(s.Description)) > maxScheduleDescription:
		return Errorf(CodeValidation, "the description has %d characters; at most %d are allowed", len([]rune(s.Description)), maxScheduleDescription)
	case len([]rune(string(s.Payload))) > maxSchedulePayload:
		return Errorf(CodeValidation, "the payload has %d characters; at most %d are allowed", len([]rune(string(s.Payload))), maxSchedulePayload)
	case !json.Valid(s.Payload):
		return Errorf(CodeValidation, "the payload is not valid JSON")
	case len(s.Headers) > maxScheduleHeaders:
		return Errorf(CodeValidation, "the invocation has %d headers; at most %d are allowed", len(s.Headers), maxScheduleHeaders)
	}
	for key, value := range s.Headers {
		if key == "" || len(key) > maxHeaderKey || len(value) > maxHeaderValue {
			return Errorf(CodeValidation, "the header %.40q must have a name of 1 to %d characters and a value of at most %d", key, maxHeaderKey, maxHeaderValue)
		}
	}
	return nil
}

// RunState is how far a run of a schedule is:
//
//	due ─► claimed ─► started ─► finished
//	  └──► missed
//
// A run is claimed and the schedule moved on in one transaction, so that a due
// time is claimed once. It is started just before its function is invoked. A
// server that finds a claimed run at its start starts it; one that finds a
// started run finishes it as failed, because the function may have run
// (docs/adr/0013).
type RunState string

const (
	RunClaimed  RunState = "claimed"
	RunStarted  RunState = "started"
	RunFinished RunState = "finished"
	RunMissed   RunState = "missed" // it was due while no server ran
)

// RunStates lists the states of runs.
var RunStates = []RunState{RunClaimed, RunStarted, RunFinished, RunMissed}

// ScheduleRun is one time that a schedule was due.
type ScheduleRun struct {
	AccountID  string
	ScheduleID string
	DueAt      time.Time // unique in the schedule
	State      RunState
	RequestID  string // of the invocation; "" for a missed one
	ClaimedAt  time.Time
	StartedAt  time.Time
	FinishedAt time.Time
	Code       Code   // why it failed; "" while it has not
	Message    string // for people; "" while it has not failed
}

// ScheduleStore keeps schedules and their runs.
type ScheduleStore interface {
	// CreateSchedule adds s; CodeLimitExceeded when the account has limit
	// schedules already, CodeNotFound when there is no such function.
	CreateSchedule(ctx context.Context, s *Schedule, limit int) error
	// FindSchedule returns CodeNotFound when there is none.
	FindSchedule(ctx context.Context, accountID, id string) (*Schedule, error)
	// ListSchedules returns an account's schedules, or with functionID those of
	// one function, the oldest first.
	ListSchedules(ctx context.Context, accountID, functionID string) ([]*Schedule, error)
	// UpdateSchedule runs change on the stored schedule inside one write
	// transaction and stores what it leaves. An error from change is returned
	// as it is and nothing is stored. CodeNotFound when there is none.
	UpdateSchedule(ctx context.Context, accountID, id string, change func(*Schedule) error) (*Schedule, error)
	// DeleteSchedule removes a schedule with its runs; CodeNotFound when there
	// is none. A function takes its schedules with it.
	DeleteSchedule(ctx context.Context, accountID, id string) error

	// NextScheduleAt is when the next schedule of any account is due; the zero
	// time when none is active.
	NextScheduleAt(ctx context.Context) (time.Time, error)
	// ClaimRuns takes at most limit schedules that are due at now, the longest
	// due first, in one transaction: claim says what becomes of each and
	// changes NextAt and the Last members, which are stored with the run. It
	// returns the runs, without those whose due time had one before. Of each
	// schedule the newest keep runs are kept, and those not at their end.
	ClaimRuns(ctx context.Context, now time.Time, limit, keep int, claim func(*Schedule) *ScheduleRun) ([]*ScheduleRun, error)
	// StartRun marks a claimed run as started and returns its schedule;
	// CodeNotFound when the run is gone or not in state claimed.
	StartRun(ctx context.Context, r *ScheduleRun) (*Schedule, error)
	// FinishRun stores how a run ended, also with its schedule if that has no
	// later one. A run that went with its schedule is no error.
	FinishRun(ctx context.Context, r *ScheduleRun) error
	// ListRuns returns a schedule's runs, the newest first.
	ListRuns(ctx context.Context, accountID, scheduleID string, limit int) ([]*ScheduleRun, error)
	// ListOpenRuns returns the runs of all accounts that are claimed or
	// started, the longest due first.
	ListOpenRuns(ctx context.Context) ([]*ScheduleRun, error)
}
