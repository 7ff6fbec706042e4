package oauth

import (
	"context"
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json" // refuses a member that is there twice

	"convoke"
)

const (
	// typeAccess is the type of access tokens (RFC 9068, section 2.1): it keeps
	// id tokens, which the same keys sign, from being taken for one.
	typeAccess = "at+jwt"
	// maxToken bounds a token; ours, with every scope, has 1,300 bytes.
	maxToken = 2048
)

// claims are the claims of access tokens (RFC 9068, section 2.2).
type claims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  string   `json:"aud"`
	Expires   int64    `json:"exp"`
	NotBefore int64    `json:"nbf"`
	Issued    int64    `json:"iat"`
	ID        string   `json:"jti"`
	ClientID  string   `json:"client_id"`
	Scope     string   `json:"scope"`
	Account   string   `json:"account"`
	Grant     string   `json:"grant,omitempty"` // of a user
	Confirm   *confirm `json:"cnf,omitempty"`
}

// confirm binds a token to a DPoP key (RFC 9449, section 6.1).
type confirm struct {
	Thumbprint string `json:"jkt"`
}

func (c *claims) thumbprint() string {
	if c.Confirm == nil {
		return ""
	}
	return c.Confirm.Thumbprint
}

type hash = [sha256.Size]byte

// entry is a token whose signature and claims were found good.
type entry struct {
	claims    *claims
	expires   time.Time
	principal *convoke.Principal // shared by all requests: nobody changes it
	until     time.Time          // believed until then
}

// errToken does not say what is wrong: that would help only a guesser.
func errToken() error {
	return convoke.Errorf(convoke.CodeUnauthorized, "the access token is not one of ours, expired or revoked: get a new one from the token endpoint")
}

// Verify returns who r's access token was issued to. It returns
// CodeUnauthorized for a token that is not one of ours, expired, or whose
// client, grant or user has ended; for one bound to a DPoP key without a good
// proof by that key, and for one presented as DPoP that is not bound
// (RFC 9449, section 7.1); CodeThrottled when too many proofs are under way;
// and the store's error when it cannot be asked. The principal must not be changed.
func (s *Server) Verify(r *http.Request, token string, dpop bool) (*convoke.Principal, error) {
	e, err := s.recall(r.Context(), token)
	if err != nil {
		return nil, err
	}
	if bound := e.claims.thumbprint(); bound != "" || dpop {
		if err := s.checkBinding(r, token, bound, dpop); err != nil {
			return nil, err
		}
	}
	return e.principal, nil
}

// Still is Verify for a request that was let in and goes on: a proof by a DPoP
// key is good for one time, so it is not asked for again.
func (s *Server) Still(ctx context.Context, token string) (*convoke.Principal, error) {
	e, err := s.recall(ctx, token)
	if err != nil {
		return nil, err
	}
	return e.principal, nil
}

// recall returns what is known of a token, or finds it out.
func (s *Server) recall(ctx context.Context, token string) (*entry, error) {
	if len(token) > maxToken {
		return nil, errToken()
	}
	// Looking the hash up leaks nothing through timing: whoever does not have
	// the token cannot steer its hash towards a known one.
	var raw [maxToken]byte
	n := copy(raw[:], token)
	sum := sha256.Sum256(raw[:n])
	now := time.Now()
	e, ok := s.known.Get(sum)
	if !ok || !now.Before(e.until) {
		var err error
		if e, err = s.learn(ctx, sum, token, e, now); err != nil {
			return nil, err
		}
	}
	if !now.Before(e.expires) {
		return nil, errToken()
	}
	return e, nil
}

// checkBinding holds a bound token to a proof by its key.
func (s *Server) checkBinding(r *http.Request, token, bound string, dpop bool) error {
	switch {
	case bound == "":
		return convoke.Errorf(convoke.CodeUnauthorized, "the access token is not bound to a DPoP key: send it as \"Authorization: Bearer <token>\"")
	case !dpop:
		return convoke.Errorf(convoke.CodeUnauthorized, "the access token is bound to a DPoP key: send it as \"Authorization: DPoP <token>\" with a proof in the header DPoP")
	}
	p, err := s.prove(r, token, bound)
	if err == nil && p == nil {
		err = badProof("there is none; send one in the header DPoP")
	}
	return refusedProof(err)
}

