package project

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strings"
)

// member is where a member of an object stands in its text.
type member struct {
	name       string
	at         int // of the name's quote
	start, end int // of the value
}

// membersOf finds the members of the object that text is, in their order; what
// is no object has none.
func membersOf(text string) ([]member, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	if first, err := dec.Token(); err != nil || first != json.Delim('{') {
		return nil, err
	}
	var out []member
	for dec.More() {
		at := int(dec.InputOffset())
		at += len(text[at:]) - len(strings.TrimLeft(text[at:], " \t\r\n,"))
		name, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		end := int(dec.InputOffset())
		key, _ := name.(string)
		out = append(out, member{key, at, end - len(value), end})
	}
	return out, nil
}

// findMember is the last member of that name, which is the one that counts.
func findMember(all []member, name string) *member {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].name == name {
			return &all[i]
		}
	}
	return nil
}

// lineOf is where the member stands that the names lead to; where one is
// missing, the object that should have it.
func lineOf(text string, path []string) (line, column int) {
	at, from, inner := 0, 0, text
	for _, name := range path {
		all, err := membersOf(inner)
		m := findMember(all, name)
		if err != nil || m == nil {
			break
		}
		at, from, inner = from+m.at, from+m.start, inner[m.start:m.end]
	}
	return position(text, at)
}

// position is the line and column of an offset, from 1.
func position(text string, at int) (line, column int) {
	before := text[:min(max(at, 0), len(text))]
	return 1 + strings.Count(before, "\n"), len(before) - strings.LastIndexByte(before, '\n')
}

// setMember gives the object in text another value for a member, or a further
// member. All else stays as the user wrote it: order, line breaks, indents.
func setMember(text, name string, value any) (string, error) {
	all, err := membersOf(text)
	if err != nil {
		return "", err
	}
	indent, spread := "  ", true
	if len(all) > 0 {
		before := text[strings.IndexByte(text, '{')+1 : all[0].at]
		i := strings.LastIndexByte(before, '\n')
		indent, spread = before[i+1:], i >= 0
	}
	written, err := encode(value, indent, spread)
	if err != nil {
		return "", err
	}
	if m := findMember(all, name); m != nil {
		return text[:m.start] + written + text[m.end:], nil
	}
	key, err := json.Marshal(name)
	if err != nil {
		return "", err
	}
	pair := string(key) + ": " + written
	switch {
	case len(all) == 0:
		return "{\n" + indent + pair + "\n}\n", nil
	case spread:
		pair = ",\n" + indent + pair
	default:
		pair = ", " + pair
	}
	end := all[len(all)-1].end
	return text[:end] + pair + text[end:], nil
}

// encode is value as JSON for a member that is indented by indent.
func encode(value any, indent string, spread bool) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if spread {
		enc.SetIndent(indent, cmp.Or(indent, "  "))
	}
	err := enc.Encode(value)
	return strings.TrimSuffix(b.String(), "\n"), err
}
