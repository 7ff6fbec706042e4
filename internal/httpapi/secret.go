package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"convoke"
	"convoke/api"
	"convoke/internal/httpx"
	"convoke/internal/secret"
)

// rotationTime is how long a change of the master key may take to answer.
const rotationTime = 5 * time.Minute

var secretQuery = []Param{{Name: "system", Type: "boolean", About: "with the platform's own"}}

func (s *server) listSecrets(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	q := queryOf(r)
	system := q.flag("system")
	p := q.page(r, convoke.SecretOrder, 0, pageMost)
	if q.err != nil {
		return q.err
	}
	secrets, next, err := s.Pages.PageSecrets(r.Context(), by.AccountID, system, p.Page)
	if err != nil {
		return err
	}
	return writeList(w, r, p, next, bodies(secrets, secretBody))
}

func (s *server) getSecret(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	e, err := s.Secrets.Get(r.Context(), by.AccountID, r.PathValue("secret"))
	if err != nil {
		return err
	}
	return httpx.WriteTagged(w, r, e.Revision(), secretBody(e))
}

func (s *server) createSecret(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	var in api.CreateSecretRequest
	if err := httpx.ReadJSON(w, r, &in, metaBytes); err != nil {
		return err
	}
	e, err := s.Secrets.Create(r.Context(), by, by.AccountID, secretInput(in.Name, in.SetSecretRequest))
	if err != nil {
		return err
	}
	return s.secretSet(w, r, by, e)
}

func (s *server) setSecret(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	var in api.SetSecretRequest
	if err := httpx.ReadJSON(w, r, &in, metaBytes); err != nil {
		return err
	}
	e, err := s.Secrets.Set(r.Context(), by, by.AccountID, secretInput(r.PathValue("secret"), in))
	if err != nil {
		return err
	}
	return s.secretSet(w, r, by, e)
}

func secretInput(name string, in api.SetSecretRequest) secret.Input {
	return secret.Input{Name: name, Type: convoke.SecretType(in.Type), Value: convoke.NewSecret(in.Value)}
}

// secretSet records and answers a secret that has a new value.
func (s *server) secretSet(w http.ResponseWriter, r *http.Request, by *convoke.Principal, e *convoke.StoredSecret) error {
	action, status := "secret.update", http.StatusOK
	if e.Version == 1 {
		action, status = "secret.create", http.StatusCreated
	}
	if err := s.record(r, by, action, e.Name, e.Name, nil, secretBody(e)); err != nil {
		return err
	}
	return httpx.WriteJSON(w, status, secretBody(e))
}

func (s *server) removeSecret(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	name := r.PathValue("secret")
	if err := s.Secrets.Remove(r.Context(), by.AccountID, name); err != nil {
		return err
	}
	if err := s.record(r, by, "secret.remove", name, name, nil, nil); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) rotateKey(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	defer allow(w, rotationTime)()
	done, err := s.Secrets.Rotate(r.Context())
	if err != nil {
		return err
	}
	out := api.KeyRotation{KeyID: int64(done.KeyID), Resealed: done.Resealed, Unreadable: []api.SecretRef{}}
	for _, e := range done.Unreadable {
		out.Unreadable = append(out.Unreadable, api.SecretRef{Account: e.AccountID, Name: e.Name})
	}
	if err := s.record(r, by, "secret.rotateKey", strconv.FormatInt(out.KeyID, 10), "master key", nil, out); err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, out)
}

func secretBody(e *convoke.StoredSecret) api.Secret {
	return api.Secret{
		Name: e.Name, Type: string(e.Type), Version: e.Version, System: convoke.SystemSecret(e.Name),
		CreatedAt: api.Time{Time: e.CreatedAt}, CreatedBy: e.CreatedBy,
		UpdatedAt: api.Time{Time: e.UpdatedAt}, UpdatedBy: e.UpdatedBy,
	}
}
