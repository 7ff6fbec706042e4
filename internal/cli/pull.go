package cli

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"convoke"
	"convoke/api"
	"convoke/client"
)

// pullFlags are the flags of pull.
type pullFlags struct {
	all, yes, plan, exitCode bool
}

func (a *app) pull() *cobra.Command {
	var f pullFlags
	cmd := &cobra.Command{
		Use:   "pull [NAME|FOLDER...]",
		Short: "Write functions of the server into files",
		Long: `Writes the newest version of each function into functions/NAME: the code, its
further files, and config.json, in which all that did not change stays as you
wrote it. Without a name it is the function of the current folder; outside a
project it is the folder NAME.

It shows what changes, and asks before files are overwritten that differ from
the version they were pulled from. Files that the server does not have stay.

Without a terminal, and with --json, --yes must say that nobody is to be asked.`,
		Example: `  convoke pull greeting
  convoke pull --all --plan
  convoke pull --all --yes`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.completeMoreNames,
		RunE: func(cmd *cobra.Command, names []string) error {
			return a.runPull(cmd.Context(), names, f)
		},
	}
	fl := cmd.Flags()
	fl.BoolVarP(&f.all, "all", "a", false, "all functions of the account")
	fl.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	fl.BoolVar(&f.plan, "plan", false, "only show what would change")
	fl.BoolVar(&f.exitCode, "exit-code", false, "with --plan: exit with 10 if something would change")
	return cmd
}

// pulled is one function that is pulled.
type pulled struct {
	outcomeOf
	at    place
	fn    *api.Function
	texts map[string]string // files to write
	gone  []string          // files to delete
	local bool              // changes that only these files have would be lost
}

func (u *pulled) todo() bool { return u.err == nil && (len(u.texts) > 0 || len(u.gone) > 0) }

func (a *app) runPull(ctx context.Context, names []string, f pullFlags) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	ids, err := index(ctx, c)
	if err != nil {
		return err
	}
	places, err := a.pullPlaces(names, f.all, ids)
	if err != nil {
		return err
	}
	all, err := a.comparePulled(ctx, c, ids, places)
	if err != nil {
		return err
	}
	return a.writePulled(all, f)
}

// pullPlaces are where the named functions go; their folders may be missing.
func (a *app) pullPlaces(names []string, all bool, ids map[string]string) ([]place, error) {
	w, err := a.workspace()
	switch {
	case err != nil:
		return nil, err
	case all && len(names) > 0:
		return nil, usagef("give either names or --all")
	case all && w == nil:
		return nil, &hinted{usagef("there is no folder functions here"), "convoke init makes a project"}
	case all:
		names = slices.Sorted(maps.Keys(ids))
	case len(names) == 0:
		return a.currentPlace(w)
	}
	var out []place
	for _, name := range names {
		at, err := a.place(w, name)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(out, func(other place) bool { return other.dirs == at.dirs }) {
			out = append(out, at)
		}
	}
	return out, nil
}

func (a *app) comparePulled(ctx context.Context, c *client.Client, ids map[string]string, places []place) ([]*pulled, error) {
	var all []*pulled
	for _, at := range places {
		u := &pulled{at: at, outcomeOf: outcomeOf{Name: at.dirs}}
		if err := u.compare(ctx, c, ids); stopped(err) {
			return nil, err
		} else if err != nil {
			u.fail(err)
		}
		all = append(all, u)
	}
	return all, nil
}

// compare finds what the server has that the files do not.
func (u *pulled) compare(ctx context.Context, c *client.Client, ids map[string]string) error {
	p := &project{dir: u.at.dirs, files: map[string]string{}}
	if u.at.hasIndex() {
		var err error
		if p, err = u.at.read(); err != nil {
			return err
		}
	}
	name, err := u.at.pulledName(p)
	if err != nil {
		return err
	}
	u.Name = name
	id := ids[name]
	if id == "" {
		return convoke.Errorf(convoke.CodeFunctionNotFound, "there is no function %q on the server", name)
	}
	fn, err := c.Function(ctx, id)
	if err != nil {
		return err
	}
	u.fn = fn
	u.of(fn)
	if len(fn.Versions) == 0 || fn.Versions[0].Code == "" {
		return convoke.Errorf(convoke.CodeNotFound, "%s has no code on the server yet", name)
	}
	if err := u.take(p, fn); err != nil {
		return err
	}
	u.Result = "unchanged"
	if u.todo() {
		u.Result = "change"
	}
	return nil
}

// pulledName is the function's name, also where nothing is yet.
func (at place) pulledName(p *project) (string, error) {
	if at.name == "" && p.entry == "" && at.dir != "." {
		return path.Base(at.dir), nil
	}
	return at.function(p)
}

