package project

import (
	"cmp"
	"encoding/json"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"convoke"
	"convoke/api"
)

// newConfig is config.json of a new function in the form of the reference's
// second generation; a version is added by push and pull.
type newConfig struct {
	Name        string          `json:"name"`
	Event       string          `json:"event"`
	Description string          `json:"description"`
	Input       json.RawMessage `json:"input"`
	Environment any             `json:"environmentVariables"`
}

// pulledConfig is config.json after a pull: what means the same already stays
// as it is written.
func (at Place) pulledConfig(p *Files, fn *api.Function, m *api.Manifest) (string, error) {
	if p.text != "" {
		return editConfig(p.text, formOf(p.text), &p.config, fn, m)
	}
	text, err := encode(newConfig{fn.Name, eventText(fn.EventID), fn.Description, emptyInput, environmentForm(at.formHere(), m.Environment)}, "", true)
	if err != nil {
		return "", err
	}
	had := Config{Event: &fn.EventID, Description: &fn.Description, Environment: m.Environment}
	return editConfig(text+"\n", "", &had, fn, m)
}

// emptyInput is what the reference's skeleton has for a test.
var emptyInput = json.RawMessage(`{"headers": [], "payload": {}}`)

func eventText(id string) string { return cmp.Or(id, NoEvent) }

// editConfig changes the members that mean something else than fn and m.
func editConfig(text, form string, c *Config, fn *api.Function, m *api.Manifest) (string, error) {
	type edit struct {
		name  string
		value any
	}
	var edits []edit
	if event, _ := c.event(); event != fn.EventID {
		edits = append(edits, edit{"event", eventText(fn.EventID)})
	}
	if c.Description == nil && fn.Description != "" || c.Description != nil && *c.Description != fn.Description {
		edits = append(edits, edit{"description", fn.Description})
	}
	if !maps.Equal(c.Environment, m.Environment) {
		edits = append(edits, edit{"environmentVariables", environmentForm(form, m.Environment)})
	}
	if is := settingsOf(m, c.Settings); c.Settings == nil && is != (writtenSettings{}) || c.Settings != nil && is != writtenSettings(*c.Settings) {
		edits = append(edits, edit{"settings", is})
	}
	had := c.Domains
	if slices.Equal(had, []string{"*"}) {
		had = nil
	}
	if !slices.Equal(had, m.AllowedDomains) || (had == nil) != (m.AllowedDomains == nil) {
		is := m.AllowedDomains
		if is == nil {
			is = []string{"*"}
		}
		edits = append(edits, edit{"allowedDomains", is})
	}
	if int(c.Version) != m.Version {
		edits = append(edits, edit{"version", m.Version})
	}
	var err error
	for _, e := range edits {
		if text, err = setMember(text, e.name, e.value); err != nil {
			return "", err
		}
	}
	return text, nil
}

// writtenSettings are the settings of config.json as they are written.
type writtenSettings struct {
	api.Settings
	Runtime  string `json:"runtime,omitempty"`
	Contract string `json:"contract,omitempty"`
}

// settingsOf are the settings of a version. The default runtime is written
// only where one was: other files need not name it.
func settingsOf(m *api.Manifest, had *Settings) writtenSettings {
	s := writtenSettings{m.Settings, m.Runtime, m.Contract}
	if s.Runtime == convoke.DefaultRuntime && (had == nil || had.Runtime == "") {
		s.Runtime = ""
	}
	return s
}

// The forms of environment variables in config.json: of the reference's first
// generation, and of its second.
const (
	formList = "["
	formMap  = "{"
)

// formOf is the form that config.json has, or "".
func formOf(text string) string {
	all, err := membersOf(text)
	m := findMember(all, "environmentVariables")
	if err != nil || m == nil {
		return ""
	}
	return text[m.start : m.start+1]
}

// formHere is the form of the first function beside the place that has any.
func (at Place) formHere() string {
	names, err := fs.Glob(at.root.FS(), functionsDir+"/*/"+configFile)
	if err != nil || at.name == "" {
		return ""
	}
	for _, name := range names {
		text, err := readText(at.root.FS(), name)
		if err != nil {
			continue // it is not the one that is pulled, whose mistakes are told
		}
		if form := formOf(text); form == formList || form == formMap {
			return form
		}
	}
	return ""
}

// environmentForm is variables in a form of config.json. None are written as
// the reference's placeholder: its tools would fail on an empty list.
func environmentForm(form string, env map[string]string) any {
	taken := len(env) == 1 && env["key"] == "value" // as a map it would be the placeholder
	if !strings.HasPrefix(form, formList) && !taken {
		if len(env) == 0 {
			return map[string]string{"key": "value"}
		}
		return env
	}
	list := []api.Header{} // the same members: key and value
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, api.Header{Key: name, Value: env[name]})
	}
	if len(list) == 0 {
		list = append(list, api.Header{})
	}
	return list
}
