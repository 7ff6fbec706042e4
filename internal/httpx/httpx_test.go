package httpx_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"convoke"
	"convoke/api"
	"convoke/internal/httpx"
)

// edge is an Edge whose log lines can be read.
func edge(c httpx.Config) (*httpx.Edge, *bytes.Buffer) {
	var out bytes.Buffer
	c.Logger = slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return httpx.New(c), &out
}

type logLine struct {
	Level, Msg, Method, Path, Request, Code, Err, ErrorID, Stack, Principal string
	Status                                                                  int
}

// line reads the one line that a request must leave.
func line(t *testing.T, out *bytes.Buffer) logLine {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 1 {
		t.Fatalf("the request left %d log lines, want 1:\n%s", len(lines), out)
	}
	var l logLine
	if err := json.Unmarshal([]byte(lines[0]), &l); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestErrors(t *testing.T) {
	t.Parallel()
	secret := errors.New("dial tcp 10.1.2.3: refused")
	for name, tt := range map[string]struct {
		err     error
		v1      bool
		status  int
		body    string // exact, unless an error id is in it
		header  http.Header
		logs    string // must be part of the line
		level   string
		errorID bool
	}{
		"plain error": {err: secret, status: 500, logs: "10.1.2.3", level: "ERROR", errorID: true},
		"internal with a message": {err: &convoke.Error{Code: convoke.CodeInternal, Message: "table fn is broken", Cause: secret},
			status: 500, logs: "table fn is broken", level: "ERROR", errorID: true},
		"validation": {err: convoke.Errorf(convoke.CodeValidation, "a function needs a name"), status: 400,
			body: `{"code":"com.liveperson.faas.fm.validation.general","message":"a function needs a name"}`, level: "INFO"},
		"cause stays here": {err: &convoke.Error{Code: convoke.CodeStorageFull, Message: "the disk is full", Cause: secret}, status: 507,
			body: `{"code":"convoke.store.full","message":"the disk is full"}`, logs: "10.1.2.3", level: "INFO"},
		"customer code": {err: &convoke.Error{Code: convoke.CodeThrew, Message: "m", Logs: []convoke.LogEntry{{Level: "Info", Message: "x", Time: time.UnixMilli(5)}}}, status: 901,
			body:  `{"code":"com.customer.faas.function.threw-error","message":"m","errorLogs":[{"level":"Info","message":"x","extras":[],"timestamp":5}]}`,
			level: "INFO"},
		"customer code V1": {err: convoke.Errorf(convoke.CodeThrew, "m"), v1: true, status: 901,
			body: `{"errorCode":"com.liveperson.faas.handler.custom-failure","errorMsg":"m"}`, level: "INFO"},
		"throttled": {err: &convoke.Error{Code: convoke.CodeThrottled, Message: "m", RetryAfter: 1100 * time.Millisecond}, status: 429,
			body: `{"code":"convoke.invoke.throttled","message":"m"}`, header: http.Header{"Retry-After": {"2"}}, level: "INFO"},
		"unauthorized": {err: convoke.Errorf(convoke.CodeUnauthorized, "m"), status: 401,
			body: `{"code":"convoke.auth.unauthorized","message":"m"}`, header: http.Header{"Www-Authenticate": {`Bearer realm="convoke"`, `DPoP realm="convoke", algs="ES256 ES384 RS256 PS256"`}}, level: "INFO"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, out := edge(httpx.Config{V1: func(*http.Request) bool { return tt.v1 }})
			rec := httptest.NewRecorder()
			e.Wrap(e.Handle(func(http.ResponseWriter, *http.Request) error { return tt.err }, true)).
				ServeHTTP(rec, httptest.NewRequest("GET", "/x?client_secret=hush", nil))

			if rec.Code != tt.status {
				t.Errorf("status %d, want %d", rec.Code, tt.status)
			}
			var body api.Error
			if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil {
				t.Fatal(err)
			}
			if tt.body != "" && strings.TrimSpace(rec.Body.String()) != tt.body {
				t.Errorf("body\n got %s\nwant %s", rec.Body, tt.body)
			}
			for k := range tt.header {
				if diff := cmp.Diff(tt.header[k], rec.Header()[k]); diff != "" {
					t.Errorf("header %s (-want +got):\n%s", k, diff)
				}
			}
			if strings.Contains(rec.Body.String(), "10.1.2.3") || strings.Contains(rec.Body.String(), "broken") {
				t.Errorf("the body tells what only the log may know: %s", rec.Body)
			}
			l := line(t, out)
			if l.Level != tt.level || l.Msg != "request" || l.Status != tt.status || l.Code == "" || !strings.Contains(l.Err, tt.logs) {
				t.Errorf("log line %+v", l)
			}
			if (body.ErrorID != "") != tt.errorID || l.ErrorID != body.ErrorID {
				t.Errorf("error id: body %q, log %q, want one: %v", body.ErrorID, l.ErrorID, tt.errorID)
			}
			if strings.Contains(out.String(), "hush") {
				t.Errorf("the query is in the log: %s", out)
			}
		})
	}
}

