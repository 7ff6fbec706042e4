package build

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"convoke"
)

// TestMain makes the test binary its own compiler process.
func TestMain(m *testing.M) {
	Stage()
	os.Exit(m.Run())
}

func js(code string) Source { return Source{Code: code, Language: convoke.JavaScript} }
func ts(code string) Source { return Source{Code: code, Language: convoke.TypeScript} }

func with(s Source, files ...string) Source {
	s.Files = map[string]string{}
	for i := 0; i < len(files); i += 2 {
		s.Files[files[i]] = files[i+1]
	}
	return s
}

// runs are sources that compile, and what they do in the worker's loader.
var runs = []struct {
	name   string
	src    Source
	format string // "" is cjs
	result string // JSON; the input is {"payload":"hi"}
	error  string
	place  string
}{
	{name: "v1", src: js("function lambda(input, callback) { callback(null, input.payload) }"), result: `"hi"`},
	{name: "v1 async", src: js("async function lambda(input, callback) { callback(null, input.payload) }"), result: `"hi"`},
	{name: "v1 ends in a comment", src: js("function lambda(input, callback) { callback(null, 1) } // the end"), result: `1`},
	{name: "v1 exports it too", src: js("function lambda(input, callback) { callback(null, 1) }\nmodule.exports = lambda;"), result: `1`},
	{name: "v1 is sloppy", src: js("x = 1; function lambda(input, callback) { var o = 010; callback(null, [this === globalThis, x, o, arguments.callee === lambda]) }"), result: `[true,1,8,true]`},
	{name: "v1 stays strict", src: js("'use strict'; function lambda(input, callback) { callback(null, this === undefined) }"), result: `true`},
	{name: "v1 built-ins", src: js("const { createHash } = require('crypto'); const fs = require('node:fs/promises'); function lambda(input, callback) { callback(null, [typeof createHash, typeof fs.readFile]) }"), result: `["function","function"]`},
	{name: "v2", src: js("async function lambda(input) { return input.payload }"), result: `"hi"`},
	{name: "v2 arrow", src: js("const lambda = async ({ payload }) => payload"), result: `"hi"`},
	{name: "v2 module", src: js("import { basename } from 'node:path';\nimport os from 'os';\nasync function lambda(input) { return [basename('/a/b'), typeof os.cpus] }"), result: `["b","function"]`},
	{name: "v2 module is strict", src: js("import 'node:fs'; function lambda() { return this === undefined } "), result: `true`},
	{name: "v2 module may not invent globals", src: js("import 'node:fs';\nfunction lambda() {\n  invented = 1;\n}"), error: "invented is not defined", place: "index.js:3:3"},
	{name: "v2 export", src: js("export const lambda = async (input) => input.payload"), result: `"hi"`},
	{name: "v2 export list", src: js("async function handler(input) { return input.payload }\nexport { handler as lambda }"), result: `"hi"`},
	{name: "v2 export default", src: js("export default async (input) => input.payload"), result: `"hi"`},
	{name: "v2 export default object", src: js("export default { lambda: async (input) => input.payload }"), result: `"hi"`},
	{name: "v2 imported lambda", src: with(js("import { lambda } from './a.js'"), "a.js", "export const lambda = async (i) => i.payload"), result: `"hi"`},
	{name: "v2 exported again", src: with(js("export * from './a.js'"), "a.js", "export const lambda = async (i) => i.payload"), result: `"hi"`},
	{name: "commonjs object", src: js("module.exports = { lambda: async (input) => input.payload }"), result: `"hi"`},
	{name: "commonjs exports", src: js("exports.lambda = async (input) => input.payload"), result: `"hi"`},
	{name: "commonjs mixed with import", src: js("import 'node:fs'; const lambda = async () => 1; module.exports = lambda"), result: `1`},
	{name: "import of a built-in from commonjs", src: js("async function lambda() { const os = await import('os'); return [typeof os.cpus, typeof os.default.cpus] }"), result: `["function","function"]`},
	{name: "import with a variable", src: js("async function lambda() { const name = 'node:os'; return typeof (await import(name)).cpus }"), result: `"function"`},
	{name: "require with a variable", src: js("function lambda() { const name = 'os'; return typeof require(name).cpus }"), result: `"function"`},
	{name: "require with a variable that is none", src: js("function lambda(input) {\n  return require('./' + input.payload) }"), error: "Cannot find module './hi': a function can load Node's own modules and what was bundled with it", place: "index.js:2:10"},
	{name: "import with a variable that is none", src: ts("const lambda = async (input: any) => {\n  return await import(`./${input.payload}`) }"), error: "Cannot find module './hi': a function can load Node's own modules and what was bundled with it"},
	{name: "require as a value", src: js("function lambda() { return [typeof require, ['os'].map((n) => typeof require(n).cpus)] }"), result: `["function",["function"]]`},
	{name: "typescript", src: ts("import type { Nothing } from './nowhere';\nimport { Unused } from 'not-here';\ninterface In { payload: string }\nenum Kind { A = 'a', B = A + 'b' }\nexport async function lambda(input: In): Promise<string> { return input!.payload + (Kind.B satisfies string) as string }"), result: `"hiab"`},
	{name: "typescript decorators", src: ts("function twice(f: any, _: any) { return function (this: any, x: number) { return 2 * f.call(this, x) } }\nclass A { @twice add(x: number) { return x + 1 } }\nexport const lambda = async () => new A().add(1)"), result: `4`},
	{name: "typescript import and export assignment", src: ts("import os = require('os');\nexport = async function (input: any) { return typeof os.cpus }"), result: `"function"`},
	{name: "typescript namespace", src: ts("namespace N { export const x: number = 1 }\nconst lambda = (): number => N.x"), result: `1`},
	{name: "files", src: with(ts("import { a } from './lib';\nimport b from './lib/b.js';\nimport data from './data.json';\nimport mail from './mail.html';\nimport './effect';\nexport const lambda = async () => [a, b, data.x, mail, globalThis.effect]"),
		"lib/index.ts", "export { a } from '../a';", "a.mjs", "export const a = 'a'", "lib/b.ts", "export default 'b' as string",
		"data.json", "{\"x\":[1]}", "mail.html", "<p>", "effect.cjs", "globalThis.effect = 'done'"), result: `["a","b",[1],"<p>","done"]`},
	{name: "files in commonjs", src: with(js("const a = require('./a'); function lambda(input, callback) { callback(null, a.b + require('./b.json').c) }"),
		"a.js", "exports.b = 1", "b.json", "\uFEFF{\"c\":2}"), result: `3`},
	{name: "a file imports the function", src: with(js("import { f } from './a.js'; export const one = 1; export const lambda = async () => f()"), "a.js", "import { one } from './index.js'; export const f = () => one"), result: `1`},
	{name: "top-level await", src: js("import os from 'node:os';\nconst x = await Promise.resolve(1);\nasync function lambda(input) { return [x, typeof os.cpus, typeof (await import('node:fs')).readFileSync] }"), format: "esm", result: `[1,"function","function"]`},
	{name: "top-level await without import", src: js("const x = await 1; const lambda = async () => x"), format: "esm", result: `1`},
	{name: "top-level await in a file", src: with(js("import { x } from './a.js'; export const lambda = async () => x"), "a.js", "export const x = await 1"), format: "esm", result: `1`},
	{name: "require in a file beside a top-level await", src: with(js("import os from './a.js'; await 1; export const lambda = async () => typeof os.cpus"), "a.js", "module.exports = require('os')"), format: "esm", result: `"function"`},
	{name: "require with a variable beside a top-level await", src: js("await 1; const name = 'oz';\nexport const lambda = async () => require(name)"), format: "esm", error: "Cannot find module 'oz': a function can load Node's own modules and what was bundled with it", place: "index.js:2:35"},
	{name: "import.meta", src: js("import { createRequire } from 'node:module'; const require = createRequire(import.meta.url); export const lambda = async () => [typeof require('os').cpus, import.meta.dirname]"), result: `["function","/"]`},
	{name: "names of classes and functions", src: js("class Lost extends Error { static of() { return new Lost() } }\nconst f = () => {}; function lambda(input, callback) { callback(null, [Lost.name, Lost.of().constructor.name, f.name, lambda.name]) }"), result: `["Lost","Lost","f","lambda"]`},
	{name: "names that collide", src: with(js("import { a } from './a.js'; class E extends Error {} export const lambda = async () => [a.name, E.name, a !== E]"), "a.js", "class E extends Error {} export { E as a }"), result: `["E","E",true]`},
	{name: "byte order mark, hashbang, CRLF", src: js("\uFEFF#!/usr/bin/env node\r\nfunction lambda() {\r\n  throw new Error('x');\r\n}\r\n"), error: "x", place: "index.js:3:9"},
	{name: "unicode", src: js("const 名前 = '😀\u2028é'; async function lambda() { return [名前, `ü${1}`] }"), result: "[\"😀\u2028é\",\"ü1\"]"},
	{name: "a source map comment", src: js("async function lambda() {\n  throw new Error('x') }\n//# sourceMappingURL=data:application/json;base64,eyJ2ZXJzaW9uIjozLCJzb3VyY2VzIjpbIngiXSwibWFwcGluZ3MiOiJBQUFBIn0="), error: "x", place: "index.js:2:9"},
	{name: "position", src: ts("interface A {\n  b: string;\n}\n\nexport async function lambda(input: A) {\n  const x: any = null;\n  /* ü */ return x.y;\n}"), error: "Cannot read properties of null (reading 'y')", place: "index.ts:7:20"},
	{name: "position after a renamed call", src: js("async function lambda() { const n = 'os'; require(n); throw new Error('x') }"), error: "x", place: "index.js:1:61"},
	{name: "position in a file", src: with(js("import { f } from './lib/a';\nexport const lambda = async () => f();"), "lib/a.ts", "type X = 1;\nexport function f(): X {\n    throw new TypeError('x');\n}"), error: "x", place: "lib/a.ts:3:11"},
	{name: "position at a top-level await", src: js("await 1;\nexport const lambda = async () => {\n  throw new Error('x');\n}"), format: "esm", error: "x", place: "index.js:3:9"},
	{name: "throws while it loads", src: js("const a = 1;\nnull.x;\nfunction lambda() {}"), error: "Cannot read properties of null (reading 'x')", place: "index.js:2:6"},
	{name: "own __convoke_lambda", src: js("const __convoke_lambda = () => {}; exports.lambda = async () => 1"), result: `1`},
}

