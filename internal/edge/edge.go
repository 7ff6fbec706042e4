// Package edge is the outermost part of serving: where the certificate for
// HTTPS comes from, and what plain HTTP beside it answers. Only internal/app
// imports it.
package edge

import (
	"crypto/tls"
	"net"
	"net/http"
	"strings"

	"convoke"
	"convoke/internal/httpx"
)

// FixedHosts are the host names that tools of the reference have built in:
// where they look for domain discovery (spec/api-surface.md 1), and where the
// tests of one log in (9). With these names leading here, and the server's own
// authority trusted, the tools work unchanged.
var FixedHosts = []string{
	"api.liveperson.net", "adminlogin.liveperson.net", "adminlogin-a.liveperson.net", "adminlogin-z0-intg.liveperson.net",
	"csds-app.qa.int.gw.lpcloud.io", "hc1n.dev.lprnd.net", "lp-csds-qa.dev.lprnd.net", "staging.agentvep.liveperson.net",
}

// Certificates is what serving HTTPS takes.
type Certificates struct {
	// TLS is the configuration of the listener. http.Server adds HTTP/2.
	TLS *tls.Config
	// Plain wraps the handler of plain HTTP, where an authority may ask for
	// proof that the names lead here.
	Plain func(http.Handler) http.Handler
}

// of wraps what picks a certificate.
func of(get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *Certificates {
	return &Certificates{
		TLS:   &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: get},
		Plain: func(next http.Handler) http.Handler { return next },
	}
}

// Plain answers over plain HTTP beside HTTPS: domain discovery, which two
// clients of the reference ask only there, goes to api; GET and HEAD are sent
// to HTTPS on the port of httpsAddr; anything else is refused, because what it
// carries was readable on its way.
func Plain(api http.Handler, e *httpx.Edge, httpsAddr net.Addr) http.Handler {
	toHTTPS := e.Wrap(e.Handle(redirect(httpsAddr), true))
	mux := http.NewServeMux()
	mux.Handle("GET /api/account/{account}/service/baseURI.json", api)
	mux.Handle("GET /api/account/{account}/service/{service}/baseURI.json", api)
	mux.Handle("/", toHTTPS)
	return mux
}

func redirect(httpsAddr net.Addr) httpx.Handler {
	suffix := ""
	if _, port, err := net.SplitHostPort(httpsAddr.String()); err == nil && port != "443" {
		suffix = ":" + port
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			return convoke.Errorf(convoke.CodeMethodNotKnown, "%s is not possible over plain HTTP; use https", r.Method)
		}
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
			if strings.Contains(name, ":") {
				host = "[" + name + "]"
			}
		}
		if host == "" {
			return convoke.Errorf(convoke.CodeInvalid, "the request names no host; use https")
		}
		w.Header().Set("Location", "https://"+host+suffix+r.URL.RequestURI())
		w.WriteHeader(http.StatusPermanentRedirect)
		return nil
	}
}
