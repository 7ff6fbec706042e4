package cli

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"convoke"
	"convoke/api"
)

func deployed(t *testing.T) *shell {
	t.Helper()
	s := newShell(t)
	s.file("hello.js", hello)
	s.want(ExitOK, nil, nil, "deploy", "hello.js", "--name", "hello")
	s.fake.answer = func(w http.ResponseWriter, body []byte) { w.Write(body) }
	return s
}

func TestInvoke(t *testing.T) {
	t.Parallel()
	s := deployed(t)
	s.file("p.json", `{"headers":[{"key":"a","value":"1"}],"payload":{"x":1}}`)
	s.stdin = `[1, 2]`
	for _, tt := range []struct {
		args []string
		want string // the body without its timestamp
	}{
		{nil, `{"payload":{}}`},
		{[]string{"--payload", `{"x":1}`}, `{"payload":{"x":1}}`},
		{[]string{"--payload", `"text"`}, `{"payload":"text"}`},
		{[]string{"--payload", `null`}, `{"payload":null}`},
		{[]string{"--payload", `{"payload":7}`}, `{"payload":7}`},
		{[]string{"--payload", `{"payload":null,"headers":[]}`}, `{"payload":null}`},
		{[]string{"--payload", `{"payload":7,"other":1}`}, `{"payload":{"payload":7,"other":1}}`},
		{[]string{"--payload", `{"headers":[]}`}, `{"payload":{"headers":[]}}`},
		{[]string{"--payload", `{"payload":1,"headers":{"b":"2","a":"1"}}`}, `{"headers":[{"key":"a","value":"1"},{"key":"b","value":"2"}],"payload":1}`},
		{[]string{"--payload", "@p.json", "--header", "b=2=3"}, `{"headers":[{"key":"a","value":"1"},{"key":"b","value":"2=3"}],"payload":{"x":1}}`},
		{[]string{"--payload", "-"}, `{"payload":[1,2]}`},
	} {
		got := s.want(ExitOK, nil, nil, append([]string{"invoke", "hello"}, tt.args...)...)
		var body map[string]any
		if err := json.Unmarshal([]byte(got.stdout), &body); err != nil {
			t.Errorf("%v: %v in %q", tt.args, err, got.stdout)
		}
		if ts, _ := body["timestamp"].(float64); time.Since(time.UnixMilli(int64(ts))) > time.Hour {
			t.Errorf("%v: timestamp %v is not now", tt.args, body["timestamp"])
		}
		delete(body, "timestamp")
		var want map[string]any
		json.Unmarshal([]byte(tt.want), &want)
		if diff := cmp.Diff(want, body); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.args, diff)
		}
	}
	s.want(ExitOK, []string{`"timestamp":77`}, nil, "invoke", "hello", "--payload", `{"timestamp":77,"payload":1}`)

	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"invoke"}, "NAME is missing"},
		{[]string{"invoke", "hello", "x"}, `"x" is too much`},
		{[]string{"invoke", "hello", "--payload", "{x"}, "the payload is no JSON"},
		{[]string{"invoke", "hello", "--payload", ""}, ""},
		{[]string{"invoke", "hello", "--payload", "@none.json"}, "there is no file none.json"},
		{[]string{"invoke", "hello", "--header", "x"}, "--header takes KEY=VALUE"},
		{[]string{"invoke", "hello", "--payload", `{"payload":1,"timestamp":"now"}`}, "Unix milliseconds"},
		{[]string{"invoke", "hello", "--payload", `{"payload":1,"headers":[1]}`}, "the headers of the body"},
	} {
		if tt.want == "" {
			s.want(ExitOK, nil, nil, tt.args...)
			continue
		}
		s.want(ExitUsage, []string{"!{"}, []string{tt.want}, tt.args...)
	}
	s.want(ExitNotFound, []string{"!{"}, []string{`there is no function "none"`}, "invoke", "none")
}

func TestInvokeByEvent(t *testing.T) {
	t.Parallel()
	s := deployed(t)
	s.fake.answer = func(w http.ResponseWriter, _ []byte) { io.WriteString(w, `[{"uuid":"u","timestamp":1,"result":2}]`) }
	for _, args := range [][]string{{"--event", "my_event"}, {"my_event", "--event"}, {"--event=my_event"}} {
		s.want(ExitOK, []string{`[{"uuid":"u","timestamp":1,"result":2}]`}, nil, append([]string{"invoke", "--skill", "7"}, args...)...)
		if got := s.fake.requests[len(s.fake.requests)-1]; got != "POST /events/my_event/invoke?skillId=7" {
			t.Errorf("%v asked for %s", args, got)
		}
	}
	s.want(ExitUsage, nil, []string{"too much"}, "invoke", "hello", "--event=my_event")
	s.want(ExitUsage, nil, []string{"NAME is missing"}, "invoke", "--event")
	s.want(ExitOK, []string{"--event ID  ", "!--event ID["}, nil, "invoke", "--help")
}

