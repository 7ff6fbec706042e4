package build

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	gocmp "github.com/google/go-cmp/cmp"

	"convoke"
)

const onlyThese = "a function can import Node.js modules (such as node:crypto) and its own files (such as ./text.js)"

func TestProblems(t *testing.T) {
	t.Parallel()
	problem := func(file string, line, column int, text, lineText string) convoke.Problem {
		return convoke.Problem{File: file, Line: line, Column: column, Text: text, LineText: lineText}
	}
	for _, tc := range []struct {
		name string
		src  Source
		want []convoke.Problem
	}{
		{"syntax", js("function lambda(input) {\n  return input..x;\n}"), []convoke.Problem{
			problem("index.js", 2, 16, `Expected identifier but found "."`, "  return input..x;")}},
		{"ends too early", js("function lambda(input) {\n  if (a) {\n}"), []convoke.Problem{
			problem("index.js", 3, 2, "Unexpected end of file", "}")}},
		{"would swallow what is appended", js("function lambda() {}\nconst x ="), []convoke.Problem{
			problem("index.js", 2, 10, "Unexpected end of file", "const x =")}},
		{"open template", ts("const x = `abc\n"), []convoke.Problem{
			problem("index.ts", 2, 1, "Unterminated string literal", "")}},
		{"column in UTF-16 units, CRLF", js("// 1\r\nconst é = '😀' }\r\n"), []convoke.Problem{
			problem("index.js", 2, 16, `Unexpected "}"`, "const é = '😀' }")}},
		{"package", ts("import fs from 'fs';\nimport axios from 'axios';\nexport const lambda = () => axios"), []convoke.Problem{
			problem("index.ts", 2, 19, `"axios" is not available: `+onlyThese, "import axios from 'axios';")}},
		{"several packages", js("const a = require('a/b'), b = require('@c/d');\nfunction lambda() { return import('https://example.com/x.js') }"), []convoke.Problem{
			problem("index.js", 1, 19, `"a/b" is not available: `+onlyThese, "const a = require('a/b'), b = require('@c/d');"),
			problem("index.js", 1, 39, `"@c/d" is not available: `+onlyThese, "const a = require('a/b'), b = require('@c/d');"),
			problem("index.js", 2, 35, `"https://example.com/x.js" is not available: `+onlyThese, "function lambda() { return import('https://example.com/x.js') }")}},
		{"file that is not there", with(js("import './lib/b'"), "lib/a.js", ""), []convoke.Problem{
			problem("index.js", 1, 8, `"./lib/b" is not a file of this function; it has index.js, lib/a.js`, "import './lib/b'")}},
		{"leads out", with(js("import './lib/a.js'"), "lib/a.js", "\nimport fs from './../../etc/passwd';"), []convoke.Problem{
			problem("lib/a.js", 2, 16, `"./../../etc/passwd" is not a file of this function; it has index.js, lib/a.js`, "import fs from './../../etc/passwd';")}},
		{"absolute", js("import '/etc/passwd'; import 'file:///etc/passwd'"), []convoke.Problem{
			problem("index.js", 1, 8, `"/etc/passwd" is not available: `+onlyThese, "import '/etc/passwd'; import 'file:///etc/passwd'"),
			problem("index.js", 1, 30, `"file:///etc/passwd" is not available: `+onlyThese, "import '/etc/passwd'; import 'file:///etc/passwd'")}},
		{"path of a file", with(js("require.resolve('./a')"), "a.js", ""), []convoke.Problem{
			problem("index.js", 1, 17, `"./a" has no path at run time: the function's files are bundled into one; use require("./a")`, "require.resolve('./a')")}},
		{"missing export", with(js("import { b } from './a.js'; b()"), "a.js", "export const c = 1"), []convoke.Problem{
			problem("index.js", 1, 10, `No matching export in "a.js" for import "b"`, "import { b } from './a.js'; b()")}},
		{"in a file", with(js("import './a.json'; import './b'"), "a.json", "{\n  x: 1 }", "b.ts", "let x: = 1"), []convoke.Problem{
			problem("a.json", 2, 3, "Expected string in JSON but found \"x\"", "  x: 1 }"),
			problem("b.ts", 1, 8, `Unexpected "="`, "let x: = 1")}},
		{"require of a top-level await", with(js("function lambda() {\n  return require('./a') }"), "a.js", "export const x = await 1"), []convoke.Problem{
			problem("index.js", 2, 18, `"./a" has a top-level await: use import instead of require`, "  return require('./a') }")}},
		{"type in JavaScript", js("const x: number = 1"), []convoke.Problem{
			problem("index.js", 1, 8, `Expected ";" but found ":"`, "const x: number = 1")}},
		{"declared twice", js("let a = 1;\nlet a = 2;"), []convoke.Problem{
			problem("index.js", 2, 5, `The symbol "a" has already been declared; The symbol "a" was originally declared here line 1`, "let a = 2;")}},
	} {
		out, err := compile(t.Context(), tc.src)
		failure, ok := errors.AsType[*convoke.Error](err)
		if !ok || failure.Code != convoke.CodeBuildFailed || out != nil {
			t.Errorf("%s: %v, %v; want %s", tc.name, out, err, convoke.CodeBuildFailed)
			continue
		}
		if d := gocmp.Diff(tc.want, failure.Problems); d != "" {
			t.Errorf("%s: problems (-want +got):\n%s", tc.name, d)
		}
		first := tc.want[0]
		if want := fmt.Sprintf("the code does not compile: %s:%d:%d: %s", first.File, first.Line, first.Column, first.Text); !strings.HasPrefix(failure.Message, want) {
			t.Errorf("%s: message %q, want %q …", tc.name, failure.Message, want)
		}
	}
}

