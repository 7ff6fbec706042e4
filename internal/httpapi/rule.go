package httpapi

import (
	"cmp"
	"errors"
	"net/http"

	"convoke"
	"convoke/internal/auth"
	"convoke/internal/cores"
	"convoke/internal/httpx"
)

// Rule says who may call a route. Its zero value is invalid: a route that
// forgets its rule does not start.
type Rule struct {
	public bool
	member bool
	perm   convoke.Permission
	// wrongIsForbidden answers 403, not 401, to a token that is no good.
	wrongIsForbidden bool
}

// Public lets everybody in, without a token.
var Public = Rule{public: true}

// Member lets in everybody of the {account} of the path, whatever the roles,
// and also who has to change the password first: what one may always do with
// oneself.
var Member = Rule{member: true}

// Permission lets in who holds p in the {account} of the path; on a path
// without one, in the account that the first start created, which is the
// operator's own.
func Permission(p convoke.Permission) Rule { return Rule{perm: p} }

// WrongIsForbidden makes the answer to an unknown, expired or revoked token
// 403, as the tests of one client of the reference want it on one route
// (docs/adr/0011). A request without a token gets 401 all the same.
func (rl Rule) WrongIsForbidden() Rule {
	rl.wrongIsForbidden = true
	return rl
}

// valid reports whether the rule lets people in in exactly one way.
func (rl Rule) valid() bool {
	ways := 0
	for _, way := range []bool{rl.public, rl.member, rl.perm != ""} {
		if way {
			ways++
		}
	}
	return ways == 1
}

// check returns CodeForbidden unless the rule lets p into the account.
func (rl Rule) check(p *convoke.Principal, account string) error {
	if rl.member {
		return auth.CheckPerson(p, account)
	}
	return auth.Check(p, account, rl.perm)
}

// guard puts the route's rule before its handler.
func (s *server) guard(rt Route) httpx.Handler {
	if !rt.passing() {
		handle := rt.Handle
		rt.Handle = func(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
			defer cores.Busy()()
			return handle(w, r, by)
		}
	}
	if rt.changes() {
		rt.Handle = conditional(rt)
	}
	if rt.Rule.public {
		return func(w http.ResponseWriter, r *http.Request) error { return rt.Handle(w, r, nil) }
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		p, err := s.Auth.Authenticate(r)
		if err != nil {
			return rt.Rule.refusal(r, err)
		}
		httpx.SetPrincipal(w, p)
		account := r.PathValue("account")
		if account == "" {
			account = convoke.DefaultAccountID
		}
		if err := rt.Rule.check(p, account); err != nil {
			return err
		}
		return rt.Handle(w, r, p)
	}
}

// changes reports whether the route is for changing something. Invocations are
// not, and pay nothing for what others need.
func (rt *Route) changes() bool { return rt.Method != http.MethodGet && !rt.Quiet }

// passing reports whether the route does next to nothing itself: it passes an
// invocation on, or entries as they come.
func (rt *Route) passing() bool { return rt.Quiet || rt.Doc.Media == "text/event-stream" }

// conditional makes the change of a route depend on the header If-Match.
// Nobody who sends one to a route that knows no condition may believe that it
// held.
func conditional(rt Route) Handler {
	return func(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
		revisions, any, given, err := httpx.Revisions(r)
		switch {
		case err != nil:
			return err
		case given && rt.Match == "":
			return convoke.Errorf(convoke.CodeConditionFailed, "this request cannot be made to depend on an ETag; leave out If-Match")
		case given:
			c := convoke.Condition{Kind: rt.Match, ID: matched(r, rt.Match), Revisions: revisions, Any: any}
			r = r.WithContext(convoke.WithCondition(r.Context(), c))
		}
		return rt.Handle(w, r, by)
	}
}

// matched is the id of the thing that a path of a route with that Match names.
func matched(r *http.Request, kind string) string {
	switch kind {
	case convoke.KindFunction:
		return r.PathValue("uuid")
	case convoke.KindAccount:
		return cmp.Or(r.PathValue("id"), r.PathValue("account"))
	default:
		return r.PathValue(kind) // {user}, {client}, {schedule}, {secret}
	}
}

// refusal is what a caller who could not be identified is told.
func (rl Rule) refusal(r *http.Request, err error) error {
	e, ok := errors.AsType[*convoke.Error](err)
	if !ok || e.Code != convoke.CodeUnauthorized || !rl.wrongIsForbidden || r.Header.Get("Authorization") == "" {
		return err
	}
	return &convoke.Error{Code: convoke.CodeForbidden, Message: e.Message, Cause: err}
}
