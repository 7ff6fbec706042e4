package oauth

import (
	"net/http"

	"convoke"
	"convoke/api"
	"convoke/internal/httpx"
)

// Metadata handles GET /.well-known/oauth-authorization-server (RFC 8414) and
// /.well-known/openid-configuration (OpenID Connect Discovery).
func (s *Server) Metadata(w http.ResponseWriter, _ *http.Request) error {
	m := api.OAuthServer{
		Issuer:                s.issuer,
		AuthorizationEndpoint: s.issuer + "/oauth2/authorize",
		TokenEndpoint:         s.issuer + "/oauth2/token",
		RevocationEndpoint:    s.issuer + "/oauth2/revoke",
		KeySet:                s.issuer + "/.well-known/jwks.json",
		ResponseTypes:         []string{"code"},
		ResponseModes:         []string{"query"},
		GrantTypes:            []string{string(convoke.GrantAuthorizationCode), string(convoke.GrantClientCredentials), grantRefresh},
		TokenAuth:             []string{"client_secret_basic", "client_secret_post", "none"},
		RevocationAuth:        []string{"client_secret_basic", "client_secret_post", "none"},
		Challenges:            []string{"S256"},
		SubjectTypes:          []string{"public"},
		IDTokenAlgorithms:     []string{string(alg)},
		Claims:                []string{"iss", "sub", "aud", "exp", "iat", "nonce"},
		NamesIssuer:           true,
	}
	if s.people == nil {
		m.GrantTypes = []string{string(convoke.GrantClientCredentials)}
	}
	for _, scope := range convoke.Scopes {
		m.Scopes = append(m.Scopes, string(scope.Scope))
	}
	for _, a := range proofAlgs {
		m.DPoPAlgorithms = append(m.DPoPAlgorithms, string(a))
	}
	forAll(w)
	return httpx.WriteJSON(w, http.StatusOK, m)
}

// KeySet handles GET /.well-known/jwks.json and /sentinel/well-known/jwks: the
// public keys (RFC 7517). It may be kept for an hour: a new key is published
// longer than that before it signs.
func (s *Server) KeySet(w http.ResponseWriter, r *http.Request) error {
	set := s.keys.set.Load()
	forAll(w)
	h := w.Header()
	h.Set("ETag", set.etag)
	if r.Header.Get("If-None-Match") == set.etag {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", "application/jwk-set+json")
	_, _ = w.Write(set.published) // the caller has left: nobody is there to tell
	return nil
}

// forAll lets everybody keep an answer, and pages of other sites read it.
func forAll(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "public, max-age=3600")
	w.Header().Set("Access-Control-Allow-Origin", "*")
}
