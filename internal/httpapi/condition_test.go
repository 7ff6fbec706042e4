package httpapi

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"convoke"
	"convoke/api"
)

// things are what can be changed on a condition: where it is read, and how it
// is changed and removed.
var things = []struct {
	as, path, kind string
	change         string // method and body
	remove         bool
}{
	{"developer", "/schedules/{sc}", convoke.KindSchedule, `PUT {"description":"?"}`, true},
	{"developer", "/functions/{fn}", convoke.KindFunction, `PUT {"description":"?"}`, true},
	{"admin", "/users/{user}", convoke.KindUser, `PATCH {"disabled":?}`, true},
	{"admin", "/clients/{client}", convoke.KindClient, `PATCH {"name":"?"}`, true},
	{"admin", "/secrets/key", convoke.KindSecret, `PUT {"value":"?"}`, true},
	{"admin", "/settings", convoke.KindAccount, `PATCH {"name":"?"}`, false},
	{"operator", "/api/accounts/" + other, convoke.KindAccount, `PATCH {"name":"?"}`, false},
}

func (w *world) fillThings(t *testing.T) *strings.Replacer {
	t.Helper()
	saved := map[string]string{}
	for _, s := range after(deployed,
		step{as: "developer", do: "POST /schedules", body: `{"functionUuid":"{fn}","cronExpression":"0 0 1 1 *"}`, status: 201, save: map[string]string{"sc": "id"}},
		step{as: "developer", do: "DELETE /deployments/{fn}", status: 200},
		step{as: "admin", do: "POST /users", body: `{"loginName":"bob","roles":["viewer"]}`, status: 201, save: map[string]string{"user": "id"}},
		step{as: "admin", do: "POST /clients", body: `{"name":"crm","grantTypes":["client_credentials"],"scopes":["faas.lambda.invoke"]}`, status: 201, save: map[string]string{"client": "id"}},
		step{as: "admin", do: "POST /secrets", body: `{"name":"key","value":"x"}`, status: 201},
	) {
		run(t, w, s, saved)
	}
	return strings.NewReplacer("{fn}", saved["fn"], "{sc}", saved["sc"], "{user}", saved["user"], "{client}", saved["client"])
}

