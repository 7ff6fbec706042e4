package cli

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"convoke"
	"convoke/api"
	"convoke/internal/config"
)

// authority is an authorization server with one user, who is asked nothing:
// what its pages do the tests of package oauth and the end-to-end scripts show.
type authority struct {
	url string

	mu         sync.Mutex
	challenges map[string]string // by code
	redirects  map[string]string
	refresh    string // the only one that is good
	access     string
	issued     int
	revoked    []string
	refreshes  int
	expiresIn  int
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	s := &authority{challenges: map[string]string{}, redirects: map[string]string{}, expiresIn: 3600}
	mux := http.NewServeMux()
	handle := func(pattern string, h http.HandlerFunc) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			s.mu.Lock()
			defer s.mu.Unlock()
			h(w, r)
		})
	}
	handle("GET /.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) { reply(w, api.OAuthServer{Issuer: s.url}) })
	handle("POST /oauth2/token", s.token)
	handle("POST /oauth2/revoke", func(w http.ResponseWriter, r *http.Request) {
		s.revoked = append(s.revoked, r.PostFormValue("token"))
		if r.PostFormValue("token") == s.refresh {
			s.refresh, s.access = "", ""
		}
	})
	handle("GET /api/account/{account}/me", func(w http.ResponseWriter, r *http.Request) {
		if s.access == "" || r.Header.Get("Authorization") != "Bearer "+s.access {
			refuse(w, convoke.Errorf(convoke.CodeUnauthorized, "the token is wrong"))
			return
		}
		reply(w, api.Me{AccountID: r.PathValue("account"), Name: "ann", Kind: "session", Roles: []string{"admin"}})
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

func (s *authority) token(w http.ResponseWriter, r *http.Request) {
	bad := func() {
		w.WriteHeader(http.StatusBadRequest)
		reply(w, api.OAuthError{Error: "invalid_grant", Description: "unknown, used, expired or revoked"})
	}
	if r.PostFormValue("client_id") != convoke.CommandLineID {
		bad()
		return
	}
	switch r.PostFormValue("grant_type") {
	case "authorization_code":
		code, sum := r.PostFormValue("code"), sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		if c, ok := s.challenges[code]; !ok || c != base64.RawURLEncoding.EncodeToString(sum[:]) || s.redirects[code] != r.PostFormValue("redirect_uri") {
			bad()
			return
		}
		delete(s.challenges, code)
	case "refresh_token":
		s.refreshes++
		if s.refresh == "" || r.PostFormValue("refresh_token") != s.refresh {
			s.refresh, s.access = "", "" // used twice: it has been stolen
			bad()
			return
		}
	}
	s.issued++
	s.refresh, s.access = fmt.Sprintf("refresh-%d", s.issued), fmt.Sprintf("access-%d", s.issued)
	reply(w, api.OAuthToken{AccessToken: s.access, RefreshToken: s.refresh, TokenType: "Bearer", ExpiresIn: s.expiresIn})
}

// agree is what the page does when the user allows: it makes a code and says
// where the browser goes.
func (s *authority) agree(t *testing.T, page string) url.Values {
	t.Helper()
	u, err := url.Parse(page)
	if err != nil {
		t.Error(err)
		return nil
	}
	q := u.Query()
	if !strings.HasPrefix(page, s.url+"/sentinel/api/account/10000001/authorize?") || q.Get("response_type") != "code" || q.Get("client_id") != convoke.CommandLineID ||
		q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || len(q.Get("state")) != 43 || !strings.HasPrefix(q.Get("redirect_uri"), "http://127.0.0.1:") {
		t.Errorf("the page is %s", page)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	code := fmt.Sprintf("code-%d", len(s.challenges))
	s.challenges[code], s.redirects[code] = q.Get("code_challenge"), q.Get("redirect_uri")
	return url.Values{"redirect_uri": {q.Get("redirect_uri")}, "code": {code}, "state": {q.Get("state")}, "iss": {s.url}}
}

// visitPage goes where the page sends the browser, with some of it changed, and
// returns what is shown there.
func visitPage(t *testing.T, to url.Values, pairs ...string) (int, string) {
	t.Helper()
	q := url.Values{}
	for name := range to {
		q.Set(name, to.Get(name))
	}
	q.Del("redirect_uri")
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			q.Del(pairs[i])
		}
	}
	status, body, err := getPage(to.Get("redirect_uri") + "?" + q.Encode())
	if err != nil {
		t.Error(err)
	}
	return status, body
}

// getPage is the status and the text of a page, status 0 with an error.
func getPage(address string) (int, string, error) {
	res, err := http.Get(address)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

// surfing has the shell's browser do what it does when it is started, beside
// the command.
func (s *shell) surfing(do func(page string)) (wait func()) {
	var wg sync.WaitGroup
	s.env["DISPLAY"] = ":0"
	s.start = func(name string, args ...string) error {
		if name != "xdg-open" && name != "open" {
			s.t.Errorf("started %s %v", name, args)
		}
		wg.Go(func() { do(args[len(args)-1]) })
		return nil
	}
	return wg.Wait
}

func newBrowserShell(t *testing.T) (*shell, *authority) {
	t.Helper()
	s := newShell(t)
	s.tty = true
	s.env = map[string]string{"XDG_CONFIG_HOME": t.TempDir()}
	return s, newAuthority(t)
}

func (s *shell) profile() (config.Profile, string) {
	s.t.Helper()
	path, err := config.FindProfile("", s.env)
	if err != nil {
		s.t.Fatal(err)
	}
	p, err := config.LoadProfile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	return p, path
}

func TestLoginThroughBrowser(t *testing.T) {
	t.Parallel()
	s, server := newBrowserShell(t)
	wait := s.surfing(func(page string) {
		to := server.agree(t, page)
		// Others who knock first do not get in its way.
		if status, body := visitPage(t, to, "state", "wrong"); status != http.StatusForbidden || !strings.Contains(body, "not the answer to the sign-in") {
			t.Errorf("wrong state: %d %s", status, body)
		}
		if status, _ := visitPage(t, to, "state", ""); status != http.StatusForbidden {
			t.Errorf("no state: %d", status)
		}
		host := strings.TrimSuffix(strings.TrimPrefix(to.Get("redirect_uri"), "http://"), callbackPath)
		for _, path := range []string{"/", "/favicon.ico", "/callback/x"} {
			if res, err := http.Get("http://" + host + path); err != nil || res.StatusCode != http.StatusNotFound {
				t.Errorf("%s: %v %v", path, res, err)
			}
		}
		if res, err := http.PostForm(to.Get("redirect_uri"), to); err != nil || res.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("POST: %v %v", res, err)
		}
		req, _ := http.NewRequest("GET", to.Get("redirect_uri")+"?"+to.Encode(), nil)
		req.Host = "evil.example"
		if res, err := http.DefaultClient.Do(req); err != nil || res.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("another host name: %v %v", res, err)
		}
		status, body := visitPage(t, to)
		if status != http.StatusOK || !strings.Contains(body, "You are signed in") || !strings.Contains(body, "You can close this window") {
			t.Errorf("the last page: %d %s", status, body)
		}
	})
	s.want(ExitOK, nil, []string{"Your browser shows a page", server.url + "/sentinel", "an answer that does not belong to this sign-in was refused", "signed in to account 10000001 of " + server.url + " as ann (admin)", "!code-", "!access-", "!refresh-"},
		"login", "--url", server.url)
	wait()
	p, path := s.profile()
	if p.Token.Reveal() != "access-1" || p.Refresh.Reveal() != "refresh-1" || time.Until(p.Expires) < 59*time.Minute {
		t.Errorf("profile %+v", p)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	s.want(ExitOK, []string{"ann"}, nil, "whoami")

	// The next sign-in ends this one; signing out ends that.
	wait = s.surfing(func(page string) { visitPage(t, server.agree(t, page)) })
	s.want(ExitOK, []string{`"name": "ann"`}, nil, "login", "--json")
	wait()
	s.want(ExitOK, nil, []string{"signed out"}, "logout")
	if diff := cmp.Diff([]string{"refresh-1", "refresh-2"}, server.revoked); diff != "" {
		t.Errorf("revoked (-want +got):\n%s", diff)
	}
	if p, _ := s.profile(); !p.Token.IsZero() || !p.Refresh.IsZero() || !p.Expires.IsZero() || p.URL != server.url {
		t.Errorf("profile after signing out: %+v", p)
	}
}

// TestLoginThroughBrowserFails comes back in ways that must not sign in, and
// says so in the browser and in the terminal.
func TestLoginThroughBrowserFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		with     []string // what is changed of the answer
		browser  string
		terminal string
	}{
		"denied":         {[]string{"code", "", "error", "access_denied", "error_description", "no"}, "refused in the browser", "refused in the browser"},
		"another error":  {[]string{"code", "", "error", "server_error", "error_description", "<b>\x1b[31m"}, "&lt;b&gt;", `server_error: <b>\x1b[31m`},
		"no code":        {[]string{"code", ""}, "without a code", "without a code"},
		"wrong code":     {[]string{"code", "stolen"}, "does not accept", "does not accept"},
		"another server": {[]string{"iss", "https://evil.example"}, "another server", `another server's: "https://evil.example"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, server := newBrowserShell(t)
			wait := s.surfing(func(page string) {
				status, body := visitPage(t, server.agree(t, page), tt.with...)
				if status != http.StatusForbidden || !strings.Contains(body, tt.browser) || !strings.Contains(body, "not signed in") || strings.Contains(body, "<b>") {
					t.Errorf("%d %s", status, body)
				}
			})
			s.want(ExitAuth, nil, []string{tt.terminal, "!\x1b"}, "login", "--url", server.url)
			wait()
			if _, err := os.Stat(filepath.Join(s.env["XDG_CONFIG_HOME"], "convoke", "profile.yaml")); err == nil {
				t.Error("a profile was written")
			}
		})
	}
	t.Run("a code that was used", func(t *testing.T) {
		t.Parallel()
		s, server := newBrowserShell(t)
		wait := s.surfing(func(page string) {
			to := server.agree(t, page)
			server.mu.Lock()
			delete(server.challenges, to.Get("code"))
			server.mu.Unlock()
			visitPage(t, to)
		})
		s.want(ExitAuth, nil, []string{"does not accept what the browser brought", "hint: run convoke login again"}, "login", "--url", server.url)
		wait()
	})
	t.Run("two answers", func(t *testing.T) {
		t.Parallel()
		s, server := newBrowserShell(t)
		var mu sync.Mutex
		var got []int
		wait := s.surfing(func(page string) {
			to := server.agree(t, page)
			address := to.Get("redirect_uri")
			to.Del("redirect_uri")
			var wg sync.WaitGroup
			for range 2 {
				wg.Go(func() {
					status, _, _ := getPage(address + "?" + to.Encode())
					mu.Lock()
					defer mu.Unlock()
					got = append(got, status)
				})
			}
			wg.Wait()
		})
		s.want(ExitOK, nil, nil, "login", "--url", server.url)
		wait()
		slices.Sort(got)
		// The second is refused, or finds nobody any more.
		if got[1] != 403 && !(got[0] == 0 && got[1] == 200) || server.issued != 1 {
			t.Errorf("answered %v, %d tokens", got, server.issued)
		}
	})
	t.Run("a flood of strays", func(t *testing.T) {
		t.Parallel()
		s, server := newBrowserShell(t)
		wait := s.surfing(func(page string) {
			to := server.agree(t, page)
			for range maxStray {
				visitPage(t, to, "state", "guess")
			}
		})
		s.want(ExitAuth, nil, []string{"it was given up"}, "login", "--url", server.url)
		wait()
	})
	t.Run("nobody comes", func(t *testing.T) {
		t.Parallel()
		s, server := newBrowserShell(t)
		s.surfing(func(string) {})
		s.want(ExitAuth, nil, []string{"nobody signed in within 1ms", "--timeout waits longer"}, "login", "--url", server.url, "--timeout", "1ms")
	})
	t.Run("interrupted", func(t *testing.T) {
		t.Parallel()
		s, server := newBrowserShell(t)
		ctx, cancel := context.WithCancel(t.Context())
		s.surfing(func(string) { cancel() })
		if got := s.runContext(ctx, "login", "--url", server.url); got.code != ExitInterrupted {
			t.Errorf("%+v", got)
		}
	})
}

func TestLoginFlags(t *testing.T) {
	t.Parallel()
	s, server := newBrowserShell(t)
	busy, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	_, port, _ := net.SplitHostPort(busy.Addr().String())
	s.want(ExitUsage, nil, []string{"port " + port + " of this machine cannot be used", "address already in use"}, "login", "--url", server.url, "--port", port)
	s.want(ExitUsage, nil, []string{"are for a browser"}, "login", "--url", server.url, "--user", "ann", "--no-browser")
	s.want(ExitUsage, nil, []string{"--port is a number"}, "login", "--url", server.url, "--port", "70000")
	s.want(ExitUsage, nil, []string{"--timeout must be more"}, "login", "--url", server.url, "--timeout", "0s")
	s.want(ExitUnavailable, nil, []string{"cannot reach http://127.0.0.1:1", "!Open this address"}, "login", "--url", "http://127.0.0.1:1")
	s.want(ExitNotFound, nil, []string{"older has no sign-in through a browser"}, "login", "--url", s.fake.url)
	s.tty = false
	s.want(ExitUsage, nil, []string{"no terminal to sign in from"}, "login", "--url", server.url)
}

// TestLoginWithoutBrowser pastes what a browser on another machine ended on.
func TestLoginWithoutBrowser(t *testing.T) {
	t.Parallel()
	s, server := newBrowserShell(t)
	s.start = func(string, ...string) error { t.Error("a browser was started"); return nil }
	s.env["DISPLAY"] = ":0"
	in, typed := io.Pipe()
	var out, errs safeBuilder
	ended := make(chan int)
	go func() {
		ended <- Run(t.Context(), State{Args: []string{"login", "--url", server.url, "--no-browser"}, Env: s.env, Stdin: in, Stdout: &out, Stderr: &errs, StdinTTY: true, StderrTTY: true})
	}()
	page := ""
	for text := range errs.grows(t) {
		if _, rest, ok := strings.Cut(text, "Open this address in a browser:\n\n  "); ok && strings.Contains(text, "paste the address") {
			page, _, _ = strings.Cut(rest, "\n")
			break
		}
	}
	to := server.agree(t, page)
	redirect := to.Get("redirect_uri")
	to.Del("redirect_uri")
	fmt.Fprintf(typed, "\nwhat?\n%s?code=x&state=wrong\n%s?%s\n", redirect, redirect, to.Encode())
	if code := <-ended; code != ExitOK {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
	for _, want := range []string{"that is not the address", "does not belong to this sign-in", "signed in to account"} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("no %q in %s", want, errs.String())
		}
	}
}

// safeBuilder is written by a command and read beside it.
type safeBuilder struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{}
}

func (b *safeBuilder) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.more == nil {
		b.more = make(chan struct{}, 1)
	}
	select {
	case b.more <- struct{}{}:
	default:
	}
	return b.text.Write(p)
}

func (b *safeBuilder) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// grows yields the text whenever there is more of it.
func (b *safeBuilder) grows(t *testing.T) func(func(string) bool) {
	b.mu.Lock()
	if b.more == nil {
		b.more = make(chan struct{}, 1)
	}
	b.mu.Unlock()
	return func(yield func(string) bool) {
		for yield(b.String()) {
			select {
			case <-b.more:
			case <-t.Context().Done():
				return
			}
		}
	}
}

func TestOpener(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		goos string
		env  map[string]string
		want string
	}{
		{"linux", map[string]string{"DISPLAY": ":0"}, "xdg-open"},
		{"linux", map[string]string{"WAYLAND_DISPLAY": "wayland-0"}, "xdg-open"},
		{"linux", nil, ""},
		{"linux", map[string]string{"SSH_CONNECTION": "x"}, ""},
		{"linux", map[string]string{"SSH_CONNECTION": "x", "DISPLAY": ":10"}, "xdg-open"}, // forwarded: the browser runs here
		{"darwin", nil, "open"},
		{"darwin", map[string]string{"SSH_TTY": "/dev/pts/0"}, ""},
		{"windows", nil, "rundll32"},
	} {
		if got, _ := opener(tt.goos, tt.env); got != tt.want {
			t.Errorf("%s %v: %q, want %q", tt.goos, tt.env, got, tt.want)
		}
	}
}

// signedInBy writes a profile as a sign-in through a browser leaves it.
func (s *shell) signedInBy(server *authority, expires time.Time) string {
	s.t.Helper()
	server.mu.Lock()
	server.issued, server.refresh, server.access = 1, "refresh-1", "access-1"
	server.mu.Unlock()
	path, err := config.FindProfile("", s.env)
	if err != nil {
		s.t.Fatal(err)
	}
	err = config.SaveProfile(path, config.Profile{URL: server.url, Account: convoke.DefaultAccountID,
		Token: convoke.NewSecret("access-1"), Refresh: convoke.NewSecret("refresh-1"), Expires: expires})
	if err != nil {
		s.t.Fatal(err)
	}
	return path
}

// TestRenewal holds that a sign-in is renewed when its token is about to end
// or is refused, once for all commands that run at the time.
func TestRenewal(t *testing.T) {
	t.Parallel()
	s, server := newBrowserShell(t)
	s.signedInBy(server, time.Now().Add(time.Hour))
	s.want(ExitOK, nil, nil, "whoami")
	if server.refreshes != 0 {
		t.Error("a good token was renewed")
	}

	s.signedInBy(server, time.Now().Add(renewBefore/2))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { s.want(ExitOK, []string{"ann"}, nil, "whoami") })
	}
	wg.Wait()
	if server.refreshes != 1 {
		t.Errorf("renewed %d times for 8 commands", server.refreshes)
	}
	if p, _ := s.profile(); p.Token.Reveal() != "access-2" || p.Refresh.Reveal() != "refresh-2" {
		t.Errorf("profile %+v", p)
	}

	// The server has forgotten the token before its time.
	server.mu.Lock()
	server.access = "other"
	server.mu.Unlock()
	s.want(ExitOK, []string{"ann"}, nil, "whoami")
	if p, _ := s.profile(); p.Token.Reveal() != "access-3" {
		t.Errorf("profile %+v", p)
	}

	// Somebody has ended it.
	server.mu.Lock()
	server.refresh, server.access = "", ""
	server.mu.Unlock()
	s.want(ExitAuth, nil, []string{"the sign-in has ended", "hint: convoke login signs in again"}, "whoami")

	// A token that is given goes before, and to another server nothing of it goes.
	path := s.signedInBy(server, time.Now().Add(-time.Hour))
	s.env["CONVOKE_TOKEN"] = "access-1"
	s.want(ExitOK, []string{"ann"}, nil, "whoami")
	delete(s.env, "CONVOKE_TOKEN")
	s.want(ExitAuth, nil, []string{"there is no token"}, "whoami", "--url", s.fake.url)
	before := server.refreshes

	// A server that is away leaves the sign-in as it is.
	p, _ := s.profile()
	p.URL = "http://127.0.0.1:1"
	if err := config.SaveProfile(path, p); err != nil {
		t.Fatal(err)
	}
	s.want(ExitUnavailable, nil, nil, "whoami")
	if p, _ := s.profile(); p.Refresh.Reveal() != "refresh-1" || server.refreshes != before {
		t.Errorf("profile %+v", p)
	}
}