func TestInvokeFails(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)
	for code, exit := range map[convoke.Code]int{
		convoke.CodeRuntimeError: ExitFunction, convoke.CodeTimeout: ExitFunction, convoke.CodeLimitReached: ExitFunction,
		convoke.CodeThrottled: ExitLimit, convoke.CodeUnavailable: ExitUnavailable,
		convoke.CodeForbidden: ExitAuth, convoke.CodePayloadTooLarge: ExitUsage, convoke.CodeInternal: ExitFailure,
	} {
		s := deployed(t)
		s.fake.answer = func(w http.ResponseWriter, _ []byte) {
			refuse(w, &convoke.Error{Code: code, Message: "it went wrong", Logs: []convoke.LogEntry{
				{Time: at, Level: "Warn", Message: "look \x1b[31mhere", Extras: json.RawMessage(`[{"a":1}]`)}, {Time: at, Level: "Error", Message: "only in the error"},
			}})
		}
		want := []string{"convoke: it went wrong\n", "  code: " + string(code), "2026-11-23T01:02:03.000Z Warn  look \\x1b[31mhere [{\"a\":1}]\n", "only in the error"}
		s.want(exit, []string{"!it"}, want, "invoke", "hello")

		// With --logs the stored lines come once.
		s.fake.logs = []api.LogEntry{
			{ID: 1, Level: "Info", Message: "first"}, {ID: 2, Timestamp: api.Time{Time: at}, Level: "Warn", Message: "look \x1b[31mhere", Extras: json.RawMessage(`[{"a":1}]`)},
		}
		got := s.want(exit, nil, want, "invoke", "hello", "--logs")
		if n := strings.Count(got.stderr, "31mhere"); n != 1 || strings.Index(got.stderr, "first") > strings.Index(got.stderr, "31mhere") {
			t.Errorf("%s: log lines twice or out of order:\n%s", code, got.stderr)
		}
		s.want(exit, nil, []string{`"code":"` + string(code) + `"`, `"errorLogs":[{"level":"Warn"`}, "invoke", "hello", "--json")
	}
}

// TestInvokeThrows: the function's own words come first, whatever the wire's
// fixed message is.
func TestInvokeThrows(t *testing.T) {
	t.Parallel()
	s := deployed(t)
	thrown := convoke.LogEntry{Level: "Error", Message: "Error: no such order\n    at lambda (index.js:3:9)"}
	s.fake.answer = func(w http.ResponseWriter, _ []byte) {
		refuse(w, &convoke.Error{Code: convoke.CodeThrew, Message: "Function Invocation failed", Logs: []convoke.LogEntry{thrown}})
	}
	got := s.want(ExitFunction, nil, []string{"!Function Invocation failed", "    at lambda (index.js:3:9)\n"}, "invoke", "hello")
	if want := "convoke: hello threw: no such order\n  code: com.customer.faas.function.threw-error\n"; !strings.HasPrefix(got.stderr, want) {
		t.Errorf("got\n%s\nwant it to begin with\n%s", got.stderr, want)
	}
	s.want(ExitFunction, nil, []string{`"message":"Function Invocation failed"`, `"errorLogs":[`}, "invoke", "hello", "--json")

	s.fake.logs = []api.LogEntry{{ID: 1, Level: "Error", Message: thrown.Message}}
	got = s.want(ExitFunction, nil, []string{"convoke: hello threw: no such order\n"}, "invoke", "hello", "--logs")
	if strings.Count(got.stderr, "at lambda") != 1 {
		t.Errorf("--logs: got\n%s\nwant the stack once", got.stderr)
	}
	thrown.Message = "TypeError of mine: a\nb"
	s.want(ExitFunction, nil, []string{"convoke: my_event threw: TypeError of mine: a\nb\n"}, "invoke", "--event", "my_event")
}

func TestInvokeNotDeployed(t *testing.T) {
	t.Parallel()
	s := deployed(t)
	s.fake.answer = func(w http.ResponseWriter, _ []byte) {
		refuse(w, convoke.Errorf(convoke.CodeFunctionNotFound, "There is no X deployed on Y"))
	}
	for _, name := range []string{"hello", s.fake.functions[0].UUID} {
		s.want(ExitNotFound, nil, []string{"convoke: hello is not deployed; deploy it with convoke deploy\n"}, "invoke", name)
	}
	s.want(ExitNotFound, nil, []string{"there is no function 00000000-0000-4000-8000-000000000000"}, "invoke", "00000000-0000-4000-8000-000000000000")
}

