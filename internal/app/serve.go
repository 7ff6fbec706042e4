package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"convoke/internal/config"
	"convoke/internal/edge"
	"convoke/internal/httpx"
)

// door is a listener and what it speaks.
type door struct {
	name     string
	listener net.Listener
	tls      *tls.Config // nil: plain HTTP
	handler  http.Handler
}

// listen opens all doors, so that a port that is taken is told before anything
// else happens. What they answer is set by openDoors.
func (a *App) listen(ctx context.Context) error {
	open := func(name, address string) error {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err != nil {
			return fmt.Errorf("%w; choose another address with --%s", err, name)
		}
		a.doors = append(a.doors, &door{name: name, listener: l})
		return nil
	}
	if err := open("listen", a.cfg.Listen); err != nil {
		return err
	}
	if a.cfg.TLS == config.TLSOff {
		return nil
	}
	if err := open("https-listen", a.cfg.HTTPSListen); err != nil {
		return err
	}
	if plain := a.cfg.PlainListen(); plain != "" {
		return open("http-listen", plain)
	}
	return nil
}

// openDoors says what each door answers, and prints on out what a person has
// to do so that clients trust a development certificate.
func (a *App) openDoors(api http.Handler, out io.Writer) error {
	a.doors[0].handler = httpx.TrustProxies(a.cfg.Proxies(), api)
	if a.cfg.TLS == config.TLSOff {
		return nil
	}
	certificates, err := a.certificates(out)
	if err != nil {
		return err
	}
	https := a.doors[1]
	https.tls, https.handler = certificates.TLS, a.doors[0].handler
	a.log.Info("serving HTTPS too", "address", https.listener.Addr().String(), "tls", a.cfg.TLS)
	if len(a.doors) > 2 {
		plain := edge.Plain(api, httpx.New(httpx.Config{Logger: a.log}), https.listener.Addr())
		a.doors[2].handler = httpx.TrustProxies(a.cfg.Proxies(), certificates.Plain(plain))
	}
	return nil
}

func (a *App) certificates(out io.Writer) (*edge.Certificates, error) {
	cfg, names := a.cfg, a.cfg.OwnHosts()
	switch cfg.TLS {
	case config.TLSFile:
		return edge.Files(cfg.TLSCert, cfg.TLSKey, a.log)
	case config.TLSACME:
		return edge.ACME(filepath.Join(cfg.Data, "acme"), names, cfg.ACMEEmail, cfg.ACMEDirectory), nil
	}
	names = append(names, edge.FixedHosts...)
	authority, fresh, err := edge.OpenAuthority(filepath.Join(cfg.Data, "tls"), names)
	if err != nil {
		return nil, err
	}
	kind := "HTTPS has a certificate of this server's own authority"
	if fresh {
		kind += ", made just now"
	}
	_, err = fmt.Fprintf(out, `%s. Clients trust it by
  NODE_EXTRA_CA_CERTS=%s
and find this server, where no name server knows it, by a line in /etc/hosts:
  %s %s
`, kind, authority.File(), reachable(a.doors[1].listener.Addr()), strings.Join(names, " "))
	return authority.Certificates(), err
}

// reachable is an address of a listener that stands in a file of hosts.
func reachable(addr net.Addr) string {
	host, _, err := net.SplitHostPort(localAddress(addr))
	if err != nil {
		return "127.0.0.1"
	}
	return host
}

// serve is the HTTP stage: all doors open together and close together.
func (a *App) serve(ctx context.Context) error {
	servers := make([]*http.Server, len(a.doors))
	failed := make(chan error, len(a.doors))
	for i, d := range a.doors {
		servers[i] = a.server(d)
		go func() { failed <- d.serve(servers[i]) }()
	}
	select {
	case err := <-failed:
		for _, srv := range servers {
			err = errors.Join(err, srv.Close())
		}
		return err
	case <-ctx.Done():
	}
	a.ready.Store(false)
	close(a.drain)
	stop, cancel := context.WithTimeout(context.Background(), a.cfg.ShutdownGrace)
	defer cancel()
	errs := make([]error, len(servers))
	var wg sync.WaitGroup
	for i, srv := range slices.Backward(servers) { // from the outside in
		wg.Go(func() { errs[i] = a.shutdown(stop, a.doors[i].name, srv) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (a *App) server(d *door) *http.Server {
	return &http.Server{
		Handler:           d.handler,
		TLSConfig:         d.tls,
		ReadHeaderTimeout: 10 * time.Second, // bounds the TLS handshake too
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		HTTP2:             &http.HTTP2Config{SendPingTimeout: 30 * time.Second}, // finds clients that are gone
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
}

func (d *door) serve(srv *http.Server) error {
	if d.tls == nil {
		return srv.Serve(d.listener)
	}
	return srv.ServeTLS(d.listener, "", "") // the configuration has the certificate
}

func (a *App) shutdown(ctx context.Context, name string, srv *http.Server) error {
	if err := srv.Shutdown(ctx); err != nil {
		a.log.Warn("requests were cut off at shutdown", "listener", name, "err", err)
		return srv.Close()
	}
	return nil
}

// Addrs are where the server listens: for plain HTTP and, with TLS, for HTTPS
// and for plain HTTP beside it.
func (a *App) Addrs() []net.Addr {
	addrs := make([]net.Addr, len(a.doors))
	for i, d := range a.doors {
		addrs[i] = d.listener.Addr()
	}
	return addrs
}
