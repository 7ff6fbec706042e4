package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"convoke"
	"convoke/api"
)

const fnID = "0c9f4c52-2f1a-4f6e-9d6e-0a6b7f1f0001"

// serve starts a server with one handler and a client of its account 42.
func serve(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	c, err := New(Config{URL: srv.URL + "/", AccountID: "42", Token: convoke.NewSecret("t0ken"), UserAgent: "test/1"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNew(t *testing.T) {
	t.Parallel()
	for _, bad := range []Config{
		{URL: ""}, {URL: "127.0.0.1:8080"}, {URL: "ftp://host"}, {URL: "http://"}, {URL: "http://user:pw@host"},
		{URL: "http://host?x=1"}, {URL: "http://host#x"}, {URL: "http://host", AccountID: "le1"}, {URL: "::"},
	} {
		if _, err := New(bad); convoke.ErrorCode(err) != convoke.CodeValidation {
			t.Errorf("New(%+v): got %v, want CodeValidation", bad, err)
		}
	}
	c, err := New(Config{URL: "https://host/prefix/"})
	if err != nil || c.base != "https://host/prefix/api/account/"+convoke.DefaultAccountID {
		t.Errorf("got %v, %v", c, err)
	}
}

// TestCalls holds each method to its line of the server's routes.
func TestCalls(t *testing.T) {
	t.Parallel()
	two := 2
	for name, tt := range map[string]struct {
		call func(context.Context, *Client) error
		want string // method, path and query, body
	}{
		"Functions": {func(ctx context.Context, c *Client) error {
			_, err := c.Functions(ctx, FunctionFilter{Name: "a b", EventID: "e", States: []string{"Draft", "Build Error"}})
			return err
		}, "GET /functions?eventId=e&functionName=a+b&state=Draft&state=Build+Error "},
		"Sessions":    {func(ctx context.Context, c *Client) error { _, err := c.Sessions(ctx, ""); return err }, "GET /users/me/sessions "},
		"EndSession":  {func(ctx context.Context, c *Client) error { return c.EndSession(ctx, fnID, "a/b") }, "DELETE /users/" + fnID + "/sessions/a%2Fb "},
		"EndSessions": {func(ctx context.Context, c *Client) error { _, err := c.EndSessions(ctx, fnID); return err }, "DELETE /users/" + fnID + "/sessions "},
		"Consents":    {func(ctx context.Context, c *Client) error { _, err := c.Consents(ctx, ""); return err }, "GET /users/me/consents "},
		"Function":    {func(ctx context.Context, c *Client) error { _, err := c.Function(ctx, "a/b"); return err }, "GET /functions/a%2Fb "},
		"CreateFunction": {func(ctx context.Context, c *Client) error {
			_, err := c.CreateFunction(ctx, api.CreateFunctionRequest{Name: "n"})
			return err
		}, `POST /functions {"name":"n"}`},
		"UpdateFunction": {func(ctx context.Context, c *Client) error {
			_, err := c.UpdateFunction(ctx, fnID, api.UpdateFunctionRequest{Skills: &[]string{}})
			return err
		}, "PUT /functions/" + fnID + ` {"skills":[]}`},
		"DeleteFunction": {func(ctx context.Context, c *Client) error { return c.DeleteFunction(ctx, fnID) }, "DELETE /functions/" + fnID + " "},
		"SaveManifest": {func(ctx context.Context, c *Client) error {
			return c.SaveManifest(ctx, fnID, api.ManifestRequest{Version: &two, Files: map[string]string{}})
		}, "PUT /functions/" + fnID + `/manifest {"version":2,"files":{}}`},
		"Deploy":         {func(ctx context.Context, c *Client) error { _, err := c.Deploy(ctx, fnID, nil); return err }, "POST /deployments/" + fnID + "?wait=true {}"},
		"Deploy version": {func(ctx context.Context, c *Client) error { _, err := c.Deploy(ctx, fnID, &two); return err }, "POST /deployments/" + fnID + `?wait=true {"version":2}`},
		"Undeploy":       {func(ctx context.Context, c *Client) error { _, err := c.Undeploy(ctx, fnID); return err }, "DELETE /deployments/" + fnID + " "},
		"Deployments":    {func(ctx context.Context, c *Client) error { _, err := c.Deployments(ctx, fnID); return err }, "GET /functions/" + fnID + "/deployments "},
		"Events":         {func(ctx context.Context, c *Client) error { _, err := c.Events(ctx); return err }, "GET /events "},
		"Runtimes":       {func(ctx context.Context, c *Client) error { _, err := c.Runtimes(ctx); return err }, "GET /runtimes "},
		"Invocations":    {func(ctx context.Context, c *Client) error { _, err := c.Invocations(ctx, fnID, 5); return err }, "GET /functions/" + fnID + "/invocations?limit=5 "},
		"Invoke": {func(ctx context.Context, c *Client) error {
			_, err := c.Invoke(ctx, fnID, api.InvokeRequest{Timestamp: 7}, InvokeOptions{})
			return err
		}, "POST /lambdas/" + fnID + `/invoke {"timestamp":7,"payload":{}}`},
		"InvokeEvent": {func(ctx context.Context, c *Client) error {
			_, err := c.InvokeEvent(ctx, "e", api.InvokeRequest{Timestamp: 8, Payload: json.RawMessage(`1`)}, InvokeOptions{SkillID: "s"})
			return err
		}, `POST /events/e/invoke?skillId=s {"timestamp":8,"payload":1}`},
		"Implemented": {func(ctx context.Context, c *Client) error { _, err := c.Implemented(ctx, "e", "s"); return err }, "GET /events/e/isImplemented?skillId=s "},
		"Logs": {func(ctx context.Context, c *Client) error {
			_, err := c.Logs(ctx, LogFilter{FunctionID: fnID, Levels: []string{"Warn"}, From: time.UnixMilli(1), To: time.UnixMilli(2), Text: "x", RequestID: "r", Limit: 3, After: 4})
			return err
		}, "GET /functions/" + fnID + "/logs?after=4&from=1&level=Warn&limit=3&requestId=r&text=x&to=2 "},
		"Logs of all": {func(ctx context.Context, c *Client) error { _, err := c.Logs(ctx, LogFilter{}); return err }, "GET /logs "},
		"Tokens":      {func(ctx context.Context, c *Client) error { _, err := c.Tokens(ctx); return err }, "GET /tokens "},
		"CreateToken": {func(ctx context.Context, c *Client) error {
			_, err := c.CreateToken(ctx, api.CreateTokenRequest{Name: "n", Roles: []string{"invoker"}})
			return err
		}, `POST /tokens {"name":"n","roles":["invoker"]}`},
		"Domains":      {func(ctx context.Context, c *Client) error { _, err := c.Domains(ctx); return err }, "GET /domains "},
		"AddDomain":    {func(ctx context.Context, c *Client) error { _, err := c.AddDomain(ctx, "*.example.com"); return err }, `POST /domains {"domain":"*.example.com"}`},
		"RemoveDomain": {func(ctx context.Context, c *Client) error { return c.RemoveDomain(ctx, "a/b") }, "DELETE /domains/a%2Fb "},
		"Calls": {func(ctx context.Context, c *Client) error {
			_, err := c.Calls(ctx, CallFilter{FunctionID: fnID, RequestID: "r", Host: "h", Outcomes: []string{"ok", "failed"}, From: time.UnixMilli(1), To: time.UnixMilli(2), Before: 3, Limit: 4})
			return err
		}, "GET /functions/" + fnID + "/calls?before=3&from=1&host=h&limit=4&outcome=ok&outcome=failed&requestId=r&to=2 "},
		"Calls of all": {func(ctx context.Context, c *Client) error { _, err := c.Calls(ctx, CallFilter{}); return err }, "GET /calls "},
		"RevokeToken":  {func(ctx context.Context, c *Client) error { return c.RevokeToken(ctx, "id") }, "DELETE /tokens/id "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got string
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				got = r.Method + " " + strings.TrimPrefix(r.URL.RequestURI(), "/api/account/42") + " " + string(body)
				if r.Header.Get("Authorization") != "Bearer t0ken" || r.Header.Get("User-Agent") != "test/1" || r.Header.Get("X-Request-ID") == "" {
					t.Errorf("headers: %v", r.Header)
				}
				io.WriteString(w, "null")
			})
			if err := tt.call(t.Context(), c); err != nil {
				t.Error(err)
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(api.StatusCustomerCode)
		io.WriteString(w, `{"code":"com.customer.faas.function.threw-error","message":"no","errorLogs":[{"level":"Info","message":"hi","extras":[],"timestamp":5}]}`)
	})
	result, err := c.Invoke(t.Context(), fnID, api.InvokeRequest{}, InvokeOptions{})
	want := &convoke.Error{Code: convoke.CodeThrew, Message: "no", RetryAfter: 3 * time.Second,
		Logs: []convoke.LogEntry{{Level: "Info", Message: "hi", Extras: json.RawMessage("[]"), Time: time.UnixMilli(5).UTC()}}}
	got, _ := errors.AsType[*convoke.Error](err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if result.RequestID == "" {
		t.Error("a failed invocation has no request id: its log lines cannot be found")
	}

	c = serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>") })
	if _, err := c.Functions(t.Context(), FunctionFilter{}); convoke.ErrorCode(err) != convoke.CodeInternal {
		t.Errorf("no JSON: got %v, want CodeInternal", err)
	}
	if _, err := c.Invoke(t.Context(), fnID, api.InvokeRequest{}, InvokeOptions{}); convoke.ErrorCode(err) != convoke.CodeInternal {
		t.Errorf("result that is no JSON: got %v, want CodeInternal", err)
	}

	c = serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `"`+strings.Repeat("x", 100)+`"`) })
	c.maxBody = 50
	if _, err := c.Functions(t.Context(), FunctionFilter{}); convoke.ErrorCode(err) != convoke.CodeInternal || !strings.Contains(err.Error(), "larger") {
		t.Errorf("large body: got %v, want a refusal", err)
	}
}

