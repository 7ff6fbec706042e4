package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"convoke"
	"convoke/api"
	"convoke/client"
)

const cronHelp = `A cron expression has five fields: minute (0-59), hour (0-23), day of the month
(1-31), month (1-12 or JAN-DEC), day of the week (0-7 or SUN-SAT; 0 and 7 are
Sunday). Each is *, a number, a range such as 1-5, or a list of them; * and
ranges take a step, as in */5. When both days are restricted, either suffices.
Times are UTC.`

func (a *app) scheduleCommand() *cobra.Command {
	return noun("schedule", "Run functions at times that cron expressions name",
		a.scheduleCreate(), a.scheduleList(), a.scheduleShow(), a.scheduleUpdate(),
		a.scheduleActive("pause", "Stop a schedule until it is resumed", false), a.scheduleActive("resume", "Let a paused schedule run again, from now on", true),
		a.scheduleRemove(), a.scheduleNext())
}

// scheduleFlags are what create and update have in common.
type scheduleFlags struct {
	cron, payload, description string
	headers                    []string
}

func (f *scheduleFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.cron, "cron", "", "cron expression, such as '*/5 * * * *'")
	cmd.Flags().StringVar(&f.payload, "payload", "", "payload as JSON, @FILE or - (default {})")
	cmd.Flags().StringArrayVar(&f.headers, "header", nil, "header that the function sees, as KEY=VALUE; may be repeated")
	cmd.Flags().StringVar(&f.description, "description", "", "what it is for")
}

// scheduleRequest has the members whose flags were given.
func (a *app) scheduleRequest(cmd *cobra.Command, f *scheduleFlags) (api.ScheduleRequest, error) {
	var in api.ScheduleRequest
	given := cmd.Flags().Changed
	if given("cron") {
		in.CronExpression = &f.cron
	}
	if given("description") {
		in.Description = &f.description
	}
	if given("payload") || given("header") {
		body, err := a.readPayload(f.payload, f.headers)
		if err != nil {
			return in, err
		}
		in.InvocationBody = &api.InvocationBody{Payload: body.Payload}
		for _, h := range body.Headers {
			if in.InvocationBody.Headers == nil {
				in.InvocationBody.Headers = map[string]string{}
			}
			in.InvocationBody.Headers[h.Key] = h.Value
		}
	}
	return in, nil
}

func (a *app) scheduleCreate() *cobra.Command {
	var f scheduleFlags
	var paused bool
	cmd := &cobra.Command{
		Use:   "create NAME|UUID",
		Short: "Schedule a deployed function",
		Long: `Schedules a deployed function and prints the schedule's id. A function may have
several schedules.

` + cronHelp,
		Example: `  convoke schedule create weekly-report --cron '0 7 * * MON'
  convoke schedule create sync --cron '*/15 8-18 * * 1-5' --payload @payload.json --description 'office hours'`,
		Args:              args("NAME"),
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.cron == "" {
				return usagef("--cron is missing, such as --cron '*/5 * * * *'")
			}
			in, err := a.scheduleRequest(cmd, &f)
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			if in.FunctionUUID, err = c.Lookup(cmd.Context(), args[0]); err != nil {
				return err
			}
			active := !paused
			in.IsActive = &active
			sc, err := c.CreateSchedule(cmd.Context(), in)
			if convoke.ErrorCode(err) == convoke.CodeActionNotAllowed {
				return &hinted{err, "convoke deploy makes a function live"}
			}
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(sc)
			}
			a.tell("%s", nextLine(sc))
			_, err = fmt.Fprintln(a.Stdout, sc.ID)
			return err
		},
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&paused, "paused", false, "create it without letting it run yet")
	return cmd
}

// nextLine says when a schedule runs next, or why it does not.
func nextLine(sc *api.Schedule) string {
	if sc.State != api.ScheduleActive {
		return fmt.Sprintf("%s does not run by this schedule: %s", sc.FunctionName, sc.Reason)
	}
	return fmt.Sprintf("%s runs next at %s UTC", sc.FunctionName, formatTime(sc.NextExecution))
}

