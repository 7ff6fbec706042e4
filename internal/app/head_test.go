package app_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"convoke"
	"convoke/internal/config"
)

// say sends bytes over a connection of their own and returns the answers until
// the server closes it.
func (s *server) say(t *testing.T, text string) []*http.Response {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	go func() { _, _ = io.WriteString(c, text) }() // the server may close before it has read all
	var out []*http.Response
	for r := bufio.NewReader(c); ; {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			return out
		}
		b, err := io.ReadAll(res.Body)
		if err != nil {
			return out
		}
		res.Body = io.NopCloser(strings.NewReader(string(b)))
		out = append(out, res)
	}
}

// TestHostileHeads sends, by a bare connection, heads that two readers could
// take for different things.
func TestHostileHeads(t *testing.T) {
	t.Parallel()
	s := start(t)
	const (
		line = "GET /api/account/" + convoke.DefaultAccountID + "/functions/count HTTP/1.1\r\n"
		host = "Host: convoke.example\r\n"
		end  = "Connection: close\r\n\r\n"
	)
	good := "Authorization: Bearer " + s.token + "\r\n"
	post := "POST /api/account/" + convoke.DefaultAccountID + "/functions HTTP/1.1\r\n" + host + good + "Content-Type: application/json\r\n"
	for name, c := range map[string]struct {
		text string
		want int
	}{
		"as it should be":            {line + host + good + end, 200},
		"no token":                   {line + host + end, 401},
		"two tokens":                 {line + host + good + "Authorization: Bearer cvk_" + strings.Repeat("x", 43) + "\r\n" + end, 401},
		"two tokens, the good last":  {line + host + "Authorization: Bearer x\r\n" + good + end, 401},
		"one token twice":            {line + host + good + good + end, 401},
		"token in a list":            {line + host + "Authorization: Bearer " + s.token + ", Bearer " + s.token + "\r\n" + end, 401},
		"token behind Basic":         {line + host + "Authorization: Basic Bearer " + s.token + "\r\n" + end, 401},
		"token with more":            {line + host + "Authorization: Bearer " + s.token + "x\r\n" + end, 401},
		"token in the wrong field":   {line + host + "X-Authorization: Bearer " + s.token + "\r\n" + end, 401},
		"field with an underscore":   {line + host + "Authorization_: Bearer " + s.token + "\r\n" + end, 401},
		"folded token":               {line + host + "Authorization: Bearer\r\n " + s.token + "\r\n" + end, 200}, // unfolded, as RFC 9112, 5.2 lets a server do
		"folded into another":        {line + host + "X-Other: x\r\n Authorization: Bearer " + s.token + "\r\n" + end, 401},
		"space before the colon":     {line + host + "Authorization : Bearer " + s.token + "\r\n" + end, 400},
		"zero byte":                  {line + host + "Authorization: Bearer " + s.token + "\x00\r\n" + end, 400},
		"two hosts":                  {line + host + "Host: evil.example\r\n" + good + end, 400},
		"one host twice":             {line + host + host + good + end, 400},
		"no host":                    {line + good + end, 400},
		"host with a path":           {line + "Host: convoke.example/evil\r\n" + good + end, 400},
		"host with a space":          {line + "Host: convoke.example evil\r\n" + good + end, 400},
		"no HTTP":                    {"GET / FTP/1.1\r\n\r\n", 400},
		"HTTP/3.0":                   {"GET / HTTP/3.0\r\n" + host + end, 505},
		"target with a space":        {"GET /a b HTTP/1.1\r\n" + host + end, 400},
		"target with a control":      {"GET /a\x01 HTTP/1.1\r\n" + host + end, 400},
		"target without a slash":     {"GET api HTTP/1.1\r\n" + host + end, 400},
		"two lengths":                {post + "Content-Length: 2\r\nContent-Length: 3\r\n" + end + "{}x", 400},
		"length in a list":           {post + "Content-Length: 2, 2\r\n" + end + "{}", 400},
		"length with a sign":         {post + "Content-Length: +2\r\n" + end + "{}", 400},
		"negative length":            {post + "Content-Length: -2\r\n" + end, 400},
		"hexadecimal length":         {post + "Content-Length: 0x2\r\n" + end + "{}", 400},
		"empty length":               {post + "Content-Length: \r\n" + end + "{}", 400},
		"length beyond 64 bits":      {post + "Content-Length: 99999999999999999999\r\n" + end + "{}", 400},
		"unknown coding":             {post + "Transfer-Encoding: xchunked\r\n" + end + "{}", 501},
		"two codings":                {post + "Transfer-Encoding: gzip, chunked\r\n" + end + "0\r\n\r\n", 501},
		"chunked twice":              {post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" + end + "0\r\n\r\n", 501},
		"chunked, then not":          {post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n" + end + "0\r\n\r\n", 501},
		"chunk without a size":       {post + "Transfer-Encoding: chunked\r\n" + end + "\r\n{}\r\n0\r\n\r\n", 400},
		"chunk longer than it says":  {post + "Transfer-Encoding: chunked\r\n" + end + "1\r\n{}\r\n0\r\n\r\n", 400},
		"chunk of a negative size":   {post + "Transfer-Encoding: chunked\r\n" + end + "-2\r\n{}\r\n0\r\n\r\n", 400},
		"a field of a megabyte":      {line + host + good + "X-Large: " + strings.Repeat("x", 1<<20) + "\r\n" + end, 431},
		"many fields":                {line + host + good + strings.Repeat("X-Many: x\r\n", 20_000) + end, 431},
		"a target of a megabyte":     {"GET /" + strings.Repeat("x", 1<<20) + " HTTP/1.1\r\n" + host + end, 431},
		"method in another spelling": {"get" + strings.TrimPrefix(line, "GET") + host + good + end, 405},
		"method of the reader's own": {"DELETE\x0b" + strings.TrimPrefix(line, "GET") + host + good + end, 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := s.say(t, c.text)
			if len(got) != 1 || got[0].StatusCode != c.want {
				t.Errorf("%d answers, %+v; want one with %d", len(got), got, c.want)
			}
		})
	}
}

// TestNoRequestIsSmuggled sends what a proxy that reads it in another way would
// take for one request, and holds that the second is on its own: it does not
// have the token of the first.
func TestNoRequestIsSmuggled(t *testing.T) {
	t.Parallel()
	s := start(t)
	const second = "GET /api/account/" + convoke.DefaultAccountID + "/tokens HTTP/1.1\r\nHost: convoke.example\r\nConnection: close\r\n\r\n"
	first := "POST /api/account/" + convoke.DefaultAccountID + "/domains HTTP/1.1\r\nHost: convoke.example\r\nAuthorization: Bearer " + s.token + "\r\nContent-Type: application/json\r\n"
	for name, text := range map[string]string{
		"length and chunks":     first + "Content-Length: 200\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + second,
		"chunks and length":     first + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + second,
		"an extension":          first + "Transfer-Encoding: chunked\r\n\r\n0;" + strings.Repeat("e", 20) + "\r\n\r\n" + second,
		"a trailer":             first + "Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n0\r\nAuthorization: Bearer " + s.token + "\r\n\r\n" + second,
		"no length":             first + "\r\n" + second,
		"GET with a body":       strings.Replace(first, "POST", "GET", 1) + "Content-Length: 2\r\n\r\n{}" + second,
		"expects to be told on": first + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}" + second,
	} {
		got := s.say(t, text)
		if len(got) == 0 || got[0].StatusCode/100 == 2 && name != "GET with a body" {
			t.Errorf("%s: the first of %d answers is %+v", name, len(got), got)
		}
		for _, res := range got[min(1, len(got)):] {
			if b, _ := io.ReadAll(res.Body); res.StatusCode/100 != 4 || strings.Contains(string(b), `"roles"`) {
				t.Errorf("%s: the second answer is %d %s", name, res.StatusCode, b)
			}
		}
	}
	list, err := s.Domains(t.Context())
	if err != nil || len(list) != 0 {
		t.Errorf("domains %v, %v; want none", list, err)
	}
}

