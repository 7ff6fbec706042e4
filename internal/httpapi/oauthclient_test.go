package httpapi

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"convoke"
	"convoke/api"
)

// TestClients registers a client, gets a token with it, and follows what
// becomes of both through every change.
func TestClients(t *testing.T) {
	t.Parallel()
	w := setup(t)
	want := func(as, method, path, body string, status int, out any) {
		t.Helper()
		got, _, text := w.do(t, as, method, path, body, nil)
		if got != status {
			t.Fatalf("%s %s as %s: %d %s, want %d", method, path, as, got, text, status)
		}
		if out != nil {
			if err := json.Unmarshal([]byte(text), out); err != nil {
				t.Fatal(err)
			}
		}
	}
	const new = `{"name":"shop","grantTypes":["client_credentials"],"scopes":["faas.lambda.invoke"]}`
	var made api.ClientWithSecret
	want("developer", "POST", "/clients", new, 403, nil)
	want("admin", "POST", "/clients", new, 201, &made)
	want("admin", "POST", "/clients", new, 409, nil)
	want("admin", "POST", "/clients", `{"name":"bad","grantTypes":[]}`, 400, nil)
	want("admin", "POST", "/clients", `{"name":"bad","scopes":[]}`, 400, nil)
	if made.ID == "" || !strings.HasPrefix(made.Secret, "cvo_") || made.CreatedBy != "admin" {
		t.Fatalf("created %+v", made)
	}
	_, _, list := w.do(t, "admin", "GET", "/clients", "", nil)
	if !strings.Contains(list, made.ID) || strings.Contains(list, made.Secret) || strings.Contains(list, "hash") {
		t.Errorf("list %s", list)
	}
	one := "/clients/" + made.ID
	w.tokens["machine"] = w.machineToken(t, made.ID, made.Secret)
	want("machine", "GET", "/events/conversational_command/isImplemented", "", 200, nil)
	want("machine", "GET", "/functions", "", 403, nil)
	want("machine", "GET", "/clients", "", 403, nil)
	want("machine", "GET", "/api/account/"+other+"/events/x/isImplemented", "", 403, nil)

	var got api.Client
	want("admin", "PATCH", one, `{"disabled":true}`, 200, &got)
	want("machine", "GET", "/events/x/isImplemented", "", 401, nil)
	want("admin", "PATCH", one, `{"disabled":true}`, 409, nil)
	want("admin", "PATCH", one, `{"disabled":false,"name":"store","scopes":["faas.function.read"]}`, 200, &got)
	if got.Name != "store" || got.Disabled || got.Scopes[0] != "faas.function.read" {
		t.Errorf("changed to %+v", got)
	}
	want("machine", "GET", "/functions", "", 403, nil) // the token has the old scope only
	want("admin", "PATCH", one, `{"grantTypes":["authorization_code"]}`, 400, nil)
	want("admin", "PATCH", one, `{"grantTypes":["authorization_code"],"redirectUris":["https://app.example.com/cb"]}`, 200, nil)
	want("admin", "PATCH", "/clients/none", `{"name":"x"}`, 404, nil)

	var rotated api.ClientWithSecret
	want("admin", "POST", one+"/secret", `{"graceSeconds":-1}`, 400, nil)
	want("admin", "POST", one+"/secret", "", 200, &rotated)
	if rotated.Secret == "" || rotated.Secret == made.Secret || len(rotated.Secrets) != 2 || rotated.Secrets[1].ExpiresAt.IsZero() {
		t.Errorf("rotated %+v", rotated)
	}
	want("admin", "POST", one+"/secret", `{"graceSeconds":0}`, 200, &rotated)
	if len(rotated.Secrets) != 1 {
		t.Errorf("rotated without grace %+v", rotated)
	}
	want("other", "GET", "/api/account/"+other+one, "", 404, nil)
	want("other", "DELETE", "/api/account/"+other+one, "", 404, nil)
	want("admin", "GET", one, "", 200, nil)
	want("admin", "DELETE", one, "", 204, nil)
	want("admin", "GET", one, "", 404, nil)
	want("machine", "GET", "/events/x/isImplemented", "", 401, nil)

	// Who did what is kept, and no secret with it.
	kept, err := w.store.ListActivities(t.Context(), home, convoke.ActivityFilter{Noun: "client"})
	if err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, a := range kept {
		actions = append(actions, strings.TrimPrefix(a.Action, "client."))
		if a.Actor != "admin" || a.Subject != made.ID || strings.Contains(string(a.Before)+string(a.After), "cvo_") {
			t.Errorf("activity %+v", a)
		}
	}
	if got := strings.Join(actions, " "); got != "remove rotateSecret rotateSecret update update update create" {
		t.Errorf("activities: %s", got)
	}
}

// TestClientDefaults: who says no more than a name gets what the command line
// makes of it.
func TestClientDefaults(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for body, grant := range map[string]string{
		`{"name":"plain"}`: "client_credentials",
		`{"name":"app","public":true,"redirectUris":["http://127.0.0.1/callback"]}`: "authorization_code",
	} {
		w.want(t, "admin", "POST /clients", body, 201, `"grantTypes":["`+grant+`"],"scopes":["faas.lambda.invoke"]`)
	}
	w.want(t, "admin", "POST /clients", `{"name":"bad","public":true}`, 400, "needs a redirect URI")
}

// machineToken gets a token as the reference's Node client does.
func (w *world) machineToken(t *testing.T, id, secret string) string {
	t.Helper()
	res, err := http.PostForm(w.url+"/sentinel/api/account/"+home+"/app/token?v=2.0",
		url.Values{"grant_type": {"client_credentials"}, "scope": {""}, "client_id": {id}, "client_secret": {secret}})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var out api.AppToken
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<16)).Decode(&out); err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res.Status, err)
	}
	return out.AccessToken
}

// TestDiscoveryDocument fetches all that the discovery document names.
func TestDiscoveryDocument(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, path := range []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"} {
		_, header, body := w.do(t, "", "GET", path, "", nil)
		var doc api.OAuthServer
		if err := json.Unmarshal([]byte(body), &doc); err != nil {
			t.Fatal(err)
		}
		for name, address := range map[string]string{"token": doc.TokenEndpoint, "keys": doc.KeySet, "authorize": doc.AuthorizationEndpoint, "revoke": doc.RevocationEndpoint} {
			at, ok := strings.CutPrefix(address, doc.Issuer)
			method := map[bool]string{true: "POST", false: "GET"}[name == "token" || name == "revoke"]
			if status, _, _ := w.do(t, "", method, at, "", nil); !ok || status == http.StatusNotFound || status == http.StatusMethodNotAllowed {
				t.Errorf("%s: %s leads to %d", path, address, status)
			}
		}
		if header.Get("Cache-Control") != "public, max-age=3600" || header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: headers %v", path, header)
		}
	}
	_, _, one := w.do(t, "", "GET", "/.well-known/jwks.json", "", nil)
	if _, _, two := w.do(t, "", "GET", "/sentinel/well-known/jwks", "", nil); one != two || !strings.Contains(one, `"keys"`) {
		t.Errorf("key sets %s and %s", one, two)
	}
}
