package e2e

import (
	"errors"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

var (
	pageField  = regexp.MustCompile(`name="csrf" value="([^"]+)"`)
	pageButton = regexp.MustCompile(`<button name="action" value="([a-z]+)"`)
)

// cmdSignIn runs convoke and is the browser that it sends to a page: it fills
// in the forms that it is shown, in the order of the answers, and ends on the
// page that convoke shows. That goes to stdout, what convoke wrote to stderr.
func cmdSignIn(ts *testscript.TestScript, args []string) {
	at := -1
	for i, a := range args {
		if a == "--" {
			at = i
			break
		}
	}
	if at < 1 || len(args) < at+2 {
		ts.Fatalf("usage: signin CODE NAME=VALUE... -- ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	var env []string
	for _, name := range []string{"PATH", "HOME", "GORACE", "XDG_CONFIG_HOME", "CONVOKE_URL"} {
		env = append(env, name+"="+ts.Getenv(name))
	}
	p, err := startProcess(args[at+1:], env, ts.MkAbs("."), func(c *exec.Cmd) (io.ReadCloser, error) { return c.StderrPipe() })
	ts.Check(err)
	defer func() { _ = p.cmd.Process.Kill() }() // fails once it has ended, as it should
	page, err := p.await(func(line string) bool { return strings.HasPrefix(line, "  http") })
	ts.Check(err)
	_, err = io.WriteString(ts.Stdout(), browse(ts, strings.TrimSpace(page), args[1:at]))
	ts.Check(err)
	err = <-p.exit
	p.exit <- err
	_, werr := io.WriteString(ts.Stderr(), strings.Join(p.lines, "\n")+"\n")
	ts.Check(werr)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("convoke ended with %d, want %d:\n%s", got, want, strings.Join(p.lines, "\n"))
	}
}

// browse goes to a page and answers each form with one of answers:
// "ACTION,NAME=VALUE,…". The page must offer that action.
func browse(ts *testscript.TestScript, page string, answers []string) string {
	jar, err := cookiejar.New(nil)
	ts.Check(err)
	browser := &http.Client{Jar: jar, Timeout: patience}
	read := func(res *http.Response, err error) (*url.URL, string) {
		ts.Check(err)
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		ts.Check(err)
		return res.Request.URL, string(b)
	}
	at, body := read(browser.Get(page))
	for _, answer := range answers {
		parts := strings.Split(answer, ",")
		csrf := pageField.FindStringSubmatch(body)
		offered := false
		for _, b := range pageButton.FindAllStringSubmatch(body, -1) {
			offered = offered || b[1] == parts[0]
		}
		if csrf == nil || !offered {
			ts.Fatalf("the page %s does not offer %s:\n%s", at, parts[0], body)
		}
		form := url.Values{"csrf": {html.UnescapeString(csrf[1])}, "action": {parts[0]}}
		for _, pair := range parts[1:] {
			name, value, _ := strings.Cut(pair, "=")
			form.Set(name, value)
		}
		at, body = read(browser.PostForm(at.String(), form))
	}
	return body
}
