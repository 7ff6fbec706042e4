package httpapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"convoke"
)

var nextLink = regexp.MustCompile(`^<([^>]+)>; rel="next"$`)

// next is where an answer says that the next page is; "" for the last one.
func next(t *testing.T, h http.Header) string {
	t.Helper()
	link := h.Get("Link")
	if link == "" {
		return ""
	}
	m := nextLink.FindStringSubmatch(link)
	if m == nil {
		t.Fatalf("Link: %s", link)
	}
	return m[1]
}

// get reads a list and returns one member of each element.
func (w *world) get(t *testing.T, path, member string) (values []string, link string) {
	t.Helper()
	status, h, body := w.do(t, reader(path), "GET", path, "", nil)
	if status != http.StatusOK {
		t.Fatalf("GET %s: %d %s", path, status, body)
	}
	var list []map[string]any
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		values = append(values, fmt.Sprint(e[member]))
	}
	return values, next(t, h)
}

// reader is who may read a list.
func reader(path string) string {
	if strings.HasPrefix(path, "/api/accounts") {
		return "operator"
	}
	return "admin"
}

// fill puts some of everything that can be listed into the account and
// returns the paths of all lists with the member that tells elements apart.
func (w *world) fill(t *testing.T) map[string]string {
	t.Helper()
	saved := map[string]string{}
	for _, s := range after(deployed,
		step{as: "developer", do: "POST /schedules", body: `{"functionUuid":"{fn}","cronExpression":"0 0 1 1 *"}`, status: 201},
		step{as: "developer", do: "POST /schedules", body: `{"functionUuid":"{fn}","cronExpression":"0 0 2 1 *"}`, status: 201},
		step{as: "developer", do: "POST /schedules", body: `{"functionUuid":"{fn}","cronExpression":"0 0 3 1 *"}`, status: 201, save: map[string]string{"sc": "id"}},
		step{as: "developer", do: "PUT /functions/{fn}/manifest", body: `{"code":"two"}`, status: 200},
		step{as: "developer", do: "PATCH /deployments/{fn}?wait=1", status: 200},
		step{as: "developer", do: "PUT /functions/{fn}/manifest", body: `{"code":"three"}`, status: 200},
		step{as: "developer", do: "PATCH /deployments/{fn}?wait=1", status: 200},
	) {
		run(t, w, s, saved)
	}
	for n := range 3 {
		for _, s := range []step{
			{as: "developer", do: "POST /functions", body: fmt.Sprintf(`{"name":"f%d"}`, n), status: 201, save: map[string]string{"f": "uuid"}},
			{as: "developer", do: "PUT /functions/{f}/manifest", body: `{"code":"x"}`, status: 200},
			{as: "developer", do: "POST /deployments/{f}?wait=1", status: 200},
			{as: "admin", do: "POST /users", body: fmt.Sprintf(`{"loginName":"u%d","roles":["viewer"]}`, n), status: 201, save: map[string]string{"user": "id"}},
			{as: "admin", do: "POST /clients", body: fmt.Sprintf(`{"name":"c%d","grantTypes":["client_credentials"],"scopes":["faas.lambda.invoke"]}`, n), status: 201},
			{as: "admin", do: "POST /secrets", body: fmt.Sprintf(`{"name":"s%d","value":"x"}`, n), status: 201},
			{as: "admin", do: "POST /domains", body: fmt.Sprintf(`{"domain":"d%d.example.com"}`, n), status: 201},
			{as: "operator", do: "POST /api/accounts", body: fmt.Sprintf(`{"id":"5000000%d"}`, n), status: 201},
		} {
			run(t, w, s, saved)
		}
		at := time.UnixMilli(1700000000000 + int64(n)).UTC()
		w.meter.Record(&convoke.Invocation{RequestID: fmt.Sprint("r", n), AccountID: home, FunctionID: saved["fn"], StartedAt: at, Outcome: convoke.OutcomeSucceeded})
		if err := w.store.AppendLogs(t.Context(), []convoke.LogEntry{{AccountID: home, FunctionID: saved["fn"], Time: at, Level: convoke.LevelInfo, Message: "m"}}); err != nil {
			t.Fatal(err)
		}
		if err := w.store.AppendCalls(t.Context(), []convoke.Call{{AccountID: home, FunctionID: saved["fn"], At: at, Host: "h"}}); err != nil {
			t.Fatal(err)
		}
		_, err := w.store.ClaimRuns(t.Context(), time.Date(2100+n, 6, 1, 0, 0, 0, 0, time.UTC), 9, 9, func(sc *convoke.Schedule) *convoke.ScheduleRun {
			if sc.ID != saved["sc"] { // each may be the first that is due
				sc.NextAt = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
				return &convoke.ScheduleRun{State: convoke.RunFinished}
			}
			sc.NextAt = sc.NextAt.AddDate(1, 0, 0)
			return &convoke.ScheduleRun{State: convoke.RunFinished}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		w.signIn(t, saved["user"], "Mozilla/5.0")
		w.consent(t, home, saved["user"], convoke.CommandLineID) // is a session, too
	}
	fn, user := "/functions/"+saved["fn"], "/users/"+saved["user"]
	return map[string]string{
		"/functions": "uuid", fn + "/versions": "id", "/deployments": "uuid", fn + "/deployments": "uuid", fn + "/invocations": "requestId", fn + "/logs": "id", "/logs": "id",
		fn + "/calls": "id", "/calls": "id", "/domains": "id", "/tokens": "id", "/secrets": "name", "/schedules": "id", "/schedules/" + saved["sc"] + "/runs": "dueAt",
		"/api/accounts": "id", "/users": "id", "/clients": "id", "/activities": "id",
		user + "/sessions": "id", user + "/consents": "id",
	}
}

// TestEveryListHasPages walks the table: every list that has an order comes in
// pages, by each of its fields and from both ends, and refuses what it must.
func TestEveryListHasPages(t *testing.T) {
	t.Parallel()
	w := setup(t)
	paths := w.fill(t)
	walked := 0
	for _, rt := range (&server{}).routes() {
		if len(rt.Doc.Order.Fields) == 0 || strings.Contains(rt.Path, "/users/me/") { // a user's own: the same handler
			continue
		}
		pattern := regexp.MustCompile("^" + regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(regexp.QuoteMeta(strings.TrimPrefix(rt.Path, account)), "[^/]+") + "$")
		at := slices.IndexFunc(slices.Sorted(maps.Keys(paths)), pattern.MatchString)
		if at < 0 {
			t.Errorf("%s is not tested", rt.Path)
			continue
		}
		path := slices.Sorted(maps.Keys(paths))[at]
		walked++
		for _, field := range rt.Doc.Order.Fields {
			for _, sort := range []string{field, "-" + field} {
				want, link := w.get(t, path+"?sort="+sort, paths[path])
				if link != "" && len(want) < 100 || len(want) < 2 {
					t.Fatalf("%s by %s: %d elements, next page %q", path, sort, len(want), link)
				}
				var got []string
				link = path + "?limit=1&unknown=a%20b&sort=" + sort
				for link != "" && len(got) <= len(want) {
					var page []string
					page, link = w.get(t, link, paths[path])
					got = append(got, page...)
					if link != "" && (!strings.Contains(link, "limit=1&") || !strings.Contains(link, "unknown=a+b")) {
						t.Fatalf("%s: the next page is %s", path, link)
					}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s by %s, in pages (-want +got):\n%s", path, sort, diff)
				}
				if sort == rt.Doc.Order.Own {
					if own, _ := w.get(t, path, paths[path]); !slices.Equal(own, want) {
						t.Errorf("%s in its own order is %v, by %s %v", path, own, sort, want)
					}
				}
			}
		}
		_, link := w.get(t, path+"?limit=1", paths[path])
		_, query, _ := strings.Cut(link, "?")
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		cursor := values.Get("cursor")
		other := rt.Doc.Order.Fields[0]
		if !strings.HasPrefix(rt.Doc.Order.Own, "-") {
			other = "-" + other
		}
		for query, has := range map[string]string{
			"sort=colour":                          "sort must be one of " + strings.Join(rt.Doc.Order.Fields, ", "),
			"sort=--" + other:                      "sort must be one of",
			"sort=a&sort=b":                        "sort must be given once",
			"limit=0":                              "limit must be a whole number from 1 to",
			"limit=1001":                           "limit must be a whole number from 1 to",
			"limit=x":                              "limit must be a whole number",
			"cursor=x":                             "cursor must be taken from the Link header",
			"cursor=e30":                           "cursor must be",                                               // {}
			"cursor=bnVsbA":                        "cursor must be",                                               // null
			"cursor=" + cursor[1:]:                 "cursor must be",                                               // damaged
			"cursor=" + cursor + "&sort=" + other:  "cursor must be taken from the Link header of the page before", // another order
			"cursor=" + cursor + "&filter=another": "cursor must be",                                               // another list
		} {
			status, _, body := w.do(t, reader(path), "GET", path+"?"+query, "", nil)
			if status != http.StatusBadRequest || !strings.Contains(body, has) || !strings.Contains(body, string(convoke.CodeInvalid)) {
				t.Errorf("GET %s?%s: %d %s, want %s", path, query, status, body, has)
			}
		}
	}
	if walked != len(paths) {
		t.Errorf("%d lists have pages, want %d", walked, len(paths))
	}
}

// TestCursorsOfOthers: a cursor of another account's list is none, and a mark
// that somebody made up reads nothing that is not the reader's.
func TestCursorsOfOthers(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.fill(t)
	_, link := w.get(t, "/functions?limit=1", "name")
	_, query, _ := strings.Cut(link, "?")
	if status, _, body := w.do(t, "other", "GET", "/api/account/"+other+"/functions?"+query, "", nil); status != http.StatusBadRequest {
		t.Errorf("another account's cursor: %d %s", status, body)
	}
	path := "/api/account/" + other + "/functions"
	forged := cursor{List: digest(path, url.Values{}, "name"), Mark: []any{""}}
	if status, _, body := w.do(t, "other", "GET", path+"?cursor="+forged.String(), "", nil); status != http.StatusOK || body != "[]\n" {
		t.Errorf("a forged cursor: %d %s", status, body)
	}
	for _, mark := range [][]any{{int64(7)}, {"a", "b"}, {}} {
		forged.Mark = mark
		if status, _, body := w.do(t, "other", "GET", path+"?cursor="+forged.String(), "", nil); status != http.StatusBadRequest {
			t.Errorf("a cursor with the mark %v: %d %s", mark, status, body)
		}
	}
}

// TestNothingMovesWithoutALimit: tools of the reference read whole lists, and
// pages hold while the list changes.
func TestNothingMovesWithoutALimit(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for n := range 150 {
		f := &convoke.Function{ID: fmt.Sprint("fn", n), AccountID: home, Name: fmt.Sprintf("f%03d", n), State: convoke.StateDraft, LatestVersion: 1, CreatedAt: time.Now(), UpdatedAt: time.Now()}
		v := &convoke.Version{ID: fmt.Sprint("v", n), AccountID: home, FunctionID: f.ID, Number: 1}
		if err := w.store.CreateFunction(t.Context(), f, v, 0); err != nil {
			t.Fatal(err)
		}
	}
	whole, link := w.get(t, "/functions", "name")
	if len(whole) != 150 || link != "" {
		t.Fatalf("the whole list has %d functions and the next page %q", len(whole), link)
	}
	read, link := w.get(t, "/functions?limit=50&state=Draft", "name")
	for _, s := range []step{
		{as: "developer", do: "POST /functions", body: `{"name":"a-new-one"}`, status: 201},
		{as: "developer", do: "POST /functions", body: `{"name":"f100-and-more"}`, status: 201},
		{as: "developer", do: "DELETE /functions/fn49", status: 204}, // what the page ended with
		{as: "developer", do: "DELETE /functions/fn3", status: 204},
		{as: "developer", do: "DELETE /functions/fn120", status: 204},
	} {
		run(t, w, s, nil)
	}
	for link != "" {
		var page []string
		page, link = w.get(t, link, "name")
		read = append(read, page...)
	}
	want := slices.Concat(whole[:101], []string{"f100-and-more"}, whole[101:120], whole[121:])
	if diff := cmp.Diff(want, read); diff != "" {
		t.Errorf("read in pages while the list changed (-want +got):\n%s", diff)
	}
}

// TestOrderOfLogs: the older way to turn a log around works with cursors.
func TestOrderOfLogs(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.fill(t)
	up, link := w.get(t, "/logs?order=asc&limit=2", "id")
	rest, end := w.get(t, link, "id")
	all, _ := w.get(t, "/logs?sort=id", "id")
	if got := append(up, rest...); !slices.Equal(got, all) || end != "" || len(all) != 3 {
		t.Errorf("order=asc in pages is %v and the next one %q; sort=id is %v", got, end, all)
	}
}

func FuzzCursor(f *testing.F) {
	f.Add(cursor{List: "l", Mark: []any{"a\xff", int64(1) << 62}}.String())
	f.Add("e30")
	f.Fuzz(func(t *testing.T, text string) {
		var c cursor
		mark := c.read(text)
		if mark == nil {
			return
		}
		var again cursor
		if diff := cmp.Diff(mark, again.read(cursor{List: c.List, Mark: mark}.String())); diff != "" {
			t.Errorf("%q is not what it was after another round:\n%s", text, diff)
		}
	})
}
