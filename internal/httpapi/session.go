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
		From: httpx.ClientIP(r).String(), Agent: r.UserAgent(), RequestID: httpx.RequestID(r),
	})
	if err != nil {
		httpx.RefusedLogin(w, r, in.Username, err)
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

// whose is the user that a request is about, by id and login name: the one of
// the path, or who makes it. CodeActionNotAllowed, with why, for a token that
// belongs to nobody.
func (s *server) whose(r *http.Request, by *convoke.Principal, why string) (id, login string, err error) {
	id = r.PathValue("user")
	if id == "" {
		if by.UserID == "" {
			return "", "", convoke.Errorf(convoke.CodeActionNotAllowed, "the request was made with a token of the account, which is no user: %s", why)
		}
		id = by.UserID
	}
	u, err := s.Accounts.User(r.Context(), by.AccountID, id)
	if err != nil {
		return "", "", err
	}
	return u.ID, u.LoginName, nil
}

const noSessions = "it never signed in"

func (s *server) listSessions(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	user, _, err := s.whose(r, by, noSessions)
	if err != nil {
		return err
	}
	q := queryOf(r)
	p := q.page(r, convoke.SessionOrder, 0, pageMost)
	if q.err != nil {
		return q.err
	}
	sessions, next, err := s.Accounts.Sessions(r.Context(), by.AccountID, user, p.Page)
	if err != nil {
		return err
	}
	return writeList(w, r, p, next, bodies(sessions, s.sessionBody(by)))
}

// sessionBody makes the wire form of sessions for who asks.
func (s *server) sessionBody(by *convoke.Principal) func(*convoke.Session) api.Session {
	return func(one *convoke.Session) api.Session {
		return api.NewSession(one, by.SessionID, s.Accounts.SessionIdle())
	}
}

func (s *server) endSession(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	user, login, err := s.whose(r, by, noSessions)
	if err != nil {
		return err
	}
	gone, err := s.Accounts.EndSession(r.Context(), by.AccountID, user, r.PathValue("session"))
	if err != nil {
		return err
	}
	if err := s.record(r, by, "session.remove", gone.ID, login, s.sessionBody(by)(gone), nil); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// endSessions ends all sessions of a user but that of the request. Each has an
// activity of its own, as if they were ended one by one.
func (s *server) endSessions(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	user, login, err := s.whose(r, by, noSessions)
	if err != nil {
		return err
	}
	gone, err := s.Accounts.EndSessions(r.Context(), by.AccountID, user, by.SessionID)
	if err != nil {
		return err
	}
	for _, one := range gone {
		if err := s.record(r, by, "session.remove", one.ID, login, s.sessionBody(by)(one), nil); err != nil {
			return err
		}
	}
	return httpx.WriteJSON(w, http.StatusOK, api.EndedSessions{Ended: len(gone)})
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
