//go:build linux && (amd64 || arm64)

package sandbox

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestLinkedFiles(t *testing.T) {
	t.Parallel()
	for _, node := range nodes(t) {
		files, err := linkedFiles(node)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"ld-linux", "libc.so.6", "libstdc++.so.6"} {
			if !slices.ContainsFunc(files, func(f string) bool { return strings.HasPrefix(filepath.Base(f), want) }) {
				t.Errorf("%s: %s is missing in %q", node, want, files)
			}
		}
	}
	for _, path := range []string{"/etc/passwd", "/nonexistent"} {
		if _, err := linkedFiles(path); err == nil {
			t.Errorf("%s: no error", path)
		}
	}
}
