package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"convoke"
	"convoke/api"
	"convoke/client"
)

func (a *app) clientCommand() *cobra.Command {
	return noun("client", "Register programs that get tokens by OAuth 2.0",
		a.clientCreate(), a.clientList(), a.clientShow(), a.clientUpdate(), a.clientRotate(), a.clientSwitch(true), a.clientSwitch(false), a.clientRemove())
}

func (a *app) clientCreate() *cobra.Command {
	var in api.CreateClientRequest
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Register a client and print its id and secret",
		Long: `Registers a program with the authorization server and prints its id and its
secret. The secret is shown this once. Needs the role admin.

A program that acts for itself uses client_credentials. One that acts for users
who sign in uses authorization_code, and says by --redirect where they come back
to; --public is for one that cannot keep a secret. Scopes: ` + scopeNames() + `.`,
		Example: `  convoke client create shop
  convoke client create console --grant authorization_code --redirect https://app.example.com/callback \
    --scope faas.function.read --scope faas.log.read
  convoke client create desktop --grant authorization_code --public --redirect http://127.0.0.1/callback`,
		Args: args("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			in.Name = args[0]
			made, err := c.CreateClient(cmd.Context(), in)
			if err != nil {
				return err
			}
			return a.printSecret(made)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&in.GrantTypes, "grant", []string{string(convoke.GrantClientCredentials)}, "how it gets tokens: client_credentials or authorization_code; may be repeated")
	f.StringArrayVar(&in.Scopes, "scope", []string{string(convoke.ScopeInvoke)}, "what it may do; may be repeated")
	f.StringArrayVar(&in.RedirectURIs, "redirect", nil, "URI that users come back to; may be repeated")
	f.BoolVar(&in.Public, "public", false, "it has no secret and uses PKCE")
	f.IntVar(&in.InvocationsPerSecond, "invocations-per-second", 0, "invocations it may begin in a second, with all its tokens; 0 is no limit of its own")
	return cmd
}

func scopeNames() string {
	names := make([]string, len(convoke.Scopes))
	for i, s := range convoke.Scopes {
		names[i] = string(s.Scope)
	}
	return strings.Join(names, ",\n")
}

// printSecret prints a client with its new secret, in a form that a shell reads.
func (a *app) printSecret(c *api.ClientWithSecret) error {
	if a.json {
		return a.printJSON(c)
	}
	if _, err := fmt.Fprintf(a.Stdout, "client_id=%s\n", c.ID); err != nil || c.Secret == "" {
		return err
	}
	_, err := fmt.Fprintf(a.Stdout, "client_secret=%s\n", c.Secret)
	return err
}

func (a *app) clientList() *cobra.Command {
	var f listFlags
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the account's clients, without their secrets",
		Long:    "Lists the programs that are registered with the authorization server. A secret\nis shown when it is made and never again. Needs the role admin.",
		Example: "  convoke client list\n  convoke client list --json",
		Args:    args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return listFrom(a, listView[api.Client]{
				header: []string{"ID", "NAME", "STATE", "GRANTS", "SCOPES", "LAST USED"},
				row: func(one api.Client) []string {
					return []string{one.ID, one.Name, clientState(one), strings.Join(one.GrantTypes, ","), strings.Join(one.Scopes, ","), formatTime(one.LastUsedAt)}
				},
				none: "no client is registered yet; convoke client create NAME does it",
			}, func(c *client.Client) ([]api.Client, error) { return listed(cmd.Context(), c, client.ClientList(), f) })
		},
	}
	f.add(cmd, convoke.ClientOrder)
	return cmd
}

func clientState(c api.Client) string {
	if c.Disabled {
		return "disabled"
	}
	return "live"
}

func (a *app) clientShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show CLIENT",
		Short:   "Show a client, without its secrets",
		Long:    "Shows a client by its name or id, without its secrets. Needs the role admin.",
		Example: "  convoke client show shop",
		Args:    args("CLIENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, one, err := a.findClient(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(one)
			}
			rows := [][]string{
				{"id", one.ID}, {"name", one.Name}, {"state", clientState(*one)}, {"public", fmt.Sprint(one.Public)},
				{"grants", strings.Join(one.GrantTypes, ", ")}, {"scopes", strings.Join(one.Scopes, ", ")}, {"redirect URIs", orDash(strings.Join(one.RedirectURIs, ", "))},
				{"invocations per second", orDash(most(one.InvocationsPerSecond))},
				{"created", formatTime(one.CreatedAt) + " by " + one.CreatedBy}, {"changed", formatTime(one.UpdatedAt) + " by " + one.UpdatedBy},
				{"last used", formatTime(one.LastUsedAt)},
			}
			for _, secret := range one.Secrets {
				text := "made " + formatTime(secret.CreatedAt)
				if !secret.ExpiresAt.IsZero() {
					text += ", good until " + formatTime(secret.ExpiresAt)
				}
				rows = append(rows, []string{"secret", text})
			}
			return a.table(rows)
		},
	}
}

