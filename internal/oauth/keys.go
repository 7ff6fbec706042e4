package oauth

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"convoke"
)

// alg signs access and id tokens; see the package comment.
const alg = jose.ES256

// KeysConfig says where keys are and how long they are used.
type KeysConfig struct {
	// Dir is the folder of the key file; it is created, for the owner only.
	Dir string // required
	// Rotate is how long a key signs; 0 is 30 days, less than an hour is an hour.
	Rotate time.Duration
	// Lifetime is the longest of the tokens that are signed: a key is kept so
	// much longer than it signs. 0 is an hour.
	Lifetime time.Duration
}

// Keys are the keys that sign tokens. A new one is published some time before
// it signs, so that whoever has remembered the key set knows it by then, and
// stays published until the last token that it signed has expired. The file
// has mode 0600; whoever reads it can make tokens for everything.
type Keys struct {
	path   string
	rotate time.Duration
	keep   time.Duration

	mu  sync.Mutex // one rotation at a time
	set atomic.Pointer[keySet]
}

// keySet is one state of the key file. It is never changed.
type keySet struct {
	keys      []*key // in order of from; never empty
	form      []byte // authenticates the forms of pages
	published []byte // the JSON Web Key Set
	etag      string
}

type key struct {
	id      string
	from    time.Time // when it begins to sign
	private *ecdsa.PrivateKey
	signer  jose.Signer // of access tokens
	idToken jose.Signer
}

// file is the key file.
type file struct {
	Form []byte    `json:"form"`
	Keys []fileKey `json:"keys"`
}

type fileKey struct {
	From time.Time       `json:"from"`
	Key  jose.JSONWebKey `json:"key"`
}

// fileName is the key file in its folder.
const fileName = "oauth.json"

// OpenKeys reads the key file, or writes one with a first key. It returns
// CodeInvalid for a file that others can read or that is damaged: with new keys
// in its place all tokens would be refused, which is for a person to decide.
func OpenKeys(c KeysConfig) (*Keys, error) {
	k := &Keys{
		path:   filepath.Join(c.Dir, fileName),
		rotate: max(cmp.Or(c.Rotate, 30*24*time.Hour), time.Hour),
		keep:   cmp.Or(c.Lifetime, time.Hour) + 2*skew,
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, unusable(k.path, err)
	}
	text, err := readPrivate(k.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return k, k.Rotate()
	case err != nil:
		return nil, err
	}
	set, err := parseKeys(text)
	if err != nil {
		return nil, &convoke.Error{Code: convoke.CodeInvalid, Cause: err,
			Message: fmt.Sprintf("%s is damaged; restore it from a backup, or remove it: tokens issued so far are refused then", k.path)}
	}
	k.set.Store(set)
	return k, nil
}

func unusable(path string, cause error) error {
	return &convoke.Error{Code: convoke.CodeInvalid, Cause: cause, Message: path + " cannot be used; name a data directory that this user may write"}
}

// maxKeyFile bounds the file; a key takes about 300 bytes.
const maxKeyFile = 1 << 20

func readPrivate(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, convoke.Errorf(convoke.CodeInvalid, "%s holds the keys that sign tokens and can be read by others (mode %04o); run: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	if info.Size() > maxKeyFile {
		return nil, convoke.Errorf(convoke.CodeInvalid, "%s is too large to be a key file", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, unusable(path, err)
	}
	return text, nil
}

func parseKeys(text []byte) (*keySet, error) {
	var f file
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, err
	}
	if len(f.Form) < sha256.Size || len(f.Keys) == 0 {
		return nil, errors.New("a part is missing")
	}
	var keys []*key
	for _, fk := range f.Keys {
		private, ok := fk.Key.Key.(*ecdsa.PrivateKey)
		if !ok || private.Curve != elliptic.P256() || fk.Key.KeyID == "" || fk.From.IsZero() {
			return nil, fmt.Errorf("key %q is not one of ours", fk.Key.KeyID)
		}
		keys = append(keys, &key{id: fk.Key.KeyID, from: fk.From, private: private})
	}
	return newKeySet(keys, f.Form)
}

