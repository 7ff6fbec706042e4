package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"convoke"
	"convoke/api"
	"convoke/client"
)

const (
	// invokeTimeout is longer than any function may run.
	invokeTimeout = 10 * time.Minute
	// byEvent is what --event holds when it stands without a value. The help
	// leaves it out as it does for a switch; no event has this id.
	byEvent = "true"
	// maxPayload bounds what is read from a file or stdin: more than servers take.
	maxPayload = 64 << 20
)

func (a *app) invoke() *cobra.Command {
	var payload, event, skill string
	var headers []string
	var logs bool
	cmd := &cobra.Command{
		Use:   "invoke NAME|UUID",
		Short: "Call a function and print its result",
		Long: `Calls a deployed function, or with --event all functions of an event, and
prints the result as JSON on stdout; by event, a list with the result of each.
When the function fails, the error and the function's log lines go to stderr
and the exit code says why (convoke help exit-codes).

--payload takes JSON, @FILE, or - for stdin. JSON that is an object with a
member "payload" and no members but "timestamp", "headers" and "payload" is
taken as the whole body of the invocation, like the payload.json of a project;
any other JSON is the payload alone.`,
		Example: `  convoke invoke greeting --payload '{"general":{"clientLanguage":"de-DE"}}'
  convoke invoke greeting --payload @examples/greeting/payload.json --logs
  echo '{"days":[]}' | convoke invoke weekly-report --payload -
  convoke invoke --event controllerbot_messaging_new_conversation --payload @payload.json`,
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, given []string) error {
			if cmd.Flags().Changed("event") && event != byEvent {
				if err := args()(cmd, given); err != nil {
					return err
				}
				given = []string{event}
			}
			if err := args("NAME")(cmd, given); err != nil {
				return err
			}
			in, err := a.readPayload(payload, headers)
			if err != nil {
				return err
			}
			target := target{name: given[0], event: cmd.Flags().Changed("event"), skill: skill}
			return a.runInvoke(cmd.Context(), target, in, logs)
		},
	}
	f := cmd.Flags()
	f.StringVar(&payload, "payload", "", "payload as JSON, @FILE or - (default {})")
	f.StringArrayVar(&headers, "header", nil, "header that the function sees, as KEY=VALUE; may be repeated")
	f.Var((*eventFlag)(&event), "event", "call all functions of the event `ID` instead")
	f.Lookup("event").NoOptDefVal = byEvent // "--event ID" and "ID --event" alike
	f.StringVar(&skill, "skill", "", "skill id of the conversation, with --event")
	f.BoolVar(&logs, "logs", false, "print what the functions log to stderr")
	return cmd
}

// eventFlag is a text that may be left out.
type eventFlag string

func (f *eventFlag) String() string { return string(*f) }

func (f *eventFlag) Set(text string) error {
	*f = eventFlag(text)
	return nil
}

// Type makes the help show no value for a flag that stands alone.
func (f *eventFlag) Type() string { return "bool" }

// target is what an invocation is for.
type target struct {
	name  string // of a function or event, or a uuid
	event bool
	skill string
}

func (a *app) runInvoke(ctx context.Context, t target, in api.InvokeRequest, logs bool) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, invokeTimeout)
	defer cancel()
	o := client.InvokeOptions{SkillID: t.skill, Caller: "convoke-cli"}
	var result client.Result
	stop := a.during("waiting for the answer of %s", t.name)
	defer stop()
	if t.event {
		result, err = c.InvokeEvent(bounded, t.name, in, o)
	} else {
		var id string
		if id, err = c.Lookup(ctx, t.name); err != nil {
			return err
		}
		result, err = c.Invoke(bounded, id, in, o)
		if convoke.ErrorCode(err) == convoke.CodeFunctionNotFound {
			return notDeployed(ctx, c, id)
		}
	}
	stop()
	if !a.json {
		err = inOwnWords(err, t.name)
	}
	if logs {
		// Best effort: the outcome of the invocation matters more than its log.
		err = a.printRunLogs(ctx, c, result.RequestID, err)
	}
	if err != nil {
		return err
	}
	body := []byte(result.Body)
	if a.StdoutTTY || a.json {
		var b bytes.Buffer
		if json.Indent(&b, body, "", "  ") == nil {
			body = b.Bytes()
		}
	}
	_, err = fmt.Fprintf(a.Stdout, "%s\n", bytes.TrimSpace(body))
	return err
}

// notDeployed says why a function cannot be invoked, by its name: the answer to
// the invocation has only the uuid, and is the same for one that does not exist.
func notDeployed(ctx context.Context, c *client.Client, id string) error {
	fn, err := c.Function(ctx, id)
	if err != nil {
		return err
	}
	return convoke.Errorf(convoke.CodeFunctionNotFound, "%s is not deployed; deploy it with convoke deploy", fn.Name)
}

