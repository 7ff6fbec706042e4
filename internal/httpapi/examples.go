package httpapi

import (
	_ "embed"
	"encoding/json"
	"sync"
)

// examplesFile holds what TestExamples sent to a server and got from it, by
// operation; go test -update writes it anew.
//
//go:embed examples.json
var examplesFile []byte

// shownExample is a request and its answer, as far as the two have JSON bodies.
type shownExample struct {
	Request  json.RawMessage `json:"request,omitempty"`
	Response json.RawMessage `json:"response,omitempty"`
}

var examples = sync.OnceValue(func() map[string]shownExample {
	all := map[string]shownExample{}
	// The file is part of the program and a test reads it.
	_ = json.Unmarshal(examplesFile, &all)
	return all
})

// show puts an example into a body that has one.
func show(c map[string]media, e json.RawMessage) {
	if m, ok := c["application/json"]; ok && e != nil {
		m.Example = e
		c["application/json"] = m
	}
}