// most is a limit, "" for none.
func most(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func (a *app) clientUpdate() *cobra.Command {
	var name string
	var grants, scopes, redirects []string
	var perSecond int
	cmd := &cobra.Command{
		Use:   "update CLIENT",
		Short: "Change a client",
		Long: `Changes what is given and leaves the rest; a list replaces the one so far. What a
client may not do any more its tokens cannot do either. Needs the role admin.`,
		Example: "  convoke client update shop --invocations-per-second 50\n  convoke client update shop --scope faas.lambda.invoke --scope faas.log.read",
		Args:    args("CLIENT"),
	}
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "what people call it")
	f.StringArrayVar(&grants, "grant", nil, "how it gets tokens: client_credentials or authorization_code; may be repeated")
	f.StringArrayVar(&scopes, "scope", nil, "what it may do; may be repeated")
	f.StringArrayVar(&redirects, "redirect", nil, "URI that users come back to; may be repeated")
	f.IntVar(&perSecond, "invocations-per-second", 0, "invocations it may begin in a second, with all its tokens; 0 is no limit of its own")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		var in api.UpdateClientRequest
		for flag, set := range map[string]func(){
			"name":                   func() { in.Name = &name },
			"grant":                  func() { in.GrantTypes = &grants },
			"scope":                  func() { in.Scopes = &scopes },
			"redirect":               func() { in.RedirectURIs = &redirects },
			"invocations-per-second": func() { in.InvocationsPerSecond = &perSecond },
		} {
			if f.Changed(flag) {
				set()
			}
		}
		if in == (api.UpdateClientRequest{}) {
			return usagef("there is nothing to change; see %s --help", cmd.CommandPath())
		}
		c, one, err := a.findClient(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		after, err := c.UpdateClient(cmd.Context(), one.ID, in)
		if err != nil {
			return err
		}
		if a.json {
			return a.printJSON(after)
		}
		a.note("client %s is changed", after.Name)
		return nil
	}
	return cmd
}

func (a *app) clientRotate() *cobra.Command {
	var grace time.Duration
	cmd := &cobra.Command{
		Use:   "rotate-secret CLIENT",
		Short: "Give a client a new secret and print it",
		Long: `Makes a new secret for a client and prints it, once. The one so far stays good
for a while, so that no program fails while it is being replaced; tokens stay
good in any case. Needs the role admin.`,
		Example: "  convoke client rotate-secret shop\n  convoke client rotate-secret shop --grace 0s # the old one has leaked",
		Args:    args("CLIENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, one, err := a.findClient(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			seconds := int64((grace + time.Second - 1) / time.Second)
			made, err := c.RotateClientSecret(cmd.Context(), one.ID, api.RotateClientSecretRequest{GraceSeconds: &seconds})
			if err != nil {
				return err
			}
			return a.printSecret(made)
		},
	}
	cmd.Flags().DurationVar(&grace, "grace", 24*time.Hour, "how long the secret so far stays good, up to 720h")
	return cmd
}

// clientSwitch is disable and enable.
func (a *app) clientSwitch(disable bool) *cobra.Command {
	verb, short, long := "enable", "Let a disabled client in again", "Lets a disabled client in again, with the secrets and the tokens that it had.\nNeeds the role admin."
	if disable {
		verb, short, long = "disable", "Keep a client and its tokens out", "Keeps a client out, at once and with all tokens that it has, until it is enabled\nagain. Needs the role admin."
	}
	return &cobra.Command{
		Use: verb + " CLIENT", Short: short, Long: long, Example: "  convoke client " + verb + " shop", Args: args("CLIENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, one, err := a.findClient(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			after, err := c.UpdateClient(cmd.Context(), one.ID, api.UpdateClientRequest{Disabled: &disable})
			if convoke.ErrorCode(err) == convoke.CodeUnchanged {
				after, err = one, nil
			}
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(after)
			}
			a.note("client %s is %sd", after.Name, verb)
			return nil
		},
	}
}

func (a *app) clientRemove() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:     "remove CLIENT",
		Short:   "Remove a client and end its tokens",
		Long:    "Removes a client for good; its tokens and what users allowed it end at once.\nNeeds the role admin.\nIt asks before; without a terminal it takes --yes.",
		Example: "  convoke client remove shop",
		Args:    args("CLIENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, one, err := a.findClient(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if err := a.confirm(yes, "Remove the client %s?", one.Name); err != nil {
				return err
			}
			if err := c.RemoveClient(cmd.Context(), one.ID); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]string{"id": one.ID, "state": "removed"})
			}
			a.note("client %s is removed", one.Name)
			return nil
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// findClient finds a client by its id or, first, by its name.
func (a *app) findClient(ctx context.Context, name string) (*client.Client, *api.Client, error) {
	c, err := a.client()
	if err != nil {
		return nil, nil, err
	}
	list, err := c.Clients(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, matches := range []func(api.Client) bool{
		func(one api.Client) bool { return one.Name == name },
		func(one api.Client) bool { return one.ID == name },
	} {
		for _, one := range list {
			if matches(one) {
				return c, &one, nil
			}
		}
	}
	return nil, nil, &hinted{convoke.Errorf(convoke.CodeNotFound, "there is no client %s", name), "convoke client list shows them"}
}
