package project

import (
	"errors"
	"io/fs"
	"path"
)

// write replaces a file of the place or makes it, with its folders. A link or
// anything else that is no plain file is left alone: what is written through
// it would turn up elsewhere.
func (at Place) write(name, text string) error {
	full := path.Join(at.dir, name)
	if err := at.plain(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := at.root.MkdirAll(path.Dir(full), 0o755); err != nil {
		return err
	}
	return at.root.WriteFile(full, []byte(text), 0o644)
}

// remove deletes a file of the place.
func (at Place) remove(name string) error {
	if err := at.plain(name); err != nil {
		return err
	}
	return at.root.Remove(path.Join(at.dir, name))
}

// plain fails unless the name is a plain file's in plain folders.
func (at Place) plain(name string) error {
	for i, c := range name {
		if c != '/' {
			continue
		}
		info, err := at.root.Lstat(path.Join(at.dir, name[:i]))
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return mistakef("%s is no plain folder; it is left as it is", at.path(name[:i]))
		}
	}
	info, err := at.root.Lstat(path.Join(at.dir, name))
	if err == nil && !info.Mode().IsRegular() {
		return mistakef("%s is no plain file; it is left as it is", at.path(name))
	}
	return err
}
