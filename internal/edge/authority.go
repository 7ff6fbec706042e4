package edge

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	leafLife      = 90 * 24 * time.Hour
	renewBefore   = 30 * 24 * time.Hour // of the authority and of leaves
	clockSkew     = time.Hour           // that a client's clock may be behind

	authorityFile = "ca.pem"
	keyFile       = "ca-key.pem"
)

// Authority is a certificate authority of this server's own, for development:
// whoever trusts its certificate can reach the server by HTTPS under any name.
// It is kept in a folder, the key readable by its owner only; leaves are made
// when they are needed and live in memory.
type Authority struct {
	dir   string
	names []string
	cert  *x509.Certificate
	key   crypto.Signer

	mu   sync.Mutex
	leaf *tls.Certificate
}

// OpenAuthority reads the authority kept in dir, or makes one where there is
// none, or one that is about to end. fresh says that clients have to be told
// to trust it. Its leaves hold names, localhost and the loopback addresses.
func OpenAuthority(dir string, names []string) (a *Authority, fresh bool, err error) {
	a = &Authority{dir: dir, names: slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(names), "localhost"))))}
	err = a.load()
	if errors.Is(err, fs.ErrNotExist) || err == nil && time.Until(a.cert.NotAfter) < renewBefore {
		fresh, err = true, a.make()
	}
	if err != nil {
		return nil, false, fmt.Errorf("the authority in %s cannot be used: %w; remove the folder to have a new one made", dir, err)
	}
	return a, fresh, nil
}

// File is the authority's certificate, which clients must trust.
func (a *Authority) File() string { return filepath.Join(a.dir, authorityFile) }

// Certificates serves leaves of the authority.
func (a *Authority) Certificates() *Certificates { return of(a.current) }

func (a *Authority) load() error {
	pair, err := tls.LoadX509KeyPair(a.File(), filepath.Join(a.dir, keyFile))
	if err != nil {
		return err
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok || !pair.Leaf.IsCA {
		return errors.New("it is no certificate authority")
	}
	a.cert, a.key = pair.Leaf, key
	return nil
}

// make replaces the authority. The key is in place before the certificate: a
// crash in between leaves a pair that does not match only where one was
// replaced, and that is reported, not used.
func (a *Authority) make() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	now := time.Now()
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "Convoke development authority " + now.UTC().Format(time.DateOnly)},
		NotBefore: now.Add(-clockSkew), NotAfter: now.Add(authorityLife),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return err
	}
	if err := replace(filepath.Join(a.dir, keyFile), "PRIVATE KEY", keyDER, 0o600); err != nil {
		return err
	}
	if err := replace(a.File(), "CERTIFICATE", der, 0o644); err != nil {
		return err
	}
	return a.load()
}

// replace writes a PEM file that is there either whole or not at all.
func replace(path, kind string, der []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600 from its beginning
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it is renamed
	var b bytes.Buffer
	if err := pem.Encode(&b, &pem.Block{Type: kind, Bytes: der}); err != nil {
		return err
	}
	_, err = f.Write(b.Bytes())
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// current is the leaf, a new one when the old is about to end.
func (a *Authority) current(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.leaf == nil || time.Until(a.leaf.Leaf.NotAfter) < renewBefore {
		leaf, err := a.issue()
		if err != nil {
			return nil, err
		}
		a.leaf = leaf
	}
	return a.leaf, nil
}

func (a *Authority) issue() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "Convoke"},
		NotBefore: now.Add(-clockSkew), NotAfter: now.Add(leafLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
		DNSNames: a.names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}