// TestUntrusted tells a certificate that is not good from a server that is away.
func TestUntrusted(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshakes that fail
	srv.StartTLS()
	defer srv.Close()
	elsewhere := strings.Replace(srv.URL, "127.0.0.1", "localhost", 1) // which its certificate does not name
	for name, tt := range map[string]struct {
		url     string
		http    *http.Client
		unknown bool
	}{
		"unknown authority": {srv.URL, nil, true},
		"another name":      {elsewhere, srv.Client(), false},
	} {
		c, err := New(Config{URL: tt.url, HTTP: tt.http})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Domains(t.Context())
		if convoke.ErrorCode(err) != convoke.CodeUnavailable || !Untrusted(err) || UnknownAuthority(err) != tt.unknown || Unreachable(err) || !strings.Contains(err.Error(), "the certificate of "+tt.url) {
			t.Errorf("%s: %v, untrusted %v, unknown authority %v, unreachable %v", name, err, Untrusted(err), UnknownAuthority(err), Unreachable(err))
		}
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	c, err := New(Config{URL: "http://" + addr})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Functions(t.Context(), FunctionFilter{}); convoke.ErrorCode(err) != convoke.CodeUnavailable {
		t.Errorf("got %v, want CodeUnavailable", err)
	}
	if err := c.FollowLogs(t.Context(), LogFilter{}, nil); convoke.ErrorCode(err) != convoke.CodeUnavailable {
		t.Errorf("follow: got %v, want CodeUnavailable", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Functions(ctx, FunctionFilter{}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: got %v, want context.Canceled", err)
	}
	slow := serve(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := slow.Functions(ctx, FunctionFilter{}); convoke.ErrorCode(err) != convoke.CodeUnavailable || !strings.Contains(err.Error(), "in time") {
		t.Errorf("slow: got %v, want CodeUnavailable", err)
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `[{"uuid":"other","name":"greeting2"},{"uuid":"right","name":"greeting"}]`)
	})
	if got, err := c.Lookup(t.Context(), "greeting"); got != "right" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := c.Lookup(t.Context(), "greet"); convoke.ErrorCode(err) != convoke.CodeFunctionNotFound {
		t.Errorf("got %v, want CodeFunctionNotFound", err)
	}
	if got, err := c.Lookup(t.Context(), fnID); got != fnID || err != nil {
		t.Errorf("a uuid: got %q, %v", got, err)
	}
}

// TestFollowLogs breaks the stream in every way that it must survive.
func TestFollowLogs(t *testing.T) {
	t.Parallel()
	var asked []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query().Get("after")+"/"+r.URL.Query().Get("limit"))
		flush := w.(http.Flusher).Flush
		switch len(asked) {
		case 1: // two entries, a comment, the second in two lines; then the server stops
			io.WriteString(w, "retry: 1000\n\nid: 1\nevent: log\ndata: {\"id\":1,\"message\":\"a\"}\n\n:\n\nid: 2\ndata: {\"id\":2,\ndata: \"message\":\"b\"}\n\nevent: end\ndata: stopping\n\n")
		case 2: // not ready yet
			w.WriteHeader(http.StatusServiceUnavailable)
		case 3: // cut in the middle of an entry, which must come again
			io.WriteString(w, "id: 3\ndata: {\"id\":3,\"mess")
			flush()
			panic(http.ErrAbortHandler)
		default:
			io.WriteString(w, "data: {\"id\":0,\"message\":\"unkept\"}\n\nid: 3\ndata: {\"id\":3,\"message\":\"c\"}\n\n")
			flush()
			<-r.Context().Done()
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []string
	err := c.FollowLogs(ctx, LogFilter{FunctionID: fnID, Limit: -1}, func(e api.LogEntry) error {
		got = append(got, e.Message)
		if e.Message == "c" {
			cancel()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b", "unkept", "c"}, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"/0", "2/0", "2/0", "2/0"}, asked); diff != "" {
		t.Errorf("after/limit (-want +got):\n%s", diff)
	}
}

func TestFollowLogsStops(t *testing.T) {
	t.Parallel()
	boom := errors.New("stop")
	for name, tt := range map[string]struct {
		bodies []string // one per connection; "" is a 403
		want   error
		code   convoke.Code
	}{
		"each fails":     {bodies: []string{"data: {\"id\":1}\n\n"}, want: boom},
		"refused":        {bodies: []string{""}, code: convoke.CodeForbidden},
		"refused later":  {bodies: []string{":\n\n", ""}, code: convoke.CodeForbidden},
		"ended for us":   {bodies: []string{"event: error\ndata: {\"code\":\"convoke.auth.unauthorized\",\"message\":\"the token is revoked\"}\n\n"}, code: convoke.CodeUnauthorized},
		"no entry":       {bodies: []string{"data: nonsense\n\n"}, code: convoke.CodeInternal},
		"line too large": {bodies: []string{"data: " + strings.Repeat("x", maxLine+1)}, code: convoke.CodeInternal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := 0
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				body := tt.bodies[n]
				n++
				if body == "" {
					w.WriteHeader(http.StatusForbidden)
					io.WriteString(w, `{"code":"convoke.auth.forbidden","message":"no"}`)
					return
				}
				io.WriteString(w, body)
			})
			err := c.FollowLogs(t.Context(), LogFilter{}, func(api.LogEntry) error { return boom })
			if tt.want != nil && !cmp.Equal(tt.want, err, cmpopts.EquateErrors()) || tt.code != "" && convoke.ErrorCode(err) != tt.code {
				t.Errorf("got %v, want %v %s", err, tt.want, tt.code)
			}
		})
	}
}

// TestEnsureDomain: one that is there already is found, however it was written.
func TestEnsureDomain(t *testing.T) {
	t.Parallel()
	list := `[{"id":"1","name":"a.example.com","port":0,"domain":"a.example.com"},{"id":"2","name":"a.example.com","port":8443,"domain":"a.example.com:8443"}]`
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case r.Method == http.MethodGet:
			io.WriteString(w, list)
		case strings.Contains(string(body), "new"):
			w.WriteHeader(http.StatusCreated)
			io.WriteString(w, `{"id":"3","name":"new.example.com","domain":"new.example.com"}`)
		default:
			w.WriteHeader(http.StatusConflict)
			io.WriteString(w, `{"code":"`+string(convoke.CodeConflict)+`","message":"there already"}`)
		}
	})
	for name, want := range map[string]string{"new.example.com": "3", "A.example.com": "1", "a.example.com:8443": "2"} {
		d, fresh, err := c.EnsureDomain(t.Context(), name)
		if err != nil || d.ID != want || fresh != (want == "3") {
			t.Errorf("%s: got %+v, fresh %v, error %v", name, d, fresh, err)
		}
	}
	if _, _, err := c.EnsureDomain(t.Context(), "gone.example.com"); convoke.ErrorCode(err) != convoke.CodeConflict {
		t.Errorf("one that went in between: %v", err)
	}
}
