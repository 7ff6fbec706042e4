package api

// The answers of the authorization server. Their members are fixed by RFC 6749
// and by the reference's clients, one of which refuses members that it does not
// know (spec/api-surface.md 2.5).

// Types of access tokens: the scheme of the header that they go into.
const (
	TokenBearer = "Bearer"
	TokenDPoP   = "DPoP"
)

// GrantRefresh is the grant type of a token request with a refresh token,
// beside those that a client is registered for.
const GrantRefresh = "refresh_token"

// What the form of the page where a user agrees can ask for.
const (
	AuthorizeLogin    = "login"
	AuthorizeCancel   = "cancel" // the sign-in
	AuthorizePassword = "password"
	AuthorizeAllow    = "allow"
	AuthorizeDeny     = "deny"
)

// AuthorizeActions lists what it can ask for.
var AuthorizeActions = []string{AuthorizeLogin, AuthorizeCancel, AuthorizePassword, AuthorizeAllow, AuthorizeDeny}

// AuthorizeForm is the form of that page; a document of the parameters, which
// the server reads by name.
type AuthorizeForm struct {
	Action   string `json:"action" enum:"authorizeAction"` // what the user decided
	CSRF     string `json:"csrf"`                          // what the page put there
	User     string `json:"user,omitempty"`                // for login
	Password string `json:"password,omitempty"`            // for login
	Old      string `json:"old,omitempty"`                 // for password: the one so far
	New      string `json:"new,omitempty"`                 // for password
	Again    string `json:"again,omitempty"`               // for password: the new one once more
}

// OAuthError is the body of a failed request (RFC 6749, section 5.2).
type OAuthError struct {
	Error       string `json:"error"`             // one of RFC 6749, section 5.2
	Description string `json:"error_description"` // for people
}

// AppToken is the answer of the reference's older path for client credentials.
type AppToken struct {
	AccessToken string `json:"access_token"`                // a JWT, for the header Authorization
	TokenType   string `json:"token_type" enum:"tokenType"` // the scheme of the header
}

// AppTokenV2 is the answer of its newer path: all members are text.
type AppTokenV2 struct {
	AccessToken string `json:"access_token"`                // a JWT, for the header Authorization
	TokenType   string `json:"token_type" enum:"tokenType"` // the scheme of the header
	ExpiresIn   string `json:"expires_in"`                  // seconds
}

// UserToken is the answer of its path for codes and refresh tokens.
type UserToken struct {
	AccessToken  string `json:"access_token"`                // a JWT, for the header Authorization
	TokenType    string `json:"token_type" enum:"tokenType"` // the scheme of the header
	RefreshToken string `json:"refresh_token"`               // for the next token; it is good once
	IDToken      string `json:"id_token"`                    // who the user is; "" unless the scope openid was granted
	ExpiresIn    int    `json:"expires_in"`                  // seconds
}

// OAuthToken is the answer of the standard path (RFC 6749, section 5.1).
type OAuthToken struct {
	AccessToken  string `json:"access_token"`                // a JWT, for the header Authorization
	TokenType    string `json:"token_type" enum:"tokenType"` // the scheme of the header
	ExpiresIn    int    `json:"expires_in"`                  // seconds
	Scope        string `json:"scope"`                       // what was granted, separated by spaces
	RefreshToken string `json:"refresh_token,omitempty"`     // for the next token, when a user agreed; it is good once
	IDToken      string `json:"id_token,omitempty"`          // when the scope openid was granted
}

// OAuthServer is the discovery document (RFC 8414, OpenID Connect Discovery).
type OAuthServer struct {
	Issuer                string   `json:"issuer"`                                         // names this server in tokens
	AuthorizationEndpoint string   `json:"authorization_endpoint"`                         // where users agree
	TokenEndpoint         string   `json:"token_endpoint"`                                 // where tokens are issued
	RevocationEndpoint    string   `json:"revocation_endpoint"`                            // where refresh tokens are ended
	KeySet                string   `json:"jwks_uri"`                                       // the public keys
	Scopes                []string `json:"scopes_supported" enum:"scope"`                  // what a client can ask for
	ResponseTypes         []string `json:"response_types_supported"`                       // of an authorization request
	ResponseModes         []string `json:"response_modes_supported"`                       // of an authorization request
	GrantTypes            []string `json:"grant_types_supported" enum:"tokenGrant"`        // of a token request
	TokenAuth             []string `json:"token_endpoint_auth_methods_supported"`          // how clients prove themselves
	RevocationAuth        []string `json:"revocation_endpoint_auth_methods_supported"`     // how clients prove themselves
	Challenges            []string `json:"code_challenge_methods_supported"`               // of PKCE
	DPoPAlgorithms        []string `json:"dpop_signing_alg_values_supported"`              // of proofs
	SubjectTypes          []string `json:"subject_types_supported"`                        // of id tokens
	IDTokenAlgorithms     []string `json:"id_token_signing_alg_values_supported"`          // of id tokens
	Claims                []string `json:"claims_supported"`                               // of id tokens
	NamesIssuer           bool     `json:"authorization_response_iss_parameter_supported"` // whether answers to the client name this server (RFC 9207)
}

// TokenRequest is the form of a token request; a document of the parameters,
// which the server reads by name.
type TokenRequest struct {
	GrantType    string `json:"grant_type" enum:"tokenGrant"` // what the token is asked for by
	ClientID     string `json:"client_id,omitempty"`          // or by HTTP Basic
	ClientSecret string `json:"client_secret,omitempty"`      // of a client that is not public
	Scope        string `json:"scope,omitempty"`              // separated by spaces; all of the client's when empty
	Code         string `json:"code,omitempty"`               // for authorization_code: what the user brought back
	RedirectURI  string `json:"redirect_uri,omitempty"`       // for authorization_code: as in the authorization request, if it named one
	CodeVerifier string `json:"code_verifier,omitempty"`      // for authorization_code with PKCE
	RefreshToken string `json:"refresh_token,omitempty"`      // for refresh_token
}

// RevokeRequest is the form of a revocation (RFC 7009).
type RevokeRequest struct {
	Token        string `json:"token"`                   // the refresh token
	ClientID     string `json:"client_id,omitempty"`     // or by HTTP Basic
	ClientSecret string `json:"client_secret,omitempty"` // of a client that is not public
}
