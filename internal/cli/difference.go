package cli

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
// the order of their names; "" when they are equal. Control characters are
// shown as such: the text may be other people's.
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
		b.WriteString(visible(string(text)))
	}
	return b.String()
}

// listing says what is new where nothing was: code is not repeated.
func listing(dir string, texts map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if name != settingsName {
			fmt.Fprintf(&b, "+ %s (%s)\n", visible(dir+"/"+name), count(len(slices.Collect(strings.Lines(texts[name]))), "line"))
		}
	}
	for line := range strings.Lines(texts[settingsName]) {
		b.WriteString("+ " + visible(line))
	}
	return b.String()
}

// printDiff prints a unified diff, coloured on a terminal.
func (a *app) printDiff(indent, text string) {
	coloured := a.colours()
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if code := diffColour(line); coloured && code != "" {
			line = "\x1b[" + code + "m" + line + "\x1b[0m"
		}
		fmt.Fprintln(a.Stdout, indent+line)
	}
}

// colours reports whether stdout takes them; https://no-color.org.
func (a *app) colours() bool {
	return a.StdoutTTY && a.Env["NO_COLOR"] == "" && a.Env["TERM"] != "dumb"
}

func diffColour(line string) string {
	switch {
	case strings.HasPrefix(line, "--- "), strings.HasPrefix(line, "+++ "):
		return "1" // bold
	case strings.HasPrefix(line, "@@ "):
		return "36" // cyan
	case strings.HasPrefix(line, "-"):
		return "31" // red
	case strings.HasPrefix(line, "+"):
		return "32" // green
	}
	return ""
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
