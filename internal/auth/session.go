package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"convoke"
)

const (
	sessionPrefix = "cvs_" // of a session's bearer
	cookiePrefix  = "cvi_" // of its cookie; of the same length, so that a lookup is the same

	// SessionCookie is the name of the cookie, which the reference's tools
	// send to have a session checked (spec/api-surface.md 2.2).
	SessionCookie = "session_id"
	// CSRFHeader proves that a page of ours makes a browser's request: another
	// site can have the cookie sent along, but cannot know what stands here.
	CSRFHeader = "X-CSRF-Token"

	// SessionsPerUser is how many sessions a user has; the oldest end for more.
	SessionsPerUser = 20
	maxAgent        = 200
)

// SignedIn is what a new session gives to its user, this once.
type SignedIn struct {
	Session *convoke.Session
	Bearer  convoke.Secret
	Cookie  convoke.Secret
	CSRF    string
}

// HTTPCookie is the session for a browser. secure keeps it to HTTPS: a browser
// keeps no such cookie of a server without it.
func (s *SignedIn) HTTPCookie(secure bool) *http.Cookie {
	return &http.Cookie{
		Name: SessionCookie, Value: s.Cookie.Reveal(), Path: "/", Expires: s.Session.ExpiresAt,
		HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode,
	}
}

// StartSession makes a session of a user. Its texts are new, so that nobody
// can have planted them. It returns CodeNotFound when the user is gone.
func (a *Auth) StartSession(ctx context.Context, u *convoke.User, from, agent string) (*SignedIn, error) {
	bearer, cookie := random(sessionPrefix), random(cookiePrefix)
	bearerHash, cookieHash := sha256.Sum256([]byte(bearer)), sha256.Sum256([]byte(cookie))
	now := time.Now().UTC().Truncate(time.Millisecond)
	runes := []rune(agent)
	s := &convoke.Session{
		ID: uuid.NewString(), AccountID: u.AccountID, UserID: u.ID, BearerHash: bearerHash[:], CookieHash: cookieHash[:],
		From: from, Agent: string(runes[:min(len(runes), maxAgent)]), CreatedAt: now, LastUsedAt: now, ExpiresAt: now.Add(a.life),
	}
	if err := a.people.CreateSession(ctx, s, SessionsPerUser); err != nil {
		return nil, err
	}
	return &SignedIn{Session: s, Bearer: convoke.NewSecret(bearer), Cookie: convoke.NewSecret(cookie), CSRF: csrfOf(cookie)}, nil
}

