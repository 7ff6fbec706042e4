package build

import (
	"strings"
	"testing"

	"convoke"
)

func TestContract(t *testing.T) {
	t.Parallel()
	const v1, v2 = convoke.ContractV1, convoke.ContractV2
	for _, tc := range []struct {
		name string
		want convoke.Contract
		code string // JavaScript; TypeScript where it starts with "//ts"
	}{
		{"v1 as documented", v1, "function lambda(input, callback) {\n    callback(null, `Hello World`);\n}"},
		{"v1 async", v1, "async function lambda(input, callback) {\n  callback(null, await f());\n}"},
		{"v1 with another name for the callback", v1, "function lambda(event, cb) { cb(null, 1) }"},
		{"v1 arrow", v1, "const lambda = (input, callback) => callback(null, input.payload);"},
		{"v1 async arrow", v1, "let lambda = async (input, callback) => { callback(null) };"},
		{"v1 function expression", v1, "var lambda = function named(input, callback) { callback() };"},
		{"v1 exports", v1, "exports.lambda = (input, callback) => callback(null, 1);"},
		{"v1 module.exports", v1, "module.exports = function (input, callback) { callback(null, 1) };"},
		{"v1 exported at the end", v1, "const x = 1;\nfunction lambda(input, callback) { callback(null, x); }\nmodule.exports = lambda;"},
		{"v1 module.exports object", v1, "function lambda(input, callback) { callback() }\nmodule.exports = { lambda };"},
		{"v1 under another name", v1, "const handler = (input, callback) => callback();\nmodule.exports = { other: 1, lambda: handler };"},
		{"v1 by hops", v1, "function a(i, callback) { callback() } const b = a; const lambda = b;"},
		{"v1 chained exports", v1, "exports.lambda = module.exports = async (input, callback) => { callback() };"},
		{"v1 default for the callback", v1, "function lambda(input, callback = () => {}) { callback() }"},
		{"v1 patterns", v1, "function lambda({ payload: { a, b }, headers = [1, 2] }, callback) { callback() }"},
		{"v1 rest", v1, "function lambda(...args) { const [input, callback] = args; callback(null, input) }"},
		{"v1 arguments", v1, "function lambda(input) { const callback = arguments[1]; callback(null, input) }"},
		{"v1 wrapped", v1, "const lambda = wrap(function (input, callback) { callback(null, 1) });"},
		{"v1 after a regular expression", v1, "const re = /[/'\"`{(]+/g, d = a / b / c; if (x) /}/.test(y);\nfunction lambda(input, callback) { callback(null, re) }"},
		{"v1 after templates", v1, "const s = `a${ {b: `}${'`'}`}.b }c`;\nfunction lambda(input, callback) { callback(null, s) }"},
		{"v1 after divisions", v1, "let i = 1; const q = i++ / 2, r = (i) / 2 / q, s = [1][0] / 3;\nfunction lambda(input, callback) { callback(null, q) }"},
		{"v1 says import in a comment", v1, "// import { x } from 'y'\n/* export default */\nfunction lambda(input, callback) { callback(null, 'import x from \"y\"') }"},
		{"v1 implicit global", v1, "lambda = function (input, callback) { callback() }"},
		{"v1 typescript", v1, "//ts\nfunction lambda(input: { payload: any }, callback: (e: Error | null, r?: any) => void): void { callback(null, 1) }"},
		{"v1 typescript overloads", v1, "//ts\nfunction lambda(input: string): void;\nfunction lambda(input: any, callback?: any): any { callback(null) }"},
		{"v1 second declarator", v1, "const a = 1, lambda = (x, y) => y(null, x);"},
		{"v1 not the nested one", v1, "function other() { function lambda(input) {} return lambda }\nfunction lambda(input, callback) { callback() }"},

		{"v2 as documented", v2, "import { hash } from \"node:crypto\";\nasync function lambda(input) { return hash('md5', input.payload); }"},
		{"v2 without imports", v2, "async function lambda(input) { return { ok: true }; }"},
		{"v2 sync", v2, "function lambda(input) { return 1 }"},
		{"v2 without parameters", v2, "function lambda() { console.log('x') }"},
		{"v2 returns nothing", v2, "async function lambda(input) { await fetch('https://example.com') }"},
		{"v2 arrow", v2, "const lambda = async (input) => {};"},
		{"v2 arrow, bare parameter", v2, "const lambda = async input => input.payload;"},
		{"v2 pattern", v2, "const lambda = async ({ payload: { a, b = [1, 2] } }) => a + b;"},
		{"v2 exports", v2, "exports.lambda = async (input) => 1;"},
		{"v2 module.exports", v2, "module.exports = async function lambda(input) { return 1 };"},
		{"v2 method", v2, "module.exports = { helper(a, b) {}, async lambda(input) { return 1 } };"},
		{"v2 compiled typescript", v2, "Object.defineProperty(exports, '__esModule', { value: true }); exports.lambda = void 0;\nconst lambda = async (input) => 1; exports.lambda = lambda;"},
		{"v2 export", v2, "export async function lambda(input) { return 1 }"},
		{"v2 export default", v2, "export default async (input) => 1"},
		{"v2 export list", v2, "const handler = async (input) => 1;\nexport { handler as lambda };"},
		{"v2 module with two parameters", v2, "export const lambda = async (input, deps = { fetch }) => deps.fetch(input.payload.url)"},
		{"v2 top-level await", v2, "const x = await fetch('https://example.com');\nfunction lambda(input, callback) { return x }"},
		{"v2 callback of another function", v2, "async function lambda(input) { return new Promise((resolve) => later((error, callback) => resolve(callback))) }"},
		{"v2 says callback in a text", v2, "// function lambda(input, callback)\nasync function lambda(input) { return 'lambda(input, callback)' + `callback` }"},
		{"v2 helper with a callback", v2, "const once = (input, callback) => callback(input);\nasync function lambda(input) { return once(input, (x) => x) }"},
		{"v2 rest", v2, "exports.lambda = (...args) => handler(...args)"},
		{"v2 unknown", v2, "module.exports = require('./x')"},
		{"v2 typescript", v2, "//ts\ntype In = { payload: string };\nconst lambda = async (input: In): Promise<string> => input.payload;"},
		{"v2 typescript this parameter", v2, "//ts\nfunction lambda(this: void, input: any) { return 1 }"},
		{"v2 typescript import of types", v2, "//ts\nimport type { In } from './types';\nasync function lambda(input: In) { return 1 }"},
		{"v2 empty", v2, ""},
	} {
		src := js(tc.code)
		if strings.HasPrefix(tc.code, "//ts") {
			src = ts(tc.code)
		}
		src = with(src, "x.js", "exports.make = (x) => x")
		out, err := compile(t.Context(), src)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if out.Nameless != (tc.code == "") {
			t.Errorf("%s: nameless is %v", tc.name, out.Nameless)
		}
		if out.Contract != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, out.Contract, tc.want)
		}
	}
}

