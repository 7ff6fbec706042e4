package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"convoke/api"
)

// pushedTo makes a server with one function, and a project that it came from.
func pushedTo(t *testing.T) *shell {
	s := newShell(t)
	s.want(ExitOK, nil, nil, "init", "a")
	s.file("functions/a/index.js", hello)
	s.want(ExitOK, nil, nil, "push", "a", "--yes")
	return s
}

func TestPullIntoNewFolder(t *testing.T) {
	t.Parallel()
	s := pushedTo(t)
	fn := s.fake.functions[0]
	fn.EventID, fn.Description = "my_event", "says <hello>"
	v := &fn.Versions[0]
	v.Environment, v.Files, v.Runtime = map[string]string{"B": "2", "A": "1"}, map[string]string{"lib/x.js": "export {}\n"}, "node24"
	v.Settings, v.AllowedDomains = api.Settings{TimeoutMs: 500}, []string{}

	s.dir = t.TempDir()
	s.want(ExitUsage, nil, []string{"there is no folder functions here", "hint: convoke init"}, "pull", "--all")
	s.file("functions/settings.json", "{}")
	s.want(ExitOK, []string{"+ functions/a/index.js (3 lines)", "a     change"}, nil, "pull", "--all", "--plan")
	s.want(ExitChanges, nil, nil, "pull", "--all", "--plan", "--exit-code")
	s.want(ExitOK, []string{"a     pulled  1"}, nil, "pull", "--all") // nothing is overwritten: no question
	want := `{
  "name": "a",
  "event": "my_event",
  "description": "says <hello>",
  "input": {
    "headers": [],
    "payload": {}
  },
  "environmentVariables": {
    "A": "1",
    "B": "2"
  },
  "settings": {
    "timeoutMs": 500,
    "runtime": "node24"
  },
  "allowedDomains": [],
  "version": 1
}
`
	if diff := cmp.Diff(want, s.read("functions/a/config.json")); diff != "" {
		t.Errorf("config.json (-want +got):\n%s", diff)
	}
	if s.read("functions/a/index.js") != hello || s.read("functions/a/lib/x.js") != "export {}\n" {
		t.Error("the code is another one")
	}
	s.want(ExitOK, []string{"a     unchanged"}, nil, "pull", "a")
	s.want(ExitOK, []string{"a     unchanged"}, nil, "push", "a")

	// Outside of a project the function gets a folder of its own.
	s.dir = t.TempDir()
	s.want(ExitOK, []string{"a     pulled"}, nil, "pull", "a")
	if s.read("a/index.js") != hello {
		t.Error("the code is another one")
	}
	s.at("a").want(ExitOK, []string{"a     unchanged"}, nil, "pull")
}

// TestPullKeepsTheForm: the folder's own form of config.json stays, and so
// does all that did not change.
func TestPullKeepsTheForm(t *testing.T) {
	t.Parallel()
	s := pushedTo(t)
	list := `{"name":"a",   "event":"No Event","description":"","input":{"headers":[],"payload":{"mine":true}},
 "environmentVariables":[{"key":"","value":""}],
 "version":1}`
	s.file("functions/a/config.json", list)
	s.want(ExitOK, []string{"a     unchanged"}, nil, "pull", "a")
	s.fake.functions[0].Versions[0].Environment = map[string]string{"A": "1"}
	s.fake.saveElsewhere("a", hello+"// more\n")
	s.want(ExitOK, []string{`+ "environmentVariables":[{"key":"A"`}, nil, "pull", "a", "--yes")
	want := `{"name":"a",   "event":"No Event","description":"","input":{"headers":[],"payload":{"mine":true}},
 "environmentVariables":[{"key":"A","value":"1"}],
 "version":2}`
	if diff := cmp.Diff(want, s.read("functions/a/config.json")); diff != "" {
		t.Errorf("config.json (-want +got):\n%s", diff)
	}
	// A further function of that folder takes its form; none is the placeholder.
	s.fake.functions[0].Name = "b"
	s.fake.functions[0].Versions[0].Environment = map[string]string{}
	s.want(ExitOK, nil, nil, "pull", "b")
	if got := s.read("functions/b/config.json"); !strings.Contains(got, "\"environmentVariables\": [\n    {\n      \"key\": \"\",\n      \"value\": \"\"\n    }\n  ]") {
		t.Errorf("config.json is %s", got)
	}
	// A variable that looks like the placeholder is not taken for none.
	s.fake.functions[0].Versions[0].Environment = map[string]string{"key": "value"}
	s.dir = t.TempDir()
	s.file("functions/settings.json", "{}")
	s.want(ExitOK, nil, nil, "pull", "b")
	s.want(ExitOK, []string{"b     unchanged"}, nil, "push", "b")
}

