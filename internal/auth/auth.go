// Package auth finds out who makes a request and what that one may do. It
// keeps no user session and no secret: of a token it knows the SHA-256 only.
//
// The hot path costs one hash and one look into a bounded map; the store is
// asked at most twice a minute for a token. A token that this process revokes
// is refused from that moment; one that another process revokes, at the latest
// after Config.TTL.
package auth

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"

	"convoke"
)

// Prefix starts every token, so that scanners of source code find leaked ones.
const Prefix = "cvk_"

const (
	randomBytes = 32
	tokenLength = len(Prefix) + 43 // base64url of the random bytes, unpadded
	// refusedTTL is how long a wrong token is refused without asking the store.
	refusedTTL = 10 * time.Second
	// refusedMax bounds what a flood of wrong tokens can occupy.
	refusedMax = 1024
	touchEvery = time.Minute
	maxName    = 100
)

// Config wires Auth.
type Config struct {
	Tokens convoke.TokenStore // required
	Logger *slog.Logger       // required
	// JWT judges the tokens of the authorization server; nil refuses them.
	JWT Verifier
	// TTL is how long an answer of the store is believed; 0 is 30 s.
	TTL time.Duration
	// CacheSize is how many tokens are remembered; 0 is 10,000.
	CacheSize int
}

// Auth authenticates bearer tokens. Run must run beside it.
type Auth struct {
	tokens  convoke.TokenStore
	jwt     Verifier
	log     *slog.Logger
	ttl     time.Duration
	known   *lru.Cache[hash, *entry]
	refused *lru.Cache[hash, time.Time] // until when
	touches chan touch

	mu sync.Mutex
	// revocations counts the calls of Revoke: an answer that the store gave
	// before one of them must not be remembered after it.
	revocations uint64
}

type hash = [sha256.Size]byte

type entry struct {
	token     *convoke.Token
	principal *convoke.Principal // shared by all requests: nobody changes it
	until     time.Time
	touched   atomic.Int64 // Unix milliseconds of the last recorded use
}

type touch struct {
	tokenID string
	at      time.Time
}

// New makes an Auth.
func New(c Config) (*Auth, error) {
	if c.Tokens == nil || c.Logger == nil {
		return nil, convoke.Errorf(convoke.CodeInternal, "auth.New needs a token store and a logger")
	}
	known, err := lru.New[hash, *entry](cmp.Or(c.CacheSize, 10_000))
	if err != nil {
		return nil, err
	}
	refused, err := lru.New[hash, time.Time](refusedMax)
	if err != nil {
		return nil, err
	}
	return &Auth{
		tokens: c.Tokens, jwt: c.JWT, log: c.Logger, ttl: cmp.Or(c.TTL, 30*time.Second),
		known: known, refused: refused, touches: make(chan touch, 256),
	}, nil
}

// Authenticate returns who makes r. It returns CodeUnauthorized when the
// request has no bearer token, or one that is unknown, expired or revoked, and
// the store's error when it cannot be asked. Tokens of the authorization server
// are Config.JWT's to judge. The principal must not be changed.
func (a *Auth) Authenticate(r *http.Request) (*convoke.Principal, error) {
	text, ok := bearer(r)
	if !ok {
		if token, ok := dpop(r); ok {
			return a.verify(r, token, true)
		}
		return nil, convoke.Errorf(convoke.CodeUnauthorized, "the request needs a header \"Authorization: Bearer <token>\"")
	}
	if len(text) != tokenLength || text[:len(Prefix)] != Prefix {
		return a.verify(r, text, false)
	}
	// Looking the hash up leaks nothing through timing: whoever does not have
	// the token cannot steer its hash towards a known one.
	var raw [tokenLength]byte
	copy(raw[:], text)
	key := sha256.Sum256(raw[:])
	now := time.Now()
	e, ok := a.known.Get(key)
	if !ok || !now.Before(e.until) {
		var err error
		if e, err = a.find(r.Context(), key, now); err != nil {
			return nil, err
		}
	}
	if !e.token.Live(now) {
		return nil, errBadToken()
	}
	a.touch(e, now)
	return e.principal, nil
}

// errBadToken does not say what is wrong: that would help only a guesser.
func errBadToken() error {
	return convoke.Errorf(convoke.CodeUnauthorized, "the token is unknown, expired or revoked: ask an administrator of the account for a new one")
}

// bearer is the token of the Authorization header.
func bearer(r *http.Request) (string, bool) { return credential(r, "Bearer ") }

func credential(r *http.Request, scheme string) (string, bool) {
	v := r.Header["Authorization"]
	if len(v) != 1 || len(v[0]) <= len(scheme) || !strings.EqualFold(v[0][:len(scheme)], scheme) {
		return "", false
	}
	return v[0][len(scheme):], true
}

