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

// listView is how a list is shown: a row for each thing, below a header, or
// what to do where there is none.
type listView[T any] struct {
	header []string
	row    func(T) []string
	none   string
}

// listFrom reads a list from the server and prints it.
func listFrom[T any](a *app, v listView[T], read func(*client.Client) ([]T, error)) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	list, err := read(c)
	if err != nil {
		return err
	}
	return printList(a, v, list)
}

func printList[T any](a *app, v listView[T], list []T) error {
	if a.json {
		return a.printJSON(append([]T{}, list...)) // none is [], not null
	}
	if len(list) == 0 {
		a.note("%s", v.none)
		return nil
	}
	rows := [][]string{v.header}
	for _, one := range list {
		rows = append(rows, v.row(one))
	}
	return a.table(rows)
}
