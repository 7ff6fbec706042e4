package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"convoke"
	"convoke/api"
	"convoke/client"
)

func (a *app) userSessions() *cobra.Command {
	var user string
	var f listFlags
	cmd := &cobra.Command{
		Use:   "sessions",
		Short: "See and end what a user is signed in with",
		Long: `Lists where you are signed in: browsers, programs and command lines, the newest
first, with the address and the time of the sign-in. The one that this command
uses is marked. One that is not used ends at the time in the column UNUSED, and
every one ends at the time in the column UNTIL.

--user shows those of somebody else, and needs the role admin. Tokens are no
sessions: convoke token list --own shows them.`,
		Example: "  convoke user sessions\n  convoke user sessions --user ann --json\n  convoke user sessions end --others",
		Args:    args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, id, err := a.ofUser(cmd.Context(), user)
			if err != nil {
				return err
			}
			list, err := listed(cmd.Context(), c, client.SessionList(id), f)
			if err != nil {
				return err
			}
			return printList(a, listView[api.Session]{
				header: []string{"ID", "THIS", "KIND", "BEGAN", "FROM", "LAST USED", "UNUSED", "UNTIL", "PROGRAM"},
				row: func(s api.Session) []string {
					return []string{
						s.ID, yesOrDash(s.Current), sessionKind(s), formatTime(s.CreatedAt), orDash(s.From),
						formatTime(s.LastUsedAt), formatTime(s.UnusedUntil), formatTime(s.ExpiresAt), orDash(s.Agent),
					}
				},
				none: "nobody is signed in",
			}, list)
		},
	}
	cmd.Flags().StringVarP(&user, "user", "u", "", "login name or id of somebody else")
	f.add(cmd, convoke.SessionOrder)
	cmd.AddCommand(a.sessionEnd())
	return cmd
}

// sessionKind is the kind of a session in words.
func sessionKind(s api.Session) string {
	if s.Kind == string(convoke.SessionCommandLine) {
		return "command line"
	}
	return s.Kind
}

func (a *app) sessionEnd() *cobra.Command {
	var user string
	var others, yes bool
	cmd := &cobra.Command{
		Use:   "end ID|--others",
		Short: "End a session, or all others",
		Long: `Ends a session at once: its next request is refused, and a log that it watches
stops. --others ends all but the one that this command uses; to end that one,
use convoke logout. Tokens go on: convoke token revoke ends one.

--user ends those of somebody else, and needs the role admin. It asks before;
without a terminal it takes --yes.`,
		Example: "  convoke user sessions end 5b1e6f0a-8f5c-4a52-9d1c-0d3a4f3f6a11\n  convoke user sessions end --others\n  convoke user sessions end --others --user ann --yes",
		Args: func(cmd *cobra.Command, given []string) error {
			switch {
			case others && len(given) > 0:
				return usagef("give the id of one session, or --others for all others")
			case others:
				return nil
			case len(given) == 0:
				return usagef("ID is missing; give the id of a session, or --others for all others")
			}
			return args("ID")(cmd, given)
		},
		RunE: func(cmd *cobra.Command, given []string) error {
			c, id, err := a.ofUser(cmd.Context(), user)
			if err != nil {
				return err
			}
			if others {
				return a.endOtherSessions(cmd, c, id, user, yes)
			}
			if err := a.confirm(yes, "End the session %s?", given[0]); err != nil {
				return err
			}
			err = c.EndSession(cmd.Context(), id, given[0])
			if convoke.ErrorCode(err) == convoke.CodeNotFound {
				return &hinted{err, strings.TrimSpace("convoke user sessions "+userFlag(user)) + " shows the ids"}
			}
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]string{"id": given[0], "state": "ended"})
			}
			a.note("session %s is ended", given[0])
			return nil
		},
	}
	cmd.Flags().StringVarP(&user, "user", "u", "", "login name or id of somebody else")
	cmd.Flags().BoolVar(&others, "others", false, "all but the one that this command uses")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func userFlag(user string) string {
	if user == "" {
		return ""
	}
	return "--user " + user
}

func (a *app) endOtherSessions(cmd *cobra.Command, c *client.Client, id, user string, yes bool) error {
	question := "End all your sessions but this one?"
	if user != "" {
		question = "End all sessions of " + user + "?"
	}
	if err := a.confirm(yes, "%s", question); err != nil {
		return err
	}
	n, err := c.EndSessions(cmd.Context(), id)
	if err != nil {
		return err
	}
	switch {
	case a.json:
		return a.printJSON(api.EndedSessions{Ended: n})
	case n == 0:
		a.note("there was no other session")
	case n == 1:
		a.note("1 session is ended")
	default:
		a.note("%d sessions are ended", n)
	}
	return nil
}
