package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"convoke"
	"convoke/client"
)

// functionsDir is the folder of a workspace that holds a folder for each
// function: the layout of the reference's command line (spec/api-surface.md 8).
const functionsDir = "functions"

// addProjectCommands adds the commands that work on folders of functions.
func (a *app) addProjectCommands(root *cobra.Command) {
	root.AddGroup(&cobra.Group{ID: "project", Title: "Projects:"})
	for _, cmd := range []*cobra.Command{a.initCommand(), a.pull(), a.push(), a.apply(), a.export()} {
		cmd.GroupID = "project"
		root.AddCommand(cmd)
	}
}

// workspace is a folder with functions/<name>/index.js.
type workspace struct {
	root  *os.Root
	shown string // as the user would write it: ".", ".." or "../.."
	here  string // the function whose folder the command runs in, or ""
}

// place is where a function's files are, or are to be. All is read and written
// through root, so no link leads out of it.
type place struct {
	root *os.Root
	dir  string // in root, with slashes; "." is root itself
	dirs string // dir as the user would write it
	name string // of the function where the folder's name decides it, else ""
}

// open gives the files of a folder, until the command ends.
func (a *app) open(dir string) (*os.Root, error) {
	root, err := a.OpenRoot(dir)
	if err == nil {
		a.opened = append(a.opened, root)
	}
	return root, err
}

func (a *app) closeOpened() {
	for _, root := range a.opened {
		_ = root.Close() // what was written is written: files were closed one by one
	}
}

// workspace finds the one that the current folder is in, or returns nil. A
// folder above counts only when the command runs in its functions, or in one
// of them: any other folder of that name is somebody else's.
func (a *app) workspace() (*workspace, error) {
	here, err := a.open(".")
	if err != nil {
		return nil, err
	}
	if isDir(here, functionsDir) {
		return &workspace{root: here, shown: "."}, nil
	}
	self, err := here.Stat(".")
	if err != nil {
		return nil, err
	}
	// What may not be read is no workspace of this user.
	if above, err := a.open(".."); err == nil && same(above, functionsDir, self) {
		return &workspace{root: above, shown: ".."}, nil
	}
	above, err := a.open("../..")
	if err != nil {
		return nil, nil
	}
	names, err := folders(above, functionsDir)
	if err != nil {
		return nil, nil
	}
	for _, name := range names {
		if same(above, path.Join(functionsDir, name), self) {
			return &workspace{root: above, shown: "../..", here: name}, nil
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
func (w *workspace) function(name string) place {
	dir := path.Join(functionsDir, name)
	return place{root: w.root, dir: dir, dirs: filepath.Join(w.shown, filepath.FromSlash(dir)), name: name}
}

// functions are the places of all functions that have an index file.
func (w *workspace) functions() ([]place, error) {
	names, err := folders(w.root, functionsDir)
	if err != nil {
		return nil, err
	}
	var all []place
	for _, name := range names {
		if at := w.function(name); at.hasIndex() {
			all = append(all, at)
		}
	}
	return all, nil
}

// hasIndex reports whether the place holds a function.
func (at place) hasIndex() bool {
	entries, err := fs.ReadDir(at.root.FS(), at.dir)
	return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return isIndex(e.Name()) })
}

func (at place) exists() bool { return isDir(at.root, at.dir) }

// path is a file of the place as the user would write it.
func (at place) path(name string) string { return filepath.Join(at.dirs, filepath.FromSlash(name)) }

// read reads the function that is there, and holds it to the folder's name
// where that decides.
func (at place) read() (*project, error) {
	if !at.exists() {
		return nil, usagef("there is no folder %s", at.dirs)
	}
	tree, err := fs.Sub(at.root.FS(), at.dir)
	if err != nil {
		return nil, err
	}
	p := &project{dir: at.dirs, folder: true, files: map[string]string{}}
	if err := p.readFolder(tree); err != nil {
		return nil, inside(err, at)
	}
	if err := p.finish(); err != nil {
		return nil, err
	}
	if at.name != "" && p.config.Name != "" && p.config.Name != at.name {
		line, column := lineOf(p.text, []string{"name"})
		return nil, usagef("%s:%d:%d: name is %q and the folder is %q; the two must be equal", at.path(configFile), line, column, p.config.Name, at.name)
	}
	return p, nil
}

// inside says in words that a link leads out of the folder.
func inside(err error, at place) error {
	bad, ok := errors.AsType[*fs.PathError](err)
	if !ok || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return err
	}
	return usagef("%s cannot be read: %v", at.path(bad.Path), bad.Err)
}

