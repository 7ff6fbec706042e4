package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"convoke"
)

// elements is how many each list of this test has.
const elements = 7

// shared is a number that two or three of the elements have in common.
func shared(n int) int { return (n*3%elements + 1) / 2 }

// pagedList is a list to read by pages: what its elements are called, and what
// they are sorted by, for each field.
type pagedList[T any] struct {
	order  convoke.Order
	read   func(context.Context, convoke.Page) ([]T, convoke.Mark, error)
	id     func(T) string
	keys   map[string]func(T) string
	remove func(id string) error // nil: elements do not go one by one
}

func stamp(at time.Time) string { return fmt.Sprintf("%020d", at.UnixNano()) }

func testPages(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	addAccount(t, s, other)
	f := fillLists(t, s, other)
	foreign := f.ID
	f = fillLists(t, s, acct)

	t.Run("Accounts", pages(pagedList[*convoke.Account]{
		order: convoke.AccountOrder, id: func(a *convoke.Account) string { return a.ID }, read: s.PageAccounts,
		keys: map[string]func(*convoke.Account) string{
			"createdAt": func(a *convoke.Account) string { return stamp(a.CreatedAt) }, "updatedAt": func(a *convoke.Account) string { return stamp(a.UpdatedAt) },
			"id": func(a *convoke.Account) string { return a.ID }, "name": func(a *convoke.Account) string { return a.Name },
		}}))
	t.Run("Users", pages(pagedList[*convoke.User]{
		order: convoke.UserOrder, id: func(u *convoke.User) string { return u.ID },
		read: func(ctx context.Context, p convoke.Page) ([]*convoke.User, convoke.Mark, error) {
			return s.PageUsers(ctx, acct, p)
		},
		keys: map[string]func(*convoke.User) string{
			"loginName": func(u *convoke.User) string { return strings.ToLower(u.LoginName) }, "createdAt": func(u *convoke.User) string { return stamp(u.CreatedAt) },
			"updatedAt": func(u *convoke.User) string { return stamp(u.UpdatedAt) }, "lastLoginAt": func(u *convoke.User) string { return stamp(u.LastLoginAt) },
		},
		remove: func(id string) error {
			return s.DeleteUser(ctx, acct, id, at(0), func(*convoke.User, int) error { return nil })
		}}))
	tokens := pagedList[*convoke.Token]{
		order: convoke.TokenOrder, id: func(k *convoke.Token) string { return k.ID },
		read: func(ctx context.Context, p convoke.Page) ([]*convoke.Token, convoke.Mark, error) {
			return s.PageTokens(ctx, acct, "", p)
		},
		keys: map[string]func(*convoke.Token) string{
			"createdAt": func(k *convoke.Token) string { return stamp(k.CreatedAt) }, "name": func(k *convoke.Token) string { return k.Name },
			"expiresAt": func(k *convoke.Token) string { return stamp(k.ExpiresAt) }, "lastUsedAt": func(k *convoke.Token) string { return stamp(k.LastUsedAt) },
		}}
	t.Run("Tokens", pages(tokens))
	last := convoke.SessionsAt{At: at(50), Idle: at(0)}
	t.Run("Sessions", pages(pagedList[*convoke.Session]{
		order: convoke.SessionOrder, id: func(e *convoke.Session) string { return e.ID },
		read: func(ctx context.Context, p convoke.Page) ([]*convoke.Session, convoke.Mark, error) {
			return s.PageSessions(ctx, acct, acct+"-user-0", last, p)
		},
		keys: map[string]func(*convoke.Session) string{
			"createdAt": func(e *convoke.Session) string { return stamp(e.CreatedAt) }, "lastUsedAt": func(e *convoke.Session) string { return stamp(e.LastUsedAt) },
			"expiresAt": func(e *convoke.Session) string { return stamp(e.ExpiresAt) },
		},
		remove: func(id string) error { return endSession(ctx, s, acct, id) }}))
	t.Run("Consents", pages(pagedList[*convoke.Grant]{
		order: convoke.ConsentOrder, id: func(g *convoke.Grant) string { return g.ID },
		read: func(ctx context.Context, p convoke.Page) ([]*convoke.Grant, convoke.Mark, error) {
			return s.PageGrants(ctx, acct, acct+"-user-1", at(50), p)
		},
		keys: map[string]func(*convoke.Grant) string{
			"createdAt": func(g *convoke.Grant) string { return stamp(g.CreatedAt) }, "lastUsedAt": func(g *convoke.Grant) string { return stamp(g.LastUsedAt) },
			"expiresAt": func(g *convoke.Grant) string { return stamp(g.ExpiresAt) },
		},
		remove: func(id string) error { return revokeGrant(ctx, s, id) }}))
	t.Run("Clients", pages(pagedList[*convoke.Client]{
		order: convoke.ClientOrder, id: func(c *convoke.Client) string { return c.ID },
		read: func(ctx context.Context, p convoke.Page) ([]*convoke.Client, convoke.Mark, error) {
			return s.PageClients(ctx, acct, p)
		},
		keys: map[string]func(*convoke.Client) string{
			"name": func(c *convoke.Client) string { return c.Name }, "createdAt": func(c *convoke.Client) string { return stamp(c.CreatedAt) },
			"updatedAt": func(c *convoke.Client) string { return stamp(c.UpdatedAt) }, "lastUsedAt": func(c *convoke.Client) string { return stamp(c.LastUsedAt) },
		},
		remove: func(id string) error { return s.RemoveClient(ctx, acct, id) }}))
	t.Run("Secrets", pages(pagedList[*convoke.StoredSecret]{
		order: convoke.SecretOrder, id: func(e *convoke.StoredSecret) string { return e.Name },
		read: func(ctx context.Context, p convoke.Page) ([]*convoke.StoredSecret, convoke.Mark, error) {
			return s.PageSecrets(ctx, acct, false, p)
		},
		keys: map[string]func(*convoke.StoredSecret) string{
			"name": func(e *convoke.StoredSecret) string { return e.Name }, "createdAt": func(e *convoke.StoredSecret) string { return stamp(e.CreatedAt) },
			"updatedAt": func(e *convoke.StoredSecret) string { return stamp(e.UpdatedAt) },
		},
		remove: func(id string) error { return s.DeleteSecret(ctx, acct, id) }}))
	t.Run("Domains", pages(pagedList[*convoke.Domain]{
		order: convoke.DomainOrder, id: func(d *convoke.Domain) string { return d.ID },
		read: func(ctx context.Context, p convoke.Page) ([]*convoke.Domain, convoke.Mark, error) {
			return s.PageDomains(ctx, acct, p)
		},
		keys: map[string]func(*convoke.Domain) string{
			"name": func(d *convoke.Domain) string { return d.String() }, "createdAt": func(d *convoke.Domain) string { return stamp(d.CreatedAt) },
		},
		remove: func(id string) error { _, err := s.RemoveDomain(ctx, acct, id); return err }}))
	t.Run("Schedules", pages(pagedList[*convoke.Schedule]{
		order: convoke.ScheduleOrder, id: func(e *convoke.Schedule) string { return e.ID },
		read: func(ctx context.Context, p convoke.Page) ([]*convoke.Schedule, convoke.Mark, error) {
			return s.PageSchedules(ctx, acct, "", p)
		},
		keys: map[string]func(*convoke.Schedule) string{
			"createdAt": func(e *convoke.Schedule) string { return stamp(e.CreatedAt) }, "updatedAt": func(e *convoke.Schedule) string { return stamp(e.UpdatedAt) },
			"nextExecution": func(e *convoke.Schedule) string { return stamp(e.NextAt) }, "lastExecution": func(e *convoke.Schedule) string { return stamp(e.LastAt) },
		},
		remove: func(id string) error { return s.DeleteSchedule(ctx, acct, id) }}))
	t.Run("Versions", pages(pagedList[*convoke.Version]{
		order: convoke.VersionOrder, id: func(v *convoke.Version) string { return v.ID },
		read: func(ctx context.Context, p convoke.Page) ([]*convoke.Version, convoke.Mark, error) {
			return s.PageVersions(ctx, acct, f.ID, p)
		},
		keys: map[string]func(*convoke.Version) string{"version": func(v *convoke.Version) string { return fmt.Sprintf("%03d", v.Number) }}}))
	deployments := func(functionID string) func(*testing.T) {
		return pages(pagedList[*convoke.Deployment]{
			order: convoke.DeploymentOrder, id: func(d *convoke.Deployment) string { return d.ID },
			read: func(ctx context.Context, p convoke.Page) ([]*convoke.Deployment, convoke.Mark, error) {
				return s.PageDeployments(ctx, acct, functionID, p)
			},
			keys: map[string]func(*convoke.Deployment) string{"createdAt": func(d *convoke.Deployment) string { return stamp(d.CreatedAt) }}})
	}
	t.Run("DeploymentsOfAFunction", deployments(f.ID))
	t.Run("Deployments", func(t *testing.T) {
		deployments("")(t)
		page, _, err := s.PageDeployments(ctx, acct, "", convoke.Page{})
		must(t, err)
		same(t, "the newest of every function", page, get(s.ListDeployments(ctx, acct, ""))(t))
	})
	t.Run("Activities", pages(pagedList[*convoke.Activity]{
		order: convoke.ActivityOrder, id: func(a *convoke.Activity) string { return a.Subject },
		read: func(ctx context.Context, p convoke.Page) ([]*convoke.Activity, convoke.Mark, error) {
			return s.PageActivities(ctx, acct, convoke.ActivityFilter{}, p)
		},
		keys: map[string]func(*convoke.Activity) string{"id": func(a *convoke.Activity) string { return fmt.Sprintf("%09d", a.ID) }}}))
	t.Run("Invocations", pages(pagedList[convoke.Invocation]{
		order: convoke.InvocationOrder, id: func(i convoke.Invocation) string { return i.RequestID },
		read: func(ctx context.Context, p convoke.Page) ([]convoke.Invocation, convoke.Mark, error) {
			return s.PageInvocations(ctx, acct, convoke.InvocationFilter{FunctionID: "fn"}, p)
		},
		keys: map[string]func(convoke.Invocation) string{"startedAt": func(i convoke.Invocation) string { return stamp(i.StartedAt) }}}))
	t.Run("Calls", pages(pagedList[convoke.Call]{
		order: convoke.CallOrder, id: func(c convoke.Call) string { return fmt.Sprint(c.ID) },
		read: func(ctx context.Context, p convoke.Page) ([]convoke.Call, convoke.Mark, error) {
			return s.PageCalls(ctx, acct, convoke.CallFilter{}, p)
		},
		keys: map[string]func(convoke.Call) string{"id": func(c convoke.Call) string { return fmt.Sprintf("%09d", c.ID) }}}))
	t.Run("Logs", pages(pagedList[convoke.LogEntry]{
		order: convoke.LogOrder, id: func(e convoke.LogEntry) string { return fmt.Sprint(e.Seq) },
		read: func(ctx context.Context, p convoke.Page) ([]convoke.LogEntry, convoke.Mark, error) {
			return s.PageLogs(ctx, acct, convoke.LogFilter{}, p)
		},
		keys: map[string]func(convoke.LogEntry) string{"id": func(e convoke.LogEntry) string { return fmt.Sprintf("%09d", e.Seq) }}}))
	t.Run("ScheduleRuns", pages(pagedList[*convoke.ScheduleRun]{
		order: convoke.ScheduleRunOrder, id: func(r *convoke.ScheduleRun) string { return stamp(r.DueAt) },
		read: func(ctx context.Context, p convoke.Page) ([]*convoke.ScheduleRun, convoke.Mark, error) {
			return s.PageRuns(ctx, acct, "runs"+acct, p)
		},
		keys: map[string]func(*convoke.ScheduleRun) string{"dueAt": func(r *convoke.ScheduleRun) string { return stamp(r.DueAt) }}}))
	t.Run("Functions", pages(pagedList[*convoke.Function]{
		order: convoke.FunctionOrder, id: func(f *convoke.Function) string { return f.ID },
		read: func(ctx context.Context, p convoke.Page) ([]*convoke.Function, convoke.Mark, error) {
			return s.PageFunctions(ctx, acct, convoke.FunctionFilter{States: []convoke.State{convoke.StateDraft}}, p)
		},
		keys: map[string]func(*convoke.Function) string{
			"name": func(f *convoke.Function) string { return f.Name }, "createdAt": func(f *convoke.Function) string { return stamp(f.CreatedAt) },
			"updatedAt": func(f *convoke.Function) string { return stamp(f.UpdatedAt) },
		},
		remove: func(id string) error { return s.DeleteFunction(ctx, acct, id, agree) }}))

	// What narrows a list.
	own, _, err := s.PageTokens(ctx, acct, acct+"-user-1", convoke.Page{})
	must(t, err)
	if len(own) != elements/2 || slices.ContainsFunc(own, func(k *convoke.Token) bool { return k.UserID != acct+"-user-1" }) {
		t.Errorf("tokens of a user: %v", own)
	}
	all, _, err := s.PageSecrets(ctx, other, true, convoke.Page{})
	must(t, err)
	if len(all) != elements+2 {
		t.Errorf("%d secrets with the platform's own, want %d", len(all), elements+2)
	}
	mine, _, err := s.PageVersions(ctx, acct, foreign, convoke.Page{})
	must(t, err)
	same(t, "versions of another account's function", mine, []*convoke.Version{})
	few, _, err := s.PageSchedules(ctx, other, foreign, convoke.Page{})
	must(t, err)
	if len(few) != 2 {
		t.Errorf("%d schedules of one function, want 2", len(few))
	}
}

