package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"convoke"
)

// DefaultURL is where client commands look for a server that nobody named.
const DefaultURL = "http://127.0.0.1:8080"

// Profile is how client commands reach a server.
type Profile struct {
	URL     string
	Account string
	Token   convoke.Secret
	// Refresh brings the next Token before Expires, for a sign-in through a
	// browser; zero for others.
	Refresh convoke.Secret
	Expires time.Time
}

// profileFile is the profile on disk: the only place where a token is written out.
type profileFile struct {
	URL     string `yaml:"url"`
	Account string `yaml:"account"`
	Token   string `yaml:"token"`
	Refresh string `yaml:"refreshToken,omitempty"`
	Expires string `yaml:"expiresAt,omitempty"` // RFC 3339
}

// ProfilePath is where client commands keep their profile: below
// XDG_CONFIG_HOME of environ, or the user's own configuration folder.
func ProfilePath(environ map[string]string) (string, error) {
	dir := environ["XDG_CONFIG_HOME"]
	if dir == "" {
		var err error
		if dir, err = os.UserConfigDir(); err != nil {
			return "", fmt.Errorf("no folder for the profile: %w", err)
		}
	}
	return filepath.Join(dir, "convoke", "profile.yaml"), nil
}

// ResolveProfile is what a client command uses: member by member the first of
// given (flags), CONVOKE_URL, CONVOKE_ACCOUNT and CONVOKE_TOKEN of environ, the
// profile at path, and the default. The profile's account and token go to the
// profile's own server only: a token must not be sent to another one.
func ResolveProfile(given Profile, environ map[string]string, path string) (Profile, error) {
	p := Profile{
		URL:     strings.TrimRight(cmp.Or(given.URL, environ["CONVOKE_URL"]), "/"),
		Account: cmp.Or(given.Account, environ["CONVOKE_ACCOUNT"]),
		Token:   given.Token,
	}
	if p.Token.IsZero() {
		p.Token = convoke.NewSecret(environ["CONVOKE_TOKEN"])
	}
	if p.URL == "" || p.Account == "" || p.Token.IsZero() {
		saved, err := LoadProfile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Profile{}, err
		}
		p.URL = cmp.Or(p.URL, saved.URL, DefaultURL)
		if p.URL == saved.URL {
			p.Account = cmp.Or(p.Account, saved.Account)
			if p.Token.IsZero() && p.Account == saved.Account {
				p.Token, p.Refresh, p.Expires = saved.Token, saved.Refresh, saved.Expires
			}
		}
	}
	p.Account = cmp.Or(p.Account, convoke.DefaultAccountID)
	return p, nil
}

// LoadProfile reads the profile at path. The error is fs.ErrNotExist when
// there is none, and CodeValidation when others could read it or it is broken.
func LoadProfile(path string) (Profile, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Profile{}, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return Profile{}, convoke.Errorf(convoke.CodeValidation, "%s holds a token and can be read by others (mode %04o); run: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	text, err := readBounded(path)
	if err != nil {
		return Profile{}, err
	}
	var f profileFile
	if err := yaml.Load(text, &f, yaml.WithKnownFields()); err != nil {
		// The parser's own message could quote the token.
		return Profile{}, convoke.Errorf(convoke.CodeValidation, "%s is no profile: it holds url, account and token", path)
	}
	p := Profile{URL: strings.TrimRight(f.URL, "/"), Account: f.Account, Token: convoke.NewSecret(f.Token), Refresh: convoke.NewSecret(f.Refresh)}
	if f.Expires != "" {
		if p.Expires, err = time.Parse(time.RFC3339, f.Expires); err != nil {
			return Profile{}, convoke.Errorf(convoke.CodeValidation, "%s is no profile: expiresAt is no time", path)
		}
	}
	return p, nil
}

// SaveProfile writes p to path, readable by its owner only, in one step: a
// reader sees the old profile or the new one.
func SaveProfile(path string, p Profile) error {
	f := profileFile{URL: p.URL, Account: p.Account, Token: p.Token.Reveal(), Refresh: p.Refresh.Reveal()}
	if !p.Expires.IsZero() {
		f.Expires = p.Expires.UTC().Format(time.RFC3339)
	}
	text, err := yaml.Dump(f)
	if err != nil {
		return fmt.Errorf("write profile: %w", err)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("write profile: %w", err)
	}
	tmp, err := os.CreateTemp(dir, ".profile-*") // with mode 0600
	if err != nil {
		return fmt.Errorf("write profile: %w", err)
	}
	defer os.Remove(tmp.Name()) // fails once it has been renamed, as it should
	_, err = tmp.Write(text)
	if err == nil {
		err = tmp.Sync()
	}
	if err := errors.Join(err, tmp.Close()); err != nil {
		return fmt.Errorf("write profile: %w", err)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("write profile: %w", err)
	}
	return nil
}
