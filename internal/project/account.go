package project

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"convoke"
)

// Account is what files say that an account shall hold. A section that is nil is not the
// file's business: it is neither compared nor pruned.
type Account struct {
	Functions list[fileFunction]
	Domains   list[fileDomain]
	Schedules list[fileSchedule]
	Secrets   list[fileSecret]
}

// fileFunction is a function by the path of its files, or with its code. What
// is said here has precedence over its config.json.
type fileFunction struct {
	origin
	Path     string
	Code     string
	Language string
	Deployed deployedAs
	Skills   *[]string
	config   Config
}

// fileDomain is an allowed domain.
type fileDomain struct {
	origin
	Domain string
}

// fileSchedule is known by its function and cron expression.
type fileSchedule struct {
	origin
	Function    string
	Cron        string
	Description string
	Active      *bool // nil: true
	Headers     map[string]string
	Payload     json.RawMessage // nil: {}
}

// deployedAs is what is to be live of a function: its newest version, unless
// said otherwise.
type deployedAs struct {
	no   bool // nothing
	keep bool // what is live now, be it nothing
}

// deployedKeep is how a file says keep. Export writes it of a function whose
// newest version nobody deployed, so that applying it makes no draft live.
const deployedKeep = "keep"

// UnmarshalJSON reads true, false or keep.
func (d *deployedAs) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "true":
		*d = deployedAs{}
	case "false":
		*d = deployedAs{no: true}
	case strconv.Quote(deployedKeep):
		*d = deployedAs{keep: true}
	default:
		return fmt.Errorf("deployed must be true, false or %s, not %.40s", deployedKeep, b)
	}
	return nil
}

// fileSecret says where a secret's value comes from; it never has the value.
type fileSecret struct {
	origin
	Name     string
	Type     string
	FromEnv  string
	FromFile string
}

// origin is where in which file something stands.
type origin struct {
	dir   string // of the file: paths in it begin there
	where string // "account.yaml:3"
}

// UnmarshalJSON refuses members it does not know, as all of these do.
func (f *Account) UnmarshalJSON(b []byte) error {
	return fill(b, "", map[string]any{"functions": &f.Functions, "domains": &f.Domains, "schedules": &f.Schedules, "secrets": &f.Secrets})
}

func (f *fileFunction) UnmarshalJSON(b []byte) error {
	return fill(b, "", map[string]any{
		"name": &f.config.Name, "path": &f.Path, "code": &f.Code, "language": &f.Language, "deployed": &f.Deployed, "skills": &f.Skills,
		"event": &f.config.Event, "description": &f.config.Description, "environmentVariables": &f.config.Environment,
		"settings": &f.config.Settings, "allowedDomains": &f.config.Domains,
	})
}

// UnmarshalJSON reads the name alone.
func (d *fileDomain) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &d.Domain) }

func (s *fileSchedule) UnmarshalJSON(b []byte) error {
	return fill(b, "", map[string]any{
		"function": &s.Function, "cron": &s.Cron, "description": &s.Description, "active": &s.Active, "headers": &s.Headers, "payload": &s.Payload,
	})
}

func (s *fileSecret) UnmarshalJSON(b []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err == nil && members["value"] != nil {
		return &memberError{[]string{"value"}, "a secret's value has no place in a file that others read; name where it comes from by fromEnv or fromFile"}
	}
	return fill(b, "", map[string]any{"name": &s.Name, "type": &s.Type, "fromEnv": &s.FromEnv, "fromFile": &s.FromFile})
}

// list is a list whose mistakes are told with their place.
type list[T any] []T

// UnmarshalJSON reads one element after the other.
func (l *list[T]) UnmarshalJSON(b []byte) error {
	var texts []json.RawMessage
	if err := json.Unmarshal(b, &texts); err != nil || texts == nil {
		return fmt.Errorf("it must be a list, not %.40s; [] is none", b) // null is mostly a slip, and --prune would act on it
	}
	*l = make([]T, len(texts))
	for i, text := range texts {
		if err := json.Unmarshal(text, &(*l)[i]); err != nil {
			return below(err, strconv.Itoa(i))
		}
	}
	return nil
}

