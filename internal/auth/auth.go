// Package auth finds out who makes a request and what that one may do. A
// request brings a token, or the session of a user as a bearer token or as a
// cookie; of all three this package knows the SHA-256 only.
//
// The hot path costs one hash and one look into a bounded map; the store is
// asked at most twice a minute for a token or session. What this process
// revokes, ends or disables is refused from that moment; what another process
// does, at the latest after Config.TTL.
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
	// People keeps accounts, users and sessions; nil knows tokens only, and
	// takes every account for enabled.
	People People
	// SessionIdle ends a session that is not used for so long, SessionLifetime
	// any session; 0 is 8 h and 24 h.
	SessionIdle, SessionLifetime time.Duration
	// JWT judges the tokens of the authorization server; nil refuses them.
	JWT Verifier
	// TTL is how long an answer of the store is believed; 0 is 30 s.
	TTL time.Duration
	// CacheSize is how many tokens are remembered; 0 is 10,000.
	CacheSize int
}

// People is what sessions and the tokens of users need of the store.
type People interface {
	convoke.SessionStore
	FindAccount(ctx context.Context, id string) (*convoke.Account, error)
	FindUser(ctx context.Context, accountID, id string) (*convoke.User, error)
}

// Auth authenticates requests. Run must run beside it.
type Auth struct {
	tokens  convoke.TokenStore
	people  People
	jwt     Verifier
	log     *slog.Logger
	ttl     time.Duration
	idle    time.Duration
	life    time.Duration
	known   *lru.Cache[hash, *entry]
	refused *lru.Cache[hash, time.Time] // until when
	touches chan touch

	mu sync.Mutex
	// revocations counts the calls of forget: an answer that the store gave
	// before one of them must not be remembered after it.
	revocations uint64

	// forgotten is closed and replaced by forget.
	forgotten chan struct{}

	crossOrigin http.CrossOriginProtection
}

type hash = [sha256.Size]byte

// entry is a token or a session that the store knew.
type entry struct {
	principal *convoke.Principal // shared by all requests: nobody changes it
	tokenID   string             // "" for a session
	until     time.Time          // when to ask the store again
	expires   time.Time          // zero: never
	idle      time.Duration      // it ends when unused for so long; 0: never
	touched   atomic.Int64       // Unix milliseconds of the last recorded use
}

func (e *entry) live(now time.Time) bool {
	return (e.expires.IsZero() || now.Before(e.expires)) && (e.idle == 0 || now.UnixMilli()-e.touched.Load() < e.idle.Milliseconds())
}

type touch struct {
	of *entry
	at time.Time
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
		tokens: c.Tokens, people: c.People, jwt: c.JWT, log: c.Logger, ttl: cmp.Or(c.TTL, 30*time.Second),
		idle: cmp.Or(c.SessionIdle, 8*time.Hour), life: cmp.Or(c.SessionLifetime, 24*time.Hour),
		known: known, refused: refused, touches: make(chan touch, 256), forgotten: make(chan struct{}),
	}, nil
}

// Authenticate returns who makes r. It returns CodeUnauthorized when the
// request has neither bearer token nor session cookie, or one that is unknown,
// expired or revoked, or whose user or account is disabled; CodeForbidden when
// a browser's request with a cookie could be another site's doing; and the
// store's error when it cannot be asked. Tokens of the authorization server
// are Config.JWT's to judge. The principal must not be changed.
func (a *Auth) Authenticate(r *http.Request) (*convoke.Principal, error) {
	text, ok := bearer(r)
	if !ok {
		if token, ok := dpop(r); ok {
			return a.verify(r, token, true)
		}
		return a.authenticateCookie(r)
	}
	if len(text) != tokenLength || text[:len(Prefix)] != Prefix && text[:len(Prefix)] != sessionPrefix {
		return a.verify(r, text, false)
	}
	return a.lookup(r.Context(), text)
}