// take finds the files to write and to delete.
func (u *pulled) take(p *project, fn *api.Function) error {
	newest := &fn.Versions[0]
	entry := p.entry
	if entry == "" || string(p.language) != newest.Language {
		entry = entryOf(newest.Language)
	}
	is := map[string]string{entry: newest.Code}
	for name, text := range newest.Files {
		if !p.mayHold(name) {
			return convoke.Errorf(convoke.CodeValidation, "%s has a file %q on the server, which a function's folder cannot hold", fn.Name, name)
		}
		is[name] = text
	}
	config, err := u.at.pulledConfig(p, fn, newest)
	if err != nil {
		return err
	}
	is[configFile] = config

	was := maps.Clone(p.files)
	if p.entry != "" {
		was[p.entry] = p.code
	}
	if p.text != "" {
		was[configFile] = p.text
	}
	if p.entry != "" && entry != p.entry {
		u.gone = append(u.gone, p.entry) // two index files would be no function
	}
	for name := range was {
		if _, kept := is[name]; !kept && !slices.Contains(u.gone, name) {
			delete(was, name)
		}
	}
	u.texts = map[string]string{}
	for name, text := range is {
		if old, had := was[name]; !had || old != text {
			u.texts[name] = text
		}
	}
	if len(was) == 0 {
		u.Diff = listing(u.at.dirs, is)
	} else {
		u.Diff = difference(u.at.dirs, was, fmt.Sprintf("%s@%d", fn.Name, newest.Version), is)
	}
	u.local = p.entry != "" && !p.isVersion(fn) && p.differsIn(u)
	return nil
}

// entryOf is the main file's name of a new folder.
func entryOf(language string) string {
	if language == string(convoke.TypeScript) {
		return "index.ts"
	}
	return "index.js"
}

// mayHold reports whether a file of the server's is one that push would send:
// any other has no business in the folder, and may do harm there.
func (p *project) mayHold(name string) bool {
	if !fs.ValidPath(name) || !p.isPart(name) || isIndex(name) {
		return false
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if base := path.Base(dir); slices.Contains(aside, base) || strings.HasPrefix(base, ".") {
			return false
		}
	}
	return true
}

// isVersion reports whether the files are those of the version that they were
// pulled from: then nothing that only they have can be lost.
func (p *project) isVersion(fn *api.Function) bool {
	i := slices.IndexFunc(fn.Versions, func(v api.Manifest) bool { return v.Version == int(p.config.Version) })
	if i < 0 {
		return false
	}
	base := *fn
	base.Versions = fn.Versions[i:]
	ch, err := planChange(fn.Name, p, nil, &base)
	return err == nil && ch.none()
}

// differsIn reports whether pulling overwrites anything but the number of the
// version in config.json.
func (p *project) differsIn(u *pulled) bool {
	for name := range u.texts {
		if name != configFile {
			return true
		}
	}
	renumbered, err := setMember(p.text, "version", u.Version)
	return len(u.gone) > 0 || err != nil || p.text != "" && renumbered != u.texts[configFile]
}

// writePulled shows what changes, asks, and writes.
func (a *app) writePulled(all []*pulled, f pullFlags) error {
	todo, lost := 0, []string{}
	outcomes := make([]*outcomeOf, len(all))
	for i, u := range all {
		outcomes[i] = &u.outcomeOf
		if !u.todo() {
			continue
		}
		todo++
		if u.local {
			lost = append(lost, u.Name)
		}
		if !a.json {
			a.printDiff("", u.Diff)
		}
	}
	if f.plan {
		if err := a.finish(outcomes, "functions cannot be pulled"); err != nil {
			return err
		}
		if f.exitCode && todo > 0 {
			return &changesError{todo}
		}
		return nil
	}
	if len(lost) > 0 {
		if err := a.agree(f.yes, "Overwrite your changes of %s?", strings.Join(lost, ", ")); err != nil {
			return err
		}
	}
	for _, u := range all {
		if !u.todo() {
			continue
		}
		if err := u.write(); err != nil {
			u.fail(err)
			continue
		}
		u.Result = "pulled"
	}
	return a.finish(outcomes, "functions were not pulled")
}

func (u *pulled) write() error {
	for _, name := range slices.Sorted(maps.Keys(u.texts)) {
		if err := u.at.write(name, u.texts[name]); err != nil {
			return err
		}
	}
	for _, name := range u.gone {
		if err := u.at.remove(name); err != nil {
			return err
		}
	}
	return nil
}
