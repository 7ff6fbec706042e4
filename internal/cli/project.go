package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// addProjectCommands adds the commands that work on folders of functions; what
// those are is known by package project.
func (a *app) addProjectCommands(root *cobra.Command) {
	root.AddGroup(&cobra.Group{ID: "project", Title: "Projects:"})
	for _, cmd := range []*cobra.Command{a.initCommand(), a.pull(), a.push(), a.apply(), a.export()} {
		cmd.GroupID = "project"
		root.AddCommand(cmd)
	}
}

// planFlags are the flags of commands that show what they would change, and ask.
type planFlags struct {
	yes, plan, exitCode bool
}

func (f *planFlags) add(cmd *cobra.Command, doing string) {
	fl := cmd.Flags()
	fl.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	fl.BoolVar(&f.plan, "plan", false, "only show what would "+doing)
	fl.BoolVar(&f.exitCode, "exit-code", false, "with --plan: exit with 10 if something would change")
}

// planned is the error of a command that only shows n changes.
func (f *planFlags) planned(n int) error {
	if f.plan && f.exitCode && n > 0 {
		return &changesError{n}
	}
	return nil
}

// completePaths completes with functions that lie here, and with files.
func (a *app) completePaths(cmd *cobra.Command, given []string, word string) ([]string, cobra.ShellCompDirective) {
	names, _ := a.completePlaces(cmd, given, word)
	return names, cobra.ShellCompDirectiveDefault
}

// completePlaces completes with functions that lie here and are not named yet.
func (a *app) completePlaces(_ *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	w, err := a.folders.Workspace()
	if err != nil || w == nil {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	names, err := w.Names()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(given, name) }), cobra.ShellCompDirectiveNoFileComp
}

// completeMoreNames completes with functions of the server that are not named yet.
func (a *app) completeMoreNames(cmd *cobra.Command, given []string, word string) ([]string, cobra.ShellCompDirective) {
	names, directive := a.completeNames(cmd, nil, word)
	return slices.DeleteFunc(names, func(n string) bool {
		name, _, _ := strings.Cut(n, "\t")
		return slices.Contains(given, name)
	}), directive
}
