package storetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"convoke"
)

// conditioned is a thing that can be changed on a condition.
type conditioned struct {
	kind, id string
	revision func() string
	change   func(context.Context) error
	remove   func(context.Context) error // nil: it stays
	stir     func() error                // what moves by itself; nil: nothing does
}

func testConditions(t *testing.T, s Store) {
	ctx := t.Context()
	addAccount(t, s, acct)
	f := addFunction(t, s, 1)
	must(t, s.CreateUser(ctx, newUser("u", "ann"), 0))
	c := newClient(1)
	must(t, s.CreateClient(ctx, c))
	sc := addSchedule(t, s, f, 1)
	var count atomic.Int32
	put := func(ctx context.Context) error {
		n := int(count.Add(1))
		return s.PutSecret(ctx, acct, "key", 0, func(*convoke.StoredSecret) (*convoke.StoredSecret, error) {
			return &convoke.StoredSecret{Type: convoke.SecretString, Version: n, UpdatedAt: at(n), Sealed: []byte("x")}, nil
		})
	}
	must(t, put(ctx))
	text := func() string { return fmt.Sprint("text", count.Add(1)) }
	for _, thing := range []conditioned{
		{kind: convoke.KindSecret, id: "key", change: put,
			revision: func() string { return get(s.FindSecret(ctx, acct, "key"))(t).Revision() },
			remove:   func(ctx context.Context) error { return s.DeleteSecret(ctx, acct, "key") }},
		{kind: convoke.KindSchedule, id: sc.ID,
			revision: func() string { return get(s.FindSchedule(ctx, acct, sc.ID))(t).Revision() },
			change: func(ctx context.Context) error {
				_, err := s.UpdateSchedule(ctx, acct, sc.ID, func(sc *convoke.Schedule) error { sc.Description = text(); return nil })
				return err
			},
			remove: func(ctx context.Context) error { return s.DeleteSchedule(ctx, acct, sc.ID) },
			stir: func() error {
				runs, err := s.ClaimRuns(ctx, at(1000), 1, 9, func(sc *convoke.Schedule) *convoke.ScheduleRun {
					sc.NextAt, sc.LastAt, sc.LastRequestID, sc.LastFailed = at(2000), at(1000), "r", true
					return &convoke.ScheduleRun{State: convoke.RunClaimed}
				})
				if len(runs) != 1 {
					t.Errorf("%d runs", len(runs))
				}
				return err
			}},
		{kind: convoke.KindClient, id: c.ID,
			revision: func() string { return get(s.FindClient(ctx, c.ID))(t).Revision() },
			change: func(ctx context.Context) error {
				_, err := s.UpdateClient(ctx, acct, c.ID, func(c *convoke.Client) error { c.Name = text(); return nil })
				return err
			},
			remove: func(ctx context.Context) error { return s.RemoveClient(ctx, acct, c.ID) },
			stir:   func() error { return s.TouchClient(ctx, c.ID, at(9000)) }},
		{kind: convoke.KindUser, id: "u",
			revision: func() string { return get(s.FindUser(ctx, acct, "u"))(t).Revision() },
			change: func(ctx context.Context) error {
				_, err := s.UpdateUser(ctx, acct, "u", func(u *convoke.User, _ int) error { u.ExternalID = text(); return nil })
				return err
			},
			remove: func(ctx context.Context) error {
				return s.DeleteUser(ctx, acct, "u", at(0), func(*convoke.User, int) error { return nil })
			},
			stir: func() error {
				_, err := s.UpdateUser(ctx, acct, "u", func(u *convoke.User, _ int) error { u.LastLoginAt = at(9000); return nil })
				return err
			}},
		{kind: convoke.KindFunction, id: f.ID,
			revision: func() string { return get(s.FindFunction(ctx, acct, f.ID))(t).Revision() },
			change: func(ctx context.Context) error {
				_, err := s.UpdateFunction(ctx, acct, f.ID, func(f *convoke.Function) error { f.Description = text(); return nil })
				return err
			},
			remove: func(ctx context.Context) error { return s.DeleteFunction(ctx, acct, f.ID, agree) }},
		{kind: convoke.KindAccount, id: acct,
			revision: func() string { return get(s.FindAccount(ctx, acct))(t).Revision() },
			change: func(ctx context.Context) error {
				_, err := s.UpdateAccount(ctx, acct, func(a *convoke.Account) error { a.Name = text(); return nil })
				return err
			}},
	} {
		t.Run(thing.kind, func(t *testing.T) { testCondition(t, thing) })
	}
}

func testCondition(t *testing.T, c conditioned) {
	ctx := t.Context()
	demand := func(revisions ...string) context.Context {
		return convoke.WithCondition(ctx, convoke.Condition{Kind: c.kind, ID: c.id, Revisions: revisions})
	}
	before := c.revision()
	must(t, c.change(ctx))
	now := c.revision()
	if now == before {
		t.Fatal("a change leaves the revision as it was")
	}
	wantCode(t, c.change(demand(before)), convoke.CodeConditionFailed)
	if c.remove != nil {
		wantCode(t, c.remove(demand(before)), convoke.CodeConditionFailed)
	}
	if c.revision() != now {
		t.Error("a change that was refused was made")
	}
	elsewhere := convoke.WithCondition(ctx, convoke.Condition{Kind: c.kind, ID: "another", Revisions: []string{before}})
	must(t, c.change(elsewhere))
	now = c.revision()
	if c.stir != nil {
		must(t, c.stir())
		same(t, "revision after it was used", c.revision(), now)
	}

	// Of those who have all read the same, one wins.
	var won atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			switch err := c.change(demand("long ago", now)); convoke.ErrorCode(err) {
			case "":
				won.Add(1)
			case convoke.CodeConditionFailed:
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d changes of the same revision were made, want 1", won.Load())
	}
	if c.remove == nil {
		return
	}
	must(t, c.remove(demand(c.revision())))
	if code := convoke.ErrorCode(c.remove(demand(now))); code != convoke.CodeNotFound && code != convoke.CodeFunctionNotFound {
		t.Errorf("removing it twice: code %q", code)
	}
}
