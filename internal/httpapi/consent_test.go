package httpapi

import (
	"encoding/json"
	"testing"

	"convoke"
	"convoke/api"
)

// TestConsents lists and ends what users allowed programs: one's own, those of
// others as an admin, and never those of another user or account by their id.
func TestConsents(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ann, bob := w.person(t, "ann", convoke.RoleViewer).ID, w.person(t, "bob", convoke.RoleViewer).ID
	w.login(t, "ann", password)
	w.login(t, "bob", password)
	var made api.ClientWithSecret
	body := w.want(t, "admin", "POST /clients", `{"name":"crm","grantTypes":["authorization_code"],"scopes":["faas.lambda.invoke"],"redirectUris":["https://app.example.com/cb"]}`, 201)
	if err := json.Unmarshal([]byte(body), &made); err != nil {
		t.Fatal(err)
	}
	crm := w.consent(t, home, ann, made.ID)
	cli := w.consent(t, home, ann, convoke.CommandLineID)
	bobs := w.consent(t, home, bob, made.ID)
	foreign := w.consent(t, other, ann, convoke.CommandLineID) // the same user id elsewhere

	for _, as := range []string{"ann", "admin"} {
		path := "/users/me/consents"
		if as == "admin" {
			path = "/users/" + ann + "/consents"
		}
		w.want(t, as, "GET "+path, "", 200, crm, cli, `"clientName":"crm"`, `"clientName":"Convoke command line"`, `"from":"192.0.2.7"`, "!"+bobs, "!"+foreign, "!hash", "!Hash")
	}
	w.want(t, "ann", "GET /users/"+bob+"/consents", "", 403)
	w.want(t, "ann", "DELETE /users/"+bob+"/consents/"+bobs, "", 403)
	for _, id := range []string{bobs, foreign, "none"} {
		w.want(t, "ann", "DELETE /users/me/consents/"+id, "", 404)
		w.want(t, "admin", "DELETE /users/"+ann+"/consents/"+id, "", 404)
	}
	w.want(t, "admin", "GET /users/none/consents", "", 404)
	w.want(t, "admin", "DELETE /users/none/consents/"+crm, "", 404)
	w.want(t, "admin", "GET /users/me/consents", "", 409, "no user")
	w.want(t, "admin", "DELETE /users/me/consents/"+crm, "", 409)

	woken := w.config.Auth.Forgotten() // by which streams notice
	w.want(t, "ann", "DELETE /users/me/consents/"+crm, "", 204)
	select {
	case <-woken:
	default:
		t.Error("the end of a consent woke no stream")
	}
	w.want(t, "ann", "DELETE /users/me/consents/"+crm, "", 404)
	w.want(t, "admin", "DELETE /users/"+ann+"/consents/"+cli, "", 204)
	w.want(t, "ann", "GET /users/me/consents", "", 200, "!"+crm, "!"+cli)
	w.want(t, "bob", "GET /users/me/consents", "", 200, bobs)
	w.want(t, "admin", "GET /activities?noun=consent", "", 200, "consent.revoke", crm, cli, `"actor":"ann"`, "!"+bobs)
}
