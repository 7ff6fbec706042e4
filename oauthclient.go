package convoke

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Client is a program that an account's administrators registered with the
// authorization server (RFC 6749, section 2).
type Client struct {
	ID        string // UUID, the client_id
	AccountID string
	Name      string // unique within the account
	// Public clients run where a secret cannot be kept: in a browser or on
	// somebody's machine. They have none and prove themselves by PKCE.
	Public       bool
	Secrets      []ClientSecret // the newest first; a second one while it is being replaced
	GrantTypes   []GrantType
	Scopes       []Scope // the most that a token of this client can have
	RedirectURIs []string
	// InvocationsPerSecond is how many invocations it may begin, with all its
	// tokens, within what the account's clients may; 0 is no limit of its own.
	InvocationsPerSecond int
	Disabled             bool
	CreatedAt            time.Time
	CreatedBy            string
	UpdatedAt            time.Time
	UpdatedBy            string
	LastUsedAt           time.Time // zero: never; when it last got a token, to the minute
}

// ClientSecret is one secret of a client. Its text is 32 random bytes, which
// nobody can guess or look up in a list, so a plain SHA-256 keeps it as well
// as a slow hash would, and does not make every token cost one.
type ClientSecret struct {
	Hash      []byte    `json:"hash"`
	CreatedAt time.Time `json:"createdAt"`
	ExpiresAt time.Time `json:"expiresAt,omitzero"` // zero: never
}

// Live reports whether the secret may be used at now.
func (s *ClientSecret) Live(now time.Time) bool {
	return s.ExpiresAt.IsZero() || now.Before(s.ExpiresAt)
}

// GrantType is a way to get a token.
type GrantType string

const (
	// GrantClientCredentials is for programs that act for themselves.
	GrantClientCredentials GrantType = "client_credentials"
	// GrantAuthorizationCode is for programs that act for a user who agreed.
	// It includes refresh tokens.
	GrantAuthorizationCode GrantType = "authorization_code"
)

// GrantTypes lists the grant types that a client can have.
var GrantTypes = []GrantType{GrantClientCredentials, GrantAuthorizationCode}

// CommandLineID is the client_id of the command line, which every account has
// without anybody registering it. Nobody can change or remove it.
const CommandLineID = "convoke-cli"

// CommandLine is the command line as a client of an account: a native app
// (RFC 8252) that listens on a port of the user's own machine. It is on
// 127.0.0.1 by number: what localhost means is for each machine to say.
func CommandLine(accountID string) *Client {
	return &Client{
		ID: CommandLineID, AccountID: accountID, Name: "Convoke command line", Public: true,
		GrantTypes: []GrantType{GrantAuthorizationCode}, Scopes: []Scope{ScopeUser}, RedirectURIs: []string{"http://127.0.0.1/callback"},
	}
}

// Bounds of a client.
const (
	maxClientName   = 100 // characters
	maxRedirectURIs = 20
	maxRedirectURI  = 500 // bytes
)

// Validate returns CodeValidation for a client that breaks a rule: its name,
// what it may do, and where users are sent back to.
func (c *Client) Validate() error {
	if err := ValidateAccountID(c.AccountID); err != nil {
		return err
	}
	if n := utf8.RuneCountInString(c.Name); n == 0 || n > maxClientName || strings.TrimSpace(c.Name) != c.Name || strings.ContainsFunc(c.Name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return Errorf(CodeValidation, "a client needs a name of 1 to %d characters without control characters and outer spaces", maxClientName)
	}
	if err := c.validateGrants(); err != nil {
		return err
	}
	if len(c.Scopes) == 0 {
		return Errorf(CodeValidation, "a client needs at least one scope, such as %s", ScopeInvoke)
	}
	if c.InvocationsPerSecond < 0 || c.InvocationsPerSecond > maxAccountLimit {
		return Errorf(CodeValidation, "invocationsPerSecond is %d; it must be from 1 to %d, or 0 for no limit of its own", c.InvocationsPerSecond, maxAccountLimit)
	}
	for i, s := range c.Scopes {
		if _, err := ParseScope(string(s)); err != nil {
			return err
		}
		if slices.Contains(c.Scopes[:i], s) {
			return Errorf(CodeValidation, "scope %s is listed twice", s)
		}
	}
	return c.validateRedirects()
}

func (c *Client) validateGrants() error {
	if len(c.GrantTypes) == 0 {
		return Errorf(CodeValidation, "a client needs at least one grant type: %s or %s", GrantClientCredentials, GrantAuthorizationCode)
	}
	for i, g := range c.GrantTypes {
		if !slices.Contains(GrantTypes, g) {
			return Errorf(CodeValidation, "grant type %.100q does not exist; use %s or %s", string(g), GrantClientCredentials, GrantAuthorizationCode)
		}
		if slices.Contains(c.GrantTypes[:i], g) {
			return Errorf(CodeValidation, "grant type %s is listed twice", g)
		}
	}
	if c.Public && slices.Contains(c.GrantTypes, GrantClientCredentials) {
		return Errorf(CodeValidation, "a public client has no secret and so no %s; use %s", GrantClientCredentials, GrantAuthorizationCode)
	}
	return nil
}

