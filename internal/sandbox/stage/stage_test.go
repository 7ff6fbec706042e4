package stage

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestStageStaysLight holds the imports: each other one could make the stage
// wait until most of the server's packages are initialised.
func TestStageStaysLight(t *testing.T) {
	t.Parallel()
	may := []string{"errors", "os", "strings", "syscall", "unsafe"}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 4 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			if path, _ := strconv.Unquote(spec.Path.Value); !slices.Contains(may, path) {
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
}

func example() *Spec {
	return &Spec{
		Program: "/opt/node", Args: []string{"node", "", "a b"}, Limits: []Limit{{1, 2}, {3, 1<<64 - 1}}, Filter: []byte{0, 255, 10},
		Root: &Root{
			UID: 1000, GID: 1001, DropGroups: true, TmpBytes: 1 << 40,
			Mounts: []Mount{{Source: "/a\n", Target: "a", Folder: true}, {Source: "/b", Device: true, Execute: true}},
			Files:  []File{{"etc/passwd", "x\x00y"}},
		},
		Landlock: &Landlock{FS: 7, Net: 3, Scoped: 1, Rules: []Rule{{"/c", 5, true}}},
	}
}

func TestCodec(t *testing.T) {
	t.Parallel()
	for _, want := range []*Spec{example(), {}, {Root: &Root{}}, {Landlock: &Landlock{}}} {
		got, err := Decode(Encode(want))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	}
	whole := Encode(example())
	for n := range whole {
		if _, err := Decode(whole[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are taken for the whole", n, len(whole))
		}
	}
	if _, err := Decode(append(whole, 0)); err == nil {
		t.Error("a byte too many is not noticed")
	}
}
