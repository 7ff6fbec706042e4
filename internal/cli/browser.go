package cli

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"convoke"
	"convoke/api"
	"convoke/client"
)

// Bounds of what listens while a browser signs in. It is there for minutes,
// for everybody on this machine.
const (
	maxStray       = 20 // answers that belong to no sign-in of ours
	callbackPath   = "/callback"
	callbackHeader = 16 << 10
	callbackRead   = 5 * time.Second
	goodbye        = 3 * time.Second // to show the last page
)

//go:embed browser.html
var browserText string

var browserPage = template.Must(template.New("browser").Parse(browserText))

// browserOptions are the flags of a sign-in through a browser.
type browserOptions struct {
	noOpen  bool
	port    int // 0: any
	timeout time.Duration
}

// visit is one sign-in through a browser: the authorization code grant of a
// native app (RFC 8252) with PKCE (RFC 7636).
type visit struct {
	host, state, verifier, issuer string
	redirect                      string
	answered                      atomic.Bool
	stray                         atomic.Int32
	codes                         chan found
	notes                         chan string
	// ended is closed when outcome is known: the last page shows it.
	ended   chan struct{}
	outcome error
}

// found is what a browser came back with.
type found struct {
	code string
	err  error
}

// throughBrowser signs in through a browser and returns the tokens.
func (a *app) throughBrowser(ctx context.Context, c *client.Client, o browserOptions) (*api.OAuthToken, error) {
	// First, so that the browser does not show that nobody is there.
	server, err := c.AuthorizationServer(ctx)
	switch convoke.ErrorCode(err) {
	case convoke.CodeNotFound, convoke.CodeRouteNotFound:
		return nil, &hinted{err, "is that the address of a Convoke server? One that is older has no sign-in through a browser: use --user"}
	}
	if err != nil {
		return nil, err
	}
	// The number, not localhost: that could be another address, or another's port.
	ln, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(o.port)))
	if err != nil && o.port != 0 {
		return nil, &convoke.Error{Code: convoke.CodeValidation, Cause: err, Message: fmt.Sprintf("port %d of this machine cannot be used; name another with --port, or leave it out for one that is free", o.port)}
	}
	if err != nil {
		return nil, fmt.Errorf("wait for the browser: %w", err)
	}
	v := newVisit(ln.Addr().String(), server.Issuer)
	srv := &http.Server{Handler: v, ReadHeaderTimeout: callbackRead, ReadTimeout: callbackRead, MaxHeaderBytes: callbackHeader, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan struct{})
	go func() { defer close(served); _ = srv.Serve(ln) }() // ends by Shutdown below; before that by nothing
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
		defer cancel()
		if srv.Shutdown(ctx) != nil {
			_ = srv.Close()
		}
		<-served
	}()
	a.invite(v, c.AuthorizeURL(v.request()), o)

	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	out, err := a.wait(ctx, v, c)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
		err = &hinted{convoke.Errorf(convoke.CodeUnauthorized, "nobody signed in within %s", o.timeout), "run convoke login again; --timeout waits longer"}
	}
	v.outcome = err
	close(v.ended)
	return out, err
}

