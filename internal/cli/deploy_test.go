package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"convoke/api"
)

const hello = "async function lambda() {\n  return 1;\n}\n"

func TestDeployLife(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.file("hello.js", hello)

	first := s.want(ExitOK, nil, nil, "deploy", "hello.js", "--name", "hello", "--event", "conversational_command", "--description", "says hello",
		"--env", "A=1", "--env", "B=x=y", "--timeout", "5s", "--memory", "128")
	id := strings.TrimSpace(first.stdout)
	fn := s.fake.functions[0]
	if id != fn.UUID || first.stderr != "" {
		t.Errorf("got %q and %q, want the uuid alone: no terminal, no progress", first.stdout, first.stderr)
	}
	want := api.Manifest{Version: 1, Code: hello, Language: "javascript", Environment: map[string]string{"A": "1", "B": "x=y"}, Files: map[string]string{},
		Settings: api.Settings{TimeoutMs: 5000, MemoryMiB: 128}}
	if diff := cmp.Diff(want, fn.Versions[0]); diff != "" {
		t.Errorf("saved (-want +got):\n%s", diff)
	}
	if fn.EventID != "conversational_command" || fn.Description != "says hello" {
		t.Errorf("created %+v", fn)
	}

	s.want(ExitOK, []string{id}, []string{"hello is unchanged and live"}, "deploy", "hello.js", "--name", "hello")
	s.file("hello.js", strings.Replace(hello, "1", "2", 1))
	s.want(ExitOK, []string{id}, nil, "deploy", "hello.js", "--name", "hello", "--env", "C=3", "--concurrency", "2")
	want = api.Manifest{Version: 2, Code: strings.Replace(hello, "1", "2", 1), Language: "javascript", Environment: map[string]string{"A": "1", "B": "x=y", "C": "3"},
		Files: map[string]string{}, Settings: api.Settings{TimeoutMs: 5000, MemoryMiB: 128, Concurrency: 2}}
	if diff := cmp.Diff(want, fn.Versions[0]); diff != "" {
		t.Errorf("saved again (-want +got):\n%s", diff)
	}

	s.want(ExitConflict, nil, []string{"listens to conversational_command", "hint: deploy it under another name"}, "deploy", "hello.js", "--name", "hello", "--event", "No Event")
	s.want(ExitOK, []string{`"uuid": "` + id + `"`, `"version": 2`}, nil, "deploy", "hello.js", "--name", "hello", "--json")

	s.want(ExitOK, []string{"2        yes", "1        -"}, nil, "versions", "hello")
	s.want(ExitOK, []string{id}, nil, "rollback", "hello", "--yes")
	if *fn.DeployedVersion != 1 {
		t.Errorf("rolled back to %d, want 1", *fn.DeployedVersion)
	}
	s.want(ExitOK, nil, []string{"version 1 of hello is live already"}, "rollback", "hello", "--to", "1", "--yes")
	s.want(ExitNotFound, nil, []string{"there is no version 9"}, "rollback", "hello", "--to", "9", "--yes")
	s.want(ExitUsage, nil, []string{"--to takes the number"}, "rollback", "hello", "--to", "-3")
	// The code is unchanged, but version 2 is not live any more.
	s.want(ExitOK, []string{id}, []string{"!unchanged"}, "deploy", "hello.js", "--name", "hello")
	if *fn.DeployedVersion != 2 {
		t.Errorf("deployed %d, want 2", *fn.DeployedVersion)
	}

	s.want(ExitOK, []string{"hello", "Productive", "conversational_command", id}, nil, "list")
	s.want(ExitConflict, nil, []string{"hello is deployed", "--undeploy"}, "remove", "hello")
	s.want(ExitOK, nil, []string{"hello is undeployed"}, "undeploy", id, "--yes")
	s.want(ExitOK, nil, []string{"hello is removed"}, "remove", "hello", "--yes")
	s.want(ExitNotFound, nil, []string{`there is no function "hello"`}, "versions", "hello")
	s.want(ExitOK, []string{"[]"}, nil, "list", "--json")
}

func TestRollbackNeedsAnother(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.file("hello.js", hello)
	s.want(ExitOK, nil, nil, "deploy", "hello.js", "--name", "hello")
	s.want(ExitNotFound, nil, []string{"no other version of hello was live", "--to"}, "rollback", "hello")
}

