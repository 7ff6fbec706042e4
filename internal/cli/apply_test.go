package cli

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"convoke"
	"convoke/api"
)

// fakeThings are what else an account has.
type fakeThings struct {
	secrets   []api.Secret
	values    map[string]string
	schedules []api.Schedule
	nameOf    func(id string) string
}

func (f *fakeThings) handle(handle func(string, func(http.ResponseWriter, *http.Request, []byte))) {
	f.values = map[string]string{}
	handle("GET /secrets", func(w http.ResponseWriter, _ *http.Request, _ []byte) { reply(w, f.secrets) })
	handle("PUT /secrets/{name}", func(w http.ResponseWriter, r *http.Request, body []byte) {
		var in api.SetSecretRequest
		json.Unmarshal(body, &in)
		name := r.PathValue("name")
		if in.Value == "REFUSED" {
			refuse(w, convoke.Errorf(convoke.CodeValidation, "the value is refused"))
			return
		}
		f.values[name] = in.Value
		f.secrets = slices.DeleteFunc(f.secrets, func(s api.Secret) bool { return s.Name == name })
		f.secrets = append(f.secrets, api.Secret{Name: name, Type: in.Type, Version: 1})
		reply(w, f.secrets[len(f.secrets)-1])
	})
	handle("DELETE /secrets/{name}", func(w http.ResponseWriter, r *http.Request, _ []byte) {
		f.secrets = slices.DeleteFunc(f.secrets, func(s api.Secret) bool { return s.Name == r.PathValue("name") })
		w.WriteHeader(http.StatusNoContent)
	})
	handle("GET /schedules", func(w http.ResponseWriter, _ *http.Request, _ []byte) { reply(w, f.schedules) })
	change := func(s *api.Schedule, in api.ScheduleRequest) {
		s.IsActive, s.Description, s.InvocationBody = *in.IsActive, *in.Description, *in.InvocationBody
	}
	handle("POST /schedules", func(w http.ResponseWriter, _ *http.Request, body []byte) {
		var in api.ScheduleRequest
		json.Unmarshal(body, &in)
		s := api.Schedule{ID: uuid.NewString(), FunctionUUID: in.FunctionUUID, FunctionName: f.nameOf(in.FunctionUUID), CronExpression: *in.CronExpression}
		change(&s, in)
		f.schedules = append(f.schedules, s)
		reply(w, s)
	})
	handle("PUT /schedules/{id}", func(w http.ResponseWriter, r *http.Request, body []byte) {
		var in api.ScheduleRequest
		json.Unmarshal(body, &in)
		i := slices.IndexFunc(f.schedules, func(s api.Schedule) bool { return s.ID == r.PathValue("id") })
		change(&f.schedules[i], in)
		reply(w, f.schedules[i])
	})
	handle("DELETE /schedules/{id}", func(w http.ResponseWriter, r *http.Request, _ []byte) {
		f.schedules = slices.DeleteFunc(f.schedules, func(s api.Schedule) bool { return s.ID == r.PathValue("id") })
		w.WriteHeader(http.StatusNoContent)
	})
}

// newAccount is a shell with an account's file and what it names.
func newAccount(t *testing.T) *shell {
	s := newShell(t)
	s.fake.things.nameOf = func(id string) string {
		i := slices.IndexFunc(s.fake.functions, func(fn *api.Function) bool { return fn.UUID == id })
		return s.fake.functions[i].Name
	}
	s.file("fn/greeting/index.js", hello)
	s.file("fn/greeting/config.json", `{"name":"greeting","description":"from config","environmentVariables":{"A":"1"}}`)
	s.file("app.json", "{\"k\":1}\n")
	s.file("account.yaml", `functions:
  - path: fn/greeting
    description: from the account
    skills: ["7"]
    event: controllerbot_messaging_ttr
  - name: ping
    code: |
      async function lambda() {}
    language: typescript
    settings: {timeoutMs: 900}
  - {path: fn/greeting, name: draft, deployed: false}
domains: [API.example.com]
schedules:
  - {function: ping, cron: "0  7 * * MON", payload: {b: [1, 2], a: 12345678901234567890}, headers: {k: token}}
  - {function: greeting, cron: "* * * * *", active: false, description: off}
secrets:
  - {name: api-key, fromEnv: API_KEY}
  - {name: app, type: json, fromFile: app.json}
`)
	s.env["API_KEY"] = "s3cret"
	return s
}

