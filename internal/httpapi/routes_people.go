package httpapi

import (
	"net/http"

	"convoke"
	"convoke/api"
	"convoke/internal/oidc"
)

const (
	oneUser    = account + "/users/{user}"
	oneAccount = "/api/accounts/{id}"
)

// peopleRoutes is the part of the table about accounts, users, sessions and
// the audit trail.
func (s *server) peopleRoutes() []Route {
	var (
		manage = Permission(convoke.PermAccountManage)
		people = Permission(convoke.PermUserWrite)
		input  = codes(convoke.CodeInvalid, convoke.CodeValidation, convoke.CodePayloadTooLarge, convoke.CodeStorageFull)
		with   = func(more ...convoke.Code) []convoke.Code { return append(more, input...) }
	)
	return []Route{
		{Method: "GET", Path: "/api/accounts", Rule: manage, Handle: s.listAccounts, Doc: Doc{ID: "listAccounts", Tag: "accounts",
			Summary: "List all accounts, the oldest first", Order: convoke.AccountOrder, Tagged: true, Response: []api.Account{}}},
		{Method: "POST", Path: "/api/accounts", Rule: manage, Handle: s.createAccount, Doc: Doc{ID: "createAccount", Tag: "accounts",
			Summary: "Create an account; the password of its first user is in this answer only", Request: api.CreateAccountRequest{}, Response: api.CreateAccountResponse{},
			Status: http.StatusCreated, Codes: with(convoke.CodeConflict)}},
		{Method: "GET", Path: oneAccount, Rule: manage, Handle: s.getAccount, Doc: Doc{ID: "getAccount", Tag: "accounts",
			Summary: "Get an account", Tagged: true, Response: api.Account{}, Codes: codes(convoke.CodeNotFound)}},
		{Method: "PATCH", Path: oneAccount, Rule: manage, Handle: s.updateAccount, Match: convoke.KindAccount, Doc: Doc{ID: "updateAccount", Tag: "accounts",
			Summary: "Change an account; it holds from the next request on", Request: api.UpdateAccountRequest{}, Response: api.Account{},
			Codes: with(convoke.CodeNotFound, convoke.CodeActionNotAllowed)}},
		{Method: "GET", Path: account + "/settings", Rule: Permission(convoke.PermAccountRead), Handle: s.getSettings, Doc: Doc{ID: "getSettings", Tag: "accounts",
			Summary: "Get the account's settings", Tagged: true, Response: api.AccountSettings{}}},
		{Method: "PATCH", Path: account + "/settings", Rule: Permission(convoke.PermAccountWrite), Handle: s.updateSettings, Match: convoke.KindAccount, Doc: Doc{ID: "updateSettings", Tag: "accounts",
			Summary: "Change the account's settings", Request: api.UpdateSettingsRequest{}, Response: api.AccountSettings{}, Codes: input}},
		{Method: "GET", Path: account + "/limits", Rule: Permission(convoke.PermAccountRead), Handle: s.listLimits, Doc: Doc{ID: "listLimits", Tag: "accounts",
			Summary: "List every limit of the account with what is used of it", Response: []api.Limit{}}},

		{Method: "POST", Path: account + "/login", Rule: Public, Handle: s.login, Doc: Doc{ID: "login", Tag: "sessions",
			Summary: "Sign in with a password; the bearer is a token, the cookie is for browsers", Request: api.LoginRequest{}, Response: api.LoginResponse{},
			Query: []Param{versionParam}, Codes: codes(convoke.CodeInvalid, convoke.CodeValidation, convoke.CodeUnauthorized, convoke.CodeForbidden, convoke.CodeLocked, convoke.CodePayloadTooLarge)}},
		{Method: "POST", Path: account + "/refresh", Rule: Public, Handle: s.refresh, Quiet: true, Doc: Doc{ID: "refresh", Tag: "sessions",
			Summary: "Ask whether the session of the cookie session_id lasts", Knows: schemeSession, Request: api.RefreshRequest{}, Response: api.RefreshResponse{},
			Codes: codes(convoke.CodeUnauthorized, convoke.CodeLocked)}},
		{Method: "POST", Path: account + "/logout", Rule: Member, Handle: s.logout, Doc: Doc{ID: "logout", Tag: "sessions",
			Summary: "End the session of the request", Status: http.StatusNoContent, Codes: codes(convoke.CodeActionNotAllowed)}},
		{Method: "GET", Path: account + "/me", Rule: Member, Handle: s.me, Doc: Doc{ID: "me", Tag: "sessions",
			Summary: "Who makes the request, and what that one may do", Response: api.Me{}}},

		{Method: "GET", Path: "/auth/oidc/login", Rule: Public, Handle: s.beginOIDC, Doc: Doc{ID: "beginOIDC", Tag: "sessions",
			Summary: "Send a browser to the identity provider to sign in", Status: http.StatusFound, About: "To the identity provider.",
			Query: []Param{{Name: "next", Type: "string", About: "path of the page to go on to"}}, Codes: codes(convoke.CodeRouteNotFound, convoke.CodeUnavailable)}},
		{Method: "GET", Path: oidc.CallbackPath, Rule: Public, Handle: s.finishOIDC, Doc: Doc{ID: "finishOIDC", Tag: "sessions",
			Summary: "Where the identity provider sends browsers back to; it sets the session cookie", Status: http.StatusFound, About: "To the page that the sign-in began for.",
			Query:   []Param{{Name: "code", Type: "string", About: "what the provider sends"}, {Name: "state", Type: "string", About: "of the sign-in"}, {Name: "error", Type: "string", About: "why the provider did not"}},
			Answers: []Answer{{Status: http.StatusUnauthorized, About: "As a page to who accepts text/html, as all errors here.", Body: "", Media: "text/html"}},
			Codes:   codes(convoke.CodeRouteNotFound, convoke.CodeUnauthorized, convoke.CodeForbidden, convoke.CodeConflict, convoke.CodeActionNotAllowed, convoke.CodeLocked, convoke.CodeUnavailable)}},

		{Method: "GET", Path: account + "/users", Rule: people, Handle: s.listUsers, Doc: Doc{ID: "listUsers", Tag: "users",
			Summary: "List the account's users in order of login name", Order: convoke.UserOrder, Tagged: true, Response: []api.User{}}},
		{Method: "POST", Path: account + "/users", Rule: people, Handle: s.createUser, Doc: Doc{ID: "createUser", Tag: "users",
			Summary: "Add a user; a password that is made up is in this answer only", Request: api.CreateUserRequest{}, Response: api.UserPasswordResponse{},
			Status: http.StatusCreated, Codes: with(convoke.CodeConflict, convoke.CodeLimitExceeded)}},
		{Method: "GET", Path: oneUser, Rule: people, Handle: s.getUser, Doc: Doc{ID: "getUser", Tag: "users",
			Summary: "Get a user", Tagged: true, Response: api.User{}, Codes: codes(convoke.CodeNotFound)}},
		{Method: "PATCH", Path: oneUser, Rule: people, Handle: s.updateUser, Match: convoke.KindUser, Doc: Doc{ID: "updateUser", Tag: "users",
			Summary: "Change a user's roles, disable or enable; it holds from the user's next request on", Request: api.UpdateUserRequest{}, Response: api.User{},
			Codes: with(convoke.CodeNotFound, convoke.CodeActionNotAllowed)}},
		{Method: "DELETE", Path: oneUser, Rule: people, Handle: s.removeUser, Match: convoke.KindUser, Doc: Doc{ID: "removeUser", Tag: "users",
			Summary: "Remove a user with all sessions, and revoke the user's tokens", Status: http.StatusNoContent,
			Codes: codes(convoke.CodeNotFound, convoke.CodeActionNotAllowed)}},
		{Method: "POST", Path: oneUser + "/resetPassword", Rule: people, Handle: s.resetPassword, Doc: Doc{ID: "resetPassword", Tag: "users",
			Summary: "Make up a password, which has to be changed at the next sign-in; sessions end", Response: api.UserPasswordResponse{},
			Codes: codes(convoke.CodeNotFound)}},
		{Method: "POST", Path: account + "/users/me/password", Rule: Member, Handle: s.changePassword, Doc: Doc{ID: "changePassword", Tag: "users",
			Summary: "Change one's own password; the other sessions end", Request: api.ChangePasswordRequest{}, Status: http.StatusNoContent,
			Codes: with(convoke.CodeActionNotAllowed, convoke.CodeConflict, convoke.CodeLocked)}},

		{Method: "GET", Path: account + "/users/me/tokens", Rule: Member, Handle: s.listOwnTokens, Doc: Doc{ID: "listOwnTokens", Tag: "tokens",
			Summary: "List one's own tokens, without their texts", Order: convoke.TokenOrder, Tagged: true, Response: []api.Token{}}},
		{Method: "POST", Path: account + "/users/me/tokens", Rule: Member, Handle: s.createOwnToken, Doc: Doc{ID: "createOwnToken", Tag: "tokens",
			Summary: "Issue a token that can do no more than oneself; its text is in this answer only", Request: api.CreateTokenRequest{}, Response: api.CreateTokenResponse{},
			Status: http.StatusCreated, Codes: with(convoke.CodeActionNotAllowed, convoke.CodeLimitExceeded)}},
		{Method: "DELETE", Path: account + "/users/me/tokens/{token}", Rule: Member, Handle: s.revokeOwnToken, Doc: Doc{ID: "revokeOwnToken", Tag: "tokens",
			Summary: "Revoke a token of one's own", Status: http.StatusNoContent, Codes: codes(convoke.CodeNotFound)}},

		{Method: "GET", Path: account + "/users/me/sessions", Rule: Member, Handle: s.listSessions, Doc: Doc{ID: "listOwnSessions", Tag: "sessions",
			Summary: "List one's own sessions that last, the newest first, with sign-ins of the command line", Order: convoke.SessionOrder, Tagged: true, Response: []api.Session{}, Codes: codes(convoke.CodeActionNotAllowed)}},
		{Method: "DELETE", Path: account + "/users/me/sessions", Rule: Member, Handle: s.endSessions, Doc: Doc{ID: "endOwnSessions", Tag: "sessions",
			Summary: "End all sessions of one's own but that of the request", Response: api.EndedSessions{}, Codes: codes(convoke.CodeActionNotAllowed)}},
		{Method: "DELETE", Path: account + "/users/me/sessions/{session}", Rule: Member, Handle: s.endSession, Doc: Doc{ID: "endOwnSession", Tag: "sessions",
			Summary: "End a session of one's own", Status: http.StatusNoContent, Codes: codes(convoke.CodeNotFound, convoke.CodeActionNotAllowed)}},
		{Method: "GET", Path: oneUser + "/sessions", Rule: people, Handle: s.listSessions, Doc: Doc{ID: "listSessions", Tag: "sessions",
			Summary: "List the sessions of a user that last, the newest first, with sign-ins of the command line", Order: convoke.SessionOrder, Tagged: true, Response: []api.Session{}, Codes: codes(convoke.CodeNotFound)}},
		{Method: "DELETE", Path: oneUser + "/sessions", Rule: people, Handle: s.endSessions, Doc: Doc{ID: "endSessions", Tag: "sessions",
			Summary: "End all sessions of a user but that of the request", Response: api.EndedSessions{}, Codes: codes(convoke.CodeNotFound)}},
		{Method: "DELETE", Path: oneUser + "/sessions/{session}", Rule: people, Handle: s.endSession, Doc: Doc{ID: "endSession", Tag: "sessions",
			Summary: "End a session of a user", Status: http.StatusNoContent, Codes: codes(convoke.CodeNotFound)}},

		{Method: "GET", Path: account + "/users/me/consents", Rule: Member, Handle: s.listConsents, Doc: Doc{ID: "listOwnConsents", Tag: "consents",
			Summary: "List what one allowed programs, the newest first", Order: convoke.ConsentOrder, Tagged: true, Response: []api.Consent{}, Codes: codes(convoke.CodeActionNotAllowed)}},
		{Method: "DELETE", Path: account + "/users/me/consents/{consent}", Rule: Member, Handle: s.revokeConsent, Doc: Doc{ID: "revokeOwnConsent", Tag: "consents",
			Summary: "End a consent of one's own, with all its tokens", Status: http.StatusNoContent, Codes: codes(convoke.CodeNotFound, convoke.CodeActionNotAllowed)}},
		{Method: "GET", Path: oneUser + "/consents", Rule: people, Handle: s.listConsents, Doc: Doc{ID: "listConsents", Tag: "consents",
			Summary: "List what a user allowed programs, the newest first", Order: convoke.ConsentOrder, Tagged: true, Response: []api.Consent{}, Codes: codes(convoke.CodeNotFound)}},
		{Method: "DELETE", Path: oneUser + "/consents/{consent}", Rule: people, Handle: s.revokeConsent, Doc: Doc{ID: "revokeConsent", Tag: "consents",
			Summary: "End a consent of a user, with all its tokens", Status: http.StatusNoContent, Codes: codes(convoke.CodeNotFound)}},

		{Method: "GET", Path: account + "/activities", Rule: Permission(convoke.PermActivityRead), Handle: s.listActivities, Doc: Doc{ID: "listActivities", Tag: "activities",
			Summary: "List who changed what, newest first", Order: convoke.ActivityOrder, Query: activityQuery, Response: []api.Activity{}, Codes: codes(convoke.CodeInvalid)}},
	}
}

var (
	versionParam  = Param{Name: "v", Type: "string", About: "version of the API; tools of the reference send 1.3, nothing depends on it"}
	activityQuery = []Param{
		{Name: "action", Type: "string", About: "only these, such as function.deploy", Repeated: true},
		{Name: "noun", Type: "string", About: "only actions on this kind of thing, such as function"},
		{Name: "subject", Type: "string", About: "only what happened to the thing with this id"},
		{Name: "actor", Type: "string", About: "only by the user or token with this id"},
		{Name: "from", Type: "date-time", About: "inclusive; RFC 3339 or Unix milliseconds"},
		{Name: "to", Type: "date-time", About: "exclusive; RFC 3339 or Unix milliseconds"},
		{Name: "before", Type: "integer", About: "only those with a smaller id"},
	}
)