func TestSourceIsChecked(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		src  Source
		want string
	}{
		"runtime":  {Source{Runtime: "node12"}, `runtime "node12" does not exist; use one of node26, node24`},
		"the name": {with(js(""), "index.js", ""), "index.js"},
		"size":     {js(strings.Repeat(" ", maxBytes+1)), "the compiler takes at most"},
	} {
		_, err := compile(t.Context(), tc.src)
		if convoke.ErrorCode(err) != convoke.CodeBuildFailed || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %s … %s", name, err, convoke.CodeBuildFailed, tc.want)
		}
	}
}

func TestProblemsAreBounded(t *testing.T) {
	t.Parallel()
	var code strings.Builder
	for i := range 30 {
		fmt.Fprintf(&code, "import '%s%d';", strings.Repeat("ü", 3_000), i)
	}
	_, err := compile(t.Context(), js(code.String()))
	failure, _ := errors.AsType[*convoke.Error](err)
	if failure == nil || len(failure.Problems) != maxProblems {
		t.Fatalf("error %.300v, want %d problems", err, maxProblems)
	}
	for _, p := range failure.Problems {
		if utf8.RuneCountInString(p.Text) != maxText || utf8.RuneCountInString(p.LineText) != maxText {
			t.Errorf("text of %d and line of %d characters, want both cut to %d", utf8.RuneCountInString(p.Text), utf8.RuneCountInString(p.LineText), maxText)
		}
	}
}