func match(tag string) http.Header  { return http.Header{"If-Match": {tag}} }
func unlike(tag string) http.Header { return http.Header{"If-None-Match": {tag}} }
func quoted(revision string) string { return `"` + revision + `.x"` }
func revisionOf(etag string) string { r, _, _ := strings.Cut(strings.Trim(etag, `"`), "."); return r }
func (w *world) count(t *testing.T) int {
	t.Helper()
	all, err := w.store.ListActivities(t.Context(), home, convoke.ActivityFilter{})
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// TestConditions reads each thing, changes it behind the reader's back, and
// sees the reader's change refused.
func TestConditions(t *testing.T) {
	t.Parallel()
	w := setup(t)
	fill := w.fillThings(t)
	for _, thing := range things {
		path := fill.Replace(thing.path)
		method, body, _ := strings.Cut(thing.change, " ")
		read := func() (string, string) {
			t.Helper()
			status, h, body := w.do(t, thing.as, "GET", path, "", nil)
			if tag := h.Get("ETag"); status != http.StatusOK || len(revisionOf(tag)) != 16 || h.Get("Cache-Control") != "no-store" {
				t.Fatalf("GET %s: %d, ETag %s, %v", path, status, tag, h)
			}
			return h.Get("ETag"), body
		}
		change := func(value string, h http.Header) (int, string) {
			t.Helper()
			status, _, answer := w.do(t, thing.as, method, path, strings.ReplaceAll(body, "?", value), h)
			return status, answer
		}
		seen, same := read()
		for _, have := range []string{seen, "W/" + seen, `"x", ` + seen, "*"} {
			status, h, body := w.do(t, thing.as, "GET", path, "", unlike(have))
			if status != http.StatusNotModified || body != "" || h.Get("ETag") != seen {
				t.Errorf("GET %s with If-None-Match %s: %d %q, ETag %s", path, have, status, body, h.Get("ETag"))
			}
		}
		for _, have := range []string{`"x"`, "x", "", strings.Trim(seen, `"`)} {
			if status, _, body := w.do(t, thing.as, "GET", path, "", unlike(have)); status != http.StatusOK || body != same {
				t.Errorf("GET %s with If-None-Match %q: %d %s", path, have, status, body)
			}
		}
		if status, answer := change("true", match(seen)); status != http.StatusOK {
			t.Fatalf("%s %s as it was read: %d %s", method, path, status, answer)
		}
		now, is := read()
		if revisionOf(now) == revisionOf(seen) {
			t.Errorf("%s has the revision before after a change", path)
		}
		trail := w.count(t)
		methods := []string{method}
		if thing.remove {
			methods = append(methods, "DELETE")
		}
		for _, m := range methods {
			for _, tag := range []string{seen, `"x"`, `"x.y", W/` + now} {
				status, _, answer := w.do(t, thing.as, m, path, strings.ReplaceAll(body, "?", "false"), match(tag))
				if status != http.StatusPreconditionFailed || !strings.Contains(answer, string(convoke.CodeConditionFailed)) || !strings.Contains(answer, "the "+thing.kind+" is not what it was") {
					t.Errorf("%s %s with If-Match %s: %d %s", m, path, tag, status, answer)
				}
			}
			for _, tag := range []string{"x", "", `"x`, `"a" "b"`} {
				status, _, answer := w.do(t, thing.as, m, path, strings.ReplaceAll(body, "?", "false"), match(tag))
				if status != http.StatusBadRequest || !strings.Contains(answer, "quotation marks") {
					t.Errorf("%s %s with If-Match %q: %d %s", m, path, tag, status, answer)
				}
			}
		}
		if _, still := read(); still != is || w.count(t) != trail {
			t.Errorf("%s was changed by requests that were refused:\n%s\n%s", path, is, still)
		}
		if status, answer := change("false", match("*")); status != http.StatusOK {
			t.Errorf("%s %s with If-Match *: %d %s", method, path, status, answer)
		}
		if status, answer := change("true", match(`"x.y", `+quoted(revisionOf(now)))); status != http.StatusPreconditionFailed {
			t.Errorf("%s %s: %d %s", method, path, status, answer)
		}
		if now, _ = read(); thing.remove {
			if status, _, answer := w.do(t, thing.as, "DELETE", path, "", match(now)); status != http.StatusNoContent {
				t.Errorf("DELETE %s as it was read: %d %s", path, status, answer)
			}
			status, _, answer := w.do(t, thing.as, "DELETE", path, "", match(now))
			if status != http.StatusNotFound {
				t.Errorf("DELETE %s twice: %d %s", path, status, answer)
			}
		}
	}
	// What is not there has no revision.
	if status, _, body := w.do(t, "admin", "PUT", "/secrets/none", `{"value":"x"}`, match("*")); status != http.StatusPreconditionFailed {
		t.Errorf("to change a secret that does not exist: %d %s", status, body)
	}
}

// TestOneOfManyWins: of those who change what they have all read, one does.
func TestOneOfManyWins(t *testing.T) {
	t.Parallel()
	w := setup(t)
	path := w.fillThings(t).Replace("/functions/{fn}")
	_, h, _ := w.do(t, "developer", "GET", path, "", nil)
	var won atomic.Int32
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			status, _, body := w.do(t, "developer", "PUT", path, `{"description":"`+strings.Repeat("x", n+1)+`"}`, match(h.Get("ETag")))
			switch status {
			case http.StatusOK:
				won.Add(1)
			case http.StatusPreconditionFailed:
			default:
				t.Errorf("%d %s", status, body)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d changes were made, want 1", won.Load())
	}
}

// TestConditionsEverywhere walks the table: a change either knows conditions,
// and has a test above, or refuses them. Invocations have none.
func TestConditionsEverywhere(t *testing.T) {
	t.Parallel()
	w := setup(t)
	s := &server{Config: w.config}
	tested := map[string]bool{}
	for _, thing := range things {
		tested[thing.kind] = true
	}
	for _, rt := range append(s.routes(), s.v1Routes()...) {
		if !rt.changes() {
			if rt.Match != "" {
				t.Errorf("%s %s has a condition and changes nothing", rt.Method, rt.Path)
			}
			continue
		}
		if rt.Match != "" {
			if !tested[rt.Match] || !strings.Contains("PUT PATCH DELETE", rt.Method) {
				t.Errorf("%s %s: conditions of a %s are not tested", rt.Method, rt.Path, rt.Match)
			}
			continue
		}
		as := "operator"
		if !convoke.May([]convoke.Role{convoke.RoleOperator}, rt.Rule.perm) {
			as = "admin"
		}
		status, _, body := w.do(t, as, rt.Method, example(rt.Path), "{}", match(`"a.b"`))
		if status != http.StatusPreconditionFailed || !strings.Contains(body, string(convoke.CodeConditionFailed)) {
			t.Errorf("%s %s with If-Match: %d %s", rt.Method, rt.Path, status, body)
		}
	}
	if status, _, body := w.do(t, "invoker", "POST", "/lambdas/f/invoke", "{}", match("x")); status != http.StatusOK {
		t.Errorf("an invocation with If-Match: %d %s", status, body)
	}
}

// TestTagsOfLists: a list that did not change is not sent again, whoever asks
// for which page.
func TestTagsOfLists(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.fill(t)
	_, h, _ := w.do(t, "developer", "GET", "/functions?limit=2", "", nil)
	tag := h.Get("ETag")
	status, h, body := w.do(t, "developer", "GET", "/functions?limit=2", "", unlike(tag))
	if status != http.StatusNotModified || body != "" || next(t, h) == "" || strings.Contains(tag, ".") {
		t.Errorf("the same page: %d %q, Link %q, ETag %s", status, body, h.Get("Link"), tag)
	}
	run(t, w, step{as: "developer", do: "POST /functions", body: `{"name":"a"}`, status: 201}, nil)
	if status, _, _ := w.do(t, "developer", "GET", "/functions?limit=2", "", unlike(tag)); status != http.StatusOK {
		t.Errorf("a page with a new function: %d", status)
	}
	for _, path := range []string{"/activities", "/logs", "/calls", "/schedules?v=1"} {
		if _, h, _ := w.do(t, "admin", "GET", path, "", nil); h.Get("ETag") != "" {
			t.Errorf("%s has an ETag", path)
		}
	}
	// The older dialect says "unchanged" by 304, and nothing else.
	if status, h, _ := w.do(t, "developer", "GET", "/lambdas?v=1", "", unlike("*")); status != http.StatusOK || h.Get("ETag") != "" {
		t.Errorf("lambdas of the older dialect: %d %v", status, h)
	}
}

// TestTagFollowsTheAnswer: a second failed deployment leaves the function as
// it was, and changes what is said of it.
func TestTagFollowsTheAnswer(t *testing.T) {
	t.Parallel()
	w := setup(t)
	saved := map[string]string{}
	fail := step{as: "developer", do: "POST /deployments/{fn}?wait=1", status: api.Status(convoke.CodeBuildFailed)}
	for _, s := range after(made, step{as: "developer", do: "PUT /functions/{fn}/manifest", body: `{"code":"BROKEN"}`, status: 200}, fail) {
		run(t, w, s, saved)
	}
	_, before, _ := w.do(t, "developer", "GET", "/functions/"+saved["fn"], "", nil)
	run(t, w, fail, saved)
	status, after, _ := w.do(t, "developer", "GET", "/functions/"+saved["fn"], "", unlike(before.Get("ETag")))
	if status != http.StatusOK || after.Get("ETag") == before.Get("ETag") {
		t.Errorf("after another deployment: %d, ETag %s and %s", status, before.Get("ETag"), after.Get("ETag"))
	}
}
