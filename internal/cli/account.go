package cli

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"convoke"
	"convoke/api"
	"convoke/client"
)

// Accounts manages the accounts of a server, over HTTP or in its data folder.
type Accounts interface {
	Accounts(ctx context.Context) ([]api.Account, error)
	Account(ctx context.Context, id string) (*api.Account, error)
	CreateAccount(ctx context.Context, in api.CreateAccountRequest) (*api.CreateAccountResponse, error)
	UpdateAccount(ctx context.Context, id string, in api.UpdateAccountRequest) (*api.Account, error)
}

var _ Accounts = (*client.Client)(nil)

func (a *app) accountCommand() *cobra.Command {
	cmd := noun("account", "The accounts of a server", a.accountCreate(), a.accountList(), a.accountShow(), a.accountUpdate())
	cmd.Long = `Manages the accounts of a server. It needs a token or user with the role operator,
or, with --data, the server's data folder; a server that runs on it sees the
change within half a minute.`
	return cmd
}

// accountFlags lets cmd work on a data folder in place of a server.
func (a *app) accountFlags(cmd *cobra.Command) func(do func(ctx context.Context, accounts Accounts) error) error {
	load := a.configFlags(cmd, "data")
	return func(do func(ctx context.Context, accounts Accounts) error) error {
		ctx := cmd.Context()
		if !cmd.Flags().Changed("data") {
			c, err := a.client()
			if err != nil {
				return err
			}
			return do(ctx, c)
		}
		c, err := load()
		if err != nil {
			return err
		}
		accounts, closeStore, err := a.Server.Accounts(ctx, c.Data)
		if err != nil {
			return err
		}
		err = do(ctx, accounts)
		if closed := closeStore(); err == nil {
			err = closed
		}
		return err
	}
}

// limitFlags are the flags of the limits that an account can have of its own:
// the flag, the limit's name, what it is, and how it is shown.
var limitFlags = []struct {
	flag, name, about, title string
	of                       func(*convoke.AccountLimits) *int
}{
	{"functions", "functionsPerAccount", "functions it may have", "FUNCTIONS", func(l *convoke.AccountLimits) *int { return &l.FunctionsPerAccount }},
	{"users", "usersPerAccount", "users it may have", "USERS", func(l *convoke.AccountLimits) *int { return &l.UsersPerAccount }},
	{"clients", "clientsPerAccount", "OAuth clients it may have", "CLIENTS", func(l *convoke.AccountLimits) *int { return &l.ClientsPerAccount }},
	{"domains", "domainsPerAccount", "allowed domains it may have", "DOMAINS", func(l *convoke.AccountLimits) *int { return &l.DomainsPerAccount }},
	{"secrets", "secretsPerAccount", "secrets it may have", "SECRETS", func(l *convoke.AccountLimits) *int { return &l.SecretsPerAccount }},
	{"schedules", "schedulesPerAccount", "schedules it may have", "SCHEDULES", func(l *convoke.AccountLimits) *int { return &l.SchedulesPerAccount }},
	{"instances", "maxInstancesPerAccount", "instances of its functions at a time", "INSTANCES", func(l *convoke.AccountLimits) *int { return &l.MaxInstancesPerAccount }},
	{"concurrent-deployments", "concurrentDeployments", "deployments under way", "CONCURRENT DEPLOYMENTS", func(l *convoke.AccountLimits) *int { return &l.ConcurrentDeployments }},
	{"versions", "versionsPerFunction", "versions kept of a function", "VERSIONS PER FUNCTION", func(l *convoke.AccountLimits) *int { return &l.VersionsPerFunction }},
	{"deployments", "deploymentsPerFunction", "deployments kept of a function", "DEPLOYMENTS PER FUNCTION", func(l *convoke.AccountLimits) *int { return &l.DeploymentsPerFunction }},
	{"payload-bytes", "payloadBytes", "bytes of an invocation's body", "PAYLOAD BYTES", func(l *convoke.AccountLimits) *int { return &l.PayloadBytes }},
	{"invocations-per-second", "invocationsPerSecond", "invocations it may begin in a second", "INVOCATIONS PER SECOND", func(l *convoke.AccountLimits) *int { return &l.InvocationsPerSecond }},
	{"invocations-per-second-per-function", "invocationsPerSecondPerFunction", "and of one function", "PER FUNCTION", func(l *convoke.AccountLimits) *int { return &l.InvocationsPerSecondPerFunction }},
	{"invocations-per-second-per-client", "invocationsPerSecondPerClient", "and by one client, token or user", "PER CLIENT", func(l *convoke.AccountLimits) *int { return &l.InvocationsPerSecondPerClient }},
	{"invocations-per-month", "invocationsPerMonth", "invocations it may have in a month", "INVOCATIONS PER MONTH", func(l *convoke.AccountLimits) *int { return &l.InvocationsPerMonth }},
}

func addLimitFlags(cmd *cobra.Command, to *convoke.AccountLimits) {
	for _, f := range limitFlags {
		cmd.Flags().IntVar(f.of(to), f.flag, 0, f.about+"; 0 takes the server's")
	}
}

// limitChange is what the given flags change, by the names of the limits: only
// that is sent, so that two operators at a time undo nothing of each other.
func limitChange(cmd *cobra.Command, given convoke.AccountLimits) map[string]int {
	var change map[string]int
	for _, f := range limitFlags {
		if !cmd.Flags().Changed(f.flag) {
			continue
		}
		if change == nil {
			change = map[string]int{}
		}
		change[f.name] = *f.of(&given)
	}
	return change
}