func TestCompiledCodeRuns(t *testing.T) {
	t.Parallel()
	type bundle struct {
		Format   string           `json:"format"`
		Code     string           `json:"code"`
		Map      string           `json:"map"`
		Contract convoke.Contract `json:"contract"`
		Input    map[string]any   `json:"input"`
	}
	var bundles []bundle
	for _, r := range runs {
		out, err := compile(t.Context(), r.src)
		if err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		if want := cmp.Or(r.format, "cjs"); out.Format != want {
			t.Errorf("%s: format %q, want %q", r.name, out.Format, want)
		}
		bundles = append(bundles, bundle{out.Format, string(out.Code), string(out.SourceMap), out.Contract, map[string]any{"payload": "hi"}})
	}
	var answers []struct {
		Result json.RawMessage
		Error  string
		Place  string
	}
	if err := json.Unmarshal(node(t, bundles), &answers); err != nil {
		t.Fatal(err)
	}
	for i, r := range runs {
		got := answers[i]
		if string(got.Result) != r.result || got.Error != r.error {
			t.Errorf("%s: result %s, error %q; want %s, %q\n%s", r.name, got.Result, got.Error, r.result, r.error, bundles[i].Code)
		}
		if r.place != "" && got.Place != r.place {
			t.Errorf("%s: error at %q, want %q", r.name, got.Place, r.place)
		}
	}
}

