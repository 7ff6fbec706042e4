package secret

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"convoke"
)

const (
	// keyFile is a Tink keyset as JSON, in clear: whoever can read it and the
	// database can read every secret.
	keyFile = "master.json"
	// maxKeyFile bounds what is read: a key takes 200 bytes.
	maxKeyFile = 1 << 20
)

// loadKeys reads the keyring at path. The error is fs.ErrNotExist when there
// is none, and CodeInvalid when others could read it or it is none.
func loadKeys(path string) (*keyring, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, convoke.Errorf(convoke.CodeInvalid,
			"%s holds the master key and can be read by others (mode %04o); run: chmod 600 %s, and change the key when the server runs: convoke secret rotate-key",
			path, info.Mode().Perm(), path)
	}
	damaged := convoke.Errorf(convoke.CodeInvalid, "%s is no master key, or a damaged one; restore it from a backup", path)
	if info.Size() > maxKeyFile {
		return nil, damaged
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	// What the parser says could quote the key.
	h, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(text)))
	if err != nil {
		return nil, damaged
	}
	keys, err := newKeyring(h)
	if err != nil {
		return nil, damaged
	}
	return keys, nil
}

// saveKeys writes the keyring to path, readable by its owner only, in one step
// that survives a loss of power: what it seals is worth nothing without it. It
// returns CodeStorageFull when the disk is full.
func saveKeys(path string, k *keyring) error {
	var text bytes.Buffer
	if err := insecurecleartextkeyset.Write(k.handle, keyset.NewJSONWriter(&text)); err != nil {
		return err
	}
	defer clear(text.Bytes())
	err := replaceFile(path, text.Bytes())
	if errors.Is(err, syscall.ENOSPC) {
		return &convoke.Error{Code: convoke.CodeStorageFull, Cause: err,
			Message: "the disk is full: the master key was not changed; free some space in the data directory and try again"}
	}
	if err != nil {
		return fmt.Errorf("write the master key: %w", err)
	}
	return nil
}

func replaceFile(path string, text []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".master-*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails once it has been renamed, as it should
	_, err = tmp.Write(text)
	if err == nil {
		err = tmp.Sync()
	}
	if err := errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return errors.Join(syncDir(dir), syncDir(filepath.Dir(dir)))
}

// syncDir makes the names in a folder survive a loss of power.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" { // which does not have that
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// openKeys loads the keyring of a data directory, or makes one where nothing
// was sealed yet. sealed says how many secrets each master key seals.
func openKeys(path string, sealed map[uint32]int) (*keyring, error) {
	keys, err := loadKeys(path)
	if errors.Is(err, fs.ErrNotExist) {
		if n := total(sealed); n > 0 {
			return nil, convoke.Errorf(convoke.CodeInvalid,
				"the master key %s is missing, and %d secrets are sealed with it; restore it from a backup: nothing else opens them", path, n)
		}
		if keys, err = freshKeyring(); err != nil {
			return nil, err
		}
		return keys, saveKeys(path, keys)
	}
	if err != nil {
		return nil, err
	}
	for id, n := range sealed {
		if !keys.has(id) {
			return nil, convoke.Errorf(convoke.CodeInvalid,
				"%s is not the master key that sealed %d of the secrets; restore the one that belongs to this database", path, n)
		}
	}
	return keys, nil
}

func total(counts map[uint32]int) (sum int) {
	for _, n := range counts {
		sum += n
	}
	return sum
}