// lookup returns whose token, bearer or cookie text is; it has tokenLength.
func (a *Auth) lookup(ctx context.Context, text string) (*convoke.Principal, error) {
	now := time.Now()
	e, err := a.recall(ctx, text, now)
	if err != nil {
		return nil, err
	}
	a.touch(e, now)
	return e.principal, nil
}

// recall is lookup without a use.
func (a *Auth) recall(ctx context.Context, text string, now time.Time) (*entry, error) {
	// Looking the hash up leaks nothing through timing: whoever does not have
	// the token cannot steer its hash towards a known one.
	var raw [tokenLength]byte
	copy(raw[:], text)
	key := sha256.Sum256(raw[:])
	e, ok := a.known.Get(key)
	if !ok || !now.Before(e.until) {
		var err error
		if e, err = a.find(ctx, text[:len(Prefix)], key, now); err != nil {
			return nil, err
		}
	}
	if !e.live(now) {
		return nil, errBadToken()
	}
	return e, nil
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
func (a *Auth) find(ctx context.Context, prefix string, key hash, now time.Time) (*entry, error) {
	if until, ok := a.refused.Get(key); ok && now.Before(until) {
		return nil, errBadToken()
	}
	a.mu.Lock()
	before := a.revocations
	a.mu.Unlock()
	e, err := a.ask(ctx, prefix, key, now)
	if convoke.ErrorCode(err) == convoke.CodeNotFound {
		a.known.Remove(key)
		a.refused.Add(key, now.Add(refusedTTL))
		return nil, errBadToken()
	}
	if err != nil {
		return nil, err
	}
	e.until = now.Add(a.ttl)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.revocations == before {
		a.known.Add(key, e)
	}
	return e, nil
}

// ask makes an entry of what the store has; CodeNotFound when there is nothing
// that can be used now or, since what ended stays so, ever.
func (a *Auth) ask(ctx context.Context, prefix string, key hash, now time.Time) (*entry, error) {
	if prefix != Prefix {
		return a.askSession(ctx, key)
	}
	t, err := a.tokens.FindTokenByHash(ctx, key[:])
	if err != nil {
		return nil, err
	}
	if !t.Live(now) {
		return nil, errEnded
	}
	e := &entry{
		principal: &convoke.Principal{AccountID: t.AccountID, ID: t.ID, Name: t.Name, Roles: t.Roles, UserID: t.UserID},
		tokenID:   t.ID, expires: t.ExpiresAt,
	}
	e.touched.Store(t.LastUsedAt.UnixMilli())
	u, err := a.owner(ctx, t.AccountID, t.UserID)
	if err != nil {
		return nil, err
	}
	if u != nil { // a token can do no more than its user, who may have lost a role since
		e.principal.Roles = slices.DeleteFunc(slices.Clone(t.Roles), func(r convoke.Role) bool { return !convoke.MayGrant(u.Roles, r) })
	}
	return e, nil
}

var errEnded = convoke.Errorf(convoke.CodeNotFound, "it has ended")

// touch records a use, at most once a minute for each token. It never waits:
// when the writer is behind, the use goes unrecorded.
func (a *Auth) touch(e *entry, now time.Time) {
	last := e.touched.Load()
	if now.UnixMilli()-last < touchEvery.Milliseconds() || !e.touched.CompareAndSwap(last, now.UnixMilli()) {
		return
	}
	select {
	case a.touches <- touch{e, now}:
	default:
	}
}

// Run writes the last uses of tokens and sessions until ctx ends. It returns
// nil then.
func (a *Auth) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case t := <-a.touches:
			// Best effort: a list shows it, and the next minute's use makes up for it.
			if err := a.record(ctx, t); err != nil {
				a.log.DebugContext(ctx, "last use not recorded", "principal", t.of.principal.ID, "err", err)
			}
		}
	}
}

func (a *Auth) record(ctx context.Context, t touch) error {
	if t.of.tokenID == "" {
		return a.people.TouchSession(ctx, t.of.principal.SessionID, t.at)
	}
	return a.tokens.TouchToken(ctx, t.of.tokenID, t.at)
}

