package api

// The answers of the authorization server. Their members are fixed by RFC 6749
// and by the reference's clients, one of which refuses members that it does not
// know (spec/api-surface.md 2.5).

// OAuthError is the body of a failed request (RFC 6749, section 5.2).
type OAuthError struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// AppToken is the answer of the reference's older path for client credentials.
type AppToken struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
}

// AppTokenV2 is the answer of its newer path: all members are text.
type AppTokenV2 struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   string `json:"expires_in"` // seconds
}

// UserToken is the answer of its path for codes and refresh tokens.
type UserToken struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
	ExpiresIn    int    `json:"expires_in"` // seconds
}

// OAuthToken is the answer of the standard path (RFC 6749, section 5.1).
type OAuthToken struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"` // Bearer or DPoP
	ExpiresIn    int    `json:"expires_in"` // seconds
	Scope        string `json:"scope"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"` // when the scope openid was granted
}

// OAuthServer is the discovery document (RFC 8414, OpenID Connect Discovery).
type OAuthServer struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	KeySet                string   `json:"jwks_uri"`
	Scopes                []string `json:"scopes_supported"`
	ResponseTypes         []string `json:"response_types_supported"`
	ResponseModes         []string `json:"response_modes_supported"`
	GrantTypes            []string `json:"grant_types_supported"`
	TokenAuth             []string `json:"token_endpoint_auth_methods_supported"`
	RevocationAuth        []string `json:"revocation_endpoint_auth_methods_supported"`
	Challenges            []string `json:"code_challenge_methods_supported"`
	DPoPAlgorithms        []string `json:"dpop_signing_alg_values_supported"`
	SubjectTypes          []string `json:"subject_types_supported"`
	IDTokenAlgorithms     []string `json:"id_token_signing_alg_values_supported"`
	Claims                []string `json:"claims_supported"`
	NamesIssuer           bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207
}

// TokenRequest is the form of a token request; a document of the parameters,
// which the server reads by name.
type TokenRequest struct {
	GrantType    string `json:"grant_type"`
	ClientID     string `json:"client_id,omitempty"` // or by HTTP Basic
	ClientSecret string `json:"client_secret,omitempty"`
	Scope        string `json:"scope,omitempty"` // separated by spaces; all of the client's when empty
	Code         string `json:"code,omitempty"`
	RedirectURI  string `json:"redirect_uri,omitempty"`
	CodeVerifier string `json:"code_verifier,omitempty"`
	RefreshToken string `json:"refresh_token,omitempty"`
}

// RevokeRequest is the form of a revocation (RFC 7009).
type RevokeRequest struct {
	Token        string `json:"token"`
	ClientID     string `json:"client_id,omitempty"` // or by HTTP Basic
	ClientSecret string `json:"client_secret,omitempty"`
}
