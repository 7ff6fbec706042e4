package build

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/evanw/esbuild/pkg/api"
)

// namespace marks paths as names of the function's files. esbuild looks on
// this machine's disk only for paths of its namespace "file".
const namespace = "function"

// modules are the files a function consists of; for esbuild there are no others.
type modules struct {
	entry string            // index.js or index.ts
	texts map[string]string // by relative path, the entry among them

	// plain is the entry in plain JavaScript. It is written before a bundle
	// is done, and only for a source without errors.
	plain string

	mu sync.Mutex
	// awaiting are the modules with a top-level await, which CommonJS cannot
	// express. The first bundling finds them.
	awaiting map[string]bool
}

func (m *modules) plugin() api.Plugin {
	return api.Plugin{Name: "convoke", Setup: func(b api.PluginBuild) {
		b.OnResolve(api.OnResolveOptions{Filter: ".*"}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
			return m.resolve(a), nil
		})
		b.OnLoad(api.OnLoadOptions{Filter: ".*"}, func(a api.OnLoadArgs) (api.OnLoadResult, error) {
			return m.load(a), nil
		})
	}}
}

// resolve decides for every import what it means. It never leaves the decision
// to esbuild, which would go and look on the disk.
func (m *modules) resolve(a api.OnResolveArgs) api.OnResolveResult {
	if a.Kind == api.ResolveEntryPoint {
		return api.OnResolveResult{Path: m.entry, Namespace: namespace}
	}
	if isBuiltin(a.Path) {
		return api.OnResolveResult{Path: a.Path, External: true}
	}
	refuse := func(format string, args ...any) api.OnResolveResult {
		return api.OnResolveResult{Errors: []api.Message{{Text: fmt.Sprintf(format, args...)}}}
	}
	if !isRelative(a.Path) {
		return refuse("%q is not available: a function can import Node.js modules (such as node:crypto) and its own files (such as ./text.js)", a.Path)
	}
	name, ok := m.find(path.Join(path.Dir(a.Importer), a.Path))
	if !ok {
		return refuse("%q is not a file of this function; it has %s", a.Path, m.list())
	}
	if a.Kind == api.ResolveJSRequireResolve {
		return refuse("%q has no path at run time: the function's files are bundled into one; use require(%q)", a.Path, a.Path)
	}
	if a.Kind == api.ResolveJSRequireCall && m.awaits(name) {
		// esbuild overlooks it when the importing module has no await of its own.
		return refuse("%q has a top-level await: use import instead of require", a.Path)
	}
	return api.OnResolveResult{Path: name, Namespace: namespace}
}

func (m *modules) awaits(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.awaiting[name]
}

func isRelative(p string) bool {
	return p == "." || p == ".." || strings.HasPrefix(p, "./") || strings.HasPrefix(p, "../")
}

var extensions = []string{".js", ".ts", ".mjs", ".mts", ".cjs", ".cts", ".json"}

// typed are the names TypeScript's own rules allow for a file: the import says
// what the compiler makes of it.
var typed = map[string]string{".js": ".ts", ".mjs": ".mts", ".cjs": ".cts"}

// find is the file that p, a clean path, means. A path that leads out of the
// function starts with "../" and is not a name of any.
func (m *modules) find(p string) (string, bool) {
	candidates := []string{p}
	for _, ext := range extensions {
		candidates = append(candidates, p+ext)
	}
	if ext := path.Ext(p); typed[ext] != "" {
		candidates = append(candidates, strings.TrimSuffix(p, ext)+typed[ext])
	}
	for _, ext := range extensions {
		candidates = append(candidates, path.Join(p, "index"+ext))
	}
	for _, c := range candidates {
		if _, ok := m.texts[c]; ok {
			return c, true
		}
	}
	return "", false
}

func (m *modules) list() string {
	const shown = 10
	names := slices.Sorted(maps.Keys(m.texts))
	if len(names) > shown {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
	}
	return strings.Join(names, ", ")
}

func (m *modules) load(a api.OnLoadArgs) api.OnLoadResult {
	text, ok := m.texts[a.Path]
	if a.Namespace != namespace || !ok {
		return api.OnLoadResult{Errors: []api.Message{{Text: fmt.Sprintf("%q is not a file of this function", a.Path)}}}
	}
	loader := loaderOf(a.Path)
	if loader != api.LoaderJS && loader != api.LoaderTS {
		return api.OnLoadResult{Contents: &text, Loader: loader}
	}
	p := prepare(a.Path, text, loader)
	if len(p.errors) > 0 {
		return api.OnLoadResult{Errors: p.errors}
	}
	if p.topLevelAwait {
		m.mu.Lock()
		m.awaiting[a.Path] = true
		m.mu.Unlock()
	}
	contents := p.text
	if a.Path == m.entry {
		m.plain = p.plain
		contents += handover
	}
	contents += noSourceMap
	return api.OnLoadResult{Contents: &contents, Loader: loader}
}

func loaderOf(name string) api.Loader {
	switch path.Ext(name) {
	case ".js", ".mjs", ".cjs":
		return api.LoaderJS
	case ".ts", ".mts", ".cts":
		return api.LoaderTS
	case ".json":
		return api.LoaderJSON
	default:
		return api.LoaderText // a mail's template, a query: importing it gives its text
	}
}

// noSourceMap disarms a source map comment of the developer: the last one
// counts, and esbuild ignores this scheme. A relative or file: URL, or
// "sources" in a data: URL, would make it read files of this machine into the
// bundle's source map.
const noSourceMap = "\n//# sourceMappingURL=convoke:none\n"
