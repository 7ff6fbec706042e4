package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

// feed gives r the next bytes of in, at most step at a time, and returns the
// rest of in.
func feed(r *Reader, in []byte, step int) []byte {
	space := r.Space()
	n := copy(space[:min(step, len(space))], in)
	r.Filled(n)
	return in[n:]
}

func TestFramesComeBackAsSent(t *testing.T) {
	t.Parallel()
	large := bytes.Repeat([]byte("x"), 300<<10)
	var in []byte
	in = AppendInvoke(in, 7, "req-1", []byte(`{"payload":1}`))
	in = AppendEmpty(in, Ping, 9)
	in = AppendInvoke(in, 8, strings.Repeat("r", 300), large)
	in = AppendLoad(in, []byte("meta"), []byte("code"), nil, []byte("cache"))
	want := []Frame{
		{Invoke, 7, []byte("\x05req-1{\"payload\":1}")},
		{Ping, 9, nil},
		{Invoke, 8, append(append([]byte{MaxRequestID}, strings.Repeat("r", MaxRequestID)...), large...)},
		{Load, 0, []byte("\x04\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00metacodecache")},
	}
	for _, step := range []int{1, 7, 1000, firstBuffer, 1 << 20} {
		r, rest, got := NewReader(1<<20), in, 0
		for len(rest) > 0 {
			rest = feed(r, rest, step)
			for {
				f, ok, err := r.Next()
				if err != nil {
					t.Fatalf("step %d: %v", step, err)
				}
				if !ok {
					break
				}
				if got == len(want) || f.Type != want[got].Type || f.ID != want[got].ID || !bytes.Equal(f.Body, want[got].Body) {
					t.Fatalf("step %d: frame %d has type %d, id %d and %d bytes", step, got, f.Type, f.ID, len(f.Body))
				}
				got++
			}
		}
		if got != len(want) {
			t.Errorf("step %d: %d frames, want %d", step, got, len(want))
		}
		if len(r.Space()) == 0 || len(r.buf) > keptBuffer {
			t.Errorf("step %d: a buffer of %d bytes is kept", step, len(r.buf))
		}
	}
}

func TestReaderRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"a length over the bound": {append(binary.LittleEndian.AppendUint32(nil, 101), 1, 0, 0, 0, 0), ErrTooLarge},
		"the largest length":      {append(binary.LittleEndian.AppendUint32(nil, 1<<32-1), 1, 0, 0, 0, 0), ErrTooLarge},
		"half a header":           {[]byte{1, 0, 0}, nil},
		"half a body":             {[]byte{5, 0, 0, 0, 1, 0, 0, 0, 0, 'x'}, nil},
		"nothing":                 {nil, nil},
	} {
		r := NewReader(100)
		feed(r, c.in, 1000)
		if _, ok, err := r.Next(); ok || !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v, want %v", name, ok, err, c.want)
		}
	}
}

func TestParseEntry(t *testing.T) {
	t.Parallel()
	entry := func(level, source byte, ms uint64, extras, message string) []byte {
		b := []byte{level, source}
		b = binary.LittleEndian.AppendUint32(b, uint32(ms))
		b = binary.LittleEndian.AppendUint32(b, uint32(ms>>32))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(extras)))
		return append(append(b, extras...), message...)
	}
	e, err := ParseEntry(entry(2, 0, 1700000000123, `[1,"ü"]`, "grüße"))
	if err != nil || e.Level != 2 || e.Platform || string(e.Message) != "grüße" || string(e.Extras) != `[1,"ü"]` || e.Time.UnixMilli() != 1700000000123 {
		t.Errorf("entry = %+v, %v", e, err)
	}
	for name, b := range map[string][]byte{
		"short":           {1, 2, 3},
		"unknown level":   entry(9, 0, 0, "[]", ""),
		"extras too long": entry(1, 0, 0, "[]", "")[:15],
		"no array":        entry(1, 0, 0, "{}", ""),
		"no JSON":         entry(1, 0, 0, "[", ""),
		"no UTF-8":        entry(1, 0, 0, "[]", "\xff"),
		"far future":      entry(1, 0, 1<<62, "[]", ""),
	} {
		if _, err := ParseEntry(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", name, err)
		}
	}
}

// frameSeeds are streams of a worker, which both decoders are tried with.
var frameSeeds = [][]byte{
	AppendEmpty(nil, Pong, 1),
	{21, 0, 0, 0, 19, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, '"', 'o', 'k', '"'},
	append([]byte{18, 0, 0, 0, 21, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0}, "[]hi"...),
	append([]byte{16, 0, 0, 0, 26, 1, 0, 0, 0, 1, 0, 0, 0, 0xbb, 1, 1}, "a.example"...),
	append([]byte{30, 0, 0, 0, 27, 1, 0, 0, 0}, exchange(1, 5, 200, 10, 20, "GET", "")...),
}

// FuzzReader feeds what a hostile worker could send through every decoder.
func FuzzReader(f *testing.F) {
	for i, in := range frameSeeds {
		f.Add(in, []int{1, 3, 100}[i%3])
	}
	f.Fuzz(func(t *testing.T, in []byte, step int) {
		const bound = 1 << 16
		r := NewReader(bound)
		for len(in) > 0 {
			in = feed(r, in, max(step, 1))
			for {
				frame, ok, err := r.Next()
				if err != nil {
					return
				}
				if !ok {
					break
				}
				if len(frame.Body) > bound {
					t.Fatalf("a body of %d bytes came through the bound", len(frame.Body))
				}
				_, _, _ = Answer(frame.Body)
				_, _ = ParseFailure(frame.Body)
				_, _, _ = ParseLoaded(frame.Body)
				_, _ = Count(frame.Body)
				if d, err := ParseDestination(frame.Body); err == nil && (d.Host == "" || len(d.Host) > maxHost || d.Port < 1 || d.Port > 65535) {
					t.Fatalf("a malformed dial came through: %+v", d)
				}
				if x, err := ParseExchange(frame.Body); err == nil && (x.Sent < 0 || x.Received < 0 || x.Took < 0 || x.Status > 999 || len(x.Method) > maxMethod || len(x.Detail) > maxMethod+maxDetail) {
					t.Fatalf("a malformed call came through: %+v", x)
				}
				if e, err := ParseEntry(frame.Body); err == nil && (len(e.Extras) == 0 || e.Level > 3) {
					t.Fatalf("a malformed entry came through: %+v", e)
				}
			}
		}
	})
}