func TestBuildErrorShowsTheLine(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.file("src/hello.js", "// BROKEN\n\t\t}\n")
	got := s.want(ExitBuild, nil, nil, "deploy", "src/hello.js", "--name", "hello")
	want := "src/hello.js:2:3: Unexpected \"}\"\n    \t\t}\n    \t\t^\nconvoke: the code does not compile: 1 problem\n  code: com.liveperson.faas.dm.build.general\n"
	if got.stderr != want || got.stdout != "" {
		t.Errorf("got %q and\n%s\nwant\n%s", got.stdout, got.stderr, want)
	}
	got = s.want(ExitBuild, nil, nil, "deploy", "src/hello.js", "--name", "hello", "--json")
	var body struct {
		Code     string
		Message  string
		ExitCode int
		Problems []struct {
			File string
			Line int
		}
	}
	if err := json.Unmarshal([]byte(got.stderr), &body); err != nil || body.ExitCode != ExitBuild || body.Message != "the code does not compile: 1 problem" || body.Problems[0].File != "src/hello.js" {
		t.Errorf("--json: got %s (%v)", got.stderr, err)
	}
}

func TestDeployFolder(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	for name, text := range map[string]string{
		"fn/index.ts": "async function lambda() {}",
		"fn/config.json": `{"name":"from-config","event":"No Event","description":"d","input":{"headers":[]},"version":3,
			"environmentVariables":[{"key":"A","value":"1"},{"key":"","value":""}],
			"settings":{"timeoutMs":7000,"runtime":"node24","contract":"v1"}}`,
		"fn/payload.json": "{}", "fn/expected.json": "{}", "fn/package.json": "{}", "fn/README.md": "x",
		"fn/lib/text.js": "export {}", "fn/data.json": "[1]", "fn/lib/payload.json": "{}",
		"fn/index.test.ts": "x", "fn/types.d.ts": "x", "fn/tests/a.js": "x", "fn/node_modules/m/i.js": "x", "fn/.hidden/a.js": "x", "fn/.eslintrc.js": "x",
	} {
		s.file(name, text)
	}
	s.want(ExitOK, nil, nil, "deploy", "fn", "--env", "B=2", "--timeout", "1s")
	fn := s.fake.functions[0]
	want := api.Manifest{Version: 1, Code: "async function lambda() {}", Language: "typescript",
		Files:       map[string]string{"lib/text.js": "export {}", "data.json": "[1]", "lib/payload.json": "{}"},
		Environment: map[string]string{"A": "1", "B": "2"}, Settings: api.Settings{TimeoutMs: 1000}}
	if diff := cmp.Diff(want, fn.Versions[0]); diff != "" || fn.Name != "from-config" || fn.EventID != "" {
		t.Errorf("%+v\n(-want +got):\n%s", fn, diff)
	}
	if body := s.fake.bodies["PUT /functions/{id}/manifest"]; !strings.Contains(body, `"runtime":"node24"`) || !strings.Contains(body, `"contract":"v1"`) {
		t.Errorf("runtime or contract is missing in %s", body)
	}

	// A folder without config.json gives its own name; "." works.
	s.file("plain/index.mjs", hello)
	s.want(ExitOK, nil, nil, "deploy", "plain/")
	s.dir += "/plain"
	s.want(ExitOK, nil, []string{"plain is unchanged"}, "deploy", ".", "--name", "plain")
	s.want(ExitUsage, nil, []string{"has no name"}, "deploy", ".")
}

