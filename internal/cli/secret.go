package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"convoke"
	"convoke/api"
	"convoke/client"
	"convoke/internal/project"
)

// maxSecret bounds what is read of a file or stdin: four bytes for each
// character that a secret may have, and a line end.
const maxSecret = 4*convoke.MaxSecretValue + 2

func (a *app) secretCommand() *cobra.Command {
	return noun("secret", "Set, list and remove secrets", a.secretSet(), a.secretList(), a.secretRemove(), a.secretRotate())
}

func (a *app) secretSet() *cobra.Command {
	var typ, file, value string
	var stdin bool
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Create a secret or change its value",
		Long: `Creates a secret or changes its value. The value is asked for on the terminal
and not shown; or it comes from a file or from stdin, without the line end that
it may have at its end. Needs the role admin. Nobody can read a value again.

--value puts the value into the history of the shell and the list of processes,
where others may see it: use it for values that are no secret yet.`,
		Example: `  convoke secret set api-key
  convoke secret set app --type json --from-file app.json
  pass show api-key | convoke secret set api-key --from-stdin`,
		Args: args("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, err := secretType(typ)
			if err != nil {
				return err
			}
			source := secretSource{file: file, stdin: stdin, value: value, given: cmd.Flags().Changed("value")}
			if source.given && stdin || source.given && file != "" || stdin && file != "" {
				return usagef("give the value by one of --from-file, --from-stdin and --value")
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			text, err := a.readSecret(cmd.Context(), source, args[0])
			if err != nil {
				return err
			}
			return a.runSecretSet(cmd.Context(), c, args[0], api.SetSecretRequest{Value: text.Reveal(), Type: kind})
		},
	}
	f := cmd.Flags()
	f.StringVar(&typ, "type", "", "string, number or json: what the value is checked to be (default what it was, of a new one string)")
	f.StringVar(&file, "from-file", "", "read the value from a file")
	f.BoolVar(&stdin, "from-stdin", false, "read the value from stdin")
	f.StringVar(&value, "value", "", "the value itself; others may see it")
	return cmd
}

// secretType is the type's name on the wire; "" stays.
func secretType(name string) (string, error) {
	kind, ok := project.SecretType(name)
	if !ok {
		return "", usagef("--type is string, number or json, not %q", name)
	}
	return kind, nil
}

func (a *app) runSecretSet(ctx context.Context, c *client.Client, name string, in api.SetSecretRequest) error {
	e, err := c.SetSecret(ctx, name, in)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(e)
	}
	done := "changed"
	if e.Version == 1 {
		done = "created"
	}
	a.note("secret %s is %s", e.Name, done)
	return nil
}

// secretSource says where a value comes from; without any it is asked for.
type secretSource struct {
	file, value  string
	stdin, given bool
}

func (a *app) readSecret(ctx context.Context, from secretSource, name string) (convoke.Secret, error) {
	text, err := a.secretBytes(ctx, from, name)
	if err != nil {
		return convoke.Secret{}, err
	}
	defer clear(text)
	if !utf8.Valid(text) {
		return convoke.Secret{}, usagef("the value is not UTF-8 text; encode it first, in base64 for instance")
	}
	if len(text) == 0 {
		return convoke.Secret{}, usagef("the value is empty")
	}
	return convoke.NewSecret(string(text)), nil
}

func (a *app) secretBytes(ctx context.Context, from secretSource, name string) ([]byte, error) {
	switch {
	case from.given:
		return []byte(from.value), nil
	case from.stdin:
		return readLimited(a.Stdin)
	case from.file != "":
		f, err := a.OpenDir(filepath.Dir(from.file)).Open(filepath.Base(from.file))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, usagef("there is no file %s", from.file)
		}
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return readLimited(f)
	}
	if !a.StdinTTY || !a.StderrTTY {
		return nil, usagef("there is no terminal to ask for the value; use --from-stdin or --from-file")
	}
	fmt.Fprintf(a.Stderr, "Value of %s (it is not shown): ", name)
	text, err := a.ReadPassword(ctx)
	fmt.Fprintln(a.Stderr)
	return text, err
}

// readLimited reads a value without one line end at its end, which editors and
// echo leave there.
func readLimited(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxSecret+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxSecret {
		return nil, usagef("the value is too large; a secret has at most %d characters", convoke.MaxSecretValue)
	}
	text = bytes.TrimSuffix(text, []byte("\n"))
	return bytes.TrimSuffix(text, []byte("\r")), nil
}

func (a *app) secretList() *cobra.Command {
	var system bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the account's secrets, without their values",
		Example: "  convoke secret list\n  convoke secret list --system --json",
		Args:    args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return listFrom(a, listView[api.Secret]{
				header: []string{"NAME", "TYPE", "CREATED", "BY", "CHANGED", "BY"},
				row: func(e api.Secret) []string {
					return []string{e.Name, e.Type, formatTime(e.CreatedAt), orDash(e.CreatedBy), formatTime(e.UpdatedAt), orDash(e.UpdatedBy)}
				},
				none: "there are no secrets yet; convoke secret set NAME makes one",
			}, func(c *client.Client) ([]api.Secret, error) { return c.Secrets(cmd.Context(), system) })
		},
	}
	cmd.Flags().BoolVar(&system, "system", false, "with the platform's own")
	return cmd
}

func (a *app) secretRemove() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:     "remove NAME",
		Short:   "Delete a secret",
		Long:    "Deletes a secret, at once and for good. Needs the role admin. It asks before;\nwithout a terminal it takes --yes.",
		Example: "  convoke secret remove api-key",
		Args:    args("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			if err := a.confirm(yes, "Delete the secret %s?", args[0]); err != nil {
				return err
			}
			err = c.RemoveSecret(cmd.Context(), args[0])
			if convoke.ErrorCode(err) == convoke.CodeNotFound {
				return &hinted{err, "convoke secret list shows what there is"}
			}
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]string{"name": args[0], "state": "removed"})
			}
			a.note("secret %s is removed", args[0])
			return nil
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func (a *app) secretRotate() *cobra.Command {
	return &cobra.Command{
		Use:   "rotate-key",
		Short: "Change the server's master key",
		Long: `Makes a new master key on the running server, seals the secrets of all accounts
with it and forgets the old one. Values stay as they are. Needs an operator,
see convoke token create. Back up the folder of keys afterwards, with the database.`,
		Example: "  convoke secret rotate-key",
		Args:    args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			start := time.Now()
			stop := a.during("sealing all secrets with the new key")
			defer stop()
			done, err := c.RotateKey(cmd.Context())
			stop()
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(done)
			}
			a.note("the master key is changed; %d secrets are sealed with it (%s)", done.Resealed, time.Since(start).Round(time.Millisecond))
			for _, e := range done.Unreadable {
				a.note("secret %s of account %s could not be read and is as it was; set or remove it, then run this again to be rid of the old key", e.Name, e.Account)
			}
			return nil
		},
	}
}
