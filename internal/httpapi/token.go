package httpapi

import (
	"net/http"
	"time"

	"convoke"
	"convoke/api"
	"convoke/internal/httpx"
)

func (s *server) listTokens(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	tokens, err := s.Auth.List(r.Context(), by.AccountID)
	if err != nil {
		return err
	}
	out := make([]api.Token, len(tokens))
	for i, t := range tokens {
		out[i] = tokenBody(t)
	}
	return httpx.WriteJSON(w, http.StatusOK, out)
}

func (s *server) createToken(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	var in api.CreateTokenRequest
	if err := httpx.ReadJSON(w, r, &in, metaBytes); err != nil {
		return err
	}
	roles := make([]convoke.Role, len(in.Roles))
	for i, name := range in.Roles {
		roles[i] = convoke.Role(name)
	}
	text, t, err := s.Auth.Issue(r.Context(), by.AccountID, in.Name, roles, clampDuration(in.TTLSeconds, time.Second), by.String())
	if err != nil {
		return err
	}
	if err := s.record(r, by, "token.create", t.ID, t.Name, nil, tokenBody(t)); err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusCreated, api.CreateTokenResponse{Token: tokenBody(t), Text: text.Reveal()})
}

func (s *server) revokeToken(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	id := r.PathValue("token")
	if err := s.Auth.Revoke(r.Context(), by.AccountID, id); err != nil {
		return err
	}
	if err := s.record(r, by, "token.revoke", id, "", nil, nil); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func tokenBody(t *convoke.Token) api.Token {
	roles := make([]string, len(t.Roles))
	for i, r := range t.Roles {
		roles[i] = string(r)
	}
	return api.Token{
		ID: t.ID, Name: t.Name, Roles: roles, CreatedAt: api.Time{Time: t.CreatedAt}, CreatedBy: t.CreatedBy,
		ExpiresAt: api.Time{Time: t.ExpiresAt}, RevokedAt: api.Time{Time: t.RevokedAt}, LastUsedAt: api.Time{Time: t.LastUsedAt},
	}
}