// function is what the place's function is called.
func (at place) function(p *project) (string, error) {
	if at.name != "" {
		return at.name, convoke.ValidateName(at.name, maxName)
	}
	return nameOf(p, deployFlags{})
}

// maxName bounds names in paths; what a server allows may be less.
const maxName = 200

// isName reports whether an argument can be the name of a function.
func isName(arg string) bool { return convoke.ValidateName(arg, maxName) == nil }

// places are the functions that the arguments of push name: functions of the
// workspace, or folders of their own; without any, the one of the current folder.
func (a *app) places(given []string, all bool) ([]place, error) {
	w, err := a.workspace()
	if err != nil {
		return nil, err
	}
	if all && len(given) > 0 {
		return nil, usagef("give either names or --all")
	}
	if all {
		return a.allPlaces(w)
	}
	if len(given) == 0 {
		return a.currentPlace(w)
	}
	var out []place
	for _, arg := range given {
		at, err := a.place(w, arg)
		if err != nil {
			return nil, err
		}
		if !at.exists() {
			return nil, usagef("there is no folder %s", at.dirs)
		}
		if slices.ContainsFunc(out, func(other place) bool { return other.dirs == at.dirs }) {
			continue
		}
		out = append(out, at)
	}
	return out, nil
}

// place is the function that one argument names: a name stands for a function
// of the workspace, else for a folder; all else is the path of a folder.
func (a *app) place(w *workspace, arg string) (place, error) {
	clean := filepath.Clean(arg)
	if w != nil {
		if isName(clean) {
			return w.function(clean), nil
		}
		if dir, name := filepath.Split(clean); filepath.Clean(dir) == filepath.Join(w.shown, functionsDir) && isName(name) {
			return w.function(name), nil
		}
	}
	root, err := a.open(clean)
	switch {
	case err == nil:
		return place{root: root, dir: ".", dirs: clean}, nil
	case errors.Is(err, fs.ErrNotExist) && isName(clean):
		here, err := a.open(".")
		return place{root: here, dir: clean, dirs: clean}, err
	case errors.Is(err, fs.ErrNotExist):
		return place{}, usagef("there is no folder %s", arg)
	}
	return place{}, usagef("%s is no folder that can be read", arg)
}

func (a *app) currentPlace(w *workspace) ([]place, error) {
	if w != nil && w.here != "" {
		return []place{w.function(w.here)}, nil
	}
	if w == nil {
		at, err := a.place(nil, ".")
		if err != nil || at.hasIndex() {
			return []place{at}, err
		}
	}
	return nil, usagef("name the functions, or give --all")
}

func (a *app) allPlaces(w *workspace) ([]place, error) {
	var all []place
	var err error
	if w != nil {
		all, err = w.functions()
	} else {
		all, err = a.neighbours()
	}
	if err == nil && len(all) == 0 {
		err = usagef("there are no functions here; convoke init makes one")
	}
	return all, err
}

// neighbours are the folders with an index file in the current folder.
func (a *app) neighbours() ([]place, error) {
	here, err := a.open(".")
	if err != nil {
		return nil, err
	}
	names, err := folders(here, ".")
	if err != nil {
		return nil, err
	}
	var all []place
	for _, name := range names {
		if at := (place{root: here, dir: name, dirs: name}); at.hasIndex() {
			all = append(all, at)
		}
	}
	return all, nil
}

// completePaths completes with functions that lie here, and with files.
func (a *app) completePaths(cmd *cobra.Command, given []string, word string) ([]string, cobra.ShellCompDirective) {
	names, _ := a.completePlaces(cmd, given, word)
	return names, cobra.ShellCompDirectiveDefault
}

// completePlaces completes with functions that lie here and are not named yet.
func (a *app) completePlaces(_ *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	w, err := a.workspace()
	if err != nil || w == nil {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	all, err := w.functions()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, at := range all {
		if !slices.Contains(given, at.name) {
			names = append(names, at.name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeMoreNames completes with functions of the server that are not named yet.
func (a *app) completeMoreNames(cmd *cobra.Command, given []string, word string) ([]string, cobra.ShellCompDirective) {
	names, directive := a.completeNames(cmd, nil, word)
	return slices.DeleteFunc(names, func(n string) bool {
		name, _, _ := strings.Cut(n, "\t")
		return slices.Contains(given, name)
	}), directive
}

// index finds the account's functions by name with one call instead of one each.
func index(ctx context.Context, c *client.Client) (map[string]string, error) {
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