// node runs testdata/run.cjs in a pinned Node if one is installed.
func node(t *testing.T, stdin any) []byte {
	t.Helper()
	runtime, err := filepath.Abs("../../runtime/node")
	if err != nil {
		t.Fatal(err)
	}
	bin := "node"
	if pinned, _ := filepath.Glob(filepath.Join(runtime, "node_modules/node*/bin/node")); len(pinned) > 0 {
		bin = pinned[len(pinned)-1]
	} else if _, err := exec.LookPath(bin); err != nil {
		t.Skip("NOT TESTED: no Node.js here; run npm ci in runtime/node")
	}
	in, err := json.Marshal(stdin)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), bin, "--no-warnings", "--experimental-vm-modules", "testdata/run.cjs", runtime)
	cmd.Stdin = bytes.NewReader(in)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, stderr.String())
	}
	return out
}

func TestSourceMapHoldsTheSource(t *testing.T) {
	t.Parallel()
	src := with(ts("import { a } from './a';\nexport const lambda = async () => [a, require(`./${a}`)]; // <b>\n"), "a.ts", "export const a = 1", "unused.js", "1")
	out, err := compile(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Sources, SourcesContent []string }
	if err := json.Unmarshal(out.SourceMap, &got); err != nil {
		t.Fatal(err)
	}
	want := struct{ Sources, SourcesContent []string }{[]string{"index.ts", "a.ts"}, []string{src.Code, src.Files["a.ts"]}}
	if d := gocmp.Diff(want, got); d != "" {
		t.Errorf("source map (-want +got):\n%s", d)
	}
}