func TestNameless(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"", "hello", "function lamda(input, callback) { callback(null, 'no Lambda') }", "import { hash } from 'node:crypto';\nasync function handler(input) { return hash('md5', input) }",
		"// function lambda(input, callback) {}\nconst x = 1", "const other = (input, callback) => callback()"} {
		out, err := compile(t.Context(), js(code))
		if err != nil || !out.Nameless {
			t.Errorf("%q: %+v, %v", code, out, err)
		}
	}
	for _, code := range []string{"globalThis['lambda'] = () => 1", "const { lambda } = require('./x.js')", "require('./x.js')(module)", "export * from './x.js'", "export default () => 1", "import './x.js'; export { x as lambda } from './x.js'"} {
		out, err := compile(t.Context(), with(js(code), "x.js", "exports.x = (x) => x"))
		if err != nil || out.Nameless {
			t.Errorf("%q: %+v, %v", code, out, err)
		}
	}
}

func TestContractOfUnknownLambdaByItsToolbelt(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]convoke.Contract{"lp-faas-toolbelt": convoke.ContractV1, "core-functions-toolbelt": convoke.ContractV2} {
		if got := contractOf(false, `const{Toolbelt}=require("`+name+`");module.exports=make(Toolbelt);`); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, s := range []string{"a/b/c;/re/g", "`${`${1}`}`", "if(x)/[/]/.test(y)", "({[", ")}]", "'\\", "a++/b", "function lambda(a,b){}", "module.exports={lambda:(a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		if len(src) > 10_000 {
			return
		}
		contractOf(false, src)
	})
}
