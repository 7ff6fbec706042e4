package edge

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// acmeServer is as much of RFC 8555 as one order with one http-01 challenge
// takes. It believes every signature; what it checks is the proof.
type acmeServer struct {
	*httptest.Server
	authority *Authority
	plain     http.Handler // of the server that asks for a certificate
	orders    atomic.Int32
	proven    atomic.Bool
	name      atomic.Value
	issued    atomic.Value
}

const acmeToken = "proof-of-names"

func newACMEServer(t *testing.T) *acmeServer {
	t.Helper()
	a, _, err := OpenAuthority(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &acmeServer{authority: a}
	mux := http.NewServeMux()
	handle := func(pattern string, h func(w http.ResponseWriter, payload []byte) (status int, answer any)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			var signed struct{ Payload string }
			_ = json.NewDecoder(r.Body).Decode(&signed) // HEAD and GET have none
			payload, err := base64.RawURLEncoding.DecodeString(signed.Payload)
			if err != nil {
				t.Error(err)
			}
			w.Header().Set("Replay-Nonce", fmt.Sprint("nonce", time.Now().UnixNano()))
			w.Header().Set("Content-Type", "application/json")
			status, answer := h(w, payload)
			w.WriteHeader(status)
			if text, ok := answer.(string); ok {
				_, _ = w.Write([]byte(text))
				return
			}
			_ = json.NewEncoder(w).Encode(answer)
		})
	}
	type object = map[string]any
	handle("GET /dir", func(http.ResponseWriter, []byte) (int, any) {
		return 200, object{"newNonce": s.URL + "/nonce", "newAccount": s.URL + "/account", "newOrder": s.URL + "/order"}
	})
	handle("/nonce", func(http.ResponseWriter, []byte) (int, any) { return 200, "" })
	handle("POST /account", func(w http.ResponseWriter, payload []byte) (int, any) {
		if !strings.Contains(string(payload), "mailto:ops@example.com") {
			t.Errorf("account without the e-mail address: %s", payload)
		}
		w.Header().Set("Location", s.URL+"/account/1")
		return 201, object{"status": "valid"}
	})
	order := func() object {
		status := "pending"
		if s.proven.Load() {
			status = "ready"
		}
		o := object{"status": status, "authorizations": []string{s.URL + "/authz"}, "finalize": s.URL + "/finalize"}
		if s.issued.Load() != nil {
			o["status"], o["certificate"] = "valid", s.URL+"/cert"
		}
		return o
	}
	handle("POST /order", func(w http.ResponseWriter, payload []byte) (int, any) {
		var in struct{ Identifiers []struct{ Value string } }
		if err := json.Unmarshal(payload, &in); err != nil || len(in.Identifiers) != 1 {
			t.Errorf("order %s: %v", payload, err)
			return 400, object{}
		}
		s.orders.Add(1)
		s.name.Store(in.Identifiers[0].Value)
		w.Header().Set("Location", s.URL+"/order/1")
		return 201, order()
	})
	handle("POST /order/1", func(w http.ResponseWriter, _ []byte) (int, any) { return 200, order() })
	challenge := func() object {
		status := "pending"
		if s.proven.Load() {
			status = "valid"
		}
		return object{"type": "http-01", "url": s.URL + "/challenge", "token": acmeToken, "status": status}
	}
	handle("POST /authz", func(http.ResponseWriter, []byte) (int, any) {
		c := challenge()
		return 200, object{"status": c["status"], "identifier": object{"type": "dns", "value": s.name.Load()}, "challenges": []object{c}}
	})
	handle("POST /challenge", func(http.ResponseWriter, []byte) (int, any) {
		r := httptest.NewRequest("GET", "http://x/.well-known/acme-challenge/"+acmeToken, nil)
		r.Host = s.name.Load().(string)
		got := httptest.NewRecorder()
		s.plain.ServeHTTP(got, r)
		s.proven.Store(strings.HasPrefix(got.Body.String(), acmeToken+"."))
		return 200, challenge()
	})
	handle("POST /finalize", func(w http.ResponseWriter, payload []byte) (int, any) {
		var in struct{ CSR string }
		if err := json.Unmarshal(payload, &in); err != nil || !s.proven.Load() {
			t.Errorf("finalize %s: %v, proven %v", payload, err, s.proven.Load())
			return 403, object{}
		}
		s.issued.Store(s.sign(t, in.CSR))
		w.Header().Set("Location", s.URL+"/order/1")
		return 200, order()
	})
	handle("POST /cert", func(w http.ResponseWriter, _ []byte) (int, any) {
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		return 200, s.issued.Load()
	})
	s.Server = httptest.NewTLSServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *acmeServer) sign(t *testing.T, encoded string) string {
	der, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		t.Error(err)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		t.Error(err)
		return ""
	}
	now := time.Now()
	leaf, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(leafLife), DNSNames: csr.DNSNames, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, s.authority.cert, csr.PublicKey, s.authority.key)
	if err != nil {
		t.Error(err)
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf})
	return string(append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.authority.cert.Raw})...))
}

// TestACME gets a certificate by the whole exchange, keeps it over a restart,
// and asks for no name but its own.
func TestACME(t *testing.T) {
	t.Parallel()
	const name = "functions.example.com"
	authority := newACMEServer(t)
	dir := t.TempDir()
	serve := func() *Certificates {
		c := acmeVia(authority.Client(), dir, []string{name}, "ops@example.com", authority.URL+"/dir")
		authority.plain = c.Plain(http.NotFoundHandler())
		return c
	}
	hello := func(name string) *tls.ClientHelloInfo {
		return &tls.ClientHelloInfo{ServerName: name, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
			SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256}, SupportedCurves: []tls.CurveID{tls.CurveP256}}
	}
	c := serve()
	for _, wrong := range []string{"evil.test", "", "api.liveperson.net"} {
		if _, err := c.TLS.GetCertificate(hello(wrong)); err == nil || authority.orders.Load() != 0 {
			t.Errorf("a certificate for %q was asked for: %v", wrong, err)
		}
	}
	first, err := c.TLS.GetCertificate(hello(name))
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Leaf.VerifyHostname(name); err != nil {
		t.Error(err)
	}
	again, err := serve().TLS.GetCertificate(hello(name))
	if err != nil || !again.Leaf.Equal(first.Leaf) || authority.orders.Load() != 1 {
		t.Errorf("after a restart: %d orders, %v", authority.orders.Load(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		t.Fatal("nothing is kept", err)
	}
	for _, f := range entries {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", f.Name(), info.Mode(), err)
		}
	}
}
