package httpapi

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"convoke"
	"convoke/api"
	"convoke/internal/auth"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// function creates a function and returns its id.
func (w *world) function(t *testing.T, name string) string {
	t.Helper()
	status, _, body := w.do(t, "developer", "POST", "/functions", `{"name":"`+name+`"}`, nil)
	if status != http.StatusCreated {
		t.Fatalf("create: %d %s", status, body)
	}
	return pick(t, body, "uuid")
}

func entry(fn, message string, level convoke.LogLevel, at time.Time) convoke.LogEntry {
	return convoke.LogEntry{AccountID: home, FunctionID: fn, Version: 1, RequestID: "r-" + message, Time: at,
		Level: level, Source: convoke.SourceConsole, Message: message, Extras: json.RawMessage(`[{"n":1}]`)}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	w := setup(t)
	fn, second := w.function(t, "a"), w.function(t, "b")
	w.log.Append(
		entry(fn, "one", convoke.LevelInfo, noon),
		entry(fn, "two", convoke.LevelWarn, noon.Add(time.Second)),
		entry(second, "three; \"quoted\"", convoke.LevelError, noon.Add(2*time.Second)),
	)
	ms := func(d time.Duration) string { return fmt.Sprint(noon.Add(d).UnixMilli()) }
	saved := map[string]string{"fn": fn, "second": second}
	for _, s := range []step{
		// A query sees what was written just before it, without anybody waiting.
		{do: "GET /logs", status: 200, has: []string{`"message":"one"`, `"message":"two"`, `three`}},
		{do: "GET /functions/{fn}/logs", status: 200, has: []string{`{"id":2,"functionUuid":"{fn}","version":1,"requestId":"r-two","timestamp":"2026-11-02T12:00:01.000Z","level":"Warn","source":"console","message":"two","extras":[{"n":1}]},{"id":1,`}, lacks: []string{"three"}},
		{do: "GET /functions/{fn}/logs?order=asc&limit=1", status: 200, has: []string{"one"}, lacks: []string{"two"}},
		{do: "GET /functions/{fn}/logs?level=Warn&level=Error", status: 200, has: []string{"two"}, lacks: []string{"r-one"}},
		{do: "GET /functions/{fn}/logs?level=info,error", status: 200, has: []string{"one"}, lacks: []string{"two"}},
		{do: "GET /functions/{fn}/logs?level=&text=&from=&to=&limit=&after=&order=&requestId=", status: 200, has: []string{"one", "two"}},
		{do: "GET /functions/{fn}/logs?text=TW", status: 200, has: []string{"two"}, lacks: []string{"r-one"}},
		{do: "GET /functions/{fn}/logs?requestId=r-one", status: 200, has: []string{"one"}, lacks: []string{"two"}},
		{do: "GET /functions/{fn}/logs?after=1", status: 200, has: []string{"two"}, lacks: []string{"r-one"}},
		{do: "GET /functions/{fn}/logs?from=" + ms(time.Second), status: 200, has: []string{"two"}, lacks: []string{"r-one"}},
		{do: "GET /functions/{fn}/logs?to=2026-11-02T13:00:01%2B01:00", status: 200, has: []string{"one"}, lacks: []string{"two"}},
		{do: "GET /functions/{fn}/logs?level=Loud", status: 400, has: []string{"level must be one of Debug, Info, Warn, Error"}},
		{do: "GET /functions/{fn}/logs?limit=0", status: 400, has: []string{"limit must be a whole number from 1 to 1000"}},
		{do: "GET /functions/{fn}/logs?from=yesterday", status: 400, has: []string{"from must be a time"}},
		{do: "GET /functions/{fn}/logs?from=9223372036854775807", status: 400, has: []string{"from must be a time"}},
		{do: "GET /functions/nothing/logs", status: 404, has: []string{"function.not-found"}},
		{do: "GET /functions/{fn}/logs/export?userId=u&startTimestamp=" + ms(0) + "&endTimestamp=" + ms(time.Minute), status: 200,
			has: []string{"Content-Type: text/csv", "\nlambdaUUID;requestID;timestamp;level;message;extras\n{fn};r-one;Mon, 02 Nov 2026 12:00:00 GMT;Info;one;\"[{\"\"n\"\":1}]\"\n{fn};r-two;"}},
		{do: "GET /functions/{second}/logs/export?filterLevels=Error&filterLevels=Warn", status: 200, has: []string{`;"three; ""quoted""";`}},
		{do: "GET /functions/{fn}/logs/export?filterLevels=Error", status: 200, lacks: []string{"r-one", "r-two"}},
		{do: "GET /functions/{fn}/logs/export?startTimestamp=x", status: 400, has: []string{"startTimestamp"}},
	} {
		s.as = "invoker"
		run(t, w, s, saved)
	}
	_, _, body := w.do(t, "other", "GET", "/api/account/"+other+"/logs", "", nil)
	if strings.TrimSpace(body) != "[]" {
		t.Errorf("another account sees %s", body)
	}
}

