package cli

import (
	"strings"
	"testing"
	"time"

	"convoke/api"
)

func TestInvocations(t *testing.T) {
	t.Parallel()
	s := deployed(t)
	s.want(ExitOK, []string{"!STARTED"}, []string{"hello was not invoked yet; convoke invoke hello does it"}, "invocations", "hello")
	s.fake.invocations = []api.Invocation{
		{RequestID: "r2", Version: 2, StartedAt: api.Time{Time: time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)}, Outcome: "SUCCEEDED",
			WaitMs: 0.5, DurationMs: 12.345, CPUMs: 3.001, PeakMemoryBytes: 50 << 20, PayloadBytes: 7, ResultBytes: 9},
		{RequestID: "r1", Version: 1, Outcome: "TIMEOUT", Cold: true, ColdStartMs: 1.5, DurationMs: 30000},
	}
	got := s.want(ExitOK, nil, nil, "invocations", "hello", "--limit", "2")
	for i, want := range []string{
		"STARTED VERSION OUTCOME WAIT COLD RUN CPU MEMORY IN OUT REQUEST",
		"2026-11-23 01:02:03 2 SUCCEEDED 500µs - 12ms 3ms 50.0 MiB 7 9 r2",
		"- 1 TIMEOUT 0s 1.5ms 30s 0s - 0 0 r1",
	} {
		if line := strings.Join(strings.Fields(strings.Split(got.stdout, "\n")[i]), " "); line != want {
			t.Errorf("line %d is %q, want %q", i, line, want)
		}
	}
	if last := s.fake.requests[len(s.fake.requests)-1]; !strings.HasSuffix(last, "/invocations?limit=2") {
		t.Errorf("asked for %s", last)
	}
	s.want(ExitOK, []string{`"requestId": "r2"`, `"durationMs": 12.345`}, nil, "invocations", "hello", "--json")
	s.want(ExitUsage, nil, []string{"--limit takes 1 to 1000, not 0"}, "invocations", "hello", "--limit", "0")
	s.want(ExitNotFound, nil, nil, "invocations", "none")
}

func TestMilliseconds(t *testing.T) {
	t.Parallel()
	for ms, want := range map[float64]string{0: "0s", 0.0621: "60µs", 1.2345: "1.23ms", 9.99: "9.99ms", 47.61: "48ms", 1234.5: "1.23s", 30123: "30.1s"} {
		if got := milliseconds(ms); got != want {
			t.Errorf("milliseconds(%v) = %s, want %s", ms, got, want)
		}
	}
}
