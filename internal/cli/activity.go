package cli

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"convoke"
	"convoke/api"
	"convoke/client"
)

// mostActivities is how many the server gives at once.
const mostActivities = 1000

func (a *app) activity() *cobra.Command {
	var f client.ActivityFilter
	var function, user string
	var since time.Duration
	cmd := &cobra.Command{
		Use:   "activity",
		Short: "Show who changed what",
		Long: `Shows the audit trail of the account, newest first: every change with who, what,
from where, and with --json before and after. Actions are a noun and what was
done, such as function.deploy or user.update.`,
		Example: "  convoke activity --function greeting\n  convoke activity --noun user --since 24h --json\n  convoke activity --action function.deploy --action function.undeploy",
		Args:    args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if since < 0 {
				return usagef("--since must not be negative")
			}
			if f.Limit < 1 || f.Limit > mostActivities {
				return usagef("--limit takes 1 to %d, not %d", mostActivities, f.Limit)
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			if function != "" {
				if f.Subject, err = c.Lookup(cmd.Context(), function); err != nil {
					return err
				}
			}
			if user != "" {
				u, err := c.FindUser(cmd.Context(), user)
				if convoke.ErrorCode(err) == convoke.CodeForbidden {
					return &hinted{err, "only who manages people can look a user up by name; give --actor the id"}
				}
				if err != nil {
					return err
				}
				f.Actor = u.ID
			}
			if since > 0 {
				f.From = time.Now().Add(-since)
			}
			list, err := c.Activities(cmd.Context(), f)
			if err != nil {
				return err
			}
			return printList(a, listView[api.Activity]{
				header: []string{"TIME", "WHO", "DID", "TO", "FROM", "ID"},
				row: func(v api.Activity) []string {
					name := cmp.Or(v.Name, v.Subject)
					return []string{formatTime(v.At), v.Actor, v.Action, orDash(name), orDash(v.From), strconv.FormatInt(v.ID, 10)}
				},
				none: "nothing was changed",
			}, list)
		},
	}
	fl := cmd.Flags()
	fl.StringSliceVar(&f.Actions, "action", nil, "only this, such as function.deploy; may be repeated")
	fl.StringVar(&f.Noun, "noun", "", "only changes of this kind of thing, such as function")
	fl.StringVar(&function, "function", "", "only changes of this function, by name or uuid")
	fl.StringVar(&f.Subject, "subject", "", "only changes of the thing with this id")
	fl.StringVar(&user, "user", "", "only by this user, by login name or id")
	fl.StringVar(&f.Actor, "actor", "", "only by the user or token with this id")
	fl.DurationVar(&since, "since", 0, "only of the last time, such as 24h")
	fl.IntVar(&f.Limit, "limit", 100, fmt.Sprintf("how many at most, 1 to %d", mostActivities))
	fl.Int64Var(&f.Before, "before", 0, "only those with a smaller id: the next page")
	return cmd
}
