package build

import (
	"strings"
	"unicode/utf8"

	"github.com/evanw/esbuild/pkg/api"
)

// prepared is one module as the bundler gets it.
type prepared struct {
	text          string        // the developer's, with the calls below renamed
	plain         string        // the same module as plain JavaScript without comments
	topLevelAwait bool          // then plain has the form of an ES module
	errors        []api.Message // what is wrong with the module by itself
}

// prepare parses a module by itself, for three reasons: errors come out in the
// developer's text, without what is appended to it; contractOf needs the plain
// form; and imports whose path is put together at run time must be found
// before the bundler sees them. It would take `require('./' + name)` for a
// pattern and look for the files that match on this machine's disk. Nothing
// can be bundled for such a call anyway, so it is renamed to a function that
// does the same without the bundler's knowing: the worker's require answers.
//
// A transformation, unlike a bundling, has no file system at all.
func prepare(name, text string, loader api.Loader) prepared {
	p := prepared{text: text}
	result := transform(name, text, loader, api.FormatCommonJS)
	if hasTopLevelAwait(result.Errors) {
		p.topLevelAwait = true
		result = transform(name, text, loader, api.FormatESModule)
	}
	if len(result.Errors) > 0 {
		p.errors = result.Errors
		return p
	}
	p.plain = string(result.Code)
	p.text, p.errors = renameDynamic(text, result.Warnings)
	return p
}

const (
	dynamicRequire = "unsupported-require-call"
	dynamicImport  = "unsupported-dynamic-import"
)

func transform(name, text string, loader api.Loader, format api.Format) api.TransformResult {
	return api.Transform(text, api.TransformOptions{
		Loader:           loader,
		Sourcefile:       name,
		Format:           format,
		Platform:         api.PlatformNode,
		Target:           api.ESNext,
		MinifyWhitespace: true,
		LegalComments:    api.LegalCommentsNone,
		TsconfigRaw:      "{}",
		LogLevel:         api.LogLevelSilent,
		LogOverride:      map[string]api.LogLevel{dynamicRequire: api.LogLevelWarning, dynamicImport: api.LogLevelWarning},
	})
}

// hasTopLevelAwait recognises the one error that another format has not. It
// has no id, so a test holds the text.
func hasTopLevelAwait(errors []api.Message) bool {
	for _, e := range errors {
		if strings.HasPrefix(e.Text, "Top-level await is currently not supported") {
			return true
		}
	}
	return false
}

// The stand-ins are as long as what they replace, which keeps the columns, and
// are declared at the end, which functions may. Their own calls have a
// variable for an argument, which is no pattern.
const (
	requireStandIn = "$equire"
	importStandIn  = "$mport"
	requireDeclare = "\n;function " + requireStandIn + "(path) { return require(path) }"
	importDeclare  = "\n;function " + importStandIn + "(path) { return import(path) }"
)

// renameDynamic renames the calls that the compiler reported as dynamic.
func renameDynamic(text string, warnings []api.Message) (string, []api.Message) {
	type edit struct {
		start, end int
		standIn    string
	}
	var edits []edit
	for _, w := range warnings {
		standIn, keyword := requireStandIn, "require"
		switch w.ID {
		case dynamicRequire:
		case dynamicImport:
			standIn, keyword = importStandIn, "import"
		default:
			continue
		}
		start := offset(text, w.Location.Line, w.Location.Column)
		end := min(start+w.Location.Length, len(text))
		switch found := text[start:end]; {
		case found == keyword, w.ID == dynamicRequire && strings.Contains(found, `\`): // requir\u0065 is a name, too
			edits = append(edits, edit{start, end, standIn})
		case w.ID == dynamicImport:
			// A literal path with unusual options: the report points at those.
		default:
			return text, []api.Message{{Text: "write this call as require(path)", Location: w.Location}}
		}
	}
	if len(edits) == 0 {
		return text, nil
	}

	var b strings.Builder
	at, used := 0, map[string]bool{}
	for _, e := range edits { // in the order of the text: esbuild sorts its messages
		if e.start < at {
			continue // reported twice
		}
		b.WriteString(text[at:e.start])
		b.WriteString(e.standIn)
		at, used[e.standIn] = e.end, true
	}
	b.WriteString(text[at:])
	if used[requireStandIn] {
		b.WriteString(requireDeclare)
	}
	if used[importStandIn] {
		b.WriteString(importDeclare)
	}
	return b.String(), nil
}

// offset is the byte offset of a line (from 1) and byte column (from 0).
func offset(text string, line, column int) int {
	i := 0
	for ; line > 1; line-- {
		i += lineLength(text[i:])
	}
	return min(i+column, len(text))
}

// lineCount is the number of lines; after the end of a line another one starts.
func lineCount(text string) int {
	n := 1
	for _, r := range strings.ReplaceAll(text, "\r\n", "\n") {
		if r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029' {
			n++
		}
	}
	return n
}

// lineLength is the length of the first line of text with its end, as
// JavaScript and esbuild count lines.
func lineLength(text string) int {
	for i, r := range text {
		switch r {
		case '\r':
			if strings.HasPrefix(text[i+1:], "\n") {
				return i + 2
			}
			return i + 1
		case '\n', '\u2028', '\u2029':
			return i + utf8.RuneLen(r)
		}
	}
	return len(text)
}
