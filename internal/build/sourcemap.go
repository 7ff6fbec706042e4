package build

import (
	"encoding/json"
	"fmt"
	"strings"
)

// sourceMap brings esbuild's map into the form workers get: names and texts as
// the developer knows them, nothing about what was appended to them, and one
// line more in front if shifted.
func (m *modules) sourceMap(raw []byte, shifted bool) ([]byte, error) {
	var s struct {
		Version        int      `json:"version"`
		Sources        []string `json:"sources"`
		SourcesContent []string `json:"sourcesContent"`
		Mappings       string   `json:"mappings"`
		Names          []string `json:"names"`
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("read the compiler's source map: %w", err)
	}
	s.SourcesContent = make([]string, len(s.Sources))
	lines := make([]int, len(s.Sources))
	for i, source := range s.Sources {
		s.Sources[i] = strings.TrimPrefix(source, namespace+":")
		s.SourcesContent[i] = m.texts[s.Sources[i]]
		lines[i] = lineCount(s.SourcesContent[i])
	}
	mappings, err := hideAppended(s.Mappings, lines)
	if err != nil {
		return nil, fmt.Errorf("read the compiler's source map: %w", err)
	}
	s.Mappings = mappings
	if shifted {
		s.Mappings = ";" + s.Mappings
	}
	return json.Marshal(s)
}

// hideAppended makes code unmapped that comes from behind the last line of
// its source, which is what this package appended. lines has the number of
// lines of each source.
func hideAppended(mappings string, lines []int) (string, error) {
	const column, source, line = 0, 1, 2
	var b strings.Builder
	var in, out [5]int // the running values of a segment's five fields
	for l, segments := range strings.Split(mappings, ";") {
		if l > 0 {
			b.WriteByte(';')
		}
		in[column], out[column] = 0, 0
		for n, segment := range strings.Split(segments, ",") {
			if segment == "" {
				continue // a line without mappings
			}
			if n > 0 {
				b.WriteByte(',')
			}
			fields := 0
			for segment != "" {
				v, rest, ok := decodeVLQ(segment)
				if !ok || fields == len(in) {
					return "", fmt.Errorf("bad mapping %q", segments)
				}
				in[fields] += v
				segment = rest
				fields++
			}
			if fields > 1 && (in[source] < 0 || in[source] >= len(lines)) {
				return "", fmt.Errorf("mapping to source %d of %d", in[source], len(lines))
			}
			if fields > 1 && in[line] >= lines[in[source]] {
				fields = 1
			}
			for i := range fields {
				b.WriteString(encodeVLQ(in[i] - out[i]))
				out[i] = in[i]
			}
		}
	}
	return b.String(), nil
}

const base64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

func decodeVLQ(s string) (value int, rest string, ok bool) {
	for i := 0; i < len(s) && i < 7; i++ {
		digit := strings.IndexByte(base64Digits, s[i])
		if digit < 0 {
			return 0, "", false
		}
		value |= (digit & 31) << (5 * i)
		if digit < 32 {
			if value&1 != 0 {
				value = -value
			}
			return value / 2, s[i+1:], true
		}
	}
	return 0, "", false
}

func encodeVLQ(v int) string {
	v *= 2
	if v < 0 {
		v = -v | 1
	}
	var b []byte
	for {
		digit := v & 31
		if v >>= 5; v > 0 {
			digit |= 32
		}
		b = append(b, base64Digits[digit])
		if v == 0 {
			return string(b)
		}
	}
}
