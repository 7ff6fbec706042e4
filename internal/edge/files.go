package edge

import (
	"crypto/tls"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

// lookEvery is how often the files are looked at, while connections come.
const lookEvery = 5 * time.Second

// pair is a certificate in two files that somebody else renews.
type pair struct {
	certFile, keyFile string
	log               *slog.Logger

	mu     sync.Mutex
	cert   *tls.Certificate
	stamps [2]stamp // of what was tried last
	looked time.Time
}

// stamp is how a change of a file shows.
type stamp struct {
	modified time.Time
	size     int64
}

// Files serves the certificate in two PEM files and takes a new one over when
// they change, without a restart. It returns an error when they cannot be used
// at first; later on the old certificate stays, and the log says why.
func Files(certFile, keyFile string, log *slog.Logger) (*Certificates, error) {
	p := &pair{certFile: certFile, keyFile: keyFile, log: log}
	if err := p.reload(); err != nil {
		return nil, fmt.Errorf("the certificate for HTTPS cannot be used: %w", err)
	}
	p.looked = time.Now()
	return of(p.current), nil
}

func (p *pair) current(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.looked) >= lookEvery {
		p.looked = time.Now()
		if err := p.reload(); err != nil {
			p.log.Error("the changed certificate cannot be used; the old one stays", "file", p.certFile, "ends", p.cert.Leaf.NotAfter, "err", err)
		}
	}
	return p.cert, nil
}

// reload reads the files if they have changed since the last time.
func (p *pair) reload() error {
	var stamps [2]stamp
	for i, path := range []string{p.certFile, p.keyFile} {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		stamps[i] = stampOf(info)
	}
	if stamps == p.stamps {
		return nil
	}
	cert, err := tls.LoadX509KeyPair(p.certFile, p.keyFile)
	if err != nil {
		// Not remembered: a file that is being written may keep its stamp.
		return err
	}
	p.cert, p.stamps = &cert, stamps
	return nil
}

func stampOf(info fs.FileInfo) stamp { return stamp{info.ModTime(), info.Size()} }