func TestIDIsOfWhatAWorkerSees(t *testing.T) {
	t.Parallel()
	id := func(s Source) string {
		t.Helper()
		out, err := compile(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		return out.ID
	}
	base := with(js("import { a } from './a.js'; export const lambda = async () => a"), "a.js", "export const a = 1", "b.js", "export const b = 1")
	first := id(base)
	for range 20 {
		if got := id(base); got != first {
			t.Fatalf("the same source compiles to %s and %s", first, got)
		}
	}
	named := base
	named.Runtime = convoke.DefaultRuntime
	if id(named) != first {
		t.Error("the default runtime by its name gives another ID")
	}
	seen := map[string]string{first: "base"}
	for name, change := range map[string]func(*Source){
		"code":     func(s *Source) { s.Code += "\nconsole.log(1)" },
		"comment":  func(s *Source) { s.Code += "// seen in the source map" },
		"file":     func(s *Source) { s.Files = map[string]string{"a.js": "export const a = 2"} },
		"contract": func(s *Source) { s.Contract = convoke.ContractV1 },
		"language": func(s *Source) { s.Language = convoke.TypeScript },
		"runtime":  func(s *Source) { s.Runtime = "node24" },
	} {
		s := base
		change(&s)
		got := id(s)
		if other, ok := seen[got]; ok {
			t.Errorf("%s and %s have the same ID", name, other)
		}
		seen[got] = name
	}
}

func TestContractCanBeSet(t *testing.T) {
	t.Parallel()
	src := js("async function lambda(input) { return 1 }")
	src.Contract = convoke.ContractV1
	out, err := compile(t.Context(), src)
	if err != nil || out.Contract != convoke.ContractV1 {
		t.Fatalf("contract %q, %v; want the one that was set", out.Contract, err)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	out, err := compile(t.Context(), js("function lambda(input) {\n  return input === NaN\n}"))
	if err != nil {
		t.Fatal(err)
	}
	want := []convoke.Problem{{File: "index.js", Line: 2, Column: 16, Text: `Comparison with NaN using the "===" operator here is always false`, LineText: "  return input === NaN"}}
	if d := gocmp.Diff(want, out.Warnings); d != "" {
		t.Errorf("warnings (-want +got):\n%s", d)
	}
}

func TestCompileEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := compile(ctx, js("1")); !errors.Is(err, context.Canceled) {
		t.Errorf("compile: %v, want the context's error", err)
	}
	if _, err := Compile(ctx, js("1")); !errors.Is(err, context.Canceled) {
		t.Errorf("Compile: %v, want the context's error", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := Compile(ctx, ts(exponential)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Compile: %v, want the context's error", err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("Compile went on for %s", d)
	}
}

func BenchmarkCompile(b *testing.B) {
	src := ts("import { createHash } from 'node:crypto';\ninterface In { payload: { text: string } }\nexport async function lambda(input: In): Promise<string> {\n  return createHash('sha256').update(input.payload.text).digest('hex');\n}\n")
	for name, f := range map[string]func(context.Context, Source) (*Output, error){"here": compile, "child": Compile} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := f(b.Context(), src); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
