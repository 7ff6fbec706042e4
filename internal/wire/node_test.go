package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// nodeBound is MAX_BODY of runtime/node/frames.cjs.
const nodeBound = 64 << 20

// TestBothDecodersAgree gives the JavaScript decoder, in each pinned Node, the
// corpus of FuzzReader, frames of every kind and mutations of both, cut in
// pieces at random, and holds that it sees the frames that Reader sees, and
// gives up where Reader does. The seed is fixed, so that a failure comes back.
func TestBothDecodersAgree(t *testing.T) {
	t.Parallel()
	nodes, err := filepath.Glob(filepath.Join("..", "..", "runtime", "node", "node_modules", "node*", "bin", "node"))
	if err != nil {
		t.Fatal(err)
	}
	if len(nodes) == 0 {
		t.Skip("the Node builds are not installed; run: make runtime")
	}
	decoder, err := filepath.Abs(filepath.Join("..", "..", "runtime", "node", "frames.cjs"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{decoder, filepath.Join("testdata", "frames.cjs")} {
		if _, err := os.ReadFile(file); err != nil { // so that go test runs anew when one changes
			t.Fatal(err)
		}
	}
	cases := nodeCases(t)
	if len(cases) < 2500 {
		t.Fatalf("there are only %d cases", len(cases))
	}
	var input []byte
	want := make([]string, len(cases))
	frames, refused := 0, 0
	for i, pieces := range cases {
		input = binary.LittleEndian.AppendUint32(input, uint32(len(pieces)))
		for _, p := range pieces {
			input = binary.LittleEndian.AppendUint32(input, uint32(len(p)))
		}
		for _, p := range pieces {
			input = append(input, p...)
		}
		want[i] = read(pieces)
		frames += strings.Count(want[i], ":") / 3
		refused += strings.Count(want[i], "exit")
	}
	if frames < len(cases) || refused < len(cases)/20 {
		t.Errorf("in %d cases there are %d frames, and %d are refused: the cases say little", len(cases), frames, refused)
	}
	for _, node := range nodes {
		t.Run(filepath.Base(filepath.Dir(filepath.Dir(node))), func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), node, filepath.Join("testdata", "frames.cjs"), decoder)
			var out, problems bytes.Buffer
			cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &out, &problems
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v: %s", err, problems.String())
			}
			got := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			if len(got) != len(want) {
				t.Fatalf("%d answers to %d cases", len(got), len(want))
			}
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("case %d, %d pieces that begin with %x\n Go:   %s\n Node: %s", i, len(cases[i]), cases[i][0][:min(len(cases[i][0]), 40)], want[i], got[i])
				}
			}
		})
	}
}

// read is what Reader makes of the pieces, in the words of testdata/frames.cjs.
func read(pieces [][]byte) string {
	r := NewReader(nodeBound)
	var words []string
	for _, p := range pieces {
		for len(p) > 0 {
			p = feed(r, p, len(p))
			for {
				f, ok, err := r.Next()
				if err != nil {
					return strings.Join(append(words, "exit 71"), " ")
				}
				if !ok {
					break
				}
				sum := sha256.Sum256(f.Body)
				words = append(words, fmt.Sprintf("%d:%d:%d:%s", f.Type, f.ID, len(f.Body), hex.EncodeToString(sum[:8])))
			}
		}
	}
	return strings.Join(append(words, "more"), " ")
}