// TestForwardedByNobody: from who is no trusted proxy, headers about where a
// request came from say nothing.
func TestForwardedByNobody(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *config.Config) { c.AdminPassword = convoke.NewSecret("correct horse battery") })
	header := "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Port: 444\r\nForwarded: for=203.0.113.9;proto=https;host=evil.example\r\n" +
		"X-Real-IP: 203.0.113.9\r\nTrue-Client-IP: 203.0.113.9\r\nCF-Connecting-IP: 203.0.113.9\r\nX-Client-IP: 203.0.113.9\r\nX-Host: evil.example\r\n"
	const body = `{"username":"admin","password":"correct horse battery"}`
	in := s.say(t, "POST /api/account/"+convoke.DefaultAccountID+"/login HTTP/1.1\r\nHost: convoke.example\r\n"+header+"Content-Length: 55\r\nConnection: close\r\n\r\n"+body)
	if len(in) != 1 || in[0].StatusCode != http.StatusOK {
		t.Fatalf("sign-in: %+v", in)
	}
	if c, err := http.ParseSetCookie(in[0].Header.Get("Set-Cookie")); err != nil || c.Secure || c.Domain != "" {
		t.Errorf("the cookie is %q, as if over HTTPS", in[0].Header.Get("Set-Cookie"))
	}
	status, text, _ := s.do(t, "GET", "/activities?action=session.create", "", nil)
	var trail []struct{ From string }
	if err := json.Unmarshal([]byte(text), &trail); status != http.StatusOK || err != nil || len(trail) == 0 || trail[0].From != "127.0.0.1" {
		t.Errorf("the audit trail: %d %s", status, text)
	}
	for _, path := range []string{"/.well-known/openid-configuration", "/api/account/" + convoke.DefaultAccountID + "/service/faasGW/baseURI.json", "/oauth2/authorize", "/auth/oidc/login"} {
		for _, res := range s.say(t, "GET "+path+" HTTP/1.1\r\nHost: convoke.example\r\n"+header+"Connection: close\r\n\r\n") {
			var all strings.Builder
			_ = res.Write(&all)
			if strings.Contains(all.String(), "evil.example") {
				t.Errorf("%s follows who asks: %s", path, all.String())
			}
		}
	}
}
