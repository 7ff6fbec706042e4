package httpapi

import (
	"encoding/json"
	"strings"
	"testing"

	"convoke"
	"convoke/internal/secret"
)

const secretValue = "p1ain-vAlue"

func TestSecrets(t *testing.T) {
	t.Parallel()
	w := setup(t)
	provided := secret.Input{Name: "LIVEPERSON_DEFAULT_APP_KEY", Type: convoke.SecretJSON, Value: convoke.NewSecret(`{"client_secret":"` + secretValue + `"}`)}
	if _, err := w.config.Secrets.Provision(t.Context(), home, provided); err != nil {
		t.Fatal(err)
	}
	leaks := []string{secretValue, "sealed", "keyId"}
	saved := map[string]string{}
	for _, s := range []step{
		{as: "admin", do: "GET /secrets", status: 200, has: []string{"\n[]\n"}},
		{as: "admin", do: "PUT /secrets/api-key", body: `{"timestamp":0,"value":"` + secretValue + `"}`, status: 201, lacks: leaks,
			has: []string{`{"name":"api-key","type":"String","version":1,"system":false,"createdAt":"2`, `"createdBy":"admin"`}},
		{as: "admin", do: "PUT /secrets/api-key", body: `{"value":"{\"a\":\"` + secretValue + `\"}","type":"JSON"}`, status: 200, lacks: leaks, has: []string{`"type":"JSON","version":2`}},
		{as: "admin", do: "POST /secrets", body: `{"name":"api-key","value":"` + secretValue + `"}`, status: 409, lacks: leaks, has: []string{`"code":"com.liveperson.faas.db.conflict"`}},
		{as: "admin", do: "POST /secrets", body: `{"name":"second","value":"7","type":"Number"}`, status: 201, has: []string{`"name":"second","type":"Number"`}},
		{as: "developer", do: "GET /secrets", status: 200, lacks: append(leaks, "LIVEPERSON"), has: []string{`[{"name":"api-key"`, `{"name":"second"`}},
		{as: "developer", do: "GET /secrets?system=true", status: 200, lacks: leaks, has: []string{`[{"name":"LIVEPERSON_DEFAULT_APP_KEY","type":"JSON","version":1,"system":true`}},
		{as: "developer", do: "GET /secrets?system=perhaps", status: 400, has: []string{"system must be true or false"}},
		{as: "developer", do: "PUT /secrets/api-key", body: `{"value":"x"}`, status: 403},
		{as: "invoker", do: "GET /secrets", status: 403},

		// What is refused does not come back in the answer.
		{as: "admin", do: "PUT /secrets/api-key", body: `{"value":"` + secretValue + `"}`, status: 400, lacks: leaks, has: []string{"validation.general", "not valid JSON"}}, // the type stays
		{as: "admin", do: "PUT /secrets/number", body: `{"value":"` + secretValue + `","type":"Number"}`, status: 400, lacks: leaks, has: []string{"validation.general"}},
		{as: "admin", do: "PUT /secrets/x", body: `{"value":47114711}`, status: 400, lacks: []string{"47114711"}, has: []string{"evg.invalid", "member value must be a string"}},
		{as: "admin", do: "PUT /secrets/x", body: `{"value":{"key":"` + secretValue + `"}}`, status: 400, lacks: leaks, has: []string{"evg.invalid"}},
		{as: "admin", do: "PUT /secrets/x", body: `{"value":"` + secretValue + `"`, status: 400, lacks: leaks, has: []string{"evg.invalid"}},
		{as: "admin", do: "PUT /secrets/x", body: `{"value":""}`, status: 400, has: []string{"has no value"}},
		{as: "admin", do: "PUT /secrets/x", body: `{"value":"` + strings.Repeat("x", 16_385) + `"}`, status: 400, has: []string{"has 16385 characters"}},
		{as: "admin", do: "PUT /secrets/x", body: `{"value":"` + strings.Repeat("x", 300<<10) + `"}`, status: 413},
		{as: "admin", do: "PUT /secrets/a%20b", body: `{"value":"x"}`, status: 400, has: []string{"cannot be the name of a secret"}},
		{as: "admin", do: "PUT /secrets/LIVEPERSON_DEFAULT_APP_KEY", body: `{"value":"x"}`, status: 400, has: []string{"the platform's own"}},
		{as: "admin", do: "DELETE /secrets/LIVEPERSON_DEFAULT_APP_KEY", status: 400, has: []string{"the platform's own"}},

		{as: "other", do: "GET /api/account/" + other + "/secrets", status: 200, has: []string{"\n[]\n"}},
		{as: "other", do: "DELETE /api/account/" + other + "/secrets/api-key", status: 404, has: []string{"db.not-found"}},
		{as: "operator", do: "POST /api/master-key/rotate", status: 200, has: []string{`"resealed":3,"unreadable":[]`}},
		{as: "admin", do: "POST /api/master-key/rotate", status: 403},
		{as: "other", do: "POST /api/master-key/rotate", status: 403},
		{as: "developer", do: "POST /api/master-key/rotate", status: 403},
		{as: "admin", do: "DELETE /secrets/api-key", status: 204},
		{as: "admin", do: "DELETE /secrets/api-key", status: 404, has: []string{"db.not-found", "there is no secret api-key"}},
	} {
		run(t, w, s, saved)
	}
	w.wantActivities(t, []string{"secret.create api-key", "secret.update api-key", "secret.create second", "secret.rotateKey master key", "secret.remove api-key"}, secretValue)
}

// wantActivities compares the audit trail, the oldest first, and sees that it
// does not hold a text.
func (w *world) wantActivities(t *testing.T, want []string, never string) {
	t.Helper()
	all, err := w.store.ListActivities(t.Context(), home, convoke.ActivityFilter{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(all)
	if err != nil || strings.Contains(string(text), never) {
		t.Errorf("the audit trail is %s, error %v", text, err)
	}
	var got []string
	for _, a := range all {
		if strings.HasPrefix(a.Action, "function.") {
			continue
		}
		got = append([]string{a.Action + " " + a.Name}, got...)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("activities are %q, want %q", got, want)
	}
}
