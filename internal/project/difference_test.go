package project

import "testing"

func TestDifference(t *testing.T) {
	t.Parallel()
	got := difference(
		"f@1", map[string]string{"gone.js": "1\n", "index.js": "a\nb\n", "same.js": "x\n"},
		"f", map[string]string{"index.js": "a\nc\n", "new.js": "2\n", "same.js": "x\n"},
	)
	want := "--- f@1/gone.js\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-1\n" +
		"--- f@1/index.js\n+++ f/index.js\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n" +
		"--- /dev/null\n+++ f/new.js\n@@ -0,0 +1,1 @@\n+2\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := difference("f@1", map[string]string{"a": "x"}, "f", map[string]string{"a": "x"}); got != "" {
		t.Errorf("of equal texts: %q", got)
	}
}

// TestListing: of what is new the code is counted, and what it is to be is told.
func TestListing(t *testing.T) {
	t.Parallel()
	got := listing("functions/f", map[string]string{"index.js": "a\nb\n", "x.json": "{}", settingsName: "event: \"e\"\n"})
	if want := "+ functions/f/index.js (2 lines)\n+ functions/f/x.json (1 line)\n+ event: \"e\"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