func (a *app) scheduleList() *cobra.Command {
	var f listFlags
	cmd := &cobra.Command{
		Use:               "list [NAME|UUID]",
		Short:             "List the account's schedules, or those of one function",
		Example:           "  convoke schedule list\n  convoke schedule list weekly-report --json",
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, given []string) error {
			if len(given) > 1 {
				return args("NAME")(cmd, given)
			}
			return listFrom(a, listView[api.Schedule]{
				header: []string{"FUNCTION", "CRON", "STATE", "NEXT", "LAST", "RESULT", "DESCRIPTION", "ID"},
				row: func(sc api.Schedule) []string {
					return []string{
						sc.FunctionName, sc.CronExpression, scheduleState(sc), formatTime(sc.NextExecution),
						formatTime(sc.LastExecution), lastResult(sc), orDash(sc.Description), sc.ID,
					}
				},
				none: "there are no schedules; convoke schedule create NAME --cron EXPR makes one",
			}, func(c *client.Client) ([]api.Schedule, error) {
				id := ""
				if len(given) == 1 {
					var err error
					if id, err = c.Lookup(cmd.Context(), given[0]); err != nil {
						return nil, err
					}
				}
				return listed(cmd.Context(), c, client.ScheduleList(id), f)
			})
		},
	}
	f.add(cmd, convoke.ScheduleOrder)
	return cmd
}

func scheduleState(sc api.Schedule) string {
	if sc.State == api.SchedulePaused && sc.IsActive {
		return sc.State + ": " + sc.Reason
	}
	return sc.State
}

func lastResult(sc api.Schedule) string {
	switch {
	case sc.LastExecution.IsZero():
		return "-"
	case sc.DidLastExecutionFail:
		return "failed"
	}
	return "ok"
}

func (a *app) scheduleShow() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:     "show ID|NAME",
		Short:   "Show a schedule, when it runs next and how it went",
		Long:    "Shows a schedule, the next times, and how its last runs went. The name of a\nfunction will do when it has one schedule only.",
		Example: "  convoke schedule show weekly-report\n  convoke schedule show 0ec98cae-3f40-4a86-9b1d-7c2e90a4f611 --runs 50",
		Args:    args("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 {
				return usagef("--runs takes a number from 1 to 100, not %d", limit)
			}
			c, id, err := a.findSchedule(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			sc, err := c.Schedule(cmd.Context(), id)
			if err != nil {
				return hintSchedule(err)
			}
			runs, err := c.ScheduleRuns(cmd.Context(), id, limit)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(struct {
					*api.Schedule
					Runs []api.ScheduleRun `json:"runs"`
				}{sc, runs})
			}
			return a.printSchedule(sc, runs)
		},
	}
	cmd.Flags().IntVar(&limit, "runs", 10, "how many of the last runs, up to 100")
	return cmd
}

func (a *app) printSchedule(sc *api.Schedule, runs []api.ScheduleRun) error {
	headers := "-"
	if len(sc.InvocationBody.Headers) > 0 {
		text, err := json.Marshal(sc.InvocationBody.Headers)
		if err != nil {
			return err
		}
		headers = string(text)
	}
	var next []string
	for _, at := range sc.Upcoming {
		next = append(next, formatTime(at))
	}
	err := a.table([][]string{
		{"id", sc.ID}, {"function", sc.FunctionName + " " + sc.FunctionUUID}, {"cron", sc.CronExpression + " (" + sc.TimeZone + ")"},
		{"state", scheduleState(*sc)}, {"description", orDash(sc.Description)},
		{"headers", headers}, {"payload", string(sc.InvocationBody.Payload)},
		{"created", formatTime(sc.CreatedAt) + " by " + orDash(sc.CreatedBy)}, {"next", orDash(strings.Join(next, ", "))},
	})
	if err != nil {
		return err
	}
	if len(runs) > 0 {
		fmt.Fprintln(a.Stdout)
	}
	return printList(a, listView[api.ScheduleRun]{
		header: []string{"DUE", "STATE", "RESULT", "STARTED", "TOOK", "REQUEST", "REASON"},
		row: func(r api.ScheduleRun) []string {
			return []string{
				formatTime(r.DueAt), r.State, runResult(r), formatTime(r.StartedAt), runTime(r), orDash(r.RequestID), orDash(r.Message),
			}
		},
		none: "it has not run yet",
	}, runs)
}

func runResult(r api.ScheduleRun) string {
	switch {
	case r.Failed:
		return "failed"
	case r.State == string(convoke.RunFinished):
		return "ok"
	}
	return "-"
}

func runTime(r api.ScheduleRun) string {
	if r.StartedAt.IsZero() || r.FinishedAt.IsZero() {
		return "-"
	}
	return r.FinishedAt.Sub(r.StartedAt.Time).Round(time.Millisecond).String()
}

