package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"convoke/internal/bench"
)

func TestWrongCalls(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args  []string
		usage bool
		want  string
	}{
		"flag":       {[]string{"-fast"}, true, "-fast"},
		"argument":   {[]string{"quick"}, true, `"quick"`},
		"seed flag":  {[]string{"seed", "-m"}, true, "-m"},
		"experiment": {[]string{"-experiments", "warm,luke"}, false, `"luke"`},
		"rounds":     {[]string{"-rounds", "0"}, false, "0 rounds"},
		"packages":   {[]string{"-packages", t.TempDir()}, false, "npm ci"},
		"load":       {[]string{"load"}, false, "load: no targets"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stderr strings.Builder
			err := run(t.Context(), tc.args, strings.NewReader("{}"), io.Discard, &stderr)
			if err == nil || errors.Is(err, errUsage) != tc.usage || !strings.Contains(stderr.String()+err.Error(), tc.want) {
				t.Errorf("got %v, and %q", err, stderr.String())
			}
		})
	}
}

func TestPublishFailsWithTheRun(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "table.md")
	var stdout strings.Builder
	err := publish(&bench.Report{Failures: []string{"warm, convoke: status 500"}}, &stdout, file)
	if err == nil || !strings.Contains(stdout.String(), "FAILED: warm, convoke: status 500") {
		t.Errorf("got %v, and %s", err, stdout.String())
	}
	b, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(b), "- warm, convoke: status 500") {
		t.Errorf("file: %v, %s", err, b)
	}
	if err := publish(&bench.Report{}, io.Discard, ""); err != nil {
		t.Error(err)
	}
}
