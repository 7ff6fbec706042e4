package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"convoke"
	"convoke/internal/httpx"
)

// Prefixes of codes and refresh tokens, so that scanners find leaked ones.
const (
	codePrefix    = "cvc_"
	refreshPrefix = "cvr_"
)

// A code or refresh token is a prefix and the base64url of the grant's id and
// 32 random bytes. With the id a refresh token that was replaced leads to its
// grant too, so that using it again is noticed without keeping them all.
const tokenBytes = len(uuid.UUID{}) + 32

// newToken makes a code or refresh token of the grant with that id.
func newToken(prefix string, grant uuid.UUID) (text string, sum []byte) {
	var raw [tokenBytes]byte
	copy(raw[:], grant[:])
	rand.Read(raw[len(grant):]) // never fails
	text = prefix + base64.RawURLEncoding.EncodeToString(raw[:])
	return text, hashOf(text)
}

func hashOf(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// grantOf is the grant that a code or refresh token names.
func grantOf(prefix, text string) (uuid.UUID, bool) {
	rest, ok := strings.CutPrefix(text, prefix)
	if !ok || len(rest) != base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return uuid.UUID{}, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(rest)
	if err != nil || len(raw) != tokenBytes { // the decoder skips line ends
		return uuid.UUID{}, false
	}
	return uuid.UUID(raw[:len(uuid.UUID{})]), true
}

func same(a, b []byte) bool { return len(a) > 0 && subtle.ConstantTimeCompare(a, b) == 1 }

// redeem exchanges a code (RFC 6749, section 4.1.3; RFC 7636, section 4.5). A
// code that is used again ends the grant with all its tokens.
func (s *Server) redeem(r *http.Request, c *convoke.Client, form url.Values, thumbprint string) (*tokens, error) {
	if !c.May(convoke.GrantAuthorizationCode) {
		return nil, unauthorizedClient(string(convoke.GrantAuthorizationCode))
	}
	code := form.Get("code")
	if code == "" {
		return nil, problemf("invalid_request", "the parameter code is missing")
	}
	return s.advance(r, c, codePrefix, code, form, func(g *convoke.Grant, now time.Time) (reused bool, err error) {
		switch {
		case !same(g.CodeHash, hashOf(code)):
			return false, badGrant()
		case !g.CodeUsedAt.IsZero():
			return true, nil
		case !g.Live(now) || !now.Before(g.CodeExpiresAt) || !redirectAgrees(g, form.Get("redirect_uri")) || !verifierAgrees(g, form.Get("code_verifier")):
			return false, badGrant()
		}
		g.CodeUsedAt = now
		if c.Public { // one with a secret proves itself by that
			g.KeyThumbprint = thumbprint
		}
		return false, nil
	}, thumbprint)
}

func redirectAgrees(g *convoke.Grant, asked string) bool {
	if asked == "" {
		return !g.RedirectGiven
	}
	return asked == g.RedirectURI
}

// verifierAgrees checks PKCE. A verifier for a code that was given without a
// challenge is refused: somebody took the challenge away.
func verifierAgrees(g *convoke.Grant, verifier string) bool {
	if g.Challenge == "" || verifier == "" {
		return g.Challenge == "" && verifier == ""
	}
	if len(verifier) < 43 || len(verifier) > 128 { // RFC 7636, section 4.1
		return false
	}
	return same([]byte(g.Challenge), []byte(base64.RawURLEncoding.EncodeToString(hashOf(verifier))))
}

// refresh exchanges a refresh token for a new one (RFC 6749, section 6). One
// that was exchanged before ends the grant with all its tokens: either the
// client or somebody else has stolen it, and nobody can say who
// (RFC 9700, section 4.14).
func (s *Server) refresh(r *http.Request, c *convoke.Client, form url.Values, thumbprint string) (*tokens, error) {
	if !c.May(convoke.GrantAuthorizationCode) {
		return nil, unauthorizedClient(grantRefresh)
	}
	text := form.Get("refresh_token")
	if text == "" {
		return nil, problemf("invalid_request", "the parameter refresh_token is missing")
	}
	return s.advance(r, c, refreshPrefix, text, form, func(g *convoke.Grant, now time.Time) (reused bool, err error) {
		switch {
		case !g.Live(now) || len(g.RefreshHash) == 0:
			return false, badGrant()
		case !same(g.RefreshHash, hashOf(text)):
			return true, nil
		case g.KeyThumbprint != "" && g.KeyThumbprint != thumbprint:
			return false, badGrant()
		}
		return false, nil
	}, thumbprint)
}

// advance moves the grant that text names one step on, when step agrees, and
// issues its next tokens. It does so in one transaction, so that of two who
// present the same text at the same time one finds it used.
func (s *Server) advance(r *http.Request, c *convoke.Client, prefix, text string, form url.Values, step func(*convoke.Grant, time.Time) (bool, error), thumbprint string) (*tokens, error) {
	id, ok := grantOf(prefix, text)
	if !ok {
		return nil, badGrant()
	}
	ctx, now := r.Context(), time.Now().UTC()
	next, nextHash := newToken(refreshPrefix, id)
	var scopes []convoke.Scope
	stolen := false
	g, err := s.store.UpdateGrant(ctx, id.String(), func(g *convoke.Grant) error {
		if g.ClientID != c.ID || c.AccountID != "" && g.AccountID != c.AccountID {
			return badGrant()
		}
		// Before anything is used up: an account that is enabled again goes on.
		if err := s.open(ctx, g.AccountID, badGrant()); err != nil {
			return err
		}
		reused, err := step(g, now)
		if err != nil {
			return err
		}
		if reused {
			stolen = g.RevokedAt.IsZero()
			revoke(g, now)
			return nil
		}
		// Before anything is stored: a request for too much must not use up the text.
		allowed := slices.DeleteFunc(slices.Clone(g.Scopes), func(scope convoke.Scope) bool { return !slices.Contains(c.Scopes, scope) })
		if scopes, err = chooseScopes(form.Get("scope"), allowed); err != nil {
			return err
		}
		g.RefreshHash, g.LastUsedAt = nextHash, now
		return nil
	})
	if convoke.ErrorCode(err) == convoke.CodeNotFound {
		return nil, badGrant()
	}
	if err != nil {
		return nil, err
	}
	if !g.RevokedAt.IsZero() {
		s.forgetGrant(g.ID)
		if stolen {
			if err := s.recordEnded(r, c, g, "a code or refresh token was used twice: it may have been stolen"); err != nil {
				return nil, err
			}
		}
		return nil, badGrant()
	}
	return s.forUser(ctx, g, scopes, next, thumbprint, now)
}

func revoke(g *convoke.Grant, now time.Time) {
	if g.RevokedAt.IsZero() {
		g.RevokedAt = now
	}
}

func (s *Server) forgetGrant(id string) { s.forget(func(c *claims) bool { return c.Grant == id }) }

// idClaims are the claims of id tokens (OpenID Connect Core, section 2).
type idClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	Expires  int64  `json:"exp"`
	Issued   int64  `json:"iat"`
	Nonce    string `json:"nonce,omitempty"`
}

