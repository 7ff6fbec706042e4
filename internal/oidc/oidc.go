// Package oidc signs people in through an OpenID Connect provider: it sends
// their browser there and turns what it brings back into who they are. What
// becomes of them in their account is internal/account's to decide.
//
// The way is the authorization code with PKCE (RFC 7636), state and nonce.
package oidc

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"convoke"
)

// CallbackPath is where the provider sends browsers back to.
const CallbackPath = "/auth/oidc/callback"

const (
	// flightCookie carries what Finish must find again, in the browser that
	// began. A signature would not help against who can plant one, for he could
	// plant one of a sign-in that he really began, and have somebody go on as
	// him. What helps is that browsers take a cookie whose name begins with
	// safePrefix from this very host over HTTPS only: not from another host of
	// the domain, and not from who answers in the server's place without TLS.
	flightCookie = "convoke_oidc"
	safePrefix   = "__Host-"
	flightTime   = 10 * time.Minute // to sign in at the provider
	flightBytes  = 3 << 10
	maxNext      = 1000 // bytes; with it the cookie stays below flightBytes
	// providerTime bounds each request to the provider.
	providerTime = 10 * time.Second
	// maxAnswer bounds what is read of an answer of the provider.
	maxAnswer = 1 << 20
	// maxSubject is how long OpenID Connect Core, section 2, lets one be.
	maxSubject = 255
	// pauseTime is how long a provider that was away is not asked.
	pauseTime = 5 * time.Second
)

// Config of a Provider. Issuer, ClientID and URL must be given.
type Config struct {
	Issuer       string // URL of the provider
	ClientID     string
	ClientSecret convoke.Secret // zero: a public client
	URL          string         // under which browsers reach this server
	// RoleClaim is the claim with a person's groups, with dots for members of
	// members: a list of texts, one text, or an object whose names they are.
	RoleClaim string
	// Roles says which group gives which role; empty: the provider decides
	// nothing about roles.
	Roles map[string]convoke.Role
	HTTP  *http.Client // nil: one with a time-out
}

// Provider is an OpenID Connect provider. Its methods may be called concurrently.
type Provider struct {
	config Config
	http   *http.Client

	mu     sync.Mutex
	found  *oidc.Provider // nil until the provider was reached
	failed error          // why it was not, the last time
	again  time.Time      // not to be asked before
}

// New makes a Provider. It asks nobody: a provider that is away when the
// server starts is looked for at each sign-in.
func New(c Config) *Provider {
	client := c.HTTP
	if client == nil {
		client = &http.Client{Timeout: providerTime}
	}
	c.URL = strings.TrimRight(c.URL, "/")
	bounded := *client
	bounded.Transport = bounds{cmp.Or(client.Transport, http.DefaultTransport)}
	return &Provider{config: c, http: &bounded}
}

// bounds lets no answer be longer than maxAnswer: the libraries read most of
// them to their end.
type bounds struct{ http.RoundTripper }

func (b bounds) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		res.Body = http.MaxBytesReader(nil, res.Body, maxAnswer)
	}
	return res, err
}

// Person is who signed in at the provider.
type Person struct {
	ID            string   // issuer and subject: never given to anybody else
	Names         []string // login names that the person may go by, the best first
	Roles         []convoke.Role
	RolesAreGiven bool   // the provider decides about roles
	Next          string // path of the page to go on to
}

// flight is a sign-in under way.
type flight struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	Next     string `json:"x"`
}

// Begin sends the browser to the provider. next is the path of a page of ours
// to go on to. It returns CodeUnavailable when the provider does not answer.
func (p *Provider) Begin(w http.ResponseWriter, r *http.Request, next string, secure bool) error {
	client, _, err := p.client(r.Context())
	if err != nil {
		return err
	}
	f := flight{State: random(), Nonce: random(), Verifier: oauth2.GenerateVerifier(), Next: localPath(next)}
	if err := p.depart(w, f, secure); err != nil {
		return err
	}
	http.Redirect(w, r, client.AuthCodeURL(f.State, oauth2.S256ChallengeOption(f.Verifier), oidc.Nonce(f.Nonce)), http.StatusFound)
	return nil
}

