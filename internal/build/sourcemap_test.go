package build

import "testing"

func TestHideAppended(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, in, want string
		lines          []int
	}{
		{"nothing appended", "AAAA,SAASA;;gCCChB,CDDDA", "AAAA,SAASA;;gCCChB,CDDDA", []int{1000, 1000}},
		{"last line", "AAAA;AACA;AACA", "AAAA;AACA;A", []int{2}},
		{"in between", "AAAA,EACA,EADA", "AAAA,E,EAAA", []int{1}},
		{"each source has its own end", "AAAA,EACA,ECAA", "AAAA,E,ECCA", []int{1, 2}},
		{"empty", "", "", nil},
	} {
		got, err := hideAppended(tc.in, tc.lines)
		if err != nil || got != tc.want {
			t.Errorf("%s: %q, %v; want %q", tc.name, got, err, tc.want)
		}
	}
	for _, bad := range []string{"!", "g", "AAAAAA", "AC", "gggggggggC"} {
		if got, err := hideAppended(bad, []int{1}); err == nil {
			t.Errorf("%q became %q, want an error", bad, got)
		}
	}
	for _, v := range []int{0, 1, -1, 15, 16, -16, 511, 512, -100_000, 1 << 20} {
		if got, rest, ok := decodeVLQ(encodeVLQ(v) + "A"); got != v || rest != "A" || !ok {
			t.Errorf("%d becomes %d", v, got)
		}
	}
}