// fillLists fills every list of an account; its first function has versions,
// deployments and runs.
func fillLists(t *testing.T, s Store, acct string) *convoke.Function {
	t.Helper()
	ctx := t.Context()
	of := func(kind string, n int) string { return fmt.Sprintf("%s-%s-%d", acct, kind, n) }
	last := func(n int) int { return elements - n }
	var first *convoke.Function
	for n := range elements {
		must(t, s.CreateAccount(ctx, &convoke.Account{ID: fmt.Sprint(acct, n), Name: fmt.Sprint("n", shared(n)), CreatedAt: at(last(n)), UpdatedAt: at(shared(n))}))
		u := newUser(of("user", n), fmt.Sprint("Login", last(n)))
		u.AccountID, u.CreatedAt, u.UpdatedAt, u.LastLoginAt = acct, at(shared(n)), at(n), at(shared(n))
		must(t, s.CreateUser(ctx, u, 0))
		must(t, s.CreateToken(ctx, &convoke.Token{ID: of("token", n), AccountID: acct, UserID: of("user", n%2), Name: fmt.Sprint("t", shared(n)), Hash: []byte(of("hash", n)),
			CreatedAt: at(last(n)), ExpiresAt: at(shared(n)), LastUsedAt: at(n)}))
		c := newClient(n)
		c.ID, c.AccountID, c.Name, c.CreatedAt, c.UpdatedAt, c.LastUsedAt = of("client", n), acct, fmt.Sprint("crm \xff", last(n)), at(shared(n)), at(n), at(shared(n))
		must(t, s.CreateClient(ctx, c))
		d := newDomain(n, fmt.Sprintf("d%d.example.com", n/2), 1+n%2)
		d.ID, d.AccountID, d.CreatedAt = of("domain", n), acct, at(shared(n))
		must(t, s.CreateDomain(ctx, d, 0))

		f := newFunction(n)
		f.ID, f.AccountID, f.Name, f.CreatedAt, f.UpdatedAt = of("fn", n), acct, fmt.Sprint("name", last(n)), at(shared(n)), at(n)
		must(t, s.CreateFunction(ctx, f, newVersion(f, 1), 0))
		if n == 0 {
			first = f
		}
		begin := func(k int) {
			d := newDeployment(first, k, 1)
			d.CreatedAt = at(100 + shared(k))
			if n > 0 && k == 0 { // the only one of its function
				d = newDeployment(f, 0, 1)
				d.CreatedAt = at(90 + shared(n))
			}
			get(s.BeginDeployment(ctx, d, 0, agree))(t)
			d.State = convoke.DeploymentFailed
			get(s.FinishDeployment(ctx, d, 0, agree))(t)
		}
		begin(0)
		if n > 0 {
			get(s.SaveVersion(ctx, newVersion(first, n+1), 0, agree))(t)
			begin(n)
		}
		sc := newSchedule(f, n)
		sc.ID, sc.CreatedAt, sc.UpdatedAt, sc.NextAt, sc.LastAt = of("schedule", n), at(last(n)), at(shared(n)), at(1000+n), at(shared(n))
		must(t, s.CreateSchedule(ctx, sc, 0))
		must(t, s.AppendActivity(ctx, &convoke.Activity{AccountID: acct, At: at(0), Action: "a.b", Subject: of("thing", n)}))
	}
	for n := range elements { // of user 0, half of them sign-ins of the command line; of user 1 consents
		g := newGrant(convoke.CommandLine(acct), n)
		g.ID, g.UserID, g.CreatedAt, g.ExpiresAt, g.CodeUsedAt = of("cli", n), of("user", 0), at(shared(n)), at(100+last(n)), at(1)
		if n%2 == 0 {
			e := newSession(of("session", n), of("user", 0), n)
			e.AccountID, e.BearerHash, e.CookieHash = acct, []byte(of("bearer", n)), []byte(of("cookie", n))
			e.CreatedAt, e.LastUsedAt, e.ExpiresAt = at(shared(n)), at(10+shared(n)), at(100+last(n))
			must(t, s.CreateSession(ctx, e, elements))
		} else {
			must(t, s.CreateGrant(ctx, g))
			get(s.UpdateGrant(ctx, g.ID, func(g *convoke.Grant) error { g.LastUsedAt = at(10 + shared(n)); return nil }))(t)
		}
		g.ID, g.UserID, g.ClientID = of("consent", n), of("user", 1), of("client", 0)
		must(t, s.CreateGrant(ctx, g))
		get(s.UpdateGrant(ctx, g.ID, func(g *convoke.Grant) error { g.LastUsedAt = at(10 + shared(n)); return nil }))(t)
	}
	names := []string{"LIVEPERSON_DEFAULT_KEY", "lp-faas-default-app-key"}
	for n := range elements {
		names = append(names, of("secret", n))
	}
	for n, name := range names {
		must(t, s.PutSecret(ctx, acct, name, 0, func(*convoke.StoredSecret) (*convoke.StoredSecret, error) {
			return &convoke.StoredSecret{Type: convoke.SecretString, Version: 1, CreatedAt: at(shared(n)), UpdatedAt: at(last(n)), Sealed: []byte("x")}, nil
		}))
	}
	var logs []convoke.LogEntry
	var calls []convoke.Call
	var runs []convoke.Invocation
	for n := range elements {
		e, c, r := newLog(n), newCalls(1)[0], newInvocation(n)
		e.AccountID, c.AccountID, r.AccountID = acct, acct, acct
		r.FunctionID, r.RequestID, r.StartedAt = "fn", of("request", n), at(shared(n))
		logs, calls, runs = append(logs, e), append(calls, c), append(runs, r)
	}
	must(t, s.AppendLogs(ctx, logs))
	must(t, s.AppendCalls(ctx, calls))
	must(t, s.AppendInvocations(ctx, runs, nil))

	due := newSchedule(first, 0)
	due.ID, due.CreatedAt, due.NextAt = "runs"+acct, at(50), at(1)
	if acct == other {
		due.Active, due.NextAt = false, time.Time{} // would be in the way of the claims below
	}
	must(t, s.CreateSchedule(ctx, due, 0))
	for n := 1; acct != other && n <= elements; n++ {
		get(s.ClaimRuns(ctx, at(n), 1, 100, func(sc *convoke.Schedule) *convoke.ScheduleRun {
			sc.NextAt = at(n + 1)
			return &convoke.ScheduleRun{State: convoke.RunFinished, ClaimedAt: at(n)}
		}))(t)
	}
	must(t, s.DeleteSchedule(ctx, acct, of("schedule", elements-1))) // so that there are seven
	return first
}

