package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"convoke"
	"convoke/client"
)

// listFlags are the flags of commands that list things.
type listFlags struct {
	limit int
	sort  string
	order convoke.Order
}

// add gives cmd the flags; order is how the list can be sorted.
func (f *listFlags) add(cmd *cobra.Command, order convoke.Order) {
	f.order = order
	fl := cmd.Flags()
	fl.IntVar(&f.limit, "limit", 0, "at most so many; 0 is all")
	fl.StringVar(&f.sort, "sort", "", "sort by "+strings.Join(order.Fields, ", ")+"; with a leading - from the end (default "+order.Own+")")
	_ = cmd.RegisterFlagCompletionFunc("sort", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return order.Fields, cobra.ShellCompDirectiveNoFileComp
	}) // fails only for a flag that is not there
}

// listed reads what the flags ask for.
func listed[T any](ctx context.Context, c *client.Client, l client.List[T], f listFlags) ([]T, error) {
	if f.limit < 0 {
		return nil, usagef("--limit takes 0 or more, not %d", f.limit)
	}
	if _, _, err := f.order.Resolve(f.sort); err != nil {
		return nil, usagef("--sort takes one of %s, with a leading - from the end, not %s", strings.Join(f.order.Fields, ", "), f.sort)
	}
	return client.Some(ctx, c, l, f.sort, f.limit)
}
