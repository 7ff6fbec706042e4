package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"convoke"
	"convoke/api"
	"convoke/client"
)

// patience is how long something may take that takes milliseconds: the machine
// has other work.
const patience = 30 * time.Second

// do makes a request of the administrator's in the first account.
func (s *server) do(t testing.TB, method, path, body string, header http.Header) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+"/api/account/"+convoke.DefaultAccountID+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		r.Header = header.Clone()
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(b)), resp.Header
}

// get reads JSON.
func (s *server) get(t testing.TB, path string, v any) {
	t.Helper()
	status, body, _ := s.do(t, http.MethodGet, path, "", nil)
	if err := json.Unmarshal([]byte(body), v); err != nil || status != http.StatusOK {
		t.Fatalf("GET %s: %d %s, %v", path, status, body, err)
	}
}

// until asks until it is so.
func (s *server) until(t testing.TB, what string, so func() bool) {
	t.Helper()
	limit := time.After(patience)
	for !so() {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-limit:
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// logged waits for a log entry that contains text.
func (s *server) logged(t testing.TB, filter client.LogFilter, text string) api.LogEntry {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	found := errors.New("found")
	var entry api.LogEntry
	filter.Limit = 1000
	err := s.FollowLogs(ctx, filter, func(e api.LogEntry) error {
		if !strings.Contains(e.Message+string(e.Extras), text) {
			return nil
		}
		entry = e
		return found
	})
	if !errors.Is(err, found) {
		t.Errorf("no log entry of %+v with %q: %v", filter, text, err)
	}
	return entry
}

// metrics are the samples of a scrape by name and labels.
func (s *server) metrics(t testing.TB) map[string]float64 {
	t.Helper()
	resp, err := http.Get(s.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	samples := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if samples[line[:at]], err = strconv.ParseFloat(line[at+1:], 64); err != nil {
			t.Fatalf("sample %q: %v", line, err)
		}
	}
	return samples
}

// deaths are the ends of workers so far that were not the server's own wish.
func (s *server) deaths(t testing.TB) map[string]float64 {
	t.Helper()
	deaths := map[string]float64{}
	for name, n := range s.metrics(t) {
		if reason, ok := strings.CutPrefix(name, `convoke_worker_deaths_total{reason="`); ok && !strings.HasPrefix(reason, "closed") {
			deaths[strings.TrimSuffix(reason, `"}`)] = n
		}
	}
	return deaths
}
