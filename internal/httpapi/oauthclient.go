package httpapi

import (
	"net/http"
	"time"

	"convoke"
	"convoke/api"
	"convoke/internal/httpx"
)

// defaultGrace is how long a secret stays good after it was replaced: time to
// bring the new one to every program that uses it.
const defaultGrace = 24 * time.Hour

func (s *server) listClients(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	q := queryOf(r)
	p := q.page(r, convoke.ClientOrder, 0, pageMost)
	if q.err != nil {
		return q.err
	}
	clients, next, err := s.Pages.PageClients(r.Context(), by.AccountID, p.Page)
	if err != nil {
		return err
	}
	return writeList(w, r, p, next, bodies(clients, clientBody))
}

func (s *server) getClient(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	c, err := s.OAuth.FindClient(r.Context(), by.AccountID, r.PathValue("client"))
	if err != nil {
		return err
	}
	return httpx.WriteTagged(w, r, c.Revision(), clientBody(c))
}

func (s *server) createClient(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	var in api.CreateClientRequest
	if err := httpx.ReadExactJSON(w, r, &in, metaBytes); err != nil {
		return err
	}
	if in.GrantTypes == nil { // as the command line does
		in.GrantTypes = []string{string(convoke.GrantClientCredentials)}
		if in.Public {
			in.GrantTypes[0] = string(convoke.GrantAuthorizationCode)
		}
	}
	if in.Scopes == nil {
		in.Scopes = []string{string(convoke.ScopeInvoke)}
	}
	c := &convoke.Client{
		AccountID: by.AccountID, Name: in.Name, Public: in.Public, GrantTypes: named[convoke.GrantType](in.GrantTypes),
		Scopes: named[convoke.Scope](in.Scopes), RedirectURIs: in.RedirectURIs, InvocationsPerSecond: in.InvocationsPerSecond,
	}
	secret, err := s.OAuth.CreateClient(r.Context(), c, by.String())
	if err != nil {
		return err
	}
	if err := s.record(r, by, "client.create", c.ID, c.Name, nil, clientBody(c)); err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusCreated, api.ClientWithSecret{Client: clientBody(c), Secret: secret.Reveal()})
}

func (s *server) updateClient(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	var in api.UpdateClientRequest
	if err := httpx.ReadExactJSON(w, r, &in, metaBytes); err != nil {
		return err
	}
	before, after, err := s.OAuth.UpdateClient(r.Context(), by.AccountID, r.PathValue("client"), func(c *convoke.Client) {
		if in.Name != nil {
			c.Name = *in.Name
		}
		if in.Disabled != nil {
			c.Disabled = *in.Disabled
		}
		if in.GrantTypes != nil {
			c.GrantTypes = named[convoke.GrantType](*in.GrantTypes)
		}
		if in.Scopes != nil {
			c.Scopes = named[convoke.Scope](*in.Scopes)
		}
		if in.RedirectURIs != nil {
			c.RedirectURIs = *in.RedirectURIs
		}
		if in.InvocationsPerSecond != nil {
			c.InvocationsPerSecond = *in.InvocationsPerSecond
		}
	}, by.String())
	if err != nil {
		return err
	}
	if err := s.record(r, by, "client.update", after.ID, after.Name, clientBody(before), clientBody(after)); err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, clientBody(after))
}

func (s *server) rotateClientSecret(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	var in api.RotateClientSecretRequest
	if err := httpx.ReadOptionalExactJSON(w, r, &in, metaBytes); err != nil {
		return err
	}
	grace := defaultGrace
	if in.GraceSeconds != nil {
		grace = clampDuration(*in.GraceSeconds, time.Second)
	}
	secret, c, err := s.OAuth.RotateSecret(r.Context(), by.AccountID, r.PathValue("client"), grace, by.String())
	if err != nil {
		return err
	}
	if err := s.record(r, by, "client.rotateSecret", c.ID, c.Name, nil, clientBody(c)); err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, api.ClientWithSecret{Client: clientBody(c), Secret: secret.Reveal()})
}

func (s *server) removeClient(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	c, err := s.OAuth.FindClient(r.Context(), by.AccountID, r.PathValue("client"))
	if err != nil {
		return err
	}
	if err := s.OAuth.RemoveClient(r.Context(), by.AccountID, c.ID); err != nil {
		return err
	}
	if err := s.record(r, by, "client.remove", c.ID, c.Name, clientBody(c), nil); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// named turns texts into values of a type that is checked elsewhere.
func named[T ~string](in []string) []T {
	out := make([]T, len(in))
	for i, text := range in {
		out[i] = T(text)
	}
	return out
}

func clientBody(c *convoke.Client) api.Client {
	out := api.Client{
		ID: c.ID, Name: c.Name, Public: c.Public, Disabled: c.Disabled,
		GrantTypes: texts(c.GrantTypes), Scopes: texts(c.Scopes), RedirectURIs: texts(c.RedirectURIs), Secrets: []api.ClientSecret{},
		CreatedAt: api.Time{Time: c.CreatedAt}, CreatedBy: c.CreatedBy, UpdatedAt: api.Time{Time: c.UpdatedAt}, UpdatedBy: c.UpdatedBy,
		LastUsedAt: api.Time{Time: c.LastUsedAt}, InvocationsPerSecond: c.InvocationsPerSecond,
	}
	for _, secret := range c.Secrets {
		out.Secrets = append(out.Secrets, api.ClientSecret{CreatedAt: api.Time{Time: secret.CreatedAt}, ExpiresAt: api.Time{Time: secret.ExpiresAt}})
	}
	return out
}
