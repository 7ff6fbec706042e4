package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"convoke"
	"convoke/api"
)

// fakeClients keeps clients in memory and believes everything.
type fakeClients struct {
	list []api.Client
	last string // body of the last change
}

func (f *fakeClients) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	id, action, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/api/account/10000001/clients"), "/"), "/")
	i := slices.IndexFunc(f.list, func(c api.Client) bool { return c.ID == id })
	if r.Method != "GET" {
		f.last = string(body)
	}
	switch {
	case r.Method == "GET":
		reply(w, f.list)
	case r.Method == "POST" && id == "":
		var in api.CreateClientRequest
		json.Unmarshal([]byte(f.last), &in)
		c := api.Client{ID: "id-" + in.Name, Name: in.Name, Public: in.Public, GrantTypes: in.GrantTypes, Scopes: in.Scopes, RedirectURIs: in.RedirectURIs,
			Secrets: []api.ClientSecret{{CreatedAt: api.Time{Time: time.Now()}}, {ExpiresAt: api.Time{Time: time.Now()}}}}
		f.list = append(f.list, c)
		out := api.ClientWithSecret{Client: c, Secret: "cvo_new"}
		if in.Public {
			out.Secret = ""
		}
		reply(w, out)
	case i < 0:
		refuse(w, convoke.Errorf(convoke.CodeNotFound, "no such client"))
	case action == "secret":
		reply(w, api.ClientWithSecret{Client: f.list[i], Secret: "cvo_next"})
	case r.Method == "PATCH":
		was := f.list[i].Disabled
		json.Unmarshal([]byte(f.last), &f.list[i])
		if was == f.list[i].Disabled {
			refuse(w, convoke.Errorf(convoke.CodeUnchanged, "unchanged"))
			return
		}
		reply(w, f.list[i])
	case r.Method == "DELETE":
		f.list = slices.Delete(f.list, i, i+1)
		w.WriteHeader(http.StatusNoContent)
	}
}

func TestClientCommands(t *testing.T) {
	t.Parallel()
	f := &fakeClients{}
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	s := newShell(t)
	s.env["CONVOKE_URL"] = srv.URL

	s.want(ExitOK, []string{"client_id=id-shop\nclient_secret=cvo_new\n"}, nil, "client", "create", "shop")
	if want := `{"name":"shop","grantTypes":["client_credentials"],"scopes":["faas.lambda.invoke"]}`; f.last != want {
		t.Errorf("sent %s, want %s", f.last, want)
	}
	s.want(ExitOK, []string{"client_id=id-app\n", "!secret"}, nil, "client", "create", "app", "--public", "--grant", "authorization_code", "--redirect", "http://127.0.0.1/cb", "--scope", "openid", "--scope", "faas.log.read")
	if want := `{"name":"app","public":true,"grantTypes":["authorization_code"],"scopes":["openid","faas.log.read"],"redirectUris":["http://127.0.0.1/cb"]}`; f.last != want {
		t.Errorf("sent %s, want %s", f.last, want)
	}
	s.want(ExitOK, []string{`"secret": "cvo_new"`}, nil, "client", "create", "json", "--json")
	s.want(ExitUsage, nil, []string{"NAME is missing"}, "client", "create")

	s.want(ExitOK, []string{"id-shop", "live", "client_credentials", "!cvo_"}, nil, "client", "list")
	s.want(ExitOK, []string{`"id": "id-app"`}, nil, "client", "list", "--json")
	s.want(ExitOK, []string{"http://127.0.0.1/cb", "openid, faas.log.read", "good until"}, nil, "client", "show", "app")
	s.want(ExitOK, []string{`"name": "app"`}, nil, "client", "show", "id-app", "--json")
	s.want(ExitNotFound, nil, []string{"there is no client none", "hint: convoke client list"}, "client", "show", "none")

	s.want(ExitOK, []string{"client_secret=cvo_next"}, nil, "client", "rotate-secret", "shop")
	if f.last != `{"graceSeconds":86400}` {
		t.Errorf("sent %s", f.last)
	}
	s.want(ExitOK, nil, nil, "client", "rotate-secret", "shop", "--grace", "0s")
	if f.last != `{"graceSeconds":0}` {
		t.Errorf("sent %s", f.last)
	}

	s.want(ExitOK, nil, []string{"client shop is disabled"}, "client", "disable", "shop")
	s.want(ExitOK, nil, []string{"client shop is disabled"}, "client", "disable", "id-shop")
	s.want(ExitOK, []string{"disabled"}, nil, "client", "list")
	s.want(ExitOK, []string{`"disabled": false`}, nil, "client", "enable", "shop", "--json")

	s.tty, s.stdin = true, "n\n"
	s.want(ExitFailure, nil, []string{"Remove the client shop? [y/N]", "not done"}, "client", "remove", "shop")
	s.want(ExitOK, nil, []string{"client shop is removed", "!?"}, "client", "remove", "shop", "--yes")
	s.want(ExitOK, []string{`"state": "removed"`}, nil, "client", "remove", "app", "--yes", "--json")
	s.want(ExitUsage, nil, []string{`there is no command "crate"; did you mean create?`}, "client", "crate")
	for _, name := range []string{"create", "list", "show", "rotate-secret", "disable", "enable", "remove"} {
		s.want(ExitOK, []string{"Examples:", "convoke client " + name}, nil, "client", name, "--help")
	}
}
