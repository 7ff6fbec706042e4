package oauth

import (
	"crypto/ecdsa"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"convoke"
)

func openKeys(t *testing.T, dir string) *Keys {
	t.Helper()
	k, err := OpenKeys(KeysConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func ids(k *Keys) (out []string) {
	for _, each := range k.set.Load().keys {
		out = append(out, each.id)
	}
	return out
}

// TestKeyRotation walks through two months: the next key is published before
// it signs, and the last one until its tokens have expired.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const day = 24 * time.Hour
		dir := t.TempDir()
		k := openKeys(t, dir)
		first := ids(k)[0]
		start := time.Now()
		check := func(what string, at time.Duration, signs int, published ...string) {
			t.Helper()
			time.Sleep(time.Until(start.Add(at)))
			if err := k.Rotate(); err != nil {
				t.Fatal(err)
			}
			got := ids(k)
			for i, id := range published {
				if id != "new" && (i >= len(got) || got[i] != id) {
					t.Fatalf("%s: keys %v, want %v", what, got, published)
				}
			}
			if len(got) != len(published) || k.current(time.Now()).id != got[signs] {
				t.Fatalf("%s: keys %v, signs %s; want %v, number %d", what, got, k.current(time.Now()).id, published, signs)
			}
			if diff := cmp.Diff(got, ids(openKeys(t, dir))); diff != "" {
				t.Fatalf("%s: the file has other keys (-want +got):\n%s", what, diff)
			}
		}
		check("at once", 0, 0, first)
		check("before the next", 29*day-time.Second, 0, first)
		check("the next is published", 29*day, 0, first, "new")
		second := ids(k)[1]
		check("before it signs", 30*day-time.Second, 0, first, second)
		check("it signs", 30*day, 1, first, second)
		check("old tokens live", 30*day+time.Hour, 1, first, second)
		check("they have expired", 30*day+time.Hour+2*skew, 0, second)
		// Off for half a year: the old key signs on until the new one was published for a day.
		check("back again", 200*day, 0, second, "new")
		third := ids(k)[1]
		check("a day later", 201*day, 1, second, third)
	})
}

// TestTokensOutliveTheirKey issues a token at a key's last moment.
func TestTokensOutliveTheirKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		id, secret := w.client(t, nil)
		time.Sleep(29 * 24 * time.Hour)
		if err := w.server.keys.Rotate(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24*time.Hour - time.Second)
		old := w.token(t, id, secret)
		time.Sleep(59 * time.Minute)
		if err := w.server.keys.Rotate(); err != nil {
			t.Fatal(err)
		}
		fresh := w.token(t, id, secret)
		oldHead, _ := claimsOf(t, old)
		freshHead, _ := claimsOf(t, fresh)
		if oldHead["kid"] == freshHead["kid"] {
			t.Fatal("the key was not replaced")
		}
		w.wantMe(t, old, 200)
		w.wantMe(t, fresh, 200)
		time.Sleep(time.Minute)
		w.wantMe(t, old, 401)
		w.wantMe(t, fresh, 200)
	})
}

func TestKeySetIsPublic(t *testing.T) {
	t.Parallel()
	w := setup(t)
	res := w.do(t, httptest.NewRequest("GET", "/.well-known/jwks.json", nil))
	for _, private := range []string{`"d"`, `"p"`, `"q"`, `"k"`, `"dp"`, "form"} {
		if strings.Contains(res.body, private) {
			t.Errorf("the key set holds %s: %s", private, res.body)
		}
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(res.body), &set); err != nil || len(set.Keys) != 1 {
		t.Fatal(res.body, err)
	}
	key := set.Keys[0]
	if _, ok := key.Key.(*ecdsa.PublicKey); !ok || key.Use != "sig" || key.Algorithm != "ES256" || key.KeyID != ids(w.server.keys)[0] {
		t.Errorf("key %+v", key)
	}
	id, secret := w.client(t, nil)
	signed, err := jose.ParseSignedCompact(w.token(t, id, secret), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signed.Verify(set); err != nil { // as any other program would
		t.Error(err)
	}
	if cc := res.header.Get("Cache-Control"); cc != "public, max-age=3600" {
		t.Errorf("Cache-Control %q", cc)
	}
	again := httptest.NewRequest("GET", "/.well-known/jwks.json", nil)
	again.Header.Set("If-None-Match", res.header.Get("ETag"))
	if res := w.do(t, again); res.status != 304 || res.body != "" {
		t.Errorf("the same set: %d %q", res.status, res.body)
	}
}

func TestKeyFileIsGuarded(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	openKeys(t, dir)
	path := filepath.Join(dir, fileName)
	for path, want := range map[string]os.FileMode{dir: 0o700, path: 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v (%v)", path, info.Mode().Perm(), want, err)
		}
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what, says string) {
		t.Helper()
		_, err := OpenKeys(KeysConfig{Dir: dir})
		if convoke.ErrorCode(err) != convoke.CodeInvalid || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want CodeInvalid and %q", what, err, says)
		}
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	refused("readable by others", "chmod 600")
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"empty": "", "cut": string(good[:len(good)/2]), "no keys": `{"form":"` + strings.Repeat("A", 44) + `","keys":[]}`,
		"no form": strings.Replace(string(good), `"form"`, `"other"`, 1), "public key": strings.Replace(string(good), `"d"`, `"e"`, 1),
		"no id": strings.Replace(string(good), `"kid"`, `"x"`, 1), "huge": strings.Repeat(" ", maxKeyFile+1),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if what == "huge" {
			refused(what, "too large")
		} else {
			refused(what, "damaged")
		}
	}
	if after, _ := os.ReadDir(dir); len(after) != 1 {
		t.Errorf("temporary files are left: %v", after)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKeys(KeysConfig{Dir: file}); convoke.ErrorCode(err) != convoke.CodeInvalid {
		t.Errorf("a file as folder: %v", err)
	}
}