// find asks the store and remembers what it says.
func (a *Auth) find(ctx context.Context, key hash, now time.Time) (*entry, error) {
	if until, ok := a.refused.Get(key); ok && now.Before(until) {
		return nil, errBadToken()
	}
	a.mu.Lock()
	before := a.revocations
	a.mu.Unlock()
	t, err := a.tokens.FindTokenByHash(ctx, key[:])
	if convoke.ErrorCode(err) == convoke.CodeNotFound {
		a.known.Remove(key)
		a.refused.Add(key, now.Add(refusedTTL))
		return nil, errBadToken()
	}
	if err != nil {
		return nil, err
	}
	e := &entry{
		token:     t,
		principal: &convoke.Principal{AccountID: t.AccountID, ID: t.ID, Name: t.Name, Roles: t.Roles},
		until:     now.Add(a.ttl),
	}
	e.touched.Store(t.LastUsedAt.UnixMilli())
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.revocations == before {
		a.known.Add(key, e)
	}
	return e, nil
}

// touch records a use, at most once a minute for each token. It never waits:
// when the writer is behind, the use goes unrecorded.
func (a *Auth) touch(e *entry, now time.Time) {
	last := e.touched.Load()
	if now.UnixMilli()-last < touchEvery.Milliseconds() || !e.touched.CompareAndSwap(last, now.UnixMilli()) {
		return
	}
	select {
	case a.touches <- touch{e.token.ID, now}:
	default:
	}
}

// Run writes the last uses of tokens until ctx ends. It returns nil then.
func (a *Auth) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case t := <-a.touches:
			// Best effort: nothing but the token list shows it.
			if err := a.tokens.TouchToken(ctx, t.tokenID, t.at); err != nil {
				a.log.DebugContext(ctx, "last use of a token not recorded", "token", t.tokenID, "err", err)
			}
		}
	}
}

// Check returns CodeForbidden unless p belongs to the account and holds perm.
// The message for another account is the same whether that exists or not.
func Check(p *convoke.Principal, accountID string, perm convoke.Permission) error {
	if p == nil || p.AccountID != accountID {
		return convoke.Errorf(convoke.CodeForbidden, "the token is not for this account")
	}
	if !p.May(perm) {
		return convoke.Errorf(convoke.CodeForbidden, "the token may not do this: it lacks the permission %s", perm)
	}
	return nil
}

// Issue makes a token and stores its hash; its text is returned here and never
// again. A ttl of 0 never ends. It returns CodeValidation for a name, role or
// ttl that breaks a rule.
func (a *Auth) Issue(ctx context.Context, accountID, name string, roles []convoke.Role, ttl time.Duration, by string) (convoke.Secret, *convoke.Token, error) {
	if err := validate(accountID, name, roles, ttl); err != nil {
		return convoke.Secret{}, nil, err
	}
	var raw [randomBytes]byte
	rand.Read(raw[:]) // never fails
	text := Prefix + base64.RawURLEncoding.EncodeToString(raw[:])
	sum := sha256.Sum256([]byte(text))
	t := &convoke.Token{
		ID: uuid.NewString(), AccountID: accountID, Name: name, Hash: sum[:], Roles: slices.Clone(roles),
		CreatedAt: time.Now().UTC().Truncate(time.Millisecond), CreatedBy: by,
	}
	if ttl > 0 {
		t.ExpiresAt = t.CreatedAt.Add(ttl)
	}
	if err := a.tokens.CreateToken(ctx, t); err != nil {
		return convoke.Secret{}, nil, err
	}
	return convoke.NewSecret(text), t, nil
}

func validate(accountID, name string, roles []convoke.Role, ttl time.Duration) error {
	if err := convoke.ValidateAccountID(accountID); err != nil {
		return err
	}
	if n := len([]rune(name)); n == 0 || n > maxName {
		return convoke.Errorf(convoke.CodeValidation, "a token needs a name of 1 to %d characters, so that people know what it is for", maxName)
	}
	if len(roles) == 0 {
		return convoke.Errorf(convoke.CodeValidation, "a token needs at least one role: admin, developer or invoker")
	}
	for i, r := range roles {
		if _, err := convoke.ParseRole(string(r)); err != nil {
			return err
		}
		if slices.Contains(roles[:i], r) {
			return convoke.Errorf(convoke.CodeValidation, "role %s is listed twice", r)
		}
	}
	if ttl < 0 {
		return convoke.Errorf(convoke.CodeValidation, "a token cannot expire in the past")
	}
	return nil
}

// Revoke ends a token: this process refuses it once Revoke has returned. It
// returns CodeNotFound when the account has no such token.
func (a *Auth) Revoke(ctx context.Context, accountID, id string) error {
	if err := a.tokens.RevokeToken(ctx, accountID, id, time.Now().UTC()); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.revocations++
	for _, key := range a.known.Keys() {
		if e, ok := a.known.Peek(key); ok && e.token.ID == id {
			a.known.Remove(key)
		}
	}
	return nil
}

// List returns the account's tokens without their texts, which nobody has.
func (a *Auth) List(ctx context.Context, accountID string) ([]*convoke.Token, error) {
	return a.tokens.ListTokens(ctx, accountID)
}
