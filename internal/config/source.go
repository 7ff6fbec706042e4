package config

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"go.yaml.in/yaml/v4"

	"convoke"
)

const envPrefix = "CONVOKE_"

// maxFileBytes bounds the YAML file: a device or a wrong path must not fill memory.
const maxFileBytes = 1 << 20

// Setting describes one value of [Config].
type Setting struct {
	Path    string // name in the file, groups with a dot: "log.level"
	Env     string // CONVOKE_LOG_LEVEL
	Flag    string // log-level, without dashes; "" when it has no flag
	Help    string
	Type    string // "string", "int", "duration", or "bool", which a flag may leave out
	Default string // as a person writes it; "" or "0" when there is none, or it depends on the machine
	index   []int
	secret  bool
	zero    bool // 0 is a value, of a number that otherwise has to be more
}

// Settings are all settings in the order of [Config].
func Settings() []Setting {
	var list []Setting
	collect(reflect.ValueOf(*Default()), nil, "", envPrefix, &list)
	return list
}

func collect(defaults reflect.Value, index []int, path, prefix string, list *[]Setting) {
	for i := range defaults.NumField() {
		f := defaults.Type().Field(i)
		name := f.Tag.Get("yaml")
		if name == "" {
			continue
		}
		at := append(slices.Clone(index), i)
		if group := f.Tag.Get("envPrefix"); group != "" {
			collect(defaults.Field(i), at, name+".", prefix+group, list)
			continue
		}
		s := Setting{
			Path: path + name, Env: prefix + f.Tag.Get("env"), Help: f.Tag.Get("help"),
			Type: "string", Default: fmt.Sprint(plain(defaults.Field(i).Interface())),
			index: at, secret: f.Type == reflect.TypeFor[convoke.Secret](), zero: f.Tag.Get("zero") != "",
		}
		switch defaults.Field(i).Interface().(type) {
		case time.Duration:
			s.Type = "duration"
		case int:
			s.Type = "int"
		case bool:
			s.Type = "bool"
		}
		// The limits are many and seldom touched: file and environment suffice.
		if s.Help != "" && f.Tag.Get("flag") != "no" {
			s.Flag = kebab(s.Path)
		}
		*list = append(*list, s)
	}
}

// kebab turns "log.level" and "maxWaiters" into "log-level" and "max-waiters".
func kebab(path string) string {
	var b strings.Builder
	for i, r := range path {
		switch {
		case r == '.':
			b.WriteByte('-')
		case r >= 'A' && r <= 'Z':
			// "memoryMiB" is memory-mib: a capital after a short run stays with it.
			if i > 0 && !strings.HasSuffix(path[:i], "Mi") {
				b.WriteByte('-')
			}
			b.WriteRune(r - 'A' + 'a')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// value is the text of one setting and where it stands.
type value struct {
	setting Setting
	text    string
	source  string // "CONVOKE_LISTEN", "--listen", "convoke.yaml:3"
}

// gather collects texts, the weakest source first. The problems are settings
// that do not exist, or a file that cannot be read at all.
func gather(o LoadOptions) (values []value, problems []string) {
	settings := Settings()
	if o.File != "" {
		values, problems = readFile(o.File, settings)
	}
	for _, s := range settings {
		if text := o.Env[s.Env]; text != "" {
			values = append(values, value{s, text, s.Env})
		}
	}
	for _, s := range settings {
		if text, ok := o.Flags[s.Path]; ok && s.Flag != "" {
			values = append(values, value{s, text, "--" + s.Flag})
		}
	}
	return values, problems
}

// apply sets the values in order, so that a later one wins, and returns what
// is wrong with them and which settings they are for.
func (c *Config) apply(values []value) (problems, unreadable []string) {
	for _, v := range values {
		// One at a time: then an error has exactly one source.
		err := env.ParseWithOptions(c, env.Options{Prefix: envPrefix, Environment: map[string]string{v.setting.Env: v.text}})
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %s must be %s%s", v.source, v.setting.Path, kindOf(c, v.setting), v.notThis()))
			unreadable = append(unreadable, v.setting.Path)
			continue
		}
		c.sources[v.setting.Path] = v.source
	}
	return problems, unreadable
}

func (v value) notThis() string {
	if v.setting.secret {
		return ""
	}
	return fmt.Sprintf(", not %q", v.text)
}

func kindOf(c *Config, s Setting) string {
	switch reflect.ValueOf(c).Elem().FieldByIndex(s.index).Interface().(type) {
	case time.Duration:
		return "a duration such as 30s or 5m"
	case int:
		return "a whole number"
	case bool:
		return "true or false"
	default:
		return s.Help
	}
}

// joined makes one error of all problems, or nil of none.
func joined(problems []string) error {
	switch len(problems) {
	case 0:
		return nil
	case 1:
		return convoke.Errorf(convoke.CodeValidation, "%s", problems[0])
	}
	return convoke.Errorf(convoke.CodeValidation, "%d settings are wrong:\n  %s", len(problems), strings.Join(problems, "\n  "))
}

// readFile reads the YAML file, which holds scalars in at most one level of groups.
func readFile(path string, settings []Setting) (values []value, problems []string) {
	text, err := readBounded(path)
	if err != nil {
		return nil, []string{fmt.Sprintf("cannot read the configuration file: %v", err)}
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil { // Load refuses a file of only comments
		return nil, []string{fmt.Sprintf("%s is no valid YAML: %v", path, err)}
	}
	if len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
		return nil, nil
	}
	f := file{path: path, settings: settings}
	f.walk(doc.Content[0], "")
	return f.values, f.problems
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err == nil && len(text) > maxFileBytes {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxFileBytes)
	}
	return text, err
}

type file struct {
	path     string
	settings []Setting
	values   []value
	problems []string
}

func (f *file) walk(n *yaml.Node, group string) {
	if n.Kind != yaml.MappingNode {
		f.problem(n, "a mapping from names to values was expected")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		path := group + key.Value
		isGroup := slices.ContainsFunc(f.settings, func(s Setting) bool { return strings.HasPrefix(s.Path, path+".") })
		at := slices.IndexFunc(f.settings, func(s Setting) bool { return s.Path == path })
		switch {
		case seen[path]:
			f.problem(key, "%s is set twice", path)
		case isGroup && val.Tag == "!!null":
		case isGroup:
			f.walk(val, path+".")
		case at < 0:
			f.problem(key, "there is no setting %s%s", path, f.suggest(path))
		case val.Kind != yaml.ScalarNode:
			f.problem(val, "%s takes one value", path)
		case val.Tag == "!!null" || val.Value == "":
		default:
			f.values = append(f.values, value{f.settings[at], val.Value, fmt.Sprintf("%s:%d", f.path, val.Line)})
		}
		seen[path] = true
	}
}

func (f *file) problem(n *yaml.Node, format string, args ...any) {
	f.problems = append(f.problems, fmt.Sprintf("%s:%d: ", f.path, n.Line)+fmt.Sprintf(format, args...))
}

// suggest names the setting that is spelled most like path, in whichever group.
func (f *file) suggest(path string) string {
	last := func(s string) string { return s[strings.LastIndexByte(s, '.')+1:] }
	var names []string
	for _, s := range f.settings {
		names = append(names, last(s.Path))
	}
	near := Nearest(last(path), names)
	if near == "" {
		return ""
	}
	return "; did you mean " + f.settings[slices.Index(names, near)].Path + "?"
}