func (a *app) accountCreate() *cobra.Command {
	var in api.CreateAccountRequest
	cmd := &cobra.Command{
		Use:   "create ID",
		Short: "Create an account",
		Long: `Creates an account. Its id is 1 to 20 digits. --admin makes its first user, whose
password is made up and printed, once; it has to be changed at the first sign-in.

--generation V1 makes discovery give old tools the first generation's domain
names; everything else is the same.`,
		Example: "  convoke account create 20000002 --name Shop --admin ann\n  convoke account create 20000002 --data /var/lib/convoke",
		Args:    args("ID"),
	}
	with := a.accountFlags(cmd)
	addLimitFlags(cmd, &in.Limits)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		in.ID = args[0]
		return with(func(ctx context.Context, accounts Accounts) error {
			out, err := accounts.CreateAccount(ctx, in)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(out)
			}
			a.note("account %s is created", out.ID)
			if out.Password == "" {
				return nil
			}
			a.note("the password of %s, shown this once, has to be changed at the first sign-in:", out.Admin)
			_, err = fmt.Fprintln(a.Stdout, out.Password)
			return err
		})
	}
	f := cmd.Flags()
	f.StringVar(&in.Name, "name", "", "what people call it (default the id)")
	f.StringVar(&in.Generation, "generation", "", "V1 or V2 (default V2)")
	f.StringVar(&in.Admin, "admin", "", "login name of its first user")
	return cmd
}

func (a *app) accountList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List all accounts", Example: "  convoke account list", Args: args()}
	with := a.accountFlags(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		return with(func(ctx context.Context, accounts Accounts) error {
			list, err := accounts.Accounts(ctx)
			if err != nil {
				return err
			}
			return printList(a, listView[api.Account]{
				header: []string{"ID", "NAME", "GENERATION", "STATE", "CREATED"},
				row: func(acc api.Account) []string {
					return []string{acc.ID, acc.Name, acc.Generation, accountState(acc), formatTime(acc.CreatedAt)}
				},
				none: "there are no accounts yet; convoke account create makes one",
			}, list)
		})
	}
	return cmd
}

func accountState(a api.Account) string {
	if a.Disabled {
		return "disabled"
	}
	return "enabled"
}

func (a *app) accountShow() *cobra.Command {
	cmd := &cobra.Command{Use: "show ID", Short: "Show an account with the limits of its own", Example: "  convoke account show 20000002", Args: args("ID")}
	with := a.accountFlags(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		return with(func(ctx context.Context, accounts Accounts) error {
			acc, err := accounts.Account(ctx, args[0])
			if err != nil {
				return err
			}
			return a.printAccount(acc)
		})
	}
	return cmd
}

func (a *app) printAccount(acc *api.Account) error {
	if a.json {
		return a.printJSON(acc)
	}
	return a.table(append([][]string{
		{"ID", acc.ID}, {"NAME", acc.Name}, {"GENERATION", acc.Generation}, {"STATE", accountState(*acc)}, {"CREATED", formatTime(acc.CreatedAt)},
	}, ownLimits(acc.Limits)...))
}

func (a *app) accountUpdate() *cobra.Command {
	var name, generation string
	var disable, enable, yes bool
	cmd := &cobra.Command{
		Use:     "update ID",
		Short:   "Change an account",
		Long:    "Changes what is given and leaves the rest. A limit of an account is within the\nserver's: more is refused. --disable keeps everybody of the\naccount out, at once, and keeps everything; it asks before, and without a\nterminal takes --yes.",
		Example: "  convoke account update 20000002 --functions 50 --invocations-per-second 100\n  convoke account update 20000002 --disable",
		Args:    args("ID"),
	}
	with := a.accountFlags(cmd)
	var given convoke.AccountLimits
	addLimitFlags(cmd, &given)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		var in api.UpdateAccountRequest
		if cmd.Flags().Changed("name") {
			in.Name = &name
		}
		if cmd.Flags().Changed("generation") {
			in.Generation = &generation
		}
		switch {
		case disable && enable:
			return usagef("--disable and --enable exclude each other")
		case disable || enable:
			in.Disabled = &disable
		}
		return with(func(ctx context.Context, accounts Accounts) error {
			in.Limits = limitChange(cmd, given)
			if in.Name == nil && in.Generation == nil && in.Disabled == nil && in.Limits == nil {
				return usagef("there is nothing to change; see %s --help", cmd.CommandPath())
			}
			if disable {
				had, err := accounts.Account(ctx, args[0])
				if err != nil {
					return err
				}
				if err := a.confirm(yes, "Keep everybody of account %s (%s) out?", had.ID, had.Name); err != nil {
					return err
				}
			}
			acc, err := accounts.UpdateAccount(ctx, args[0], in)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(acc)
			}
			a.note("account %s is changed", acc.ID)
			return nil
		})
	}
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "what people call it")
	f.StringVar(&generation, "generation", "", "V1 or V2")
	f.BoolVar(&disable, "disable", false, "keep everybody of the account out")
	f.BoolVar(&enable, "enable", false, "let them in again")
	f.BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func (a *app) limits() *cobra.Command {
	return &cobra.Command{
		Use:     "limits",
		Short:   "List the account's limits and what is used of them",
		Long:    "Lists every limit that holds for the account, what is used of it where that is\ncounted, and what it is. \"-\" is not counted.",
		Example: "  convoke limits\n  convoke limits --json",
		Args:    args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			list, err := c.Limits(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(list)
			}
			rows := [][]string{{"LIMIT", "MOST", "USED", "WHAT"}}
			for _, l := range list {
				used := "-"
				if l.Used != nil {
					used = strconv.Itoa(*l.Used)
				}
				most := strconv.FormatInt(l.Limit, 10)
				switch {
				case l.Limit == 0:
					most = "none"
				case l.Unit != "":
					most += " " + l.Unit
				}
				rows = append(rows, []string{l.Name, most, used, l.Description})
			}
			return a.table(rows)
		},
	}
}
