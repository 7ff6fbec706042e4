package edge

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// leafOf is the certificate of a, checked as a client would that trusts the
// authority's file.
func leafOf(t *testing.T, a *Authority, names ...string) *tls.Certificate {
	t.Helper()
	leaf, err := a.Certificates().TLS.GetCertificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(a.File())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(file) {
		t.Fatalf("%s holds no certificate", a.File())
	}
	for _, name := range names {
		if _, err := leaf.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: time.Now()}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	return leaf
}

func TestAuthority(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "tls")
	a, fresh, err := OpenAuthority(dir, []string{"fninvocations.example.com", "api.liveperson.net", "localhost"})
	if err != nil || !fresh {
		t.Fatal(fresh, err)
	}
	leafOf(t, a, "fninvocations.example.com", "api.liveperson.net", "localhost", "127.0.0.1", "::1")
	info, err := os.Stat(filepath.Join(dir, keyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key has mode %v, %v", info.Mode(), err)
	}

	// The next start keeps the authority, and other names hold at once.
	again, fresh, err := OpenAuthority(dir, []string{"other.example.com"})
	if err != nil || fresh || !again.cert.Equal(a.cert) {
		t.Fatal("opened again: another authority", fresh, err)
	}
	leaf := leafOf(t, again, "other.example.com")
	if leaf.Leaf.VerifyHostname("api.liveperson.net") == nil {
		t.Error("the leaf holds a name that is no longer asked for")
	}
}

func TestAuthorityRenews(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a, _, err := OpenAuthority(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		first := leafOf(t, a, "localhost")
		time.Sleep(leafLife - renewBefore - time.Minute)
		if leafOf(t, a, "localhost") != first {
			t.Error("the leaf is renewed too early")
		}
		time.Sleep(2 * time.Minute)
		if leafOf(t, a, "localhost") == first {
			t.Error("the leaf is not renewed before its end")
		}
		time.Sleep(authorityLife - leafLife)
		renewed, fresh, err := OpenAuthority(dir, nil)
		if err != nil || !fresh || renewed.cert.Equal(a.cert) {
			t.Errorf("the authority is not renewed before its end: fresh %v, %v", fresh, err)
		}
	})
}

func TestBrokenAuthority(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, _, err := OpenAuthority(dir, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, keyFile), []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	// Made anew it would be one that nobody trusts: that is for a person to decide.
	if _, _, err := OpenAuthority(dir, nil); err == nil {
		t.Error("an authority without its key is used")
	}
}
