package project

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPlaceholders: the skeleton's environment means none, and clears.
func TestPlaceholders(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]variables{
		`{"key":"value"}`:           {},
		`[{"key":"","value":""}]`:   {},
		`{}`:                        {},
		`null`:                      nil,
		`{"key":"value","A":"1"}`:   {"key": "value", "A": "1"},
		`{"A":"1"}`:                 {"A": "1"},
		`[{"key":"A","value":"1"}]`: {"A": "1"},
	} {
		var got variables
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	for _, bad := range []string{`"A=1"`, `{"A":1}`, `[1]`} {
		if err := json.Unmarshal([]byte(bad), new(variables)); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}
