package sandbox

import (
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// libraryFolders are where the dynamic linker looks without being told. It
// has no cache file inside, so what lies elsewhere it would not find there.
var libraryFolders = []string{
	"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
	"/lib64", "/usr/lib64", "/lib", "/usr/lib",
}

// linkedFiles lists what a program needs to run beside itself: the dynamic
// linker, its shared libraries, and theirs, by the paths at which the dynamic
// linker looks for them.
func linkedFiles(program string) ([]string, error) {
	f, err := elf.Open(program)
	if err != nil {
		return nil, fmt.Errorf("%s is not a program of this host: %w", program, err)
	}
	machine, linker := f.Machine, linkerOf(f)
	f.Close()
	if linker == "" {
		return nil, nil // it needs nothing
	}
	files := []string{linker}
	seen := map[string]bool{filepath.Base(linker): true}
	for queue := []string{program}; len(queue) > 0; queue = queue[1:] {
		needed, folders, err := dependencies(queue[0])
		if err != nil {
			return nil, err
		}
		for _, name := range needed {
			if seen[name] {
				continue
			}
			seen[name] = true
			path := findLibrary(name, append(folders, libraryFolders...), machine)
			if path == "" {
				return nil, fmt.Errorf("%s needs the library %s, which is in none of %s; install the package that has it",
					queue[0], name, strings.Join(libraryFolders, ", "))
			}
			files = append(files, path)
			queue = append(queue, path)
		}
	}
	return files, nil
}

func linkerOf(f *elf.File) string {
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		b := make([]byte, p.Filesz)
		if _, err := p.ReadAt(b, 0); err == nil {
			return strings.TrimRight(string(b), "\x00")
		}
	}
	return ""
}

// dependencies reads what a file is linked to and where it says to look.
func dependencies(path string) (needed, folders []string, err error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if needed, err = f.ImportedLibraries(); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	origin := strings.NewReplacer("$ORIGIN", filepath.Dir(path), "${ORIGIN}", filepath.Dir(path))
	for _, tag := range []elf.DynTag{elf.DT_RPATH, elf.DT_RUNPATH} {
		values, err := f.DynString(tag)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		for _, v := range values {
			folders = append(folders, filepath.SplitList(origin.Replace(v))...)
		}
	}
	return needed, folders, nil
}

// findLibrary returns the path of the first library of that name for the same
// machine, "" if there is none.
func findLibrary(name string, folders []string, machine elf.Machine) string {
	for _, folder := range folders {
		path := filepath.Join(folder, name)
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			continue
		}
		f, err := elf.Open(path)
		if err != nil {
			continue // a linker script
		}
		same := f.Machine == machine
		f.Close()
		if same {
			return path
		}
	}
	return ""
}