// TestStream watches a log, leaves, and comes back without a gap.
func TestStream(t *testing.T) {
	t.Parallel()
	w := setup(t)
	fn := w.function(t, "a")
	w.log.Append(entry(fn, "one", convoke.LevelInfo, noon), entry(fn, "two", convoke.LevelInfo, noon))
	if err := w.log.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}

	next, leave := w.watch(t, "/functions/"+fn+"/logs/stream?limit=1", "")
	if got := next(); got.Message != "two" {
		t.Errorf("with limit=1 the stream begins with %q, want the newest", got.Message)
	}
	w.log.Append(entry(fn, "three", convoke.LevelInfo, noon))
	last := next()
	if last.Message != "three" || last.FunctionUUID != fn {
		t.Errorf("live entry %+v, want three", last)
	}
	leave()

	w.log.Append(entry(fn, "four", convoke.LevelInfo, noon))
	for range streamStart { // what a stream that is not resumed would begin with
		w.log.Append(entry(fn, "later", convoke.LevelInfo, noon))
	}
	if err := w.log.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	next, leave = w.watch(t, "/logs/stream", fmt.Sprint(last.ID))
	if got := next(); got.Message != "four" {
		t.Errorf("after Last-Event-ID %d the stream goes on with %q, want four", last.ID, got.Message)
	}
	leave()

	status, _, body := w.do(t, "invoker", "GET", "/logs/stream", "", http.Header{"Last-Event-Id": {"x"}})
	if status != http.StatusBadRequest {
		t.Errorf("a wrong Last-Event-ID: %d %s", status, body)
	}
}

// watch opens a stream; next waits for an entry whose event id is its own.
func (w *world) watch(t *testing.T, path, lastID string) (next func() api.LogEntry, leave func()) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", w.url+"/api/account/"+home+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.tokens["invoker"])
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if got := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || got != "text/event-stream" {
		t.Fatalf("stream: %d %s", res.StatusCode, got)
	}
	lines := bufio.NewScanner(res.Body)
	next = func() (e api.LogEntry) {
		t.Helper()
		id := ""
		for lines.Scan() {
			if v, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
				id = v
			}
			if v, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				if err := json.Unmarshal([]byte(v), &e); err != nil || fmt.Sprint(e.ID) != id {
					t.Fatalf("event %q with id %q: %v", v, id, err)
				}
				return e
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
		return e
	}
	return next, func() { _ = res.Body.Close() }
}