// ReadAccount reads one file, or all .yaml and .yml files of a folder, where
// JSON is mostly data of functions, and checks that nothing is said twice.
func (d *Folders) ReadAccount(name string) (*Account, error) {
	files := []string{name}
	if entries, err := fs.ReadDir(d.OpenDir(name), "."); err == nil {
		files = nil
		for _, e := range entries {
			if slices.Contains([]string{".yaml", ".yml"}, path.Ext(e.Name())) && !strings.HasPrefix(e.Name(), ".") {
				files = append(files, filepath.Join(name, e.Name()))
			}
		}
		if len(files) == 0 {
			return nil, mistakef("%s holds no .yaml file", name)
		}
	}
	whole := &Account{}
	for _, file := range files {
		one, err := d.readAccountFile(file)
		if err != nil {
			return nil, err
		}
		whole.add(one)
	}
	return whole, whole.check()
}

func (d *Folders) readAccountFile(name string) (*Account, error) {
	text, err := readText(d.OpenDir(filepath.Dir(name)), filepath.Base(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, mistakef("there is no file or folder %s", name)
	}
	if err != nil {
		return nil, err
	}
	f, err := parseAccount(name, text)
	if err != nil {
		return nil, mistakef("%v", err)
	}
	return f, nil
}

// parseAccount reads YAML, which JSON is a part of. Mistakes are told with
// their line.
func parseAccount(name, text string) (*Account, error) {
	dec := yaml.NewDecoder(strings.NewReader(text))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s:%d: only one document is read; put others into files of their own", name, second.Line)
	}
	f := &Account{}
	if len(doc.Content) == 0 {
		return f, nil
	}
	top := doc.Content[0]
	var value any
	if err := top.Decode(&value); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	b, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("%s: it holds what JSON does not have: %w", name, err)
	}
	if err := json.Unmarshal(b, f); err != nil {
		line := top.Line
		if bad, ok := errors.AsType[*memberError](err); ok {
			line = nodeAt(top, bad.path).Line
		}
		return nil, fmt.Errorf("%s:%d: %w", name, line, err)
	}
	at := func(section string, i int) origin {
		return origin{filepath.Dir(name), fmt.Sprintf("%s:%d", name, nodeAt(top, []string{section, strconv.Itoa(i)}).Line)}
	}
	for i := range f.Functions {
		f.Functions[i].origin = at("functions", i)
	}
	for i := range f.Domains {
		f.Domains[i].origin = at("domains", i)
	}
	for i := range f.Schedules {
		f.Schedules[i].origin = at("schedules", i)
	}
	for i := range f.Secrets {
		f.Secrets[i].origin = at("secrets", i)
	}
	return f, nil
}

// nodeAt follows names and indexes as far as they lead.
func nodeAt(n *yaml.Node, names []string) *yaml.Node {
	found := n
	for _, name := range names {
		for n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		var next *yaml.Node
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == name {
					found, next = n.Content[i], n.Content[i+1]
				}
			}
		case yaml.SequenceNode:
			if i, err := strconv.Atoi(name); err == nil && i < len(n.Content) {
				found, next = n.Content[i], n.Content[i]
			}
		}
		if next == nil {
			return found
		}
		n = next
	}
	return found
}

// add takes over the sections of another file.
func (f *Account) add(other *Account) {
	join(&f.Functions, other.Functions)
	join(&f.Domains, other.Domains)
	join(&f.Schedules, other.Schedules)
	join(&f.Secrets, other.Secrets)
}

// join appends; an empty list makes a list of nil: the section is there.
func join[T any](to *list[T], more list[T]) {
	if more != nil {
		*to = append(append(list[T]{}, *to...), more...)
	}
}

