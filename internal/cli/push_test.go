package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"convoke"
	"convoke/api"
)

// read is a file of the shell's folder.
func (s *shell) read(name string) string {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

// at is a shell in a folder below, with the same server.
func (s *shell) at(dir string) *shell {
	in := *s
	in.dir = filepath.Join(s.dir, dir)
	return &in
}

// saveElsewhere is another person's save.
func (f *fake) saveElsewhere(name, code string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fn := range f.functions {
		if fn.Name == name {
			next := fn.Versions[0]
			next.Version, next.Code, next.CreatedBy = next.Version+1, code, "ada"
			fn.Versions, fn.LatestVersion = append([]api.Manifest{next}, fn.Versions...), next.Version
		}
	}
}

func TestInit(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.want(ExitOK, nil, []string{"created functions/exampleFunction/index.js", "created .gitignore", "next: change functions/exampleFunction/index.js", "convoke push exampleFunction --deploy"}, "init")
	want := `{
  "name": "exampleFunction",
  "event": "No Event",
  "description": "",
  "input": {
    "headers": [],
    "payload": {}
  },
  "environmentVariables": {
    "key": "value"
  }
}
`
	if diff := cmp.Diff(want, s.read("functions/exampleFunction/config.json")); diff != "" {
		t.Errorf("config.json (-want +got):\n%s", diff)
	}
	if got := s.read("functions/settings.json"); got != "{\n  \"secrets\": []\n}\n" {
		t.Errorf("settings.json is %q", got)
	}

	// A second time, with names: nothing is overwritten, nothing is made up.
	s.file("README.md", "mine")
	s.want(ExitOK, nil, []string{"kept    README.md", "!exampleFunction", "!next"}, "init")
	s.want(ExitOK, []string{`"functions/exampleFunction"`, `"functions/a/index.ts"`, `"functions": [`}, nil, "init", "a", "exampleFunction", "--typescript", "--json")
	if got := s.read("README.md"); got != "mine" {
		t.Errorf("README.md is %q", got)
	}
	// From inside of functions; an event has its sample and its commands.
	s.at("functions/a").want(ExitOK, nil, []string{"created ../../functions/b/index.js"}, "init", "b", "--event", "controllerbot_messaging_ttr")
	if got := s.read("functions/b/config.json"); !strings.Contains(got, `"event": "controllerbot_messaging_ttr"`) || !strings.Contains(got, `"convId"`) {
		t.Errorf("config.json is %s", got)
	}
	if got := s.read("functions/b/index.js"); !strings.Contains(got, "systemMessage") {
		t.Errorf("index.js is %s", got)
	}
	s.want(ExitUsage, nil, []string{`"a/b": the name may hold`}, "init", "a/b")
	s.want(ExitUsage, nil, []string{"event id"}, "init", "c", "--event", "a b")
	if len(s.fake.requests) != 0 {
		t.Errorf("the server was asked %q", s.fake.requests)
	}
}

func TestPushLife(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.want(ExitOK, nil, nil, "init", "greeting")
	s.want(ExitUsage, nil, []string{"there is nobody to ask", "hint: --yes"}, "push", "greeting")
	if len(s.fake.functions) != 0 {
		t.Fatal("pushed without a yes")
	}
	s.want(ExitOK, []string{"+ functions/greeting/index.js (4 lines)", "greeting  create"}, nil, "push", "greeting", "--plan")
	s.want(ExitChanges, nil, []string{"1 change would be made"}, "push", "greeting", "--plan", "--exit-code")
	s.want(ExitOK, []string{"greeting  created  1        Draft"}, nil, "push", "greeting", "--yes")
	if got := s.read("functions/greeting/config.json"); !strings.Contains(got, "  },\n  \"version\": 1\n}") {
		t.Errorf("config.json does not keep the version: %s", got)
	}
	s.want(ExitOK, []string{"greeting  unchanged"}, []string{"greeting is unchanged"}, "push", "greeting")
	s.want(ExitOK, nil, []string{"!would"}, "push", "--all", "--plan", "--exit-code")

	// A change: shown, asked for, saved, made live.
	s.file("functions/greeting/index.js", strings.Replace(s.read("functions/greeting/index.js"), "Hello World", "Bonjour", 1))
	s.file("functions/greeting/config.json", strings.Replace(s.read("functions/greeting/config.json"), `"key": "value"`, `"LANG": "fr"`, 1))
	s.tty = true
	s.stdin = "n\n"
	s.want(ExitFailure, []string{
		"--- greeting@1/index.js\n+++ functions/greeting/index.js\n", "\n-  return \"Hello World\";\n+  return \"Bonjour\";\n",
		"+environmentVariables.LANG: \"fr\"\n", "!\x1b[",
	}, []string{"Push and deploy 1 function? [y/N]", "not done"}, "push", "greeting", "--deploy")
	s.stdin, s.colour = "y\n", true
	s.want(ExitOK, []string{"\x1b[31m-  return \"Hello World\";\x1b[0m\n\x1b[32m+  return", "changed, deployed  2        Productive"}, nil, "push", "greeting", "--deploy")
	s.env["NO_COLOR"] = "1"
	s.tty = false
	s.want(ExitOK, []string{"unchanged"}, []string{"!asked"}, "push", "greeting", "--deploy")
	fn := s.fake.functions[0]
	if got := fn.Versions[0].Environment["LANG"]; got != "fr" || *fn.DeployedVersion != 2 {
		t.Errorf("saved %+v", fn)
	}

	// From the function's own folder, without a name. Live again after an undeploy.
	s.want(ExitOK, nil, nil, "undeploy", "greeting", "--yes")
	s.at("functions/greeting").want(ExitOK, []string{"greeting  deployed  2"}, []string{"unchanged"}, "push", "--deploy", "--yes")
	got := s.want(ExitOK, nil, nil, "push", "--all", "--json")
	var out []outcomeOf
	if err := json.Unmarshal([]byte(got.stdout), &out); err != nil || len(out) != 1 || out[0].Result != "unchanged" || out[0].UUID != fn.UUID {
		t.Errorf("--json: %s (%v)", got.stdout, err)
	}
}

// TestPushSeesOthers: a version that somebody else saved is told and shown
// before it is written over, and never written over unseen.
func TestPushSeesOthers(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.want(ExitOK, nil, nil, "init", "a")
	s.want(ExitOK, nil, nil, "push", "a", "--yes")
	s.fake.saveElsewhere("a", "async function lambda() { return 'theirs'; }\n")
	s.file("functions/a/index.js", hello)
	s.want(ExitOK, []string{"-async function lambda() { return 'theirs'; }"}, []string{"a: the files come from version 1; ada saved version 2 at - since"}, "push", "a", "--plan")
	s.want(ExitOK, []string{"a     changed  3"}, nil, "push", "a", "--yes")
	if body := s.fake.bodies["PUT /functions/{id}/manifest"]; !strings.Contains(body, `"version":2`) {
		t.Errorf("the save is not based on the version that was shown: %s", body)
	}
	if got := s.read("functions/a/config.json"); !strings.Contains(got, `"version": 3`) {
		t.Errorf("config.json is %s", got)
	}
}

// TestPushSettings: a change of settings alone is a change; the runtime that
// the server filled in is none.
func TestPushSettings(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.want(ExitOK, nil, nil, "init", "a")
	s.want(ExitOK, nil, nil, "push", "a", "--yes")
	s.fake.functions[0].Versions[0].Runtime = convoke.DefaultRuntime
	s.want(ExitOK, []string{"unchanged"}, nil, "push", "a")
	s.want(ExitOK, []string{"unchanged"}, nil, "pull", "a")
	s.file("functions/a/config.json", `{"settings":{"runtime":"node24"}}`)
	s.want(ExitOK, []string{`+runtime: "node24"`, "a     change "}, nil, "push", "a", "--plan")
	s.file("functions/a/config.json", `{"settings":{"contract":"v1","concurrency":2},"allowedDomains":["x.example.com"]}`)
	s.want(ExitOK, []string{`+allowedDomains: ["x.example.com"]`, `+contract: "v1"`, "+concurrency: 2"}, nil, "push", "a", "--plan")
	// Other people's text does not steer the terminal.
	s.fake.saveElsewhere("a", "// \x1b[2J\n")
	s.want(ExitOK, []string{`-// \x1b[2J`, "!\x1b"}, nil, "push", "a", "--plan")
}

func TestPushBusy(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.want(ExitOK, nil, nil, "init", "a", "b")
	s.want(ExitOK, nil, nil, "push", "--all", "--yes")
	s.fake.functions[0].Pending = true
	s.want(ExitConflict, nil, []string{"a is being deployed", "hint: try again in a moment"}, "push", "a", "--yes")
	s.fake.functions[0].Pending, s.fake.functions[0].State = false, string(convoke.StateMarkedUndeployed)
	s.want(ExitConflict, nil, []string{"a is being taken out of service", "hint: try again in a moment"}, "push", "a", "--yes")
	// The other one is pushed; the exit code tells.
	s.file("functions/b/index.js", hello)
	s.want(ExitConflict, []string{"a     failed", "b     changed  2"}, []string{"a: a is being taken out", "  code: ", "1 of 2 functions were not pushed"}, "push", "--all", "--yes")
	got := s.want(ExitConflict, []string{`"result": "failed"`, `"code": "com.liveperson.faas.dm.action.not-allowed"`}, []string{`"exitCode":6`}, "push", "a", "b", "--yes", "--json")
	if !json.Valid([]byte(got.stdout)) {
		t.Errorf("stdout is no JSON: %s", got.stdout)
	}
}

// TestPushForms: repositories of both generations of the reference's command
// line, and folders of our own.
func TestPushForms(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.file("functions/first/index.js", hello)
	s.file("functions/first/config.json", `{"name":"first","event":"No Event","description":"one","input":{"headers":[],"payload":{}},"environmentVariables":[{"key":"","value":""}]}`)
	s.file("functions/second/index.js", hello)
	s.file("functions/second/config.json", `{"name":"second","event":"my_event","description":"","input":{},"environmentVariables":{"A":"1"},"version":"x"}`)
	s.file("functions/settings.json", `{"secrets":[{"key":"a","value":"b"}],"whitelist":[]}`)
	s.file("functions/empty/notes.txt", "")
	s.want(ExitOK, []string{"first   created", "second  created", "!empty"}, nil, "push", "--all", "--yes")
	if fn := s.fake.functions[1]; fn.EventID != "my_event" || !cmp.Equal(fn.Versions[0].Environment, map[string]string{"A": "1"}) {
		t.Errorf("second is %+v", fn)
	}
	if fn := s.fake.functions[0]; fn.EventID != "" || len(fn.Versions[0].Environment) != 0 || fn.Description != "one" {
		t.Errorf("first is %+v", fn)
	}
	s.want(ExitOK, []string{"first   unchanged", "second  unchanged"}, nil, "push", "first", "second", "functions/first")
	if got := s.read("functions/first/config.json"); got != `{"name":"first","event":"No Event","description":"one","input":{"headers":[],"payload":{}},"environmentVariables":[{"key":"","value":""}], "version": 1}` {
		t.Errorf("config.json is %s", got)
	}

	// Folders without a project.
	s.dir = t.TempDir()
	s.file("own/index.ts", hello)
	s.file("other/index.js", hello)
	s.file("other/config.json", `{"name":"renamed"}`)
	s.want(ExitOK, []string{"renamed  created", "own      created"}, nil, "push", "--all", "--yes")
	s.want(ExitOK, []string{"own   unchanged"}, nil, "push", "./own/")
	s.at("other").want(ExitOK, []string{"renamed  unchanged"}, nil, "push")
	s.want(ExitOK, []string{"!config.json"}, nil, "push", "own")
}

func TestPushRefusals(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.want(ExitUsage, nil, []string{"name the functions, or give --all"}, "push")
	s.want(ExitUsage, nil, []string{"there are no functions here; convoke init"}, "push", "--all")
	s.want(ExitOK, nil, nil, "init", "a", "b", "c", "d", "e")
	s.want(ExitUsage, nil, []string{"name the functions, or give --all"}, "push")
	s.want(ExitUsage, nil, []string{"either names or --all"}, "push", "a", "--all")
	s.want(ExitUsage, nil, []string{"there is no folder functions/z"}, "push", "z")
	s.want(ExitUsage, nil, []string{"there is no folder ./x/z"}, "push", "./x/z")
	s.file("functions/a/config.json", "{\n  \"name\": \"other\"\n}")
	s.file("functions/b/config.json", "{\n  \"name\": \"b\",\n  \"event\" \"x\"\n}")
	s.file("functions/c/config.json", "{\n  \"name\": \"c\",\n  \"settings\": {\n    \"timeoutMs\": \"soon\"\n  }\n}")
	s.want(ExitUsage, nil, []string{`functions/a/config.json:2:3: name is "other" and the folder is "a"`}, "push", "a")
	s.want(ExitUsage, nil, []string{"functions/b/config.json:3:11: invalid character"}, "push", "b")
	s.want(ExitUsage, nil, []string{`functions/c/config.json:4:5: settings.timeoutMs must be a whole number, not "soon"`}, "push", "c")
	s.want(ExitUsage, []string{"functions/a  failed", "d            create"}, []string{"3 of 5 functions were not pushed"}, "push", "--all", "--plan")

	// Nothing leads out of the project, or through a link.
	secret := filepath.Join(t.TempDir(), "secret.js")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(s.dir, "functions/d/index.js")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(s.dir, "functions/d/index.js")); err != nil {
		t.Fatal(err)
	}
	s.want(ExitUsage, nil, []string{"functions/d/index.js cannot be read", "!secret.js"}, "push", "d", "--yes")
	if err := os.Symlink(filepath.Dir(secret), filepath.Join(s.dir, "functions/f")); err != nil {
		t.Fatal(err)
	}
	s.want(ExitUsage, nil, []string{"there is no folder functions/f"}, "push", "f", "--yes")

	// What the server refuses is told with the file.
	s.file("functions/e/index.js", "// BROKEN\n\t\t}\n")
	s.want(ExitBuild, nil, []string{"functions/e/index.js:2:3: Unexpected", "1 problem"}, "push", "e", "--yes", "--deploy")
	s.want(ExitOK, []string{"e     unchanged"}, nil, "push", "e", "--yes")
	s.file("functions/e/config.json", `{"name":"e","event":"other"}`)
	s.want(ExitConflict, nil, []string{"e listens to no event, and the event of a function is fixed"}, "push", "e", "--yes")
	s.env["CONVOKE_TOKEN"] = "bad"
	s.want(ExitAuth, nil, []string{"the token is wrong"}, "push", "--all", "--yes")
}

