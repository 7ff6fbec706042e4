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
		faults map[string]int      // in the first
		want   map[string]standing // after the last
	}{
		"nothing runs":             {counts: []use{{"": 2000 * ms}}, want: map[string]standing{}},
		"all within their share":   {counts: []use{{"": 1000 * ms, "a": 500 * ms, "b": 500 * ms}}, want: map[string]standing{}},
		"one computes":             {counts: []use{{"a": 1900 * ms, "b": 20 * ms}}, want: map[string]standing{"a": {}}},
		"others have the machine":  {counts: []use{{"a": 290 * ms, "b": 2 * ms}}, want: map[string]standing{"a": {}}},
		"too little to matter":     {counts: []use{{"a": 190 * ms, "b": 2 * ms}}, want: map[string]standing{}},
		"alone on the machine":     {counts: []use{{"a": 1900 * ms}}, want: map[string]standing{}},
		"half of it leaves half":   {counts: []use{{"": 1000 * ms, "a": 1000 * ms, "b": 0}}, want: map[string]standing{}},
		"three compute":            {counts: []use{{"a": 650 * ms, "b": 650 * ms, "c": 650 * ms, "d": 10 * ms}}, want: map[string]standing{"a": {}, "b": {}, "c": {}}},
		"a pause is no return":     {counts: []use{{"a": 1900 * ms, "b": 0}, {"a": 0, "b": 0}, {"a": 0, "b": 0}}, want: map[string]standing{"a": {calm: 2}}},
		"calm for long returns":    {counts: []use{{"a": 1900 * ms, "b": 0}, {"b": 0}, {"b": 0}, {"b": 0}, {"b": 0}, {"b": 0}}, want: map[string]standing{}},
		"half calm begins anew":    {counts: []use{{"a": 1900 * ms, "b": 0}, {}, {}, {"": 1000 * ms, "a": 700 * ms, "b": 0}, {"": 2000 * ms, "a": 0, "b": 0}}, want: map[string]standing{"a": {calm: 1}}},
		"between two workers":      {counts: []use{{"a": 1900 * ms, "b": 0}, {"b": 20 * ms}, {"b": 20 * ms}}, want: map[string]standing{"a": {calm: 2}}},
		"the neighbour has gone":   {counts: []use{{"a": 1900 * ms, "b": 0}, {"a": 1900 * ms}}, want: map[string]standing{"a": {calm: 1}}},
		"who is behind may go on":  {counts: []use{{"a": 1900 * ms, "b": 0}, {"a": 1990 * ms, "b": 0}}, want: map[string]standing{"a": {}}},
		"held back for its log":    {counts: []use{{"": 1900 * ms, "a": 50 * ms, "b": 0}}, held: map[string]bool{"a": true}, want: map[string]standing{"a": {}}},
		"alone with its log":       {counts: []use{{"": 1900 * ms, "a": 50 * ms}}, held: map[string]bool{"a": true}, want: map[string]standing{}},
		"a fault takes longer":     {counts: []use{{"a": 1900 * ms, "b": 0}, {"b": 0}, {"b": 0}, {"b": 0}, {"b": 0}, {"b": 0}}, faults: map[string]int{"a": 1}, want: map[string]standing{"a": {calm: 5, faults: 1}}},
		"a fault within its share": {counts: []use{{"": 1800 * ms, "a": 100 * ms, "b": 0}}, faults: map[string]int{"a": 9}, want: map[string]standing{}},
		"faults, and nobody minds": {counts: []use{{"a": 1900 * ms, "b": 0}, {"a": 0}, {"a": 0}, {"a": 0}, {"a": 0}, {"a": 0}}, faults: map[string]int{"a": 9}, want: map[string]standing{}},
		"the newcomer is not held": {counts: []use{{"a": 1900 * ms, "b": 0}, {"a": 1300 * ms, "b": 600 * ms}}, want: map[string]standing{"a": {}}},
	} {
		var s shares
		var got map[string]standing
		for n, used := range c.counts {
			idle := used[""]
			delete(used, "")
			u := usage{time: used, held: c.held}
			if n == 0 {
				u.faults = c.faults
			}
			got = s.count(u, idle, time.Second)
		}
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(standing{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
