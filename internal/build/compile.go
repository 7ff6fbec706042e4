package build

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/evanw/esbuild/pkg/api"

	"convoke"
)

// handover is appended to the developer's entry module. It gives a bare
// `lambda`, which need not be exported, to the worker; an exported one the
// worker finds by itself. It starts on a line of its own, so that the
// developer's lines keep their numbers.
const handover = "\n;__convoke_lambda(typeof lambda === 'undefined' ? undefined : lambda)"

// maxBytes bounds what the compiler is given. It is far above what a
// version may hold (convoke.Limits.SourceLength); an operator's setting must
// not make the compiler's needs unbounded.
const maxBytes = 2 << 20

// compile is Compile in this process.
func compile(ctx context.Context, src Source) (*Output, error) {
	c, err := newCompilation(src)
	if err != nil {
		return nil, err
	}
	b := c.bundle("cjs")
	if len(c.modules.awaiting) > 0 && ctx.Err() == nil {
		b = c.bundle("esm")
	}
	if !c.keepNames && selfNamedClass.Match(b.code) && ctx.Err() == nil {
		c.keepNames = true
		b = c.bundle(b.format)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(b.errors) > 0 {
		return nil, c.failed(b.errors)
	}
	return c.output(src, b)
}

// selfNamedClass finds what esbuild makes of a top-level class that mentions
// itself: `class A { … A … }` becomes `var A=class _A{ … _A … }`, whose name
// is wrong.
var selfNamedClass = regexp.MustCompile(`\bclass _[\w$]`)

type compilation struct {
	modules *modules
	runtime string
	// keepNames makes functions and classes keep their names where esbuild
	// renames them. It costs 0.6 µs whenever a named closure is made, 30 times
	// the price of the closure (measured), so it is on only where a rename can
	// happen: between several files, and for the classes above.
	keepNames bool
}

func newCompilation(src Source) (*compilation, error) {
	runtime := cmp.Or(src.Runtime, convoke.DefaultRuntime)
	if !convoke.HasRuntime(runtime) {
		return nil, convoke.Errorf(convoke.CodeBuildFailed, "runtime %q does not exist; use one of %s", runtime, strings.Join(convoke.RuntimeNames(), ", "))
	}
	entry := "index.js"
	if src.Language == convoke.TypeScript {
		entry = "index.ts"
	}
	size := len(src.Code)
	texts := make(map[string]string, len(src.Files)+1)
	for name, text := range src.Files {
		size += len(text)
		texts[name] = normal(text)
	}
	if _, ok := texts[entry]; ok {
		return nil, convoke.Errorf(convoke.CodeBuildFailed, "the further file %s has the name of the function's own file; rename it", entry)
	}
	if size > maxBytes {
		return nil, convoke.Errorf(convoke.CodeBuildFailed, "the source has %d bytes; the compiler takes at most %d", size, maxBytes)
	}
	texts[entry] = normal(src.Code)
	return &compilation{
		modules:   &modules{entry: entry, texts: texts, awaiting: map[string]bool{}},
		runtime:   runtime,
		keepNames: len(src.Files) > 0,
	}, nil
}

// normal drops a byte order mark, as Node does, and turns a hashbang into the
// comment it is: in the bundle it would not stand on the first line.
func normal(text string) string {
	text = strings.TrimPrefix(text, "\uFEFF")
	if strings.HasPrefix(text, "#!") {
		text = "//" + text[2:]
	}
	return text
}

// bundled is what one run of esbuild gives.
type bundled struct {
	format           string // "cjs" or "esm"
	code, sourceMap  []byte
	metafile         string
	warnings, errors []api.Message
}

func (c *compilation) bundle(format string) bundled {
	result := api.Build(api.BuildOptions{
		// esbuild lists the directory of an entry point to see whether it is a
		// file; this one does not exist, and modules.resolve answers for it.
		EntryPoints: []string{namespace + ":/" + c.modules.entry},
		Outfile:     "bundle.js", // never written, but a source map needs a name beside it
		Bundle:      true,
		Format:      formats[format],
		Platform:    api.PlatformNode,
		Engines:     []api.Engine{{Name: api.EngineNode, Version: strings.TrimPrefix(c.runtime, "node")}},
		Supported:   supported[format],
		Define:      importMeta,
		KeepNames:   c.keepNames,
		Charset:     api.CharsetUTF8,
		// Indentation makes the output grow with the square of the nesting:
		// 100 kB of `if(1)if(1)…` become 800 MB.
		MinifyWhitespace: true,
		LegalComments:    api.LegalCommentsNone,
		Sourcemap:        api.SourceMapExternal,
		SourcesContent:   api.SourcesContentExclude, // output puts in the developer's own text
		TsconfigRaw:      "{}",
		Metafile:         true,
		LogLevel:         api.LogLevelSilent,
		Plugins:          []api.Plugin{c.modules.plugin()},
	})
	b := bundled{format: format, metafile: result.Metafile, warnings: result.Warnings, errors: result.Errors}
	for _, file := range result.OutputFiles {
		if path.Ext(file.Path) == ".map" {
			b.sourceMap = file.Contents
		} else {
			b.code = file.Contents
		}
	}
	return b
}

var formats = map[string]api.Format{"cjs": api.FormatCommonJS, "esm": api.FormatESModule}

// supported makes import() a require() in CommonJS: what it can reach are the
// same modules, and the worker's require says clearly what is missing.
var supported = map[string]map[string]bool{"cjs": {"dynamic-import": false}}

// importMeta gives import.meta, which CommonJS lacks, the members that modules
// use, such as in createRequire(import.meta.url).
var importMeta = map[string]string{
	"import.meta.url":      `"file:///index.js"`,
	"import.meta.filename": `"/index.js"`,
	"import.meta.dirname":  `"/"`,
}

func (c *compilation) failed(messages []api.Message) error {
	problems := c.modules.problems(messages)
	first := problems[0]
	text := fmt.Sprintf("the code does not compile: %s:%d:%d: %s", first.File, first.Line, first.Column, first.Text)
	if n := len(problems) - 1; n > 0 {
		text += fmt.Sprintf(" (and %d more)", n)
	}
	return &convoke.Error{Code: convoke.CodeBuildFailed, Message: text, Problems: problems}
}

func (c *compilation) output(src Source, b bundled) (*Output, error) {
	var meta struct {
		Inputs map[string]struct {
			Format string `json:"format"`
		} `json:"inputs"`
	}
	if err := json.Unmarshal([]byte(b.metafile), &meta); err != nil {
		return nil, fmt.Errorf("read the compiler's metafile: %w", err)
	}
	module := meta.Inputs[namespace+":"+c.modules.entry].Format == "esm"
	first := firstLine(module, b)
	sourceMap, err := c.modules.sourceMap(b.sourceMap, first != "")
	if err != nil {
		return nil, err
	}
	out := &Output{
		Format:    b.format,
		Contract:  cmp.Or(src.Contract, contractOf(module, c.modules.plain)),
		Code:      append([]byte(first), bytes.TrimRight(b.code, "\n")...),
		SourceMap: sourceMap,
		Warnings:  c.modules.problems(b.warnings),
		Nameless:  nameless(c.modules.plain),
	}
	out.setID(c.runtime)
	return out, nil
}

// firstLine is what has to stand before the bundle.
func firstLine(module bool, b bundled) string {
	switch {
	case b.format == "esm" && bytes.Contains(b.code, []byte("__require")):
		return requireLine
	case b.format == "cjs" && module:
		return strictLine
	}
	return ""
}

// strictLine is what an ES module needs to stay strict as CommonJS; esbuild
// leaves it out. Further files that are CommonJS become strict with it.
const strictLine = "\"use strict\";\n"

// requireLine makes a require for CommonJS files inside an ES module, where
// there is none: esbuild's stand-in uses the global one.
const requireLine = `globalThis.require??=name=>{const found=process.getBuiltinModule(name);if(found)return found;` +
	`throw Object.assign(new Error("Cannot find module '"+name+"': a function can load Node's own modules and what was bundled with it"),{code:"MODULE_NOT_FOUND"})};` + "\n"