func TestPanicIsAnInternalError(t *testing.T) {
	t.Parallel()
	e, out := edge(httpx.Config{})
	rec := httptest.NewRecorder()
	e.Wrap(e.Handle(func(http.ResponseWriter, *http.Request) error { panic("boom") }, false)).
		ServeHTTP(rec, httptest.NewRequest("GET", "/x", nil))
	if rec.Code != 500 || strings.Contains(rec.Body.String(), "boom") {
		t.Errorf("answer %d %s", rec.Code, rec.Body)
	}
	if l := line(t, out); l.Err != "panic: boom" || !strings.Contains(l.Stack, "TestPanic") || l.ErrorID == "" {
		t.Errorf("log line %+v", l)
	}
}

func TestAbortPassesThrough(t *testing.T) {
	t.Parallel()
	e, _ := edge(httpx.Config{})
	defer func() {
		if v := recover(); v != http.ErrAbortHandler {
			t.Errorf("recovered %v, want http.ErrAbortHandler", v)
		}
	}()
	e.Wrap(e.Handle(func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) }, false)).
		ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/x", nil))
}

func TestUnknownPathAndMethod(t *testing.T) {
	t.Parallel()
	e, _ := edge(httpx.Config{})
	mux := http.NewServeMux()
	mux.Handle("GET /thing", e.Handle(func(w http.ResponseWriter, r *http.Request) error {
		return httpx.WriteJSON(w, http.StatusNotFound, "a handler's own 404")
	}, false))
	h := e.Wrap(mux)
	for _, tt := range []struct {
		method, path string
		status       int
		body, allow  string
	}{
		{"GET", "/nothing", 404, `"code":"convoke.http.not-found"`, ""},
		{"POST", "/thing", 405, `"code":"convoke.http.method-not-allowed"`, "GET, HEAD"},
		{"GET", "/thing", 404, `"a handler's own 404"`, ""},
	} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(tt.method, tt.path, nil))
		if rec.Code != tt.status || !strings.Contains(rec.Body.String(), tt.body) || !json.Valid(rec.Body.Bytes()) {
			t.Errorf("%s %s: %d %s, want %d with %s", tt.method, tt.path, rec.Code, rec.Body, tt.status, tt.body)
		}
		if got := rec.Header().Get("Allow"); got != tt.allow {
			t.Errorf("%s %s: Allow %q, want %q", tt.method, tt.path, got, tt.allow)
		}
		if got := rec.Header().Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
			t.Errorf("%s %s: Content-Type %q", tt.method, tt.path, got)
		}
	}
}

// TestObserve: every request is counted once, by the pattern of its route and
// never by its path.
func TestObserve(t *testing.T) {
	t.Parallel()
	var got []string
	e, _ := edge(httpx.Config{Observe: func(route string, status int) { got = append(got, fmt.Sprintf("%s: %d", route, status)) }})
	mux := http.NewServeMux()
	handle := func(pattern string, h httpx.Handler) { mux.Handle(pattern, e.Handle(h, true)) }
	handle("GET /things/{id}", func(w http.ResponseWriter, r *http.Request) error {
		if r.PathValue("id") == "none" {
			return convoke.Errorf(convoke.CodeThrew, "no")
		}
		return httpx.WriteJSON(w, http.StatusOK, true)
	})
	handle("DELETE /things/{id}", func(http.ResponseWriter, *http.Request) error { panic("boom") })
	handle("POST /quiet", func(http.ResponseWriter, *http.Request) error { return nil })
	h := e.Wrap(mux)
	for _, request := range []string{"GET /things/1", "GET /things/none", "DELETE /things/1", "POST /quiet", "PUT /things/1", "GET /nothing"} {
		method, path, _ := strings.Cut(request, " ")
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, path, nil))
	}
	want := []string{"GET /things/{id}: 200", "GET /things/{id}: 901", "DELETE /things/{id}: 500", "POST /quiet: 200", ": 405", ": 404"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("observed (-want +got):\n%s", diff)
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		in   []string
		kept bool
	}{
		"a caller's":    {[]string{"a3f0c1de-1"}, true},
		"none":          {nil, false},
		"empty":         {[]string{""}, false},
		"two":           {[]string{"a", "b"}, false},
		"100 long":      {[]string{strings.Repeat("a", 100)}, true},
		"101 long":      {[]string{strings.Repeat("a", 101)}, false},
		"a space":       {[]string{"a b"}, false},
		"a line break":  {[]string{"a\nb"}, false},
		"not ASCII":     {[]string{"ä"}, false},
		"a delete char": {[]string{"a\x7f"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, out := edge(httpx.Config{})
			var seen string
			h := e.Wrap(e.Handle(func(w http.ResponseWriter, r *http.Request) error {
				seen = httpx.RequestID(r)
				return httpx.WriteJSON(w, 200, true)
			}, false))
			r := httptest.NewRequest("GET", "/", nil)
			if tt.in != nil {
				r.Header["X-Request-Id"] = tt.in
			}
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			if got := rec.Header().Get("X-Request-ID"); got != seen || line(t, out).Request != seen {
				t.Errorf("handler saw %q, the answer has %q, the log %s", seen, got, out)
			}
			if tt.kept && seen != tt.in[0] || !tt.kept && len(seen) != 36 {
				t.Errorf("id %q from %q, kept should be %v", seen, tt.in, tt.kept)
			}
		})
	}
}