// pages checks a list: sorted by every field, both ways, and the same in pages
// of any size, also while elements that were read go.
func pages[T any](l pagedList[T]) func(*testing.T) {
	return func(t *testing.T) {
		ctx := t.Context()
		same(t, "fields of the order", slices.Sorted(slices.Values(l.order.Fields)), slices.Sorted(maps.Keys(l.keys)))
		read := func(p convoke.Page, between func(all []T)) []string {
			t.Helper()
			var all []T
			for {
				page, next, err := l.read(ctx, p)
				must(t, err)
				if p.Limit > 0 && (len(page) > p.Limit || len(page) < p.Limit && next != nil) || p.Limit == 0 && next != nil {
					t.Fatalf("a page of at most %d has %d elements and the next mark %v", p.Limit, len(page), next)
				}
				all = append(all, page...)
				if between != nil {
					between(all)
				}
				if next == nil || len(all) > 100 {
					break
				}
				p.After = next
			}
			out := make([]string, len(all))
			for i, v := range all {
				out[i] = l.id(v)
			}
			return out
		}
		for _, field := range l.order.Fields {
			for _, sort := range []string{field, "-" + field} {
				whole, _, err := l.read(ctx, convoke.Page{Sort: sort})
				must(t, err)
				if len(whole) < elements {
					t.Fatalf("the list has %d elements", len(whole))
				}
				key := l.keys[field]
				up := slices.IsSortedFunc(whole, func(a, b T) int { return strings.Compare(key(a), key(b)) })
				down := slices.IsSortedFunc(whole, func(a, b T) int { return strings.Compare(key(b), key(a)) })
				if sort == field && !up || sort != field && !down {
					t.Errorf("by %s the list is %v", sort, read(convoke.Page{Sort: sort}, nil))
				}
				want := read(convoke.Page{Sort: sort}, nil)
				if n := len(slices.Compact(slices.Sorted(slices.Values(want)))); n != len(want) {
					t.Errorf("by %s elements come twice: %v", sort, want)
				}
				for _, limit := range []int{1, 3, len(want) - 1, len(want), len(want) + 1} {
					same(t, fmt.Sprintf("pages of %d by %s", limit, sort), read(convoke.Page{Sort: sort, Limit: limit}, nil), want)
				}
				if sort == l.order.Own {
					same(t, "the list in its own order", read(convoke.Page{}, nil), want)
				}
			}
		}
		for name, p := range map[string]convoke.Page{
			"unknown field": {Sort: "colour"}, "two fields": {Sort: l.order.Own + "," + l.order.Own},
			"short mark": {After: convoke.Mark{}}, "long mark": {After: convoke.Mark{"a", "b", "c"}}, "other types": {After: convoke.Mark{1.5, true}},
		} {
			if _, _, err := l.read(ctx, p); convoke.ErrorCode(err) != convoke.CodeInvalid {
				t.Errorf("%s: got error %v, want CodeInvalid", name, err)
			}
		}
		if l.remove == nil {
			return
		}
		// The element that a page ended with, one before it and one behind it go.
		want := read(convoke.Page{}, nil)
		got := read(convoke.Page{Limit: 3}, func(all []T) {
			if len(all) != 3 {
				return
			}
			for _, i := range []int{0, 2, 4} {
				must(t, l.remove(want[i]))
			}
		})
		same(t, "pages while elements go", got, slices.Concat(want[:4], want[5:]))
	}
}

// testMarksAreText holds that a mark survives being written as JSON.
func testMarksAreText(t *testing.T, s Store) {
	addAccount(t, s, acct)
	for n := range 3 {
		addFunction(t, s, n)
	}
	_, mark, err := s.PageFunctions(t.Context(), acct, convoke.FunctionFilter{}, convoke.Page{Sort: "-createdAt", Limit: 1})
	must(t, err)
	b, err := json.Marshal(mark)
	must(t, err)
	same(t, "mark", string(b), fmt.Sprintf("[%d,%q]", at(2).UnixNano(), id("fn", 2)))
}
