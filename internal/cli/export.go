package cli

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"convoke"
	"convoke/api"
	"convoke/client"
)

// accountName is the file that export writes and apply reads.
const accountName = "account.yaml"

func (a *app) export() *cobra.Command {
	var f pullFlags
	cmd := &cobra.Command{
		Use:   "export FOLDER",
		Short: "Write a whole account into files, for convoke apply",
		Long: `Writes the newest versions of all functions into FOLDER/functions, as pull does,
and FOLDER/` + accountName + ` with functions, domains, schedules and secrets. Of secrets
it has the names, and variables that apply takes their values from; the server
gives no values away. The headers of schedules are written as they are.

It asks before it overwrites files with changes of your own. Without a terminal,
and with --json, --yes must say that nobody is to be asked.`,
		Example: "  convoke export backup\n  convoke apply -f backup/" + accountName + " --plan --account 20000002",
		Args:    args("FOLDER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runExport(cmd.Context(), args[0], f)
		},
	}
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	return cmd
}

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

func (a *app) runExport(ctx context.Context, folder string, f pullFlags) error {
	w, err := a.folder(filepath.Clean(folder))
	if err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	ids, err := index(ctx, c)
	if err != nil {
		return err
	}
	var places []place
	for _, name := range slices.Sorted(maps.Keys(ids)) {
		places = append(places, w.function(name))
	}
	all, err := a.comparePulled(ctx, c, ids, places)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(u *pulled) bool {
		empty := convoke.ErrorCode(u.err) == convoke.CodeNotFound
		if empty {
			a.note("%s is left out: it has no code yet", u.Name)
		}
		return empty
	})
	for _, u := range all {
		if u.err == nil && u.fn.DeployedVersion != nil && *u.fn.DeployedVersion != u.fn.LatestVersion {
			a.note("%s is written with its newest version, %d, which is a draft: live is %d, and applying it deploys nothing", u.Name, u.fn.LatestVersion, *u.fn.DeployedVersion)
		}
	}
	text, err := exportAccount(ctx, c, all)
	if err != nil {
		return err
	}
	if err := a.writeAccount(w, text, f.yes); err != nil {
		return err
	}
	return a.writePulled(all, f)
}

// folder is a folder to export to, which is made when it is missing.
func (a *app) folder(name string) (*workspace, error) {
	if parent, base := filepath.Split(name); base != "." && base != ".." && base != "" {
		above, err := a.open(filepath.Clean(parent))
		if err != nil {
			return nil, usagef("there is no folder %s", filepath.Clean(parent))
		}
		if err := above.MkdirAll(base, 0o755); err != nil {
			return nil, usagef("%s cannot be made: %v", name, err)
		}
	}
	root, err := a.open(name)
	return &workspace{root: root, shown: name}, err
}

// writeAccount writes account.yaml, and asks before it replaces another one.
func (a *app) writeAccount(w *workspace, text string, yes bool) error {
	at := place{root: w.root, dir: ".", dirs: w.shown}
	old, err := readText(w.root.FS(), accountName)
	switch {
	case err == nil && old == text:
		return nil
	case err == nil:
		if !a.json {
			a.printDiff("", difference(w.shown, map[string]string{accountName: old}, "account", map[string]string{accountName: text}))
		}
		if err := a.agree(yes, "Overwrite %s?", at.path(accountName)); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return at.write(accountName, text)
}

// exportAccount is the text of account.yaml.
func exportAccount(ctx context.Context, c *client.Client, functions []*pulled) (string, error) {
	out := exported{Functions: []exportedFunction{}, Domains: []string{}, Schedules: []exportedSchedule{}, Secrets: []exportedSecret{}}
	for _, u := range functions {
		if u.err != nil {
			continue
		}
		e := exportedFunction{functionsDir + "/" + u.Name, u.fn.DeployedVersion != nil, u.fn.Skills}
		if live := u.fn.DeployedVersion; live != nil && *live != u.fn.LatestVersion {
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