func TestPushCompletion(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.want(ExitOK, nil, nil, "init", "greeting", "orders")
	s.want(ExitOK, []string{"greeting", "orders"}, nil, "__complete", "push", "")
	s.want(ExitOK, []string{"!greeting\n", "orders"}, nil, "__complete", "push", "greeting", "")
	s.want(ExitOK, []string{"greeting", "orders", ":0\n"}, nil, "__complete", "deploy", "")
	s.want(ExitOK, []string{"Projects:"}, nil)
	for _, name := range []string{"init", "push", "pull", "apply", "export"} {
		s.want(ExitOK, []string{"Usage:", "Examples:", "convoke " + name}, nil, name, "--help")
	}
}

// TestDeployNames: in a project, names of functions do for paths.
func TestDeployNames(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.want(ExitOK, nil, nil, "init", "a", "b", "c")
	first := s.want(ExitOK, nil, nil, "deploy", "a", "b")
	if want := s.fake.functions[0].UUID + "\n" + s.fake.functions[1].UUID + "\n"; first.stdout != want {
		t.Errorf("got %q, want the uuids, each in its line: %q", first.stdout, want)
	}
	if strings.Contains(s.read("functions/a/config.json"), "version") {
		t.Error("deploy wrote a version into files that had none")
	}
	s.want(ExitOK, []string{`"name": "a"`, `"version": 1`, "[\n"}, nil, "deploy", "--all", "--json")

	// After a push the files know their version; deploy keeps it right.
	s.file("functions/a/index.js", hello)
	s.want(ExitOK, nil, nil, "push", "a", "--yes")
	s.file("functions/a/index.js", hello+"\n")
	s.at("functions").want(ExitOK, nil, nil, "deploy", "a")
	if got := s.read("functions/a/config.json"); !strings.Contains(got, `"version": 3`) {
		t.Errorf("config.json is %s", got)
	}
	s.want(ExitOK, nil, []string{"!saved version"}, "push", "a")

	s.file("functions/b/index.js", "// BROKEN\n}")
	s.file("functions/c/index.js", hello+"\n")
	s.want(ExitBuild, []string{s.fake.functions[2].UUID}, []string{"functions/b/index.js:2:3", "b: the code does not compile", "1 of 2 functions were not deployed"}, "deploy", "b", "c")
	s.want(ExitUsage, nil, []string{"there is no file or folder z"}, "deploy", "z")
	s.want(ExitUsage, nil, []string{"--name names one function"}, "deploy", "--all", "--name", "x")

	s.want(ExitNotFound, nil, nil, "undeploy", "a", "z")
	if s.fake.functions[0].DeployedVersion == nil {
		t.Error("undeployed though another name is wrong")
	}
	s.want(ExitOK, nil, []string{"a is undeployed\nc is undeployed\n"}, "undeploy", "a", "c", "--yes")
	s.want(ExitUsage, nil, []string{"NAME is missing"}, "undeploy")
}

