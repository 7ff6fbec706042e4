package auth_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"convoke"
	"convoke/internal/auth"
)

// verifier takes one token of the authorization server, and keeps what it was
// asked for.
type verifier struct {
	good  string
	asked []string
	dpop  []bool
}

func (v *verifier) Verify(_ *http.Request, token string, dpop bool) (*convoke.Principal, error) {
	v.asked, v.dpop = append(v.asked, token), append(v.dpop, dpop)
	if token != v.good {
		return nil, convoke.Errorf(convoke.CodeUnauthorized, "no")
	}
	return &convoke.Principal{AccountID: "1001", ID: "client"}, nil
}

func (v *verifier) Still(context.Context, string) (*convoke.Principal, error) {
	return nil, convoke.Errorf(convoke.CodeUnauthorized, "no")
}
func (*verifier) ForgetUser(string, string)                                 {}
func (*verifier) ForgetAccount(string)                                      {}
func (*verifier) EndSession(context.Context, string, string) error          { return nil }
func (*verifier) EndSessions(context.Context, string, string, string) error { return nil }

// FuzzAuthenticate sends texts of the headers Authorization and Cookie: nobody
// comes in but with exactly the text of a token or session, in one header that
// has nothing else, and what is refused says so.
func FuzzAuthenticate(f *testing.F) {
	const jwt = "eyJhbGciOiJFUzI1NiJ9.e30.c2ln"
	v := &verifier{good: jwt}
	_, store, ann := people(f, f.TempDir())
	a, err := auth.New(auth.Config{Tokens: store, People: store, JWT: v, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	secret, _, err := a.Issue(f.Context(), ann.AccountID, "ci", ann.Roles, 0, "root")
	if err != nil {
		f.Fatal(err)
	}
	in, err := a.StartSession(f.Context(), ann, "", "")
	if err != nil {
		f.Fatal(err)
	}
	token, bearer, cookie := secret.Reveal(), in.Bearer.Reveal(), in.Cookie.Reveal()
	for _, text := range []string{token, bearer, cookie, jwt} {
		for _, header := range []string{"Bearer " + text, "bearer " + text, "DPoP " + text, "Bearer  " + text, "Bearer " + text + " ", "Bearer\t" + text, "Basic " + text, text, "Bearer " + text + "," + text, "Bearer " + text[1:], "Bearer " + text + "\x00", "Bearer " + strings.ToUpper(text)} {
			f.Add("GET", header, "", "", "")
			f.Add("POST", header, "session_id="+cookie, "", in.CSRF)
		}
		for _, header := range []string{"session_id=" + text, "session_id=\"" + text + "\"", "session_id=" + text + "; session_id=" + text, "a=b; session_id=" + text, "SESSION_ID=" + text, "session_id=" + text + "x"} {
			f.Add("GET", "", header, "", "")
			f.Add("POST", "", header, "", in.CSRF)
			f.Add("POST", "", header, "cross-site", in.CSRF)
		}
	}
	f.Fuzz(func(t *testing.T, method, authorization, cookies, site, csrf string) {
		r := request()
		r.Method = method
		delete(r.Header, "Authorization")
		for name, text := range map[string]string{"Authorization": authorization, "Cookie": cookies, "Sec-Fetch-Site": site, auth.CSRFHeader: csrf} {
			if text != "" {
				r.Header[http.CanonicalHeaderKey(name)] = []string{text}
			}
		}
		v.asked, v.dpop = nil, nil
		who, err := a.Authenticate(r)
		if (who == nil) == (err == nil) {
			t.Fatalf("got %+v and %v", who, err)
		}
		if e, ok := errors.AsType[*convoke.Error](err); err != nil && (!ok || e.Code != convoke.CodeUnauthorized && e.Code != convoke.CodeForbidden || strings.Contains(e.Message, token) || strings.Contains(e.Message, bearer)) {
			t.Errorf("refused with %v", err)
		}
		scheme, text, _ := strings.Cut(authorization, " ")
		bears := strings.EqualFold(scheme, "bearer") && (text == token || text == bearer || text == jwt)
		proves := strings.EqualFold(scheme, "dpop") && text == jwt
		safe := method == "GET" || method == "HEAD" || method == "OPTIONS"
		browses := strings.Count(cookies, auth.SessionCookie+"=") == 1 && strings.Contains(cookies, cookie) && (safe || csrf == in.CSRF && site != "cross-site" && site != "same-site")
		if err == nil && !bears && !proves && !browses {
			t.Errorf("%s with %q, %q, from %q with %q is let in as %+v", method, authorization, cookies, site, csrf, who)
		}
		if err != nil && bears {
			t.Errorf("%q is refused: %v", authorization, err)
		}
		for i, asked := range v.asked {
			if len(v.asked) > 1 || asked != text || v.dpop[i] != strings.EqualFold(scheme, "dpop") {
				t.Errorf("%q is verified as %q, %v", authorization, v.asked, v.dpop)
			}
		}
	})
}