func TestReports(t *testing.T) {
	t.Parallel()
	w := setup(t)
	fn, second := w.function(t, "a"), w.function(t, "b")
	record := func(id string, at time.Duration, outcome convoke.Outcome, code convoke.Code) {
		w.meter.Record(&convoke.Invocation{RequestID: "r-" + string(outcome), AccountID: home, FunctionID: id, Version: 2, Caller: "test",
			StartedAt: noon.Add(at), Run: 1500 * time.Microsecond, Cold: true, ColdStart: 4 * time.Millisecond, Outcome: outcome, Code: code})
	}
	record(fn, time.Minute, convoke.OutcomeSucceeded, "")
	record(fn, 10*time.Minute, convoke.OutcomeSucceeded, "")
	record(fn, 10*time.Minute, convoke.OutcomeTimeout, convoke.CodeTimeout)
	record(second, 30*time.Minute, convoke.OutcomeCodingFailure, convoke.CodeThrew)
	saved := map[string]string{"fn": fn, "second": second}
	ms := func(d time.Duration) int64 { return noon.Add(d).UnixMilli() }
	span := fmt.Sprintf("startTimestamp=%d&endTimestamp=%d", ms(0), ms(12*time.Minute))
	bucket := func(from, to time.Duration, succeeded, timeout int) string {
		return fmt.Sprintf(`{"from":%d,"to":%d,"UNKNOWN":0,"SUCCEEDED":%d,"CODING_FAILURE":0,"PLATFORM_FAILURE":0,"TIMEOUT":%d}`, ms(from), ms(to), succeeded, timeout)
	}
	all := `{"uuid":"{fn}","invocationStatistics":[` + bucket(0, 5*time.Minute, 1, 0) + "," + bucket(5*time.Minute, 10*time.Minute, 0, 0) + "," + bucket(10*time.Minute, 12*time.Minute, 1, 1) + "]}"
	for _, s := range []step{
		{do: "GET /functions/{fn}/invocations", status: 200, has: []string{`"requestId":"r-TIMEOUT"`, `"outcome":"TIMEOUT","code":"com.customer.faas.function.execution-exceeded"`,
			`"durationMs":1.5`, `"coldStartMs":4`, `"startedAt":"2026-11-02T12:10:00.000Z"`}, lacks: []string{"CODING_FAILURE"}},
		{do: "GET /functions/{fn}/invocations?outcome=SUCCEEDED&limit=1", status: 200, has: []string{`"startedAt":"2026-11-02T12:10`}, lacks: []string{"TIMEOUT", "12:01"}},
		{do: "GET /functions/{fn}/invocations?outcome=BAD", status: 400, has: []string{"outcome must be one of"}},
		{do: "GET /functions/nothing/invocations", status: 404},
		{do: "GET /reports/invocations/{fn}?userId=u&" + span + "&bucketSize=300", status: 200, has: []string{all}},
		{do: "GET /reports/invocations/{fn}?" + span, status: 200, has: []string{all}}, // the size follows from the span
		{do: "GET /reports/invocations/{fn}?" + span + "&bucketSize=300&invocationStates=UNKOWN&invocationStates=TIMEOUT", status: 200, has: []string{`"SUCCEEDED":0,"CODING_FAILURE":0,"PLATFORM_FAILURE":0,"TIMEOUT":1}]`}, lacks: []string{`"SUCCEEDED":1`}},
		{do: "GET /reports/invocations/{fn}", status: 200, has: []string{`"invocationStatistics":[{"from":`}},
		{do: "GET /reports/invocations/{fn}?" + span + "&bucketSize=1", status: 400, has: []string{"bucketSize"}},
		{do: fmt.Sprintf("GET /reports/invocations/{fn}?startTimestamp=%d&endTimestamp=%d", ms(0), ms(-1)), status: 400, has: []string{"endTimestamp must be after"}},
		{do: "GET /reports/invocations/{fn}?startTimestamp=0", status: 400, has: []string{"31 days at most"}},
		{do: "GET /reports/invocations/nothing?" + span, status: 404},
		{do: fmt.Sprintf("GET /reports/invocationCounts?startTimestamp=%d&endTimestamp=%d", ms(-14*time.Hour), ms(24*time.Hour)), status: 200,
			has: []string{`{"functionUuid":"{fn}","successfulInvocations":2,"failedInvocations":1}`, `{"functionUuid":"{second}","successfulInvocations":0,"failedInvocations":1}`}},
		{do: fmt.Sprintf("GET /reports/invocationCounts?startTimestamp=%d&endTimestamp=%d", ms(20*time.Minute), ms(24*time.Hour)), status: 200, has: []string{"{second}"}, lacks: []string{"{fn}"}},
	} {
		s.as = "invoker"
		run(t, w, s, saved)
	}
}

