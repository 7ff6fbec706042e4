package project

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"convoke/api"
	"convoke/internal/config"
)

// Config is config.json: the layout of the reference's command line,
// whose input is of no use here, and settings and allowedDomains, which only
// Convoke has.
type Config struct {
	Name        string
	Event       *string
	Description *string
	Environment variables   // nil is absent
	Settings    *Settings   // nil is absent
	Domains     domains     // nil is absent
	Version     baseVersion // 0 is absent
}

// Settings are the settings of config.json.
type Settings struct {
	api.Settings
	Runtime  string
	Contract string
}

// parseConfig reads config.json. The error begins where it is: "3:7: …".
func parseConfig(text string) (Config, error) {
	var c Config
	err := json.Unmarshal([]byte(text), &c)
	if err == nil {
		return c, nil
	}
	line, column := 1, 1
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		line, column = position(text, int(syntax.Offset)-1)
	} else if bad, ok := errors.AsType[*memberError](err); ok {
		line, column = lineOf(text, bad.path)
	}
	return c, fmt.Errorf("%d:%d: %w", line, column, err)
}

// memberError is a mistake in one member of a document.
type memberError struct {
	path []string // names and indexes that lead to it
	text string
}

func (e *memberError) Error() string { return e.text }

// below puts err below a member.
func below(err error, name string) error {
	if e, ok := errors.AsType[*memberError](err); ok {
		return &memberError{append([]string{name}, e.path...), e.text}
	}
	return &memberError{[]string{name}, err.Error()}
}

// UnmarshalJSON refuses members it does not know: a typing error would
// silently leave the default.
func (c *Config) UnmarshalJSON(b []byte) error {
	var unused any
	return fill(b, "", map[string]any{
		"name": &c.Name, "event": &c.Event, "description": &c.Description,
		"environmentVariables": &c.Environment, "settings": &c.Settings, "allowedDomains": &c.Domains,
		"input": &unused, "version": &c.Version,
	})
}

// UnmarshalJSON refuses members it does not know, as that of Config.
func (s *Settings) UnmarshalJSON(b []byte) error {
	return fill(b, "settings.", map[string]any{
		"timeoutMs": &s.TimeoutMs, "memoryMiB": &s.MemoryMiB, "concurrency": &s.Concurrency,
		"minInstances": &s.MinInstances, "maxInstances": &s.MaxInstances, "idleTimeoutSeconds": &s.IdleTimeoutSeconds,
		"invocationsPerSecond": &s.InvocationsPerSecond,
		"runtime":              &s.Runtime, "contract": &s.Contract,
	})
}

// fill decodes an object member by member, so that an error speaks of the
// user's file and not of Go types.
func fill(object []byte, group string, members map[string]any) error {
	var texts map[string]json.RawMessage
	if err := json.Unmarshal(object, &texts); err != nil {
		return &memberError{nil, fmt.Sprintf("%s must be an object, not %.40s", cmp.Or(strings.TrimSuffix(group, "."), "it"), object)}
	}
	names := slices.Sorted(maps.Keys(members))
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		into, known := members[name]
		if near := config.Nearest(name, names); !known && near != "" {
			return below(fmt.Errorf("there is no %s; did you mean %s?", group+name, group+near), name)
		}
		if !known {
			return below(fmt.Errorf("there is no %s; there are %s", group+name, strings.Join(names, ", ")), name)
		}
		err := json.Unmarshal(texts[name], into)
		if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			err = fmt.Errorf("%s must be %s, not %.40s", group+name, kindOf(into), texts[name])
		}
		if err != nil {
			return below(err, name)
		}
	}
	return nil
}

func kindOf(into any) string {
	switch into.(type) {
	case *int, *int64:
		return "a whole number"
	case **bool:
		return "true or false"
	case **[]string:
		return "a list of texts"
	case *map[string]string:
		return "an object of texts"
	}
	return "text"
}

// baseVersion is the number of the version that the files were pulled from, as
// the reference's command line keeps it.
type baseVersion int

// UnmarshalJSON takes what is no version's number for none: it is written by
// tools, and theirs may mean something else by it.
func (v *baseVersion) UnmarshalJSON(b []byte) error {
	var n int
	if json.Unmarshal(b, &n) == nil && n > 0 {
		*v = baseVersion(n)
	}
	return nil
}

// domains are the allowed domains that a function is narrowed to.
type domains []string

// UnmarshalJSON says in the user's words what is expected.
func (d *domains) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, (*[]string)(d)); err != nil {
		return errors.New(`allowedDomains is a list such as ["api.example.com"], or ["*"] for all that the account allows`)
	}
	return nil
}

// variables are environment variables, written as an object or as a list of
// key and value. The placeholders of the reference's skeleton mean none.
type variables map[string]string

// UnmarshalJSON reads both forms.
func (v *variables) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte("null")) {
		return nil
	}
	*v = variables{}
	var object map[string]string
	if err := json.Unmarshal(b, &object); err == nil {
		if len(object) != 1 || object["key"] != "value" {
			maps.Copy(*v, object)
		}
		return nil
	}
	var list []api.Header // the same members: key and value
	if err := json.Unmarshal(b, &list); err != nil {
		return errors.New(`environmentVariables is {"NAME": "text"} or [{"key": "NAME", "value": "text"}]`)
	}
	for _, e := range list {
		if e.Key != "" {
			(*v)[e.Key] = e.Value
		}
	}
	return nil
}
