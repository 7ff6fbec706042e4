// Package egress is the only way out of a worker: it opens the connections
// that functions ask for, if the account's allowed domains and the operator's
// rules say so, and carries what goes over them.
//
// A worker cannot open a connection itself. It asks by a frame, and is handed
// one end of a socket pair whose other end is held here (docs/adr/0010).
package egress

import (
	"net/http"

	"convoke"
)

// Source is who calls: one instance of a version. Its address is its identity.
type Source struct {
	AccountID  string
	FunctionID string
	Version    int
	// Only narrows the account's allowed domains to these entries, in the form
	// of convoke.ParseDomain; nil does not narrow.
	Only []string
}

// Request is one connection that a function asks for.
type Request struct {
	Source    *Source
	RequestID string // of the invocation; "" outside of one
	Host      string // as the function wrote it: hostile
	Port      int
	// TLS says that the worker will begin with a TLS handshake, so that no
	// HTTP answer can be given in the other side's place.
	TLS bool
}

// The codes of refusals that are not the operating system's.
const (
	CodeRefused     = "ERR_EGRESS_REFUSED"     // the rules do not allow it
	CodeLimited     = "ERR_EGRESS_LIMITED"     // too many at a time or per second
	CodeUnavailable = "ERR_EGRESS_UNAVAILABLE" // the rules cannot be read, or the server stops
)

// Refusal is why there is no connection, for the function that asked.
type Refusal struct {
	// Code is the code of the JavaScript error: one of the operating system's,
	// such as ENOTFOUND, or one of those above.
	Code    string              `json:"code"`
	Message string              `json:"message"`
	Status  int                 `json:"status,omitempty"` // the HTTP status that says the same: 403, 429 or 503
	Outcome convoke.CallOutcome `json:"-"`
	// Tell says that the developer should find the message in the log too.
	Tell bool `json:"-"`
}

func (r *Refusal) Error() string { return r.Message }

func refused(message string) *Refusal {
	return &Refusal{Code: CodeRefused, Message: message, Status: http.StatusForbidden, Outcome: convoke.CallRefused, Tell: true}
}

func limited(message string) *Refusal {
	return &Refusal{Code: CodeLimited, Message: message, Status: http.StatusTooManyRequests, Outcome: convoke.CallLimited, Tell: true}
}

func unavailable(message string) *Refusal {
	return &Refusal{Code: CodeUnavailable, Message: message, Status: http.StatusServiceUnavailable, Outcome: convoke.CallFailed}
}

func failed(code, message string) *Refusal {
	return &Refusal{Code: code, Message: message, Outcome: convoke.CallFailed}
}
