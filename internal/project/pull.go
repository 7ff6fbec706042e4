package project

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"convoke"
	"convoke/api"
	"convoke/client"
)

// Pull is one function whose newest version on the server is compared with the
// files, to be written into them.
type Pull struct {
	Name     string        // Shown of the place until it is known
	Function *api.Function // nil until it is found
	Diff     string
	Loses    bool // changes that only these files have would be lost

	at    Place
	texts map[string]string // files to write
	gone  []string          // files to delete
}

// Changes reports whether there is anything to write.
func (u *Pull) Changes() bool { return len(u.texts) > 0 || len(u.gone) > 0 }

// PullPlaces are where the named functions go, or with all those of the ids;
// their folders may be missing. Without names it is the current folder.
func (d *Folders) PullPlaces(names []string, all bool, ids map[string]string) ([]Place, error) {
	w, err := d.Workspace()
	switch {
	case err != nil:
		return nil, err
	case all && len(names) > 0:
		return nil, eitherError()
	case all && w == nil:
		return nil, &Hinted{mistakef("there is no folder functions here"), "convoke init makes a project"}
	case all:
		names = slices.Sorted(maps.Keys(ids))
	case len(names) == 0:
		return d.currentPlace(w)
	}
	return d.named(w, names)
}

// Pull finds what the server has that the files do not; ids are those of
// [Index]. What it returns with an error has what was found until then.
func (at Place) Pull(ctx context.Context, c *client.Client, ids map[string]string) (*Pull, error) {
	u := &Pull{Name: at.dirs, at: at}
	p := &Files{dir: at.dirs, files: map[string]string{}}
	var err error
	if at.hasIndex() {
		if p, err = at.read(); err != nil {
			return u, err
		}
	}
	name, err := at.pulledName(p)
	if err != nil {
		return u, err
	}
	u.Name = name
	id := ids[name]
	if id == "" {
		return u, convoke.Errorf(convoke.CodeFunctionNotFound, "there is no function %q on the server", name)
	}
	fn, err := c.Function(ctx, id)
	if err != nil {
		return u, err
	}
	u.Function = fn
	if len(fn.Versions) == 0 || fn.Versions[0].Code == "" {
		return u, convoke.Errorf(convoke.CodeNotFound, "%s has no code on the server yet", name)
	}
	return u, u.take(p, fn)
}

// pulledName is the function's name, also where nothing is yet.
func (at Place) pulledName(p *Files) (string, error) {
	if at.name == "" && p.entry == "" && at.dir != "." {
		return path.Base(at.dir), nil
	}
	return at.function(p)
}

// take finds the files to write and to delete.
func (u *Pull) take(p *Files, fn *api.Function) error {
	newest := &fn.Versions[0]
	entry := p.entry
	if entry == "" || string(p.language) != newest.Language {
		entry = entryOf(newest.Language)
	}
	is := map[string]string{entry: newest.Code}
	for name, text := range newest.Files {
		if !p.mayHold(name) {
			return convoke.Errorf(convoke.CodeValidation, "%s has a file %q on the server, which a function's folder cannot hold", fn.Name, name)
		}
		is[name] = text
	}
	config, err := u.at.pulledConfig(p, fn, newest)
	if err != nil {
		return err
	}
	is[configFile] = config

	was := maps.Clone(p.files)
	if p.entry != "" {
		was[p.entry] = p.code
	}
	if p.text != "" {
		was[configFile] = p.text
	}
	if p.entry != "" && entry != p.entry {
		u.gone = append(u.gone, p.entry) // two index files would be no function
	}
	for name := range was {
		if _, kept := is[name]; !kept && !slices.Contains(u.gone, name) {
			delete(was, name)
		}
	}
	u.texts = map[string]string{}
	for name, text := range is {
		if old, had := was[name]; !had || old != text {
			u.texts[name] = text
		}
	}
	if len(was) == 0 {
		u.Diff = listing(u.at.dirs, is)
	} else {
		u.Diff = difference(u.at.dirs, was, fmt.Sprintf("%s@%d", fn.Name, newest.Version), is)
	}
	u.Loses = p.entry != "" && !p.isVersion(fn) && p.differsIn(u)
	return nil
}

// entryOf is the main file's name of a new folder.
func entryOf(language string) string {
	if language == string(convoke.TypeScript) {
		return "index.ts"
	}
	return "index.js"
}

// mayHold reports whether a file of the server's is one that push would send:
// any other has no business in the folder, and may do harm there.
func (p *Files) mayHold(name string) bool {
	if !fs.ValidPath(name) || !p.isPart(name) || isIndex(name) {
		return false
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if base := path.Base(dir); slices.Contains(aside, base) || strings.HasPrefix(base, ".") {
			return false
		}
	}
	return true
}

// isVersion reports whether the files are those of the version that they were
// pulled from: then nothing that only they have can be lost.
func (p *Files) isVersion(fn *api.Function) bool {
	i := slices.IndexFunc(fn.Versions, func(v api.Manifest) bool { return v.Version == int(p.config.Version) })
	if i < 0 {
		return false
	}
	base := *fn
	base.Versions = fn.Versions[i:]
	ch, err := planChange(fn.Name, p, nil, &base)
	return err == nil && ch.none()
}

// differsIn reports whether pulling overwrites anything but the number of the
// version in config.json.
func (p *Files) differsIn(u *Pull) bool {
	for name := range u.texts {
		if name != configFile {
			return true
		}
	}
	renumbered, err := setMember(p.text, "version", u.Function.LatestVersion)
	return len(u.gone) > 0 || err != nil || p.text != "" && renumbered != u.texts[configFile]
}

// Write writes the files, and deletes those that are in the way.
func (u *Pull) Write() error {
	for _, name := range slices.Sorted(maps.Keys(u.texts)) {
		if err := u.at.write(name, u.texts[name]); err != nil {
			return err
		}
	}
	for _, name := range u.gone {
		if err := u.at.remove(name); err != nil {
			return err
		}
	}
	return nil
}