func TestApplyLife(t *testing.T) {
	t.Parallel()
	s := newAccount(t)
	delete(s.env, "API_KEY") // a plan needs no values
	plan := s.want(ExitOK, []string{
		"+ secret api-key (from the variable API_KEY)\n+ secret app (from the file app.json)\n+ domain API.example.com\n+ function greeting\n    + fn/greeting/index.js (3 lines)\n",
		"    + description: \"from the account\"\n", "> function greeting\n> function ping\n", `+ schedule ping "0 7 * * MON"`, "8 to create, 2 to deploy\n",
	}, nil, "apply", "-f", "account.yaml", "--plan")
	s.want(ExitChanges, []string{plan.stdout}, nil, "apply", "-f", "account.yaml", "--plan", "--exit-code")
	s.want(ExitUsage, nil, []string{"account.yaml:17: the variable API_KEY, which has the secret api-key, is not set"}, "apply", "-f", "account.yaml", "--yes")
	s.env["API_KEY"] = "s3cret"
	s.want(ExitUsage, nil, []string{"there is nobody to ask"}, "apply", "-f", "account.yaml")
	if len(s.fake.functions)+len(s.fake.domains)+len(s.fake.things.secrets) > 0 {
		t.Fatal("something was done without a yes")
	}
	got := s.want(ExitOK, []string{"!s3cret"}, []string{"secret api-key is created", "function greeting is deployed", "!s3cret"}, "apply", "-f", "account.yaml", "--yes")
	if strings.Contains(got.stdout, "token") {
		t.Error("the plan shows the value of a header")
	}
	if diff := cmp.Diff(map[string]string{"api-key": "s3cret", "app": `{"k":1}`}, s.fake.things.values); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
	greeting, ping, draft := s.fake.functions[0], s.fake.functions[1], s.fake.functions[2]
	if greeting.Description != "from the account" || !slices.Equal(greeting.Skills, []string{"7"}) || greeting.EventID != "controllerbot_messaging_ttr" || greeting.Versions[0].Environment["A"] != "1" {
		t.Errorf("greeting is %+v", greeting)
	}
	if ping.Versions[0].Language != "typescript" || ping.Versions[0].Settings.TimeoutMs != 900 || ping.DeployedVersion == nil || draft.DeployedVersion != nil {
		t.Errorf("ping is %+v, draft is %+v", ping, draft)
	}
	if sc := s.fake.things.schedules[0]; string(sc.InvocationBody.Payload) != `{"a":12345678901234567890,"b":[1,2]}` || sc.FunctionUUID != ping.UUID || !sc.IsActive {
		t.Errorf("the schedule is %+v: %s", sc, sc.InvocationBody.Payload)
	}

	// Again: nothing, with and without --prune; --secrets sets them again.
	s.fake.requests = nil
	s.want(ExitOK, nil, []string{"nothing to do"}, "apply", "-f", "account.yaml", "--prune")
	s.want(ExitOK, []string{`"steps": []`}, nil, "apply", "-f", "account.yaml", "--json")
	if i := slices.IndexFunc(s.fake.requests, func(r string) bool { return !strings.HasPrefix(r, "GET ") }); i >= 0 {
		t.Errorf("nothing to do, and yet %s", s.fake.requests[i])
	}
	s.want(ExitOK, []string{"~ secret api-key", "~ secret app", "2 to change"}, nil, "apply", "-f", "account.yaml", "--secrets", "--yes")

	// Changes.
	s.file("account.yaml", `functions:
  - {path: fn/greeting, description: other, event: controllerbot_messaging_ttr, skills: ["7"], deployed: false}
schedules:
  - {function: ping, cron: "0 7 * * MON", payload: {a: 1}, headers: {k: other}}
secrets:
  - {name: app, type: string, fromFile: app.json}
`)
	s.want(ExitOK, []string{
		"~ secret app (from", "~ function greeting", `    -description: "from the account"`, "< function greeting\n",
		"    -headers.k: set\n    +headers.k: set to another value\n", "!token", "!remove",
	}, nil, "apply", "-f", "account.yaml", "--plan")
	s.want(ExitOK, []string{
		`- schedule greeting "* * * * *"`, "- function ping (with all its versions)", "- function draft", "- secret api-key", "!- domain", "4 to remove",
	}, []string{"function ping is undeployed\nfunction ping is removed"}, "apply", "-f", "account.yaml", "--prune", "--yes")
	if len(s.fake.functions) != 1 || len(s.fake.things.schedules) != 1 || len(s.fake.things.secrets) != 1 || s.fake.domainNames() != "api.example.com" {
		t.Errorf("left are %v, %v, %v, %s", s.fake.functions, s.fake.things.schedules, s.fake.things.secrets, s.fake.domainNames())
	}
	s.file("account.yaml", "domains: []")
	s.want(ExitOK, []string{"- domain api.example.com\n1 to remove"}, nil, "apply", "-f", ".", "--prune", "--yes")
	if len(s.fake.functions) != 1 {
		t.Error("a section that the file does not have was pruned")
	}
}