func TestQuietAndPrincipal(t *testing.T) {
	t.Parallel()
	e, out := edge(httpx.Config{})
	h := e.Wrap(e.Handle(func(w http.ResponseWriter, r *http.Request) error {
		httpx.SetPrincipal(w, &convoke.Principal{ID: "t1", Name: "ci"})
		return httpx.WriteJSON(w, 200, true)
	}, true))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	if l := line(t, out); l.Level != "DEBUG" || l.Principal != "ci" {
		t.Errorf("log line %+v, want DEBUG by ci", l)
	}
}

// TestRefusedLogin: the log says whom a refused sign-in named, bounded and in
// one line, also when the answer is a page.
func TestRefusedLogin(t *testing.T) {
	t.Parallel()
	name := "ann\n{\"level\":\"INFO\"}" + strings.Repeat("ü", 200)
	want := string([]rune(name)[:100]) + "…"
	for _, tt := range []struct {
		err   error
		page  bool
		login string
	}{
		{err: convoke.Errorf(convoke.CodeUnauthorized, "wrong"), login: want},
		{err: convoke.Errorf(convoke.CodeLocked, "wait"), login: want},
		{err: convoke.Errorf(convoke.CodeUnauthorized, "wrong"), page: true, login: want},
		{err: convoke.Errorf(convoke.CodeUnavailable, "later")},
		{err: errors.New("a fault of ours")},
	} {
		e, out := edge(httpx.Config{})
		h := e.Wrap(e.Handle(func(w http.ResponseWriter, r *http.Request) error {
			httpx.RefusedLogin(w, r, name, tt.err)
			if tt.page {
				w.WriteHeader(200)
				return nil
			}
			return tt.err
		}, false))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil))
		var l struct{ Login, Code, Err string }
		if strings.Count(out.String(), "\n") != 1 {
			t.Errorf("%v: the log has more than a line: %s", tt.err, out)
		}
		if err := json.Unmarshal(out.Bytes(), &l); err != nil || l.Login != tt.login || l.Code == "" || l.Err == "" {
			t.Errorf("%v, page %v: logged %s (%v), want the login %q", tt.err, tt.page, out, err, tt.login)
		}
	}
}

func TestReadJSON(t *testing.T) {
	t.Parallel()
	type body struct {
		Name  string `json:"name"`
		Inner struct {
			N *int `json:"n"`
		} `json:"inner"`
	}
	for name, tt := range map[string]struct {
		in       string
		optional bool
		code     convoke.Code
		message  string
	}{
		"good":              {in: `{"timestamp":0,"name":"a"}`},
		"empty":             {in: "", code: convoke.CodeInvalid, message: "needs a JSON body"},
		"empty, optional":   {in: " \n", optional: true},
		"broken":            {in: `{"name":`, code: convoke.CodeInvalid, message: "not JSON"},
		"broken, optional":  {in: `x`, optional: true, code: convoke.CodeInvalid, message: "at byte 1"},
		"trailing":          {in: `{} {}`, code: convoke.CodeInvalid, message: "not JSON"},
		"wrong type":        {in: `{"name":7}`, code: convoke.CodeInvalid, message: "member name must be a string, not number"},
		"wrong inner type":  {in: `{"inner":{"n":"x"}}`, code: convoke.CodeInvalid, message: "member inner.n must be a whole number, not string"},
		"wrong top type":    {in: `[]`, code: convoke.CodeInvalid, message: "the body must be an object, not array"},
		"too large":         {in: `{"name":"` + strings.Repeat("x", 200) + `"}`, code: convoke.CodePayloadTooLarge, message: "100 bytes"},
		"too large, spaces": {in: strings.Repeat(" ", 200), optional: true, code: convoke.CodePayloadTooLarge},
	} {
		for _, chunked := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				r := httptest.NewRequest("POST", "/", strings.NewReader(tt.in))
				if chunked {
					r.ContentLength = -1
				}
				var v body
				read := httpx.ReadJSON
				if tt.optional {
					read = httpx.ReadOptionalJSON
				}
				err := read(httptest.NewRecorder(), r, &v, 100)
				if got := convoke.ErrorCode(err); got != tt.code {
					t.Fatalf("code %q, want %q (%v)", got, tt.code, err)
				}
				if err != nil && !strings.Contains(err.Error(), tt.message) {
					t.Errorf("message %q lacks %q", err, tt.message)
				}
			})
		}
	}
}

