package httpapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
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
		OpenAPI    string                          `json:"openapi"`
		Info       info                            `json:"info"`
		Security   []map[string][]string           `json:"security"`
		Paths      map[string]map[string]operation `json:"paths"`
		Components components                      `json:"components"`
	}
	info struct {
		Title       string `json:"title"`
		Version     string `json:"version"`
		Description string `json:"description"`
	}
	operation struct {
		OperationID string                 `json:"operationId"`
		Tags        []string               `json:"tags"`
		Summary     string                 `json:"summary"`
		Description string                 `json:"description,omitempty"`
		Security    *[]map[string][]string `json:"security,omitempty"`
		Parameters  []parameter            `json:"parameters,omitempty"`
		RequestBody *content               `json:"requestBody,omitempty"`
		Responses   map[string]content     `json:"responses"`
	}
	parameter struct {
		Name        string `json:"name"`
		In          string `json:"in"`
		Required    bool   `json:"required,omitempty"`
		Description string `json:"description,omitempty"`
		Schema      schema `json:"schema"`
	}
	content struct {
		Description string            `json:"description,omitempty"`
		Required    bool              `json:"required,omitempty"`
		Headers     map[string]header `json:"headers,omitempty"`
		Content     map[string]media  `json:"content,omitempty"`
	}
	header struct {
		Description string `json:"description"`
		Schema      schema `json:"schema"`
	}
	media struct {
		Schema  schema          `json:"schema"`
		Example json.RawMessage `json:"example,omitempty"`
	}
	components struct {
		SecuritySchemes map[string]any    `json:"securitySchemes"`
		Schemas         map[string]schema `json:"schemas"`
	}
	schema struct {
		Ref                  string            `json:"$ref,omitempty"`
		Type                 string            `json:"type,omitempty"`
		Format               string            `json:"format,omitempty"`
		Enum                 []string          `json:"enum,omitempty"`
		Items                *schema           `json:"items,omitempty"`
		Properties           map[string]schema `json:"properties,omitempty"`
		AdditionalProperties *schema           `json:"additionalProperties,omitempty"`
		Required             []string          `json:"required,omitempty"`
	}
)

const bearerScheme = "bearer"

// apiVersion changes with the wire contract: additions raise the second
// number, anything else the first.
const apiVersion = "2.2"

// openAPI describes the routes.
func openAPI(routes []Route) document {
	doc := document{
		OpenAPI:  "3.1.0",
		Info:     info{Title: "Convoke", Version: apiVersion, Description: "The management and invocation API of a Convoke server. Clients must ignore members they do not know."},
		Security: []map[string][]string{{bearerScheme: {}}},
		Paths:    map[string]map[string]operation{},
		Components: components{
			SecuritySchemes: map[string]any{bearerScheme: map[string]string{"type": "http", "scheme": "bearer"}},
			Schemas:         map[string]schema{},
		},
	}
	types := schemas(doc.Components.Schemas)
	types.of(reflect.TypeFor[api.Error]())
	for _, rt := range routes {
		if rt.Doc.Hidden {
			continue
		}
		if doc.Paths[rt.Path] == nil {
			doc.Paths[rt.Path] = map[string]operation{}
		}
		doc.Paths[rt.Path][strings.ToLower(rt.Method)] = types.operation(rt)
	}
	return doc
}

// schemas are the named types that were met.
type schemas map[string]schema

var pathParam = regexp.MustCompile(`\{(\w+)\}`)

