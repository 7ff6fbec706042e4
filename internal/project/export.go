package project

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"convoke"
	"convoke/api"
	"convoke/client"
)

// AccountName is the file that Export makes and ReadAccount reads.
const AccountName = "account.yaml"

// exported is account.yaml.
type exported struct {
	Functions []exportedFunction `yaml:"functions"`
	Domains   []string           `yaml:"domains"`
	Schedules []exportedSchedule `yaml:"schedules"`
	Secrets   []exportedSecret   `yaml:"secrets"`
}

type exportedFunction struct {
	Path     string   `yaml:"path"`
	Deployed any      `yaml:"deployed"` // true, false or keep
	Skills   []string `yaml:"skills,omitempty"`
}

type exportedSchedule struct {
	Function    string            `yaml:"function"`
	Cron        string            `yaml:"cron"`
	Description string            `yaml:"description,omitempty"`
	Active      bool              `yaml:"active"`
	Headers     map[string]string `yaml:"headers,omitempty"`
	Payload     *yaml.Node        `yaml:"payload,omitempty"`
}

type exportedSecret struct {
	Name    string `yaml:"name"`
	Type    string `yaml:"type,omitempty"`
	FromEnv string `yaml:"fromEnv"`
}

// Export is a whole account compared with a folder, to be written into it.
type Export struct {
	Functions []*Exported
	Diff      string // of account.yaml, where another one is overwritten
	Path      string // of account.yaml, as the user would write it

	at   Place
	text string
	same bool
}

// Exported is one function of an export, and what went wrong with it.
type Exported struct {
	*Pull
	Err error
}

// Empty reports whether the function is left out: it has no code yet.
func (e *Exported) Empty() bool { return convoke.ErrorCode(e.Err) == convoke.CodeNotFound }

// Export compares the account with a folder, which is made when it is missing.
func (d *Folders) Export(ctx context.Context, c *client.Client, folder string) (*Export, error) {
	w, err := d.folder(filepath.Clean(folder))
	if err != nil {
		return nil, err
	}
	ids, err := Index(ctx, c)
	if err != nil {
		return nil, err
	}
	out := &Export{at: Place{root: w.root, dir: ".", dirs: w.shown}}
	for _, name := range slices.Sorted(maps.Keys(ids)) {
		u, err := w.function(name).Pull(ctx, c, ids)
		if Stops(err) {
			return nil, err
		}
		out.Functions = append(out.Functions, &Exported{u, err})
	}
	if out.text, err = exportAccount(ctx, c, out.Functions); err != nil {
		return nil, err
	}
	out.Path = out.at.path(AccountName)
	old, err := readText(w.root.FS(), AccountName)
	switch {
	case err == nil && old == out.text:
		out.same = true
	case err == nil:
		out.Diff = difference(w.shown, map[string]string{AccountName: old}, "account", map[string]string{AccountName: out.text})
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	return out, nil
}

// Write writes account.yaml; functions are written one by one.
func (e *Export) Write() error {
	if e.same {
		return nil
	}
	return e.at.write(AccountName, e.text)
}

// folder is one to export to, which is made when it is missing.
func (d *Folders) folder(name string) (*Workspace, error) {
	if parent, base := filepath.Split(name); base != "." && base != ".." && base != "" {
		above, err := d.open(filepath.Clean(parent))
		if err != nil {
			return nil, mistakef("there is no folder %s", filepath.Clean(parent))
		}
		if err := above.MkdirAll(base, 0o755); err != nil {
			return nil, mistakef("%s cannot be made: %v", name, err)
		}
	}
	root, err := d.open(name)
	return &Workspace{root: root, shown: name}, err
}

// exportAccount is the text of account.yaml.
func exportAccount(ctx context.Context, c *client.Client, functions []*Exported) (string, error) {
	out := exported{Functions: []exportedFunction{}, Domains: []string{}, Schedules: []exportedSchedule{}, Secrets: []exportedSecret{}}
	for _, u := range functions {
		if u.Err != nil {
			continue
		}
		e := exportedFunction{functionsDir + "/" + u.Name, u.Function.DeployedVersion != nil, u.Function.Skills}
		if live := u.Function.DeployedVersion; live != nil && *live != u.Function.LatestVersion {
			e.Deployed = deployedKeep
		}
		out.Functions = append(out.Functions, e)
	}
	domains, err := c.Domains(ctx)
	if err != nil {
		return "", err
	}
	for _, d := range domains {
		out.Domains = append(out.Domains, d.Domain)
	}
	schedules, err := c.Schedules(ctx, "")
	if err != nil {
		return "", err
	}
	for _, sc := range schedules {
		e, err := exportSchedule(&sc)
		if err != nil {
			return "", err
		}
		out.Schedules = append(out.Schedules, e)
	}
	secrets, err := c.Secrets(ctx, false)
	if err != nil {
		return "", err
	}
	for _, s := range secrets {
		e := exportedSecret{Name: s.Name, FromEnv: variableOf(s.Name)}
		if s.Type != string(convoke.SecretString) {
			e.Type = strings.ToLower(s.Type)
		}
		out.Secrets = append(out.Secrets, e)
	}
	text, err := yaml.Dump(out, yaml.WithIndent(2), yaml.WithLineWidth(-1))
	return string(text), err
}

func exportSchedule(sc *api.Schedule) (exportedSchedule, error) {
	e := exportedSchedule{Function: sc.FunctionName, Cron: sc.CronExpression, Description: sc.Description, Active: sc.IsActive, Headers: sc.InvocationBody.Headers}
	text, err := canonical(sc.InvocationBody.Payload)
	if err != nil || text == "{}" {
		return e, err
	}
	var doc yaml.Node // JSON is YAML: numbers stay as they are written
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return e, err
	}
	e.Payload = doc.Content[0]
	return e, nil
}

// variableOf makes a secret's name that of a variable: "api-key" is API_KEY.
func variableOf(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return []rune(strings.ToUpper(string(r)))[0]
		}
		return '_'
	}, name)
}
