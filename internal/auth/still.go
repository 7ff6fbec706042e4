package auth

import (
	"net/http"
	"strings"
	"time"

	"convoke"
)

// Still returns who makes r, a request that Authenticate let in and that goes
// on, as an open stream does: with the roles of this moment, or the error with
// which it would be refused now. It counts as no use, so it keeps no session
// from ending.
func (a *Auth) Still(r *http.Request) (*convoke.Principal, error) {
	text, ok := bearer(r)
	if !ok {
		if text, ok = dpop(r); !ok {
			text, ok = cookieText(r)
		}
	}
	if ok && strings.Count(text, ".") == 2 && a.jwt != nil {
		return a.jwt.Still(r.Context(), text)
	}
	if !ok || len(text) != tokenLength {
		return nil, errBadToken()
	}
	e, err := a.recall(r.Context(), text, time.Now())
	if err != nil {
		return nil, err
	}
	return e.principal, nil
}

// Forgotten is closed when something that let people in ends or changes: then
// it is time to ask Still. Tokens of the authorization server end without it.
func (a *Auth) Forgotten() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.forgotten
}