func (s schemas) operation(rt Route) operation {
	d := rt.Doc
	op := operation{OperationID: d.ID, Tags: []string{d.Tag}, Summary: d.Summary, Responses: map[string]content{}}
	switch {
	case rt.Rule.public:
		op.Security = &[]map[string][]string{}
	case rt.Rule.member:
		op.Description = "Takes any token or session of the account."
	default:
		op.Description = fmt.Sprintf("Takes the permission `%s`.", rt.Rule.perm)
	}
	for _, m := range pathParam.FindAllStringSubmatch(rt.Path, -1) {
		op.Parameters = append(op.Parameters, parameter{Name: m[1], In: "path", Required: true, Schema: schema{Type: "string"}})
	}
	for _, p := range append(slices.Clone(d.Query), d.paging()...) {
		op.Parameters = append(op.Parameters, parameter{Name: p.Name, In: "query", Description: p.About, Schema: p.schema()})
	}
	if rt.Match != "" {
		op.Parameters = append(op.Parameters, parameter{Name: "If-Match", In: "header", Schema: schema{Type: "string"},
			Description: "change it only if it still has this ETag"})
	}
	if d.Tagged {
		op.Parameters = append(op.Parameters, parameter{Name: "If-None-Match", In: "header", Schema: schema{Type: "string"},
			Description: "answer only if the ETag is not this one"})
	}
	if d.Request != nil {
		op.RequestBody = &content{Required: !d.Optional, Content: s.body("application/json", d.Request)}
		show(op.RequestBody.Content, examples()[d.ID].Request)
	}
	status := d.Status
	if status == 0 {
		status = http.StatusOK
	}
	success := content{Description: http.StatusText(status)}
	if d.Response != nil {
		mediaType := d.Media
		if mediaType == "" {
			mediaType = "application/json"
		}
		success.Content = s.body(mediaType, d.Response)
		show(success.Content, examples()[d.ID].Response)
	}
	success.Headers = d.headers()
	op.Responses[strconv.Itoa(status)] = success
	if d.Tagged {
		op.Responses["304"] = content{Description: "You have it already: it has the ETag of If-None-Match."}
	}
	s.failures(op.Responses, rt)
	if d.Form != nil {
		s.form(&op, d.Form)
	}
	return op
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

// headers are those of a successful answer.
func (d Doc) headers() map[string]header {
	out := map[string]header{}
	if len(d.Order.Fields) > 0 {
		out["Link"] = header{Description: `the next page, as <…>; rel="next" (RFC 8288); absent with the last one`, Schema: schema{Type: "string"}}
	}
	if d.Tagged {
		out["ETag"] = header{Description: "what the answer is now (RFC 9110)", Schema: schema{Type: "string"}}
	}
	return out
}

// failures adds an answer per HTTP status. The reference's status 901 has no
// place in the format, so it stands with whatever else there may be.
func (s schemas) failures(responses map[string]content, rt Route) {
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
	about := map[string][]string{}
	for _, c := range api.Codes {
		if !slices.Contains(all, c.Code) {
			continue
		}
		key, text := strconv.Itoa(c.Status), fmt.Sprintf("`%s`: %s", c.Code, c.Meaning)
		if c.Status > 599 {
			key, text = "default", fmt.Sprintf("Status %d, %s", c.Status, text)
		}
		about[key] = append(about[key], text)
	}
	for _, key := range slices.Sorted(maps.Keys(about)) {
		responses[key] = content{Description: strings.Join(about[key], " "), Content: s.body("application/json", api.Error{})}
	}
}

func (s schemas) body(mediaType string, v any) map[string]media {
	if v == anyValue {
		return map[string]media{mediaType: {}}
	}
	return map[string]media{mediaType: {Schema: s.of(reflect.TypeOf(v))}}
}

func (p Param) schema() schema {
	out := schema{Type: p.Type, Enum: p.Values}
	if p.Type == "date-time" {
		out = schema{Type: "string"} // Unix milliseconds are allowed too
	}
	if p.Repeated {
		return schema{Type: "array", Items: &out}
	}
	return out
}

// of is the schema of t; a struct is described once and referred to.
func (s schemas) of(t reflect.Type) schema {
	switch {
	case t == reflect.TypeFor[api.Time]():
		return schema{Type: "string", Format: "date-time"}
	case t == reflect.TypeFor[json.RawMessage]():
		return schema{} // any JSON
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Bool:
		return schema{Type: "boolean"}
	case reflect.Int:
		return schema{Type: "integer"}
	case reflect.Int64:
		return schema{Type: "integer", Format: "int64"}
	case reflect.Float64:
		return schema{Type: "number"}
	case reflect.String:
		return schema{Type: "string"}
	case reflect.Slice:
		items := s.of(t.Elem())
		return schema{Type: "array", Items: &items}
	case reflect.Map:
		values := s.of(t.Elem())
		return schema{Type: "object", AdditionalProperties: &values}
	case reflect.Struct:
		if _, known := s[t.Name()]; !known {
			s[t.Name()] = schema{} // in case the type refers to itself
			out := schema{Type: "object", Properties: map[string]schema{}}
			s.members(t, &out)
			s[t.Name()] = out
		}
		return schema{Ref: "#/components/schemas/" + t.Name()}
	default:
		panic(fmt.Sprintf("httpapi: a wire type holds a %s, which the API document cannot describe", t))
	}
}

func (s schemas) members(t reflect.Type, out *schema) {
	for f := range t.Fields() {
		tag := f.Tag.Get("json")
		if f.Anonymous && tag == "" {
			s.members(f.Type, out)
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if name == "" {
			panic(fmt.Sprintf("httpapi: member %s of %s has no JSON name", f.Name, t))
		}
		if name == "-" {
			continue // a header
		}
		out.Properties[name] = s.of(f.Type)
		if !strings.Contains(options, "omit") {
			out.Required = append(out.Required, name)
		}
	}
}
