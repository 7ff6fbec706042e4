package httpapi

import (
	"encoding/json"
	"net/http"

	"convoke"
	"convoke/api"
	people "convoke/internal/account"
	"convoke/internal/auth"
	"convoke/internal/httpx"
)

// signInBytes bounds what somebody without a token can send.
const signInBytes = 8 << 10

func (s *server) login(w http.ResponseWriter, r *http.Request, _ *convoke.Principal) error {
	// Another site must not sign a browser in to an account of its own choice.
	if err := s.Auth.SameOrigin(r); err != nil {
		return err
	}
	var in api.LoginRequest
	if err := httpx.ReadJSON(w, r, &in, signInBytes); err != nil {
		return err
	}
	if in.AppKey != "" {
		return convoke.Errorf(convoke.CodeValidation, "keys of OAuth 1 are not known here; a program needs no sign-in, it sends a token as its bearer: convoke token create makes one, and lpf takes it by login --token; people sign in with username and password")
	}
	if in.Username == "" || in.Password == "" {
		return convoke.Errorf(convoke.CodeValidation, "a sign-in needs username and password")
	}
	signed, u, err := s.Accounts.SignIn(r.Context(), people.Login{
		AccountID: r.PathValue("account"), LoginName: in.Username, Password: convoke.NewSecret(in.Password),
		From: httpx.ClientIP(r).String(), Agent: r.UserAgent(),
	})
	if err != nil {
		return err
	}
	if err := s.recordSignIn(w, r, u, signed, "password"); err != nil {
		return err
	}
	http.SetCookie(w, signed.HTTPCookie(secure(r)))
	return httpx.WriteJSON(w, http.StatusOK, api.LoginResponse{
		Bearer: signed.Bearer.Reveal(), CSRF: signed.CSRF, SessionID: signed.Cookie.Reveal(),
		Config: api.LoginConfig{UserID: u.ID, LoginName: u.LoginName},
	})
}

// recordSignIn keeps a sign-in in the audit trail and names its user in the
// request's log line.
func (s *server) recordSignIn(w http.ResponseWriter, r *http.Request, u *convoke.User, signed *auth.SignedIn, by string) error {
	p := &convoke.Principal{AccountID: u.AccountID, ID: u.ID, Name: u.LoginName, UserID: u.ID}
	httpx.SetPrincipal(w, p)
	return s.record(r, p, "session.create", signed.Session.ID, u.LoginName, nil, map[string]string{"by": by, "agent": signed.Session.Agent})
}

// secure reports whether a browser may keep the cookie for HTTPS only: it
// keeps none of those that a server without it sets.
func secure(r *http.Request) bool { return httpx.Scheme(r) == "https" }

// refresh answers 401 to everything that is not a session which lasts: the
// tools of the reference sign in anew then, and give up on any other status
// (spec/api-surface.md 2.2).
func (s *server) refresh(w http.ResponseWriter, r *http.Request, _ *convoke.Principal) error {
	var in api.RefreshRequest
	if body, err := httpx.ReadBody(w, r, signInBytes); err != nil || json.Unmarshal(body, &in) != nil {
		in = api.RefreshRequest{}
	}
	p, err := s.Accounts.Refresh(r, in.CSRF, httpx.ClientIP(r).String())
	if err != nil {
		return err
	}
	if p.AccountID != r.PathValue("account") {
		return convoke.Errorf(convoke.CodeUnauthorized, "there is no such session: sign in")
	}
	httpx.SetPrincipal(w, p)
	return httpx.WriteJSON(w, http.StatusOK, api.RefreshResponse{CSRF: in.CSRF, Config: api.LoginConfig{UserID: p.UserID, LoginName: p.Name}})
}

func (s *server) logout(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	if err := s.Accounts.SignOut(r.Context(), by); err != nil {
		return err
	}
	if err := s.record(r, by, "session.remove", by.SessionID, by.Name, nil, nil); err != nil {
		return err
	}
	http.SetCookie(w, &http.Cookie{Name: auth.SessionCookie, Path: "/", MaxAge: -1, HttpOnly: true, Secure: secure(r), SameSite: http.SameSiteLaxMode})
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) me(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	a, err := s.Accounts.Account(r.Context(), by.AccountID)
	if err != nil {
		return err
	}
	out := api.Me{
		AccountID: a.ID, AccountName: a.Name, Kind: api.IdentityToken, ID: by.ID, Name: by.Name, UserID: by.UserID,
		Roles: api.RoleNames(by.Roles), Permissions: texts(convoke.PermissionsOf(by.Roles)), MustChangePassword: by.MustChangePassword,
	}
	if by.SessionID != "" {
		out.Kind = api.IdentitySession
		if r.Header.Get("Authorization") == "" {
			out.CSRF = auth.CSRF(r)
		}
	}
	return httpx.WriteJSON(w, http.StatusOK, out)
}
