package httpapi

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"convoke"
	"convoke/api"
)

// The members of an OpenAPI 3.1 document that we use, in the order in which
// they are written.
type (
	document struct {
		OpenAPI      string                          `json:"openapi"`
		Info         info                            `json:"info"`
		Servers      []link                          `json:"servers"`
		ExternalDocs *link                           `json:"externalDocs,omitempty"`
		Tags         []tag                           `json:"tags"`
		Security     []requirement                   `json:"security"`
		Paths        map[string]map[string]operation `json:"paths"`
		Components   components                      `json:"components"`
	}
	info struct {
		Title       string  `json:"title"`
		Version     string  `json:"version"`
		Description string  `json:"description"`
		License     license `json:"license"`
	}
	license struct {
		Name       string `json:"name"`
		Identifier string `json:"identifier"`
	}
	link struct {
		URL         string `json:"url"`
		Description string `json:"description,omitempty"`
	}
	tag struct {
		Name        string `json:"name"`
		Description string `json:"description,omitempty"`
	}
	operation struct {
		OperationID string             `json:"operationId"`
		Tags        []string           `json:"tags"`
		Summary     string             `json:"summary"`
		Description string             `json:"description,omitempty"`
		Security    *[]requirement     `json:"security,omitempty"`
		Parameters  []parameter        `json:"parameters,omitempty"`
		RequestBody *content           `json:"requestBody,omitempty"`
		Responses   map[string]content `json:"responses"`
	}
	parameter struct {
		Ref         string  `json:"$ref,omitempty"`
		Name        string  `json:"name,omitempty"`
		In          string  `json:"in,omitempty"`
		Required    bool    `json:"required,omitempty"`
		Description string  `json:"description,omitempty"`
		Schema      *schema `json:"schema,omitempty"`
	}
	content struct {
		Description string            `json:"description,omitempty"`
		Required    bool              `json:"required,omitempty"`
		Headers     map[string]header `json:"headers,omitempty"`
		Content     map[string]media  `json:"content,omitempty"`
	}
	header struct {
		Ref         string  `json:"$ref,omitempty"`
		Description string  `json:"description,omitempty"`
		Schema      *schema `json:"schema,omitempty"`
	}
	media struct {
		Schema  schema          `json:"schema"`
		Example json.RawMessage `json:"example,omitempty"`
	}
	components struct {
		SecuritySchemes map[string]scheme    `json:"securitySchemes"`
		Parameters      map[string]parameter `json:"parameters"`
		Headers         map[string]header    `json:"headers"`
		Schemas         map[string]schema    `json:"schemas"`
	}
)

// apiVersion changes with the wire contract: additions raise the second
// number, anything else the first.
const apiVersion = "2.3"

const (
	documentPath   = "/openapi.json"
	documentPathV1 = "/openapi-v1.json"
)

// openAPI describes the routes.
func openAPI(routes []Route) document {
	return describe(routes, "", info{Title: "Convoke", Version: apiVersion,
		Description: "The management and invocation API of a Convoke server. Clients must ignore members they do not know. " +
			"Requests with `v=1` in the query get the answers of the first generation, which " + documentPathV1 + " describes."},
		&link{documentPathV1, "The same functions, as clients of the first generation see them"})
}

// openAPIV1 describes what clients of the first generation call.
func openAPIV1(routes []Route) document {
	var of []Route
	for _, rt := range routes {
		if rt.V1 != nil {
			rt.Doc = *rt.V1
			of = append(of, rt)
		}
	}
	return describe(of, v1Prefix, info{Title: "Convoke, first generation", Version: apiVersion,
		Description: "What clients of the first generation call, to whom `v=1` in the query makes the server answer so. " +
			"To sign in and to get tokens is the same for both, and stands in " + documentPath + ", as does everything that new clients should use."},
		&link{documentPath, "The API for new clients"})
}

// v1Prefix is before the names of the first generation's examples.
const v1Prefix = "v1."

