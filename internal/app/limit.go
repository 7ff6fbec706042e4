package app

import (
	"context"
	"time"

	"convoke"
	"convoke/internal/account"
	"convoke/internal/auth"
	"convoke/internal/egress"
	"convoke/internal/httpapi"
	"convoke/internal/invoke"
	"convoke/internal/schedule"
)

// bounds are the limits of the rooms, for the report of an account's limits.
// What is used is asked of them when somebody wants to know: most of them are
// made after the accounts.
func (a *App) bounds() []account.Bound {
	cfg := a.cfg
	at := func(used func(accountID string) int) account.Used {
		return func(_ context.Context, accountID string) (int, error) { return used(accountID), nil }
	}
	ms := func(d time.Duration) int64 { return d.Milliseconds() }
	use := func(part func(egress.Use) int) account.Used {
		return at(func(accountID string) int { return part(a.egress.Use(accountID)) })
	}
	out := []account.Bound{
		{Name: "maxInstancesPerAccount", About: "instances of the account's functions at a time", Limit: int64(cfg.MaxInstancesPerAccount),
			Used: at(func(id string) int { places, _ := a.pool.Account(id); return places })},
		{Name: "maxWaiters", About: "invocations that wait for an instance of one function; used: of the busiest", Limit: int64(cfg.MaxWaiters),
			Used: at(func(id string) int { _, waiters := a.pool.Account(id); return waiters })},
		{Name: "maxWait", About: "that an invocation waits for an instance", Limit: ms(cfg.MaxWait), Unit: "ms"},
		{Name: "testsAtOnce", About: "tests of functions at a time, of all accounts together", Limit: invoke.TestsAtOnce},
		{Name: "scheduledRunsAtOnce", About: "scheduled invocations under way", Limit: schedule.RunsPerAccount, Used: at(func(id string) int { return a.schedule.UnderWay(id) })},
		{Name: "runsPerSchedule", About: "runs kept of a schedule", Limit: schedule.KeptRuns},

		{Name: "egress.callsPerSecond", About: "calls that one function may begin in a second; used: by the busiest", Limit: int64(cfg.Egress.CallsPerSecond),
			Used: use(func(u egress.Use) int { return u.Calls })},
		{Name: "egress.connectionsPerFunction", About: "connections of one function at a time; used: by the busiest", Limit: int64(cfg.Egress.ConnectionsPerFunction),
			Used: use(func(u egress.Use) int { return u.ConnectionsPerFunction })},
		{Name: "egress.connectionsPerAccount", About: "connections of the account's functions at a time", Limit: int64(cfg.Egress.ConnectionsPerAccount),
			Used: use(func(u egress.Use) int { return u.Connections })},
		{Name: "egress.mibPerConnection", About: "that go over one connection, both ways together", Limit: int64(cfg.Egress.MiBPerConnection), Unit: "MiB"},
		{Name: "egress.connectTimeout", About: "that resolving a name and connecting may take", Limit: ms(cfg.Egress.ConnectTimeout), Unit: "ms"},
		{Name: "egress.idleTimeout", About: "after which a connection ends over which nothing goes", Limit: ms(cfg.Egress.IdleTimeout), Unit: "ms"},
		{Name: "egress.life", About: "after which a connection ends however busy it is", Limit: ms(cfg.Egress.Life), Unit: "ms"},

		{Name: "tokensPerUser", About: "tokens of a user's own; used: by who has most", Limit: httpapi.TokensPerUser, Used: a.tokensOfOne},
		{Name: "sessionsPerUser", About: "sign-ins of a user; the oldest end for more", Limit: auth.SessionsPerUser},
		{Name: "sessionIdle", About: "that a sign-in lasts without being used", Limit: int64(cfg.SessionIdle / time.Second), Unit: "seconds"},
		{Name: "sessionLifetime", About: "that a sign-in lasts", Limit: int64(cfg.SessionLifetime / time.Second), Unit: "seconds"},
		{Name: "oauth.tokenLifetime", About: "that an access token is good", Limit: int64(cfg.OAuth.TokenLifetime / time.Second), Unit: "seconds"},
		{Name: "logRetention", About: "that log entries and records are kept", Limit: int64(cfg.LogRetention / time.Second), Unit: "seconds"},
		{Name: "reportRetention", About: "that daily counts of invocations are kept", Limit: int64(cfg.ReportRetention / time.Second), Unit: "seconds"},
		{Name: "activityRetention", About: "that it is kept who changed what", Limit: int64(cfg.ActivityRetention / time.Second), Unit: "seconds"},
	}
	for _, l := range convoke.FixedLimits {
		out = append(out, account.Bound{Name: l.Name, About: l.About, Unit: l.Unit, Limit: int64(l.Limit)})
	}
	return out
}

// tokensOfOne is how many live tokens the user has who has most.
func (a *App) tokensOfOne(ctx context.Context, accountID string) (most int, err error) {
	tokens, err := a.store.ListTokens(ctx, accountID)
	if err != nil {
		return 0, err
	}
	now, live := time.Now(), map[string]int{}
	for _, t := range tokens {
		if t.UserID != "" && t.Live(now) {
			live[t.UserID]++
			most = max(most, live[t.UserID])
		}
	}
	return most, nil
}

// usedBy counts what accounts have of what is limited, by the name of the limit.
func (a *App) usedBy() map[string]account.Used {
	store := a.store
	return map[string]account.Used{
		"functionsPerAccount": func(ctx context.Context, accountID string) (int, error) {
			total, _, err := store.CountFunctions(ctx, accountID)
			return total, err
		},
		"concurrentDeployments": func(ctx context.Context, accountID string) (int, error) {
			// Over all accounts there are no more than are under way at this moment.
			busy, err := store.ListBusyFunctions(ctx)
			n := 0
			for _, f := range busy {
				if f.AccountID == accountID && f.PendingDeploymentID != "" {
					n++
				}
			}
			return n, err
		},
		"invocationsPerSecondPerFunction": func(_ context.Context, accountID string) (int, error) {
			return a.invoke.Busiest(accountID, a.account.LimitsOf(accountID).InvocationsPerSecondPerFunction), nil
		},
		"clientsPerAccount": counted(store.ListClients),
		"domainsPerAccount": counted(store.ListDomains),
		"secretsPerAccount": counted(store.ListSecrets),
		"schedulesPerAccount": counted(func(ctx context.Context, accountID string) ([]*convoke.Schedule, error) {
			return store.ListSchedules(ctx, accountID, "")
		}),
	}
}

// counted counts what a list has: these lists are short.
func counted[T any](list func(ctx context.Context, accountID string) ([]T, error)) account.Used {
	return func(ctx context.Context, accountID string) (int, error) {
		all, err := list(ctx, accountID)
		return len(all), err
	}
}