// wait waits for the browser to come back and turns what it brings into tokens.
func (a *app) wait(ctx context.Context, v *visit, c *client.Client) (*api.OAuthToken, error) {
	for {
		select {
		case text := <-v.notes:
			a.note("%s", text)
		case f := <-v.codes:
			for len(v.notes) > 0 {
				a.note("%s", <-v.notes) // they came before
			}
			if f.err != nil {
				return nil, f.err
			}
			return v.redeem(context.WithoutCancel(ctx), c, f.code)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func newVisit(host, issuer string) *visit {
	return &visit{host: host, issuer: issuer, state: randomText(), verifier: randomText(), redirect: "http://" + host + callbackPath,
		codes: make(chan found, 1), ended: make(chan struct{}), notes: make(chan string, 4)}
}

func randomText() string {
	var raw [32]byte
	rand.Read(raw[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// request are the parameters of the page to sign in on.
func (v *visit) request() url.Values {
	sum := sha256.Sum256([]byte(v.verifier))
	return url.Values{
		"response_type": {"code"}, "client_id": {convoke.CommandLineID}, "redirect_uri": {v.redirect}, "state": {v.state},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
}

func (v *visit) redeem(ctx context.Context, c *client.Client, code string) (*api.OAuthToken, error) {
	out, err := c.TokenByForm(ctx, url.Values{
		"grant_type": {"authorization_code"}, "client_id": {convoke.CommandLineID}, "code": {code}, "redirect_uri": {v.redirect}, "code_verifier": {v.verifier},
	})
	if convoke.ErrorCode(err) == convoke.CodeUnauthorized {
		return nil, &hinted{&convoke.Error{Code: convoke.CodeUnauthorized, Message: "the server does not accept what the browser brought: it is too old, or was used already", Cause: err}, "run convoke login again"}
	}
	return out, err
}

// invite brings the user to the page.
func (a *app) invite(v *visit, page string, o browserOptions) {
	opened := false
	if name, args := opener(runtime.GOOS, a.Env); !o.noOpen && name != "" && a.Start != nil {
		opened = a.Start(name, append(args, page)...) == nil
	}
	if opened {
		a.note("Your browser shows a page to sign in on. If it does not, open this address:\n\n  %s\n", page)
	} else {
		a.note("Open this address in a browser:\n\n  %s\n", page)
	}
	if !a.StdinTTY {
		return
	}
	if !opened {
		a.note("If that browser runs on another machine, its last page cannot be shown: paste the address of that page here.\n")
	}
	go v.listen(a.lines()) // it goes with the process
}

// opener is the program that shows a URL in the user's browser; "" where there
// is none, or it would open where the user does not sit.
func opener(goos string, env map[string]string) (name string, args []string) {
	remote := env["SSH_CONNECTION"] != "" || env["SSH_TTY"] != ""
	switch {
	case goos == "darwin" && !remote:
		return "open", nil
	case goos == "windows" && !remote:
		return "rundll32", []string{"url.dll,FileProtocolHandler"}
	case env["DISPLAY"] != "" || env["WAYLAND_DISPLAY"] != "":
		return "xdg-open", nil
	}
	return "", nil
}

// listen reads addresses that the user pastes.
func (v *visit) listen(in io.Reader) {
	for lines := bufio.NewScanner(in); lines.Scan(); {
		text := strings.TrimSpace(lines.Text())
		if text == "" {
			continue
		}
		u, err := url.Parse(text)
		if err != nil || u.Query().Get("state") == "" {
			v.tell("that is not the address that the browser ended on; it begins with " + v.redirect)
			continue
		}
		if v.accept(u.Query()) == nil {
			return
		}
	}
}

// tell has the command say something; what nobody reads in time is lost.
func (v *visit) tell(text string) {
	select {
	case v.notes <- text:
	default:
	}
}

// errStray says nothing of the sign-in that is under way: who sent it is
// somebody else.
var errStray = convoke.Errorf(convoke.CodeForbidden, "this is not the answer to the sign-in that convoke login began: run convoke login again and use the page that it opens")

// accept takes an answer. The first with our state counts; others are strays,
// as another page in the browser could send them, and bounded.
func (v *visit) accept(q url.Values) error {
	if len(q["state"]) != 1 || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(v.state)) != 1 || !v.answered.CompareAndSwap(false, true) {
		if n := v.stray.Add(1); n == 1 {
			v.tell("an answer that does not belong to this sign-in was refused; still waiting")
		} else if n == maxStray && v.answered.CompareAndSwap(false, true) {
			v.codes <- found{err: &hinted{convoke.Errorf(convoke.CodeUnauthorized, "something on this machine sends answers that do not belong to this sign-in; it was given up"), "close other pages in the browser and run convoke login again"}}
		}
		return errStray
	}
	f := found{code: q.Get("code")}
	switch {
	case q.Get("error") == "access_denied":
		f.err = &hinted{convoke.Errorf(convoke.CodeUnauthorized, "the sign-in was refused in the browser"), "run convoke login again and allow it"}
	case q.Has("error"):
		f.err = convoke.Errorf(convoke.CodeUnauthorized, "the server refused the sign-in: %.300s", visible(q.Get("error")+": "+q.Get("error_description")))
	case q.Has("iss") && q.Get("iss") != v.issuer: // RFC 9207
		f.err = convoke.Errorf(convoke.CodeUnauthorized, "the answer is another server's: %.100q", q.Get("iss"))
	case len(q["code"]) != 1 || f.code == "":
		f.err = convoke.Errorf(convoke.CodeUnauthorized, "the browser came back without a code")
	}
	v.codes <- f
	return nil
}

// ServeHTTP is where the browser comes back to. It answers to its own name
// only: a page of another site that made its name lead here is no browser
// coming back.
func (v *visit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Host != v.host:
		v.show(w, http.StatusMisdirectedRequest, errStray)
	case r.URL.Path != callbackPath:
		http.NotFound(w, r)
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "only GET", http.StatusMethodNotAllowed)
	default:
		if err := v.accept(r.URL.Query()); err != nil {
			v.show(w, http.StatusForbidden, err)
			return
		}
		<-v.ended
		status := http.StatusOK
		if v.outcome != nil {
			status = http.StatusForbidden
		}
		v.show(w, status, v.outcome)
	}
}

// show writes the last page.
func (v *visit) show(w http.ResponseWriter, status int, err error) {
	page := struct{ Title, Problem, Advice string }{Title: "You are signed in"}
	if err != nil {
		page.Title, page.Problem, page.Advice = "You are not signed in", sentence(shown(err).Message), "The terminal says what to do."
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // the address has the code
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Connection", "close")
	w.WriteHeader(status)
	_ = browserPage.Execute(w, page) // the browser has left: nobody is there to tell
}

// sentence makes an error's message one that can stand on a page.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}
