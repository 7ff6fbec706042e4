package cli

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"convoke"
	"convoke/api"
)

func TestShow(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	at := api.Time{Time: time.Date(2026, 11, 27, 9, 30, 0, 0, time.UTC)}
	const id = "5b1e6f0a-8f5c-4a52-9d1c-0d3a4f3f6a11"
	one := 1
	fn := &api.Function{
		UUID: id, Name: "greeting", Description: "says\nhello", State: "Modified", EventID: "conversational_command", Skills: []string{"4", "12"},
		CreatedAt: at, CreatedBy: "ann", UpdatedAt: at, UpdatedBy: "bob", LatestVersion: 2, DeployedVersion: &one,
		LastDeployment: &api.Deployment{ManifestVersion: 2, DeploymentState: "failed", CreatedAt: at, CreatedBy: "bob", Error: &api.DeploymentError{Code: convoke.CodeBuildFailed, Message: "it does not compile"}},
		Versions: []api.Manifest{
			{Version: 2, Code: "THECODE", Runtime: "node26", Language: "typescript", Environment: map[string]string{"TONE": "THEVALUE", "A": "THEVALUE"}, AllowedDomains: []string{},
				Settings: api.Settings{TimeoutMs: 5000, MaxInstances: 9}, CreatedAt: at, CreatedBy: "bob"},
			{Version: 1, Code: "THECODE", Runtime: "node24", Language: "typescript", Contract: "v1", Environment: map[string]string{"TONE": "THEVALUE"}, AllowedDomains: []string{"api.example.com"},
				Settings: api.Settings{MemoryMiB: 64, IdleTimeoutSeconds: 90}, CreatedAt: at, CreatedBy: "ann"},
		},
	}
	s.fake.functions = append(s.fake.functions, fn)
	s.want(ExitOK, []string{
		"NAME                    greeting\n", "DESCRIPTION             says hello\n", "STATE                   Modified\n", "EVENT                   conversational_command\n",
		"SKILLS                  4, 12\n", "LIVE                    1\n", "NEWEST                  2\n", "RUNTIME                 node24 (newest: node26)\n", "LANGUAGE                typescript\n",
		"CONTRACT                v1 (newest: by the code)\n", "VARIABLES               TONE (newest: A, TONE)\n", "DOMAINS                 api.example.com (newest: none)\n",
		"TIME-OUT                the server's (newest: 5s)\n", "MEMORY                  64 MiB (newest: the server's)\n", "INSTANCES               0 to the server's (newest: 0 to 9)\n",
		"IDLE TIME-OUT           1m30s (newest: the server's)\n",
		"LAST DEPLOYMENT         version 2 failed, 2026-11-27 09:30:00 by bob: it does not compile\n",
		"INVOKE                  POST " + s.fake.url + "/api/account/10000001/lambdas/" + id + "/invoke\n",
		"INVOKE BY EVENT         POST " + s.fake.url + "/api/account/10000001/events/conversational_command/invoke\n",
		"!THECODE", "!THEVALUE",
	}, nil, "show", "greeting")

	got := s.want(ExitOK, []string{"!THECODE", "!THEVALUE"}, nil, "show", id, "--json")
	var read shownFunction
	if err := json.Unmarshal([]byte(got.stdout), &read); err != nil {
		t.Fatal(err)
	}
	if read.Live == nil || read.Live.Version != 1 || read.Live.AllowedDomains[0] != "api.example.com" || read.Newest.Version != 2 || read.Newest.AllowedDomains == nil ||
		len(read.Newest.Variables) != 2 || read.Newest.Variables[0] != "A" || read.Newest.Settings.TimeoutMs != 5000 || read.LastDeployment.Error == nil || read.InvokeURL == "" {
		t.Errorf("as JSON it is %s", got.stdout)
	}

	two := 2
	fn.DeployedVersion, fn.State, fn.EventID, fn.Skills = &two, "Productive", "", nil
	s.want(ExitOK, []string{"LIVE                    2, the newest\n", "!NEWEST", "!newest:", "EVENT                   -\n", "SKILLS                  -\n", "!BY EVENT"}, nil, "show", "greeting")
	s.want(ExitOK, []string{`"skills": []`, "!eventUrl"}, nil, "show", "greeting", "--json")
	fn.DeployedVersion, fn.State, fn.Pending, fn.LastDeployment, fn.Versions[0].AllowedDomains = nil, "Draft", true, nil, nil
	s.want(ExitOK, []string{"STATE                   Draft (a deployment is under way)\n", "LIVE                    -\n", "NEWEST                  2\n", "LAST DEPLOYMENT         never\n", "DOMAINS                 all that the account allows\n"}, nil, "show", "greeting")
	s.want(ExitOK, []string{"!\"live\"", "!allowedDomains", "!lastDeployment"}, nil, "show", "greeting", "--json")
	s.want(ExitNotFound, nil, []string{`there is no function "other"`}, "show", "other")
	s.want(ExitUsage, nil, []string{"NAME is missing"}, "show")
}

func TestSettings(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	now := api.AccountSettings{Name: "Shop", Generation: "V2", Limits: convoke.AccountLimits{FunctionsPerAccount: 50}}
	bodies := s.answers(map[string]func(http.ResponseWriter, *http.Request){
		"GET /settings": func(w http.ResponseWriter, r *http.Request) { reply(w, now) },
		"PATCH /settings": func(w http.ResponseWriter, r *http.Request) {
			var in api.UpdateSettingsRequest
			json.NewDecoder(r.Body).Decode(&in)
			if in.Generation != nil && *in.Generation != "V1" {
				refuse(w, convoke.Errorf(convoke.CodeValidation, "the generation is V1 or V2, not %q", *in.Generation))
				return
			}
			now.Name, now.Generation = "New", "V1"
			reply(w, now)
		},
	})
	s.want(ExitOK, []string{"NAME                      Shop\n", "GENERATION                V2\n", "FUNCTIONS                 50\n", "PAYLOAD BYTES             the server's\n"}, nil, "settings", "show")
	s.want(ExitOK, []string{`"generation": "V2"`, `"functionsPerAccount": 50`}, nil, "settings", "show", "--json")
	s.want(ExitOK, []string{"NAME                      New\n"}, nil, "settings", "set", "--name", "New")
	s.want(ExitOK, []string{`"generation": "V1"`}, nil, "settings", "set", "--generation", "V1", "--json")
	s.want(ExitUsage, nil, []string{"the generation is V1 or V2"}, "settings", "set", "--generation", "V3")
	s.want(ExitUsage, nil, []string{"there is nothing to change; see convoke settings set --help"}, "settings", "set")
	s.want(ExitUsage, nil, []string{`there is no command "sow"`, "did you mean show?"}, "settings", "sow")
	if b := *bodies; len(b) != 5 || b[2] != `{"name":"New"}` || b[3] != `{"generation":"V1"}` {
		t.Errorf("sent %q", b)
	}
}
