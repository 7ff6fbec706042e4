package cli

import (
	"cmp"
	"github.com/spf13/cobra"

	"convoke/internal/config"
)

func (a *app) profileCommand() *cobra.Command {
	cmd := noun("profile", "Servers and accounts that commands talk to", a.profileList(), a.profileUse(), a.profileRemove())
	cmd.Long = `A profile holds the address of a server, an account, and a token or sign-in, in a
file that only you can read. convoke login --profile NAME makes one.

Commands take the profile named by --profile or CONVOKE_PROFILE, else the one
chosen by convoke profile use, else the one called default. A value with a slash
or the ending .yaml is a file.`
	return cmd
}

func (a *app) profileList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the profiles", Example: "  convoke profile list", Args: args(),
		RunE: func(*cobra.Command, []string) error {
			list, err := config.ListProfiles(a.Env)
			if err != nil {
				return err
			}
			type profile struct {
				Name     string `json:"name"`
				URL      string `json:"url,omitempty"`
				Account  string `json:"account,omitempty"`
				SignedIn bool   `json:"signedIn"`
				Current  bool   `json:"current"`
				Problem  string `json:"problem,omitempty"`
			}
			var out []profile
			for _, p := range list {
				o := profile{Name: p.Name, URL: p.Profile.URL, Account: p.Profile.Account, SignedIn: !p.Profile.Token.IsZero(), Current: p.Current}
				if p.Err != nil {
					o.Problem = shown(p.Err).Message
				}
				out = append(out, o)
			}
			return printList(a, listView[profile]{
				header: []string{"", "NAME", "SERVER", "ACCOUNT", "TOKEN"},
				row: func(p profile) []string {
					mark, token := "", "none"
					if p.Current {
						mark = "*"
					}
					if p.SignedIn {
						token = "yes"
					}
					return []string{mark, p.Name, orDash(p.URL), orDash(p.Account), cmp.Or(p.Problem, token)}
				},
				none: "there are no profiles yet; convoke login makes one",
			}, out)
		},
	}
}

// completeProfiles completes the first argument with names of profiles.
func (a *app) completeProfiles(_ *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	list, err := config.ListProfiles(a.Env)
	if err != nil || len(given) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, p := range list {
		names = append(names, cobra.CompletionWithDesc(p.Name, p.Profile.URL))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) profileUse() *cobra.Command {
	return &cobra.Command{
		Use: "use NAME", Short: "Choose the profile for later commands", Example: "  convoke profile use production\n  convoke profile use default",
		Args: args("NAME"), ValidArgsFunction: a.completeProfiles,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := config.UseProfile(args[0], a.Env); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]string{"name": args[0], "state": "used"})
			}
			a.note("commands use the profile %s", args[0])
			if a.Env["CONVOKE_PROFILE"] != "" {
				a.note("CONVOKE_PROFILE is set and goes before it")
			}
			return nil
		},
	}
}

func (a *app) profileRemove() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "remove NAME", Short: "Delete a profile",
		Long:    "Deletes a profile. Its token or sign-in stays good on the server: sign out first\nwith convoke logout.\nIt asks before; without a terminal it takes --yes.",
		Example: "  convoke profile remove production", Args: args("NAME"), ValidArgsFunction: a.completeProfiles,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := a.confirm(yes, "Delete the profile %s?", args[0]); err != nil {
				return err
			}
			if err := config.RemoveProfile(args[0], a.Env); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]string{"name": args[0], "state": "removed"})
			}
			a.note("profile %s is removed", args[0])
			return nil
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}
