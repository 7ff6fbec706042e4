package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"convoke"
	"convoke/api"
	"convoke/client"
)

const roleHelp = "admin, developer, invoker, viewer or, in account " + convoke.DefaultAccountID + ", operator; may be repeated"

func (a *app) userCommand() *cobra.Command {
	return noun("user", "The people of an account",
		a.userCreate(), a.userList(), a.userSwitch("disable", true), a.userSwitch("enable", false),
		a.userSetRoles(), a.userResetPassword(), a.userRemove(), a.userPassword(), a.userSessions())
}

func (a *app) userCreate() *cobra.Command {
	var roles []string
	var fromStdin, external bool
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Add a user",
		Long: `Adds a user. The password is made up and printed, once; it has to be changed at
the first sign-in. With --password-stdin it is read from standard input and
stays. With --external there is none: the user signs in through the identity
provider, which must know him by that login name. Needs the role admin.`,
		Example: "  convoke user create ann --role developer\n  pass generate -n convoke | convoke user create ann --role viewer --password-stdin",
		Args:    args("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			in := api.CreateUserRequest{LoginName: args[0], Roles: roles, External: external}
			if fromStdin {
				password, err := a.password(cmd.Context(), a.lines(), true, "")
				if err != nil {
					return err
				}
				in.Password = password.Reveal()
			}
			u, err := c.CreateUser(cmd.Context(), in)
			if err != nil {
				return err
			}
			return a.userPasswordDone(u, "user %s is created", u.LoginName)
		},
	}
	cmd.Flags().StringSliceVar(&roles, "role", []string{string(convoke.RoleDeveloper)}, roleHelp)
	cmd.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from standard input")
	cmd.Flags().BoolVar(&external, "external", false, "the user signs in through the identity provider")
	return cmd
}

// userPasswordDone reports a change; a password that was made up is the
// result, for a person or a script to pass on.
func (a *app) userPasswordDone(u *api.UserPasswordResponse, format string, args ...any) error {
	if a.json {
		return a.printJSON(u)
	}
	a.note(format, args...)
	if u.Password == "" {
		return nil
	}
	a.note("the password, shown this once, has to be changed at the next sign-in:")
	_, err := fmt.Fprintln(a.Stdout, u.Password)
	return err
}

func (a *app) userList() *cobra.Command {
	var f listFlags
	cmd := &cobra.Command{
		Use: "list", Short: "List the account's users", Long: "Lists the users of the account. Needs the role admin.",
		Example: "  convoke user list\n  convoke user list --sort -lastLoginAt", Args: args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return listFrom(a, listView[api.User]{
				header: []string{"NAME", "ROLES", "STATE", "LAST SIGN-IN", "CREATED", "ID"},
				row: func(u api.User) []string {
					return []string{u.LoginName, strings.Join(u.Roles, ","), userState(u), formatTime(u.LastLoginAt), formatTime(u.CreatedAt), u.ID}
				},
				none: "there are no users yet; convoke user create NAME adds one",
			}, func(c *client.Client) ([]api.User, error) { return listed(cmd.Context(), c, client.UserList(), f) })
		},
	}
	f.add(cmd, convoke.UserOrder)
	return cmd
}

func userState(u api.User) string {
	switch {
	case u.Disabled:
		return "disabled"
	case u.MustChangePassword:
		return "new password"
	}
	return "enabled"
}

// findUser makes a client and finds a user.
func (a *app) findUser(cmd *cobra.Command, nameOrID string) (*client.Client, *api.User, error) {
	c, err := a.client()
	if err != nil {
		return nil, nil, err
	}
	u, err := c.FindUser(cmd.Context(), nameOrID)
	if convoke.ErrorCode(err) == convoke.CodeNotFound {
		err = &hinted{err, "convoke user list shows all"}
	}
	return c, u, err
}

func (a *app) userDone(u *api.User, format string, args ...any) error {
	if a.json {
		return a.printJSON(u)
	}
	a.note(format, args...)
	return nil
}

