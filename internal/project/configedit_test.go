package project

import "testing"

// TestSetMember: what is not changed stays as it was written.
func TestSetMember(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text, member string
		value              any
		want               string
	}{
		{"replaced", "{\n\t\"a\" : 1 ,\n\t\"version\": 12,\n\n\t\"b\": [1,2] }\n", "version", 13, "{\n\t\"a\" : 1 ,\n\t\"version\": 13,\n\n\t\"b\": [1,2] }\n"},
		{"added", "{\n    \"a\": {\"version\": 1}\n}\n", "version", 2, "{\n    \"a\": {\"version\": 1},\n    \"version\": 2\n}\n"},
		{"added in one line", `{"a": true}`, "version", 2, `{"a": true, "version": 2}`},
		{"indented", "{\n  \"a\": 1\n}", "env", map[string]string{"K": "<v>"}, "{\n  \"a\": 1,\n  \"env\": {\n    \"K\": \"<v>\"\n  }\n}"},
		{"last of two", `{"a":1,"a":"x,y"}`, "a", "z", `{"a":1,"a":"z"}`},
		{"empty", "{ }", "a", "z", "{\n  \"a\": \"z\"\n}\n"},
		{"name with quotes", `{"a\"}":1,"b":"}"}`, "b", nil, `{"a\"}":1,"b":null}`},
	} {
		got, err := setMember(tt.text, tt.member, tt.value)
		if err != nil || got != tt.want {
			t.Errorf("%s: got %q (%v), want %q", tt.name, got, err, tt.want)
		}
	}
}

func TestLineOf(t *testing.T) {
	t.Parallel()
	text := "{\n  \"name\": \"x\",\n  \"settings\": {\n    \"a\": 1, \"timeoutMs\": \"5\"\n  }\n}"
	for _, tt := range []struct {
		path         []string
		line, column int
	}{
		{nil, 1, 1},
		{[]string{"name"}, 2, 3},
		{[]string{"settings"}, 3, 3},
		{[]string{"settings", "timeoutMs"}, 4, 13},
		{[]string{"settings", "none"}, 3, 3},
		{[]string{"none", "settings"}, 1, 1},
	} {
		if line, column := lineOf(text, tt.path); line != tt.line || column != tt.column {
			t.Errorf("%q: got %d:%d, want %d:%d", tt.path, line, column, tt.line, tt.column)
		}
	}
}