// check refuses what is missing, wrong in itself, or there twice.
func (f *Account) check() error {
	seen := map[string]string{}
	once := func(o origin, key, what string) error {
		if first := seen[key]; first != "" {
			return mistakef("%s: %s is in %s already", o.where, what, first)
		}
		seen[key] = o.where
		return nil
	}
	for i := range f.Functions {
		if err := f.Functions[i].check(); err != nil {
			return err
		}
	}
	for _, d := range f.Domains {
		host, port, err := convoke.ParseDomain(d.Domain)
		if err != nil {
			return mistakef("%s: %s", d.where, ruleOf(err))
		}
		if err := once(d.origin, "domain "+host+strconv.Itoa(port), d.Domain); err != nil {
			return err
		}
	}
	for i := range f.Schedules {
		s := &f.Schedules[i]
		if err := s.check(); err != nil {
			return err
		}
		if err := once(s.origin, "schedule "+s.key(), "a schedule of "+s.Function+" at "+s.Cron); err != nil {
			return err
		}
	}
	for i := range f.Secrets {
		s := &f.Secrets[i]
		if err := s.check(); err != nil {
			return err
		}
		if err := once(s.origin, "secret "+s.Name, "the secret "+s.Name); err != nil {
			return err
		}
	}
	return nil
}

func (f *fileFunction) check() error {
	switch {
	case (f.Path == "") == (f.Code == ""):
		return mistakef("%s: a function has either a path or code", f.where)
	case f.Code != "" && f.config.Name == "":
		return mistakef("%s: a function with code has a name", f.where)
	case f.Path != "" && f.Language != "":
		return mistakef("%s: the language of a path is that of its main file", f.where)
	case f.Language != "" && f.Language != string(convoke.JavaScript) && f.Language != string(convoke.TypeScript):
		return mistakef("%s: language is javascript or typescript, not %q", f.where, f.Language)
	}
	return nil
}

func (s *fileSchedule) check() error {
	if s.Function == "" || s.Cron == "" {
		return mistakef("%s: a schedule has a function and a cron expression", s.where)
	}
	s.Cron = strings.Join(strings.Fields(s.Cron), " ")
	if len(s.Payload) == 0 || bytes.Equal(s.Payload, []byte("null")) {
		s.Payload = json.RawMessage("{}")
	}
	return nil
}

// key is what a schedule is known by.
func (s *fileSchedule) key() string { return s.Function + " " + s.Cron }

func (s *fileSecret) check() error {
	if err := convoke.ValidateSecretName(s.Name); err != nil {
		return mistakef("%s: %s", s.where, ruleOf(err))
	}
	if (s.FromEnv == "") == (s.FromFile == "") {
		return mistakef("%s: the secret %s has either fromEnv, the name of a variable, or fromFile, a path", s.where, s.Name)
	}
	if _, ok := SecretType(s.Type); !ok {
		return mistakef("%s: type is string, number or json, not %q", s.where, s.Type)
	}
	return nil
}

// read reads the function's files, or takes its code, under what the account's
// file says.
func (f *fileFunction) read(d *Folders) (*Files, string, error) {
	p := &Files{dir: f.config.Name, files: map[string]string{}, code: f.Code, entry: entryOf(f.Language)}
	var err error
	if f.Path != "" {
		p, err = d.readAt(filepath.Join(f.dir, filepath.FromSlash(f.Path)))
	} else {
		err = p.finish()
	}
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", f.where, err)
	}
	p.config.over(&f.config)
	name, err := nameOf(p, Overrides{})
	if err != nil { // its own hint is for convoke deploy
		return nil, "", &Hinted{Err: fmt.Errorf("%s: %w", f.where, err), Hint: "name: in the file gives the function another name"}
	}
	return p, name, nil
}

// over puts what other says over c.
func (c *Config) over(other *Config) {
	if other.Name != "" {
		c.Name = other.Name
	}
	if other.Event != nil {
		c.Event = other.Event
	}
	if other.Description != nil {
		c.Description = other.Description
	}
	if other.Environment != nil {
		c.Environment = other.Environment
	}
	if other.Settings != nil {
		c.Settings = other.Settings
	}
	if other.Domains != nil {
		c.Domains = other.Domains
	}
}

// readAt reads a folder, or a file, from which no link leads out.
func (d *Folders) readAt(name string) (*Files, error) {
	name = filepath.Clean(name)
	if root, err := d.open(name); err == nil {
		return Place{root: root, dir: ".", dirs: name}.read()
	}
	root, err := d.open(filepath.Dir(name))
	if err != nil {
		return nil, mistakef("there is no file or folder %s", name)
	}
	p := &Files{files: map[string]string{}}
	p.dir, p.entry = filepath.Split(name)
	if p.code, err = readEntry(root.FS(), p.entry, name); err != nil {
		return nil, err
	}
	return p, p.finish()
}