func describe(routes []Route, prefix string, about info, see *link) document {
	about.License = license{"Apache License 2.0", "Apache-2.0"}
	doc := document{
		OpenAPI: "3.1.0", Info: about, ExternalDocs: see,
		Servers: []link{{"/", "The server that answers with this document"}},
		// Of operations that do not say otherwise; all do.
		Security: []requirement{{schemeBearer: {}}},
		Paths:    map[string]map[string]operation{},
		Components: components{
			Parameters: commonParameters(prefix != ""), Headers: commonHeaders(),
		},
	}
	d := &describer{prefix: prefix, schemas: map[string]schema{}, types: map[string]string{}, schemes: map[string]bool{schemeBearer: true}}
	d.of(d.failure())
	used := map[string]bool{}
	for _, rt := range routes {
		if rt.Doc.Hidden || rt.Doc.ID == "" {
			continue
		}
		if doc.Paths[rt.Path] == nil {
			doc.Paths[rt.Path] = map[string]operation{}
		}
		doc.Paths[rt.Path][strings.ToLower(rt.Method)] = d.operation(rt)
		used[rt.Doc.Tag] = true
	}
	doc.Tags = tagsOf(used)
	doc.Components.Schemas = d.schemas
	doc.Components.SecuritySchemes = d.schemesUsed()
	return doc
}

// describer keeps what the operations of a document share.
type describer struct {
	prefix  string            // v1Prefix in the document of the first generation
	schemas map[string]schema // of the named types that were met
	types   map[string]string // which type that is, with its package
	schemes map[string]bool   // the security schemes that were met
}

func (d *describer) v1() bool { return d.prefix != "" }

var pathParam = regexp.MustCompile(`\{(\w+)\}`)

func (d *describer) operation(rt Route) operation {
	doc := rt.Doc
	op := operation{OperationID: doc.ID, Tags: []string{doc.Tag}, Summary: doc.Summary, Responses: map[string]content{}, Security: d.security(rt)}
	switch {
	case rt.Rule.public:
	case rt.Rule.member:
		op.Description = "Takes any token or session of the account."
	default:
		op.Description = fmt.Sprintf("Takes the permission `%s`.", rt.Rule.perm)
	}
	op.Parameters = d.parameters(rt)
	if doc.Request != nil {
		op.RequestBody = &content{Required: !doc.Optional, Content: d.body("application/json", doc.Request)}
		show(op.RequestBody.Content, examples()[d.prefix+doc.ID].Request)
	}
	if doc.Form != nil {
		op.RequestBody = &content{Required: true, Content: d.body("application/x-www-form-urlencoded", doc.Form)}
	}
	status := cmp.Or(doc.Status, http.StatusOK)
	success := content{Description: cmp.Or(doc.About, http.StatusText(status)), Headers: doc.headers()}
	if doc.Response != nil {
		success.Content = d.body(cmp.Or(doc.Media, "application/json"), doc.Response)
		show(success.Content, examples()[d.prefix+doc.ID].Response)
	}
	op.Responses[strconv.Itoa(status)] = success
	if doc.Tagged {
		op.Responses["304"] = content{Description: "You have it already: it has the ETag of If-None-Match."}
	}
	d.failures(op.Responses, rt)
	for _, a := range doc.Answers {
		d.answer(op.Responses, a)
	}
	for key, res := range op.Responses {
		res.Headers = withCommon(key, res.Headers)
		op.Responses[key] = res
	}
	return op
}

// parameters are those of the path, of the query, of headers and cookies.
func (d *describer) parameters(rt Route) []parameter {
	var out []parameter
	for _, m := range pathParam.FindAllStringSubmatch(rt.Path, -1) {
		out = append(out, parameter{Name: m[1], In: "path", Required: true, Description: pathParams[m[1]], Schema: &schema{Type: kinds{"string"}}})
	}
	version := false
	for _, p := range append(slices.Clone(rt.Doc.Query), rt.Doc.paging()...) {
		out = append(out, p.parameter("query"))
		version = version || p.Name == versionName
	}
	for _, p := range rt.Doc.Headers {
		out = append(out, p.parameter("header"))
	}
	for _, p := range rt.Doc.Cookies {
		out = append(out, p.parameter("cookie"))
	}
	if rt.Match != "" && !d.v1() {
		out = append(out, Param{Name: "If-Match", Type: "string", About: "change it only if it still has this ETag"}.parameter("header"))
	}
	if rt.Doc.Tagged {
		out = append(out, Param{Name: "If-None-Match", Type: "string", About: "answer only if the ETag is not this one"}.parameter("header"))
	}
	if !version {
		out = append(out, parameter{Ref: "#/components/parameters/" + versionName})
	}
	return append(out, parameter{Ref: "#/components/parameters/" + requestIDName})
}

func (p Param) parameter(in string) parameter {
	s := p.schema()
	return parameter{Name: p.Name, In: in, Required: p.Required, Description: p.About, Schema: &s}
}