func (c *Client) validateRedirects() error {
	code := slices.Contains(c.GrantTypes, GrantAuthorizationCode)
	switch {
	case code && len(c.RedirectURIs) == 0:
		return Errorf(CodeValidation, "a client with %s needs a redirect URI, to which users come back", GrantAuthorizationCode)
	case !code && len(c.RedirectURIs) > 0:
		return Errorf(CodeValidation, "a client without %s has no use for redirect URIs", GrantAuthorizationCode)
	case len(c.RedirectURIs) > maxRedirectURIs:
		return Errorf(CodeValidation, "a client has at most %d redirect URIs", maxRedirectURIs)
	}
	for i, uri := range c.RedirectURIs {
		if err := validateRedirectURI(uri); err != nil {
			return err
		}
		if slices.Contains(c.RedirectURIs[:i], uri) {
			return Errorf(CodeValidation, "redirect URI %s is listed twice", uri)
		}
	}
	return nil
}

// validateRedirectURI returns CodeValidation for a URI that could hand a code
// to somebody else (RFC 6749, section 3.1.2; RFC 8252, section 7).
func validateRedirectURI(text string) error {
	u, err := url.Parse(text)
	switch {
	case len(text) > maxRedirectURI:
		return Errorf(CodeValidation, "a redirect URI has at most %d bytes", maxRedirectURI)
	case err != nil || u.Scheme == "" || strings.ContainsAny(text, " \\*\"'<>") || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return Errorf(CodeValidation, "%q is no redirect URI; give an absolute one without wildcards, such as https://app.example.com/callback", text)
	case strings.Contains(text, "#") || u.User != nil:
		return Errorf(CodeValidation, "redirect URI %s must have no fragment and no user", text)
	}
	switch {
	case u.Scheme == "https" && u.Hostname() != "":
		return nil
	case u.Scheme == "http" && (u.Hostname() == "localhost" || isLoopback(u.Hostname())):
		return nil
	case strings.Contains(u.Scheme, ".") && u.Host == "" && strings.HasPrefix(text, u.Scheme+":/"):
		return nil // an app's own scheme, by the reversed domain name that it has
	}
	return Errorf(CodeValidation, "redirect URI %s must use https, http on the user's own machine (127.0.0.1), or an app's own scheme such as com.example.app:/callback", text)
}

// RedirectURI returns the registered URI that asked stands for, or false. It
// must be the same to the letter, but for the port of a loopback address, which
// an app gets from its system when it listens (RFC 8252, section 7.3). Without
// one the only registered URI is meant.
func (c *Client) RedirectURI(asked string) (string, bool) {
	if asked == "" {
		if len(c.RedirectURIs) != 1 {
			return "", false
		}
		return c.RedirectURIs[0], true
	}
	if slices.Contains(c.RedirectURIs, asked) {
		return asked, true
	}
	bare, ok := withoutLoopbackPort(asked)
	if !ok {
		return "", false
	}
	for _, uri := range c.RedirectURIs {
		if registered, ok := withoutLoopbackPort(uri); ok && registered == bare {
			return asked, true
		}
	}
	return "", false
}

// withoutLoopbackPort takes the port out of a URI with a loopback address; it
// reports false for any other URI.
func withoutLoopbackPort(text string) (string, bool) {
	rest, ok := strings.CutPrefix(text, "http://")
	if !ok || len(text) > maxRedirectURI || validateRedirectURI(text) != nil {
		return "", false
	}
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	host, port := authority, ""
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		host, port = authority[:i], authority[i+1:]
	}
	if strings.Trim(port, "0123456789") != "" || !isLoopback(strings.Trim(host, "[]")) {
		return "", false
	}
	return "http://" + host + path, true
}

// isLoopback reports whether host is one of the two addresses that RFC 8252
// names. Others lead there too, but nobody has to use them.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && (ip == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || ip == netip.IPv6Loopback())
}

// May reports whether the client can use g.
func (c *Client) May(g GrantType) bool { return slices.Contains(c.GrantTypes, g) }

// ClientStore keeps clients. Names are unique within an account, ids
// everywhere: a token request names the client only.
type ClientStore interface {
	// CreateClient adds c; CodeConflict when the name is taken.
	CreateClient(ctx context.Context, c *Client) error
	// FindClient returns CodeNotFound when there is none.
	FindClient(ctx context.Context, id string) (*Client, error)
	// ListClients returns an account's clients in order of name.
	ListClients(ctx context.Context, accountID string) ([]*Client, error)
	// UpdateClient stores what change makes of the client, unless it returns an
	// error, and returns the client. It returns CodeNotFound when the account
	// has no such client and CodeConflict when the new name is taken.
	UpdateClient(ctx context.Context, accountID, id string, change func(*Client) error) (*Client, error)
	// RemoveClient removes a client with all its grants; CodeNotFound when the
	// account has none.
	RemoveClient(ctx context.Context, accountID, id string) error
	// TouchClient records a use.
	TouchClient(ctx context.Context, id string, at time.Time) error
}
