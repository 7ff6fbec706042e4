package httpapi

import (
	"net/http"

	"convoke"
	"convoke/internal/httpx"
)

// consentUser is whose consents a request is about: the user of the path, or
// who makes it. CodeActionNotAllowed for a token that belongs to nobody.
func (s *server) consentUser(r *http.Request, by *convoke.Principal) (string, error) {
	if id := r.PathValue("user"); id != "" {
		u, err := s.Accounts.User(r.Context(), by.AccountID, id)
		if err != nil {
			return "", err
		}
		return u.ID, nil
	}
	if by.UserID == "" {
		return "", convoke.Errorf(convoke.CodeActionNotAllowed, "the request was made with a token of the account, which is no user: nobody asked it for a consent")
	}
	return by.UserID, nil
}

func (s *server) listConsents(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	user, err := s.consentUser(r, by)
	if err != nil {
		return err
	}
	list, err := s.OAuth.Consents(r.Context(), by.AccountID, user)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, list)
}

func (s *server) revokeConsent(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	user, err := s.consentUser(r, by)
	if err != nil {
		return err
	}
	gone, err := s.OAuth.RevokeConsent(r.Context(), by.AccountID, user, r.PathValue("consent"))
	if err != nil {
		return err
	}
	if err := s.record(r, by, "consent.revoke", gone.ID, gone.ClientName, gone, nil); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