func (a *app) userSwitch(name string, disabled bool) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: name + " NAME|ID", Short: "Let a user in again", Long: "Lets a user who was disabled in again. Needs the role admin.",
		Example: "  convoke user " + name + " ann", Args: args("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, u, err := a.findUser(cmd, args[0])
			if err != nil {
				return err
			}
			if disabled {
				if err := a.confirm(yes, "Disable %s?", u.LoginName); err != nil {
					return err
				}
			}
			if u, err = c.UpdateUser(cmd.Context(), u.ID, api.UpdateUserRequest{Disabled: &disabled}); err != nil {
				return err
			}
			return a.userDone(u, "user %s is %sd", u.LoginName, name)
		},
	}
	if disabled {
		cmd.Short = "Keep a user out"
		cmd.Long = "Keeps a user out, at once: sessions end and the user's own tokens are refused.\nNeeds the role admin.\nIt asks before; without a terminal it takes --yes."
		cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	}
	return cmd
}

func (a *app) userSetRoles() *cobra.Command {
	return &cobra.Command{
		Use: "set-roles NAME|ID ROLE,...", Short: "Change what a user may do",
		Long:    "Gives a user these roles in place of the ones before; it holds from the user's\nnext request on. Roles: admin, developer, invoker, viewer and, in account\n" + convoke.DefaultAccountID + ", operator. Needs the role admin.",
		Example: "  convoke user set-roles ann developer\n  convoke user set-roles ann admin,operator", Args: args("NAME", "ROLES"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, u, err := a.findUser(cmd, args[0])
			if err != nil {
				return err
			}
			roles := slices.DeleteFunc(strings.Split(args[1], ","), func(s string) bool { return strings.TrimSpace(s) == "" })
			if len(roles) == 0 {
				return usagef("at least one role is needed")
			}
			if u, err = c.UpdateUser(cmd.Context(), u.ID, api.UpdateUserRequest{Roles: roles}); err != nil {
				return err
			}
			return a.userDone(u, "user %s has the roles %s", u.LoginName, strings.Join(u.Roles, ", "))
		},
	}
}

func (a *app) userResetPassword() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "reset-password NAME|ID", Short: "Make up a new password for a user",
		Long:    "Makes up a password and prints it, once. It has to be changed at the next\nsign-in; the user's sessions end, the user's own tokens stay. Needs the role\nadmin.\nIt asks before; without a terminal it takes --yes.",
		Example: "  convoke user reset-password ann", Args: args("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, u, err := a.findUser(cmd, args[0])
			if err != nil {
				return err
			}
			if err := a.confirm(yes, "Make up a new password for %s?", u.LoginName); err != nil {
				return err
			}
			out, err := c.ResetPassword(cmd.Context(), u.ID)
			if err != nil {
				return err
			}
			return a.userPasswordDone(out, "user %s has a new password", out.LoginName)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func (a *app) userRemove() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "remove NAME|ID", Short: "Remove a user",
		Long:    "Removes a user for good: sessions end and the user's own tokens are revoked. What\nthe user did stays in the audit trail. Needs the role admin. It asks before;\nwithout a terminal it takes --yes.",
		Example: "  convoke user remove ann", Args: args("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, u, err := a.findUser(cmd, args[0])
			if err != nil {
				return err
			}
			if err := a.confirm(yes, "Remove %s for good?", u.LoginName); err != nil {
				return err
			}
			if err := c.DeleteUser(cmd.Context(), u.ID); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]string{"id": u.ID, "loginName": u.LoginName, "state": "removed"})
			}
			a.note("user %s is removed", u.LoginName)
			return nil
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func (a *app) userPassword() *cobra.Command {
	var fromStdin bool
	cmd := &cobra.Command{
		Use: "password", Short: "Change your own password",
		Long:    "Changes the password of the user who is signed in; the other sessions end. It is\nasked for on a terminal, or read from standard input with --password-stdin: the\nold one in the first line, the new one in the second.",
		Example: "  convoke user password", Args: args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			in := a.lines()
			old, err := a.password(cmd.Context(), in, fromStdin, "Present password: ")
			if err != nil {
				return err
			}
			password, err := a.password(cmd.Context(), in, fromStdin, "New password: ")
			if err != nil {
				return err
			}
			if !fromStdin {
				again, err := a.password(cmd.Context(), in, false, "The same again: ")
				if err != nil {
					return err
				}
				if again.Reveal() != password.Reveal() {
					return usagef("the two new passwords differ; nothing was changed")
				}
			}
			if err := c.ChangePassword(cmd.Context(), old, password); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]string{"state": "changed"})
			}
			a.note("the password is changed; other sessions have ended")
			return nil
		},
	}
	cmd.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the old and the new password from standard input")
	return cmd
}
