package edge

import (
	"crypto/tls"
	"net/http"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// ACME serves certificates that it gets and renews from a public authority by
// RFC 8555, for the names alone: anybody can ask a server for any name. They
// and the account's key are kept in dir. Serving with it agrees to the terms of
// the authority. email and directory may be ""; then the authority knows no
// address, and is Let's Encrypt.
func ACME(dir string, names []string, email, directory string) *Certificates {
	return acmeVia(nil, dir, names, email, directory)
}

func acmeVia(client *http.Client, dir string, names []string, email, directory string) *Certificates {
	m := &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      autocert.DirCache(dir),
		HostPolicy: autocert.HostWhitelist(names...),
		Email:      email,
		Client:     &acme.Client{DirectoryURL: directory, HTTPClient: client, UserAgent: "convoke"},
	}
	config := m.TLSConfig() // knows the protocol of the authority's question
	config.MinVersion = tls.VersionTLS12
	return &Certificates{TLS: config, Plain: m.HTTPHandler}
}
