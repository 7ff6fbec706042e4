package sqlstore

import (
	"strings"
	"testing"

	"convoke"
)

// TestPagesOfLongLists holds that a page in the middle of a long list is read
// from where it begins, in order, and not sorted out of all rows.
func TestPagesOfLongLists(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	function := func(w *filter) { w.add(`account_id = ? AND function_id = ?`, nil, nil) }
	account := func(w *filter) { w.add(`account_id = ?`, nil) }
	for _, l := range []struct {
		name  string
		db    *database
		query func(*filter, convoke.Page) ([]column, int, string, error)
		order convoke.Order
		where func(*filter)
		want  string
	}{
		{"functions", s.main, functionList.query, convoke.FunctionOrder, account, "(account_id=? AND "},
		{"versions", s.main, versionList.query, convoke.VersionOrder, function, "(account_id=? AND function_id=? AND number"},
		{"deployments of a function", s.main, deploymentList.query, convoke.DeploymentOrder, function, "deployments_by_function (account_id=? AND function_id=? AND "},
		{"deployments", s.main, deploymentList.query, convoke.DeploymentOrder, account, "deployments_by_account (account_id=? AND "},
		{"activities", s.main, activityList.query, convoke.ActivityOrder, account, "activities_by_account (account_id=? AND id"},
		{"invocations", s.runlog, invocationList.query, convoke.InvocationOrder, function, "invocations_by_function (function_id=? AND "},
		{"calls", s.runlog, callList.query, convoke.CallOrder, function, "calls_by_function (function_id=? AND id"},
		{"logs", s.runlog, logList.query, convoke.LogOrder, function, "logs_by_function (function_id=? AND seq"},
	} {
		for _, field := range l.order.Fields {
			for _, direction := range []string{"", "-"} {
				p := convoke.Page{Sort: direction + field, Limit: 2}
				keys, _, _, err := l.query(&filter{}, p)
				if err != nil {
					t.Fatal(l.name, p.Sort, err)
				}
				p.After = newMark(keys).mark()
				w := &filter{}
				l.where(w)
				_, _, query, err := l.query(w, p)
				if err != nil {
					t.Fatal(l.name, p.Sort, err)
				}
				if got := plan(t, l.db, query); !strings.Contains(got, l.want) || strings.Contains(got, "B-TREE") {
					t.Errorf("%s by %s\n%s\nhave the plan\n%s", l.name, p.Sort, query, got)
				}
			}
		}
	}
}
