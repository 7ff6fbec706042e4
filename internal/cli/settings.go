package cli

import (
	"strconv"

	"github.com/spf13/cobra"

	"convoke"
	"convoke/api"
)

func (a *app) settingsCommand() *cobra.Command {
	cmd := noun("settings", "What the account is called, and its generation", a.settingsShow(), a.settingsSet())
	cmd.Long = `Shows and changes what an account's own people decide about it. Its limits are
the operator's: convoke account update. What is used of them shows convoke limits.`
	return cmd
}

func (a *app) settingsShow() *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "Show the account's settings, with the limits of its own",
		Example: "  convoke settings show\n  convoke settings show --json", Args: args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			s, err := c.Settings(cmd.Context())
			if err != nil {
				return err
			}
			return a.printSettings(s)
		},
	}
}

func (a *app) printSettings(s *api.AccountSettings) error {
	if a.json {
		return a.printJSON(s)
	}
	return a.table(append([][]string{{"NAME", s.Name}, {"GENERATION", s.Generation}}, ownLimits(s.Limits)...))
}

// ownLimits are the rows of the limits that an account can have of its own.
func ownLimits(l convoke.AccountLimits) (rows [][]string) {
	for _, f := range limitFlags {
		own := "the server's"
		if n := *f.of(&l); n != 0 {
			own = strconv.Itoa(n)
		}
		rows = append(rows, []string{f.title, own})
	}
	return rows
}

func (a *app) settingsSet() *cobra.Command {
	var name, generation string
	cmd := &cobra.Command{
		Use: "set", Short: "Change the account's settings",
		Long: `Changes what is given and leaves the rest, and prints what holds then. The
generation, V1 or V2, decides which domain names discovery gives to tools of the
reference; they may remember the old ones for up to two hours. Functions of both
contracts run in either. Needs the role admin.`,
		Example: "  convoke settings set --name 'Example Ltd'\n  convoke settings set --generation V1 --json", Args: args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var in api.UpdateSettingsRequest
			if cmd.Flags().Changed("name") {
				in.Name = &name
			}
			if cmd.Flags().Changed("generation") {
				in.Generation = &generation
			}
			if in == (api.UpdateSettingsRequest{}) {
				return usagef("there is nothing to change; see %s --help", cmd.CommandPath())
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			s, err := c.UpdateSettings(cmd.Context(), in)
			if err != nil {
				return err
			}
			return a.printSettings(s)
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "what people call the account")
	cmd.Flags().StringVar(&generation, "generation", "", "V1 or V2")
	return cmd
}
