package convoke

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzRedirectURI holds that whatever a request asks for, a user is sent to a
// registered address and nowhere else, but for the port of a loopback one.
func FuzzRedirectURI(f *testing.F) {
	for _, uri := range []string{
		"", "http://127.0.0.1/callback", "http://127.0.0.1:51004/callback", "http://127.0.0.1:@evil.example/callback", "http://127.0.0.1:1:2/callback",
		"http://127.0.0.1\\@evil.example/callback", "http://127.0.0.1:1/callback#x", "http://127.0.0.1:1/callback/../x", "HTTP://127.0.0.1/callback",
		"http://[::1]:1/callback", "http://0x7f000001/callback", "http://127.0.0.1.evil.example/callback", "https://app.example.com/cb", "https://app.example.com/cb?x", "http://127.0.0.1:٣/callback",
	} {
		f.Add(uri)
	}
	c := CommandLine("1")
	app := &Client{RedirectURIs: []string{"https://app.example.com/cb", "com.example.app:/cb"}}
	f.Fuzz(func(t *testing.T, asked string) {
		if to, ok := app.RedirectURI(asked); ok && to != app.RedirectURIs[0] && to != app.RedirectURIs[1] {
			t.Errorf("%q leads to %q", asked, to)
		}
		to, ok := c.RedirectURI(asked)
		if !ok {
			return
		}
		u, err := url.Parse(to)
		if err != nil || u.Scheme != "http" || u.Hostname() != "127.0.0.1" || u.Path != "/callback" || u.User != nil || u.RawQuery != "" || strings.ContainsAny(to, "#@\\ ") {
			t.Errorf("%q leads to %q", asked, to)
		}
	})
}