// learn verifies a token, or looks at a known one again, and remembers it.
func (s *Server) learn(ctx context.Context, sum hash, token string, known *entry, now time.Time) (*entry, error) {
	var c *claims
	if known != nil {
		c = known.claims
	} else {
		var err error
		if c, err = s.parse(token, now); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	before := s.ended
	s.mu.Unlock()
	p, err := s.holder(ctx, c, now)
	if err != nil {
		if convoke.ErrorCode(err) == convoke.CodeUnauthorized {
			s.known.Remove(sum)
		}
		return nil, err
	}
	e := &entry{claims: c, expires: time.Unix(c.Expires, 0), principal: p, until: now.Add(s.ttl)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended == before {
		s.known.Add(sum, e)
	}
	return e, nil
}

// parse checks everything that the token itself says.
func (s *Server) parse(token string, now time.Time) (*claims, error) {
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{alg})
	if err != nil || len(signed.Signatures) != 1 {
		return nil, errToken()
	}
	head := signed.Signatures[0].Protected
	typ, _ := head.ExtraHeaders[jose.HeaderType].(string)
	key := s.keys.find(head.KeyID)
	if typ != typeAccess || key == nil {
		return nil, errToken()
	}
	payload, err := signed.Verify(&key.private.PublicKey)
	if err != nil {
		return nil, errToken()
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return nil, errToken()
	}
	good := c.Issuer == s.issuer && c.Audience == s.issuer && c.Account != "" && c.Subject != "" && c.ClientID != "" &&
		(c.Confirm == nil || c.Confirm.Thumbprint != "") &&
		c.Expires > now.Unix() && c.Expires <= maxUnix && c.NotBefore <= now.Add(skew).Unix() && c.Issued <= now.Add(skew).Unix()
	if !good {
		return nil, errToken()
	}
	return &c, nil
}

// holder returns who the token stands for, as things are now.
func (s *Server) holder(ctx context.Context, c *claims, now time.Time) (*convoke.Principal, error) {
	client, err := s.find(ctx, c.ClientID, c.Account)
	if err != nil {
		return nil, gone(err)
	}
	if client.Disabled || client.AccountID != c.Account {
		return nil, errToken()
	}
	account, err := s.store.FindAccount(ctx, c.Account)
	if err != nil {
		return nil, gone(err)
	}
	if account.Disabled {
		return nil, errToken()
	}
	p := &convoke.Principal{AccountID: c.Account, ID: client.ID, Name: client.Name, ClientID: client.ID, Scopes: []convoke.Scope{}, InvocationsPerSecond: client.InvocationsPerSecond}
	for text := range strings.FieldsSeq(c.Scope) {
		if scope := convoke.Scope(text); slices.Contains(client.Scopes, scope) { // the client may have lost some
			p.Scopes = append(p.Scopes, scope)
		}
	}
	if c.Grant == "" {
		if c.Subject != client.ID || !client.May(convoke.GrantClientCredentials) {
			return nil, errToken()
		}
		return p, nil
	}
	g, err := s.store.FindGrant(ctx, c.Grant)
	if err != nil {
		return nil, gone(err)
	}
	if !g.Live(now) || g.ClientID != client.ID || g.UserID != c.Subject || s.people == nil {
		return nil, errToken()
	}
	user, err := s.people.Find(ctx, c.Account, c.Subject)
	if err != nil {
		return nil, gone(err)
	}
	if actsAsUser(client, p.Scopes) {
		return &convoke.Principal{AccountID: c.Account, ID: c.Subject, Name: user.Name, Roles: user.Roles, UserID: c.Subject, SessionID: g.ID}, nil
	}
	p.ID, p.Name, p.Roles = c.Subject, user.Name, user.Roles
	return p, nil
}

// gone makes what does not exist any more an invalid token.
func gone(err error) error {
	if convoke.ErrorCode(err) == convoke.CodeNotFound {
		return errToken()
	}
	return err
}

// forget makes this process look again at tokens that ended may concern.
func (s *Server) forget(concerned func(*claims) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended++
	for _, sum := range s.known.Keys() {
		if e, ok := s.known.Peek(sum); ok && concerned(e.claims) {
			s.known.Remove(sum)
		}
	}
}

// ForgetUser makes this process look again at tokens of a user whose roles or
// password have changed, or who was disabled or removed.
func (s *Server) ForgetUser(accountID, userID string) {
	s.forget(func(c *claims) bool { return c.Account == accountID && c.Subject == userID })
}

// ForgetAccount is ForgetUser for every token of an account.
func (s *Server) ForgetAccount(accountID string) {
	s.forget(func(c *claims) bool { return c.Account == accountID })
}
