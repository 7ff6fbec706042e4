package app_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"convoke"
	"convoke/api"
	"convoke/client"
	"convoke/internal/config"
)

// TestLimits: every limit that an operator can set holds through the API, just
// below it and just above it, and what is refused changes nothing.
func TestLimits(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *config.Config) {
		c.Limits = convoke.Limits{
			FunctionsPerAccount: 3, ConcurrentDeployments: 1, NameLength: 8, DescriptionLength: 10, SkillsPerFunction: 2,
			SourceLength: 2000, FilesPerFunction: 2, VersionsPerFunction: 3, DeploymentsPerFunction: 2,
			VariablesPerFunction: 2, VariableNameLength: 5, VariableValueLength: 6,
			PayloadBytes: 500, ResultBytes: 300, LogEntries: 4, LogCharacters: 60,
			DefaultTimeout: 10 * time.Second, MaxTimeout: 20 * time.Second, DefaultMemory: 64, MaxMemoryMiB: 128,
			ConcurrencyV1: 2, ConcurrencyV2: 1, MaxConcurrency: 4, MaxInstances: 3, IdleTimeout: time.Minute,
		}
	})
	const code = `async function lambda(input) { const { repeat = 0, lines = 0, text = 'x' } = input.payload; for (let i = 0; i < lines; i++) console.log(text); return 'x'.repeat(repeat) }`
	id := s.deploy(t, "fn", code)
	expect := func(what string, wantStatus int, wantCode convoke.Code, status int, body string) {
		t.Helper()
		var e api.Error
		if status/100 != 2 {
			if err := json.Unmarshal([]byte(body), &e); err != nil || e.Message == "" {
				t.Errorf("%s: body %s, %v", what, body, err)
			}
		}
		if status != wantStatus || e.Code != wantCode {
			t.Errorf("%s: %d %s, want %d with code %q", what, status, body, wantStatus, wantCode)
		}
	}

	// Of a version: each case is saved to one function.
	save := func(body string) (int, string) {
		status, answer, _ := s.do(t, http.MethodPut, "/functions/"+id+"/manifest", body, nil)
		return status, answer
	}
	source := func(n int) string {
		text, _ := json.Marshal(code + " //" + strings.Repeat("ü", n-len(code)-3))
		return `{"files":{},"code":` + string(text) + `}`
	}
	type version struct {
		fits, breaks string
		code         convoke.Code
	}
	cases := map[string]version{
		"source":         {source(2000), source(2001), convoke.CodeValidationTooLong},
		"files":          {`{"files":{"a.js":"1","b.js":"2"}}`, `{"files":{"a.js":"1","b.js":"2","c.js":"3"}}`, convoke.CodeValidation},
		"variables":      {`{"environment":{"A":"1","B":"2"}}`, `{"environment":{"A":"1","B":"2","C":"3"}}`, convoke.CodeValidation},
		"variable name":  {`{"environment":{"ABCDE":"1"}}`, `{"environment":{"ABCDEF":"1"}}`, convoke.CodeValidation},
		"variable value": {`{"environment":{"A":"üüüüüü"}}`, `{"environment":{"A":"1234567"}}`, convoke.CodeValidation},
		"timeout":        {`{"settings":{"timeoutMs":20000}}`, `{"settings":{"timeoutMs":20001}}`, convoke.CodeValidation},
		"memory":         {`{"settings":{"memoryMiB":128}}`, `{"settings":{"memoryMiB":129}}`, convoke.CodeValidation},
		"concurrency":    {`{"settings":{"concurrency":4}}`, `{"settings":{"concurrency":5}}`, convoke.CodeValidation},
		"max instances":  {`{"settings":{"maxInstances":3}}`, `{"settings":{"maxInstances":4}}`, convoke.CodeValidation},
		"min instances":  {`{"settings":{"minInstances":3}}`, `{"settings":{"minInstances":4}}`, convoke.CodeValidation},
		"both instances": {`{"settings":{"minInstances":2,"maxInstances":2}}`, `{"settings":{"minInstances":2,"maxInstances":1}}`, convoke.CodeValidation},
		"idle time":      {`{"settings":{"idleTimeoutSeconds":86400}}`, `{"settings":{"idleTimeoutSeconds":86401}}`, convoke.CodeValidation},
	}
	for _, what := range slices.Sorted(maps.Keys(cases)) {
		c := cases[what]
		before, err := s.Function(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		status, body := save(c.breaks)
		expect(what, http.StatusBadRequest, c.code, status, body)
		if after, err := s.Function(t.Context(), id); err != nil || after.LatestVersion != before.LatestVersion {
			t.Errorf("%s: what was refused left version %d, %v", what, after.LatestVersion, err)
		}
		status, body = save(c.fits)
		expect(what+" at the limit", http.StatusOK, "", status, body)
	}
	f, err := s.Function(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	numbers := []int{}
	for _, v := range f.Versions {
		numbers = append(numbers, v.Version)
	}
	if last := f.LatestVersion; !slices.Equal(numbers, []int{last, last - 1, 1}) && !slices.Equal(numbers, []int{last, last - 1, last - 2, 1}) {
		t.Errorf("versions %v are kept; want the newest and the live one, 3 or 4 in all", numbers)
	}

	// Of an account and a function.
	create := func(body string) (int, string) {
		status, answer, _ := s.do(t, http.MethodPost, "/functions", body, nil)
		return status, answer
	}
	for _, c := range []struct {
		what, body string
		status     int
		code       convoke.Code
	}{
		{"name", `{"name":"ninechars"}`, 400, convoke.CodeValidation},
		{"description", `{"name":"b","description":"elevenchars"}`, 400, convoke.CodeValidation},
		{"skills", `{"name":"b","eventId":"controllerbot_messaging_ttr","skills":["1","2","3"]}`, 400, convoke.CodeValidation},
		{"all at the limit", `{"name":"eightlen","description":"tenletters","eventId":"controllerbot_messaging_ttr","skills":["1","2"]}`, 201, ""},
		{"third function", `{"name":"c"}`, 201, ""},
		{"functions", `{"name":"d"}`, 409, convoke.CodeLimitExceeded},
	} {
		status, body := create(c.body)
		expect(c.what, c.status, c.code, status, body)
	}

	// Of deployments under way: one, which loads until it is told not to.
	slow, err := s.Lookup(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	if status, body, _ := s.do(t, http.MethodPut, "/functions/"+slow+"/manifest", `{"code":"const end = Date.now() + 1500; while (Date.now() < end); async function lambda() {}"}`, nil); status != http.StatusOK {
		t.Fatal(status, body)
	}
	status, body, _ := s.do(t, http.MethodPost, "/deployments/"+slow, "", nil)
	expect("a deployment", http.StatusAccepted, "", status, body)
	status, body, _ = s.do(t, http.MethodPost, "/deployments/"+id, "", nil)
	expect("deployments under way", http.StatusConflict, convoke.CodeLimitExceeded, status, body)
	status, body, _ = s.do(t, http.MethodPut, "/functions/"+slow+"/manifest", `{"code":"late"}`, nil)
	expect("saving while it deploys", http.StatusConflict, convoke.CodeActionNotAllowed, status, body)
	s.until(t, "the end of the deployment", func() bool {
		f, err := s.Function(t.Context(), slow)
		return err == nil && !f.Pending
	})
	for range 3 { // deployment records
		if _, err := s.Deploy(t.Context(), slow, nil); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := s.Deployments(t.Context(), slow); err != nil || len(list) != 2 {
		t.Errorf("%d deployments are kept, %v; want 2", len(list), err)
	}

	// Of an invocation.
	invoke := func(payload string) (int, string) {
		status, body, _ := s.do(t, http.MethodPost, "/lambdas/"+id+"/invoke", `{"payload":`+payload+`}`, http.Header{"X-Request-Id": {"r-" + payload}})
		return status, body
	}
	padded := func(n int) string { return `{"p":"` + strings.Repeat("x", n-len(`{"payload":{"p":""}}`)) + `"}` }
	for _, c := range []struct {
		what, payload string
		status        int
		code          convoke.Code
	}{
		{"payload at the limit", padded(500), 200, ""},
		{"payload", padded(501), 413, convoke.CodePayloadTooLarge},
		{"result at the limit", `{"repeat":298}`, 200, ""}, // and two quotes
		{"result", `{"repeat":299}`, 901, convoke.CodeLimitReached},
	} {
		status, body := invoke(c.payload)
		expect(c.what, c.status, c.code, status, body)
	}
	for payload, kept := range map[string]int{`{"lines":4}`: 4, `{"lines":9}`: 4, `{"lines":3,"text":"thirty-characters-in-this-line"}`: 1} {
		if status, body := invoke(payload); status != http.StatusOK {
			t.Errorf("%s: %d %s", payload, status, body)
		}
		filter := client.LogFilter{FunctionID: id, RequestID: "r-" + payload}
		if kept < 4 || strings.Contains(payload, "9") {
			s.logged(t, filter, "at most 4 entries and 60 characters are kept")
		}
		logs, err := s.Logs(t.Context(), filter)
		n := len(slices.DeleteFunc(logs, func(e api.LogEntry) bool { return e.Source == "platform" }))
		if err != nil || n != kept {
			t.Errorf("%s: %d entries are kept, %v; want %d", payload, n, err, kept)
		}
	}
}

// TestDefaultLimits: what a function gets that asks for nothing. Each
// invocation stays until as many are in one instance as there can be, and a
// little longer, so that one too many would be seen.
func TestDefaultLimits(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *config.Config) { c.Limits.ConcurrencyV1, c.Limits.MaxInstances = 3, 1 })
	const stay = `most = Math.max(most, ++now); while (most < input.payload) await new Promise((r) => setTimeout(r, 1)); await new Promise((r) => setTimeout(r, 50)); now--`
	v1 := s.deploy(t, "one", `let now = 0, most = 0; async function lambda(input, callback) { `+stay+`; callback(null, most) }`)
	v2 := s.deploy(t, "two", `let now = 0, most = 0; async function lambda(input) { `+stay+`; return most }`)
	for id, want := range map[string]string{v1: "3", v2: "1"} {
		done := make(chan error)
		for range 6 {
			go func() { _, err := s.invoke(t, id, want); done <- err }()
		}
		for range 6 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if got, err := s.invoke(t, id, "0"); got != want || err != nil {
			t.Errorf("at most %s at a time ran in one instance, %v; want %s", got, err, want)
		}
	}
}

// TestDefaultTimeout is apart from the other defaults: on a busy machine what
// ends by itself could be too late for a short one.
func TestDefaultTimeout(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *config.Config) { c.Limits.DefaultTimeout = 300 * time.Millisecond })
	id := s.deploy(t, "hangs", `async function lambda() { await new Promise(() => setInterval(() => {}, 1000)) }`)
	if _, err := s.invoke(t, id, "0"); convoke.ErrorCode(err) != convoke.CodeTimeout || !strings.Contains(err.Error(), fmt.Sprint(300*time.Millisecond)) {
		t.Errorf("beyond the default time-out: %v", err)
	}
}
