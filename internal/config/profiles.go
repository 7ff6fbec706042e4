package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"convoke"
)

// DefaultProfile is the name of the profile that is used when nobody names
// another.
const DefaultProfile = "default"

// NamedProfile is one of the profiles in the user's configuration folder.
type NamedProfile struct {
	Name    string
	Path    string
	Current bool // used when nobody names another
	Profile Profile
	Err     error // it cannot be read
}

var profileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// FindProfile is the file of the profile to use: the one named by given (a
// flag), by CONVOKE_PROFILE of environ, by UseProfile, or the default one. A
// value with a separator or the ending of a YAML file is a path; any other is
// a name. It returns CodeValidation for a name that cannot be one.
func FindProfile(given string, environ map[string]string) (string, error) {
	name := cmp.Or(given, environ["CONVOKE_PROFILE"])
	if strings.ContainsAny(name, `/\`) || strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") {
		return name, nil
	}
	if name == "" {
		var err error
		if name, err = currentProfile(environ); err != nil {
			return "", err
		}
	}
	return namedProfile(name, environ)
}

// ExistingProfile is FindProfile for commands that need what stands in it: a
// slip in a name must not lead to another server. It returns CodeNotFound for
// a name that no profile has.
func ExistingProfile(given string, environ map[string]string) (string, error) {
	path, err := FindProfile(given, environ)
	if err != nil {
		return "", err
	}
	if name := cmp.Or(given, environ["CONVOKE_PROFILE"]); name != "" && name != path && name != DefaultProfile {
		return path, mustExist(name, environ)
	}
	return path, nil
}

func namedProfile(name string, environ map[string]string) (string, error) {
	path, err := ProfilePath(environ)
	if err != nil || name == DefaultProfile {
		return path, err
	}
	if !profileName.MatchString(name) {
		return "", convoke.Errorf(convoke.CodeValidation, "%q is no name for a profile: letters, digits, _, . and -, at most 64", name)
	}
	return filepath.Join(filepath.Dir(path), "profiles", name+".yaml"), nil
}

// currentFile holds the name that UseProfile was given.
func currentFile(environ map[string]string) (string, error) {
	path, err := ProfilePath(environ)
	return filepath.Join(filepath.Dir(path), "current"), err
}

func currentProfile(environ map[string]string) (string, error) {
	path, err := currentFile(environ)
	if err != nil {
		return "", err
	}
	text, err := readBounded(path)
	if errors.Is(err, fs.ErrNotExist) {
		return DefaultProfile, nil
	}
	if err != nil {
		return "", fmt.Errorf("read which profile is used: %w", err)
	}
	return cmp.Or(strings.TrimSpace(string(text)), DefaultProfile), nil
}

// ListProfiles returns the default profile and the named ones that there are,
// in order of name.
func ListProfiles(environ map[string]string) ([]NamedProfile, error) {
	path, err := ProfilePath(environ)
	if err != nil {
		return nil, err
	}
	current, err := currentProfile(environ)
	if err != nil {
		return nil, err
	}
	found := map[string]string{DefaultProfile: path}
	entries, err := os.ReadDir(filepath.Join(filepath.Dir(path), "profiles"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list profiles: %w", err)
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".yaml")
		if ok && profileName.MatchString(name) {
			found[name] = filepath.Join(filepath.Dir(path), "profiles", e.Name())
		}
	}
	var list []NamedProfile
	for name, path := range found {
		p, err := LoadProfile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		list = append(list, NamedProfile{Name: name, Path: path, Current: name == current, Profile: p, Err: err})
	}
	slices.SortFunc(list, func(a, b NamedProfile) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// UseProfile makes a profile the one that is used when nobody names another.
// It returns CodeNotFound when there is no such profile.
func UseProfile(name string, environ map[string]string) error {
	if err := mustExist(name, environ); err != nil {
		return err
	}
	path, err := currentFile(environ)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(name+"\n"), 0o600); err != nil {
		return fmt.Errorf("choose profile: %w", err)
	}
	return nil
}

// RemoveProfile deletes a profile with its token, which stays good on its
// server. It returns CodeNotFound when there is no such profile.
func RemoveProfile(name string, environ map[string]string) error {
	if err := mustExist(name, environ); err != nil {
		return err
	}
	current, err := currentProfile(environ)
	if err != nil {
		return err
	}
	path, err := namedProfile(name, environ)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove profile: %w", err)
	}
	if current != name || name == DefaultProfile {
		return nil
	}
	pointer, err := currentFile(environ)
	if err != nil {
		return err
	}
	return os.Remove(pointer)
}

func mustExist(name string, environ map[string]string) error {
	path, err := namedProfile(name, environ)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return convoke.Errorf(convoke.CodeNotFound, "there is no profile %q; convoke profile list shows those there are", name)
	}
	return nil
}
