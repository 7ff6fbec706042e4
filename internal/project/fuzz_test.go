package project

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"convoke/api"
)

var whereOf = regexp.MustCompile(`^(\d+):(\d+): `)

// FuzzConfigFile reads config.json of a function, which any tool may have
// written: a mistake is told with a place that is in the file, and what is taken
// is, after a pull has changed it, what the pull says and valid all the same.
func FuzzConfigFile(f *testing.F) {
	for _, text := range []string{
		"", "{}", "null", "[]", `{"name":"f"}`, `{"nmae":"f"}`, "{\n  \"name\": 7\n}", `{"name":"a","name":"b"}`, `{"NAME":"a"}`, "\ufeff{}", `{"environmentVariables":{"key":"value"}}`, `{"environmentVariables":[{"key":"","value":""}]}`,
		`{"environmentVariables":[{"key":"A","value":"1"},{"key":"A","value":"2"}]}`, `{"environmentVariables":"x"}`, `{"settings":{"timeoutMs":1e3}}`, `{"settings":{"timeoutMs":"5"}}`, `{"settings":null}`, `{"settings":[]}`, `{"allowedDomains":["*"]}`, `{"allowedDomains":null}`,
		`{"allowedDomains":"x"}`, `{"version":-1}`, `{"version":"x"}`, `{"version":1.5,"event":"x"}`, `{"event":"No Event","description":null,"input":{"headers":[],"payload":{}}}`, "{\"name\":\"\xff\"}", "{\"a\\u0000\":1}", "{ \"version\" : 1 , \n\t\"input\":[1,2,{\"version\":3}] }\n", strings.Repeat(`{"settings":`, 9000),
		`{"input":"}{","description":"\"}\n"}`, `{"name":"x"} {}`, `{"name":"x"},`,
	} {
		f.Add(text, 7)
	}
	f.Fuzz(func(t *testing.T, text string, version int) {
		c, err := parseConfig(text)
		if err != nil {
			where := whereOf.FindStringSubmatch(err.Error())
			if where == nil {
				t.Fatalf("%q: %v has no place", text, err)
			}
			line, _ := strconv.Atoi(where[1])
			column, _ := strconv.Atoi(where[2])
			lines := strings.Split(text, "\n")
			if line < 1 || line > len(lines) || column < 1 || column > len(lines[line-1])+2 {
				t.Errorf("%q: %v is no place in it", text, err)
			}
			return
		}
		if c.Version < 0 {
			t.Errorf("%q: version %d", text, c.Version)
		}
		// A pull that finds the function as the file says changes nothing but
		// what it must, and its result is read as what was pulled.
		m := &api.Manifest{Version: max(version&0xffff, 1), Environment: map[string]string{"A": `<"\>`}, AllowedDomains: []string{"a.example"}}
		fn := &api.Function{Description: "pulled\n" + text[:min(len(text), 20)], EventID: "conversational_command"}
		fn.Description = strings.ToValidUTF8(fn.Description, "?")
		edited, err := editConfig(text, formOf(text), &c, fn, m)
		if err != nil {
			t.Fatalf("%q is taken and cannot be edited: %v", text, err)
		}
		if !strings.HasPrefix(strings.TrimSpace(text), "{") {
			return // null: there is no object to be edited
		}
		if !json.Valid([]byte(edited)) {
			t.Fatalf("%q becomes %q, which is no JSON", text, edited)
		}
		got, err := parseConfig(edited)
		if err != nil {
			t.Fatalf("%q becomes %q: %v", text, edited, err)
		}
		event, _ := got.event()
		if got.Description == nil || *got.Description != fn.Description || event != fn.EventID || int(got.Version) != m.Version || got.Name != c.Name ||
			!cmp.Equal(map[string]string(got.Environment), m.Environment) || !cmp.Equal([]string(got.Domains), m.AllowedDomains) {
			t.Errorf("%q becomes %q, which is read as %+v", text, edited, got)
		}
		again, err := editConfig(edited, formOf(edited), &got, fn, m)
		if err != nil || again != edited {
			t.Errorf("%q becomes %q and then %q, %v", text, edited, again, err)
		}
	})
}
