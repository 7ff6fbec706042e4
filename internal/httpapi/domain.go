package httpapi

import (
	"net/http"

	"convoke"
	"convoke/api"
	"convoke/internal/httpx"
)

func (s *server) listDomains(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	q := queryOf(r)
	p := q.page(r, convoke.DomainOrder, 0, pageMost)
	if q.err != nil {
		return q.err
	}
	domains, next, err := s.Pages.PageDomains(r.Context(), by.AccountID, p.Page)
	if err != nil {
		return err
	}
	return writeList(w, r, p, next, bodies(domains, api.NewDomain))
}

func (s *server) addDomain(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	var in api.AddDomainRequest
	if err := httpx.ReadExactJSON(w, r, &in, metaBytes); err != nil {
		return err
	}
	d, err := s.Domains.Add(r.Context(), by, by.AccountID, in.Domain)
	if err != nil {
		return err
	}
	out := api.NewDomain(d)
	if err := s.record(r, by, "domain.add", d.ID, out.Domain, nil, out); err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusCreated, out)
}

func (s *server) removeDomain(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	d, err := s.Domains.Remove(r.Context(), by.AccountID, r.PathValue("domain"))
	if err != nil {
		return err
	}
	before := api.NewDomain(d)
	if err := s.record(r, by, "domain.remove", d.ID, before.Domain, before, nil); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
