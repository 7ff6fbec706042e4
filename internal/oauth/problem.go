package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"convoke/api"
	"convoke/internal/httpx"
)

// problem is an error of the protocol (RFC 6749, sections 4.1.2.1 and 5.2).
type problem struct {
	status int
	code   string
	text   string
	wait   time.Duration // for 429
}

func (p *problem) Error() string { return p.code + ": " + p.text }

func problemf(code, format string, args ...any) *problem {
	return &problem{status: http.StatusBadRequest, code: code, text: fmt.Sprintf(format, args...)}
}

func tooMany(wait time.Duration) *problem {
	return &problem{status: http.StatusTooManyRequests, code: "temporarily_unavailable", text: "too many requests; wait for as many seconds as the header Retry-After says", wait: wait}
}

// badClient does not say which half was wrong: that would help only a guesser.
func badClient() *problem {
	return &problem{status: http.StatusUnauthorized, code: "invalid_client", text: "the client is unknown or disabled, or its secret is wrong"}
}

func badGrant() *problem {
	return problemf("invalid_grant", "the code or refresh token is unknown, used, expired or revoked, or was issued for something else")
}

// answer writes err in the protocol's form. Errors that are no problem of the
// protocol are the caller's to return: they are answered and logged as
// everywhere.
func answer(w http.ResponseWriter, err error) error {
	p, ok := errors.AsType[*problem](err)
	if !ok {
		return err
	}
	h := w.Header()
	h.Set("Pragma", "no-cache") // RFC 6749, section 5.1; no-store is there already
	if p.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Basic realm="convoke", charset="UTF-8"`)
	}
	retryAfter(h, p.wait)
	return httpx.WriteJSON(w, p.status, api.OAuthError{Error: p.code, Description: p.text})
}

func retryAfter(h http.Header, wait time.Duration) {
	if wait > 0 {
		h.Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	}
}
