// Package client speaks to a Convoke server from Go: management of functions,
// invocations, logs. Every failed call returns a *convoke.Error with the code
// that the server gave; a server that cannot be reached is CodeUnavailable.
//
// The package is for other programs too: it imports the root package and api
// only. The module has no public address yet, so another module names a checkout
// of it in its go.mod, and docs/api.md says how that is kept:
//
//	require convoke v0.0.0
//	replace convoke => ../convoke
//
// A program that runs for longer than a token lets [Credentials] renew it. A
// Client is safe for concurrent use; one is enough for a program and account.
package client

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"

	"convoke"
	"convoke/api"
)

const (
	// maxBody bounds an answer. The largest, a list of 20,000 functions, is about 10 MB.
	maxBody = 64 << 20
	// callTimeout bounds management calls, which answer at once. Invocations
	// take as long as the function may.
	callTimeout = time.Minute
	// deployTimeout bounds calls that wait for instances to start or to end. The
	// server gives up earlier, with a better reason.
	deployTimeout = 6 * time.Minute
)

// Config wires a Client.
type Config struct {
	URL       string         // of the server, such as http://127.0.0.1:8080
	AccountID string         // "" is convoke.DefaultAccountID
	Token     convoke.Secret // bearer token
	// Credentials get and renew the tokens, in place of Token.
	Credentials Credentials
	// Tokens is asked for the bearer token of each call, in place of Token; nil:
	// Token is good for all. rejected is a token that the server has just refused,
	// zero otherwise: for another one the call is made once more. It must be safe
	// for concurrent use.
	Tokens    func(ctx context.Context, rejected convoke.Secret) (convoke.Secret, error)
	HTTP      *http.Client // nil is one of its own, without a time-out
	UserAgent string       // "" is convoke-client
}

// Client makes calls for one account of one server. It is safe for concurrent use.
type Client struct {
	base      string // URL with the account's path
	root      string
	account   string
	tokens    func(ctx context.Context, rejected convoke.Secret) (convoke.Secret, error)
	http      *http.Client
	userAgent string
	maxBody   int64
	ifMatch   string
}

// IfMatch returns a client whose changes are made only while the thing is what
// it was when it was read: etag is the ETag of what Function, Account,
// Settings, FindUser by id, OAuthClient, Schedule or Secret returned.
// CodeConditionFailed says that somebody has changed it since, and that nothing
// was done. Without an ETag, as of an older server, there is no condition.
func (c *Client) IfMatch(etag string) *Client {
	conditional := *c
	conditional.ifMatch = etag
	return &conditional
}

// New checks c and returns a Client; CodeValidation for a URL or account that is
// none, and for Credentials that lack something or are not alone. It makes no call.
func New(c Config) (*Client, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, convoke.Errorf(convoke.CodeValidation, "%q is no URL of a server; it looks like http://127.0.0.1:8080", c.URL)
	}
	account := cmp.Or(c.AccountID, convoke.DefaultAccountID)
	if err := convoke.ValidateAccountID(account); err != nil {
		return nil, err
	}
	root := strings.TrimRight(c.URL, "/")
	cl := &Client{
		base: root + "/api/account/" + account, root: root,
		account: account, tokens: c.Tokens, http: c.HTTP, userAgent: cmp.Or(c.UserAgent, "convoke-client"), maxBody: maxBody,
	}
	if cl.http == nil {
		cl.http = &http.Client{}
	}
	if c.Credentials != nil && (c.Tokens != nil || !c.Token.IsZero()) {
		return nil, convoke.Errorf(convoke.CodeValidation, "tokens come from one place: give either Credentials or Token or Tokens")
	}
	if cl.tokens == nil {
		cl.tokens = func(context.Context, convoke.Secret) (convoke.Secret, error) { return c.Token, nil }
	}
	if c.Credentials != nil {
		if err := c.Credentials.check(); err != nil {
			return nil, err
		}
		bare := *cl // has no token, nor c.Token, to ask with
		cl.tokens = newKeeper(c.Credentials, &bare).token
	}
	return cl, nil
}

// request is one call; query and in may be nil.
type request struct {
	method string
	path   string // below the account, such as /functions; or whole, from /api/
	query  url.Values
	in     any
	header http.Header
	// timeout of a management call; 0 is callTimeout
	timeout time.Duration
}

// call makes a management call and decodes its answer.
func call[T any](ctx context.Context, c *Client, r request) (T, error) {
	out, header, err := answer[T](ctx, c, r)
	if err != nil {
		return out, err
	}
	if t, ok := any(out).(interface{ SetETag(string) }); ok && r.method == http.MethodGet && !reflect.ValueOf(t).IsNil() {
		t.SetETag(header.Get("ETag"))
	}
	return out, nil
}

