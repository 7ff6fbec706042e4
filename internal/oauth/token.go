package oauth

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
	"github.com/google/uuid"

	"convoke"
	"convoke/api"
	"convoke/internal/httpx"
)

// Grant types of requests that are no grant types of clients.
const grantRefresh = api.GrantRefresh

// tokens is what a token request got.
type tokens struct {
	access, refresh, id string
	kind                string // Bearer or DPoP
	seconds             int
	scopes              []convoke.Scope
}

// AppToken handles POST /sentinel/api/account/{account}/app/token: client
// credentials, for the reference's clients (spec/api-surface.md 2.5).
func (s *Server) AppToken(w http.ResponseWriter, r *http.Request) error {
	return s.token(w, r, true, []string{string(convoke.GrantClientCredentials)}, func(t *tokens) any {
		return api.AppToken{AccessToken: t.access, TokenType: t.kind}
	})
}

// AppTokenV2 handles POST /sentinel/api/v2/account/{account}/app/token, whose
// answer is all text.
func (s *Server) AppTokenV2(w http.ResponseWriter, r *http.Request) error {
	return s.token(w, r, true, []string{string(convoke.GrantClientCredentials)}, func(t *tokens) any {
		return api.AppTokenV2{AccessToken: t.access, TokenType: t.kind, ExpiresIn: strconv.Itoa(t.seconds)}
	})
}

// UserToken handles POST /sentinel/api/account/{account}/token: codes and
// refresh tokens (spec/platform.md 4.5).
func (s *Server) UserToken(w http.ResponseWriter, r *http.Request) error {
	return s.token(w, r, true, []string{string(convoke.GrantAuthorizationCode), grantRefresh}, func(t *tokens) any {
		return api.UserToken{AccessToken: t.access, TokenType: t.kind, RefreshToken: t.refresh, IDToken: t.id, ExpiresIn: t.seconds}
	})
}

// Token handles POST /oauth2/token, the standard form (RFC 6749, section 3.2).
// Clients that run in a browser may read the answer.
func (s *Server) Token(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	all := []string{string(convoke.GrantClientCredentials), string(convoke.GrantAuthorizationCode), grantRefresh}
	return s.token(w, r, false, all, func(t *tokens) any {
		out := api.OAuthToken{AccessToken: t.access, TokenType: t.kind, ExpiresIn: t.seconds, Scope: convoke.JoinScopes(t.scopes), RefreshToken: t.refresh}
		if slices.Contains(t.scopes, convoke.ScopeOpenID) {
			out.IDToken = t.id
		}
		return out
	})
}

func (s *Server) token(w http.ResponseWriter, r *http.Request, inQuery bool, allowed []string, shape func(*tokens) any) error {
	t, err := s.grant(w, r, inQuery, allowed)
	if err != nil {
		return answer(w, err)
	}
	w.Header().Set("Pragma", "no-cache")
	return httpx.WriteJSON(w, http.StatusOK, shape(t))
}

// grant carries a token request out.
func (s *Server) grant(w http.ResponseWriter, r *http.Request, inQuery bool, allowed []string) (*tokens, error) {
	if err := s.limits.admit(r); err != nil {
		return nil, err
	}
	form, err := parameters(w, r, inQuery)
	if err != nil {
		return nil, err
	}
	kind := form.Get("grant_type")
	switch {
	case kind == "":
		return nil, problemf("invalid_request", "the parameter grant_type is missing")
	case !slices.Contains(allowed, kind):
		return nil, problemf("unsupported_grant_type", "the grant type must be %s here", strings.Join(allowed, " or "))
	}
	c, err := s.authenticate(r, form, r.PathValue("account"))
	if err != nil {
		return nil, err
	}
	httpx.SetPrincipal(w, actor(c))
	p, err := s.prove(r, "", "")
	if err != nil {
		return nil, err
	}
	thumbprint := ""
	if p != nil {
		thumbprint = p.thumbprint
	}
	var t *tokens
	switch kind {
	case string(convoke.GrantClientCredentials):
		t, err = s.forClient(r.Context(), c, form, thumbprint)
	case string(convoke.GrantAuthorizationCode):
		t, err = s.redeem(r, c, form, thumbprint)
	default:
		t, err = s.refresh(r, c, form, thumbprint)
	}
	if err != nil {
		return nil, err
	}
	s.touch(r, c)
	return t, nil
}

// actor is the client as the log line names it.
func actor(c *convoke.Client) *convoke.Principal {
	return &convoke.Principal{AccountID: c.AccountID, ID: c.ID, Name: c.Name, ClientID: c.ID}
}

// touch records that the client got a token, at most once a minute.
func (s *Server) touch(r *http.Request, c *convoke.Client) {
	now := time.Now()
	if now.Sub(c.LastUsedAt) < time.Minute || c.ID == convoke.CommandLineID {
		return
	}
	// Best effort: nothing but the list of clients shows it.
	if err := s.store.TouchClient(r.Context(), c.ID, now); err != nil {
		s.log.DebugContext(r.Context(), "last use of a client not recorded", "client", c.ID, "err", err)
	}
}

// forClient is the client credentials grant (RFC 6749, section 4.4).
func (s *Server) forClient(ctx context.Context, c *convoke.Client, form url.Values, thumbprint string) (*tokens, error) {
	if !c.May(convoke.GrantClientCredentials) {
		return nil, unauthorizedClient(string(convoke.GrantClientCredentials))
	}
	if err := s.open(ctx, c.AccountID, badClient()); err != nil {
		return nil, err
	}
	own := slices.DeleteFunc(slices.Clone(c.Scopes), func(scope convoke.Scope) bool { return scope == convoke.ScopeOpenID })
	scopes, err := chooseScopes(form.Get("scope"), own)
	if err != nil {
		return nil, err
	}
	return s.issue(time.Now(), claims{Subject: c.ID, ClientID: c.ID, Account: c.AccountID}, scopes, thumbprint)
}

func unauthorizedClient(grant string) *problem {
	return problemf("unauthorized_client", "the client may not use %s; an administrator can allow it", grant)
}

// chooseScopes are the scopes that a request asks for, all of those that are
// allowed when it names none.
func chooseScopes(asked string, allowed []convoke.Scope) ([]convoke.Scope, error) {
	var scopes []convoke.Scope
	for text := range strings.FieldsSeq(asked) {
		scope := convoke.Scope(text)
		if !slices.Contains(allowed, scope) {
			return nil, problemf("invalid_scope", "scope %.100q is not allowed for this client", text)
		}
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	if len(scopes) == 0 {
		scopes = allowed
	}
	if len(scopes) == 0 {
		return nil, problemf("invalid_scope", "the client has no scope that this grant could give")
	}
	return scopes, nil
}

// issue signs an access token with the claims that c has already.
func (s *Server) issue(now time.Time, c claims, scopes []convoke.Scope, thumbprint string) (*tokens, error) {
	c.Issuer, c.Audience, c.ID, c.Scope = s.issuer, s.issuer, uuid.NewString(), convoke.JoinScopes(scopes)
	c.Issued, c.NotBefore, c.Expires = now.Unix(), now.Unix(), now.Add(s.lifetime).Unix()
	t := &tokens{kind: "Bearer", seconds: int(s.lifetime / time.Second), scopes: scopes}
	if thumbprint != "" {
		c.Confirm, t.kind = &confirm{thumbprint}, api.TokenDPoP
	}
	var err error
	t.access, err = sign(s.keys.current(now).signer, c)
	return t, err
}

func sign(signer jose.Signer, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}
