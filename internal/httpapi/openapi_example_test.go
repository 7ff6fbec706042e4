package httpapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestExamplesAreValid holds every example of both documents, which are what
// was sent to a server and answered by it, to the schema beside it.
func TestExamplesAreValid(t *testing.T) {
	t.Parallel()
	for name, doc := range documents() {
		seen := 0
		for path, ops := range doc.Paths {
			for method, op := range ops {
				bodies := map[string]content{}
				for status, res := range op.Responses {
					bodies[status] = res
				}
				if op.RequestBody != nil {
					bodies["request"] = *op.RequestBody
				}
				for part, body := range bodies {
					for mediaType, m := range body.Content {
						if m.Example == nil {
							continue
						}
						seen++
						for _, problem := range doc.check(m) {
							t.Errorf("%s: %s %s, %s, %s: %s in %s", name, method, path, part, mediaType, problem, m.Example)
						}
					}
				}
			}
		}
		if seen < 20 {
			t.Errorf("%s has %d examples", name, seen)
		}
	}
}

// TestExamplesCanBeWrong: what the test before would overlook proves nothing.
func TestExamplesCanBeWrong(t *testing.T) {
	t.Parallel()
	doc := documents()["testdata/openapi.json"]
	d := schema{Ref: "#/components/schemas/Token"}
	good := `{"id":"t","name":"n","roles":["admin"],"createdBy":"b","createdAt":"2026-11-27T09:30:00.000Z"}`
	if problems := doc.check(media{d, json.RawMessage(good)}); problems != nil {
		t.Fatal(problems)
	}
	for why, bad := range map[string]string{
		"no role":      strings.Replace(good, `"admin"`, `"king"`, 1),
		"no list":      strings.Replace(good, `["admin"]`, `"admin"`, 1),
		"missing":      strings.Replace(good, `"name":"n",`, ``, 1),
		"unknown":      strings.Replace(good, `"id"`, `"new":1,"id"`, 1),
		"wrong type":   strings.Replace(good, `"n"`, `7`, 1),
		"null":         strings.Replace(good, `"n"`, `null`, 1),
		"no time":      strings.Replace(good, `2026-11-27T`, `yesterday `, 1),
		"no object":    `[]`,
		"not JSON":     `{`,
		"two problems": `{"id":1}`,
	} {
		if problems := doc.check(media{d, json.RawMessage(bad)}); len(problems) == 0 {
			t.Errorf("%s passes: %s", why, bad)
		}
	}
}

// check is what is wrong with an example. It knows the part of JSON Schema
// that we use.
func (d *document) check(m media) []string {
	var v any
	if err := json.Unmarshal(m.Example, &v); err != nil {
		return []string{err.Error()}
	}
	return d.problems(m.Schema, v, "")
}

func (d *document) problems(s schema, v any, at string) (out []string) {
	say := func(format string, args ...any) { out = append(out, at+": "+fmt.Sprintf(format, args...)) }
	if s.Ref != "" {
		return d.problems(d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")], v, at)
	}
	if len(s.AnyOf) > 0 {
		for _, one := range s.AnyOf {
			problems := d.problems(one, v, at)
			if problems == nil {
				return nil
			}
			out = append(out, problems...)
		}
		return out
	}
	if len(s.Type) > 0 && !slices.Contains(s.Type, kindOf(v)) && (kindOf(v) != "integer" || !slices.Contains(s.Type, "number")) {
		say("%v is a %s, not %v", v, kindOf(v), s.Type)
		return out
	}
	switch v := v.(type) {
	case string:
		if s.Enum != nil && !slices.Contains(s.Enum, v) {
			say("%q is none of %q", v, s.Enum)
		}
		if s.Format == "date-time" {
			if _, err := time.Parse(time.RFC3339Nano, v); err != nil {
				say("%v", err)
			}
		}
	case []any:
		for i, one := range v {
			if s.Items != nil {
				out = append(out, d.problems(*s.Items, one, fmt.Sprintf("%s[%d]", at, i))...)
			}
		}
	case map[string]any:
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				say("%s is missing", name)
			}
		}
		for name, one := range v {
			member, known := s.Properties[name]
			switch {
			case s.PropertyNames != nil && !slices.Contains(s.PropertyNames.Enum, name):
				say("%q is none of %q", name, s.PropertyNames.Enum)
			case known:
				out = append(out, d.problems(member, one, at+"."+name)...)
			case s.AdditionalProperties != nil:
				out = append(out, d.problems(*s.AdditionalProperties, one, at+"."+name)...)
			case s.Properties != nil:
				say("%s is not described", name)
			}
		}
	}
	return out
}

func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	default:
		return "object"
	}
}
