package api_test

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"convoke"
	"convoke/api"
)

// TestErrorsDocumented holds docs/errors.md to the table of codes: each code
// has one row there with the same V1 codes, status and meaning, and advice.
func TestErrorsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[convoke.Code]api.CodeInfo{}
	for n, line := range strings.Split(string(text), "\n") {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if len(cells) != 5 || cells[4] == "" {
			t.Errorf("line %d has %d cells; want code, V1 code, status, meaning, and what to do", n+1, len(cells))
			continue
		}
		row := codeRow(t, cells)
		if _, twice := documented[row.Code]; twice {
			t.Errorf("line %d: %s has two rows", n+1, row.Code)
		}
		documented[row.Code] = row
	}
	want := map[convoke.Code]api.CodeInfo{}
	for _, c := range api.Codes {
		want[c.Code] = c
	}
	if diff := cmp.Diff(want, documented); diff != "" {
		t.Errorf("docs/errors.md does not say what api.Codes says (-codes +document):\n%s", diff)
	}
}

// codeRow reads a row of the document. "=" is a V1 code like the V2 code.
func codeRow(t *testing.T, cells []string) api.CodeInfo {
	t.Helper()
	code := strings.Trim(cells[0], "`")
	status, err := strconv.Atoi(cells[2])
	if err != nil {
		t.Errorf("%s: status %q is no number", code, cells[2])
	}
	v1 := strings.Split(strings.ReplaceAll(cells[1], "`", ""), ", ")
	if slices.Equal(v1, []string{"="}) {
		v1 = []string{code}
	}
	row := api.CodeInfo{Code: convoke.Code(code), V1: v1[0], Status: status, Meaning: cells[3]}
	if len(v1) > 1 {
		row.V1Also = v1[1:]
	}
	return row
}