// CheckMember returns CodeForbidden unless p belongs to the account. The
// message for another account is the same whether that exists or not.
func CheckMember(p *convoke.Principal, accountID string) error {
	if p == nil || p.AccountID != accountID {
		return convoke.Errorf(convoke.CodeForbidden, "the token is not for this account")
	}
	return nil
}

// CheckPerson is CheckMember, and refuses OAuth clients: what a person may do
// for himself, such as making a token with his roles, is more than the scopes
// that he granted one.
func CheckPerson(p *convoke.Principal, accountID string) error {
	if err := CheckMember(p, accountID); err != nil {
		return err
	}
	if p.ClientID != "" {
		return convoke.Errorf(convoke.CodeForbidden, "an OAuth client may not do this, whatever its scopes: sign in, or use a token")
	}
	return nil
}

// Check returns CodeForbidden unless p belongs to the account, holds perm and
// does not have to change the password first.
func Check(p *convoke.Principal, accountID string, perm convoke.Permission) error {
	if err := CheckMember(p, accountID); err != nil {
		return err
	}
	if p.MustChangePassword {
		return convoke.Errorf(convoke.CodeForbidden, "the password was made up by somebody else: set a new one first, with POST /api/account/%s/users/me/password or `convoke user password`", accountID)
	}
	if !p.May(perm) {
		return convoke.Errorf(convoke.CodeForbidden, "the token may not do this: it lacks the permission %s", perm)
	}
	return nil
}

// Issue makes a token that belongs to the account, as IssueTo does.
func (a *Auth) Issue(ctx context.Context, accountID, name string, roles []convoke.Role, ttl time.Duration, by string) (convoke.Secret, *convoke.Token, error) {
	return a.IssueTo(ctx, accountID, "", name, roles, ttl, by)
}

// IssueTo makes a token of a user, or with userID "" of the account, and
// stores its hash; its text is returned here and never again. A ttl of 0 never
// ends. It returns CodeValidation for a name, role or ttl that breaks a rule.
func (a *Auth) IssueTo(ctx context.Context, accountID, userID, name string, roles []convoke.Role, ttl time.Duration, by string) (convoke.Secret, *convoke.Token, error) {
	if err := validate(accountID, name, roles, ttl); err != nil {
		return convoke.Secret{}, nil, err
	}
	text := random(Prefix)
	sum := sha256.Sum256([]byte(text))
	t := &convoke.Token{
		ID: uuid.NewString(), AccountID: accountID, UserID: userID, Name: name, Hash: sum[:], Roles: slices.Clone(roles),
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

// random is a new text that cannot be guessed, of tokenLength.
func random(prefix string) string {
	var raw [randomBytes]byte
	rand.Read(raw[:]) // never fails
	return prefix + base64.RawURLEncoding.EncodeToString(raw[:])
}

func validate(accountID, name string, roles []convoke.Role, ttl time.Duration) error {
	if err := convoke.ValidateAccountID(accountID); err != nil {
		return err
	}
	if n := len([]rune(name)); n == 0 || n > maxName {
		return convoke.Errorf(convoke.CodeValidation, "a token needs a name of 1 to %d characters, so that people know what it is for", maxName)
	}
	if err := convoke.ValidateRoles(accountID, roles); err != nil {
		return err
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
	a.forget(func(e *entry) bool { return e.tokenID == id })
	return nil
}

// forget makes the store be asked again for the entries that match.
func (a *Auth) forget(match func(*entry) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.revocations++
	a.refused.Purge() // who was refused may be let in now
	defer func() {    // when nothing of what ended is known any more
		close(a.forgotten)
		a.forgotten = make(chan struct{})
	}()
	for _, key := range a.known.Keys() {
		if e, ok := a.known.Peek(key); ok && match(e) {
			a.known.Remove(key)
		}
	}
}

// List returns the account's tokens without their texts, which nobody has.
func (a *Auth) List(ctx context.Context, accountID string) ([]*convoke.Token, error) {
	return a.tokens.ListTokens(ctx, accountID)
}
