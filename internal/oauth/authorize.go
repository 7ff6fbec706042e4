package oauth

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"convoke"
	"convoke/api"
	"convoke/internal/httpx"
)

// request is a checked authorization request (RFC 6749, section 4.1.1).
type request struct {
	client    *convoke.Client
	redirect  string // where the answer goes
	given     bool   // the request named it
	state     string
	scopes    []convoke.Scope
	challenge string
	nonce     string
	prompt    string
}

// refusal is a problem that the client hears of: the user is sent back with it
// (RFC 6749, section 4.1.2.1).
type refusal struct {
	*problem
	to *request
}

// Authorize handles GET /oauth2/authorize and
// GET /sentinel/api/account/{account}/authorize: it asks who the user is, then
// whether he agrees.
func (s *Server) Authorize(w http.ResponseWriter, r *http.Request) error {
	return s.show(w, s.authorize(w, r))
}

func (s *Server) authorize(w http.ResponseWriter, r *http.Request) error {
	if err := s.limits.admit(r); err != nil {
		return err
	}
	req, err := s.request(r)
	if err != nil {
		return err
	}
	user, err := s.user(r, req)
	if err != nil {
		return err
	}
	if req.prompt == "none" {
		code := "login_required"
		if user != nil && !user.MustChangePassword {
			code = "consent_required" // the user agrees each time
		}
		return &refusal{problemf(code, "the user has to be asked"), req}
	}
	if user == nil || req.prompt == "login" && r.URL.Query().Get(againParam) == "" {
		return s.loginPage(w, r, req, http.StatusOK, "")
	}
	return s.askUser(w, r, req, user)
}

// askUser asks a user who is signed in: for a password of his own first, when
// he has one that somebody else made up.
func (s *Server) askUser(w http.ResponseWriter, r *http.Request, req *request, user *convoke.Principal) error {
	if user.MustChangePassword {
		return s.passwordPage(w, r, req, user, http.StatusOK, "")
	}
	return s.consentPage(w, r, req, user)
}

// Decide handles the forms of the pages that Authorize shows: a sign-in, or
// the user's answer.
func (s *Server) Decide(w http.ResponseWriter, r *http.Request) error {
	return s.show(w, s.decide(w, r))
}

func (s *Server) decide(w http.ResponseWriter, r *http.Request) error {
	if err := s.limits.admit(r); err != nil {
		return err
	}
	if err := s.origin.Check(r); err != nil {
		return &problem{status: http.StatusForbidden, code: "invalid_request", text: "The form was sent from another site."}
	}
	req, err := s.request(r)
	if err != nil {
		return err
	}
	form, err := parameters(w, r, false)
	if err != nil {
		return err
	}
	switch form.Get("action") {
	case api.AuthorizeLogin:
		return s.login(w, r, req, form)
	case api.AuthorizeCancel:
		return s.cancel(w, r, req, form)
	}
	user, err := s.user(r, req)
	if err != nil {
		return err
	}
	if user == nil {
		return s.loginPage(w, r, req, http.StatusOK, "Your sign-in has ended. Sign in again.")
	}
	if !s.formIsOurs(r, user.ID, form.Get("csrf")) {
		return s.askUser(w, r, req, user) // it was open for too long: ask again
	}
	if form.Get("action") == api.AuthorizePassword {
		return s.setPassword(w, r, req, user, form)
	}
	if form.Get("action") == api.AuthorizeAllow && user.MustChangePassword {
		return s.passwordPage(w, r, req, user, http.StatusOK, "")
	}
	if form.Get("action") != api.AuthorizeAllow {
		return &refusal{problemf("access_denied", "the user did not agree"), req}
	}
	return s.sendCode(w, r, req, user)
}

