package httpapi

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"convoke"
	"convoke/api"
	"convoke/internal/auth"
)

// Answer is an answer of a route beside its success and the errors of its
// codes, in another form than those.
type Answer struct {
	Status  int
	About   string
	Body    any    // a value of its type; nil: none
	Media   string // "" is application/json
	Headers []Param
}

func (d *describer) answer(responses map[string]content, a Answer) {
	key := strconv.Itoa(a.Status)
	res := content{Description: a.About, Headers: map[string]header{}}
	if old, ok := responses[key]; ok { // one more form of that status
		res.Description, res.Content = old.Description+" "+a.About, old.Content
	}
	if a.Body != nil {
		if res.Content == nil {
			res.Content = map[string]media{}
		}
		maps.Copy(res.Content, d.body(mediaOf(a.Media), a.Body))
	}
	for _, h := range a.Headers {
		s := h.schema()
		res.Headers[h.Name] = header{Description: h.About, Schema: &s}
	}
	responses[key] = res
}

func mediaOf(media string) string {
	if media == "" {
		return "application/json"
	}
	return media
}

// headers are those of a successful answer.
func (d Doc) headers() map[string]header {
	out := map[string]header{}
	if len(d.Order.Fields) > 0 {
		out["Link"] = header{Description: `the next page, as <…>; rel="next" (RFC 8288); absent with the last one`, Schema: &schema{Type: kinds{"string"}}}
	}
	if d.Tagged {
		out["ETag"] = header{Description: "what the answer is now (RFC 9110)", Schema: &schema{Type: kinds{"string"}}}
	}
	if d.Status == http.StatusFound {
		out["Location"] = header{Description: "where to go on", Schema: &schema{Type: kinds{"string"}}}
	}
	return out
}

const (
	headerRetry     = "Retry-After"
	headerChallenge = "WWW-Authenticate"
)

func commonHeaders() map[string]header {
	text := &schema{Type: kinds{"string"}}
	return map[string]header{
		requestIDName:   {Description: "what the request is known by, in the server's log too", Schema: text},
		headerRetry:     {Description: "seconds to wait before the next attempt; absent where nobody can tell", Schema: &schema{Type: kinds{"integer"}}},
		headerChallenge: {Description: "how to prove who makes the request (RFC 9110)", Schema: text},
	}
}

// withCommon adds the headers that all answers of a status have.
func withCommon(status string, own map[string]header) map[string]header {
	names := []string{requestIDName}
	switch status {
	case "429", "503":
		names = append(names, headerRetry)
	case "401":
		names = append(names, headerChallenge)
	}
	if own == nil {
		own = map[string]header{}
	}
	for _, name := range names {
		own[name] = header{Ref: "#/components/headers/" + name}
	}
	return own
}

// failures adds an answer per HTTP status. The reference's status 901 has no
// place in the format, so it stands with whatever else there may be.
func (d *describer) failures(responses map[string]content, rt Route) {
	all := rt.codes()
	about := map[string][]string{}
	for _, c := range api.Codes {
		if !slices.Contains(all, c.Code) {
			continue
		}
		code := string(c.Code)
		if d.v1() {
			code = c.V1
		}
		key, text := strconv.Itoa(c.Status), fmt.Sprintf("`%s`: %s", code, c.Meaning)
		if c.Status > 599 {
			key, text = "default", fmt.Sprintf("Status %d, %s", c.Status, text)
		}
		about[key] = append(about[key], text)
	}
	for _, key := range slices.Sorted(maps.Keys(about)) {
		responses[key] = content{Description: strings.Join(about[key], " "), Content: d.body("application/json", d.failure())}
	}
}

// requirement are security schemes that hold together, and what is asked of
// each.
type requirement map[string][]string

type scheme struct {
	Type        string `json:"type"`
	Scheme      string `json:"scheme,omitempty"`
	In          string `json:"in,omitempty"`
	Name        string `json:"name,omitempty"`
	Description string `json:"description"`
}

const (
	schemeBearer  = "bearer"
	schemeSession = "session"
	schemeCSRF    = "csrf"
	schemeDPoP    = "dpop"
	schemeProof   = "dpopProof"
	schemeClient  = "client"
)

var schemes = map[string]scheme{
	schemeBearer:  {Type: "http", Scheme: "bearer", Description: "A token of the account or of a user, what a sign-in answered as bearer, or an access token of the authorization server."},
	schemeSession: {Type: "apiKey", In: "cookie", Name: auth.SessionCookie, Description: "The cookie of a sign-in, for browsers."},
	schemeCSRF:    {Type: "apiKey", In: "header", Name: auth.CSRFHeader, Description: "The csrf of the sign-in, which goes with the cookie where something is changed."},
	schemeDPoP:    {Type: "http", Scheme: "dpop", Description: "An access token that is bound to a key (RFC 9449)."},
	schemeProof:   {Type: "apiKey", In: "header", Name: "DPoP", Description: "The proof by that key, made for this request."},
	schemeClient:  {Type: "http", Scheme: "basic", Description: "The id and the secret of an OAuth client, which may stand in the form instead."},
}

// security is what lets in: what the rule says, for a path of everybody what
// the operation itself makes something of.
func (d *describer) security(rt Route) *[]requirement {
	out := []requirement{}
	if !rt.Rule.public {
		out = rt.Rule.security(rt.Method)
	} else if rt.Doc.Knows != "" {
		out = []requirement{{rt.Doc.Knows: {}}, {}}
	}
	for _, r := range out {
		for name := range r {
			d.schemes[name] = true
		}
	}
	return &out
}

// security are the ways in which callers can prove who they are. An access
// token that is bound to a key belongs to an OAuth client, so it is good for
// what a scope can grant.
func (rl Rule) security(method string) []requirement {
	browser := requirement{schemeSession: {}}
	if method != http.MethodGet {
		browser[schemeCSRF] = []string{}
	}
	out := []requirement{{schemeBearer: {}}, browser}
	if rl.grantable() {
		out = append(out, requirement{schemeDPoP: {}, schemeProof: {}})
	}
	return out
}

// grantable reports whether a client can get a scope for the rule.
func (rl Rule) grantable() bool {
	return rl.perm != "" && slices.ContainsFunc(convoke.Scopes, func(s convoke.ScopeInfo) bool { return slices.Contains(s.Permissions, rl.perm) })
}

func (d *describer) schemesUsed() map[string]scheme {
	out := map[string]scheme{}
	for name := range d.schemes {
		out[name] = schemes[name]
	}
	return out
}