// depart has the browser keep f.
func (p *Provider) depart(w http.ResponseWriter, f flight, secure bool) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // it would make six bytes of each & of an address
	if err := enc.Encode(f); err != nil {
		return err
	}
	setFlight(w, base64.RawURLEncoding.EncodeToString(text.Bytes()), int(flightTime.Seconds()), secure)
	return nil
}

func setFlight(w http.ResponseWriter, value string, maxAge int, secure bool) {
	http.SetCookie(w, &http.Cookie{
		Name: flightName(secure), Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode, // Lax: it comes back from the provider's page
	})
}

// flightName is the cookie's name; without HTTPS browsers take none with the
// prefix.
func flightName(secure bool) string {
	if secure {
		return safePrefix + flightCookie
	}
	return flightCookie
}

func random() string {
	var raw [32]byte
	rand.Read(raw[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// LoginPath is where a browser begins to sign in and then goes on to next; false
// when next is no path of ours, or too long.
func LoginPath(next string) (string, bool) {
	return "/auth/oidc/login?next=" + url.QueryEscape(next), localPath(next) == next
}

// localPath keeps the sign-in from sending people to another site.
func localPath(next string) string {
	if len(next) > maxNext || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}

// Finish reads what the provider sent the browser back with. It returns
// CodeUnauthorized when that is not the end of a sign-in which this browser
// began, or the person or provider broke it off, and CodeUnavailable when the
// provider does not answer.
func (p *Provider) Finish(w http.ResponseWriter, r *http.Request, secure bool) (*Person, error) {
	f, err := readFlight(r, secure)
	setFlight(w, "", -1, secure) // it is used once
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	if subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(f.State)) != 1 {
		return nil, refused("this is not the sign-in that the browser began: start again", nil)
	}
	if reason := q.Get("error"); reason != "" {
		return nil, refused("the identity provider says: "+printable(cmp.Or(q.Get("error_description"), reason)), nil)
	}
	client, provider, err := p.client(r.Context())
	if err != nil {
		return nil, err
	}
	claims, err := p.exchange(r.Context(), client, provider, q.Get("code"), f)
	if err != nil {
		return nil, err
	}
	person := p.person(claims)
	person.Next = localPath(f.Next)
	return person, nil
}

func readFlight(r *http.Request, secure bool) (f flight, err error) {
	found := r.CookiesNamed(flightName(secure))
	if len(found) > 1 { // one of them was planted by another host of the domain
		return f, refused("this is not the sign-in that the browser began: start again", nil)
	}
	if len(found) == 0 || len(found[0].Value) > flightBytes {
		return f, refused("the sign-in took too long, or the browser keeps no cookies: start again", nil)
	}
	text, err := base64.RawURLEncoding.DecodeString(found[0].Value)
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	if err != nil || f.State == "" || f.Nonce == "" || f.Verifier == "" {
		return f, refused("this is not the sign-in that the browser began: start again", err)
	}
	return f, nil
}

func refused(message string, cause error) error {
	return &convoke.Error{Code: convoke.CodeUnauthorized, Message: message, Cause: cause}
}

// printable bounds words of somebody else.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
	return strings.ToValidUTF8(s[:min(len(s), 200)], "") // the cut may go through a character
}

// exchange trades the code for an ID token, checks it and returns its claims,
// with those that the provider tells only when it is asked.
func (p *Provider) exchange(ctx context.Context, client *oauth2.Config, provider *oidc.Provider, code string, f flight) (map[string]any, error) {
	ctx = oidc.ClientContext(ctx, p.http)
	token, err := client.Exchange(ctx, code, oauth2.VerifierOption(f.Verifier))
	if _, answered := errors.AsType[*oauth2.RetrieveError](err); answered {
		return nil, refused("the identity provider did not accept the sign-in: start again", err)
	}
	if err != nil {
		return nil, away(err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{ClientID: p.config.ClientID}).Verify(ctx, raw)
	if err != nil {
		return nil, refused("the identity provider's token is not good: start again", err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(f.Nonce)) != 1 {
		return nil, refused("this is not the sign-in that the browser began: start again", nil)
	}
	// Whoever has none would be the same person as all others without one.
	if id.Subject == "" || len(id.Subject) > maxSubject {
		return nil, refused("the identity provider's token names nobody", nil)
	}
	claims := map[string]any{}
	if provider.UserInfoEndpoint() != "" {
		info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
		if err != nil {
			return nil, away(err)
		}
		if info.Subject != id.Subject {
			return nil, refused("the identity provider tells of somebody else: start again", nil)
		}
		if err := info.Claims(&claims); err != nil {
			return nil, refused("the identity provider's answer cannot be understood", err)
		}
	}
	// What is signed goes before what is not.
	if err := id.Claims(&claims); err != nil {
		return nil, refused("the identity provider's token cannot be understood", err)
	}
	claims["iss"], claims["sub"] = id.Issuer, id.Subject
	return claims, nil
}

// client is ready once the provider was reached.
func (p *Provider) client(ctx context.Context) (*oauth2.Config, *oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found == nil {
		// Those who waited while it did not answer do not ask one by one.
		if time.Now().Before(p.again) {
			return nil, nil, p.failed
		}
		// The provider keeps the context for fetching keys later on.
		found, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.http), p.config.Issuer)
		if err != nil {
			p.failed, p.again = away(err), time.Now().Add(pauseTime)
			return nil, nil, p.failed
		}
		p.found = found
	}
	return &oauth2.Config{
		ClientID: p.config.ClientID, ClientSecret: p.config.ClientSecret.Reveal(), Endpoint: p.found.Endpoint(),
		RedirectURL: p.config.URL + CallbackPath, Scopes: []string{oidc.ScopeOpenID, "profile", "email"},
	}, p.found, nil
}

func away(err error) error {
	return &convoke.Error{Code: convoke.CodeUnavailable, Message: "the identity provider does not answer: try again in a moment", RetryAfter: pauseTime, Cause: err}
}

// person reads claims that were checked.
func (p *Provider) person(claims map[string]any) *Person {
	text := func(name string) string { s, _ := claims[name].(string); return s }
	out := &Person{ID: text("iss") + "|" + text("sub"), RolesAreGiven: len(p.config.Roles) > 0}
	names := []string{text("preferred_username")}
	if verified, _ := claims["email_verified"].(bool); verified {
		names = append(names, text("email"))
	}
	for _, n := range names {
		if convoke.ValidateLoginName(n) == nil && !slices.Contains(out.Names, n) {
			out.Names = append(out.Names, n)
		}
	}
	for _, group := range groups(claims, p.config.RoleClaim) {
		if r, ok := p.config.Roles[group]; ok && !slices.Contains(out.Roles, r) {
			out.Roles = append(out.Roles, r)
		}
	}
	return out
}

// groups are the texts in the claim at path. A claim whose own name has dots,
// as some providers make them, goes before the path.
func groups(claims map[string]any, path string) []string {
	value, ok := claims[path]
	if !ok {
		value = claims
		for name := range strings.SplitSeq(path, ".") {
			object, _ := value.(map[string]any)
			value = object[name]
		}
	}
	var out []string
	switch v := value.(type) {
	case string:
		out = strings.Fields(v)
	case []any:
		for _, item := range v {
			if s, ok := item.(string); ok {
				out = append(out, s)
			}
		}
	case map[string]any:
		for name := range v {
			out = append(out, name)
		}
		slices.Sort(out)
	}
	return out
}
