package cli

import (
	"context"
	"encoding/json"
	"net"
	"slices"
	"strconv"

	"convoke/api"
	"convoke/client"
)

// runCalls prints what a function called instead of what it logged.
func (a *app) runCalls(ctx context.Context, name string, f client.CallFilter) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	if f.FunctionID, err = c.Lookup(ctx, name); err != nil {
		return err
	}
	calls, err := c.Calls(ctx, f)
	if err != nil {
		return err
	}
	slices.Reverse(calls) // the oldest first, as log entries
	switch {
	case a.json:
		enc := json.NewEncoder(a.Stdout)
		enc.SetEscapeHTML(false)
		for _, one := range calls {
			if err := enc.Encode(one); err != nil {
				return err
			}
		}
		return nil
	case len(calls) > 0:
		return a.table(callRows(calls))
	case f.From.IsZero() && f.To.IsZero() && f.RequestID == "":
		a.note("%s has called nothing outside yet", name)
	default:
		a.note("no call of %s matches; convoke logs %s --calls shows the newest", name, name)
	}
	return nil
}

func callRows(calls []api.Call) [][]string {
	rows := [][]string{{"TIME", "REQUEST", "METHOD", "HOST", "STATUS", "SENT", "RECEIVED", "TOOK", "OUTCOME", "DETAIL"}}
	for _, c := range calls {
		status := "-"
		if c.Status != 0 {
			status = strconv.Itoa(c.Status)
		}
		rows = append(rows, []string{
			c.At.UTC().Format(logTime), orDash(c.RequestID), orDash(c.Method), net.JoinHostPort(c.Host, strconv.Itoa(c.Port)), status,
			strconv.FormatInt(c.SentBytes, 10), strconv.FormatInt(c.ReceivedBytes, 10), milliseconds(c.DurationMs), c.Outcome, c.Detail,
		})
	}
	return rows
}
