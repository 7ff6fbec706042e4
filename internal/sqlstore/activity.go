package sqlstore

import (
	"context"
	"strings"
	"time"

	"convoke"
)

func scanActivity(r row) (*convoke.Activity, error) {
	a := &convoke.Activity{}
	var before, after string
	err := r.Scan(&a.ID, &a.AccountID, timeColumn{&a.At}, &a.ActorID, &a.Actor, &a.From, &a.RequestID, &a.Action, &a.Subject, &a.Name, &before, &after)
	if before != "" {
		a.Before = []byte(before)
	}
	if after != "" {
		a.After = []byte(after)
	}
	return a, err
}

// AppendActivity stores a and sets its id; CodeNotFound when there is no such
// account.
func (s *Store) AppendActivity(ctx context.Context, a *convoke.Activity) error {
	noun, _, _ := strings.Cut(a.Action, ".")
	return s.main.write(ctx, func(t tx) (err error) {
		a.ID, err = find(ctx, t.conn, scanInt64, never, `INSERT INTO activities
			(account_id, at, actor_id, actor, from_addr, request_id, noun, action, subject, name, before_json, after_json)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			a.AccountID, nanos(a.At), a.ActorID, a.Actor, a.From, a.RequestID, noun, a.Action, a.Subject, a.Name, string(a.Before), string(a.After))
		return err
	})
}

var activityList = listing[*convoke.Activity]{
	order: convoke.ActivityOrder, from: `activities`, scan: scanActivity, whole: maxRecords,
	columns: `id, account_id, at, actor_id, actor, from_addr, request_id, action, subject, name, before_json, after_json`,
	keys:    map[string][]column{"id": {number("id")}},
}

// ListActivities returns what f selects, newest first, at most 1,000.
func (s *Store) ListActivities(ctx context.Context, accountID string, f convoke.ActivityFilter) ([]*convoke.Activity, error) {
	all, _, err := s.PageActivities(ctx, accountID, f, convoke.Page{Limit: min(f.Limit, maxRecords)})
	return all, err
}

// PageActivities reads a page of what f selects.
func (s *Store) PageActivities(ctx context.Context, accountID string, f convoke.ActivityFilter, p convoke.Page) ([]*convoke.Activity, convoke.Mark, error) {
	where := &filter{}
	where.add("account_id = ?", accountID)
	oneOf(where, "action", f.Actions)
	if f.Noun != "" {
		where.add("noun = ?", f.Noun)
	}
	if f.Subject != "" {
		where.add("subject = ?", f.Subject)
	}
	if f.ActorID != "" {
		where.add("actor_id = ?", f.ActorID)
	}
	if !f.From.IsZero() {
		where.add("at >= ?", nanos(f.From))
	}
	if !f.To.IsZero() {
		where.add("at < ?", nanos(f.To))
	}
	if f.Before > 0 {
		where.add("id < ?", f.Before)
	}
	return activityList.page(ctx, s.main.search, where, p)
}

// DeleteActivitiesBefore removes at most limit activities older than before
// and returns how many.
func (s *Store) DeleteActivitiesBefore(ctx context.Context, before time.Time, limit int) (int, error) {
	var n int64
	err := s.main.write(ctx, func(t tx) (err error) {
		n, err = t.exec(ctx, `DELETE FROM activities WHERE id IN (SELECT id FROM activities WHERE at < ? ORDER BY at LIMIT ?)`, nanos(before), limit)
		return err
	})
	return int(n), err
}
