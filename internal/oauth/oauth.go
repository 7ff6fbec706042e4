// Package oauth is the authorization server: clients that administrators
// register, tokens for them and for users who agree, and the judge of those
// tokens. It speaks OAuth 2.0 with PKCE (RFC 6749, 7636, 8252, 9700), OpenID
// Connect as far as sign-in needs it, and DPoP (RFC 9449); on the reference's
// paths it answers in the forms that its clients expect (spec/api-surface.md
// 2.5, spec/platform.md 4.5).
//
// Access tokens are JWTs (RFC 9068), signed by ES256: to sign and to verify
// one takes a tenth of what RS256 takes, keys are made in microseconds, and
// the tokens are a third shorter, which every request pays for. Verified tokens
// are remembered by their hash, so the usual request costs one hash and one
// look into a bounded map; what can end a token early (its client, its grant,
// its user) is looked at again after Config.TTL, and at once where this process
// changed it.
package oauth

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"convoke"
)

// Store is what the server keeps.
type Store interface {
	convoke.ClientStore
	convoke.GrantStore
	PageGrants(ctx context.Context, accountID, userID string, at time.Time, p convoke.Page) ([]*convoke.Grant, convoke.Mark, error)
	FindAccount(ctx context.Context, id string) (*convoke.Account, error)
	AppendActivity(ctx context.Context, a *convoke.Activity) error
}

// People knows the users who sign in and agree.
type People interface {
	// Session returns the user who is signed in in the browser that sent r, or
	// CodeUnauthorized when nobody is.
	Session(r *http.Request) (*convoke.Principal, error)
	// Login checks a password and returns the cookies of a new session. It
	// returns CodeUnauthorized when user or password is wrong, and an error with
	// RetryAfter when there were too many attempts.
	Login(ctx context.Context, r *http.Request, accountID, user string, password convoke.Secret) ([]*http.Cookie, error)
	// SetPassword changes the password of a user whom Session returned. It
	// returns CodeValidation when the old one is wrong or the new one breaks a
	// rule, and an error with RetryAfter when there were too many attempts.
	SetPassword(ctx context.Context, r *http.Request, by *convoke.Principal, old, password convoke.Secret) error
	// ProviderPath is where people of an account sign in through an identity
	// provider and go on to next, a path of ours; "" when they cannot.
	ProviderPath(accountID, next string) string
	// Find returns a user with the present name and roles; CodeNotFound when
	// there is none, or one who may not sign in.
	Find(ctx context.Context, accountID, userID string) (*convoke.Principal, error)
}

// Config wires a Server.
type Config struct {
	Store Store // required
	Keys  *Keys // required
	// People is nil on a server where nobody can sign in: then there are tokens
	// for clients, and none for users.
	People People
	// Issuer is the server's name in tokens and the base of its addresses in the
	// discovery document: a URL without a path (RFC 8414, section 2).
	Issuer string       // required
	Logger *slog.Logger // required
	// TokenLifetime is that of access tokens; 0 is an hour, the least that the
	// public clients can live with.
	TokenLifetime time.Duration
	// TTL is how long a verified token is believed before its client, grant and
	// user are looked at again; 0 is 30 s.
	TTL time.Duration
	// MaxClients is how many clients an account may register, 0 for any number;
	// nil is 1000 for all.
	MaxClients func(accountID string) int
	// CacheSize is how many verified tokens are remembered; 0 is 10,000.
	CacheSize int
}

const (
	codeLifetime  = time.Minute
	grantLifetime = 90 * 24 * time.Hour
	// skew is by how much clocks of other machines may differ from ours.
	skew = 30 * time.Second
)

// Server is the authorization server. Run must run beside it.
type Server struct {
	store    Store
	keys     *Keys
	people   People
	issuer   string
	host     string // of the issuer
	log      *slog.Logger
	lifetime time.Duration
	ttl      time.Duration

	maxClients func(accountID string) int

	known  *lru.Cache[hash, *entry]
	proofs *replays
	limits limits
	origin *http.CrossOriginProtection

	mu sync.Mutex
	// ended counts the calls of forget: what the store said before one of them
	// must not be remembered after it.
	ended uint64
}

// New makes a Server. It returns CodeInternal when something is not wired and
// CodeValidation for an issuer that is no URL of a server.
func New(c Config) (*Server, error) {
	if c.Store == nil || c.Keys == nil || c.Logger == nil {
		return nil, convoke.Errorf(convoke.CodeInternal, "oauth.New needs a store, keys and a logger")
	}
	u, err := url.Parse(c.Issuer)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || c.Issuer != u.Scheme+"://"+u.Host {
		return nil, convoke.Errorf(convoke.CodeValidation, "%q is no issuer; it looks like https://sentinel.example.com, without a path or a final slash", c.Issuer)
	}
	known, err := lru.New[hash, *entry](cmp.Or(c.CacheSize, 10_000))
	if err != nil {
		return nil, err
	}
	s := &Server{
		store: c.Store, keys: c.Keys, people: c.People, issuer: c.Issuer, host: strings.ToLower(u.Host), log: c.Logger,
		lifetime: cmp.Or(c.TokenLifetime, time.Hour), ttl: cmp.Or(c.TTL, 30*time.Second),
		known: known, proofs: &replays{}, origin: http.NewCrossOriginProtection(),
	}
	if s.maxClients = c.MaxClients; s.maxClients == nil {
		s.maxClients = func(string) int { return convoke.DefaultLimits().ClientsPerAccount }
	}
	if s.limits, err = newLimits(); err != nil {
		return nil, err
	}
	return s, nil
}

// Run looks after keys and old grants until ctx ends. It returns nil then.
func (s *Server) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		// Nobody waits for either: what fails is tried again in an hour, long
		// before a key or a grant is missed.
		if err := s.keys.Rotate(); err != nil {
			s.log.ErrorContext(ctx, "signing keys cannot be replaced; the present one stays", "err", err)
		}
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "old grants cannot be removed", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// sweep removes grants that have expired, a few at a time so that others can
// write in between.
func (s *Server) sweep(ctx context.Context) error {
	const batch = 500
	for {
		n, err := s.store.DeleteGrantsBefore(ctx, time.Now(), batch)
		if err != nil || n < batch {
			return err
		}
	}
}