// TestStreamEnds holds each way a stream can end, over a real connection.
func TestStreamEnds(t *testing.T) {
	t.Parallel()
	drain := make(chan struct{})
	e, _ := edge(httpx.Config{Drain: drain})
	srv := httptest.NewServer(e.Wrap(e.Handle(func(w http.ResponseWriter, r *http.Request) error {
		a, b := httpx.Event{ID: "1", Data: []byte("a")}, httpx.Event{ID: "2", Name: "log", Data: []byte("b\nc")}
		refusal := convoke.Errorf(convoke.CodeThrottled, "too many watch")
		switch r.URL.Path {
		case "/closed":
			return e.ServeEvents(w, r, func(_ context.Context, emit func(httpx.Event) error) error {
				return errors.Join(emit(a), emit(b))
			})
		case "/failed":
			return e.ServeEvents(w, r, func(_ context.Context, emit func(httpx.Event) error) error {
				return errors.Join(emit(a), refusal)
			})
		case "/panicked":
			return e.ServeEvents(w, r, func(_ context.Context, emit func(httpx.Event) error) error {
				defer panic("boom")
				return emit(a)
			})
		case "/refused":
			return e.ServeEvents(w, r, func(context.Context, func(httpx.Event) error) error { return refusal })
		case "/silent":
			return e.ServeEvents(w, r, func(context.Context, func(httpx.Event) error) error { return nil })
		}
		return e.ServeEvents(w, r, silent)
	}, false)))
	t.Cleanup(srv.Close)

	if got, want := get(t, srv.URL+"/closed", nil), "retry: 1000\n\nid: 1\ndata: a\n\nid: 2\nevent: log\ndata: b\ndata: c\n\n"; got != want {
		t.Errorf("closed source: got %q, want %q", got, want)
	}
	if got, want := get(t, srv.URL+"/silent", nil), "retry: 1000\n\n"; got != want {
		t.Errorf("source without events: got %q, want %q", got, want)
	}
	failed := "data: a\n\nevent: error\ndata: " + `{"code":"convoke.invoke.throttled","message":"too many watch"}` + "\n\n"
	if got := get(t, srv.URL+"/failed", nil); !strings.HasSuffix(got, failed) {
		t.Errorf("failed source: got %q, want %q at the end", got, failed)
	}
	if got := get(t, srv.URL+"/panicked", nil); !strings.Contains(got, "event: error\n") || strings.Contains(got, "boom") {
		t.Errorf("panicked source: got %q", got)
	}
	res, err := http.Get(srv.URL + "/refused")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("source that refuses at once: status %d, want 429", res.StatusCode)
	}
	got := get(t, srv.URL+"/live", func() { close(drain) })
	if !strings.HasSuffix(got, "event: end\ndata: the server is stopping\n\n") {
		t.Errorf("draining server: got %q", got)
	}
}

// silent is a source that never has anything to say.
func silent(ctx context.Context, _ func(httpx.Event) error) error {
	<-ctx.Done()
	return ctx.Err()
}

// get reads the whole stream; then runs once its head has arrived.
func get(t *testing.T, url string, then func()) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := res.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("Content-Type %q", got)
	}
	if then != nil {
		then()
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestStreamHeartbeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e, _ := edge(httpx.Config{Heartbeat: 10 * time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), 35*time.Second)
		defer cancel()
		rec := httptest.NewRecorder()
		h := e.Wrap(e.Handle(func(w http.ResponseWriter, r *http.Request) error {
			return e.ServeEvents(w, r, silent)
		}, false))
		h.ServeHTTP(rec, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
		if got := strings.Count(rec.Body.String(), ":\n\n"); got != 3 {
			t.Errorf("%d heartbeats in 35 s, want 3: %q", got, rec.Body)
		}
	})
}