// TestTryAgain: a server that answers needs no advice about how to reach it.
func TestTryAgain(t *testing.T) {
	t.Parallel()
	s := deployed(t)
	for code, exit := range map[convoke.Code]int{convoke.CodeUnavailable: ExitUnavailable, convoke.CodeThrottled: ExitLimit} {
		for after, want := range map[string]string{"3": "hint: try again in 3s\n", "": "hint: try again in a moment\n"} {
			s.fake.answer = func(w http.ResponseWriter, _ []byte) {
				if after != "" {
					w.Header().Set("Retry-After", after)
				}
				refuse(w, convoke.Errorf(code, "not now"))
			}
			s.want(exit, nil, []string{want, "!convoke serve"}, "invoke", "hello")
		}
	}
	s.fake.answer = func(http.ResponseWriter, []byte) { panic(http.ErrAbortHandler) }
	s.want(ExitUnavailable, nil, []string{"hint: convoke serve", "cause:"}, "invoke", "hello")
}

func TestEmptyStates(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.want(ExitOK, []string{"!NAME"}, []string{"there are no functions yet; convoke deploy PATH makes one"}, "list")
	s.want(ExitOK, nil, []string{"convoke list without flags shows all"}, "list", "--event", "e")
	s.want(ExitOK, []string{"[]"}, []string{"!no functions"}, "list", "--json")
	s.file("hello.js", hello)
	s.want(ExitOK, nil, nil, "deploy", "hello.js")
	s.want(ExitOK, nil, []string{"hello has logged nothing yet; convoke invoke hello runs it"}, "logs", "hello")
	s.want(ExitOK, nil, []string{"no log entry of hello matches"}, "logs", "hello", "--text", "x")
	s.want(ExitOK, nil, []string{"!hello"}, "logs", "hello", "--json")
}

func TestInvokeLogs(t *testing.T) {
	t.Parallel()
	s := deployed(t)
	s.fake.logs = []api.LogEntry{{ID: 1, Level: "Info", Message: "one"}, {ID: 2, Level: "Info", Message: "two"}}
	got := s.want(ExitOK, []string{"payload"}, nil, "invoke", "hello", "--logs")
	if one, two := strings.Index(got.stderr, "one"), strings.Index(got.stderr, "two"); one < 0 || two < one {
		t.Errorf("got %q, want one before two", got.stderr)
	}
	if last := s.fake.requests[len(s.fake.requests)-1]; last != "GET /logs?limit=1000&requestId=req-1" {
		t.Errorf("asked for %s", last)
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	s := deployed(t)
	s.fake.logs = []api.LogEntry{{ID: 1, Level: "Info", Message: "one", Extras: json.RawMessage("[]")}, {ID: 2, Level: "Error", Message: "two", Extras: json.RawMessage(`[1]`)}}
	got := s.want(ExitOK, nil, nil, "logs", "hello", "--level", "error,warn", "--since", "1h", "--until", "2126-11-23T08:00:00Z", "--text", "x y", "--request-id", "r", "--limit", "7")
	if want := "0001-01-01T00:00:00.000Z Info  one\n0001-01-01T00:00:00.000Z Error two [1]\n"; got.stdout != want {
		t.Errorf("got %q, want %q", got.stdout, want)
	}
	last := s.fake.requests[len(s.fake.requests)-1]
	for _, want := range []string{"level=error&level=warn", "&limit=7", "&requestId=r", "&text=x+y", "&to=4951094400000", "from="} {
		if !strings.Contains(last, want) {
			t.Errorf("%s is missing in %s", want, last)
		}
	}
	got = s.want(ExitOK, nil, nil, "logs", "hello", "--json")
	if lines := strings.Split(strings.TrimSpace(got.stdout), "\n"); len(lines) != 2 || !json.Valid([]byte(lines[1])) {
		t.Errorf("--json: got %q, want one entry on each line", got.stdout)
	}
	for _, args := range [][]string{
		{"--level", "loud"}, {"--since", "yesterday"}, {"--limit", "0"}, {"--limit", "1001"}, {"--follow", "--until", "1h"}, {"--since", "-5m"}, {"--since", "1h", "--until", "2h"},
	} {
		s.want(ExitUsage, nil, nil, append([]string{"logs", "hello"}, args...)...)
	}
}

func TestLogsFollow(t *testing.T) {
	t.Parallel()
	s := deployed(t)
	s.fake.logs = []api.LogEntry{{ID: 1, Level: "Info", Message: "one"}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.fake.again = cancel // it has read the first stream to its end
	got := s.runContext(ctx, "logs", "hello", "--follow", "--limit", "0")
	if got.code != ExitOK || !strings.Contains(got.stdout, "one") {
		t.Errorf("got %+v, want the entry and exit code 0 when it is stopped", got)
	}
	if !strings.Contains(strings.Join(s.fake.requests, " "), "/logs/stream?limit=0") {
		t.Errorf("asked for %v", s.fake.requests)
	}
}
