package cli

import (
	"strings"
	"testing"
	"time"

	"convoke/api"
)

func TestCalls(t *testing.T) {
	t.Parallel()
	s := deployed(t)
	s.want(ExitOK, []string{"!TIME"}, []string{"hello has called nothing outside yet"}, "logs", "hello", "--calls")
	s.want(ExitOK, nil, []string{"no call of hello matches; convoke logs hello --calls shows the newest"}, "logs", "hello", "--calls", "--since", "1h")
	s.want(ExitOK, []string{"!{"}, []string{"!hello"}, "logs", "hello", "--calls", "--json")

	at := time.Date(2026, 11, 23, 8, 0, 0, 5e6, time.UTC)
	s.fake.calls = []api.Call{ // newest first
		{ID: 2, At: api.Time{Time: at.Add(time.Second)}, Host: "evil.example.com", Port: 8443, Outcome: "refused", Detail: "not\x1b[2Jallowed"},
		{ID: 1, At: api.Time{Time: at}, RequestID: "r1", Host: "api.example.com", Port: 443, Method: "GET", Status: 200, SentBytes: 700, ReceivedBytes: 12345, DurationMs: 1.5, Outcome: "ok"},
	}
	got := s.want(ExitOK, nil, nil, "logs", "hello", "--calls")
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	for i, want := range []string{
		"TIME REQUEST METHOD HOST STATUS SENT RECEIVED TOOK OUTCOME DETAIL",
		"2026-11-23T08:00:00.005Z r1 GET api.example.com:443 200 700 12345 1.5ms ok",
		"2026-11-23T08:00:01.005Z - - evil.example.com:8443 - 0 0 0s refused not [2Jallowed",
	} {
		if words := strings.Join(strings.Fields(lines[i]), " "); words != want {
			t.Errorf("line %d is %q, want %q", i, words, want)
		}
	}
	got = s.want(ExitOK, []string{`{"id":1,`, `"outcome":"refused"`}, nil, "logs", "hello", "--calls", "--json")
	if n := strings.Count(got.stdout, "\n"); n != 2 {
		t.Errorf("--json prints %d lines, want one for each call:\n%s", n, got.stdout)
	}

	s.want(ExitOK, nil, nil, "logs", "hello", "--calls", "--request-id", "r1", "--since", "2026-11-23T08:00:00Z", "--until", "2026-11-23T09:00:00Z", "--limit", "7")
	if last, want := s.fake.requests[len(s.fake.requests)-1], "/calls?from=1795420800000&limit=7&requestId=r1&to=1795424400000"; !strings.HasSuffix(last, want) {
		t.Errorf("asked for %s, want %s", last, want)
	}
	for _, flags := range [][]string{{"--follow"}, {"--level", "warn"}, {"--text", "x"}} {
		s.want(ExitUsage, nil, []string{"--calls goes with"}, append([]string{"logs", "hello", "--calls"}, flags...)...)
	}
	s.want(ExitUsage, nil, []string{"--limit is from 1 to 1000"}, "logs", "hello", "--calls", "--limit", "0")
}