// csrfOf follows from the cookie, so that a page that lost it can be told it
// again, and the cookie does not follow from it.
func csrfOf(cookie string) string {
	sum := sha256.Sum256([]byte("convoke csrf " + cookie))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// authenticateCookie is for browsers. Their requests that change something
// need the header too, and must come from a page of ours.
func (a *Auth) authenticateCookie(r *http.Request) (*convoke.Principal, error) {
	text, ok := cookieText(r)
	if !ok {
		return nil, convoke.Errorf(convoke.CodeUnauthorized, "the request needs a header \"Authorization: Bearer <token>\"")
	}
	p, err := a.lookup(r.Context(), text)
	if err != nil {
		return nil, err
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return p, nil
	}
	if err := a.SameOrigin(r); err != nil {
		return nil, err
	}
	if !sameText(r.Header.Get(CSRFHeader), csrfOf(text)) {
		return nil, convoke.Errorf(convoke.CodeForbidden, "a request with a session cookie needs the header %s with the csrf of the sign-in", CSRFHeader)
	}
	return p, nil
}

// SameOrigin returns CodeForbidden when a browser says that a page of another
// site makes the request.
func (a *Auth) SameOrigin(r *http.Request) error {
	if err := a.crossOrigin.Check(r); err != nil {
		return &convoke.Error{Code: convoke.CodeForbidden, Message: "a page of another site may not make this request", Cause: err}
	}
	return nil
}

// CheckSession returns who the session cookie of r belongs to, when csrf is
// the one of the same sign-in, and CodeUnauthorized in every other case.
func (a *Auth) CheckSession(r *http.Request, csrf string) (*convoke.Principal, error) {
	text, ok := cookieText(r)
	if !ok || !sameText(csrf, csrfOf(text)) {
		return nil, convoke.Errorf(convoke.CodeUnauthorized, "there is no such session: sign in")
	}
	return a.lookup(r.Context(), text)
}

// CSRF is what the header must hold beside the session cookie of r; "" without
// a usable one.
func CSRF(r *http.Request) string {
	text, ok := cookieText(r)
	if !ok {
		return ""
	}
	return csrfOf(text)
}

// cookieText is the session cookie. Two of the name are none: one of them was
// planted by another host of the domain.
func cookieText(r *http.Request) (string, bool) {
	if len(r.Header["Cookie"]) == 0 {
		return "", false
	}
	found := r.CookiesNamed(SessionCookie)
	if len(found) != 1 || len(found[0].Value) != tokenLength || found[0].Value[:len(cookiePrefix)] != cookiePrefix {
		return "", false
	}
	return found[0].Value, true
}

func sameText(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// askSession makes an entry of a session; CodeNotFound when there is none or
// its user may not come in.
func (a *Auth) askSession(ctx context.Context, key hash) (*entry, error) {
	if a.people == nil {
		return nil, errEnded
	}
	s, err := a.people.FindSessionByHash(ctx, key[:])
	if err != nil {
		return nil, err
	}
	u, err := a.owner(ctx, s.AccountID, s.UserID)
	if err != nil {
		return nil, err
	}
	e := &entry{
		principal: &convoke.Principal{AccountID: u.AccountID, ID: u.ID, Name: u.LoginName, Roles: slices.Clone(u.Roles),
			UserID: u.ID, SessionID: s.ID, MustChangePassword: u.MustChangePassword},
		expires: s.ExpiresAt, idle: a.idle,
	}
	e.touched.Store(s.LastUsedAt.UnixMilli())
	return e, nil
}

// owner returns the user, nil for userID ""; CodeNotFound when he or his
// account may not come in.
func (a *Auth) owner(ctx context.Context, accountID, userID string) (*convoke.User, error) {
	if a.people == nil {
		return nil, nil
	}
	account, err := a.people.FindAccount(ctx, accountID)
	if err != nil {
		return nil, err
	}
	if account.Disabled {
		return nil, errEnded
	}
	if userID == "" {
		return nil, nil
	}
	u, err := a.people.FindUser(ctx, accountID, userID)
	if err != nil {
		return nil, err
	}
	if u.Disabled {
		return nil, errEnded
	}
	return u, nil
}

// EndSession ends a session or sign-in of the command line: it is refused once
// EndSession has returned. One that is gone is fine.
func (a *Auth) EndSession(ctx context.Context, accountID, id string) error {
	if err := a.people.DeleteSession(ctx, accountID, id); err != nil {
		return err
	}
	// Last, for it wakes the streams, which ask then whether they may go on.
	defer a.forget(func(e *entry) bool { return e.tokenID == "" && e.principal.SessionID == id })
	if a.jwt == nil {
		return nil
	}
	return a.jwt.EndSession(ctx, accountID, id)
}

// EndSessions ends all sessions of a user but the one to keep.
func (a *Auth) EndSessions(ctx context.Context, accountID, userID, keep string) error {
	if err := a.people.DeleteUserSessions(ctx, accountID, userID, keep); err != nil {
		return err
	}
	defer a.ForgetUser(accountID, userID) // last, as in EndSession
	if a.jwt == nil {
		return nil
	}
	return a.jwt.EndSessions(ctx, accountID, userID, keep)
}

// ForgetUser makes what a user may do be read again, for his sessions and tokens.
func (a *Auth) ForgetUser(accountID, userID string) {
	if a.jwt != nil {
		a.jwt.ForgetUser(accountID, userID)
	}
	a.forget(func(e *entry) bool { return e.principal.AccountID == accountID && e.principal.UserID == userID })
}

// ForgetAccount is ForgetUser for everybody of an account.
func (a *Auth) ForgetAccount(accountID string) {
	if a.jwt != nil {
		a.jwt.ForgetAccount(accountID)
	}
	a.forget(func(e *entry) bool { return e.principal.AccountID == accountID })
}

// Idle is how long an unused session lasts.
func (a *Auth) Idle() time.Duration { return a.idle }