func newKeySet(keys []*key, form []byte) (*keySet, error) {
	slices.SortFunc(keys, func(a, b *key) int { return a.from.Compare(b.from) })
	var public jose.JSONWebKeySet
	for _, k := range keys {
		signing := jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: k.private, KeyID: k.id}}
		var err1, err2 error
		k.signer, err1 = jose.NewSigner(signing, (&jose.SignerOptions{}).WithType(typeAccess))
		k.idToken, err2 = jose.NewSigner(signing, (&jose.SignerOptions{}).WithType("JWT"))
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		public.Keys = append(public.Keys, jose.JSONWebKey{Key: &k.private.PublicKey, KeyID: k.id, Algorithm: string(alg), Use: "sig"})
	}
	published, err := json.Marshal(public)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(published)
	return &keySet{keys: keys, form: form, published: published, etag: `"` + hex.EncodeToString(sum[:8]) + `"`}, nil
}

// Rotate makes the next key when its time has come and drops those that no
// valid token needs any more. It returns CodeInvalid when the file cannot be
// written; the present keys stay then.
func (k *Keys) Rotate() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now().UTC().Truncate(time.Second)
	var keys []*key
	form := make([]byte, sha256.Size)
	old := k.set.Load()
	if old == nil {
		rand.Read(form) // never fails
	} else {
		form = old.form
		for i, each := range old.keys {
			if i+1 == len(old.keys) || now.Before(old.keys[i+1].from.Add(k.keep)) {
				keys = append(keys, each)
			}
		}
	}
	if next, due := k.next(keys, now); due {
		made, err := newKey(next)
		if err != nil {
			return err
		}
		keys = append(keys, made)
	} else if len(keys) == len(old.keys) {
		return nil
	}
	set, err := newKeySet(keys, form)
	if err != nil {
		return err
	}
	if err := k.write(set); err != nil {
		return unusable(k.path, err)
	}
	k.set.Store(set)
	return nil
}

// next says when a key that has to be made now begins to sign: the first at
// once, others after the key set has been published with them for a while.
func (k *Keys) next(keys []*key, now time.Time) (from time.Time, due bool) {
	if len(keys) == 0 {
		return now, true
	}
	ahead := min(24*time.Hour, k.rotate/2)
	planned := keys[len(keys)-1].from.Add(k.rotate)
	if now.Before(planned.Add(-ahead)) {
		return time.Time{}, false
	}
	if soonest := now.Add(ahead); planned.Before(soonest) { // the server was off
		planned = soonest
	}
	return planned, true
}

func newKey(from time.Time) (*key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	var id [12]byte
	rand.Read(id[:]) // never fails
	return &key{id: base64.RawURLEncoding.EncodeToString(id[:]), from: from, private: private}, nil
}

// write replaces the file: a crash leaves the old one or the new one.
func (k *Keys) write(set *keySet) error {
	f := file{Form: set.form}
	for _, each := range set.keys {
		f.Keys = append(f.Keys, fileKey{each.from, jose.JSONWebKey{Key: each.private, KeyID: each.id, Algorithm: string(alg), Use: "sig"}})
	}
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Dir(k.path)
	tmp, err := os.CreateTemp(dir, ".oauth-*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails once it has been renamed, as it should
	_, err = tmp.Write(append(text, '\n'))
	if err == nil {
		err = tmp.Sync()
	}
	if err := errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), k.path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a rename durable where the system can.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// current is the key that signs at now.
func (k *Keys) current(now time.Time) *key {
	keys := k.set.Load().keys
	for _, each := range slices.Backward(keys) {
		if !now.Before(each.from) {
			return each
		}
	}
	return keys[0] // the clock was put back
}

// find is the published key with that id, nil when there is none.
func (k *Keys) find(id string) *key {
	for _, each := range k.set.Load().keys {
		if each.id == id {
			return each
		}
	}
	return nil
}
