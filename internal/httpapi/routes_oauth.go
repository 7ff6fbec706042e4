package httpapi

import (
	"net/http"

	"convoke"
	"convoke/api"
)

const oneClient = account + "/clients/{client}"

// clientRoutes are the part of the table where administrators register
// clients.
func (s *server) clientRoutes() []Route {
	rule := Permission(convoke.PermClientWrite)
	change := codes(convoke.CodeInvalid, convoke.CodeValidation, convoke.CodeConflict, convoke.CodePayloadTooLarge, convoke.CodeStorageFull)
	return []Route{
		{Method: "GET", Path: account + "/clients", Rule: rule, Handle: s.listClients, Doc: Doc{ID: "listClients", Tag: "clients",
			Summary: "List the account's OAuth clients in order of name, without their secrets", Order: convoke.ClientOrder, Tagged: true, Response: []api.Client{}}},
		{Method: "POST", Path: account + "/clients", Rule: rule, Handle: s.createClient, Doc: Doc{ID: "createClient", Tag: "clients",
			Summary: "Register an OAuth client; its secret is in this answer only", Request: api.CreateClientRequest{}, Response: api.ClientWithSecret{}, Status: http.StatusCreated,
			Codes: append(codes(convoke.CodeLimitExceeded), change...)}},
		{Method: "GET", Path: oneClient, Rule: rule, Handle: s.getClient, Doc: Doc{ID: "getClient", Tag: "clients",
			Summary: "Get an OAuth client without its secrets", Tagged: true, Response: api.Client{}, Codes: codes(convoke.CodeNotFound)}},
		{Method: "PATCH", Path: oneClient, Rule: rule, Handle: s.updateClient, Match: convoke.KindClient, Doc: Doc{ID: "updateClient", Tag: "clients",
			Summary: "Change, disable or enable an OAuth client; it holds for tokens in use at once", Request: api.UpdateClientRequest{}, Response: api.Client{},
			Codes: append(codes(convoke.CodeNotFound, convoke.CodeUnchanged), change...)}},
		{Method: "DELETE", Path: oneClient, Rule: rule, Handle: s.removeClient, Match: convoke.KindClient, Doc: Doc{ID: "removeClient", Tag: "clients",
			Summary: "Remove an OAuth client and end its tokens", Status: http.StatusNoContent, Codes: codes(convoke.CodeNotFound)}},
		{Method: "POST", Path: oneClient + "/secret", Rule: rule, Handle: s.rotateClientSecret, Doc: Doc{ID: "rotateClientSecret", Tag: "clients",
			Summary: "Give an OAuth client a new secret, which is in this answer only", Request: api.RotateClientSecretRequest{}, Optional: true, Response: api.ClientWithSecret{},
			Codes: append(codes(convoke.CodeNotFound, convoke.CodeActionNotAllowed), change...)}},
	}
}