// TestStreamEndsWithItsRight: a stream lasts no longer than what let it in, and
// says why it ends. Nothing that is logged afterwards is shown.
func TestStreamEndsWithItsRight(t *testing.T) {
	t.Parallel()
	w := setup(t)
	fn := w.function(t, "a")
	ctx := t.Context()
	secret, made, err := w.config.Auth.Issue(ctx, home, "watcher", []convoke.Role{convoke.RoleViewer}, 0, "setup")
	if err != nil {
		t.Fatal(err)
	}
	w.person(t, "ann", convoke.RoleViewer)
	bob := w.person(t, "bob", convoke.RoleViewer)
	eve := w.person(t, "eve", convoke.RoleViewer)
	w.login(t, "bob", password)
	w.login(t, "ann", password)
	ended, left := w.signIn(t, eve.ID, "test"), w.signIn(t, eve.ID, "test")
	var machine api.ClientWithSecret
	_, _, body := w.do(t, "admin", "POST", "/clients", `{"name":"watcher","grantTypes":["client_credentials"],"scopes":["faas.log.read"]}`, nil)
	if err := json.Unmarshal([]byte(body), &machine); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, text string
		end        func()
	}{
		{"revoked", secret.Reveal(), func() { w.want(t, "admin", "DELETE /tokens/"+made.ID, "", 204) }},
		{"signed out", w.tokens["ann"], func() { w.want(t, "ann", "POST /logout", "", 204) }},
		{"session ended", ended.Bearer.Reveal(), func() { w.want(t, "admin", "DELETE /users/"+eve.ID+"/sessions/"+ended.Session.ID, "", 204) }},
		{"sessions ended", left.Bearer.Reveal(), func() { w.want(t, "admin", "DELETE /users/"+eve.ID+"/sessions", "", 200, `{"ended":1}`) }},
		{"client disabled", w.machineToken(t, machine.ID, machine.Secret), func() {
			w.want(t, "admin", "PATCH /clients/"+machine.ID, `{"disabled":true}`, 200)
			w.log.Append(entry(fn, "not for you", convoke.LevelInfo, noon)) // no signal reaches the stream, but the next entry does
		}},
		{"user disabled", w.tokens["bob"], func() { w.want(t, "admin", "PATCH /users/"+bob.ID, `{"disabled":true}`, 200) }},
		{"account disabled", w.tokens["other"], func() { w.want(t, "operator", "PATCH /api/accounts/20000002", `{"disabled":true}`, 200) }},
	} {
		account := home
		if tt.text == w.tokens["other"] {
			account = other
		}
		r, err := http.NewRequestWithContext(ctx, "GET", w.url+"/api/account/"+account+"/logs/stream?limit=0", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+tt.text)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		tt.end()
		all, err := io.ReadAll(res.Body)
		res.Body.Close()
		if got := string(all); err != nil || !strings.Contains(got, "event: error\n") || !strings.Contains(got, string(convoke.CodeUnauthorized)) || strings.Contains(got, "not for you") {
			t.Errorf("%s: the stream was %q, %v", tt.name, got, err)
		}
	}
}

// TestStreamIsLookedAtAgain: what expires tells nobody, so it is found by asking.
func TestStreamIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, err := auth.New(auth.Config{Tokens: struct{ convoke.TokenStore }{}, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		s := &server{Config: Config{Auth: a}}
		start, expired := time.Now(), errors.New("expired")
		ctx, stop := s.watchRight(t.Context(), func() error {
			if time.Since(start) > 7*time.Second {
				return expired
			}
			return nil
		})
		defer stop()
		<-ctx.Done()
		if took := time.Since(start); took != 2*rightEvery || becauseOf(ctx, ctx.Err()) != expired {
			t.Errorf("ended after %v by %v, want %v by %v", took, becauseOf(ctx, ctx.Err()), 2*rightEvery, expired)
		}
	})
}
