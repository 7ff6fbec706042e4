package project

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// foldersAt runs in a folder of a tree that holds the files.
func foldersAt(t *testing.T, tree, here string, files ...string) *Folders {
	t.Helper()
	for _, name := range files {
		full := filepath.Join(tree, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte("async function lambda() {}\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	abs := func(dir string) string { return filepath.Join(tree, here, dir) }
	d := &Folders{
		OpenDir:  func(dir string) fs.FS { return os.DirFS(abs(dir)) },
		OpenRoot: func(dir string) (*os.Root, error) { return os.OpenRoot(abs(dir)) },
	}
	t.Cleanup(d.Close)
	return d
}

// TestWorkspace: it is found from its folder, from functions and from a
// function's folder, and from nowhere else.
func TestWorkspace(t *testing.T) {
	t.Parallel()
	tree := t.TempDir()
	files := []string{"w/functions/b/index.ts", "w/functions/a/index.js", "w/functions/a/lib/x.js", "w/functions/none/readme.md", "w/docs/x.md"}
	for _, tt := range []struct {
		here   string
		found  bool
		places []string // of no argument
	}{
		{"w", true, nil},
		{"w/functions", true, nil},
		{"w/functions/a", true, []string{"../../functions/a"}},
		{"w/functions/a/lib", false, nil},
		{"w/docs", false, nil},
	} {
		d := foldersAt(t, tree, tt.here, files...)
		w, err := d.Workspace()
		if err != nil || (w != nil) != tt.found {
			t.Errorf("%s: %+v, error %v", tt.here, w, err)
			continue
		}
		if w == nil {
			continue
		}
		if names, err := w.Names(); err != nil || !slices.Equal(names, []string{"a", "b"}) {
			t.Errorf("%s: functions %v, error %v", tt.here, names, err)
		}
		places, err := d.Places(nil, false)
		if _, mistake := errors.AsType[*Mistake](err); mistake != (tt.places == nil) || !slices.Equal(shownOf(places), tt.places) {
			t.Errorf("%s: places %v, error %v", tt.here, shownOf(places), err)
		}
	}
}

func shownOf(places []Place) []string {
	var all []string
	for _, at := range places {
		all = append(all, at.Shown())
	}
	return all
}

// TestPlaces: each function is named once, by its name or its path.
func TestPlaces(t *testing.T) {
	t.Parallel()
	d := foldersAt(t, t.TempDir(), "w", "w/functions/a/index.js", "w/functions/b/index.js", "w/other/index.js")
	places, err := d.Places([]string{"b", "functions/a", "./functions/b", "../w/other"}, false)
	if want := []string{"functions/b", "functions/a", "../w/other"}; err != nil || !slices.Equal(shownOf(places), want) {
		t.Errorf("got %v, error %v, want %v", shownOf(places), err, want)
	}
	if places, err := d.Places(nil, true); err != nil || len(places) != 2 {
		t.Errorf("all: %v, error %v", shownOf(places), err)
	}
	for _, bad := range [][]string{{"c"}, {"./none"}, {"functions/a/index.js"}} {
		if _, err := d.Places(bad, false); err == nil {
			t.Errorf("%v was accepted", bad)
		}
	}
	if _, err := d.Places([]string{"a"}, true); err == nil {
		t.Error("names and all at once were accepted")
	}
}
