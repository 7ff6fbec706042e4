// Package project is functions as files: what a folder of them is, in the
// layout of the reference's command line and in our own, how they are read and
// written, what differs from a server, and how a server is made what they say.
// A whole account as a file is part of it.
//
// It prints nothing and asks nobody: that is for the commands in internal/cli,
// which alone imports it.
package project

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"convoke"
)

// Files are a function as it lies on disk.
type Files struct {
	dir      string // as the user wrote it, for messages
	folder   bool   // the user named the folder, not a file in it
	entry    string // the main file's name in dir
	code     string
	language convoke.Language
	files    map[string]string // further modules by relative path; never nil
	config   Config
	text     string // of config.json; "" when there is none
}

const (
	configFile   = "config.json"
	maxFileBytes = 2 << 20 // more than any server takes; keeps a wrong path from filling memory
	maxFiles     = 500

	maxProjectBytes = 8 << 20 // of all modules together
)

var (
	moduleName = regexp.MustCompile(`\.[mc]?[jt]s$`)
	testName   = regexp.MustCompile(`\.(test|spec)\.[^.]+$`)
	// besides are the JSON files in a project that are about it, not of it.
	besides = []string{configFile, "payload.json", "expected.json", "package.json", "package-lock.json", "tsconfig.json"}
	// aside are folders that hold no code of the function.
	aside = []string{"node_modules", "test", "tests", "__tests__"}
)

// read reads a file, or a folder with index.js or index.ts.
func (d *Folders) read(name string) (*Files, error) {
	p := &Files{files: map[string]string{}}
	var err error
	// A folder opens at "."; a file does not.
	if info, statErr := fs.Stat(d.OpenDir(name), "."); statErr == nil && info.IsDir() {
		p.dir, p.folder = filepath.Clean(name), true
		err = p.readFolder(d.OpenDir(name))
	} else {
		p.dir, p.entry = filepath.Split(filepath.Clean(name))
		p.code, err = readEntry(d.OpenDir(filepath.Clean(p.dir)), p.entry, name)
	}
	if err != nil {
		return nil, err
	}
	return p, p.finish()
}

// finish checks the code that was read and tells its language.
func (p *Files) finish() error {
	if strings.TrimSpace(p.code) == "" {
		return mistakef("%s is empty", p.path(p.entry))
	}
	p.language = convoke.JavaScript
	if strings.HasSuffix(p.entry, "ts") {
		p.language = convoke.TypeScript
	}
	return nil
}

// readEntry reads the one file of a project that is no folder.
func readEntry(tree fs.FS, entry, name string) (string, error) {
	if !moduleName.MatchString(entry) {
		if _, err := fs.Stat(tree, entry); err == nil {
			return "", mistakef("%s is no JavaScript or TypeScript file (.js .mjs .cjs .ts .mts .cts)", name)
		}
	}
	text, err := readText(tree, entry)
	if errors.Is(err, fs.ErrNotExist) {
		return "", mistakef("there is no file or folder %s", name)
	}
	return text, err
}

// readFolder reads config.json, the entry and all further modules.
func (p *Files) readFolder(tree fs.FS) error {
	names, err := fs.Glob(tree, "index.*")
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !isIndex(n) })
	switch len(names) {
	case 0:
		return mistakef("%s holds no index.js or index.ts", p.dir)
	case 1:
		p.entry = names[0]
	default:
		return mistakef("%s holds %s; keep one of them", p.dir, strings.Join(names, " and "))
	}
	if p.code, err = readText(tree, p.entry); err != nil {
		return err
	}
	if err := p.readConfig(tree); err != nil {
		return err
	}
	size := len(p.code)
	return fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == ".":
			return nil
		case d.IsDir() && (slices.Contains(aside, d.Name()) || strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case !d.Type().IsRegular() || name == p.entry || !p.isPart(name):
			return nil
		case len(p.files) == maxFiles:
			return mistakef("%s holds more than %d modules", p.dir, maxFiles)
		}
		p.files[name], err = readText(tree, name)
		if size += len(p.files[name]); size > maxProjectBytes {
			return mistakef("the modules in %s are larger than %d MiB", p.dir, maxProjectBytes>>20)
		}
		return err
	})
}

// isIndex reports whether a file is the main one of its folder.
func isIndex(name string) bool {
	return strings.HasPrefix(name, "index.") && moduleName.MatchString(name) && strings.Count(name, ".") == 1
}

// isPart reports whether a file of the folder goes to the server.
func (p *Files) isPart(name string) bool {
	base := path.Base(name)
	if strings.HasPrefix(base, ".") || testName.MatchString(base) || strings.HasSuffix(base, ".d.ts") {
		return false
	}
	return moduleName.MatchString(base) || path.Ext(base) == ".json" && !slices.Contains(besides, name)
}

func (p *Files) readConfig(tree fs.FS) error {
	text, err := readText(tree, configFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if p.config, err = parseConfig(text); err != nil {
		return mistakef("%s:%v", p.path(configFile), err)
	}
	p.text = text
	return nil
}

// readText reads a text file of bounded size.
func readText(tree fs.FS, name string) (string, error) {
	f, err := tree.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("read %s: %w", name, err)
	case len(b) > maxFileBytes:
		return "", mistakef("%s is larger than %d MiB", name, maxFileBytes>>20)
	case !utf8.Valid(b):
		return "", mistakef("%s is no UTF-8 text", name)
	}
	return strings.TrimPrefix(string(b), "\ufeff"), nil
}

// name is what the folder or file suggests to call the function; "" for the
// folder ".", and for an index file, whose name says nothing.
func (p *Files) name() string {
	if p.folder {
		return strings.Trim(filepath.Base(p.dir), `./\`)
	}
	name := strings.TrimSuffix(p.entry, path.Ext(p.entry))
	if name == "index" {
		return ""
	}
	return name
}

// path is a file of the project as the user would write it.
func (p *Files) path(name string) string { return filepath.Join(p.dir, filepath.FromSlash(name)) }

// place puts a finding of the build into the user's own file: the server knows
// the entry by a name of its own.
func (p *Files) place(in convoke.Problem) convoke.Problem {
	text, ok := p.files[in.File]
	if !ok {
		in.File, text = p.entry, p.code
	}
	if lines := strings.Split(text, "\n"); in.LineText == "" && in.Line >= 1 && in.Line <= len(lines) {
		in.LineText = lines[in.Line-1]
	}
	in.File = p.path(in.File)
	return in
}
