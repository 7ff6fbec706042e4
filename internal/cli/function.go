package cli

import (
	"cmp"
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"convoke"
	"convoke/api"
	"convoke/client"
	"convoke/internal/project"
)

func (a *app) list() *cobra.Command {
	var filter client.FunctionFilter
	var f listFlags
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List functions",
		Example: "  convoke list\n  convoke list --event conversational_command --json\n  convoke list --sort -updatedAt --limit 10",
		Args:    args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			view := listView[api.Function]{
				header: []string{"NAME", "STATE", "LIVE", "NEWEST", "EVENT", "UPDATED", "BY", "UUID"},
				row: func(f api.Function) []string {
					return []string{
						f.Name, f.State, liveNumber(&f), strconv.Itoa(f.LatestVersion), orDash(f.EventID),
						formatTime(f.UpdatedAt), orDash(f.UpdatedBy), f.UUID,
					}
				},
				none: "there are no functions yet; convoke deploy PATH makes one",
			}
			if filter.EventID != "" || len(filter.States) > 0 {
				view.none = "no function is like that; convoke list without flags shows all"
			}
			return listFrom(a, view, func(c *client.Client) ([]api.Function, error) {
				return listed(cmd.Context(), c, client.FunctionList(filter), f)
			})
		},
	}
	cmd.Flags().StringVar(&filter.EventID, "event", "", "only functions of this event")
	cmd.Flags().StringSliceVar(&filter.States, "state", nil, "only functions in this state; may be repeated")
	f.add(cmd, convoke.FunctionOrder)
	return cmd
}

func liveNumber(f *api.Function) string {
	if f.DeployedVersion == nil {
		return "-"
	}
	return strconv.Itoa(*f.DeployedVersion)
}

func (a *app) undeploy() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:               "undeploy NAME|UUID...",
		Short:             "Take functions out of service",
		Long:              "Takes functions out of service: no invocation begins any more, the running ones\nfinish. Code and versions stay.\nIt asks before; without a terminal it takes --yes.",
		Example:           "  convoke undeploy greeting\n  convoke undeploy greeting orders --yes",
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.completeMoreNames,
		RunE: func(cmd *cobra.Command, names []string) error {
			if len(names) == 0 {
				return args("NAME")(cmd, nil)
			}
			return a.runUndeploy(cmd.Context(), names, yes)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// runUndeploy finds all functions and asks before it takes the first one out
// of service.
func (a *app) runUndeploy(ctx context.Context, names []string, yes bool) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	var all []*api.Function
	var found []string
	for _, name := range names {
		fn, err := c.Find(ctx, name)
		if err != nil {
			return err
		}
		all, found = append(all, fn), append(found, fn.Name)
	}
	if err := a.confirm(yes, "Take %s out of service?", strings.Join(found, ", ")); err != nil {
		return err
	}
	var failed []*outcomeOf
	done := []map[string]string{}
	for _, fn := range all {
		err := a.undeployAndWait(ctx, c, fn)
		switch {
		case project.Stops(err):
			return err
		case err != nil:
			failed = append(failed, failure(fn.Name, err))
		case a.json && len(all) > 1:
			done = append(done, map[string]string{"uuid": fn.UUID, "name": fn.Name, "state": string(convoke.StateDraft)})
		default:
			if err := a.done(fn, string(convoke.StateDraft), "%s is undeployed", fn.Name); err != nil {
				return err
			}
		}
	}
	if a.json && len(all) > 1 {
		if err := a.printJSON(done); err != nil {
			return err
		}
	}
	return a.several(failed, len(all), "functions were not undeployed")
}

func (a *app) remove() *cobra.Command {
	var yes, undeploy bool
	cmd := &cobra.Command{
		Use:               "remove NAME|UUID",
		Short:             "Delete a function with its versions and deployments",
		Long:              "Deletes a function with its versions and deployments. One that is deployed must\nbe undeployed first, or with --undeploy in one go.\nIt asks before; without a terminal it takes --yes.",
		Example:           "  convoke remove greeting --undeploy",
		Args:              args("NAME"),
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, fn, err := a.find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			deployed := fn.DeployedVersion != nil
			if deployed && !undeploy {
				return &hinted{
					convoke.Errorf(convoke.CodeActionNotAllowed, "%s is deployed", fn.Name),
					"convoke remove --undeploy " + fn.Name + " takes it out of service first",
				}
			}
			if err := a.confirm(yes, "Delete %s with all its versions?", fn.Name); err != nil {
				return err
			}
			if deployed {
				if err := a.undeployAndWait(cmd.Context(), c, fn); err != nil {
					return err
				}
			} else {
				c = c.IfMatch(fn.ETag) // what was agreed to
			}
			if err := c.DeleteFunction(cmd.Context(), fn.UUID); err != nil {
				return err
			}
			return a.done(fn, "removed", "%s is removed", fn.Name)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&undeploy, "undeploy", false, "take it out of service first")
	return cmd
}

func (a *app) undeployAndWait(ctx context.Context, c *client.Client, fn *api.Function) error {
	stop := a.during("waiting for running invocations of %s", fn.Name)
	defer stop()
	_, err := c.Undeploy(ctx, fn.UUID)
	return err
}

// find makes a client and finds a function.
func (a *app) find(ctx context.Context, nameOrID string) (*client.Client, *api.Function, error) {
	c, err := a.client()
	if err != nil {
		return nil, nil, err
	}
	fn, err := c.Find(ctx, nameOrID)
	return c, fn, err
}

// done reports a change: to people as a sentence, to programs as JSON.
func (a *app) done(fn *api.Function, state, format string, args ...any) error {
	if a.json {
		return a.printJSON(map[string]string{"uuid": fn.UUID, "name": fn.Name, "state": state})
	}
	a.note(format, args...)
	return nil
}

func (a *app) runtimes() *cobra.Command {
	var local bool
	cmd := &cobra.Command{
		Use:     "runtimes",
		Short:   "List the Node.js versions that functions can choose",
		Long:    "Lists the Node.js versions that the server offers. With --local it lists the\nbuilds on this machine, without a server.",
		Example: "  convoke runtimes\n  convoke runtimes --local --json",
		Args:    args(),
	}
	load := a.configFlags(cmd, "runtimes")
	cmd.Flags().BoolVar(&local, "local", false, "list the builds on this machine")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if local {
			return a.localRuntimes(cmd.Context(), load)
		}
		return listFrom(a, listView[api.Runtime]{
			header: []string{"NAME", "TITLE", "BUILD", "DEFAULT"},
			row: func(r api.Runtime) []string {
				return []string{r.BaseImageName, r.Name, orDash(r.Version), yesOrDash(r.Default)}
			},
			none: "the server has no Node.js builds; convoke doctor on its machine says why",
		}, func(c *client.Client) ([]api.Runtime, error) { return c.Runtimes(cmd.Context()) })
	}
	return cmd
}

func yesOrDash(b bool) string { return cmp.Or(map[bool]string{true: "yes"}[b], "-") }
