package storetest

import (
	"testing"
	"time"

	"convoke"
)

func testUsage(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	addAccount(t, s, other)
	march, april := convoke.MonthOf(at(0)), convoke.MonthOf(at(0).AddDate(0, 1, 0))
	same(t, "usage of nobody", get(s.ListUsage(ctx, march))(t), []convoke.Usage{})

	must(t, s.AddUsage(ctx, nil))
	must(t, s.AddUsage(ctx, []convoke.Usage{{AccountID: other, Month: at(3), Invocations: 5}, {AccountID: "999", Month: march, Invocations: 7}}))
	must(t, s.AddUsage(ctx, []convoke.Usage{{AccountID: other, Month: march, Invocations: 1}, {AccountID: acct, Month: march, Invocations: 1 << 40}, {AccountID: acct, Month: april, Invocations: 2}}))
	want := []convoke.Usage{{AccountID: acct, Month: march, Invocations: 1 << 40}, {AccountID: other, Month: march, Invocations: 6}}
	same(t, "usage", get(s.ListUsage(ctx, march))(t), want)
	same(t, "usage by any time in the month", get(s.ListUsage(ctx, april.Add(-time.Nanosecond)))(t), want)
	same(t, "usage of the next month", get(s.ListUsage(ctx, april))(t), []convoke.Usage{{AccountID: acct, Month: april, Invocations: 2}})
}
