package httpapi

import (
	"net/http"

	"convoke"
	"convoke/api"
	people "convoke/internal/account"
	"convoke/internal/httpx"
)

func (s *server) listAccounts(w http.ResponseWriter, r *http.Request, _ *convoke.Principal) error {
	q := queryOf(r)
	p := q.page(r, convoke.AccountOrder, 0, pageMost)
	if q.err != nil {
		return q.err
	}
	accounts, next, err := s.Pages.PageAccounts(r.Context(), p.Page)
	if err != nil {
		return err
	}
	return writeList(w, r, p, next, bodies(accounts, api.NewAccount))
}

func (s *server) createAccount(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	var in api.CreateAccountRequest
	if err := httpx.ReadExactJSON(w, r, &in, metaBytes); err != nil {
		return err
	}
	a, password, err := s.Accounts.Create(r.Context(), people.CreateInput{
		ID: in.ID, Name: in.Name, Generation: convoke.Generation(in.Generation), Limits: in.Limits, Admin: in.Admin,
	})
	if err != nil {
		return err
	}
	out := api.CreateAccountResponse{Account: api.NewAccount(a), Admin: in.Admin, Password: password.Reveal()}
	if err := s.recordAccount(r, by, "account.create", a, nil, out.Account); err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusCreated, out)
}

func (s *server) getAccount(w http.ResponseWriter, r *http.Request, _ *convoke.Principal) error {
	a, err := s.Accounts.Account(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return httpx.WriteTagged(w, r, a.Revision(), api.NewAccount(a))
}

func (s *server) updateAccount(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	var in api.UpdateAccountRequest
	if err := httpx.ReadExactJSON(w, r, &in, metaBytes); err != nil {
		return err
	}
	was, is, err := s.Accounts.Update(r.Context(), r.PathValue("id"), people.Change{
		Name: in.Name, Generation: (*convoke.Generation)(in.Generation), Disabled: in.Disabled, Limits: in.Limits,
	})
	if err != nil {
		return err
	}
	if is != was { // else nothing changed
		if err := s.recordAccount(r, by, "account.update", is, api.NewAccount(was), api.NewAccount(is)); err != nil {
			return err
		}
	}
	return httpx.WriteJSON(w, http.StatusOK, api.NewAccount(is))
}

// recordAccount keeps what the operator did in two trails: his own, and the
// account's, whose people cannot read his.
func (s *server) recordAccount(r *http.Request, by *convoke.Principal, action string, a *convoke.Account, before, after any) error {
	if err := s.record(r, by, action, a.ID, a.Name, before, after); err != nil || a.ID == by.AccountID {
		return err
	}
	return s.recordIn(r, a.ID, by, action, a.ID, a.Name, before, after)
}

func (s *server) getSettings(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	a, err := s.Accounts.Account(r.Context(), by.AccountID)
	if err != nil {
		return err
	}
	return httpx.WriteTagged(w, r, a.Revision(), settingsBody(a))
}

func (s *server) updateSettings(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	var in struct {
		api.UpdateSettingsRequest
		Limits any `json:"limits"`
	}
	if err := httpx.ReadExactJSON(w, r, &in, metaBytes); err != nil {
		return err
	}
	if in.Limits != nil {
		return convoke.Errorf(convoke.CodeValidation, "the limits of an account are set by the operator; leave them out")
	}
	was, is, err := s.Accounts.Update(r.Context(), by.AccountID, people.Change{Name: in.Name, Generation: (*convoke.Generation)(in.Generation)})
	if err != nil {
		return err
	}
	if is != was { // else nothing changed
		if err := s.record(r, by, "account.update", is.ID, is.Name, settingsBody(was), settingsBody(is)); err != nil {
			return err
		}
	}
	return httpx.WriteJSON(w, http.StatusOK, settingsBody(is))
}

func settingsBody(a *convoke.Account) api.AccountSettings {
	return api.AccountSettings{Name: a.Name, Generation: string(a.Generation), Limits: a.Limits}
}

func (s *server) listLimits(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	limits, err := s.Accounts.Report(r.Context(), by.AccountID)
	if err != nil {
		return err
	}
	out := make([]api.Limit, len(limits))
	for i, l := range limits {
		out[i] = api.Limit(l)
	}
	return httpx.WriteJSON(w, http.StatusOK, out)
}