// oauthRoutes are the authorization server. It is public, limits rates itself
// and answers in the forms of its protocols.
func (s *server) oauthRoutes() []Route {
	const sentinel = "/sentinel/api/account/{account}"
	version := []Param{{Name: "v", Type: "string", About: "1.0 or 2.0, which are the same"}}
	token := func(path, id, summary string, handle Handler, response any) Route {
		return Route{Method: "POST", Path: path, Rule: Public, Handle: handle,
			Doc: Doc{ID: id, Tag: "oauth", Summary: summary, Form: api.TokenRequest{}, Response: response, Knows: schemeClient, Answers: oauthAnswers,
				Headers: []Param{{Name: "DPoP", Type: "string", About: "a proof by the key that the token is to be bound to (RFC 9449)"}}}}
	}
	page := func(method, path, id, summary string, handle Handler, form any) Route {
		return Route{Method: method, Path: path, Rule: Public, Handle: handle, Doc: Doc{ID: id, Tag: "oauth", Summary: summary, Knows: schemeSession,
			Query: authorizeQuery, Form: form, Response: "", Media: "text/html", About: "A page that asks the user: to sign in, for a password, or whether he agrees.", Answers: pageAnswers(form != nil)}}
	}
	document := func(path, id, summary string, handle Handler, response any) Route {
		return Route{Method: "GET", Path: path, Rule: Public, Handle: handle, Quiet: true, Doc: Doc{ID: id, Tag: "oauth", Summary: summary, Response: response}}
	}
	o := s.OAuth
	routes := []Route{
		token(sentinel+"/app/token", "appToken", "Get a token for a client; the parameters may all be in the query", plainFor(o.AppToken), api.AppToken{}),
		token("/sentinel/api/v2/account/{account}/app/token", "appTokenV2", "The same, in another form", plainFor(o.AppTokenV2), api.AppTokenV2{}),
		token(sentinel+"/token", "userToken", "Exchange a code or a refresh token", plainFor(o.UserToken), api.UserToken{}),
		token("/oauth2/token", "token", "Get a token in any way", plainFor(o.Token), api.OAuthToken{}),
	}
	for i := range routes[:3] {
		routes[i].Doc.Query = version
	}
	return append(routes,
		Route{Method: "POST", Path: "/oauth2/revoke", Rule: Public, Handle: plainFor(o.Revoke), Doc: Doc{ID: "revoke", Tag: "oauth",
			Summary: "End a refresh token, with all tokens of its grant", Form: api.RevokeRequest{}, Knows: schemeClient, Answers: oauthAnswers}},
		page("GET", sentinel+"/authorize", "authorizeAccount", "Ask a user for a code", plainFor(o.Authorize), nil),
		page("POST", sentinel+"/authorize", "decideAccount", "Send the form of that page", plainFor(o.Decide), api.AuthorizeForm{}),
		page("GET", "/oauth2/authorize", "authorize", "Ask a user for a code", plainFor(o.Authorize), nil),
		page("POST", "/oauth2/authorize", "decide", "Send the form of that page", plainFor(o.Decide), api.AuthorizeForm{}),
		document("/.well-known/oauth-authorization-server", "oauthServer", "Describe the authorization server", plainFor(o.Metadata), api.OAuthServer{}),
		document("/.well-known/openid-configuration", "openIDConfiguration", "The same, for OpenID Connect", plainFor(o.Metadata), api.OAuthServer{}),
		document("/.well-known/jwks.json", "keySet", "Get the public keys that tokens are signed by", plainFor(o.KeySet), anyValue),
		document("/sentinel/well-known/jwks", "sentinelKeySet", "The same, where the reference has it", plainFor(o.KeySet), anyValue),
	)
}

var authorizeQuery = []Param{
	{Name: "client_id", Type: "string", About: "of the client that asks", Required: true},
	{Name: "response_type", Type: "string", About: "what is asked for", Required: true, Values: []string{"code"}},
	{Name: "redirect_uri", Type: "string", About: "may be absent when the client has one only"},
	{Name: "scope", Type: "string", About: "separated by spaces; all of the client's when absent"},
	{Name: "state", Type: "string", About: "comes back with the answer"},
	{Name: "code_challenge", Type: "string", About: "of PKCE; required of public clients"},
	{Name: "code_challenge_method", Type: "string", About: "required with code_challenge", Values: []string{"S256"}},
	{Name: "nonce", Type: "string", About: "comes back in the id token"},
	{Name: "prompt", Type: "string", About: "none: answer without asking; login: ask for the password anew", Values: []string{"none", "login", "consent"}},
}

// oauthAnswers are errors in the form of RFC 6749.
var oauthAnswers = []Answer{
	{Status: http.StatusBadRequest, About: "The request cannot be carried out; `error` is one of RFC 6749, section 5.2.", Body: api.OAuthError{}},
	{Status: http.StatusUnauthorized, About: "The client is unknown or disabled, or its secret is wrong.", Body: api.OAuthError{}},
	{Status: http.StatusTooManyRequests, About: "Too many requests; wait for `Retry-After`.", Body: api.OAuthError{}},
}

// pageAnswers are what the page answers beside itself: a browser is told with
// words, the client through the browser.
func pageAnswers(form bool) []Answer {
	back := "Back to the client: with `code`, `state` and `iss` in the query, or with `error` and `error_description`."
	if form {
		back += " After a sign-in or a new password, to the page again."
	}
	out := []Answer{
		{Status: http.StatusSeeOther, About: back, Headers: []Param{{Name: "Location", Type: "string", About: "where to go on"}}},
		{Status: http.StatusBadRequest, About: "A page that says what is wrong with the request; nothing is sent to whoever it names.", Body: "", Media: "text/html"},
		{Status: http.StatusTooManyRequests, About: "A page that asks to wait for `Retry-After`.", Body: "", Media: "text/html"},
	}
	if form {
		out = append(out, Answer{Status: http.StatusForbidden, About: "A page that says that the form was sent from another site.", Body: "", Media: "text/html"})
	}
	return out
}
