package api

import (
	"encoding/json"

	"convoke"
)

// Activity is one change that somebody made.
type Activity struct {
	ID        int64  `json:"id"`        // grows
	At        Time   `json:"at"`        // when
	ActorID   string `json:"actorId"`   // of the user or token
	Actor     string `json:"actor"`     // as it was called then
	From      string `json:"from"`      // network address
	RequestID string `json:"requestId"` // finds the request in the server's log
	Action    string `json:"action"`    // "function.create"
	Subject   string `json:"subject"`   // id of what was changed
	Name      string `json:"name"`      // its name at that time
	// Before and After are bodies of this package, absent where there was or
	// is nothing. They hold no code and no value of a secret.
	Before json.RawMessage `json:"before,omitempty"` // what it was; absent: it was not there
	After  json.RawMessage `json:"after,omitempty"`  // what it is; absent: it is no more
}

// NewActivity is the body for a.
func NewActivity(a *convoke.Activity) Activity {
	return Activity{
		ID: a.ID, At: Time{Time: a.At}, ActorID: a.ActorID, Actor: a.Actor, From: a.From, RequestID: a.RequestID,
		Action: a.Action, Subject: a.Subject, Name: a.Name, Before: a.Before, After: a.After,
	}
}
