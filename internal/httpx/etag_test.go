package httpx

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func TestRevisions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		`"a.b"`:                 {"a"},
		`"a.b", "c.d"`:          {"a", "c"},
		`"a.b","c.d" ,, "e.f"`:  {"a", "c", "e"},
		`W/"a.b", "c.d"`:        {"c"},
		`"of a list", "a, b.c"`: {"a, b"},
		`""`:                    nil,
		`*`:                     nil,
	} {
		r := httptest.NewRequest("PUT", "/", nil)
		r.Header.Set("If-Match", text)
		got, any, given, err := Revisions(r)
		if err != nil || !given || any != (text == "*") || !slices.Equal(got, want) {
			t.Errorf("%s: %q, any %t, given %t, error %v", text, got, any, given, err)
		}
	}
	for _, text := range []string{"", "a", `"a`, `a"`, `"a" "b"`, `"a"b`, `w/"a"`, `"a", *`, "*, *", ","} {
		r := httptest.NewRequest("PUT", "/", nil)
		r.Header.Set("If-Match", text)
		if got, _, _, err := Revisions(r); err == nil {
			t.Errorf("%q is taken for %q", text, got)
		}
	}
	if _, _, given, err := Revisions(httptest.NewRequest("PUT", "/", nil)); given || err != nil {
		t.Errorf("no header: given %t, error %v", given, err)
	}
}

func FuzzTags(f *testing.F) {
	f.Add(`W/"a", "b.c"`)
	f.Add(`*`)
	f.Fuzz(func(t *testing.T, text string) {
		tags, any, ok := tagsOf([]string{text})
		if ok != (any || len(tags) > 0) {
			t.Errorf("%q: %v, any %t, ok %t", text, tags, any, ok)
		}
		for _, one := range tags {
			if strings.Contains(one.opaque, `"`) {
				t.Errorf("%q holds the tag %q", text, one.opaque)
			}
		}
	})
}
