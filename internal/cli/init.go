package cli

import (
	"github.com/spf13/cobra"

	"convoke/internal/project"
)

func (a *app) initCommand() *cobra.Command {
	var event string
	var typeScript bool
	cmd := &cobra.Command{
		Use:   "init [NAME...]",
		Short: "Make a project for functions, or add functions to one",
		Long: `Makes the layout of a project in the current folder: functions/NAME with
index.js and config.json for each function, functions/settings.json, a README.md
and a .gitignore. Files that are there stay as they are. Nothing is sent to a
server.`,
		Example: `  convoke init
  convoke init greeting --event controllerbot_messaging_new_conversation
  convoke init orders prices --typescript`,
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, names []string) error {
			m, err := a.folders.Init(names, event, typeScript)
			if err != nil {
				return err
			}
			return a.printMade(m)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().StringVar(&event, "event", "", "event that the functions listen to")
	cmd.Flags().BoolVar(&typeScript, "typescript", false, "index.ts instead of index.js")
	return cmd
}

func (a *app) printMade(m *project.Made) error {
	if a.json {
		return a.printJSON(m)
	}
	for _, name := range m.Created {
		a.note("created %s", name)
	}
	for _, name := range m.Kept {
		a.note("kept    %s", name)
	}
	if len(m.Functions) > 0 {
		name := m.Functions[0]
		a.note("next: change %s, then", m.Entry())
		a.note("  convoke push %s --deploy\n  convoke invoke %s", name, name)
	}
	return nil
}
