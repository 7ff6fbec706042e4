package httpapi

import (
	"net/http"
	"slices"
	"time"

	"convoke"
	"convoke/api"
	"convoke/internal/httpx"
)

func (s *server) listTokens(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	return s.pageTokens(w, r, by, "")
}

func (s *server) pageTokens(w http.ResponseWriter, r *http.Request, by *convoke.Principal, userID string) error {
	q := queryOf(r)
	p := q.page(r, convoke.TokenOrder, 0, pageMost)
	if q.err != nil {
		return q.err
	}
	tokens, next, err := s.Pages.PageTokens(r.Context(), by.AccountID, userID, p.Page)
	if err != nil {
		return err
	}
	return writeList(w, r, p, next, bodies(tokens, TokenBody))
}

func (s *server) createToken(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	var in api.CreateTokenRequest
	if err := httpx.ReadExactJSON(w, r, &in, metaBytes); err != nil {
		return err
	}
	ttl, err := tokenTTL(in.TTLSeconds)
	if err != nil {
		return err
	}
	roles := rolesOf(in.Roles)
	for _, role := range roles {
		if !convoke.MayGrant(by.Roles, role) {
			return convoke.Errorf(convoke.CodeForbidden, "the role %s may do what you may not; somebody who holds it can issue the token", role)
		}
	}
	text, t, err := s.Auth.Issue(r.Context(), by.AccountID, in.Name, roles, ttl, by.String())
	if err != nil {
		return err
	}
	return s.issued(w, r, by, text, t)
}

// tokenYears bounds how long a token may last that is to end at all.
const tokenYears = 10

// tokenTTL returns CodeValidation for a lifetime that cannot be meant: cut down
// silently it would surprise its owner.
func tokenTTL(seconds int64) (time.Duration, error) {
	const most = tokenYears * 365 * 24 * 3600
	if seconds < 0 || seconds > most {
		return 0, convoke.Errorf(convoke.CodeValidation, "ttlSeconds is %d; it must be from 1 to %d, or 0 for a token that does not expire", seconds, most)
	}
	return time.Duration(seconds) * time.Second, nil
}

// issued records a new token and answers with its text.
func (s *server) issued(w http.ResponseWriter, r *http.Request, by *convoke.Principal, text convoke.Secret, t *convoke.Token) error {
	if err := s.record(r, by, "token.create", t.ID, t.Name, nil, TokenBody(t)); err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusCreated, api.CreateTokenResponse{Token: TokenBody(t), Text: text.Reveal()})
}

func (s *server) revokeToken(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	id := r.PathValue("token")
	all, err := s.Auth.List(r.Context(), by.AccountID)
	if err != nil {
		return err
	}
	if err := s.Auth.Revoke(r.Context(), by.AccountID, id); err != nil {
		return err
	}
	for _, t := range all {
		if t.ID != id {
			continue
		}
		if err := s.record(r, by, "token.revoke", id, t.Name, TokenBody(t), nil); err != nil {
			return err
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// ownTokens are the tokens of the user who makes the request; CodeActionNotAllowed
// for a token that belongs to nobody.
func (s *server) ownTokens(r *http.Request, by *convoke.Principal) ([]*convoke.Token, error) {
	if err := mustBeUser(by); err != nil {
		return nil, err
	}
	all, err := s.Auth.List(r.Context(), by.AccountID)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(t *convoke.Token) bool { return t.UserID != by.UserID }), nil
}

func mustBeUser(by *convoke.Principal) error {
	if by.UserID == "" {
		return convoke.Errorf(convoke.CodeActionNotAllowed, "the request was made with a token of the account, which is no user: there are no tokens of its own")
	}
	return nil
}

func (s *server) listOwnTokens(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	if err := mustBeUser(by); err != nil {
		return err
	}
	return s.pageTokens(w, r, by, by.UserID)
}

// TokensPerUser is how many live tokens a user may have.
const TokensPerUser = 50

// createOwnToken takes a session, not a token: one that leaked could make
// others that outlive it.
func (s *server) createOwnToken(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	var in api.CreateTokenRequest
	if err := httpx.ReadExactJSON(w, r, &in, metaBytes); err != nil {
		return err
	}
	ttl, err := tokenTTL(in.TTLSeconds)
	if err != nil {
		return err
	}
	if by.SessionID == "" {
		return convoke.Errorf(convoke.CodeActionNotAllowed, "sign in to make a token of your own: a token cannot make others")
	}
	if by.MustChangePassword {
		return convoke.Errorf(convoke.CodeActionNotAllowed, "set a new password first")
	}
	tokens, err := s.ownTokens(r, by)
	if err != nil {
		return err
	}
	now, live := time.Now(), 0
	for _, t := range tokens {
		if t.Live(now) {
			live++
		}
	}
	if live >= TokensPerUser {
		return convoke.Errorf(convoke.CodeLimitExceeded, "you have %d tokens, the most a user may have; revoke one first", live)
	}
	roles := rolesOf(in.Roles)
	for _, role := range roles {
		if !convoke.MayGrant(by.Roles, role) {
			return convoke.Errorf(convoke.CodeForbidden, "the role %s may do what you may not", role)
		}
	}
	text, t, err := s.Auth.IssueTo(r.Context(), by.AccountID, by.UserID, in.Name, roles, ttl, by.String())
	if err != nil {
		return err
	}
	return s.issued(w, r, by, text, t)
}

func (s *server) revokeOwnToken(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	tokens, err := s.ownTokens(r, by)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(tokens, func(t *convoke.Token) bool { return t.ID == r.PathValue("token") }) {
		return convoke.Errorf(convoke.CodeNotFound, "you have no such token")
	}
	return s.revokeToken(w, r, by)
}

// TokenBody is the wire form of a token, without its text.
func TokenBody(t *convoke.Token) api.Token {
	return api.Token{
		ID: t.ID, Name: t.Name, UserID: t.UserID, Roles: api.RoleNames(t.Roles), CreatedAt: api.Time{Time: t.CreatedAt}, CreatedBy: t.CreatedBy,
		ExpiresAt: api.Time{Time: t.ExpiresAt}, RevokedAt: api.Time{Time: t.RevokedAt}, LastUsedAt: api.Time{Time: t.LastUsedAt},
	}
}
