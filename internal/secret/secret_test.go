package secret

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"convoke"
	"convoke/internal/sqlstore"
)

const (
	home  = "10000001"
	other = "20000002"
	value = "s3cr3t-vAlue-that-nobody-sees"
)

var ann = &convoke.Principal{AccountID: home, ID: "t1", Name: "ann"}

// world is a data directory with a service on it.
type world struct {
	*Service
	store *sqlstore.Store
	dir   string
	log   *bytes.Buffer
}

func setup(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	store, err := sqlstore.Open(t.Context(), sqlstore.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, id := range []string{home, other} {
		if err := store.CreateAccount(t.Context(), &convoke.Account{ID: id, Name: id, CreatedAt: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{store: store, dir: dir, log: &bytes.Buffer{}}
	w.restart(t)
	return w
}

func (w *world) open(t *testing.T) (*Service, error) {
	limits := convoke.DefaultLimits()
	limits.SecretsPerAccount = 5
	return New(t.Context(), Config{Store: w.store, Dir: filepath.Join(w.dir, "keys"), Limits: limits, Logger: slog.New(slog.NewTextHandler(w.log, nil))})
}

func (w *world) restart(t *testing.T) {
	t.Helper()
	s, err := w.open(t)
	if err != nil {
		t.Fatal(err)
	}
	w.Service = s
}

func (w *world) set(t *testing.T, name, value string) *convoke.StoredSecret {
	t.Helper()
	e, err := w.Set(t.Context(), ann, home, Input{Name: name, Value: convoke.NewSecret(value)})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// reads checks that a secret has a value.
func (w *world) reads(t *testing.T, name, want string) {
	t.Helper()
	got, err := w.Reveal(t.Context(), home, name)
	if err != nil || got.Reveal() != want {
		t.Errorf("%s: got %q, error %v; want %q", name, got.Reveal(), err, want)
	}
}

func (w *world) unreadable(t *testing.T, account, name string) {
	t.Helper()
	got, err := w.Reveal(t.Context(), account, name)
	if convoke.ErrorCode(err) != convoke.CodeUnreadable || !got.IsZero() {
		t.Errorf("%s: got %q, error %v; want it to be unreadable", name, got.Reveal(), err)
	}
}

func wantCode(t *testing.T, err error, want convoke.Code) {
	t.Helper()
	if got := convoke.ErrorCode(err); got != want {
		t.Errorf("got error %v, want code %q", err, want)
	}
}

func TestSetAndReveal(t *testing.T) {
	t.Parallel()
	w := setup(t)
	first := w.set(t, "key", value)
	w.reads(t, "key", value)
	if first.Version != 1 || first.Type != convoke.SecretString || first.CreatedBy != "ann" {
		t.Errorf("got %+v", first)
	}
	second, err := w.Set(t.Context(), &convoke.Principal{ID: "bob"}, home, Input{Name: "key", Type: convoke.SecretJSON, Value: convoke.NewSecret(`{"a":1}`)})
	if err != nil {
		t.Fatal(err)
	}
	if second.Version != 2 || second.CreatedBy != "ann" || second.UpdatedBy != "bob" || !second.CreatedAt.Equal(first.CreatedAt) {
		t.Errorf("got %+v", second)
	}
	w.reads(t, "key", `{"a":1}`)
	// The type stays, and holds for a value without one.
	_, err = w.Set(t.Context(), ann, home, Input{Name: "key", Value: convoke.NewSecret("{")})
	wantCode(t, err, convoke.CodeValidation)
	w.restart(t)
	w.reads(t, "key", `{"a":1}`)

	_, err = w.Create(t.Context(), ann, home, Input{Name: "key", Value: convoke.NewSecret("x")})
	wantCode(t, err, convoke.CodeConflict)
	_, err = w.Create(t.Context(), ann, home, Input{Name: "new", Type: convoke.SecretNumber, Value: convoke.NewSecret("5")})
	wantCode(t, err, "")
	w.reads(t, "new", "5")
	_, err = w.Reveal(t.Context(), other, "key")
	wantCode(t, err, convoke.CodeNotFound)

	wantCode(t, w.Remove(t.Context(), other, "key"), convoke.CodeNotFound)
	wantCode(t, w.Remove(t.Context(), home, "key"), "")
	_, err = w.Reveal(t.Context(), home, "key")
	wantCode(t, err, convoke.CodeNotFound)
}

func TestRefused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, in := range []Input{
		{Name: "a b", Value: convoke.NewSecret("x")},
		{Name: "a"},
		{Name: "a", Type: "Text", Value: convoke.NewSecret("x")},
		{Name: "LIVEPERSON_DEFAULT_X", Value: convoke.NewSecret("x")},
		{Name: "lp-faas-default-app-key", Value: convoke.NewSecret("x")},
	} {
		_, err := w.Set(t.Context(), ann, home, in)
		wantCode(t, err, convoke.CodeValidation)
		_, err = w.Create(t.Context(), ann, home, in)
		wantCode(t, err, convoke.CodeValidation)
	}
	wantCode(t, w.Remove(t.Context(), home, "LIVEPERSON_DEFAULT_X"), convoke.CodeValidation)
	for n := range 5 {
		w.set(t, fmt.Sprint(n), value)
	}
	_, err := w.Set(t.Context(), ann, home, Input{Name: "sixth", Value: convoke.NewSecret("x")})
	wantCode(t, err, convoke.CodeLimitExceeded)
	w.set(t, "1", "a sixth change of five")
	_, err = w.Set(t.Context(), ann, "999", Input{Name: "x", Value: convoke.NewSecret("x")})
	wantCode(t, err, convoke.CodeNotFound)
}

func TestSystemSecrets(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.set(t, "own", value)
	const key = "LIVEPERSON_DEFAULT_APP_KEY"
	for range 2 {
		if _, err := w.Provision(t.Context(), home, Input{Name: key, Type: convoke.SecretJSON, Value: convoke.NewSecret(`{}`)}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.Provision(t.Context(), home, Input{Name: "own", Value: convoke.NewSecret("x")})
	wantCode(t, err, convoke.CodeValidation)
	w.reads(t, key, "{}")
	for system, want := range map[bool][]string{false: {"own"}, true: {key, "own"}} {
		all, _, err := w.store.PageSecrets(t.Context(), home, system, convoke.Page{})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range all {
			names = append(names, e.Name)
		}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("system %t (-want +got):\n%s", system, diff)
		}
	}
}

// TestNothingLeaks looks for values in every file of the data directory, while
// it is in use and after, and in the log.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.set(t, "key", value)
	w.set(t, "key", value+"2")
	w.set(t, "broken", value)
	w.change(t, "broken", func(e *convoke.StoredSecret) { e.Sealed[40] ^= 1 })
	if _, err := w.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	looked := map[string]bool{}
	look := func() {
		t.Helper()
		err := filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			looked[d.Name()] = len(text) > 0
			if bytes.Contains(text, []byte(value)) {
				t.Errorf("%s holds the value", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	look()
	if !looked["convoke.db-wal"] || !looked["master.json"] {
		t.Errorf("looked at %v, which is not all", looked)
	}
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	look()
	if !looked["convoke.db"] {
		t.Errorf("looked at %v, which is not all", looked)
	}
	if text := w.log.String(); strings.Contains(text, value) || !strings.Contains(text, "secret=broken") {
		t.Errorf("the log is:\n%s", text)
	}
	e := convoke.StoredSecret{}
	if text := fmt.Sprintf("%+v %#v", Input{Value: convoke.NewSecret(value)}, e); strings.Contains(text, value) {
		t.Errorf("printed: %s", text)
	}
}

// change tampers with a row.
func (w *world) change(t *testing.T, name string, change func(e *convoke.StoredSecret)) {
	t.Helper()
	w.move(t, name, home, name, change)
}

// move copies a row as it is to another place.
func (w *world) move(t *testing.T, name, account, to string, change func(e *convoke.StoredSecret)) {
	t.Helper()
	e, err := w.store.FindSecret(t.Context(), home, name)
	if err != nil {
		t.Fatal(err)
	}
	change(e)
	err = w.store.PutSecret(t.Context(), account, to, 0, func(*convoke.StoredSecret) (*convoke.StoredSecret, error) { return e, nil })
	if err != nil {
		t.Fatal(err)
	}
}

func TestTamperedRowsDoNotOpen(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.set(t, "key", value)
	for name, change := range map[string]func(e *convoke.StoredSecret){
		"first bit":   func(e *convoke.StoredSecret) { e.Sealed[0] ^= 1 },
		"middle bit":  func(e *convoke.StoredSecret) { e.Sealed[len(e.Sealed)/2] ^= 1 },
		"last bit":    func(e *convoke.StoredSecret) { e.Sealed[len(e.Sealed)-1] ^= 1 },
		"cut":         func(e *convoke.StoredSecret) { e.Sealed = e.Sealed[:len(e.Sealed)-1] },
		"empty":       func(e *convoke.StoredSecret) { e.Sealed = nil },
		"longer":      func(e *convoke.StoredSecret) { e.Sealed = append(e.Sealed, 0) },
		"version":     func(e *convoke.StoredSecret) { e.Version++ },
		"unknown key": func(e *convoke.StoredSecret) { e.KeyID++ },
	} {
		t.Run(name, func(t *testing.T) {
			w.change(t, "key", change)
			w.unreadable(t, home, "key")
			w.set(t, "key", value) // setting it anew repairs it
			w.reads(t, "key", value)
		})
	}
}

func TestMovedRowsDoNotOpen(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.set(t, "key", value)
	asIs := func(*convoke.StoredSecret) {}
	w.move(t, "key", other, "key", asIs)
	w.unreadable(t, other, "key")
	w.move(t, "key", home, "key2", asIs)
	w.unreadable(t, home, "key2")

	old, err := w.store.FindSecret(t.Context(), home, "key")
	if err != nil {
		t.Fatal(err)
	}
	w.set(t, "key", "newer")
	w.change(t, "key", func(e *convoke.StoredSecret) { e.Sealed = old.Sealed })
	w.unreadable(t, home, "key")
}

func TestMasterKeyFile(t *testing.T) {
	t.Parallel()
	w := setup(t)
	path := filepath.Join(w.dir, "keys", keyFile)
	modes := map[string]fs.FileMode{path: 0o600, filepath.Dir(path): fs.ModeDir | 0o700}
	for name, want := range modes {
		info, err := os.Stat(name)
		if err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v, error %v; want %v", name, info.Mode(), err, want)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder has %v, error %v; want the key alone", entries, err)
	}

	// With nothing sealed, a new key is as good.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	w.restart(t)
	w.set(t, "key", value)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	another := setup(t)
	another.set(t, "key", value)
	wrong, err := os.ReadFile(filepath.Join(another.dir, "keys", keyFile))
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what, want string) {
		t.Helper()
		_, err := w.open(t)
		wantCode(t, err, convoke.CodeInvalid)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got error %v, want %q and the path in it", what, err, want)
		}
	}
	write := func(text []byte, mode fs.FileMode) {
		t.Helper()
		if err := errors.Join(os.WriteFile(path, text, mode), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
	}
	write(text, 0o640)
	refused("too open", "chmod 600")
	write(text[:len(text)/2], 0o600)
	refused("damaged", "damaged")
	write(bytes.Repeat([]byte(" "), maxKeyFile+1), 0o600)
	refused("too large", "damaged")
	write(wrong, 0o600)
	refused("another's", "not the master key that sealed 1 of the secrets")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	refused("missing", "is missing, and 1 secrets are sealed with it")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a server that refused to start left a key: %v", err)
	}
	write(text, 0o600)
	w.restart(t)
	w.reads(t, "key", value)
}

func TestRotate(t *testing.T) {
	t.Parallel()
	w := setup(t)
	many := convoke.DefaultLimits()
	many.SecretsPerAccount = 1000
	w.limits = func(string) convoke.Limits { return many }
	const count = 2*resealAtOnce + 7
	for n := range count {
		w.set(t, fmt.Sprint("key-", n), fmt.Sprint(value, n))
	}
	before := w.current().primary
	got, err := w.Rotate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := &Rotation{KeyID: w.current().primary, Resealed: count}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || got.KeyID == before {
		t.Errorf("rotation from %d (-want +got):\n%s", before, diff)
	}
	if w.current().has(before) {
		t.Error("the old key is kept although nothing is under it")
	}
	w.restart(t)
	for n := range count {
		w.reads(t, fmt.Sprint("key-", n), fmt.Sprint(value, n))
	}
	e, err := w.store.FindSecret(t.Context(), home, "key-1")
	if err != nil || e.Version != 1 || e.KeyID != got.KeyID {
		t.Errorf("after the rotation: %+v, error %v", e, err)
	}
}

// TestRotateWithUnreadable: what cannot be opened stops nothing and keeps the
// old key; once it is repaired the next rotation forgets it.
func TestRotateWithUnreadable(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.set(t, "a", value)
	w.set(t, "b", value)
	w.set(t, "c", value)
	old := w.current().primary
	w.change(t, "b", func(e *convoke.StoredSecret) { e.Sealed[9] ^= 1 })
	got, err := w.Rotate(t.Context())
	if err != nil || got.Resealed != 2 || len(got.Unreadable) != 1 || got.Unreadable[0].Name != "b" {
		t.Fatalf("got %+v, error %v", got, err)
	}
	w.restart(t)
	if !w.current().has(old) {
		t.Error("the old key is gone although a secret is under it")
	}
	w.reads(t, "a", value)
	w.reads(t, "c", value)
	w.unreadable(t, home, "b")
	w.set(t, "b", value)
	if err := w.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := w.current().handle.Len(); n != 1 {
		t.Errorf("%d keys are left, want the new one", n)
	}
	w.reads(t, "b", value)
}

// TestRotationIsInterrupted stops after each step that is kept.
func TestRotationIsInterrupted(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string]func(t *testing.T, w *world){
		"new key made": func(*testing.T, *world) {},
		"some sealed": func(t *testing.T, w *world) {
			page, err := w.store.ListSecretsToReseal(t.Context(), w.current().primary, nil, 1)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(sealAnew(page[0], w.current()), w.store.ResealSecrets(t.Context(), page)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			w.set(t, "a", value)
			w.set(t, "b", value)
			if err := w.replaceKeys((*keyring).grown); err != nil {
				t.Fatal(err)
			}
			steps(t, w)
			w.restart(t)
			w.reads(t, "a", value)
			w.reads(t, "b", value)
			for range 2 {
				if err := w.Recover(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if n := w.current().handle.Len(); n != 1 {
				t.Errorf("%d keys are left, want the new one", n)
			}
			w.restart(t)
			w.reads(t, "a", value)
			w.reads(t, "b", value)
		})
	}
}

// TestRotateWhileInUse sets and reads while the key changes.
func TestRotateWhileInUse(t *testing.T) {
	t.Parallel()
	w := setup(t)
	var busy sync.WaitGroup
	for n := range 4 {
		name := fmt.Sprint("key-", n)
		busy.Go(func() {
			for i := range 25 {
				want := fmt.Sprint(value, i)
				if _, err := w.Set(t.Context(), ann, home, Input{Name: name, Value: convoke.NewSecret(want)}); err != nil {
					t.Error(err)
				}
				w.reads(t, name, want)
			}
		})
	}
	for range 5 {
		if got, err := w.Rotate(t.Context()); err != nil || len(got.Unreadable) > 0 {
			t.Errorf("rotation: %+v, error %v", got, err)
		}
	}
	busy.Wait()
	w.restart(t)
	w.reads(t, "key-3", value+"24")
}
