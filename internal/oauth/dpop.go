package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"math"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json" // refuses a member that is there twice

	"convoke"
	"convoke/internal/httpx"
)

const (
	maxProof   = 4096 // bytes of a proof; one with an RSA key of 4096 bits has 1,800
	maxRSABits = 4096
	minRSABits = 2048
	// proofAge is how old a proof may be. It is short because every proof is
	// remembered for as long.
	proofAge = time.Minute
)

// proofAlgs are the algorithms of proofs: signatures by EC and RSA keys. A
// symmetric key in a proof would prove nothing.
var proofAlgs = []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.RS256, jose.PS256}

// proof is a verified DPoP proof, but for what it was made for.
type proof struct {
	thumbprint string // of its key, base64url of SHA-256 (RFC 7638)
	method     string
	target     string
	id         string
	at         time.Time
	token      string // base64url of the SHA-256 of the access token; "" when there is none
}

// proofClaims are the claims of RFC 9449, section 4.2.
type proofClaims struct {
	ID     string `json:"jti"`
	Method string `json:"htm"`
	Target string `json:"htu"`
	Issued int64  `json:"iat"`
	Token  string `json:"ath"`
}

// parseProof reads a proof and verifies its signature with the key that it
// brings along. The error says what is wrong: a proof holds nothing secret.
func parseProof(text string) (*proof, error) {
	if len(text) > maxProof {
		return nil, badProof("it is too large")
	}
	signed, err := jose.ParseSignedCompact(text, proofAlgs)
	if err != nil || len(signed.Signatures) != 1 {
		return nil, badProof("it is no JWT signed by ES256, ES384, RS256 or PS256")
	}
	head := signed.Signatures[0].Protected
	if typ, _ := head.ExtraHeaders[jose.HeaderType].(string); typ != "dpop+jwt" {
		return nil, badProof("its type is not dpop+jwt")
	}
	if !usableKey(head.JSONWebKey) {
		return nil, badProof("its header has no public EC or RSA key of a usual size")
	}
	payload, err := signed.Verify(head.JSONWebKey.Key)
	if err != nil {
		return nil, badProof("its signature is wrong")
	}
	var c proofClaims
	if err := json.Unmarshal(payload, &c); err != nil {
		return nil, badProof("its claims cannot be read")
	}
	if c.ID == "" || len(c.ID) > 200 || c.Method == "" || c.Target == "" || c.Issued <= 0 || c.Issued > maxUnix {
		return nil, badProof("it needs jti, htm, htu and iat")
	}
	sum, err := head.JSONWebKey.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, badProof("its key cannot be read")
	}
	return &proof{
		thumbprint: base64.RawURLEncoding.EncodeToString(sum), method: c.Method, target: c.Target, id: c.ID,
		at: time.Unix(c.Issued, 0), token: c.Token,
	}, nil
}

// maxUnix keeps arithmetic on times of others from overflowing: the year 10000.
const maxUnix = 253402300800

// usableKey bounds what a stranger's key can cost us.
func usableKey(k *jose.JSONWebKey) bool {
	if k == nil || !k.Valid() {
		return false
	}
	switch key := k.Key.(type) {
	case *ecdsa.PublicKey:
		return key.Curve == elliptic.P256() || key.Curve == elliptic.P384()
	case *rsa.PublicKey:
		bits := key.N.BitLen()
		return bits >= minRSABits && bits <= maxRSABits && key.E >= 3 && key.E <= math.MaxInt32 && key.E%2 == 1
	}
	return false
}

func badProof(why string) *problem {
	return problemf("invalid_dpop_proof", "the DPoP proof cannot be used: %s", why)
}

// prove returns the verified proof that r carries, nil when it carries none:
// made for this method and URL, not long ago, for this access token ("" at the
// token endpoint), by the key with that thumbprint ("" any), and for the first time.
func (s *Server) prove(r *http.Request, token, thumbprint string) (*proof, error) {
	texts := r.Header["Dpop"]
	if len(texts) == 0 {
		return nil, nil
	}
	if len(texts) > 1 {
		return nil, badProof("there is more than one")
	}
	p, err := parseProof(texts[0])
	if err != nil {
		return nil, err
	}
	now := time.Now()
	switch {
	case thumbprint != "" && p.thumbprint != thumbprint:
		return nil, badProof("the token is bound to another key")
	case p.method != r.Method:
		return nil, badProof("it was made for another method")
	case !s.isTarget(r, p.target):
		return nil, badProof("it was made for another URL")
	case p.at.Before(now.Add(-proofAge)) || p.at.After(now.Add(skew)):
		return nil, badProof("it is too old, or the clocks differ")
	case token != "" && !isHashOf(p.token, token):
		return nil, badProof("it was made for another access token")
	}
	switch s.proofs.add(p, now) {
	case replayed:
		return nil, badProof("it was used before")
	case full:
		return nil, tooMany(proofAge)
	}
	return p, nil
}

// isTarget reports whether target is the URL of r, without query and fragment
// (RFC 9449, section 4.3). The scheme does not count: TLS may end before us,
// and the reference's client writes https even over http
// (spec/api-surface.md 2.6).
func (s *Server) isTarget(r *http.Request, target string) bool {
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Opaque != "" {
		return false
	}
	host := withoutDefaultPort(u.Host)
	if host != withoutDefaultPort(httpx.Host(r)) && host != withoutDefaultPort(s.host) {
		return false
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return path == r.URL.EscapedPath()
}

func withoutDefaultPort(host string) string {
	host = strings.ToLower(host)
	if name, port, err := net.SplitHostPort(host); err == nil && (port == "443" || port == "80") {
		return name
	}
	return host
}

// isHashOf reports whether text is the base64url of the SHA-256 of token.
func isHashOf(text, token string) bool {
	sum := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(text)) == 1
}

// replays remembers proofs until they are too old to be used again: in two
// halves, of which the older is dropped as a whole.
type replays struct {
	mu           sync.Mutex
	since        time.Time // when the younger half began
	young, older map[[16]byte]struct{}
}

// maxReplays bounds each half, at about 30 bytes a proof. Verifying so many
// takes a processor longer than a half lasts.
const maxReplays = 1 << 20

type replay int

const (
	fresh replay = iota
	replayed
	full
)

// add remembers p and reports whether it was there before. When there is no
// room for more, proofs are refused: whoever fills it must not be able to
// repeat one.
func (l *replays) add(p *proof, now time.Time) replay {
	sum := sha256.Sum256([]byte(p.thumbprint + "\x00" + p.id))
	key := [16]byte(sum[:16])
	l.mu.Lock()
	defer l.mu.Unlock()
	// A proof may be dated ahead by skew: it is good for no longer than half.
	const half = proofAge + skew
	if age := now.Sub(l.since); age >= half {
		l.older = l.young
		if age >= 2*half {
			l.older = nil
		}
		l.young, l.since = map[[16]byte]struct{}{}, now
	}
	if _, ok := l.young[key]; ok {
		return replayed
	}
	if _, ok := l.older[key]; ok {
		return replayed
	}
	if len(l.young) >= maxReplays {
		return full
	}
	l.young[key] = struct{}{}
	return fresh
}

// refusedProof turns a problem with a proof into the error of a resource.
func refusedProof(err error) error {
	p, ok := err.(*problem)
	if !ok {
		return err
	}
	e := convoke.Errorf(convoke.CodeUnauthorized, "%s", p.text)
	if p.wait > 0 {
		e.Code, e.RetryAfter = convoke.CodeThrottled, p.wait
	}
	return e
}