func (p Param) schema() schema {
	out := schema{Type: kinds{p.Type}, Enum: p.Values}
	if p.Type == "date-time" {
		out = schema{Type: kinds{"string"}} // Unix milliseconds are allowed too
	}
	if p.Repeated {
		return schema{Type: kinds{"array"}, Items: &out}
	}
	return out
}

const (
	versionName   = "v"
	requestIDName = "X-Request-ID"
)

// commonParameters are taken by every operation.
func commonParameters(v1 bool) map[string]parameter {
	version := Param{Name: versionName, Type: "string", Values: []string{"1"},
		About: "1 asks for the answers of the first generation, which " + documentPathV1 + " describes; errors have another form then on every path"}
	if v1 {
		version.Required, version.About = true, "that the client is of the first generation"
	}
	return map[string]parameter{
		versionName: version.parameter("query"),
		requestIDName: Param{Name: requestIDName, Type: "string",
			About: "1 to 100 printable characters that the request is known by, in the server's log too; absent: one is made up"}.parameter("header"),
	}
}

// paging are the parameters that all lists share. A list of records has a
// limit of its own.
func (d Doc) paging() []Param {
	if len(d.Order.Fields) == 0 {
		return nil
	}
	var sorts []string
	for _, field := range d.Order.Fields {
		sorts = append(sorts, field, "-"+field)
	}
	out := []Param{
		{Name: "sort", Type: "string", About: "by this field, with a leading - from the end; " + d.Order.Own + " by default", Values: sorts},
		{Name: "cursor", Type: "string", About: "where the page begins, from the Link header of the page before"},
	}
	if !slices.ContainsFunc(d.Query, func(p Param) bool { return p.Name == "limit" }) {
		about := "at most so many, up to 1000; 100 by default"
		if d.Tagged {
			about = "at most so many, up to 1000; all by default"
		}
		out = append(out, Param{Name: "limit", Type: "integer", About: about})
	}
	return out
}

// pathParams say what stands in a path.
var pathParams = map[string]string{
	"account": "id of the account", "id": "id of the account", "uuid": "id of the function", "version": "number of the version",
	"event": "id of the event", "user": "id of the user", "client": "id of the client", "token": "id of the token",
	"consent": "id of the consent", "domain": "id of the entry", "secret": "name of the secret", "schedule": "id of the schedule",
	"service": "name of the service, such as faasGW", "session": "id of the session",
}

// tags say what operations are about, in the order in which they are listed.
var tags = []tag{
	{"functions", "Functions: what all versions share."}, {"versions", "Code and settings, as they were saved."},
	{"deployments", "Versions made live."}, {"invocations", "Running functions, and records of it."},
	{"logs", "What functions write."}, {"calls", "What functions call."}, {"catalogue", "Events and runtimes."},
	{"domains", "What functions may call."}, {"secrets", "Sealed values."}, {"schedules", "Functions invoked at times."},
	{"accounts", "Accounts, their settings and limits."}, {"users", "People."}, {"sessions", "Signing in."},
	{"tokens", "Tokens for programs and people."}, {"clients", "OAuth clients."}, {"consents", "What users allowed programs."},
	{"oauth", "The authorization server."}, {"activities", "Who changed what."}, {"discovery", "Where services are."}, {"server", "The server itself."},
}

func tagsOf(used map[string]bool) []tag {
	var out []tag
	for _, t := range tags {
		if used[t.Name] {
			out = append(out, t)
		}
	}
	return out
}

// codesOf are the codes that a route can fail with.
func (rt *Route) codes() []convoke.Code {
	all := append(codes(convoke.CodeInternal), rt.Doc.Codes...)
	if len(rt.Doc.Order.Fields) > 0 || rt.Match != "" {
		all = append(all, convoke.CodeInvalid)
	}
	if rt.Match != "" {
		all = append(all, convoke.CodeConditionFailed)
	}
	if !rt.Rule.public {
		all = append(all, convoke.CodeUnauthorized, convoke.CodeForbidden)
	}
	if rt.Doc.Request != nil {
		all = append(all, convoke.CodeRequestTimeout)
	}
	if rt.Rule.grantable() { // a proof by a DPoP key can come too often
		all = append(all, convoke.CodeThrottled)
	}
	return all
}

func (d *describer) failure() any {
	if d.v1() {
		return api.ErrorV1{}
	}
	return api.Error{}
}
