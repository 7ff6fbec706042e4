package edge

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"convoke/internal/httpx"
)

func TestPlain(t *testing.T) {
	t.Parallel()
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "discovered") })
	e := httpx.New(httpx.Config{Logger: slog.New(slog.DiscardHandler)})
	for name, tt := range map[string]struct {
		port                  int
		method, host, path    string
		status                int
		location, has, allow  string
		contentTypeMustBeJSON bool
	}{
		"discovery":           {443, "GET", "adminlogin.liveperson.net", "/api/account/1/service/baseURI.json?version=1.0", 200, "", "discovered", "", false},
		"one service":         {443, "GET", "x", "/api/account/1/service/faasGW/baseURI.json", 200, "", "discovered", "", false},
		"a page":              {443, "GET", "functions.example.com", "/a%20b/c?d=e&f", 308, "https://functions.example.com/a%20b/c?d=e&f", "", "", false},
		"with ports":          {8443, "HEAD", "functions.example.com:8080", "/", 308, "https://functions.example.com:8443/", "", "", false},
		"IPv6":                {8443, "GET", "[::1]:80", "/x", 308, "https://[::1]:8443/x", "", "", false},
		"two slashes":         {443, "GET", "a.test", "//evil.test/x", 307, "", "", "", false},
		"token over plain":    {443, "POST", "fninvocations.example.com", "/api/account/1/lambdas/u/invoke?v=1", 405, "", "use https", "GET, HEAD", true},
		"changing discovery?": {443, "POST", "x", "/api/account/1/service/baseURI.json", 405, "", "use https", "GET, HEAD", true},
		"no host":             {443, "GET", "", "/", 400, "", "names no host", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(tt.method, "http://x"+tt.path, nil)
			r.Host = tt.host
			w := httptest.NewRecorder()
			Plain(api, e, &net.TCPAddr{Port: tt.port}).ServeHTTP(w, r)
			if w.Code != tt.status || tt.location != "" && w.Header().Get("Location") != tt.location || w.Header().Get("Allow") != tt.allow || !strings.Contains(w.Body.String(), tt.has) {
				t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
			}
			if tt.contentTypeMustBeJSON && !strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
				t.Errorf("an error is %s", w.Header().Get("Content-Type"))
			}
			if strings.HasPrefix(w.Header().Get("Location"), "//") {
				t.Errorf("leads to another host: %s", w.Header().Get("Location"))
			}
		})
	}
}
