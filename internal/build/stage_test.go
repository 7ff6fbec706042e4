package build

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"convoke"
)

// exponential is TypeScript that esbuild parses in time 2^n.
var exponential = "x=" + strings.Repeat("a?(b):c=>", 40) + "d"

func TestCompileInAChildIsTheSame(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]Source{
		"good": with(ts("import { a } from './a';\nexport const lambda = async () => a === NaN"), "a.ts", "export const a = '😀'"),
		"bad":  js("function lambda( {"),
	} {
		here, errHere := compile(t.Context(), src)
		child, errChild := Compile(t.Context(), src)
		if d := cmp.Diff(here, child); d != "" {
			t.Errorf("%s: output (-here +child):\n%s", name, d)
		}
		if d := cmp.Diff(errHere, errChild); d != "" {
			t.Errorf("%s: error (-here +child):\n%s", name, d)
		}
	}
}

func TestHostileCodeIsRefused(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, want string
		src        Source
		limit      time.Duration
	}{
		{"time", "compiling takes more than", ts(exponential), time.Second},
		{"depth", "nested too deeply", js("x=" + strings.Repeat("!", 95_000) + "1"), timeLimit},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := compileInChild(t.Context(), tc.src, tc.limit)
			if convoke.ErrorCode(err) != convoke.CodeBuildFailed || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %.300v, want %s: … %s …", err, convoke.CodeBuildFailed, tc.want)
			}
		})
	}
}

func TestLargeCodeCompiles(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]string{
		"statements":   strings.Repeat("console.log(1);\n", 100_000/16),
		"one text":     "const s = '" + strings.Repeat("é", 99_000) + "'",
		"one array":    "const a = [" + strings.Repeat("1,", 49_000) + "]",
		"sum of texts": "const s = 'a'" + strings.Repeat(" +\n 'b'", 12_000),
		"else if":      "if (a) {}" + strings.Repeat(" else if (a) {}", 1_000),
		"deep":         strings.Repeat("[", 5_000) + strings.Repeat("]", 5_000),
		"indentation":  strings.Repeat("if(1)", 4_000) + ";",
	} {
		out, err := Compile(t.Context(), js(code+"\nfunction lambda(input, callback) {}"))
		if err != nil {
			t.Errorf("%s: %.300v", name, err)
		} else if len(out.Code) > 2*len(code)+1000 {
			t.Errorf("%s: %d bytes became %d", name, len(code), len(out.Code))
		}
	}
}

func TestBufferForgetsTheRest(t *testing.T) {
	t.Parallel()
	b := &buffer{limit: 4}
	for _, s := range []string{"abc", "def", "ghi"} {
		if n, err := b.Write([]byte(s)); n != 3 || err != nil {
			t.Fatalf("Write = %d, %v; want all accepted", n, err)
		}
	}
	if got := b.kept.String(); got != "abcd" {
		t.Errorf("kept %q, want the first 4 bytes", got)
	}
}
