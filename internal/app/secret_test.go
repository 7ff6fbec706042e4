package app_test

import (
	"bytes"
	"context"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"convoke"
	"convoke/api"
	"convoke/client"
	"convoke/internal/app"
	"convoke/internal/config"
)

// TestSecretsStayInside sets secrets over HTTP, with everything logged, and
// looks for a value in the log, the metrics and every file that is left.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	const value = "s3cr3t-vAlue-that-nobody-sees"
	dir := t.TempDir()
	cfg, err := config.Load(config.LoadOptions{Env: map[string]string{
		"CONVOKE_LISTEN": "127.0.0.1:0", "CONVOKE_DATA": dir, "CONVOKE_LOG_LEVEL": "debug",
		"CONVOKE_RUNTIMES": filepath.Join("..", "..", "runtime", "node"), "CONVOKE_SHUTDOWN_GRACE": "5s",
	}})
	if err != nil {
		t.Fatal(err)
	}
	var log lockedBuffer
	a, err := app.New(t.Context(), cfg, &log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stop := sync.OnceValue(func() error { cancel(); return <-done })
	defer func() { _ = stop() }()
	token, _, err := app.CreateToken(t.Context(), dir, convoke.DefaultAccountID, "admin", "test", 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(client.Config{URL: "http://" + a.Addr().String(), Token: convoke.NewSecret(token)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.SetSecret(t.Context(), "key", api.SetSecretRequest{Value: value}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.SetSecret(t.Context(), "key", api.SetSecretRequest{Value: value, Type: "Number"}); convoke.ErrorCode(err) != convoke.CodeValidation {
		t.Errorf("a value that is no number: %v", err)
	}
	operator, _, err := app.CreateToken(t.Context(), dir, convoke.DefaultAccountID, "operator", "test", 0)
	if err != nil {
		t.Fatal(err)
	}
	o, err := client.New(client.Config{URL: "http://" + a.Addr().String(), Token: convoke.NewSecret(operator)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.RotateKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := &server{url: "http://" + a.Addr().String(), token: token}
	if status, body, _ := s.do(t, http.MethodGet, "/secrets?system=true", "", nil); status != http.StatusOK || strings.Contains(body, value) {
		t.Errorf("the list is %d %s", status, body)
	}
	holds := func(name string, text []byte) {
		if bytes.Contains(text, []byte(value)) {
			t.Errorf("%s holds the value", name)
		}
	}
	files := func() (n int) {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			text, err := os.ReadFile(path)
			holds(path, text)
			n++
			return err
		})
		if err != nil {
			t.Error(err)
		}
		return n
	}
	if n := files(); n < 6 { // databases with their WALs and indexes
		t.Errorf("looked at %d files", n)
	}
	if err := stop(); err != nil {
		t.Errorf("the server stopped with %v", err)
	}
	files()
	holds("the log", log.text())
	if !bytes.Contains(log.text(), []byte("/secrets/key")) {
		t.Error("the log does not have the requests")
	}
}

// lockedBuffer takes the log of a server that runs.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) text() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}

// TestNoStartWithoutTheMasterKey: a server that could not read its secrets
// says so instead of running without them.
func TestNoStartWithoutTheMasterKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startIn(t, dir)
	if _, err := s.SetSecret(t.Context(), "key", api.SetSecretRequest{Value: "x"}); err != nil {
		t.Fatal(err)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "keys", "master.json")
	if err := os.Rename(key, key+".away"); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(config.LoadOptions{Env: map[string]string{"CONVOKE_LISTEN": "127.0.0.1:0", "CONVOKE_DATA": dir, "CONVOKE_RUNTIMES": filepath.Join("..", "..", "runtime", "node")}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = app.New(t.Context(), cfg, &lockedBuffer{})
	if convoke.ErrorCode(err) != convoke.CodeInvalid || !strings.Contains(err.Error(), key+" is missing") {
		t.Errorf("got error %v", err)
	}
	if err := os.Rename(key+".away", key); err != nil {
		t.Fatal(err)
	}
	again := startIn(t, dir)
	list, err := again.Secrets(t.Context(), false)
	if err != nil || len(list) != 1 || list[0].UpdatedAt.Before(time.Now().Add(-time.Hour)) {
		t.Errorf("got %+v, error %v", list, err)
	}
}
