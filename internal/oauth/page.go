package oauth

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"convoke"
	"convoke/api"
	"convoke/internal/httpx"
)

var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	pageStyle string

	page = template.Must(template.New("page").Parse(pageText))
	// styleHash lets browsers take the page's one style and nothing else.
	styleHash = func() string {
		sum := sha256.Sum256([]byte(pageStyle))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}()
)

// view is what a page shows: a sign-in, a new password, a question, or, with
// none of them, Problem.
type view struct {
	Style                    template.CSS
	Title                    string
	Client                   string
	Account                  string
	Problem                  string
	Login, Password, Consent bool
	Provider                 string   // where else to sign in; "": nowhere
	User                     string   // who is asked
	Everything               bool     // is asked for: to act as the user
	Scopes                   []string // are asked for
	CSRF                     string
}

func (s *Server) loginPage(w http.ResponseWriter, r *http.Request, req *request, status int, problem string) error {
	v := view{Title: "Sign in", Client: req.client.Name, Account: req.client.AccountID, Problem: problem, Login: true}
	v.Provider = s.people.ProviderPath(req.client.AccountID, afterSignIn(r, req))
	return s.page(w, r, req, "", status, v)
}

func (s *Server) passwordPage(w http.ResponseWriter, r *http.Request, req *request, user *convoke.Principal, status int, problem string) error {
	v := view{Title: "Choose a password", Client: req.client.Name, Account: req.client.AccountID, Problem: problem, Password: true, User: user.String()}
	return s.page(w, r, req, user.ID, status, v)
}

// sentence makes an error's message one that can stand on a page.
func sentence(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(first)) + s[size:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

func (s *Server) consentPage(w http.ResponseWriter, r *http.Request, req *request, user *convoke.Principal) error {
	v := view{Title: "Allow " + req.client.Name + "?", Client: req.client.Name, Account: req.client.AccountID, Consent: true, User: user.String(),
		Everything: actsAsUser(req.client, req.scopes)}
	if v.Everything {
		v.Title = "Let the command line act as you?"
	}
	for _, info := range convoke.Scopes {
		for _, scope := range req.scopes {
			if info.Scope == scope {
				v.Scopes = append(v.Scopes, info.About)
			}
		}
	}
	return s.page(w, r, req, user.ID, http.StatusOK, v)
}

// page writes a page with a form that only this browser and user can send.
func (s *Server) page(w http.ResponseWriter, r *http.Request, req *request, subject string, status int, v view) error {
	cookie := formCookie(r)
	if cookie == "" {
		raw := make([]byte, 32)
		rand.Read(raw) // never fails
		cookie = base64.RawURLEncoding.EncodeToString(raw)
		http.SetCookie(w, &http.Cookie{Name: formCookieName, Value: cookie, Path: "/", HttpOnly: true, Secure: httpx.Scheme(r) == "https", SameSite: http.SameSiteLaxMode})
	}
	v.CSRF = s.seal(cookie, subject, r.URL.RawQuery, time.Now().Add(formLifetime))
	return writePage(w, status, v, "'self' "+formTarget(req.redirect))
}

// formTarget is where a form may lead in the end: browsers hold the redirect
// after it to form-action too.
func formTarget(redirect string) string {
	u, err := url.Parse(redirect)
	if err != nil || u.Host == "" || strings.Contains(u.Host, "[") { // the grammar has no IPv6
		scheme, _, _ := strings.Cut(redirect, ":")
		return scheme + ":"
	}
	return u.Scheme + "://" + u.Host
}

func writePage(w http.ResponseWriter, status int, v view, formAction string) error {
	v.Style = template.CSS(pageStyle)
	var b bytes.Buffer
	if err := page.Execute(&b, v); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src "+styleHash+"; form-action "+formAction+"; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the user has left: nobody is there to tell
	return nil
}

// show turns a problem into a page, or sends the user back with it. Other
// errors are the caller's to return.
func (s *Server) show(w http.ResponseWriter, err error) error {
	if back, ok := errors.AsType[*refusal](err); ok {
		s.sendBack(w, back.to, url.Values{"error": {back.code}, "error_description": {back.text}})
		return nil
	}
	p, ok := errors.AsType[*problem](err)
	if !ok {
		return err
	}
	retryAfter(w.Header(), p.wait)
	return writePage(w, p.status, view{Title: "This does not work", Problem: p.text}, "'none'")
}

// ShowError shows an error of a sign-in as a page to who looks at it in a
// browser. Other errors, and those of programs, are the caller's to return.
func ShowError(w http.ResponseWriter, r *http.Request, err error) error {
	e, ok := errors.AsType[*convoke.Error](err)
	if !ok || e.Code == convoke.CodeInternal || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		return err
	}
	retryAfter(w.Header(), e.RetryAfter)
	return writePage(w, api.Status(e.Code), view{Title: "You are not signed in", Problem: sentence(e.Message)}, "'none'")
}

const (
	formCookieName = "convoke_form"
	formLifetime   = 30 * time.Minute
)

// formCookie is the browser's part of what makes a form its own.
func formCookie(r *http.Request) string {
	c, err := r.Cookie(formCookieName)
	if err != nil || len(c.Value) != 43 {
		return ""
	}
	return c.Value
}

// seal makes the other part: it binds a form to the browser, to the user whom
// it asks ("" for a sign-in) and to the request, until a time.
func (s *Server) seal(cookie, subject, query string, until time.Time) string {
	end := binary.BigEndian.AppendUint64(nil, uint64(until.Unix()))
	mac := hmac.New(sha256.New, s.keys.set.Load().form)
	mac.Write(end)
	for _, part := range []string{cookie, subject, query} {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write([]byte(part))
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(end))
}

// formIsOurs reports whether a form came from a page that we showed in this
// browser, to this user, for this request.
func (s *Server) formIsOurs(r *http.Request, subject, sealed string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	cookie := formCookie(r)
	if err != nil || len(raw) != 8+sha256.Size || cookie == "" {
		return false
	}
	until := time.Unix(int64(binary.BigEndian.Uint64(raw)), 0)
	return time.Now().Before(until) && hmac.Equal([]byte(s.seal(cookie, subject, r.URL.RawQuery, until)), []byte(sealed))
}
