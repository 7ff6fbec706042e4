// Package egress is the only way out of a worker: it opens the connections
// that functions ask for, if the account's allowed domains and the operator's
// rules say so, and carries what goes over them.
//
// A worker cannot open a connection itself. It asks by a frame, and is handed
// one end of a socket pair whose other end is held here (docs/adr/0010).
package egress

import "convoke"

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

// Refusal is why there is no connection, for the function that asked.
type Refusal struct {
	// Code is the code of the JavaScript error: one of the operating system's,
	// such as ENOTFOUND, or ERR_EGRESS_REFUSED or ERR_EGRESS_LIMITED.
	Code    string              `json:"code"`
	Message string              `json:"message"`
	Status  int                 `json:"status,omitempty"` // the HTTP status that says the same; 403 or 429
	Outcome convoke.CallOutcome `json:"-"`
	// Tell says that the developer should find the message in the log too.
	Tell bool `json:"-"`
}

func (r *Refusal) Error() string { return r.Message }
