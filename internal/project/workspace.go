package project

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"convoke"
	"convoke/client"
)

// functionsDir is the folder of a workspace that holds a folder for each
// function: the layout of the reference's command line (spec/api-surface.md 8).
const functionsDir = "functions"

// Folders opens the folders of this machine.
type Folders struct {
	// OpenDir gives a folder to read: os.DirFS.
	OpenDir func(dir string) fs.FS
	// OpenRoot gives a folder to read and write in: os.OpenRoot.
	OpenRoot func(dir string) (*os.Root, error)

	opened []*os.Root
}

// open gives the files of a folder, until Close.
func (d *Folders) open(dir string) (*os.Root, error) {
	root, err := d.OpenRoot(dir)
	if err == nil {
		d.opened = append(d.opened, root)
	}
	return root, err
}

// Close closes all folders that were opened.
func (d *Folders) Close() {
	for _, root := range d.opened {
		_ = root.Close() // what was written is written: files were closed one by one
	}
}

// Workspace is a folder with functions/<name>/index.js.
type Workspace struct {
	root  *os.Root
	shown string // as the user would write it: ".", ".." or "../.."
	here  string // the function whose folder the command runs in, or ""
}

// Place is where a function's files are, or are to be. All is read and written
// through root, so no link leads out of it.
type Place struct {
	root *os.Root
	dir  string // in root, with slashes; "." is root itself
	dirs string // dir as the user would write it
	name string // of the function where the folder's name decides it, else ""
}

// Workspace finds the one that the current folder is in, or returns nil. A
// folder above counts only when the command runs in its functions, or in one
// of them: any other folder of that name is somebody else's.
func (d *Folders) Workspace() (*Workspace, error) {
	here, err := d.open(".")
	if err != nil {
		return nil, err
	}
	if isDir(here, functionsDir) {
		return &Workspace{root: here, shown: "."}, nil
	}
	self, err := here.Stat(".")
	if err != nil {
		return nil, err
	}
	// What may not be read is no workspace of this user.
	if above, err := d.open(".."); err == nil && same(above, functionsDir, self) {
		return &Workspace{root: above, shown: ".."}, nil
	}
	above, err := d.open("../..")
	if err != nil {
		return nil, nil
	}
	names, err := folders(above, functionsDir)
	if err != nil {
		return nil, nil
	}
	for _, name := range names {
		if same(above, path.Join(functionsDir, name), self) {
			return &Workspace{root: above, shown: "../..", here: name}, nil
		}
	}
	return nil, nil
}

func isDir(root *os.Root, name string) bool {
	info, err := root.Stat(name)
	return err == nil && info.IsDir()
}

func same(root *os.Root, name string, as fs.FileInfo) bool {
	info, err := root.Stat(name)
	return err == nil && os.SameFile(info, as)
}

// folders lists the folders in a folder of root, without hidden ones.
func folders(root *os.Root, dir string) ([]string, error) {
	entries, err := fs.ReadDir(root.FS(), dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// function is the place of one function of the workspace.
func (w *Workspace) function(name string) Place {
	dir := path.Join(functionsDir, name)
	return Place{root: w.root, dir: dir, dirs: filepath.Join(w.shown, filepath.FromSlash(dir)), name: name}
}

// Names are the functions of the workspace that have an index file.
func (w *Workspace) Names() ([]string, error) {
	all, err := w.functions()
	names := make([]string, len(all))
	for i, at := range all {
		names[i] = at.name
	}
	return names, err
}

// functions are their places.
func (w *Workspace) functions() ([]Place, error) {
	names, err := folders(w.root, functionsDir)
	if err != nil {
		return nil, err
	}
	var all []Place
	for _, name := range names {
		if at := w.function(name); at.hasIndex() {
			all = append(all, at)
		}
	}
	return all, nil
}

// hasIndex reports whether the place holds a function.
func (at Place) hasIndex() bool {
	entries, err := fs.ReadDir(at.root.FS(), at.dir)
	return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return isIndex(e.Name()) })
}

func (at Place) exists() bool { return isDir(at.root, at.dir) }

// Shown is the place as the user would write it.
func (at Place) Shown() string { return at.dirs }

// path is a file of the place as the user would write it.
func (at Place) path(name string) string { return filepath.Join(at.dirs, filepath.FromSlash(name)) }

// read reads the function that is there, and holds it to the folder's name
// where that decides.
func (at Place) read() (*Files, error) {
	if !at.exists() {
		return nil, mistakef("there is no folder %s", at.dirs)
	}
	tree, err := fs.Sub(at.root.FS(), at.dir)
	if err != nil {
		return nil, err
	}
	p := &Files{dir: at.dirs, folder: true, files: map[string]string{}}
	if err := p.readFolder(tree); err != nil {
		return nil, inside(err, at)
	}
	if err := p.finish(); err != nil {
		return nil, err
	}
	if at.name != "" && p.config.Name != "" && p.config.Name != at.name {
		line, column := lineOf(p.text, []string{"name"})
		return nil, mistakef("%s:%d:%d: name is %q and the folder is %q; the two must be equal", at.path(configFile), line, column, p.config.Name, at.name)
	}
	return p, nil
}