// TestApplyFailures: one step that fails takes along what needs the same
// function, and nothing else.
func TestApplyFailures(t *testing.T) {
	t.Parallel()
	s := newAccount(t)
	s.file("fn/greeting/index.js", "// BROKEN\n}")
	s.env["API_KEY"] = "REFUSED"
	s.want(ExitUsage, nil, []string{
		"secret api-key: the value is refused", "fn/greeting/index.js:2:3:", "function greeting: the code does not compile",
		`schedule greeting "* * * * *": skipped`, `schedule ping "0 7 * * MON" is created`, "2 of 10 steps failed", "!s3cret", "!REFUSED",
	}, "apply", "-f", "account.yaml", "--yes")
	got := s.want(ExitUsage, []string{`"result": "skipped"`, `"result": "failed"`, "!REFUSED"}, []string{`"exitCode":2`}, "apply", "-f", "account.yaml", "--yes", "--json")
	var out struct{ Steps []shownStep }
	if err := json.Unmarshal([]byte(got.stdout), &out); err != nil || len(out.Steps) != 3 {
		t.Errorf("%d steps (%v), want the secret, the deployment and the schedule: %s", len(out.Steps), err, got.stdout)
	}
	s.env["CONVOKE_TOKEN"] = "bad"
	s.want(ExitAuth, nil, []string{"the token is wrong"}, "apply", "-f", "account.yaml", "--yes")
}

// TestBadAccounts: mistakes are told with their line, before anything is done.
func TestBadAccounts(t *testing.T) {
	t.Parallel()
	s := newAccount(t)
	s.file("two/a.yaml", "domains: [a.example.com]")
	s.file("two/b.yml", `{"domains": ["A.example.com"]}`)
	s.file("none/config.json", "{}")
	for text, want := range map[string]string{
		"functions: {}":          "bad.yaml:1: it must be a list, not {}",
		"domains:":               "bad.yaml:1: it must be a list, not null; [] is none",
		"domain: []":             "bad.yaml:1: there is no domain; did you mean domains?",
		"functions:\n  - nam: x": "bad.yaml:2: there is no nam; did you mean name?",
		"functions:\n  - name: x\n    settings:\n      timeoutMs: soon":          `bad.yaml:4: settings.timeoutMs must be a whole number, not "soon"`,
		"functions:\n  - name: x\n    environmentVariables: {A: 1}":              "bad.yaml:3: environmentVariables is {",
		"functions:\n  - name: x\n    deployed: maybe":                           `bad.yaml:3: deployed must be true, false or keep, not "maybe"`,
		"functions:\n  - name: x\n    skills: 7":                                 "bad.yaml:3: skills must be a list of texts, not 7",
		"functions:\n  - name: x":                                                "bad.yaml:2: a function has either a path or code",
		"functions:\n  - code: x":                                                "bad.yaml:2: a function with code has a name",
		"functions:\n  - {path: fn/greeting, language: typescript}":              "bad.yaml:2: the language of a path",
		"functions:\n  - {name: x, code: y, language: go}":                       "bad.yaml:2: language is javascript or typescript",
		"functions:\n  - path: fn/none":                                          "bad.yaml:2: there is no file or folder fn/none",
		"functions:\n  - path: fn/greeting\n  - path: fn/greeting":               "bad.yaml:3: the function greeting is in bad.yaml:2 already",
		"domains:\n  - https://x":                                                "bad.yaml:2: \"https://x\" is not a domain",
		"domains:\n  - a.example.com\n  - A.example.com":                         "bad.yaml:3: A.example.com is in bad.yaml:2 already",
		"schedules:\n  - function: x":                                            "bad.yaml:2: a schedule has a function and a cron expression",
		"schedules:\n  - {function: x, cron: '* * * * *'}":                       `bad.yaml:2: there is no function "x", neither in the account nor`,
		"schedules:\n  - {function: x, cron: a}\n  - {function: x, cron: ' a '}": "bad.yaml:3: a schedule of x at a is in bad.yaml:2 already",
		"secrets:\n  - name: x":                                                  "bad.yaml:2: the secret x has either fromEnv",
		"secrets:\n  - {name: x, value: hush}":                                   "bad.yaml:2: a secret's value has no place",
		"secrets:\n  - {name: x, fromEnv: y, type: blob}":                        "bad.yaml:2: type is string, number or json",
		"secrets:\n  - {name: x/y, fromEnv: y}":                                  "bad.yaml:2: ",
		"a: [":                                                                   "bad.yaml: ",
		"domains: []\n---\nfunctions: []":                                        "bad.yaml:2: only one document is read",
		"domains: &a [x, x, x, x, x, x, x, x, x]\nschedules: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\nx: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]\nx1: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c]\nx2: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d]\nx3: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e]\nx4: &g [*f, *f, *f, *f, *f, *f, *f, *f, *f]\nx5: [*g, *g, *g, *g, *g, *g, *g, *g]": "alias",
		"1: 2": "bad.yaml: ",
	} {
		s.file("bad.yaml", text)
		got := s.run("apply", "-f", "bad.yaml", "--yes")
		if got.code != ExitUsage && got.code != ExitNotFound || !strings.Contains(got.stderr, want) || strings.Contains(got.stderr, "hush") {
			t.Errorf("%q: exit code %d and %s, want %q", text, got.code, got.stderr, want)
		}
	}
	s.file("bad.yaml", "functions:\n  - {name: a b, code: x}")
	s.want(ExitUsage, nil, []string{"bad.yaml:2: ", "hint: name: in the file gives", "!--name"}, "apply", "-f", "bad.yaml", "--yes")
	s.want(ExitUsage, nil, []string{"two/b.yml:1: A.example.com is in two/a.yaml:1 already"}, "apply", "-f", "two")
	s.want(ExitUsage, nil, []string{"none holds no .yaml file"}, "apply", "-f", "none")
	s.want(ExitUsage, nil, []string{"there is no file or folder nowhere.yaml"}, "apply", "-f", "nowhere.yaml")
	s.want(ExitUsage, nil, []string{"-f FILE is missing"}, "apply")
	if i := slices.IndexFunc(s.fake.requests, func(r string) bool { return !strings.HasPrefix(r, "GET ") }); i >= 0 {
		t.Errorf("a bad file made the request %s", s.fake.requests[i])
	}
}

