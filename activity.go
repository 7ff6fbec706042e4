package convoke

import (
	"context"
	"encoding/json"
	"time"
)

// Activity is one change that somebody made, as the audit trail keeps it
// (spec/platform.md 11.4).
type Activity struct {
	ID        int64 // ascending in order of writing; set by the store
	AccountID string
	At        time.Time
	ActorID   string // of the token or user
	Actor     string // as it was called then
	From      string // network address
	RequestID string
	// Action is the noun and what was done: "function.create", "domain.remove".
	Action  string
	Subject string // id of what was changed; "" for the account itself
	Name    string // its name at that time
	// Before and After are the wire form of what was changed, nil where there
	// was or is nothing. They hold no value of a secret and no code.
	Before, After json.RawMessage
}

// ActivityFilter selects activities. Zero members select all.
type ActivityFilter struct {
	Actions  []string // whole actions
	Noun     string   // all actions of one noun
	Subject  string
	ActorID  string
	From, To time.Time // inclusive, exclusive
	Before   int64     // ids below it, for paging
	Limit    int       // at most this many, newest first; the store caps it
}

// ActivityStore keeps the audit trail.
type ActivityStore interface {
	// AppendActivity stores a and sets its id.
	AppendActivity(ctx context.Context, a *Activity) error
	ListActivities(ctx context.Context, accountID string, f ActivityFilter) ([]*Activity, error)
	// DeleteActivitiesBefore removes at most limit old ones and returns how many.
	DeleteActivitiesBefore(ctx context.Context, before time.Time, limit int) (int, error)
}

// Show sets how the subject was before and is after, each as JSON; nil is left
// out. It fails when one cannot be written as JSON.
func (a *Activity) Show(before, after any) error {
	for _, side := range []struct {
		from any
		to   *json.RawMessage
	}{{before, &a.Before}, {after, &a.After}} {
		if side.from == nil {
			continue
		}
		b, err := json.Marshal(side.from)
		if err != nil {
			return err
		}
		*side.to = b
	}
	return nil
}
