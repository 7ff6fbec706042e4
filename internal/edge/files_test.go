package edge

import (
	"crypto/tls"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// copyPair puts the certificate of a fresh authority into dir, as somebody who
// renews a certificate does.
func copyPair(t *testing.T, dir string) {
	t.Helper()
	from := t.TempDir()
	if _, _, err := OpenAuthority(from, nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{authorityFile, keyFile} {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFilesAreReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, authorityFile), filepath.Join(dir, keyFile)
	copyPair(t, dir)
	synctest.Test(t, func(t *testing.T) {
		c, err := Files(cert, key, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		get := func() *tls.Certificate {
			t.Helper()
			got, err := c.TLS.GetCertificate(&tls.ClientHelloInfo{})
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		first := get()
		time.Sleep(lookEvery)
		if get() != first {
			t.Error("files that did not change are read again")
		}

		copyPair(t, dir)
		if get() != first {
			t.Error("the files are looked at for every connection")
		}
		time.Sleep(lookEvery)
		second := get()
		if second.Leaf.Equal(first.Leaf) {
			t.Error("changed files are not read")
		}

		if err := os.WriteFile(cert, []byte("half a cert"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lookEvery)
		if get() != second {
			t.Error("a broken file takes the good certificate away")
		}
		copyPair(t, dir)
		time.Sleep(lookEvery)
		if got := get(); got == second {
			t.Error("after a broken file a good one is not read")
		}
	})
}

func TestFilesMustBeThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Files(filepath.Join(dir, "c"), filepath.Join(dir, "k"), slog.New(slog.DiscardHandler)); err == nil {
		t.Errorf("got %v, want %v", err, fs.ErrNotExist)
	}
}
