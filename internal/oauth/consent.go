package oauth

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"convoke"
	"convoke/api"
	"convoke/internal/httpx"
)

// Consents are a page of what a user allowed programs and still does, with the
// mark of the next one. It returns CodeInvalid for a page that the list does
// not have.
func (s *Server) Consents(ctx context.Context, accountID, userID string, p convoke.Page) ([]api.Consent, convoke.Mark, error) {
	grants, next, err := s.store.PageGrants(ctx, accountID, userID, time.Now(), p)
	if err != nil {
		return nil, nil, err
	}
	out := []api.Consent{}
	names := map[string]string{}
	for _, g := range grants {
		if names[g.ClientID] == "" {
			names[g.ClientID] = s.clientName(ctx, g)
		}
		out = append(out, api.NewConsent(g, names[g.ClientID]))
	}
	return out, next, nil
}

// clientName is what people know the client of g by; its id when it is gone.
func (s *Server) clientName(ctx context.Context, g *convoke.Grant) string {
	c, err := s.find(ctx, g.ClientID, g.AccountID)
	if err != nil {
		return g.ClientID
	}
	return c.Name
}

// RevokeConsent ends a consent of a user with its code and its refresh tokens,
// and access tokens where they are judged by this process: at once, by another
// one after Config.TTL. It returns the consent, and CodeNotFound when the user
// has none of that id, or it has ended.
func (s *Server) RevokeConsent(ctx context.Context, accountID, userID, id string) (*api.Consent, error) {
	now := time.Now().UTC()
	none := convoke.Errorf(convoke.CodeNotFound, "there is no such consent; it may have ended already")
	g, err := s.store.UpdateGrant(ctx, id, func(g *convoke.Grant) error {
		if g.AccountID != accountID || g.UserID != userID || !g.Given(now) {
			return none
		}
		revoke(g, now)
		return nil
	})
	if convoke.ErrorCode(err) == convoke.CodeNotFound {
		return nil, none
	}
	if err != nil {
		return nil, err
	}
	s.forgetGrant(id)
	out := api.NewConsent(g, s.clientName(ctx, g))
	return &out, nil
}

// EndSession ends a sign-in of the command line; one that is no such is fine.
func (s *Server) EndSession(ctx context.Context, accountID, id string) error {
	now := time.Now().UTC()
	_, err := s.store.UpdateGrant(ctx, id, func(g *convoke.Grant) error {
		if g.AccountID == accountID && g.ClientID == convoke.CommandLineID {
			revoke(g, now)
		}
		return nil
	})
	if convoke.ErrorCode(err) == convoke.CodeNotFound {
		return nil
	}
	s.forgetGrant(id)
	return err
}

// EndSessions ends a user's sign-ins of the command line but the one to keep.
func (s *Server) EndSessions(ctx context.Context, accountID, userID, keep string) error {
	grants, err := s.store.ListGrants(ctx, accountID, userID)
	if err != nil {
		return err
	}
	for _, g := range grants {
		if g.ClientID != convoke.CommandLineID || g.ID == keep || !g.RevokedAt.IsZero() {
			continue
		}
		if err := s.EndSession(ctx, accountID, g.ID); err != nil {
			return err
		}
	}
	return nil
}

// recordGiven keeps in the audit trail that a user agreed.
func (s *Server) recordGiven(r *http.Request, user *convoke.Principal, g *convoke.Grant, client string) error {
	return s.record(r, "consent.give", user, g, client, nil, api.NewConsent(g, client))
}

// recordEnded keeps that the client gave a consent up, or lost it, and why.
func (s *Server) recordEnded(r *http.Request, c *convoke.Client, g *convoke.Grant, why string) error {
	by := actor(c)
	if c.ID == convoke.CommandLineID { // it is nobody but its user
		by = &convoke.Principal{ID: g.UserID, Name: s.userName(r.Context(), g)}
	}
	return s.record(r, "consent.revoke", by, g, c.Name, api.NewConsent(g, c.Name), map[string]string{"why": why})
}

func (s *Server) userName(ctx context.Context, g *convoke.Grant) string {
	if s.people != nil {
		if p, err := s.people.Find(ctx, g.AccountID, g.UserID); err == nil {
			return p.Name
		}
	}
	return g.UserID
}

func (s *Server) record(r *http.Request, action string, by *convoke.Principal, g *convoke.Grant, client string, before, after any) error {
	a := &convoke.Activity{
		AccountID: g.AccountID, At: time.Now(), ActorID: by.ID, Actor: by.String(), From: httpx.ClientIP(r).String(), RequestID: httpx.RequestID(r),
		Action: action, Subject: g.ID, Name: cmp.Or(client, g.ClientID),
	}
	if err := a.Show(before, after); err != nil {
		return err
	}
	// The change is made: a caller who leaves now must not keep it off the trail.
	return s.store.AppendActivity(context.WithoutCancel(r.Context()), a)
}

// actsAsUser reports whether a token with these scopes is the user himself.
func actsAsUser(c *convoke.Client, scopes []convoke.Scope) bool {
	return c.ID == convoke.CommandLineID && slices.Contains(scopes, convoke.ScopeUser)
}