// TestExport: what is exported, applied to the same account, changes nothing.
func TestExport(t *testing.T) {
	t.Parallel()
	s := newAccount(t)
	s.want(ExitOK, nil, nil, "apply", "-f", "account.yaml", "--yes")
	s.fake.functions = append(s.fake.functions, &api.Function{UUID: uuid.NewString(), Name: "empty", LatestVersion: 1, State: "Draft", Versions: []api.Manifest{{Version: 1}}})
	s.want(ExitOK, []string{"greeting  pulled"}, []string{"empty is left out: it has no code yet"}, "export", "out")
	want := `functions:
- path: functions/draft
  deployed: false
- path: functions/greeting
  deployed: true
  skills:
  - '7'
- path: functions/ping
  deployed: true
domains:
- api.example.com
schedules:
- function: ping
  cron: 0 7 * * MON
  active: true
  headers:
    k: token
  payload: {"a": 12345678901234567890, "b": [1, 2]}
- function: greeting
  cron: '* * * * *'
  description: 'off'
  active: false
secrets:
- name: api-key
  fromEnv: API_KEY
- name: app
  type: json
  fromEnv: APP
`
	if diff := cmp.Diff(want, s.read("out/account.yaml")); diff != "" {
		t.Errorf("account.yaml (-want +got):\n%s", diff)
	}
	s.want(ExitOK, nil, []string{"nothing to do"}, "apply", "-f", "out/account.yaml")
	s.want(ExitOK, []string{"greeting  unchanged"}, nil, "export", "out")
	s.file("out/account.yaml", "# mine")
	s.want(ExitUsage, []string{"-# mine"}, []string{"there is nobody to ask"}, "export", "out")
	s.want(ExitOK, nil, nil, "export", "out", "--yes")
	s.want(ExitUsage, nil, []string{"there is no folder no"}, "export", "no/way")
}

// TestExportMakesNoDraftLive: a function whose newest version was only saved is
// written so that the same account needs nothing done and another gets a draft.
func TestExportMakesNoDraftLive(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.file("hello.js", hello)
	s.want(ExitOK, nil, nil, "deploy", "hello.js", "--name", "hello")
	s.file("hello.js", hello+"// 2\n")
	s.want(ExitOK, nil, nil, "deploy", "hello.js", "--name", "hello")
	one := 1
	s.fake.functions[0].DeployedVersion, s.fake.functions[0].State = &one, "Modified"
	s.want(ExitOK, nil, []string{"hello is written with its newest version, 2, which is a draft: live is 1"}, "export", "out")
	if got := s.read("out/account.yaml"); !strings.Contains(got, "deployed: keep") {
		t.Errorf("account.yaml is %s", got)
	}
	s.want(ExitOK, nil, []string{"nothing to do"}, "apply", "-f", "out/account.yaml")
	s.fake.functions = nil
	s.want(ExitOK, nil, nil, "apply", "-f", "out/account.yaml", "--yes")
	if f := s.fake.functions; len(f) != 1 || f[0].DeployedVersion != nil {
		t.Errorf("applied to an empty account: %+v", f)
	}
	s.file("bad.yaml", "functions:\n- {path: out/functions/hello, deployed: maybe}\n")
	s.want(ExitUsage, nil, []string{"true, false or keep"}, "apply", "-f", "bad.yaml")
}