func TestBadProjects(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.file("empty/readme.md", "")
	s.file("two/index.js", hello)
	s.file("two/index.ts", hello)
	s.file("broken/index.js", hello)
	s.file("broken/config.json", "{\n  a }")
	for name, text := range map[string]string{
		"typo": `{"settings":{"timeOutMs":3}}`, "strange": `{"settings":{"colour":3}}`, "quoted": `{"settings":{"timeoutMs":"5"}}`,
		"numbered": `{"name":7}`, "listed": `[1]`, "renamed": `{"enviromentVariables":{}}`, "nested": `{"environmentVariables":7}`,
	} {
		s.file(name+"/index.js", hello)
		s.file(name+"/config.json", text)
	}
	s.file("index.js", hello)
	s.file("my.hello.js", hello)
	s.file("blank.js", " \n")
	s.file("binary.js", "\xff\xfe")
	s.file("notes.txt", "x")
	s.file("hello.js", hello)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"deploy"}, "PATH is missing"},
		{[]string{"deploy", "hello.js", "b"}, "there is no file or folder b"},
		{[]string{"deploy", "hello.js", "blank.js", "--name", "x"}, "--name names one function"},
		{[]string{"deploy", "none.js"}, "there is no file or folder none.js"},
		{[]string{"deploy", "empty"}, "empty holds no index.js or index.ts"},
		{[]string{"deploy", "two"}, "two holds index.js and index.ts"},
		{[]string{"deploy", "broken"}, "broken/config.json:2:3: invalid character 'a'"},
		{[]string{"deploy", "typo"}, "typo/config.json:1:14: there is no settings.timeOutMs; did you mean settings.timeoutMs?"},
		{[]string{"deploy", "strange"}, "strange/config.json:1:14: there is no settings.colour; there are concurrency, contract, idleTimeoutSeconds, "},
		{[]string{"deploy", "quoted"}, `quoted/config.json:1:14: settings.timeoutMs must be a whole number, not "5"`},
		{[]string{"deploy", "numbered"}, "numbered/config.json:1:2: name must be text, not 7"},
		{[]string{"deploy", "listed"}, "listed/config.json:1:1: it must be an object, not [1]"},
		{[]string{"deploy", "renamed"}, "renamed/config.json:1:2: there is no enviromentVariables; did you mean environmentVariables?"},
		{[]string{"deploy", "nested"}, "nested/config.json:1:2: environmentVariables is {"},
		{[]string{"deploy", "index.js"}, "has no name"},
		{[]string{"deploy", "my.hello.js"}, `"my.hello": `},
		{[]string{"deploy", "my.hello.js"}, "hint: give another name with --name"},
		{[]string{"deploy", "blank.js", "--name", "x"}, "blank.js is empty"},
		{[]string{"deploy", "binary.js", "--name", "x"}, "no UTF-8"},
		{[]string{"deploy", "notes.txt"}, "no JavaScript or TypeScript file"},
		{[]string{"deploy", "hello.js", "--name", "a b"}, "letters, digits"},
		{[]string{"deploy", "hello.js", "--name", "x", "--env", "A"}, "--env takes NAME=VALUE"},
		{[]string{"deploy", "hello.js", "--name", "x", "--timeout", "5"}, "invalid argument"},
		{[]string{"deploy", "hello.js", "--nam", "x"}, "unknown flag: --nam"},
	} {
		s.want(ExitUsage, []string{"!-"}, []string{tt.want}, tt.args...)
	}
	if len(s.fake.deployments) != 0 {
		t.Error("something was deployed")
	}
}

func TestConfirm(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.file("hello.js", hello)
	s.want(ExitOK, nil, nil, "deploy", "hello.js", "--name", "hello")
	s.tty = true
	for _, answer := range []string{"", "\n", "n\n", "nope\n"} {
		s.stdin = answer
		s.want(ExitFailure, nil, []string{"Take hello out of service? [y/N]", "not done"}, "undeploy", "hello")
	}
	s.want(ExitFailure, nil, []string{"Delete hello"}, "remove", "hello", "--undeploy")
	if s.fake.functions[0].State != "Productive" {
		t.Error("a question answered with no was taken for yes")
	}
	s.stdin = "y\n"
	s.want(ExitOK, nil, []string{"undeployed"}, "undeploy", "hello")
	s.stdin = ""
	s.want(ExitOK, nil, []string{"!?", "removed"}, "remove", "hello", "--yes")
	s.want(ExitOK, nil, []string{"hello is live, version 1"}, "deploy", "hello.js")
}

// TestNobodyToAsk: a script, or a terminal whose questions go to a file, has
// agreed to nothing.
func TestNobodyToAsk(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.file("hello.js", hello)
	s.want(ExitOK, nil, nil, "deploy", "hello.js", "--name", "hello")
	s.file("hello.js", hello+" // 2")
	s.want(ExitOK, nil, nil, "deploy", "hello.js", "--name", "hello")
	s.stdin = "y\n"
	for range 2 {
		for _, args := range [][]string{{"undeploy", "hello"}, {"remove", "hello", "--undeploy"}, {"rollback", "hello"}} {
			s.want(ExitUsage, nil, []string{"there is nobody to ask", "nothing was changed", "hint: --yes", "!?"}, args...)
		}
		s.tty, s.aside = true, true
	}
	if f := s.fake.functions; len(f) != 1 || f[0].State != "Productive" {
		t.Errorf("the functions are %+v", f)
	}
}

// TestRefusedDeploymentLeavesADraft: the function was created all the same.
func TestRefusedDeploymentLeavesADraft(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.file("hello.js", "// CLASHES\n"+hello)
	s.want(ExitConflict, nil, []string{"takes already", "hint: hello was created and is a draft; convoke remove hello removes it"}, "deploy", "hello.js", "--event", "my_event")
	s.want(ExitConflict, nil, []string{"takes already", "!draft"}, "deploy", "hello.js")
	s.want(ExitOK, []string{"1        -"}, []string{"hello was never deployed; convoke deploy PATH --name hello"}, "versions", "hello")
}