func (a *app) scheduleUpdate() *cobra.Command {
	var f scheduleFlags
	cmd := &cobra.Command{
		Use:     "update ID|NAME",
		Short:   "Change a schedule; what is not given stays",
		Long:    "Changes a schedule; what is not given stays. --payload and --header replace\npayload and headers together.\n\n" + cronHelp,
		Example: "  convoke schedule update weekly-report --cron '0 8 * * MON'",
		Args:    args("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := a.scheduleRequest(cmd, &f)
			if err != nil {
				return err
			}
			if in == (api.ScheduleRequest{}) {
				return usagef("nothing to change: give --cron, --payload, --header or --description")
			}
			return a.changeSchedule(cmd.Context(), args[0], in)
		},
	}
	f.register(cmd)
	return cmd
}

func (a *app) scheduleActive(name, short string, active bool) *cobra.Command {
	return &cobra.Command{
		Use:     name + " ID|NAME",
		Short:   short,
		Example: "  convoke schedule " + name + " weekly-report",
		Args:    args("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.changeSchedule(cmd.Context(), args[0], api.ScheduleRequest{IsActive: &active})
		},
	}
}

func (a *app) changeSchedule(ctx context.Context, idOrName string, in api.ScheduleRequest) error {
	c, id, err := a.findSchedule(ctx, idOrName)
	if err != nil {
		return err
	}
	sc, err := c.UpdateSchedule(ctx, id, in)
	if err != nil {
		return hintSchedule(err)
	}
	if a.json {
		return a.printJSON(sc)
	}
	a.note("%s", nextLine(sc))
	return nil
}

func (a *app) scheduleRemove() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:     "remove ID|NAME",
		Short:   "Delete a schedule",
		Long:    "Deletes a schedule with the list of its runs. A run under way goes on. It asks\nbefore; without a terminal it takes --yes.",
		Example: "  convoke schedule remove 0ec98cae-3f40-4a86-9b1d-7c2e90a4f611",
		Args:    args("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, id, err := a.findSchedule(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if err := a.confirm(yes, "Delete the schedule %s?", id); err != nil {
				return err
			}
			if err := c.RemoveSchedule(cmd.Context(), id); err != nil {
				return hintSchedule(err)
			}
			if a.json {
				return a.printJSON(map[string]string{"id": id, "state": "removed"})
			}
			a.note("schedule %s is removed", id)
			return nil
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func hintSchedule(err error) error {
	if convoke.ErrorCode(err) == convoke.CodeNotFound {
		return &hinted{err, "convoke schedule list shows the ids"}
	}
	return err
}

// findSchedule makes a client and finds the id of a schedule: the name of a
// function stands for its only one.
func (a *app) findSchedule(ctx context.Context, idOrName string) (*client.Client, string, error) {
	c, err := a.client()
	if err != nil || uuid.Validate(idOrName) == nil {
		return c, idOrName, err
	}
	functionID, err := c.Lookup(ctx, idOrName)
	if err != nil {
		return nil, "", err
	}
	list, err := c.Schedules(ctx, functionID)
	if err != nil {
		return nil, "", err
	}
	switch len(list) {
	case 0:
		return nil, "", &hinted{convoke.Errorf(convoke.CodeNotFound, "%s has no schedule", idOrName), "convoke schedule create " + idOrName + " --cron EXPR makes one"}
	case 1:
		return c, list[0].ID, nil
	}
	return nil, "", usagef("%s has %d schedules; convoke schedule list %s shows their ids", idOrName, len(list), idOrName)
}

func (a *app) scheduleNext() *cobra.Command {
	var count int
	cmd := &cobra.Command{
		Use:     "next EXPR",
		Short:   "Show the times that a cron expression names, without a server",
		Long:    "Shows the next times that a cron expression names, without a server.\n\n" + cronHelp,
		Example: "  convoke schedule next '0 7 * * MON'\n  convoke schedule next '*/15 8-18 * * 1-5' --count 20",
		RunE: func(cmd *cobra.Command, given []string) error {
			if len(given) > 1 { // the shell took the quotes, or there were none
				given = []string{strings.Join(given, " ")}
			}
			if err := args("EXPR")(cmd, given); err != nil {
				return err
			}
			if count < 1 || count > 1000 {
				return usagef("--count takes a number from 1 to 1000, not %s", strconv.Itoa(count))
			}
			times, err := a.Server.Upcoming(given[0], time.Now(), count)
			if err != nil {
				return err
			}
			if a.json {
				out := make([]api.Time, len(times))
				for i, at := range times {
					out[i] = api.Time{Time: at}
				}
				return a.printJSON(out)
			}
			for _, at := range times {
				if _, err := fmt.Fprintln(a.Stdout, at.UTC().Format("2006-01-02 15:04 Mon")); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&count, "count", 5, "how many")
	return cmd
}