// forUser issues the tokens of a grant.
func (s *Server) forUser(ctx context.Context, g *convoke.Grant, scopes []convoke.Scope, refresh, thumbprint string, now time.Time) (*tokens, error) {
	if s.people == nil {
		return nil, badGrant()
	}
	switch _, err := s.people.Find(ctx, g.AccountID, g.UserID); {
	case convoke.ErrorCode(err) == convoke.CodeNotFound:
		return nil, badGrant()
	case err != nil:
		return nil, err
	}
	t, err := s.issue(now, claims{Subject: g.UserID, ClientID: g.ClientID, Account: g.AccountID, Grant: g.ID}, scopes, thumbprint)
	if err != nil {
		return nil, err
	}
	t.refresh = refresh
	t.id, err = sign(s.keys.current(now).idToken, idClaims{
		Issuer: s.issuer, Subject: g.UserID, Audience: g.ClientID, Issued: now.Unix(), Expires: now.Add(s.lifetime).Unix(), Nonce: g.Nonce,
	})
	return t, err
}

// Revoke handles POST /oauth2/revoke (RFC 7009). A refresh token, or an access
// token of a user, ends its grant with all tokens. An access token of client
// credentials has nothing behind it that could be ended; the answer says what
// to do instead.
func (s *Server) Revoke(w http.ResponseWriter, r *http.Request) error {
	return answer(w, s.revoke(w, r))
}

func (s *Server) revoke(w http.ResponseWriter, r *http.Request) error {
	if err := s.limits.admit(r); err != nil {
		return err
	}
	form, err := parameters(w, r, false)
	if err != nil {
		return err
	}
	c, err := s.authenticate(r, form, "")
	if err != nil {
		return err
	}
	httpx.SetPrincipal(w, actor(c))
	text := form.Get("token")
	if text == "" {
		return problemf("invalid_request", "the parameter token is missing")
	}
	now := time.Now().UTC()
	id, known, err := s.grantNamedBy(r.Context(), c, text, now)
	if err != nil || !known {
		return err // a token that is none needs no revoking: 200 (RFC 7009, section 2.2)
	}
	ended := false
	g, err := s.store.UpdateGrant(r.Context(), id, func(g *convoke.Grant) error {
		if g.ClientID == c.ID {
			ended = g.RevokedAt.IsZero()
			revoke(g, now)
		}
		return nil
	})
	if convoke.ErrorCode(err) == convoke.CodeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	s.forgetGrant(id)
	if !ended {
		return nil
	}
	return s.recordEnded(r, c, g, "the program gave it up")
}

// grantNamedBy is the grant of a refresh or access token of c.
func (s *Server) grantNamedBy(ctx context.Context, c *convoke.Client, text string, now time.Time) (id string, known bool, err error) {
	if grant, ok := grantOf(refreshPrefix, text); ok {
		return grant.String(), true, nil
	}
	if len(text) > maxToken {
		return "", false, nil
	}
	access, err := s.parse(text, now)
	if err != nil || access.ClientID != c.ID {
		return "", false, nil
	}
	if access.Grant == "" {
		return "", false, problemf("unsupported_token_type", "a token of client_credentials ends with its lifetime; to end all at once, disable the client")
	}
	return access.Grant, true, nil
}
