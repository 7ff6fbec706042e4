package httpapi

import (
	"context"
	"net/http"
	"time"

	"convoke"
	"convoke/api"
	"convoke/internal/httpx"
)

// record keeps in the audit trail what a request changed. before and after
// are bodies of package api, nil where there was or is nothing; neither may
// hold the value of a secret.
func (s *server) record(r *http.Request, by *convoke.Principal, action, subject, name string, before, after any) error {
	return s.recordIn(r, by.AccountID, by, action, subject, name, before, after)
}

// recordIn is record for the trail of another account than the caller's own.
func (s *server) recordIn(r *http.Request, accountID string, by *convoke.Principal, action, subject, name string, before, after any) error {
	a := &convoke.Activity{
		AccountID: accountID, At: time.Now(), ActorID: by.ID, Actor: by.String(), From: httpx.ClientIP(r).String(), RequestID: httpx.RequestID(r),
		Action: action, Subject: subject, Name: name,
	}
	if err := a.Show(before, after); err != nil {
		return err
	}
	// The change is made: a caller who leaves now must not keep it off the trail.
	return s.Activities.AppendActivity(context.WithoutCancel(r.Context()), a)
}

func (s *server) listActivities(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	q := queryOf(r)
	filter := convoke.ActivityFilter{
		Actions: q.list("action"),
		Noun:    q.text("noun", textLength),
		Subject: q.text("subject", textLength),
		ActorID: q.text("actor", textLength),
		From:    q.time("from", time.Time{}),
		To:      q.time("to", time.Time{}),
		Before:  q.number("before", 1, 1<<53, 0),
	}
	if len(filter.Actions) > 50 {
		q.fail("action", "given at most 50 times")
	}
	p := q.page(r, convoke.ActivityOrder, 100, pageMost)
	if q.err != nil {
		return q.err
	}
	activities, next, err := s.Pages.PageActivities(r.Context(), by.AccountID, filter, p.Page)
	if err != nil {
		return err
	}
	return writeRecords(w, r, p, next, bodies(activities, api.NewActivity))
}
