package e2e

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdForm posts a form as a program does that asks for a token.
func cmdForm(ts *testscript.TestScript, args []string) {
	need(ts, args, 2, "form STATUS PATH NAME=VALUE...")
	form := url.Values{}
	for _, pair := range args[2:] {
		name, value, _ := strings.Cut(pair, "=")
		form.Add(name, value)
	}
	req, err := http.NewRequest(http.MethodPost, ts.Getenv("CONVOKE_URL")+args[1], strings.NewReader(form.Encode()))
	ts.Check(err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := web.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	_, err = io.Copy(ts.Stdout(), io.LimitReader(resp.Body, 1<<20))
	ts.Check(err)
	ts.Check(resp.Header.Write(ts.Stderr()))
	if got := strconv.Itoa(resp.StatusCode); got != args[0] {
		ts.Fatalf("POST %s answered %s, want %s", args[1], got, args[0])
	}
}
