package cli

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"convoke/api"
)

// mostInvocations is what a server gives at once.
const mostInvocations = 1000

func (a *app) invocations() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:   "invocations NAME|UUID",
		Short: "List a function's invocations: how long they took, what they used, how they ended",
		Long: `Lists the records of a function's invocations, newest first.

WAIT is the time until an instance was free, COLD that to make one when there
was none, RUN that in the function, CPU the processor time of the instance
meanwhile, MEMORY the most it ever had; IN and OUT are the bytes of payload and
result. REQUEST finds the log entries: convoke logs NAME --request-id.`,
		Example:           "  convoke invocations greeting\n  convoke invocations greeting --limit 1000 --json",
		Args:              args("NAME"),
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 || limit > mostInvocations {
				return usagef("--limit takes 1 to %d, not %d", mostInvocations, limit)
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			id, err := c.Lookup(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			list, err := c.Invocations(cmd.Context(), id, limit)
			if err != nil {
				return err
			}
			return printList(a, listView[api.Invocation]{
				header: []string{"STARTED", "VERSION", "OUTCOME", "WAIT", "COLD", "RUN", "CPU", "MEMORY", "IN", "OUT", "REQUEST"},
				row:    invocationRow,
				none:   fmt.Sprintf("%s was not invoked yet; convoke invoke %s does it", args[0], args[0]),
			}, list)
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 20, fmt.Sprintf("how many at most, 1 to %d", mostInvocations))
	return cmd
}

func invocationRow(inv api.Invocation) []string {
	cold := "-"
	if inv.Cold {
		cold = milliseconds(inv.ColdStartMs)
	}
	return []string{
		formatTime(inv.StartedAt), strconv.Itoa(inv.Version), inv.Outcome,
		milliseconds(inv.WaitMs), cold, milliseconds(inv.DurationMs), milliseconds(inv.CPUMs), bytesOf(inv.PeakMemoryBytes),
		strconv.Itoa(inv.PayloadBytes), strconv.Itoa(inv.ResultBytes), inv.RequestID,
	}
}

// milliseconds shows a span to the digit that matters.
func milliseconds(ms float64) string {
	d := time.Duration(ms * float64(time.Millisecond))
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}

func bytesOf(n int64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
