package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/idna"

	"convoke"
	"convoke/api"
	"convoke/client"
)

func (a *app) domainCommand() *cobra.Command {
	domain := noun("domain", "Allow domains that functions may call, list and remove them", a.domainAdd(), a.domainList(), a.domainRemove())
	domain.Long = `Functions reach nothing outside but the domains that their account allows.

api.example.com allows this name alone, on the ports 443 and 80; another port is
named: api.example.com:8443. *.example.com allows every name below example.com,
however deep, and not example.com itself. Each host that a redirect leads to
needs to be allowed, too. A change holds for the next call.`
	return domain
}

func (a *app) domainAdd() *cobra.Command {
	return &cobra.Command{
		Use:   "add NAME...",
		Short: "Allow functions to call domains",
		Long: `Allows the functions of the account to call the domains, from the next call on,
and prints what holds now. One that is allowed already is no mistake. Needs the
role admin.`,
		Example: `  convoke domain add api.example.com
  convoke domain add '*.example.com' api.example.org:8443`,
		Args:              domainArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, names []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			added := []api.Domain{}
			for _, name := range names {
				d, fresh, err := c.EnsureDomain(cmd.Context(), name)
				if err != nil {
					return forAdmins(err)
				}
				added = append(added, *d)
				switch {
				case a.json:
				case fresh:
					a.note("functions may call %s", reach(d))
				default:
					a.note("functions may call %s already", reach(d))
				}
			}
			if a.json {
				return a.printJSON(added)
			}
			return nil
		},
	}
}

// reach says what an entry allows.
func reach(d *api.Domain) string {
	text := d.Domain
	if d.Port == 0 {
		text += ":443 and :80"
	}
	if below, ok := strings.CutPrefix(d.Name, "*."); ok {
		text += " (not " + below + " itself)"
	}
	return text
}

func (a *app) domainList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the domains that functions may call",
		Example: "  convoke domain list\n  convoke domain list --json",
		Args:    args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return listFrom(a, listView[api.Domain]{
				header: []string{"DOMAIN", "ALLOWS", "ADDED", "BY"},
				row: func(d api.Domain) []string {
					return []string{d.Domain, reach(&d), formatTime(d.CreatedAt), orDash(d.CreatedBy)}
				},
				none: "functions may call nothing outside yet; convoke domain add NAME allows a domain",
			}, func(c *client.Client) ([]api.Domain, error) { return c.Domains(cmd.Context()) })
		},
	}
}

func (a *app) domainRemove() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:               "remove NAME...",
		Short:             "Stop functions from calling domains",
		Long:              "Removes domains from those that functions may call; it holds for the next call,\nalso on a connection that is open. Either all of them are removed or, if one is\nnot in the list, none. Needs the role admin.\nIt asks before; without a terminal it takes --yes.",
		Example:           "  convoke domain remove api.example.com\n  convoke domain remove '*.example.com' --yes",
		Args:              domainArgs,
		ValidArgsFunction: a.completeDomains,
		RunE: func(cmd *cobra.Command, names []string) error {
			return a.removeDomains(cmd.Context(), names, yes)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func (a *app) removeDomains(ctx context.Context, names []string, yes bool) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	list, err := c.Domains(ctx)
	if err != nil {
		return err
	}
	removed := []api.Domain{}
	for _, name := range names {
		d := client.FindDomain(list, name)
		if d == nil {
			return &hinted{convoke.Errorf(convoke.CodeNotFound, "%s is not in the list of allowed domains", name), "convoke domain list shows it"}
		}
		removed = append(removed, *d)
	}
	if err := a.confirm(yes, "Remove %s? Functions that call it are refused from then on.", strings.Join(names, ", ")); err != nil {
		return err
	}
	for _, d := range removed {
		if err := c.RemoveDomain(ctx, d.ID); err != nil {
			return forAdmins(err)
		}
		list = slices.DeleteFunc(list, func(x api.Domain) bool { return x.ID == d.ID })
		switch other := coveredBy(list, d); {
		case a.json:
		case other != "":
			a.note("%s is removed; %s still allows it", d.Domain, other)
		default:
			a.note("functions may not call %s any more", reach(&d))
		}
	}
	if a.json {
		return a.printJSON(removed)
	}
	return nil
}

// coveredBy is another entry that allows all that d did, or "".
func coveredBy(list []api.Domain, d api.Domain) string {
	port := d.Port
	if port == 0 {
		port = 443
	}
	for _, other := range list {
		entry := convoke.Domain{Name: other.Name, Port: other.Port}
		if entry.Allows(d.Name, port) && (d.Port != 0 || other.Port == 0) {
			return other.Domain
		}
	}
	return ""
}

// forAdmins gives the refusal of a weaker role the hint that helps.
func forAdmins(err error) error {
	if convoke.ErrorCode(err) == convoke.CodeForbidden {
		return &hinted{err, "changing allowed domains takes the role admin; ask an administrator of the account"}
	}
	return err
}

// domainArgs takes one domain or more, and refuses all of them if one is none:
// a slip must not leave half of the work done.
func domainArgs(cmd *cobra.Command, names []string) error {
	if len(names) == 0 {
		return usagef("NAME is missing; the command is: %s", cmd.UseLine())
	}
	for _, name := range names {
		if _, _, err := convoke.ParseDomain(name); err != nil {
			if ascii := asciiDomain(name); ascii != "" {
				return &hinted{err, "that is " + ascii}
			}
			return err
		}
	}
	return nil
}

// asciiDomain is an internationalised domain as it is looked up, or "" for what
// is none.
func asciiDomain(text string) string {
	name, port, hasPort := strings.Cut(text, ":")
	below, wild := strings.CutPrefix(name, "*.")
	ascii, err := idna.Lookup.ToASCII(below)
	if err != nil || ascii == strings.ToLower(below) {
		return ""
	}
	if wild {
		ascii = "*." + ascii
	}
	if hasPort {
		ascii += ":" + port
	}
	if _, _, err := convoke.ParseDomain(ascii); err != nil {
		return ""
	}
	return ascii
}

// completeDomains completes with what is allowed and not named yet.
func (a *app) completeDomains(cmd *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), time.Second)
	defer cancel()
	c, err := a.client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	list, err := c.Domains(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, d := range list {
		if !slices.Contains(given, d.Domain) {
			names = append(names, d.Domain)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
