package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"

	"convoke"
	"convoke/api"
)

// numbers serves the path in pages: functions named 0 to 6.
func numbers(t *testing.T, asked *[]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.URL.RequestURI())
		from, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		page := []api.Function{}
		for n := from; n < 7 && (limit == 0 || n < from+limit); n++ {
			page = append(page, api.Function{Name: fmt.Sprint(n)})
		}
		if next := from + len(page); next < 7 {
			w.Header().Set("Link", fmt.Sprintf(`<%s?cursor=%d&limit=%d>; rel="next"`, r.URL.Path, next, limit))
		}
		if err := json.NewEncoder(w).Encode(page); err != nil {
			t.Error(err)
		}
	}
}

func TestEach(t *testing.T) {
	t.Parallel()
	for size, requests := range map[int]int{0: 1, 1: 7, 3: 3, 7: 1, 9: 1} {
		var asked []string
		c := serve(t, numbers(t, &asked))
		var got string
		for f, err := range Each(t.Context(), c, FunctionList(FunctionFilter{EventID: "e"}), ListOptions{Sort: "-name", PageSize: size}) {
			if err != nil {
				t.Fatal(err)
			}
			got += f.Name
		}
		if got != "0123456" || len(asked) != requests {
			t.Errorf("pages of %d: %s by %v", size, got, asked)
		}
	}
	var asked []string
	c := serve(t, numbers(t, &asked))
	some, err := Some(t.Context(), c, FunctionList(FunctionFilter{EventID: "e"}), "-name", 2)
	if want := []string{"/api/account/42/functions?eventId=e&limit=2&sort=-name"}; err != nil || len(some) != 2 || !slices.Equal(asked, want) {
		t.Errorf("some: %v by %v, error %v", some, asked, err)
	}
}

func TestEachFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		link string
		want convoke.Code
	}{
		"second page":    {`</api/broken>; rel="next"`, convoke.CodeInvalid},
		"another server": {`<https://elsewhere.example.com/api/x>; rel="next"`, convoke.CodeInternal},
		"no path":        {`<//elsewhere.example.com/api/x>; rel=next; rel="next"`, convoke.CodeInternal},
	} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/broken" {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			w.Header().Set("Link", tt.link)
			fmt.Fprint(w, `[{"id":"a"},{"id":"b"}]`)
		})
		n, last := 0, error(nil)
		for _, err := range Each(t.Context(), c, UserList(), ListOptions{}) {
			n, last = n+1, err
		}
		if n != 3 || convoke.ErrorCode(last) != tt.want {
			t.Errorf("%s: %d elements, error %v", name, n, last)
		}
	}
}

// TestLists holds each list to its path.
func TestLists(t *testing.T) {
	t.Parallel()
	for want, read := range map[string]func(context.Context, *Client) error{
		"/api/account/42/functions/f/versions":         one(VersionList("f")),
		"/api/account/42/functions/f/deployments":      one(DeploymentList("f")),
		"/api/account/42/deployments":                  one(DeploymentList("")),
		"/api/account/42/functions/f/invocations":      one(InvocationList("f")),
		"/api/account/42/functions/f/logs?level=Error": one(LogList(LogFilter{FunctionID: "f", Levels: []string{"Error"}, Limit: 7})),
		"/api/account/42/calls?host=h":                 one(CallList(CallFilter{Host: "h", Limit: 7})),
		"/api/account/42/activities?noun=user":         one(ActivityList(ActivityFilter{Noun: "user", Limit: 7})),
		"/api/account/42/domains":                      one(DomainList()),
		"/api/account/42/secrets":                      one(SecretList()),
		"/api/account/42/schedules?functionUuid=f":     one(ScheduleList("f")),
		"/api/account/42/schedules/s/runs":             one(RunList("s")),
		"/api/account/42/tokens":                       one(TokenList()),
		"/api/account/42/users/me/tokens":              one(OwnTokenList()),
		"/api/account/42/users":                        one(UserList()),
		"/api/account/42/clients":                      one(ClientList()),
		"/api/accounts":                                one(AccountList()),
	} {
		var got string
		c := serve(t, func(w http.ResponseWriter, r *http.Request) { got = r.URL.RequestURI(); fmt.Fprint(w, "[]") })
		if err := read(t.Context(), c); err != nil || got != want {
			t.Errorf("got %s, error %v, want %s", got, err, want)
		}
	}
}

func one[T any](l List[T]) func(context.Context, *Client) error {
	return func(ctx context.Context, c *Client) error { _, err := Some(ctx, c, l, "", 0); return err }
}

// TestIfMatch: changes depend on what was read, and say so when it is not that
// any more.
func TestIfMatch(t *testing.T) {
	t.Parallel()
	var sent []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		sent = append(sent, r.Method+" "+r.Header.Get("If-Match"))
		if tag := r.Header.Get("If-Match"); tag != "" && tag != `"r2.x"` {
			w.WriteHeader(http.StatusPreconditionFailed)
			fmt.Fprintf(w, `{"code":%q,"message":"changed"}`, convoke.CodeConditionFailed)
			return
		}
		w.Header().Set("ETag", `"r2.x"`)
		fmt.Fprint(w, `{"id":"u"}`)
	})
	u, err := c.FindUser(t.Context(), "0c9f4c52-2f1a-4f6e-9d6e-0a6b7f1f0001")
	if err != nil || u.ETag != `"r2.x"` {
		t.Fatalf("got %+v, error %v", u, err)
	}
	if is, err := c.IfMatch(u.ETag).UpdateUser(t.Context(), "u", api.UpdateUserRequest{}); err != nil || is.ETag != "" {
		t.Errorf("as it was read: %+v, error %v", is, err)
	}
	if _, err := c.IfMatch(`"r1.x"`).UpdateUser(t.Context(), "u", api.UpdateUserRequest{}); convoke.ErrorCode(err) != convoke.CodeConditionFailed {
		t.Errorf("changed since: error %v", err)
	}
	if _, err := c.IfMatch(u.ETag).FindUser(t.Context(), "0c9f4c52-2f1a-4f6e-9d6e-0a6b7f1f0001"); err != nil {
		t.Error(err)
	}
	if err := c.IfMatch("").DeleteUser(t.Context(), "u"); err != nil {
		t.Error(err)
	}
	if want := []string{"GET ", `PATCH "r2.x"`, `PATCH "r1.x"`, "GET ", "DELETE "}; !slices.Equal(sent, want) {
		t.Errorf("sent %q, want %q", sent, want)
	}
}
