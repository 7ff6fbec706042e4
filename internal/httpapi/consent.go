package httpapi

import (
	"net/http"

	"convoke"
)

func (s *server) listConsents(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	user, _, err := s.whose(r, by, "nobody asked it for a consent")
	if err != nil {
		return err
	}
	q := queryOf(r)
	p := q.page(r, convoke.ConsentOrder, 0, pageMost)
	if q.err != nil {
		return q.err
	}
	list, next, err := s.OAuth.Consents(r.Context(), by.AccountID, user, p.Page)
	if err != nil {
		return err
	}
	return writeList(w, r, p, next, list)
}

func (s *server) revokeConsent(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	user, _, err := s.whose(r, by, "nobody asked it for a consent")
	if err != nil {
		return err
	}
	gone, err := s.OAuth.RevokeConsent(r.Context(), by.AccountID, user, r.PathValue("consent"))
	if err != nil {
		return err
	}
	s.Auth.ForgetUser(by.AccountID, user) // wakes streams that the program has open: they end now
	if err := s.record(r, by, "consent.revoke", gone.ID, gone.ClientName, gone, nil); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
