package worker

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestDivide follows what the server and the workers that are not behind use,
// in milliseconds of each second.
func TestDivide(t *testing.T) {
	t.Parallel()
	two, four := []int{0, 1}, []int{2, 3, 6, 7}
	for name, c := range map[string]struct {
		all    []int
		used   []int
		anyone bool
		want   division
	}{
		"nobody is behind":             {all: two, used: []int{100}},
		"one processor":                {all: two[:1], used: []int{100}, anyone: true},
		"one that the host grants":     {all: four[2:3], used: []int{100}, anyone: true},
		"unknown":                      {used: []int{100}, anyone: true},
		"others need little":           {all: two, used: []int{100}, anyone: true, want: division{others: two[:1], behind: two[1:]}},
		"nothing":                      {all: four, used: []int{0}, anyone: true, want: division{others: four[:1], behind: four[1:]}},
		"a fifth of one":               {all: two, used: []int{200}, anyone: true, want: division{others: two[:1], behind: two[1:]}},
		"more, so they may everywhere": {all: two, used: []int{201}, anyone: true, want: division{behind: two[1:]}},
		"a good half of one":           {all: four, used: []int{600}, anyone: true, want: division{others: four[:3], behind: four[3:]}},
		"all of it":                    {all: four, used: []int{3900}, anyone: true, want: division{behind: four[3:]}},
		"a peak is remembered":         {all: two, used: []int{900, 10, 10}, anyone: true, want: division{behind: two[1:]}},
		"but not for ever":             {all: two, used: []int{900, 10, 10, 10, 10, 10}, anyone: true, want: division{others: two[:1], behind: two[1:]}},
	} {
		d := divider{all: c.all}
		var got division
		for _, ms := range c.used {
			got = d.divide(c.anyone, time.Duration(ms)*time.Millisecond, time.Second)
		}
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(division{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
