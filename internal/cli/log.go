package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"convoke"
	"convoke/api"
	"convoke/client"
)

func (a *app) logs() *cobra.Command {
	var follow, calls bool
	var since, until string
	var filter client.LogFilter
	cmd := &cobra.Command{
		Use:   "logs NAME|UUID",
		Short: "Print what a function logged or, with --calls, what it called",
		Long: `Prints log entries, oldest first: the newest --limit of those that match.
--follow goes on with new ones until it is stopped. With --json each line is
one entry.

--calls prints outbound calls instead: when, for which invocation, method where
it is visible, host, status, bytes sent and received, how long it took, and ok,
refused (convoke domain add allows a domain), limited or failed with the reason.
It goes with --since, --until, --request-id and --limit.`,
		Example: `  convoke logs greeting --since 1h --level warn,error
  convoke logs greeting --follow
  convoke logs greeting --request-id 5d1c2b7e-3f40-4a86-9b1d-7c2e90a4f611 --json
  convoke logs greeting --calls --since 10m`,
		Args:              args("NAME"),
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			now := time.Now()
			var err error
			if filter.From, err = parseTime("--since", since, now); err != nil {
				return err
			}
			if filter.To, err = parseTime("--until", until, now); err != nil {
				return err
			}
			if err := checkLevels(filter.Levels); err != nil {
				return err
			}
			switch {
			case calls && (follow || len(filter.Levels) > 0 || filter.Text != ""):
				return usagef("--calls goes with --since, --until, --request-id and --limit only")
			case !filter.From.IsZero() && !filter.To.IsZero() && filter.To.Before(filter.From):
				return usagef("--until is before --since, so nothing can be between them")
			case follow && until != "":
				return usagef("--follow has no end: leave out --until")
			case filter.Limit < 0 || filter.Limit > 1000 || filter.Limit == 0 && !follow:
				return usagef("--limit is from 1 to 1000, not %d", filter.Limit)
			case filter.Limit == 0:
				filter.Limit = -1 // only what comes from now on
			}
			if calls {
				return a.runCalls(cmd.Context(), args[0], client.CallFilter{RequestID: filter.RequestID, From: filter.From, To: filter.To, Limit: filter.Limit})
			}
			return a.runLogs(cmd.Context(), args[0], filter, follow)
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&follow, "follow", "f", false, "go on with new entries")
	f.BoolVar(&calls, "calls", false, "print outbound calls instead of log entries")
	f.StringSliceVar(&filter.Levels, "level", nil, "only these levels: debug, info, warn, error; may be repeated")
	f.StringVar(&since, "since", "", "only entries from then on: a duration such as 15m, or a time such as 2026-11-23T08:00:00Z")
	f.StringVar(&until, "until", "", "only entries before then, as for --since")
	f.StringVar(&filter.Text, "text", "", "only entries with this text in message or extras")
	f.StringVar(&filter.RequestID, "request-id", "", "only entries of this invocation")
	f.IntVar(&filter.Limit, "limit", 100, "how many entries at most, 1 to 1000; with --follow, to begin with")
	return cmd
}

func (a *app) runLogs(ctx context.Context, name string, filter client.LogFilter, follow bool) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	if filter.FunctionID, err = c.Lookup(ctx, name); err != nil {
		return err
	}
	if follow {
		a.tell("waiting for log entries of %s; Ctrl-C ends", name)
		return c.FollowLogs(ctx, filter, a.printEntry)
	}
	entries, err := c.Logs(ctx, filter)
	if err != nil {
		return err
	}
	if len(entries) == 0 && !a.json {
		a.noteNoEntry(name, filter)
	}
	slices.Reverse(entries)
	for _, e := range entries {
		if err := a.printEntry(e); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) noteNoEntry(name string, f client.LogFilter) {
	if f.From.IsZero() && f.To.IsZero() && len(f.Levels) == 0 && f.Text == "" && f.RequestID == "" {
		a.note("%s has logged nothing yet; convoke invoke %s runs it", name, name)
		return
	}
	a.note("no log entry of %s matches; convoke logs %s without flags shows the newest", name, name)
}

func (a *app) printEntry(e api.LogEntry) error {
	if a.json {
		enc := json.NewEncoder(a.Stdout)
		enc.SetEscapeHTML(false)
		return enc.Encode(e)
	}
	_, err := fmt.Fprintln(a.Stdout, formatLog(e.Timestamp.Time, e.Level, e.Message, e.Extras))
	return err
}

func checkLevels(levels []string) error {
	for _, l := range levels {
		if !slices.ContainsFunc(convoke.LogLevels, func(known convoke.LogLevel) bool { return strings.EqualFold(string(known), l) }) {
			return usagef("there is no level %q; use debug, info, warn or error", l)
		}
	}
	return nil
}

// parseTime reads a duration before now, RFC 3339, or Unix milliseconds.
func parseTime(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	var t api.Time
	if err := t.UnmarshalJSON([]byte(text)); err == nil && !t.IsZero() { // Unix milliseconds
		return t.Time, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, usagef("%s takes a duration such as 15m or a time such as 2026-11-23T08:00:00Z, not %q", flag, text)
	}
	return at, nil
}