// nodeCases are streams, cut in pieces of at most the buffer of the worker.
func nodeCases(t *testing.T) [][][]byte {
	t.Helper()
	random := rand.New(rand.NewPCG(4711, 1))
	streams := corpus(t)
	for range 50 { // well-formed ones
		var s []byte
		for range random.IntN(6) + 1 {
			body := make([]byte, sizeOf(random))
			for i := range body {
				body[i] = byte(random.Uint32())
			}
			switch random.IntN(4) {
			case 0:
				s = AppendInvoke(s, random.Uint32(), "r", body)
			case 1:
				s = AppendLoad(s, body[:len(body)/2], body[len(body)/2:], nil, nil)
			case 2:
				s = AppendDialFailed(s, random.Uint32(), body)
			default:
				s = AppendEmpty(s, Type(random.IntN(40)), random.Uint32())
			}
		}
		streams = append(streams, s)
	}
	var cases [][][]byte
	for _, s := range streams {
		cases = append(cases, cut(random, s, 1<<16), cut(random, s, 8))
		for range 50 {
			m := mutated(random, s, streams)
			cases = append(cases, cut(random, m, []int{1, 3, headerSize, 100, 4096, 1 << 16}[random.IntN(6)]))
		}
	}
	// These have Node set aside as much as they announce, so they are few.
	for _, length := range []uint32{nodeBound, nodeBound + 1, 1<<31 - 1, 1 << 31, 1<<32 - 1, 64<<10 - headerSize, 64 << 10} {
		head := append(binary.LittleEndian.AppendUint32(nil, length), 2, 1, 0, 0, 0)
		for _, s := range [][]byte{head, append(AppendEmpty(nil, Ping, 1), head...), append(slices.Clone(head), make([]byte, 70_000)...)} {
			cases = append(cases, cut(random, s, 1<<16), cut(random, s, 8))
		}
	}
	return slices.DeleteFunc(cases, func(pieces [][]byte) bool { return len(pieces) == 0 })
}

// sizeOf is mostly small, and sometimes about as large as a buffer.
func sizeOf(random *rand.Rand) int {
	switch random.IntN(40) {
	case 0:
		return 64<<10 - 20 + random.IntN(40)
	case 1:
		return random.IntN(200_000)
	default:
		return random.IntN(100)
	}
}

// cut cuts in pieces of up to most bytes; of a long stream only the first are
// as small.
func cut(random *rand.Rand, s []byte, most int) (pieces [][]byte) {
	for len(s) > 0 {
		if len(pieces) > 200 {
			most = 1 << 16
		}
		n := min(random.IntN(most)+1, len(s), 1<<16)
		pieces, s = append(pieces, s[:n]), s[n:]
	}
	return pieces
}

// mutated is s with a few bytes or lengths changed, a part cut out or doubled,
// or another stream behind it.
func mutated(random *rand.Rand, s []byte, others [][]byte) []byte {
	s = bytes.Clone(s)
	for range random.IntN(4) + 1 {
		if len(s) == 0 {
			s = []byte{0}
		}
		at := random.IntN(len(s))
		switch random.IntN(6) {
		case 0:
			s[at] = byte(random.Uint32())
		case 1:
			s[at] ^= 1 << random.IntN(8)
		case 2:
			s = slices.Delete(s, at, min(at+random.IntN(12)+1, len(s)))
		case 3:
			s = slices.Insert(s, at, s[at:min(at+random.IntN(20)+1, len(s))]...)
		case 4:
			s = append(s[:at], others[random.IntN(len(others))]...)
		default:
			if len(s) >= 4 { // the length of the first frame
				binary.LittleEndian.PutUint32(s, []uint32{0, 1, uint32(len(s)), uint32(max(len(s)-headerSize, 0)), 1 << 20, nodeBound + 1, random.Uint32()}[random.IntN(7)])
			}
		}
	}
	return s
}

// corpus are the streams of FuzzReader: those that it adds and what it found.
func corpus(t *testing.T) [][]byte {
	t.Helper()
	streams := slices.Clone(frameSeeds)
	files, err := filepath.Glob(filepath.Join("testdata", "fuzz", "FuzzReader", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			quoted, ok := strings.CutPrefix(strings.TrimSpace(line), "[]byte(")
			if !ok {
				continue
			}
			s, err := strconv.Unquote(strings.TrimSuffix(quoted, ")"))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			streams = append(streams, []byte(s))
		}
	}
	return slices.DeleteFunc(streams, func(s []byte) bool { return len(s) == 0 })
}