// TestPushDoesNotOverwrite: what somebody else wrote between the comparison
// and the push stays.
func TestPushDoesNotOverwrite(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.want(ExitOK, nil, nil, "init", "greeting")
	s.want(ExitOK, nil, nil, "push", "greeting", "--yes")
	s.fake.mu.Lock()
	s.fake.meddle = func(fn *api.Function) { fn.Description = "by somebody else" }
	s.fake.mu.Unlock()
	config := strings.Replace(s.read("functions/greeting/config.json"), `"description": ""`, `"description": "mine"`, 1)
	if err := os.WriteFile(filepath.Join(s.dir, "functions/greeting/config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s.want(ExitConflict, nil, []string{"it was changed", "push again to see what differs"}, "push", "greeting", "--yes")
	if got := s.fake.functions[0].Description; got != "by somebody else" {
		t.Errorf("the description is %q", got)
	}
}

func TestListFlags(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.want(ExitOK, nil, nil, "list", "--limit", "5", "--sort", "-updatedAt")
	if got := s.fake.requests[len(s.fake.requests)-1]; got != "GET /functions?limit=5&sort=-updatedAt" {
		t.Errorf("the request was %s", got)
	}
	s.want(ExitUsage, nil, []string{"--sort takes one of name, createdAt, updatedAt"}, "list", "--sort", "colour")
	s.want(ExitUsage, nil, []string{"--limit takes 0 or more"}, "list", "--limit", "-1")
	s.want(ExitOK, []string{"sort by loginName, createdAt"}, nil, "user", "list", "--help")
}
