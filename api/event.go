package api

import "encoding/json"

// Event is an event of the catalogue.
type Event struct {
	EventID       string          `json:"eventId"`
	EventName     string          `json:"eventName"`
	Name          string          `json:"name"` // the same as EventName: the reference's tools disagree
	Description   string          `json:"description"`
	LambdaLimit   int             `json:"lambdaLimit"` // functions deployed for it, per skill where it has skills; 0 is no limit
	Source        string          `json:"source"`
	Skills        bool            `json:"skills"`
	SamplePayload json.RawMessage `json:"samplePayload"` // an invocation body
}