// TestNothingIsReadFromDisk tries each way known to make esbuild read a file.
// It is the reason why this test does not run in parallel: the working
// directory is the bait.
func TestNothingIsReadFromDisk(t *testing.T) {
	const secret = "TOP-SECRET-BAIT"
	dir := t.TempDir()
	for name, text := range map[string]string{
		"bait.js": "module.exports = '" + secret + "'", "bait.json": `"` + secret + `"`, "index.js": "globalThis.x = '" + secret + "'",
		"bait.js.map":                `{"version":3,"sources":["` + secret + `"],"sourcesContent":["` + secret + `"],"mappings":"AAAA"}`,
		"package.json":               `{"name":"` + secret + `","main":"bait.js","imports":{"#x":"./bait.js"},"dependencies":{"bait":"1"}}`,
		"tsconfig.json":              `{"compilerOptions":{"baseUrl":".","paths":{"bait":["./bait.js"]},"jsxFactory":"` + secret + `"}}`,
		"node_modules/bait/index.js": "module.exports = '" + secret + "'",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	sub := "." + dir // from the root
	for _, bait := range []string{
		"//# sourceMappingURL=bait.js.map",
		"//# sourceMappingURL=file://" + dir + "/bait.js.map",
		"/*# sourceMappingURL=" + dir + "/bait.js.map */",
		`//# sourceMappingURL=data:application/json,{"version":3,"sources":["file://` + dir + `/bait.json"],"mappings":"AAAA"}`,
		"import './bait.js'", "import '" + dir + "/bait.js'", "import 'file://" + dir + "/bait.js'", "import 'bait'", "import '#x'",
		"import '../.." + dir + "/bait.js'", "require('./bait')", "import('./bait.json')", "import './bait.js?x'", "import './bait.js' with { type: 'text' }",
		"require('./' + x)", "require(`./${x}`)", "require('./bait' + x + '.js')", "import('./' + x + '.json')", "import(`./${x}`, { with: { type: 'json' } })",
		"import('../../../../../../.." + dir + "/' + x)", "require('" + sub + "/' + x)", "require(x ? './bait.js' : './' + y)", "require(('./' + x))", "(require)('./' + x)",
		"requir\\u0065('./' + x)", "/* a */ require /* b */ ( /* c */ './' + x)", "require('./' + require('./' + x))", "import(`./${await import('./' + x)}`)",
		"enum E { a = './' } require(E.a + x)", "const enum E { a = './' } import(`${E.a}${x}`)", "namespace N { export const a = './' } require(N.a + x)",
		"new Worker(new URL('./bait.js', import.meta.url))", "require.resolve('./bait.js')", "import.meta.resolve('./bait.js')", "require.context('.', true)", "import.meta.glob('./*')",
		"/** @jsxImportSource " + dir + " */", "/// <reference path='bait.js' />", "import x = require('./bait.js'); x()", "export * from './bait.js'",
		"\u2028require('./' + x)", "\r\n\rrequire('./' + x)", "'\u2028'; require('./' + x)", "`\r\n`; require('./' + x)", "a\u2029;import('./' + x)",
	} {
		for _, code := range []string{bait, "/* ü */ const x = 1, y = 2;\n" + bait, "export {};\n" + bait + "\n", "await 1\n" + bait} {
			for _, src := range []Source{js(code), ts(code), with(ts("import './a'"), "a.ts", code)} {
				out, err := compile(t.Context(), src)
				text := fmt.Sprintf("%+v", err)
				if out != nil {
					text += string(out.Code) + string(out.SourceMap)
				}
				if strings.Contains(text, secret) {
					t.Errorf("%q read the bait: %s", code, text)
				}
				if strings.Contains(text, "globRequire") || strings.Contains(text, "globImport") || strings.Contains(text, "Could not resolve require(") || strings.Contains(text, "Could not resolve import(") {
					t.Errorf("%q was looked for on the disk: %s", code, text)
				}
			}
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, r := range runs {
		f.Add(r.src.Code, true)
	}
	for _, s := range []string{"\xff\xfe", "\uFEFF", "#!", "#!\u2028", "<!-- -->", "require(`./${", "import('./'+x", "((((((", "`${`${", "/[/", "a?b:c=>d", "@a class{}", "\x00", "\\u{110000}", "var \\u{2F}", "label:label:x", "import.meta", "'\\\r\n'", "await 1;require('./'+x)"} {
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, code string, typed bool) {
		if len(code) > 2_000 {
			return
		}
		src := js(code)
		if typed {
			src = ts(code)
		}
		out, err := compile(t.Context(), src)
		if err == nil {
			if len(out.Code) == 0 || len(out.SourceMap) == 0 {
				t.Errorf("%q: no code or no source map", code)
			}
			return
		}
		failure, ok := errors.AsType[*convoke.Error](err)
		if !ok || failure.Code != convoke.CodeBuildFailed || len(failure.Problems) == 0 {
			t.Fatalf("%q: %v, want %s with problems", code, err, convoke.CodeBuildFailed)
		}
		lines := 1 + strings.Count(code, "\n") + strings.Count(code, "\r") + strings.Count(code, "\u2028") + strings.Count(code, "\u2029")
		for _, p := range failure.Problems {
			if p.Line < 1 || p.Line > lines || p.Column < 1 || p.Column > len(code)+1 {
				t.Errorf("%q: a problem at %d:%d, outside the source", code, p.Line, p.Column)
			}
			if strings.Contains(p.Text+p.LineText, "__convoke_lambda") && !strings.Contains(code, "__convoke_lambda") || strings.Contains(p.Text, "goroutine ") {
				t.Errorf("%q: a problem speaks of what is not the developer's: %+v", code, p)
			}
		}
	})
}
