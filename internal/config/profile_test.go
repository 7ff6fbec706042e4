package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"convoke"
)

var saved = Profile{URL: "http://saved:1", Account: "42", Token: convoke.NewSecret("saved-token")}

func TestProfileThereAndBack(t *testing.T) {
	t.Parallel()
	path, err := ProfilePath(map[string]string{"XDG_CONFIG_HOME": t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LoadProfile(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before: got %v, want ErrNotExist", err)
	}
	for range 2 { // the second replaces the first
		if err := SaveProfile(path, saved); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode: got %04o, want 0600", got)
	}
	got, err := LoadProfile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(saved, got, cmp.AllowUnexported(convoke.Secret{})); diff != "" {
		t.Errorf("(-saved +loaded):\n%s", diff)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("left over: %v", entries)
	}
}

func TestProfileRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "p.yaml")
	if err := SaveProfile(path, saved); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o644, 0o660} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadProfile(path); convoke.ErrorCode(err) != convoke.CodeValidation || !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("mode %04o: got %v, want a refusal that says chmod 600", mode, err)
		}
		if _, err := ResolveProfile(Profile{}, nil, path); err == nil {
			t.Errorf("mode %04o: resolved with an open profile", mode)
		}
	}
	broken := filepath.Join(t.TempDir(), "b.yaml")
	if err := os.WriteFile(broken, []byte("url: x\ntoken: [sec-ret]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadProfile(broken); err == nil || strings.Contains(err.Error(), "sec-ret") {
		t.Errorf("broken: got %v, want an error without the token", err)
	}
}

func TestResolveProfile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "p.yaml")
	if err := SaveProfile(path, saved); err != nil {
		t.Fatal(err)
	}
	secret := convoke.NewSecret
	for name, tt := range map[string]struct {
		given Profile
		env   map[string]string
		path  string
		want  Profile
	}{
		"nothing":          {path: path + ".none", want: Profile{URL: DefaultURL, Account: convoke.DefaultAccountID}},
		"profile":          {path: path, want: saved},
		"environment":      {env: map[string]string{"CONVOKE_TOKEN": "env", "CONVOKE_ACCOUNT": "7"}, path: path, want: Profile{URL: "http://saved:1", Account: "7", Token: secret("env")}},
		"flags":            {given: Profile{URL: "http://flag:3/", Account: "9", Token: secret("flag")}, env: map[string]string{"CONVOKE_URL": "http://env:2", "CONVOKE_TOKEN": "env"}, path: path, want: Profile{URL: "http://flag:3", Account: "9", Token: secret("flag")}},
		"same server":      {given: Profile{URL: "http://saved:1/"}, path: path, want: saved},
		"another server":   {given: Profile{URL: "http://evil:1"}, path: path, want: Profile{URL: "http://evil:1", Account: convoke.DefaultAccountID}},
		"another by env":   {env: map[string]string{"CONVOKE_URL": "http://evil:1"}, path: path, want: Profile{URL: "http://evil:1", Account: convoke.DefaultAccountID}},
		"another account":  {given: Profile{Account: "9"}, path: path, want: Profile{URL: "http://saved:1", Account: "9"}},
		"all, file broken": {given: Profile{URL: "http://a", Account: "1", Token: secret("t")}, path: t.TempDir(), want: Profile{URL: "http://a", Account: "1", Token: secret("t")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ResolveProfile(tt.given, tt.env, tt.path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(convoke.Secret{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
