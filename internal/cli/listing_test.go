package cli

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestEmptyLists: a list of nothing says what to do, and is [] as JSON. Every
// command that is called list is among them.
func TestEmptyLists(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "null") // the least that a server can say
	}))
	t.Cleanup(srv.Close)
	s := newShell(t)
	s.env["CONVOKE_URL"] = srv.URL

	hints := map[string]string{
		"list":               "there are no functions yet; convoke deploy PATH makes one",
		"list --state Draft": "no function is like that",
		"domain list":        "convoke domain add NAME",
		"secret list":        "convoke secret set NAME",
		"schedule list":      "convoke schedule create NAME --cron EXPR",
		"client list":        "convoke client create NAME",
		"token list":         "convoke token create",
		"token list --own":   "convoke token create --own",
		"user list":          "convoke user create NAME",
		"account list":       "convoke account create",
		"consent list":       "no program was allowed anything",
		"profile list":       "convoke login",
		"activity":           "nothing was changed",
		"runtimes":           "convoke doctor",
	}
	for line, hint := range hints {
		command := strings.Fields(line)
		if got := s.want(ExitOK, nil, []string{hint}, command...); got.stdout != "" {
			t.Errorf("%s printed %q", line, got.stdout)
		}
		if got := s.want(ExitOK, nil, []string{"!convoke"}, append(command, "--json")...); got.stdout != "[]\n" {
			t.Errorf("%s --json printed %q", line, got.stdout)
		}
	}

	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		path := strings.TrimPrefix(cmd.CommandPath(), "convoke ")
		_, plain := hints[path]
		if cmd.Name() == "list" && !plain {
			t.Errorf("convoke %s is not among the commands of this test", path)
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk((&app{State: State{Env: map[string]string{}}}).root())
}