// inside says in words that a link leads out of the folder.
func inside(err error, at Place) error {
	bad, ok := errors.AsType[*fs.PathError](err)
	if !ok || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return err
	}
	return mistakef("%s cannot be read: %v", at.path(bad.Path), bad.Err)
}

// function is what the place's function is called.
func (at Place) function(p *Files) (string, error) {
	if at.name != "" {
		return at.name, convoke.ValidateName(at.name, maxName)
	}
	return nameOf(p, Overrides{})
}

// maxName bounds names in paths; what a server allows may be less.
const maxName = 200

// isName reports whether an argument can be the name of a function.
func isName(arg string) bool { return convoke.ValidateName(arg, maxName) == nil }

// Places are the functions that arguments name: functions of the
// workspace, or folders of their own; without any, the one of the current folder.
func (d *Folders) Places(given []string, all bool) ([]Place, error) {
	w, err := d.Workspace()
	if err != nil {
		return nil, err
	}
	if all && len(given) > 0 {
		return nil, eitherError()
	}
	if all {
		return d.allPlaces(w)
	}
	if len(given) == 0 {
		return d.currentPlace(w)
	}
	places, err := d.named(w, given)
	if err != nil {
		return nil, err
	}
	for _, at := range places {
		if !at.exists() {
			return nil, mistakef("there is no folder %s", at.dirs)
		}
	}
	return places, nil
}

func eitherError() error { return mistakef("give either names or --all") }

// named are the places that arguments name, each once.
func (d *Folders) named(w *Workspace, given []string) ([]Place, error) {
	var out []Place
	for _, arg := range given {
		at, err := d.place(w, arg)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(out, func(other Place) bool { return other.dirs == at.dirs }) {
			out = append(out, at)
		}
	}
	return out, nil
}

// place is the function that one argument names: a name stands for a function
// of the workspace, else for a folder; all else is the path of a folder.
func (d *Folders) place(w *Workspace, arg string) (Place, error) {
	clean := filepath.Clean(arg)
	if w != nil {
		if isName(clean) {
			return w.function(clean), nil
		}
		if dir, name := filepath.Split(clean); filepath.Clean(dir) == filepath.Join(w.shown, functionsDir) && isName(name) {
			return w.function(name), nil
		}
	}
	root, err := d.open(clean)
	switch {
	case err == nil:
		return Place{root: root, dir: ".", dirs: clean}, nil
	case errors.Is(err, fs.ErrNotExist) && isName(clean):
		here, err := d.open(".")
		return Place{root: here, dir: clean, dirs: clean}, err
	case errors.Is(err, fs.ErrNotExist):
		return Place{}, mistakef("there is no folder %s", arg)
	}
	return Place{}, mistakef("%s is no folder that can be read", arg)
}

func (d *Folders) currentPlace(w *Workspace) ([]Place, error) {
	if w != nil && w.here != "" {
		return []Place{w.function(w.here)}, nil
	}
	if w == nil {
		at, err := d.place(nil, ".")
		if err != nil || at.hasIndex() {
			return []Place{at}, err
		}
	}
	return nil, mistakef("name the functions, or give --all")
}

func (d *Folders) allPlaces(w *Workspace) ([]Place, error) {
	var all []Place
	var err error
	if w != nil {
		all, err = w.functions()
	} else {
		all, err = d.neighbours()
	}
	if err == nil && len(all) == 0 {
		err = mistakef("there are no functions here; convoke init makes one")
	}
	return all, err
}

// neighbours are the folders with an index file in the current folder.
func (d *Folders) neighbours() ([]Place, error) {
	here, err := d.open(".")
	if err != nil {
		return nil, err
	}
	names, err := folders(here, ".")
	if err != nil {
		return nil, err
	}
	var all []Place
	for _, name := range names {
		if at := (Place{root: here, dir: name, dirs: name}); at.hasIndex() {
			all = append(all, at)
		}
	}
	return all, nil
}

// Index finds the account's functions by name with one call instead of one each.
func Index(ctx context.Context, c *client.Client) (map[string]string, error) {
	list, err := c.Functions(ctx, client.FunctionFilter{})
	if err != nil {
		return nil, err
	}
	ids := make(map[string]string, len(list))
	for _, f := range list {
		ids[f.Name] = f.UUID
	}
	return ids, nil
}
