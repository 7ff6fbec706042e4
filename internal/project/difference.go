package project

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"convoke"
	"convoke/api"
)

// settingsName stands for a file in differences: what a version is beside its code.
const settingsName = "settings"

// difference is what makes the texts of old those of new, as unified diffs in
// the order of their names; "" when they are equal. The texts may be other
// people's: who shows them makes control characters visible.
func difference(oldName string, old map[string]string, newName string, new map[string]string) string {
	names := maps.Clone(old)
	maps.Copy(names, new)
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(names)) {
		was, had := old[name]
		is, has := new[name]
		if was == is && had == has {
			continue
		}
		from, to := oldName+"/"+name, newName+"/"+name
		if !had {
			from = "/dev/null"
		}
		if !has {
			to = "/dev/null"
		}
		_, text, _ := bytes.Cut(diff.Diff(from, []byte(was), to, []byte(is)), []byte("\n"))
		b.Write(text)
	}
	return b.String()
}

// listing says what is new where nothing was: code is not repeated.
func listing(dir string, texts map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if name != settingsName {
			lines := "1 line"
			if n := len(slices.Collect(strings.Lines(texts[name]))); n != 1 {
				lines = fmt.Sprintf("%d lines", n)
			}
			fmt.Fprintf(&b, "+ %s (%s)\n", dir+"/"+name, lines)
		}
	}
	for line := range strings.Lines(texts[settingsName]) {
		b.WriteString("+ " + line)
	}
	return b.String()
}

// textsOf is a function with one version of it as texts by name: its files,
// the main one called entry, and one with all settings.
func textsOf(entry, event, description string, skills []string, m *api.Manifest) map[string]string {
	texts := map[string]string{}
	if m.Code != "" {
		texts[entry] = m.Code
	}
	maps.Copy(texts, m.Files)
	var b strings.Builder
	line := func(name string, value any) {
		text, _ := json.Marshal(value) // of plain text, numbers and lists
		fmt.Fprintf(&b, "%s: %s\n", name, text)
	}
	if event != "" {
		line("event", event)
	}
	if description != "" {
		line("description", description)
	}
	if len(skills) > 0 {
		line("skills", skills)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Environment)) {
		line("environmentVariables."+name, m.Environment[name])
	}
	if m.AllowedDomains != nil {
		line("allowedDomains", m.AllowedDomains)
	}
	if m.Code != "" && m.Runtime != convoke.DefaultRuntime && m.Runtime != "" {
		line("runtime", m.Runtime)
	}
	if m.Contract != "" {
		line("contract", m.Contract)
	}
	if m.Language == string(convoke.TypeScript) {
		line("language", m.Language)
	}
	for _, s := range []struct {
		name  string
		value int64
	}{
		{"timeoutMs", m.Settings.TimeoutMs}, {"memoryMiB", int64(m.Settings.MemoryMiB)}, {"concurrency", int64(m.Settings.Concurrency)},
		{"minInstances", int64(m.Settings.MinInstances)}, {"maxInstances", int64(m.Settings.MaxInstances)}, {"idleTimeoutSeconds", m.Settings.IdleTimeoutSeconds},
		{"invocationsPerSecond", int64(m.Settings.InvocationsPerSecond)},
	} {
		if s.value != 0 {
			line(s.name, s.value)
		}
	}
	if b.Len() > 0 {
		texts[settingsName] = b.String()
	}
	return texts
}
