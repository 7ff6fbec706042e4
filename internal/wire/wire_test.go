package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestFramesComeBackAsSent(t *testing.T) {
	t.Parallel()
	large := bytes.Repeat([]byte("x"), 100<<10)
	var b []byte
	b = AppendInvoke(b, 7, "req-1", []byte(`{"payload":1}`))
	b = AppendEmpty(b, Ping, 9)
	b = AppendInvoke(b, 8, strings.Repeat("r", 300), large)
	b = AppendLoad(b, []byte("meta"), []byte("code"), nil, []byte("cache"))
	for name, src := range map[string]io.Reader{
		"whole":        bytes.NewReader(b),
		"byte by byte": iotest.OneByteReader(bytes.NewReader(b)),
	} {
		r := NewReader(src, 1<<20)
		next := func() Frame {
			f, err := r.Next()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			return f
		}
		if f := next(); f.Type != Invoke || f.ID != 7 || string(f.Body) != "\x05req-1{\"payload\":1}" {
			t.Errorf("%s: first frame = %+v", name, f)
		}
		if f := next(); f.Type != Ping || f.ID != 9 || len(f.Body) != 0 {
			t.Errorf("%s: second frame = %+v", name, f)
		}
		if f := next(); f.ID != 8 || len(f.Body) != 1+MaxRequestID+len(large) {
			t.Errorf("%s: third frame has %d bytes", name, len(f.Body))
		}
		if f := next(); f.Type != Load || len(f.Body) != 16+4+4+0+5 {
			t.Errorf("%s: fourth frame = %+v", name, f)
		}
		if _, err := r.Next(); err != io.EOF {
			t.Errorf("%s: at the end: %v, want io.EOF", name, err)
		}
	}
}

func TestReaderRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"a body over the bound": {binary.LittleEndian.AppendUint32(nil, 1<<31), io.ErrUnexpectedEOF},
		"a length over it":      {append(binary.LittleEndian.AppendUint32(nil, 101), 1, 0, 0, 0, 0), ErrTooLarge},
		"half a header":         {[]byte{1, 0, 0}, io.ErrUnexpectedEOF},
		"half a body":           {[]byte{5, 0, 0, 0, 1, 0, 0, 0, 0, 'x'}, io.ErrUnexpectedEOF},
		"nothing":               {nil, io.EOF},
	} {
		_, err := NewReader(bytes.NewReader(c.in), 100).Next()
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
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

// FuzzReader feeds what a hostile worker could send through every decoder.
func FuzzReader(f *testing.F) {
	f.Add(AppendEmpty(nil, Pong, 1))
	f.Add([]byte{19, 0, 0, 0, 19, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, '"', 'o', 'k', '"', '1', '1'})
	f.Add(append([]byte{18, 0, 0, 0, 21, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0}, "[]hi"...))
	f.Fuzz(func(t *testing.T, in []byte) {
		const bound = 1 << 16
		r := NewReader(bytes.NewReader(in), bound)
		for {
			frame, err := r.Next()
			if err != nil {
				return
			}
			if len(frame.Body) > bound {
				t.Fatalf("a body of %d bytes came through the bound", len(frame.Body))
			}
			_, _, _ = Answer(frame.Body)
			_, _ = ParseFailure(frame.Body)
			_, _, _ = ParseLoaded(frame.Body)
			_, _ = Count(frame.Body)
			if e, err := ParseEntry(frame.Body); err == nil && (len(e.Extras) == 0 || e.Level > 3) {
				t.Fatalf("a malformed entry came through: %+v", e)
			}
		}
	})
}
