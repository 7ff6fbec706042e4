package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"convoke"
	"convoke/api"
	"convoke/client"
)

func (a *app) consentCommand() *cobra.Command {
	cmd := noun("consent", "See and end what programs were allowed", a.consentList(), a.consentRevoke())
	cmd.Long = `A program that acts for a user asks that user first, in a browser. What was
allowed is a consent: list shows them, revoke ends one with all its tokens. A
sign-in of the command line through a browser is one too.

--user shows and ends those of somebody else, and needs the role admin.`
	return cmd
}

// ofUser is the client and the id of the user; "" is oneself.
func (a *app) ofUser(ctx context.Context, user string) (*client.Client, string, error) {
	c, err := a.client()
	if err != nil || user == "" {
		return c, "", err
	}
	u, err := c.FindUser(ctx, user)
	if err != nil {
		return nil, "", err
	}
	return c, u.ID, nil
}

func (a *app) consentList() *cobra.Command {
	var user string
	var f listFlags
	cmd := &cobra.Command{
		Use: "list", Short: "List what programs were allowed, the newest first",
		Long:    "Lists the programs that may act for you, what they may do, and since when.\n--user lists those of somebody else, and needs the role admin.",
		Example: "  convoke consent list\n  convoke consent list --user ann --sort lastUsedAt --limit 10",
		Args:    args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, id, err := a.ofUser(cmd.Context(), user)
			if err != nil {
				return err
			}
			list, err := listed(cmd.Context(), c, client.ConsentList(id), f)
			if err != nil {
				return err
			}
			return printList(a, listView[api.Consent]{
				header: []string{"ID", "PROGRAM", "SCOPES", "GIVEN", "FROM", "LAST USED", "UNTIL"},
				row: func(one api.Consent) []string {
					return []string{
						one.ID, one.ClientName, strings.Join(one.Scopes, ","), formatTime(one.CreatedAt), orDash(one.From),
						formatTime(one.LastUsedAt), formatTime(one.ExpiresAt),
					}
				},
				none: "no program was allowed anything",
			}, list)
		},
	}
	cmd.Flags().StringVarP(&user, "user", "u", "", "login name or id of somebody else")
	f.add(cmd, convoke.ConsentOrder)
	return cmd
}

func (a *app) consentRevoke() *cobra.Command {
	var user string
	var yes bool
	cmd := &cobra.Command{
		Use: "revoke ID", Short: "End a consent with all its tokens",
		Long: `Ends what a program was allowed: its tokens are refused from then on, and it has
to ask again. --user ends one of somebody else's, and needs the role admin. It asks
before; without a terminal it takes --yes.`,
		Example: "  convoke consent revoke 5b1e6f0a-8f5c-4a52-9d1c-0d3a4f3f6a11\n  convoke consent revoke 5b1e6f0a-8f5c-4a52-9d1c-0d3a4f3f6a11 --user ann --yes",
		Args:    args("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, id, err := a.ofUser(cmd.Context(), user)
			if err != nil {
				return err
			}
			if err := a.confirm(yes, "End the consent %s?", args[0]); err != nil {
				return err
			}
			if err := c.RevokeConsent(cmd.Context(), id, args[0]); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]string{"id": args[0], "state": "revoked"})
			}
			a.note("consent %s is revoked", args[0])
			return nil
		},
	}
	cmd.Flags().StringVarP(&user, "user", "u", "", "login name or id of somebody else")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}
