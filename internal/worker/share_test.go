package worker

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestShares follows accounts over several counts on two processors, of which
// each count covers a second.
func TestShares(t *testing.T) {
	t.Parallel()
	type use = map[string]time.Duration
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		counts []use // "" is what nobody used
		held   map[string]bool
		want   map[string]int // after the last
	}{
		"nothing runs":             {counts: []use{{"": 2000 * ms}}, want: map[string]int{}},
		"all within their share":   {counts: []use{{"": 1000 * ms, "a": 500 * ms, "b": 500 * ms}}, want: map[string]int{}},
		"one computes":             {counts: []use{{"a": 1900 * ms, "b": 20 * ms}}, want: map[string]int{"a": 0}},
		"others have the machine":  {counts: []use{{"a": 290 * ms, "b": 2 * ms}}, want: map[string]int{"a": 0}},
		"too little to matter":     {counts: []use{{"a": 190 * ms, "b": 2 * ms}}, want: map[string]int{}},
		"alone on the machine":     {counts: []use{{"a": 1900 * ms}}, want: map[string]int{}},
		"half of it leaves half":   {counts: []use{{"": 1000 * ms, "a": 1000 * ms, "b": 0}}, want: map[string]int{}},
		"three compute":            {counts: []use{{"a": 650 * ms, "b": 650 * ms, "c": 650 * ms, "d": 10 * ms}}, want: map[string]int{"a": 0, "b": 0, "c": 0}},
		"a pause is no return":     {counts: []use{{"a": 1900 * ms, "b": 0}, {"a": 0, "b": 0}, {"a": 0, "b": 0}}, want: map[string]int{"a": 2}},
		"calm for long returns":    {counts: []use{{"a": 1900 * ms, "b": 0}, {"b": 0}, {"b": 0}, {"b": 0}, {"b": 0}, {"b": 0}}, want: map[string]int{}},
		"half calm begins anew":    {counts: []use{{"a": 1900 * ms, "b": 0}, {}, {}, {"": 1000 * ms, "a": 700 * ms, "b": 0}, {"": 2000 * ms, "a": 0, "b": 0}}, want: map[string]int{"a": 1}},
		"between two workers":      {counts: []use{{"a": 1900 * ms, "b": 0}, {"b": 20 * ms}, {"b": 20 * ms}}, want: map[string]int{"a": 2}},
		"the neighbour has gone":   {counts: []use{{"a": 1900 * ms, "b": 0}, {"a": 1900 * ms}}, want: map[string]int{"a": 1}},
		"who is behind may go on":  {counts: []use{{"a": 1900 * ms, "b": 0}, {"a": 1990 * ms, "b": 0}}, want: map[string]int{"a": 0}},
		"held back for its log":    {counts: []use{{"": 1900 * ms, "a": 50 * ms, "b": 0}}, held: map[string]bool{"a": true}, want: map[string]int{"a": 0}},
		"alone with its log":       {counts: []use{{"": 1900 * ms, "a": 50 * ms}}, held: map[string]bool{"a": true}, want: map[string]int{}},
		"the newcomer is not held": {counts: []use{{"a": 1900 * ms, "b": 0}, {"a": 1300 * ms, "b": 600 * ms}}, want: map[string]int{"a": 0}},
	} {
		var s shares
		var got map[string]int
		for _, used := range c.counts {
			idle := used[""]
			delete(used, "")
			got = s.count(used, c.held, idle, time.Second)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