// TestPullAsks only where changes would be lost that are nowhere else.
func TestPullAsks(t *testing.T) {
	t.Parallel()
	s := pushedTo(t)
	s.fake.saveElsewhere("a", "// theirs\n")
	s.want(ExitOK, []string{"-async function lambda() {", "+// theirs", "a     pulled  2"}, []string{"!Overwrite"}, "pull", "a")

	s.fake.saveElsewhere("a", "// theirs again\n")
	s.file("functions/a/index.js", "// mine\n")
	s.file("functions/a/notes.js", "// kept\n")
	s.want(ExitUsage, []string{"-// mine"}, []string{"there is nobody to ask", "hint: --yes"}, "pull", "a")
	s.tty, s.stdin = true, "n\n"
	s.want(ExitFailure, nil, []string{"Overwrite your changes of a? [y/N]"}, "pull", "a")
	if s.read("functions/a/index.js") != "// mine\n" {
		t.Fatal("overwritten without a yes")
	}
	s.stdin = "y\n"
	s.want(ExitOK, []string{"pulled  3"}, nil, "pull", "a")
	if got := s.read("functions/a/index.js") + s.read("functions/a/notes.js"); got != "// theirs again\n// kept\n" {
		t.Errorf("the folder has %q", got)
	}

	// Another language has another main file.
	s.fake.functions[0].Versions[0].Language = "typescript"
	s.want(ExitOK, []string{"+++ /dev/null"}, nil, "pull", "a", "--yes")
	if _, err := os.Stat(filepath.Join(s.dir, "functions/a/index.js")); !os.IsNotExist(err) {
		t.Errorf("index.js is still there: %v", err)
	}
	s.want(ExitNotFound, nil, []string{`there is no function "z" on the server`}, "pull", "z")
}

// TestPullStaysInside: a server cannot make pull write where it should not.
func TestPullStaysInside(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"../../x.js", "/x.js", "config.json", "index.ts", ".git/hooks/x.js", "node_modules/m/x.js", "x.sh", "a/../../../x.js"} {
		s := pushedTo(t)
		s.fake.functions[0].Versions[0].Files = map[string]string{name: "x"}
		s.want(ExitUsage, nil, []string{"which a function's folder cannot hold"}, "pull", "a", "--yes")
	}
	// A link in the way is not written through.
	s := pushedTo(t)
	out, readme := t.TempDir(), s.read("README.md")
	for link, to := range map[string]string{"lib": out, "near": "../.."} {
		if err := os.Symlink(to, filepath.Join(s.dir, "functions/a", link)); err != nil {
			t.Fatal(err)
		}
		s.fake.functions[0].Versions[0].Files = map[string]string{link + "/x.js": "x"}
		s.want(ExitUsage, nil, []string{"functions/a/" + link + " is no plain folder"}, "pull", "a", "--yes")
	}
	if err := os.Symlink("../../README.md", filepath.Join(s.dir, "functions/a/r.js")); err != nil {
		t.Fatal(err)
	}
	s.fake.functions[0].Versions[0].Files = map[string]string{"r.js": "x"}
	s.want(ExitUsage, nil, []string{"functions/a/r.js is no plain file"}, "pull", "a", "--yes")
	if left, _ := os.ReadDir(out); len(left) > 0 || s.read("README.md") != readme {
		t.Errorf("written outside: %v", left)
	}
}