// request checks what the client asks for. Until the redirect URI is known to
// be the client's own, nothing is sent there: the user sees the problem
// instead.
func (s *Server) request(r *http.Request) (*request, error) {
	if len(r.URL.RawQuery) > maxQuery {
		return nil, problemf("invalid_request", "The request is too long.")
	}
	q, err := parseForm(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	c, err := s.client(r.Context(), q.Get("client_id"), r.PathValue("account"))
	if err != nil {
		return nil, err
	}
	if c.AccountID == "" && c != nobody { // the command line, which is one of all accounts
		return nil, problemf("invalid_request", "The address names no account. Run convoke login again, or ask for a newer one.")
	}
	strange := problemf("invalid_client", "This application is not registered here for signing in. Ask its makers, or an administrator of your account.")
	if account := r.PathValue("account"); c.Disabled || account != "" && account != c.AccountID || !c.May(convoke.GrantAuthorizationCode) || s.people == nil {
		return nil, strange
	}
	if c.ID != convoke.CommandLineID { // whose page must not tell which accounts there are
		if err := s.open(r.Context(), c.AccountID, strange); err != nil {
			return nil, err
		}
	}
	redirect, ok := c.RedirectURI(q.Get("redirect_uri"))
	if !ok {
		return nil, problemf("invalid_request", "The application wants to send you to an address that is not registered for it. Ask its makers, or an administrator of your account.")
	}
	req := &request{client: c, redirect: redirect, given: q.Get("redirect_uri") != "", state: q.Get("state"),
		challenge: q.Get("code_challenge"), nonce: q.Get("nonce"), prompt: q.Get("prompt")}
	if p := req.check(q); p != nil {
		return nil, &refusal{p, req}
	}
	if req.scopes, err = chooseScopes(q.Get("scope"), c.Scopes); err != nil {
		return nil, &refusal{err.(*problem), req}
	}
	return req, nil
}

// check looks at everything but client, redirect URI and scopes. PKCE is
// required of public clients, and the plain method is refused: it protects
// from nobody who can read the request (RFC 9700, section 2.1.1).
func (req *request) check(q url.Values) *problem {
	method := q.Get("code_challenge_method")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(req.challenge)
	switch {
	case q.Get("response_type") != "code":
		return problemf("unsupported_response_type", "response_type must be code")
	case q.Has("response_mode") && q.Get("response_mode") != "query":
		return problemf("invalid_request", "response_mode must be query")
	case q.Has("request"):
		return problemf("request_not_supported", "request objects are not supported")
	case q.Has("request_uri"):
		return problemf("request_uri_not_supported", "request objects are not supported")
	case req.challenge == "" && (req.client.Public || method != ""):
		return problemf("invalid_request", "code_challenge is missing (RFC 7636)")
	case req.challenge != "" && method != "S256":
		return problemf("invalid_request", "code_challenge_method must be S256")
	case req.challenge != "" && (err != nil || len(raw) != 32):
		return problemf("invalid_request", "code_challenge is not the base64url of a SHA-256")
	case len(req.nonce) > 500:
		return problemf("invalid_request", "nonce has at most 500 bytes")
	case !slices.Contains([]string{"", "none", "login", "consent"}, req.prompt):
		return problemf("invalid_request", "prompt must be none, login or consent")
	}
	return nil
}

// user is who is signed in, nil for nobody, or for somebody of another account.
func (s *Server) user(r *http.Request, req *request) (*convoke.Principal, error) {
	p, err := s.people.Session(r)
	switch {
	case convoke.ErrorCode(err) == convoke.CodeUnauthorized:
		return nil, nil
	case err != nil:
		return nil, err
	case p.AccountID != req.client.AccountID:
		return nil, nil
	}
	return p, nil
}

// againParam marks the way back from a sign-in that prompt=login asked for.
const againParam = "signed_in"

// login carries a sign-in out and shows the same address again.
func (s *Server) login(w http.ResponseWriter, r *http.Request, req *request, form url.Values) error {
	if !s.formIsOurs(r, "", form.Get("csrf")) {
		return s.loginPage(w, r, req, http.StatusOK, "The page was open for too long. Sign in again.")
	}
	cookies, err := s.people.Login(r.Context(), r, req.client.AccountID, form.Get("user"), convoke.NewSecret(form.Get("password")))
	if e, ok := err.(*convoke.Error); ok && (e.Code == convoke.CodeUnauthorized || e.RetryAfter > 0) {
		s.limits.failed(r)
		httpx.RefusedLogin(w, r, form.Get("user"), err)
		retryAfter(w.Header(), e.RetryAfter)
		status := http.StatusOK // 401 would need a challenge, and browsers would answer it
		if e.RetryAfter > 0 {
			status = http.StatusTooManyRequests
		}
		return s.loginPage(w, r, req, status, sentence(e.Message))
	}
	if err != nil {
		return err
	}
	for _, c := range cookies {
		http.SetCookie(w, c)
	}
	showAgain(w, afterSignIn(r, req))
	return nil
}

// afterSignIn is the address of the page with somebody signed in.
func afterSignIn(r *http.Request, req *request) string {
	to := r.URL.EscapedPath() + "?" + r.URL.RawQuery
	if req.prompt == "login" && !r.URL.Query().Has(againParam) {
		to += "&" + againParam + "=1"
	}
	return to
}

// showAgain sends the browser to a page of ours, so that reloading it sends no
// form.
func showAgain(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// cancel goes back to the program from the sign-in.
func (s *Server) cancel(w http.ResponseWriter, r *http.Request, req *request, form url.Values) error {
	if !s.formIsOurs(r, "", form.Get("csrf")) {
		return s.loginPage(w, r, req, http.StatusOK, "The page was open for too long. Sign in again.")
	}
	return &refusal{problemf("access_denied", "the user did not sign in"), req}
}

// setPassword replaces a password that somebody else made up.
func (s *Server) setPassword(w http.ResponseWriter, r *http.Request, req *request, user *convoke.Principal, form url.Values) error {
	if form.Get("new") != form.Get("again") {
		return s.passwordPage(w, r, req, user, http.StatusOK, "The two new passwords differ.")
	}
	err := s.people.SetPassword(r.Context(), r, user, convoke.NewSecret(form.Get("old")), convoke.NewSecret(form.Get("new")))
	if e, ok := errors.AsType[*convoke.Error](err); ok && (e.Code == convoke.CodeValidation || e.RetryAfter > 0) {
		s.limits.failed(r)
		retryAfter(w.Header(), e.RetryAfter)
		status := http.StatusOK
		if e.RetryAfter > 0 {
			status = http.StatusTooManyRequests
		}
		return s.passwordPage(w, r, req, user, status, sentence(e.Message))
	}
	if err != nil {
		return err
	}
	showAgain(w, r.URL.EscapedPath()+"?"+r.URL.RawQuery)
	return nil
}

// sendCode stores what the user allowed and sends him back with a code.
func (s *Server) sendCode(w http.ResponseWriter, r *http.Request, req *request, user *convoke.Principal) error {
	id := uuid.New()
	code, sum := newToken(codePrefix, id)
	now := time.Now().UTC()
	g := &convoke.Grant{
		ID: id.String(), AccountID: req.client.AccountID, ClientID: req.client.ID, UserID: user.ID, Scopes: req.scopes,
		CodeHash: sum, CodeExpiresAt: now.Add(codeLifetime), RedirectURI: req.redirect, RedirectGiven: req.given,
		Challenge: req.challenge, Nonce: req.nonce, From: httpx.ClientIP(r).String(), CreatedAt: now, ExpiresAt: now.Add(grantLifetime),
	}
	if err := s.store.CreateGrant(r.Context(), g); err != nil {
		return err
	}
	if err := s.recordGiven(r, user, g, req.client.Name); err != nil {
		return err
	}
	s.sendBack(w, req, url.Values{"code": {code}})
	return nil
}

// sendBack redirects to the client. The parameter iss says which server
// answers (RFC 9207).
func (s *Server) sendBack(w http.ResponseWriter, req *request, answer url.Values) {
	answer.Set("iss", s.issuer)
	if req.state != "" {
		answer.Set("state", req.state)
	}
	separator := "?"
	if strings.Contains(req.redirect, "?") {
		separator = "&"
	}
	h := w.Header()
	h.Set("Location", req.redirect+separator+answer.Encode())
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(http.StatusSeeOther)
}
