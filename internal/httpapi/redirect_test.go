package httpapi

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"convoke"
	"convoke/api"
)

// TestNoRedirects: a path that is not clean leads nowhere. A redirect would
// have a client send its token, and what it posts, to another path than it
// wrote, and answers in HTML.
func TestNoRedirects(t *testing.T) {
	t.Parallel()
	w := setup(t)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, path := range []string{
		"//api/account/" + home + "/functions", "/api//account/" + home + "/functions", "/api/account/" + home + "/x/../functions",
		"/../api/account/" + home + "/functions", "/./openapi.json", "/api/account/" + home + "/functions/", "/api/account/" + other + "/../" + home + "/functions",
	} {
		for _, query := range []string{"", "?v=1"} {
			for _, method := range []string{"GET", "HEAD", "POST"} {
				r, err := http.NewRequestWithContext(t.Context(), method, w.url, strings.NewReader(`{"name":"x"}`))
				if err != nil {
					t.Fatal(err)
				}
				r.URL = &url.URL{Scheme: "http", Host: r.URL.Host, Opaque: "//" + r.URL.Host + path}
				if query != "" {
					r.URL.RawQuery = query[1:]
				}
				r.Header.Set("Authorization", "Bearer "+w.tokens["admin"])
				res, err := client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err != nil {
					t.Fatal(err)
				}
				if res.StatusCode != http.StatusNotFound || res.Header.Get("Location") != "" || !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
					t.Errorf("%s %s%s: %d %v %s", method, path, query, res.StatusCode, res.Header, body)
				}
				if method == "HEAD" {
					continue
				}
				var v1 api.ErrorV1
				var v2 api.Error
				if err := json.Unmarshal(body, &v1); err != nil {
					t.Errorf("%s %s%s: %s", method, path, query, body)
				}
				_ = json.Unmarshal(body, &v2) // it is JSON
				if code := string(v2.Code) + v1.ErrorCode; code != string(convoke.CodeRouteNotFound) {
					t.Errorf("%s %s%s: %s", method, path, query, body)
				}
			}
		}
	}
	if _, _, list := w.do(t, "admin", "GET", "/functions", "", nil); strings.TrimSpace(list) != "[]" {
		t.Errorf("something was made: %s", list)
	}
}

// TestTestsAreHeldToTheAccountsLimits: a test is an invocation like others, as
// far as the account goes.
func TestTestsAreHeldToTheAccountsLimits(t *testing.T) {
	t.Parallel()
	w := setup(t)
	var fn api.Function
	if err := json.Unmarshal([]byte(w.want(t, "developer", "POST /functions", `{"name":"fn"}`, 201)), &fn); err != nil {
		t.Fatal(err)
	}
	w.want(t, "developer", "PUT /functions/"+fn.UUID+"/manifest", `{"code":"x"}`, 200)
	test := func(body string, status int, has string) {
		t.Helper()
		w.want(t, "developer", "POST /functions/"+fn.UUID+"/test", body, status, has)
	}
	w.want(t, "operator", "PATCH /api/accounts/"+home, `{"name":"Home"}`, 200) // from now on it is known to those who count
	large := `{"payload":"` + strings.Repeat("x", 100) + `"}`
	test(large, 200, `"result"`)
	w.want(t, "operator", "PATCH /api/accounts/"+home, `{"limits":{"payloadBytes":100}}`, 200)
	test(large, 413, "payload-too-large")
	used := func(name string) string {
		t.Helper()
		var list []api.Limit
		if err := json.Unmarshal([]byte(w.want(t, "admin", "GET /limits", "", 200)), &list); err != nil {
			t.Fatal(err)
		}
		for _, l := range list {
			if l.Name == name && l.Used != nil {
				return strconv.Itoa(*l.Used)
			}
		}
		return "nothing"
	}
	if n := used("invocationsPerMonth"); n != "1" {
		t.Errorf("the month counts %s, want the one test that ran", n)
	}
	w.want(t, "operator", "PATCH /api/accounts/"+home, `{"limits":{"payloadBytes":0,"invocationsPerMonth":2}}`, 200)
	test(`{"payload":1}`, 200, `"result"`)
	test(`{"payload":1}`, 429, "2 a month")
	w.want(t, "operator", "PATCH /api/accounts/"+home, `{"limits":{"invocationsPerMonth":0,"invocationsPerSecondPerClient":1}}`, 200)
	refused := false
	for range 1000 { // a second has passed between two, on a slow machine
		if status, _, body := w.do(t, "developer", "POST", "/functions/"+fn.UUID+"/test", `{"payload":1}`, nil); status == 429 && strings.Contains(body, "1 a second") {
			refused = true
			break
		}
	}
	if !refused {
		t.Error("tests are not held to the rate of the client")
	}
}
