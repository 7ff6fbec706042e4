package httpapi

import (
	"encoding/json"
	"net/http"
	"time"

	"convoke"
	"convoke/internal/httpx"
)

// record keeps in the audit trail what a request changed. before and after
// are bodies of package api, nil where there was or is nothing; neither may
// hold the value of a secret.
func (s *server) record(r *http.Request, by *convoke.Principal, action, subject, name string, before, after any) error {
	a := &convoke.Activity{
		AccountID: by.AccountID, At: time.Now(), ActorID: by.ID, Actor: by.String(), From: httpx.ClientIP(r).String(), RequestID: r.Header.Get("X-Request-Id"),
		Action: action, Subject: subject, Name: name,
	}
	for _, side := range []struct {
		from any
		to   *json.RawMessage
	}{{before, &a.Before}, {after, &a.After}} {
		if side.from == nil {
			continue
		}
		b, err := json.Marshal(side.from)
		if err != nil {
			return err
		}
		*side.to = b
	}
	return s.Activities.AppendActivity(r.Context(), a)
}
