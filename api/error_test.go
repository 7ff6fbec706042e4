package api_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"convoke"
	"convoke/api"
)

// TestCodesComplete reads the constants from the source: every code that the
// root package declares has exactly one row, and every row is a declared code.
func TestCodesComplete(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../error.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := map[convoke.Code]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Code" {
			text, _ := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			declared[convoke.Code(text)] = true
		}
		return true
	})
	if len(declared) < 20 {
		t.Fatalf("found %d declared codes; the test reads the source wrongly", len(declared))
	}
	rows := map[convoke.Code]bool{}
	spellings := map[string]bool{}
	for _, c := range api.Codes {
		if rows[c.Code] {
			t.Errorf("%s has two rows", c.Code)
		}
		rows[c.Code] = true
		if !declared[c.Code] {
			t.Errorf("%s is in the table, but the root package does not declare it", c.Code)
		}
		if c.Status < 400 || c.V1 == "" || c.Meaning == "" {
			t.Errorf("%s: the row is incomplete: %+v", c.Code, c)
		}
		for _, v1 := range append([]string{c.V1}, c.V1Also...) {
			if spellings[v1] {
				t.Errorf("V1 spelling %q stands for two codes", v1)
			}
			spellings[v1] = true
		}
	}
	for code := range declared {
		if !rows[code] {
			t.Errorf("%s has no row in api.Codes", code)
		}
	}
}

func TestStatusAndV1(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		code   convoke.Code
		status int
		v1     string
	}{
		{convoke.CodeThrew, 901, "com.liveperson.faas.handler.custom-failure"},
		{convoke.CodeRuntimeError, 901, "com.liveperson.faas.handler.runtime-exception"},
		{convoke.CodeTimeout, 901, "com.liveperson.faas.handler.executiontime-exceeded"},
		{convoke.CodeLimitReached, 901, "com.liveperson.faas.handler.log-limit-reached"},
		{convoke.CodeThrottled, 429, "convoke.invoke.throttled"},
		{convoke.CodeFunctionNotFound, 404, "com.liveperson.faas.es.missinglambda"},
		{convoke.CodeUnchanged, 409, "com.liveperson.faas.function.unchanged"},
		{convoke.CodeInvalid, 400, "com.liveperson.faas.es.badinput"},
		{convoke.CodeInternal, 500, "com.liveperson.faas.es.general"},
		{convoke.CodeStorageFull, 507, "convoke.store.full"},
		{"unheard.of", 500, "unheard.of"},
	} {
		if got := api.Status(tt.code); got != tt.status {
			t.Errorf("Status(%s) = %d, want %d", tt.code, got, tt.status)
		}
		if got := api.CodeV1(tt.code); got != tt.v1 {
			t.Errorf("CodeV1(%s) = %s, want %s", tt.code, got, tt.v1)
		}
		if got := api.CodeFromV1(tt.v1); got != tt.code {
			t.Errorf("CodeFromV1(%s) = %s, want %s", tt.v1, got, tt.code)
		}
	}
	if got, want := api.CodeFromV1("com.liveperson.faas.es.notdeployed"), convoke.CodeFunctionNotFound; got != want {
		t.Errorf("CodeFromV1(es.notdeployed) = %s, want %s", got, want)
	}
}

// TestErrorThereAndBack writes an error in both dialects and reads it again.
func TestErrorThereAndBack(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 4, 5, 6, 789e6, time.UTC)
	sent := &convoke.Error{
		Code: convoke.CodeBuildFailed, Message: "1 problem", Cause: http.ErrAbortHandler,
		Logs:     []convoke.LogEntry{{Seq: 7, AccountID: "1", Level: convoke.LevelWarn, Message: "hm", Time: at}},
		Problems: []convoke.Problem{{File: "index.js", Line: 3, Column: 4, Text: "unexpected }"}},
	}
	want := &convoke.Error{
		Code: sent.Code, Message: "1 problem (error id e1)", RetryAfter: 2 * time.Second,
		Logs:     []convoke.LogEntry{{Level: convoke.LevelWarn, Message: "hm", Extras: json.RawMessage("[]"), Time: at}},
		Problems: sent.Problems,
	}
	header := http.Header{"Retry-After": {"2"}}
	body := marshal(t, api.NewError(sent, "e1"))
	if diff := cmp.Diff(want, api.ParseError(422, header, body)); diff != "" {
		t.Errorf("V2 (-want +got):\n%s", diff)
	}
	// V1 has no place for problems but among the log lines, before the others.
	body = marshal(t, api.NewError(sent, "e1").V1())
	got := api.ParseError(422, header, body)
	if len(got.Logs) != 2 || got.Logs[0].Message != "index.js:3:4: unexpected }" || got.Logs[0].Level != convoke.LevelError {
		t.Fatalf("V1: log lines %+v", got.Logs)
	}
	want.Problems, got.Logs = nil, got.Logs[1:]
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("V1 (-want +got):\n%s", diff)
	}
	var members map[string]any
	if err := json.Unmarshal(body, &members); err != nil {
		t.Fatal(err)
	}
	for m := range members {
		if m != "errorCode" && m != "errorMsg" && m != "errorLogs" {
			t.Errorf("the V1 body has a member %q; the reference's Java client refuses it", m)
		}
	}
}

func TestParseErrorForeignBody(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]convoke.Code{
		400: convoke.CodeInvalid, 401: convoke.CodeUnauthorized, 403: convoke.CodeForbidden, 404: convoke.CodeNotFound,
		409: convoke.CodeConflict, 413: convoke.CodePayloadTooLarge, 418: convoke.CodeInvalid, 429: convoke.CodeThrottled,
		500: convoke.CodeInternal, 502: convoke.CodeUnavailable, 503: convoke.CodeUnavailable, 599: convoke.CodeInternal,
	} {
		for _, body := range []string{"", "<html>", `{"error":"x"}`, `[]`} {
			if got := api.ParseError(status, nil, []byte(body)); got.Code != want || got.Message == "" {
				t.Errorf("ParseError(%d, %q) = %v, want code %s", status, body, got, want)
			}
		}
	}
}

func TestTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 600e6, time.FixedZone("", 3600))
	if got, want := string(marshal(t, api.Time{Time: at})), `"2026-01-02T02:04:05.600Z"`; got != want {
		t.Errorf("marshal: got %s, want %s", got, want)
	}
	if got := string(marshal(t, api.Token{})); strings.Contains(got, "expiresAt") {
		t.Errorf("a zero time is written: %s", got)
	}
	for in, want := range map[string]time.Time{
		`"2026-01-02T03:04:05.6+01:00"`: at.UTC(), `1767319445600`: at.UTC(), `null`: {}, `""`: {},
	} {
		var got api.Time
		if err := json.Unmarshal([]byte(in), &got); err != nil || !got.Equal(want) {
			t.Errorf("unmarshal %s: got %v, %v, want %v", in, got, err, want)
		}
	}
	var got api.Time
	if err := json.Unmarshal([]byte(`"yesterday"`), &got); err == nil {
		t.Error("unmarshal accepted a time that is none")
	}
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
