package httpx

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

var trusted = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}

// seen is what a handler behind TrustProxies is told of a request.
func seen(peer string, h http.Header) string {
	var got string
	handler := TrustProxies(trusted, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = fmt.Sprintf("%s %s %s", ClientIP(r), Scheme(r), Host(r))
	}))
	r := httptest.NewRequest("GET", "http://server.test/", nil)
	r.RemoteAddr, r.Header = peer, h
	handler.ServeHTTP(httptest.NewRecorder(), r)
	return got
}

func TestTrustProxies(t *testing.T) {
	t.Parallel()
	x := func(pairs ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			h.Add(pairs[i], pairs[i+1])
		}
		return h
	}
	const proxy, stranger = "10.0.0.1:5", "198.51.100.9:5"
	for name, tt := range map[string]struct {
		peer string
		h    http.Header
		want string
	}{
		"no proxy":           {stranger, nil, "198.51.100.9 http server.test"},
		"nothing forwarded":  {proxy, nil, "10.0.0.1 http server.test"},
		"one proxy":          {proxy, x("X-Forwarded-For", "203.0.113.4", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "api.example.com:8443"), "203.0.113.4 https api.example.com:8443"},
		"IPv6 with port":     {"[fd00::1]:5", x("X-Forwarded-For", "[2001:db8::7]:9", "X-Forwarded-Proto", "HTTPS"), "2001:db8::7 https server.test"},
		"IPv4 with port":     {proxy, x("X-Forwarded-For", "203.0.113.4:9"), "203.0.113.4 http server.test"},
		"mapped peer":        {"[::ffff:10.0.0.1]:5", x("X-Forwarded-For", "203.0.113.4"), "203.0.113.4 http server.test"},
		"two proxies":        {proxy, x("X-Forwarded-For", "203.0.113.4, 10.0.0.2"), "203.0.113.4 http server.test"},
		"two lines":          {proxy, x("X-Forwarded-For", "203.0.113.4", "X-Forwarded-For", "10.0.0.2"), "203.0.113.4 http server.test"},
		"all hops trusted":   {proxy, x("X-Forwarded-For", "10.0.0.3, 10.0.0.2"), "10.0.0.3 http server.test"},
		"Forwarded":          {proxy, x("Forwarded", `for=203.0.113.4;proto=https;host="api.example.com"`), "203.0.113.4 https api.example.com"},
		"Forwarded IPv6":     {proxy, x("Forwarded", `For="[2001:db8::7]:4711";by=10.0.0.1, for=10.0.0.2;proto=https`), "2001:db8::7 https server.test"},
		"both, the same":     {proxy, x("Forwarded", "for=203.0.113.4", "X-Forwarded-For", "203.0.113.4", "X-Forwarded-Proto", "https"), "203.0.113.4 https server.test"},
		"comma inside quote": {proxy, x("Forwarded", `for=203.0.113.4;ext="a,for=203.0.113.9"`), "203.0.113.4 http server.test"},

		// What somebody outside makes up.
		"spoofed by a stranger":         {stranger, x("X-Forwarded-For", "127.0.0.1", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "evil.test", "Forwarded", "for=127.0.0.1"), "198.51.100.9 http server.test"},
		"spoofed before the proxy":      {proxy, x("X-Forwarded-For", "127.0.0.1, 203.0.113.4"), "203.0.113.4 http server.test"},
		"spoofed as a trusted one":      {proxy, x("X-Forwarded-For", "127.0.0.1, 10.0.0.9, 203.0.113.4"), "203.0.113.4 http server.test"},
		"other kind passed through":     {proxy, x("Forwarded", "for=127.0.0.1;proto=https;host=evil.test", "X-Forwarded-For", "203.0.113.4"), "10.0.0.1 http server.test"},
		"Forwarded beside a lone proto": {proxy, x("Forwarded", "for=127.0.0.1", "X-Forwarded-Proto", "https"), "10.0.0.1 http server.test"},
		"scheme before the proxy":       {proxy, x("X-Forwarded-For", "203.0.113.4", "X-Forwarded-Proto", "https, http"), "203.0.113.4 http server.test"},
		"unknown hop":                   {proxy, x("X-Forwarded-For", "203.0.113.4, unknown"), "10.0.0.1 http server.test"},
		"hidden hop":                    {proxy, x("Forwarded", "for=203.0.113.4, for=_hidden"), "10.0.0.1 http server.test"},
		"empty":                         {proxy, x("X-Forwarded-For", ""), "10.0.0.1 http server.test"},
		"not a scheme":                  {proxy, x("X-Forwarded-For", "203.0.113.4", "X-Forwarded-Proto", "javascript"), "203.0.113.4 http server.test"},
		"not a host":                    {proxy, x("X-Forwarded-For", "203.0.113.4", "X-Forwarded-Host", "evil.test/path?<"), "203.0.113.4 http server.test"},
		"no address at all":             {"@", x("X-Forwarded-For", "127.0.0.1"), "invalid IP http server.test"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := seen(tt.peer, tt.h); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestTrustNobody(t *testing.T) {
	t.Parallel()
	next := http.NewServeMux()
	if got := TrustProxies(nil, next); got != next {
		t.Error("without networks the headers are looked at all the same")
	}
}

// FuzzForwarded holds what no header may break: the client is the peer, or an
// address that the header holds, and nothing strange gets into URLs.
func FuzzForwarded(f *testing.F) {
	f.Add("203.0.113.4, 10.0.0.2", `for="[2001:db8::7]:1";proto=https`, "https", "a.test")
	f.Add("", `for=_x, "`, "", "")
	f.Add(",", `for="\`, ",", "[::1]:2")
	f.Fuzz(func(t *testing.T, xFor, forwarded, proto, host string) {
		h := http.Header{"X-Forwarded-For": {xFor}, "Forwarded": {forwarded}, "X-Forwarded-Proto": {proto}, "X-Forwarded-Host": {host}}
		peer := netip.MustParseAddr("10.0.0.1")
		o := proxies(trusted).origin(peer, h)
		if !o.ip.IsValid() {
			t.Errorf("no client for %v", h)
		}
		if o.scheme != "" && o.scheme != "http" && o.scheme != "https" || strings.ContainsAny(o.host, "/?#@ <>\"\\") {
			t.Errorf("%v gave %+v", h, o)
		}
	})
}