// answer is call with the headers of the answer.
func answer[T any](ctx context.Context, c *Client, r request) (T, http.Header, error) {
	var out T
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(r.timeout, callTimeout))
	defer cancel()
	body, header, err := c.roundTrip(ctx, r)
	if err != nil {
		return out, nil, err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return out, header, nil
	}
	if err := json.Unmarshal(body, &out); err != nil {
		return out, nil, &convoke.Error{Code: convoke.CodeInternal, Cause: err,
			Message: fmt.Sprintf("the answer to %s %s cannot be understood; is %s a Convoke server?", r.method, r.path, c.root)}
	}
	return out, header, nil
}

// roundTrip sends r and returns the body of a 2xx answer with its headers.
func (c *Client) roundTrip(ctx context.Context, r request) (body []byte, header http.Header, err error) {
	resp, err := c.send(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, c.maxBody+1))
	if err != nil {
		return nil, resp.Header, c.unreachable(ctx, err)
	}
	if int64(len(body)) > c.maxBody {
		return nil, resp.Header, convoke.Errorf(convoke.CodeInternal, "the answer to %s %s is larger than %d MiB", r.method, r.path, c.maxBody>>20)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, resp.Header, api.ParseError(resp.StatusCode, resp.Header, body)
	}
	return body, resp.Header, nil
}

// refusesToken reports whether the answer may be that to a token which is no
// good. One route says so by 403 (docs/adr/0011), as it does to a good token
// that may not read functions.
func (r request) refusesToken(status int) bool {
	return status == http.StatusUnauthorized ||
		status == http.StatusForbidden && r.method == http.MethodGet && r.path == "/functions"
}

// send makes a call, and once more with another token when the server refuses
// the first and there is one: who is refused has changed nothing.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	var body []byte
	if r.in != nil {
		var err error
		if body, err = json.Marshal(r.in); err != nil {
			return nil, &convoke.Error{Code: convoke.CodeValidation, Message: "the request is no valid JSON", Cause: err}
		}
	}
	token, err := c.tokens(ctx, convoke.Secret{})
	if err != nil {
		return nil, err
	}
	resp, err := c.attempt(ctx, r, body, token)
	if err != nil || !r.refusesToken(resp.StatusCode) || token.IsZero() {
		return resp, err
	}
	next, err := c.tokens(ctx, token)
	if err != nil {
		resp.Body.Close()
		return nil, err
	}
	if next.Reveal() == token.Reveal() {
		return resp, nil
	}
	resp.Body.Close()
	return c.attempt(ctx, r, body, next)
}

func (c *Client) attempt(ctx context.Context, r request, body []byte, token convoke.Secret) (*http.Response, error) {
	target := c.base + r.path
	if strings.HasPrefix(r.path, "/api/") {
		target = c.root + r.path
	}
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, reader)
	if err != nil {
		return nil, &convoke.Error{Code: convoke.CodeValidation, Message: "the request cannot be made", Cause: err}
	}
	for k, v := range r.header {
		req.Header[k] = v
	}
	req.Header.Set("User-Agent", c.userAgent)
	if req.Header.Get("X-Request-ID") == "" {
		req.Header.Set("X-Request-ID", uuid.NewString())
	}
	if !token.IsZero() {
		req.Header.Set("Authorization", "Bearer "+token.Reveal())
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.ifMatch != "" && r.method != http.MethodGet {
		req.Header.Set("If-Match", c.ifMatch)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	return resp, nil
}

// unreachable is the error of a call that got no answer. The caller's own
// cancellation is returned as it is.
func (c *Client) unreachable(ctx context.Context, err error) error {
	switch ctx.Err() {
	case context.Canceled:
		return context.Cause(ctx)
	case context.DeadlineExceeded:
		return &convoke.Error{Code: convoke.CodeUnavailable, Message: fmt.Sprintf("%s did not answer in time", c.root), Cause: err}
	}
	if Untrusted(err) {
		return &convoke.Error{Code: convoke.CodeUnavailable, Message: fmt.Sprintf("the certificate of %s is not to be trusted, so nothing was sent", c.root), Cause: err}
	}
	return &convoke.Error{Code: convoke.CodeUnavailable, Message: fmt.Sprintf("cannot reach %s; is the server running?", c.root), Cause: err}
}

// Untrusted reports whether err is that of a call to a server whose certificate
// is not good.
func Untrusted(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

// UnknownAuthority reports whether err is that of a call to a server whose
// certificate is of an authority that this machine does not know.
func UnknownAuthority(err error) bool {
	_, ok := errors.AsType[x509.UnknownAuthorityError](err)
	return ok
}

// Unreachable reports whether err is that of a call for which no connection to
// the server came about, or none that lasted until it answered; one that was
// given up because of the server's certificate is no such.
func Unreachable(err error) bool {
	_, ok := errors.AsType[*url.Error](err)
	return ok && !Untrusted(err) && !errors.Is(err, context.DeadlineExceeded)
}

// segment escapes s as one element of a path.
func segment(s string) string { return url.PathEscape(s) }
