package app_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"convoke"
	"convoke/api"
	"convoke/internal/app"
	"convoke/internal/config"
)

// TestServeTLS walks the way of the reference's tools: discovery over plain
// HTTP at a name that is built into them, everything else over HTTPS at the
// names that discovery gave, trusting the file that the server names.
func TestServeTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg, err := config.Load(config.LoadOptions{Env: map[string]string{
		"CONVOKE_LISTEN": "127.0.0.1:0", "CONVOKE_DATA": dir, "CONVOKE_LOG_LEVEL": "error", "CONVOKE_SHUTDOWN_GRACE": "5s",
		"CONVOKE_RUNTIMES": filepath.Join("..", "..", "runtime", "node"),
		"CONVOKE_TLS":      "dev", "CONVOKE_HTTPS_LISTEN": "127.0.0.1:0", "CONVOKE_HTTP_LISTEN": "127.0.0.1:0", "CONVOKE_DOMAIN": "example.com",
	}})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	a, err := app.New(t.Context(), cfg, &out)
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(dir, "tls", "ca.pem")
	if !strings.Contains(out.String(), "NODE_EXTRA_CA_CERTS="+ca) || !strings.Contains(out.String(), "127.0.0.1 fninvocations.example.com") {
		t.Errorf("the operator was told:\n%s", out.String())
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	token, _, err := app.CreateToken(t.Context(), dir, convoke.DefaultAccountID, "admin", "test", 0)
	if err != nil {
		t.Fatal(err)
	}
	addrs := a.Addrs()
	if len(addrs) != 3 {
		t.Fatalf("listens on %v", addrs)
	}

	// Any name leads here, as a line in /etc/hosts makes it.
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			to := addrs[1]
			if strings.HasSuffix(address, ":80") {
				to = addrs[2]
			}
			return (&net.Dialer{}).DialContext(ctx, network, to.String())
		},
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	do := func(method, url string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(b)
	}

	const path = "/api/account/10000001/service/baseURI.json?version=1.0"
	_, body := do("GET", "http://adminlogin.liveperson.net"+path)
	var found api.BaseURIs
	if err := json.Unmarshal([]byte(body), &found); err != nil {
		t.Fatal(err, body)
	}
	const account = "10000001"
	want := []api.BaseURI{
		{Service: "agentVep", Account: account, BaseURI: "login.example.com"}, {Service: "faasGW", Account: account, BaseURI: "fninvocations.example.com"},
		{Service: "faasUI", Account: account, BaseURI: "functions.example.com"}, {Service: "sentinel", Account: account, BaseURI: "sentinel.example.com"},
	}
	if diff := cmp.Diff(want, found.BaseURIs); diff != "" {
		t.Errorf("discovery (-want +got):\n%s", diff)
	}
	for _, s := range found.BaseURIs {
		if res, body := do("GET", "https://"+s.BaseURI+"/api/account/10000001/functions"); res.StatusCode != http.StatusOK || res.ProtoMajor != 2 {
			t.Errorf("%s: %s %s %s", s.BaseURI, res.Proto, res.Status, body)
		}
	}
	if _, other := do("GET", "https://api.liveperson.net"+path); other != body {
		t.Errorf("discovery over HTTPS answers %s, over HTTP %s", other, body)
	}
	page := fmt.Sprintf("https://functions.example.com:%d/console?a=b", addrs[1].(*net.TCPAddr).Port)
	if res, _ := do("GET", "http://functions.example.com/console?a=b"); res.StatusCode != http.StatusPermanentRedirect || res.Header.Get("Location") != page {
		t.Errorf("a page over plain HTTP: %s %s, want %s", res.Status, res.Header.Get("Location"), page)
	}
	if res, _ := do("GET", "http://functions.example.com/api/account/10000001/functions"); res.StatusCode != http.StatusPermanentRedirect {
		t.Errorf("the API over plain HTTP beside HTTPS: %s", res.Status)
	}
	old := &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	if conn, err := tls.Dial("tcp", addrs[1].String(), old); err == nil {
		conn.Close()
		t.Error("TLS 1.1 is spoken")
	}

	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, addr := range addrs {
		if conn, err := net.Dial("tcp", addr.String()); err == nil {
			conn.Close()
			t.Errorf("%s is open after the stop", addr)
		}
	}
}

// TestPortTaken: a server that cannot open all its doors opens none.
func TestPortTaken(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cfg, err := config.Load(config.LoadOptions{Env: map[string]string{
		"CONVOKE_LISTEN": "127.0.0.1:0", "CONVOKE_DATA": t.TempDir(), "CONVOKE_RUNTIMES": filepath.Join("..", "..", "runtime", "node"),
		"CONVOKE_TLS": "dev", "CONVOKE_HTTPS_LISTEN": taken.Addr().String(),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := app.New(t.Context(), cfg, io.Discard); err == nil || !strings.Contains(err.Error(), "--https-listen") {
		t.Errorf("got %v, want the flag that helps", err)
	}
}