// inOwnWords puts what the function threw in the place of the message that all
// errors thrown by functions have on the wire.
func inOwnWords(err error, name string) error {
	e, ok := errors.AsType[*convoke.Error](err)
	if !ok || e.Code != convoke.CodeThrew || len(e.Logs) == 0 {
		return err
	}
	own := *e
	words, _, _ := strings.Cut(e.Logs[len(e.Logs)-1].Message, "\n    at ") // the stack is in the log
	own.Message = name + " threw: " + strings.TrimPrefix(words, "Error: ")
	return &own
}

// printRunLogs prints the stored lines of a run. It returns outcome, without
// the lines that it carries and that are printed already.
func (a *app) printRunLogs(ctx context.Context, c *client.Client, requestID string, outcome error) error {
	entries, err := c.Logs(ctx, client.LogFilter{RequestID: requestID, Limit: 1000})
	if err != nil {
		a.note("the log lines cannot be read: %v", err)
		return outcome
	}
	slices.Reverse(entries)
	for _, e := range entries {
		a.note("%s", formatLog(e.Timestamp.Time, e.Level, e.Message, e.Extras))
	}
	e, ok := errors.AsType[*convoke.Error](outcome)
	if !ok {
		return outcome
	}
	rest := *e
	rest.Logs = slices.DeleteFunc(slices.Clone(e.Logs), func(l convoke.LogEntry) bool {
		return slices.ContainsFunc(entries, func(p api.LogEntry) bool { return p.Level == string(l.Level) && p.Message == l.Message })
	})
	return &rest
}

// readPayload makes the body of an invocation from --payload and --header.
func (a *app) readPayload(arg string, headers []string) (api.InvokeRequest, error) {
	in := api.InvokeRequest{}
	text, err := a.payloadText(arg)
	if err != nil {
		return in, err
	}
	if err := parsePayload(text, &in); err != nil {
		return in, err
	}
	for _, h := range headers {
		key, value, ok := strings.Cut(h, "=")
		if !ok || key == "" {
			return in, usagef("--header takes KEY=VALUE, not %q", h)
		}
		in.Headers = append(in.Headers, api.Header{Key: key, Value: value})
	}
	return in, nil
}

func (a *app) payloadText(arg string) ([]byte, error) {
	var r io.Reader
	switch name, isFile := strings.CutPrefix(arg, "@"); {
	case arg == "":
		return []byte("{}"), nil
	case isFile:
		f, err := a.OpenDir(filepath.Dir(name)).Open(filepath.Base(name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, usagef("there is no file %s", name)
		}
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r = f
	case arg == "-":
		r = a.Stdin
	default:
		return []byte(arg), nil
	}
	text, err := io.ReadAll(io.LimitReader(r, maxPayload+1))
	if err == nil && len(text) > maxPayload {
		err = usagef("the payload is larger than %d MiB", maxPayload>>20)
	}
	return text, err
}

// parsePayload takes text as the whole body if it has the form of one, else as
// the payload.
func parsePayload(text []byte, in *api.InvokeRequest) error {
	text = bytes.TrimSpace(text)
	if !json.Valid(text) {
		// The decoder says where; a shell's quotes are the usual reason.
		err := json.Unmarshal(text, new(any))
		return usagef("the payload is no JSON: %v; in a shell, put it into single quotes", err)
	}
	in.Payload = text
	var whole map[string]json.RawMessage
	if json.Unmarshal(text, &whole) != nil || whole["payload"] == nil {
		return nil
	}
	for member := range whole {
		if member != "timestamp" && member != "headers" && member != "payload" {
			return nil
		}
	}
	in.Payload = whole["payload"]
	if t, ok := whole["timestamp"]; ok {
		if err := json.Unmarshal(t, &in.Timestamp); err != nil {
			return usagef("the timestamp of the body is Unix milliseconds, not %s", t)
		}
	}
	if h, ok := whole["headers"]; ok {
		var err error
		if in.Headers, err = parseHeaders(h); err != nil {
			return err
		}
	}
	return nil
}

// parseHeaders reads [{"key","value"}], or an object, which some of the
// reference's bodies have.
func parseHeaders(text json.RawMessage) ([]api.Header, error) {
	headers := []api.Header{}
	if json.Unmarshal(text, &headers) == nil {
		return headers, nil
	}
	var object map[string]string
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, usagef(`the headers of the body are [{"key": "...", "value": "..."}]`)
	}
	headers = headers[:0]
	for k, v := range object {
		headers = append(headers, api.Header{Key: k, Value: v})
	}
	slices.SortFunc(headers, func(x, y api.Header) int { return strings.Compare(x.Key, y.Key) })
	return headers, nil
}
