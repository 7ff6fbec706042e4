package httpapi

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"convoke"
	"convoke/api"
)

func TestDomains(t *testing.T) {
	t.Parallel()
	w := setup(t)
	saved := map[string]string{}
	for _, s := range []step{
		{as: "developer", do: "GET /domains", status: 200, has: []string{"\n[]\n"}},
		{as: "admin", do: "POST /domains", body: `{"domain":"API.Example.com"}`, status: 201, save: map[string]string{"plain": "id"},
			has: []string{`"domain":"api.example.com","name":"api.example.com","createdAt":"2`, `"createdBy":"admin"`}, lacks: []string{`"port"`}},
		{as: "admin", do: "POST /domains", body: `{"domain":"*.example.com:8443"}`, status: 201, save: map[string]string{"wild": "id"},
			has: []string{`"domain":"*.example.com:8443","name":"*.example.com","port":8443`}},
		{as: "developer", do: "GET /domains", status: 200, has: []string{`[{"id":"{wild}","domain":"*.example.com:8443"`, `,{"id":"{plain}"`}},
		{as: "admin", do: "POST /domains", body: `{"domain":"api.example.com"}`, status: 409, has: []string{`"code":"com.liveperson.faas.db.conflict","message":"api.example.com is an allowed domain already"`}},
		{as: "admin", do: "POST /domains", body: `{"domain":"https://example.com"}`, status: 400, has: []string{`"code":"com.liveperson.faas.fm.validation.invalid-domain"`}},
		{as: "admin", do: "POST /domains", body: `{}`, status: 400, has: []string{"invalid-domain"}},
		{as: "admin", do: "POST /domains", body: `[]`, status: 400, has: []string{"evg.invalid"}},
		{as: "developer", do: "POST /domains", body: `{"domain":"x.example.com"}`, status: 403},
		{as: "developer", do: "DELETE /domains/{wild}", status: 403},
		{as: "invoker", do: "GET /domains", status: 403},
		{as: "admin", do: "DELETE /domains/{wild}", status: 204},
		{as: "admin", do: "DELETE /domains/{wild}", status: 404, has: []string{`"code":"com.liveperson.faas.db.not-found"`}},
		{as: "developer", do: "GET /domains", status: 200, has: []string{"{plain}"}, lacks: []string{"{wild}"}},
	} {
		run(t, w, s, saved)
	}

	activities, err := w.store.ListActivities(t.Context(), home, convoke.ActivityFilter{Noun: "domain"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range activities {
		var before, after api.Domain
		_ = json.Unmarshal(a.Before, &before) // nil is none
		_ = json.Unmarshal(a.After, &after)
		got = append(got, fmt.Sprintf("%s %s %s: %s -> %s", a.Actor, a.Action, a.Name, before.Domain, after.Domain))
	}
	want := []string{ // newest first
		"admin domain.remove *.example.com:8443: *.example.com:8443 -> ",
		"admin domain.add *.example.com:8443:  -> *.example.com:8443",
		"admin domain.add api.example.com:  -> api.example.com",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
}

func TestAllowedDomainsOfAVersion(t *testing.T) {
	t.Parallel()
	w := setup(t)
	saved := map[string]string{}
	for _, s := range after(made,
		step{as: "developer", do: "PUT /functions/{fn}/manifest", body: `{"allowedDomains":["api.example.com","*.example.com:8443"]}`, status: 200, has: []string{`"version":2}`}},
		step{as: "invoker", do: "GET /functions/{fn}/versions/2", status: 200, has: []string{`"allowedDomains":["api.example.com","*.example.com:8443"]`}},
		step{as: "invoker", do: "GET /functions/{fn}/versions/1", status: 200, lacks: []string{"allowedDomains"}},
		step{as: "developer", do: "PUT /functions/{fn}/manifest", body: `{"code":"other"}`, status: 200, has: []string{`"version":3}`}},
		step{as: "developer", do: "PUT /functions/{fn}/manifest", body: `{"allowedDomains":[]}`, status: 200, has: []string{`"version":4}`}},
		step{as: "developer", do: "PUT /functions/{fn}/manifest", body: `{"allowedDomains":[]}`, status: 409, has: []string{"function.unchanged"}},
		step{as: "developer", do: "PUT /functions/{fn}/manifest", body: `{"allowedDomains":["*"]}`, status: 200, has: []string{`"version":5}`}},
		step{as: "invoker", do: "GET /functions/{fn}", status: 200, has: []string{`"allowedDomains":[]`, `"allowedDomains":["api.example.com","*.example.com:8443"]`}},
		step{as: "invoker", do: "GET /functions/{fn}/versions/3", status: 200, has: []string{`"allowedDomains":["api.example.com"`}}, // taken over
		step{as: "invoker", do: "GET /functions/{fn}/versions/5", status: 200, lacks: []string{"allowedDomains"}},
		step{as: "developer", do: "PUT /functions/{fn}/manifest", body: `{"allowedDomains":["10.0.0.1"]}`, status: 400, has: []string{"invalid-domain"}},
	) {
		run(t, w, s, saved)
	}
}

func TestCalls(t *testing.T) {
	t.Parallel()
	w := setup(t)
	fn, second := w.function(t, "a"), w.function(t, "b")
	record := func(id string, at time.Duration, change func(*convoke.Call)) {
		c := convoke.Call{AccountID: home, FunctionID: id, Version: 2, RequestID: "r1", At: noon.Add(at), Host: "api.example.com", Port: 443,
			Method: "GET", Status: 200, Sent: 700, Received: 5 << 30, Took: 1500 * time.Microsecond, Outcome: convoke.CallOK}
		change(&c)
		w.log.RecordCall(c)
	}
	record(fn, 0, func(*convoke.Call) {})
	record(fn, time.Minute, func(c *convoke.Call) {
		*c = convoke.Call{AccountID: home, FunctionID: fn, Version: 2, RequestID: "r2", At: c.At, Host: "evil.example.com", Port: 8443,
			Outcome: convoke.CallRefused, Detail: "not allowed"}
	})
	record(second, 2*time.Minute, func(c *convoke.Call) { c.Host, c.RequestID = "second.example.com", "" })
	saved := map[string]string{"fn": fn, "second": second}
	one, two, three := `"host":"api.example.com"`, `"host":"evil.example.com"`, `"host":"second.example.com"`
	for _, s := range []step{
		// A query sees what was recorded just before it, without anybody waiting.
		{do: "GET /calls", status: 200, has: []string{one, two, three}},
		{do: "GET /functions/{fn}/calls", status: 200, lacks: []string{three}, has: []string{
			`[{"id":2,"functionUuid":"{fn}","version":2,"requestId":"r2","at":"2026-11-02T12:01:00.000Z","host":"evil.example.com","port":8443,"sentBytes":0,"receivedBytes":0,"durationMs":0,"outcome":"refused","detail":"not allowed"}`,
			`,{"id":1,"functionUuid":"{fn}","version":2,"requestId":"r1","at":"2026-11-02T12:00:00.000Z","host":"api.example.com","port":443,"method":"GET","status":200,"sentBytes":700,"receivedBytes":5368709120,"durationMs":1.5,"outcome":"ok"}]`}},
		{do: "GET /functions/{fn}/calls?limit=1", status: 200, has: []string{two}, lacks: []string{one}},
		{do: "GET /functions/{fn}/calls?limit=1&before=2", status: 200, has: []string{one}, lacks: []string{two}},
		{do: "GET /functions/{fn}/calls?requestId=r1", status: 200, has: []string{one}, lacks: []string{two}},
		{do: "GET /calls?host=Second.Example.com", status: 200, has: []string{three}, lacks: []string{one, two}},
		{do: "GET /calls?outcome=refused&outcome=limited", status: 200, has: []string{two}, lacks: []string{one, three}},
		{do: "GET /calls?from=2026-11-02T12:01:00Z&to=2026-11-02T12:02:00Z", status: 200, has: []string{two}, lacks: []string{one, three}},
		{do: "GET /calls?requestId=&host=&outcome=&from=&to=&limit=&before=", status: 200, has: []string{one, two, three}},
		{do: "GET /calls?outcome=bad", status: 400, has: []string{"outcome must be one of ok, refused, limited, failed"}},
		{do: "GET /calls?limit=1001", status: 400, has: []string{"limit must be"}},
		{do: "GET /calls?before=x", status: 400, has: []string{"before must be"}},
		{do: "GET /functions/nothing/calls", status: 404, has: []string{"function.not-found"}},
	} {
		s.as = "invoker"
		run(t, w, s, saved)
	}
	run(t, w, step{as: "other", do: "GET /api/account/" + other + "/calls", status: 200, has: []string{"\n[]\n"}}, saved)
}
