package api

import "encoding/json"

// Event is an event of the catalogue.
type Event struct {
	EventID       string          `json:"eventId"`       // what functions and requests name it by
	EventName     string          `json:"eventName"`     // for people
	Name          string          `json:"name"`          // the same as EventName: the reference's tools disagree
	Description   string          `json:"description"`   // when it happens
	LambdaLimit   int             `json:"lambdaLimit"`   // functions deployed for it, per skill where it has skills; 0 is no limit
	Source        string          `json:"source"`        // who raises it
	Skills        bool            `json:"skills"`        // whether functions for it can be kept to skills
	SamplePayload json.RawMessage `json:"samplePayload"` // an invocation body
}
