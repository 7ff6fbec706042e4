package convoke_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// layers is the house plan: a package may import packages of the module that
// stand on a lower level, and of its own level where it says so. The root
// package may be imported by all. See docs/ARCHITECTURE.md.
var layers = map[string]int{
	"":       0, // the nouns: standard library only
	"api":    1, // wire types: the root package only
	"e2e":    99,
	"client": 2,

	// adapters and tools without knowledge of each other
	"internal/config": 2, "internal/cores": 1, "internal/httpx": 2, "internal/wire": 2, "internal/sandbox": 2,
	"internal/sqlstore": 2, "internal/build": 2, "internal/auth": 3, "internal/telemetry": 2,
	"internal/egress": 3, "internal/quota": 2, "internal/oauth": 4, "internal/account": 4, "internal/oidc": 3, "internal/secret": 3, "internal/schedule": 8, "internal/edge": 3,
	"internal/metric": 3, "internal/runlog": 3, "runtime/node": 2,

	"internal/worker":   4,
	"internal/pool":     5,
	"internal/function": 6, "internal/domain": 6,
	"internal/invoke":   7,
	"internal/event":    8,
	"internal/gateway":  9,
	"internal/httpapi":  9,
	"internal/project":  3,
	"internal/cli":      9,
	"internal/app":      10,
	"internal/bench":    50,
	"cmd/convoke":       11,
	"cmd/convoke-bench": 51,
}

// only lists packages that may import nothing of the module but these, with the reason.
var only = map[string]struct {
	may []string
	why string
}{
	"":                 {nil, "the root package holds the nouns; the standard library suffices"},
	"api":              {[]string{""}, "the wire contract must not depend on how the server works"},
	"client":           {[]string{"", "api"}, "the client is for other programs too"},
	"internal/project": {[]string{"", "api", "client", "internal/config"}, "folders of functions know the server by its client alone"},
	"internal/cli":     {[]string{"", "api", "client", "internal/config", "internal/project"}, "client commands speak HTTP; the serving commands are handed in by cmd/convoke"},
	"internal/build":   {[]string{""}, "a compiler from source to bundle"},
	"runtime/node":     {nil, "the worker's JavaScript as files, nothing else"},
}

// importers lists packages that only the named ones may import.
var importers = map[string][]string{
	"internal/project":  {"internal/cli"},
	"internal/sqlstore": {"internal/app", "cmd/convoke", "internal/bench"},
}

func TestImportsPointDown(t *testing.T) {
	for _, v := range violations(t, os.DirFS(".")) {
		t.Error(v)
	}
}

// TestArchitectureTestCanFail plants violations and sees them caught.
func TestArchitectureTestCanFail(t *testing.T) {
	for name, file := range map[string]fstest.MapFS{
		"upward":        {"internal/pool/x.go": {Data: []byte("package pool\nimport _ \"convoke/internal/invoke\"")}},
		"root imports":  {"x.go": {Data: []byte("package convoke\nimport _ \"github.com/google/uuid\"")}},
		"cli to server": {"internal/cli/x.go": {Data: []byte("package cli\nimport _ \"convoke/internal/function\"")}},
		"project up":    {"internal/project/x.go": {Data: []byte("package project\nimport _ \"convoke/internal/cli\"")}},
		"project":       {"internal/httpapi/x.go": {Data: []byte("package httpapi\nimport _ \"convoke/internal/project\"")}},
		"store":         {"internal/invoke/x.go": {Data: []byte("package invoke\nimport _ \"convoke/internal/sqlstore\"")}},
		"unknown room":  {"internal/util/x.go": {Data: []byte("package util")}},
	} {
		if got := violations(t, file); len(got) != 1 {
			t.Errorf("%s: found %q, want one violation", name, got)
		}
	}
}

// violations parses imports in this process: a test that shells out to the go
// command would be cached and pass with a violation in place.
func violations(t *testing.T, tree fs.FS) []string {
	t.Helper()
	var out []string
	seen := map[string]bool{}
	err := fs.WalkDir(tree, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && p != "." || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if filepath.Ext(p) != ".go" || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		src, err := fs.ReadFile(tree, p)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, src, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg := path.Dir(p)
		if pkg == "." {
			pkg = ""
		}
		level, ok := levelOf(pkg)
		if !ok && !seen[pkg] {
			seen[pkg] = true
			out = append(out, "package "+pkg+" has no place in the layers of arch_test.go")
		}
		for _, spec := range f.Imports {
			imp, _ := strconv.Unquote(spec.Path.Value)
			if pkg == "" && strings.Contains(imp, ".") {
				out = append(out, p+" imports "+imp+": "+only[""].why)
			}
			if imp != "convoke" && !strings.HasPrefix(imp, "convoke/") {
				continue
			}
			imp = strings.TrimPrefix(strings.TrimPrefix(imp, "convoke"), "/")
			if v := judge(pkg, level, imp); v != "" {
				out = append(out, p+" imports convoke/"+imp+": "+v)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func levelOf(pkg string) (int, bool) {
	for p := pkg; ; p = path.Dir(p) {
		if l, ok := layers[p]; ok && (p != "" || pkg == "") {
			return l, true
		}
		if !strings.Contains(p, "/") {
			return 0, pkg == "" // unknown
		}
	}
}

func judge(pkg string, level int, imp string) string {
	if rule, ok := only[pkg]; ok && !slices.Contains(rule.may, imp) {
		return rule.why
	}
	if by, ok := importers[imp]; ok && !slices.Contains(by, pkg) && !strings.HasPrefix(pkg, imp+"/") {
		return "only " + strings.Join(by, ", ") + " may"
	}
	if imp == "" || strings.HasPrefix(pkg, imp+"/") || strings.HasPrefix(imp, pkg+"/") && pkg != "" {
		return ""
	}
	if to, ok := levelOf(imp); ok && to >= level {
		return "imports point down only"
	}
	return ""
}
